"""Arms that part at a tick: nothing differs before it, differences are paired, and the three kinds of question are answered."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sociarium.kernel.errors import UsageError
from sociarium.kernel.simulation import Intervention
from sociarium.lab.counterfactual import Arm, Counterfactual, Futures
from sociarium.lab.curves import Band, series_panels
from sociarium.lab.running import in_memory
from sociarium.scenarios import catalogue

LAKE = catalogue.scenario("govsim").of({"policies": "sustainable"})
TAKEN = Arm(interventions=[Intervention(4, "commons.set_stock", {"stock": 40})])


@pytest.fixture(scope="module")
def futures() -> Futures:
    arms = {"as it was": Arm(), "half taken away": TAKEN, "three months": Arm({"max_rounds": 7})}
    return Counterfactual(LAKE, 4, arms, range(3)).run_sync(["commons.stock", "commons.gain"])


def test_arms_are_equal_to_the_last_bit_until_they_part(futures: Futures) -> None:
    base = futures.values("as it was", "commons.stock")
    other = futures.values("half taken away", "commons.stock")
    assert (base[:, :4] == other[:, :4]).all()
    assert (base[:, 4] != other[:, 4]).all()
    shorter = futures.values("three months", "commons.stock")
    assert (shorter[:, :7] == base[:, :7]).all() and np.isnan(shorter[:, 7:]).all()


async def test_the_first_arm_is_the_plain_run(futures: Futures) -> None:
    finished = await in_memory(LAKE, 1)
    assert finished.last is not None
    assert futures.values("as it was", "commons.gain")[1, -1] == np.mean(finished.last.measures["commons.gain"])


def test_differences_are_paired_over_seeds(futures: Futures) -> None:
    both = [futures.values(name, "commons.gain")[:, -1] for name in ("half taken away", "as it was")]
    interval = futures.difference("half taken away", "commons.gain")
    assert interval.estimate == pytest.approx(float((both[0] - both[1]).mean()))
    assert interval.estimate < 0
    total = futures.total_difference("half taken away", "commons.stock")
    series = [futures.values(name, "commons.stock")[:, 4:].sum(1) for name in ("half taken away", "as it was")]
    assert total.estimate == pytest.approx(float((series[0] - series[1]).mean()))
    assert futures.difference("three months", "commons.gain").estimate == 0, "compared at the last tick that both reached"


def test_retrospect_says_how_much_of_the_data_lies_in_the_band(futures: Futures) -> None:
    runs = futures.values("as it was", "commons.stock")
    data = np.where(np.arange(12) % 3 == 0, np.nan, runs.mean(0))
    assert futures.coverage("as it was", "commons.stock", data) == 1
    assert futures.coverage("as it was", "commons.stock", data + 1e6) == 0
    with pytest.raises(UsageError, match="one row of observations"):
        futures.coverage("as it was", "commons.stock", np.full(12, np.nan))


def test_the_picture_shows_arms_differences_and_the_date(futures: Futures, tmp_path: Path) -> None:
    text = futures.plot("commons.gain", tmp_path / "a.svg", title="A lake", observed=np.arange(12.0)).read_text("utf-8")
    assert all(words in text for words in ("A lake", "half taken away", "difference of commons.gain", "arms part here", "observed"))
    assert futures.plot("commons.gain", tmp_path / "b.svg", title="A lake", observed=np.arange(12.0)).read_text("utf-8") == text


def test_a_panel_without_data_shows_the_runs_only(tmp_path: Path) -> None:
    text = series_panels({"cases": Band(np.arange(12.0).reshape(3, 4))}, tmp_path / "a.svg", title="Runs").read_text("utf-8")
    assert "simulated" in text and "Loss" not in text
    with pytest.raises(UsageError, match="at least one series"):
        series_panels({}, tmp_path / "b.svg")


def test_what_cannot_part_is_refused() -> None:
    with pytest.raises(UsageError, match="before the arms part"):
        Counterfactual(LAKE, 5, {"early": TAKEN}, [1])
    with pytest.raises(UsageError, match="no seed twice"):
        Counterfactual(LAKE, 5, {"a": Arm()}, [1, 1])
    with pytest.raises(UsageError, match="ended after 12 ticks"):
        Counterfactual(LAKE, 20, {"a": Arm()}, [1]).run_sync()
    with pytest.raises(UsageError, match="changes who they are"):
        Counterfactual(LAKE, 2, {"a": Arm({"num_agents": 7})}, [1]).run_sync()
    with pytest.raises(UsageError, match="no measure 'fish'"):
        Counterfactual(LAKE, 2, {"a": Arm()}, [1]).run_sync(["fish"])
    futures = Futures(0, [1], {"x": {"a": np.zeros((1, 3))}})
    with pytest.raises(UsageError, match="no arm 'b'"):
        futures.values("b", "x")
    with pytest.raises(UsageError, match="no measure 'y'"):
        futures.values("a", "y")
