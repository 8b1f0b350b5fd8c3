"""Laws 2 and 3: replay without a model, branches that pay only for what changed, clean stops that resume to the same digest."""

from __future__ import annotations

import sqlite3

import pytest
from conftest_laws import SMALL, society

from sociarium.kernel.errors import BudgetSpent, UsageError
from sociarium.lab import running
from sociarium.lab.running import Options
from sociarium.models.budget import BudgetLimits
from sociarium.scenarios import catalogue


def sources(folder):
    connection = sqlite3.connect(f"file:{folder / 'run.sqlite'}?mode=ro", uri=True)
    try:
        return dict(connection.execute("SELECT source, count(*) FROM journal GROUP BY source").fetchall())
    finally:
        connection.close()


@pytest.fixture
def no_model(monkeypatch):
    """From here on nothing may open or ask a model."""

    def refuse(*_):
        raise AssertionError("a model was opened")

    return lambda: monkeypatch.setattr(running, "open_backend", refuse)


@pytest.mark.parametrize("slug", sorted(SMALL))
async def test_a_run_replays_without_a_model_to_the_same_digest(slug, run, no_model):
    finished = await run(society(slug), 5)
    no_model()
    assert (await running.replay(finished.folder, catalogue.scenario)).digest == finished.digest


@pytest.mark.parametrize("slug", sorted(SMALL))
async def test_a_branch_with_no_change_has_the_same_digest_and_calls_nobody(slug, run, tmp_path):
    finished = await run(society(slug), 5)
    again = await running.branch(finished.folder, tmp_path / "same", 1, {}, catalogue.scenario)
    assert again.digest == finished.digest
    assert again.summary.models["calls"] == 0
    assert sources(tmp_path / "same").keys() <= {"live", "cache", "shared"}


async def test_a_branch_with_one_change_shares_the_prefix_and_asks_only_what_changed(run, tmp_path):
    finished = await run(society("govsim", collapse=0, max_rounds=4), 5)
    at = 2
    other = await running.branch(finished.folder, tmp_path / "other", at, {"inject_universalization": "true"}, catalogue.scenario)
    for folder in (finished.folder, tmp_path / "other"):
        assert (folder / "run.sqlite").exists()
    ticks = []
    for folder in (finished.folder, tmp_path / "other"):
        connection = sqlite3.connect(f"file:{folder / 'run.sqlite'}?mode=ro", uri=True)
        ticks.append(connection.execute("SELECT tick, digest FROM ticks ORDER BY tick").fetchall())
        connection.close()
    assert ticks[0][:at] == ticks[1][:at]
    assert ticks[0][at:] != ticks[1][at:]
    asked = [set(), set()]
    for place, folder in enumerate((finished.folder, tmp_path / "other")):
        connection = sqlite3.connect(f"file:{folder / 'run.sqlite'}?mode=ro", uri=True)
        wanted = "" if place == 0 else f" WHERE tick >= {at} AND source = 'live'"
        asked[place] = {key for (key,) in connection.execute(f"SELECT key FROM journal{wanted}")}
        connection.close()
    assert asked[1]
    assert not asked[0] & asked[1]  # nothing that the parent had asked is asked again
    assert other.summary.models["calls"] >= len(asked[1])


@pytest.mark.parametrize(
    ("settings", "told"),
    [({"num_agents": 4}, "who they are"), ({"lakes": 3}, "who they are"), ({"max_rounds": 1}, "beyond the 1 ticks")],
)
async def test_a_branch_refuses_what_it_cannot_apply(settings, told, run, tmp_path):
    finished = await run(society("govsim", model=None, policies="sustainable"), 5)
    with pytest.raises(UsageError, match=told):
        await running.branch(finished.folder, tmp_path / "no", 2, settings, catalogue.scenario)
    assert not (tmp_path / "no").exists()


@pytest.mark.parametrize("slug", sorted(SMALL))
async def test_a_spent_budget_is_a_clean_stop_that_resumes_to_the_same_digest(slug, run, tmp_path):
    wanted = await run(society(slug), 6)
    folder = tmp_path / "budgeted"
    with pytest.raises(BudgetSpent):
        await running.start(society(slug), 6, folder, Options(budget=BudgetLimits(calls=20)))
    assert sum(count for source, count in sources(folder).items() if source == "live") <= 20
    resumed = await running.resume(folder, catalogue.scenario, Options(budget=BudgetLimits(calls=100_000)))
    assert resumed.digest == wanted.digest
    assert (await running.replay(folder, catalogue.scenario)).digest == wanted.digest


async def test_an_intervention_given_while_the_run_goes_on_is_replayed_at_its_tick(run, no_model):
    def inject(_, simulation):
        simulation.on_tick.append(
            lambda record: simulation.inject("commons.set_stock", stock=33) if record.tick == 0 and not done else None
        )
        simulation.on_tick.append(lambda record: done.append(record.tick))

    done: list[int] = []
    scenario = society("govsim", model=None, policies="sustainable*5", lakes=1)
    finished = await run(scenario, 1, on_built=[inject])
    no_model()
    replayed = await running.replay(finished.folder, catalogue.scenario)
    assert replayed.digest == finished.digest
    assert replayed.digest != (await run(scenario, 1)).digest
