"""The bench of the kernel does on both sides the work that it says."""

from __future__ import annotations

import numpy as np

from sociarium.cli.benches import kernel


def test_rows_have_what_a_table_needs():
    rows = kernel.run((40, 80), repeats=1)
    assert [row["unit"] for row in rows] == [
        "ns per agent-round",
        "ns per agent-round",
        "exponent",
        "bytes per agent",
        "bytes per agent",
    ] * 2
    for row in rows:
        assert set(row) == {"case", "unit", "ours", "reference", "reference_name", "ratio", "goal", "limit"}
    assert all(row["ours"] > 0 and row["goal"] == 1.5 for row in rows if row["unit"].startswith("ns"))


def test_a_step_of_ours_is_a_round_with_the_arithmetic_by_hand():
    step = kernel.guessing(1000)
    simulation = step.__closure__[0].cell_contents
    records = []
    simulation.on_tick.append(records.append)
    step()
    step()
    targets = [record.measures["guessing.target"][0] for record in records]
    expected = 50.0
    for tick, target in enumerate(targets):
        drawn = simulation.world.randomness.stream("guess", tick, "round", 0).uniform(np.arange(1000))
        expected = 2 / 3 * (drawn * expected).mean()
        assert target == expected
    assert records[0].applied == {"guessing.guess": 1000}
