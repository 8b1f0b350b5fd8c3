"""One simulation on many sites is the one in a single process, bit for bit, and never silently another."""

from __future__ import annotations

import os
import signal

import numpy as np
import pytest
from spread_here import Part, Whole

from sociarium.cluster.secure_aggregation.aggregator import Aggregator, SiteLost
from sociarium.cluster.secure_aggregation.field import SCALE
from sociarium.cluster.secure_aggregation.session import AggregatorLost, Session, here, in_step
from sociarium.cluster.secure_aggregation.sites import run_here, run_processes
from sociarium.kernel.errors import SociariumError, UsageError

STEPS, SITES = 20, 3
PART = "spread_here:Part"


@pytest.fixture(scope="module")
def central():
    whole, counts = Whole(), []
    for step in range(STEPS):
        whole.step(step)
        counts.append(whole.statistics())
    assert 20 < counts[-1][0] < 300  # something has spread, and not everywhere
    return whole, np.array(counts)


def planned(**changed):
    return {f"site {n}": (PART, {"site": n, "sites": SITES} | changed.get(f"site_{n}", {})) for n in range(SITES)}


@pytest.mark.parametrize("aggregators", [2, 3, 5])
def test_groups_as_sites_give_the_central_trajectory(central, aggregators):
    sites = {f"site {n}": Part(n, SITES) for n in range(SITES)}
    trajectory = run_here(sites, STEPS, aggregators=aggregators)
    whole, counts = central
    ill = np.zeros(len(whole.ill), bool)
    for site in sites.values():
        ill[site.own] = site.ill
    assert np.array_equal(ill, whole.ill)
    assert np.array_equal(trajectory.statistics, counts)
    assert trajectory.sent > 0


def test_processes_give_the_central_trajectory(central, tmp_path):
    trajectory = run_processes(planned(), STEPS, tmp_path)
    assert np.array_equal(trajectory.statistics, central[1])
    assert trajectory.restarts == 0


@pytest.mark.parametrize("victim", ["site 1", "aggregator 2"])
def test_a_killed_part_is_started_again_and_the_end_is_the_same(central, tmp_path, victim):
    killed = []

    def kill(processes):
        if not killed:
            killed.append(processes[victim])
            os.kill(processes[victim], signal.SIGKILL)

    trajectory = run_processes(planned(), STEPS, tmp_path, patience=5.0, on_start=kill)
    assert trajectory.lost == [victim]
    assert np.array_equal(trajectory.statistics, central[1])


def test_a_site_that_dies_in_mid_run_goes_on_from_its_last_step(central, tmp_path):
    dying = {"dies_at": 7, "mark": str(tmp_path / "died")}
    trajectory = run_processes(planned(site_1=dying), STEPS, tmp_path / "run", patience=5.0)
    assert trajectory.restarts == 1
    assert np.array_equal(trajectory.statistics, central[1])


def test_a_part_that_is_lost_for_ever_ends_the_run_with_an_error(tmp_path):
    def kill(processes):
        os.kill(processes["site 0"], signal.SIGKILL)

    with pytest.raises(SociariumError, match="again and again"):
        run_processes(planned(), STEPS, tmp_path, patience=2.0, restarts=1, on_start=kill)


def test_a_missing_share_is_an_error_and_never_a_number():
    """Line 7: dropping one aggregator makes reconstruction fail loudly."""
    parts = [Aggregator(["a", "b"]) for _ in range(3)]
    sessions = {name: Session(name, [here(part, name) for part in parts[:2]], 2) for name in "ab"}
    for session in sessions.values():
        session.ways.append(lambda step, label, recipients, shares, wanted: np.zeros(len(wanted), np.uint64))
    with pytest.raises(AggregatorLost, match="not whole"):
        in_step(["a", "b"], lambda name: sessions[name].sums(0, "m", [1], [5], [1]))


def test_an_aggregator_that_goes_away_is_named():
    parts = [Aggregator(["a"]) for _ in range(2)]

    def gone(step, label, recipients, shares, wanted):
        raise EOFError

    session = Session("a", [here(parts[0], "a"), gone], 1)
    with pytest.raises(AggregatorLost, match="aggregator 1 went away"):
        session.sums(0, "m", [1], [5], [1])


def test_a_site_that_does_not_come_is_named():
    part = Aggregator(["a", "b"], patience=0.01)
    part.give("a", 0, "m", np.array([1]), np.array([5], np.uint64))
    with pytest.raises(SiteLost, match="from b"):
        part.take("a", 0, "m", np.array([1]))


def test_an_aggregator_refuses_a_second_contribution():
    """Two sums that differ in one site's part would show that part."""
    part = Aggregator(["a", "b"])
    part.give("a", 0, "m", np.array([1]), np.array([5], np.uint64))
    with pytest.raises(UsageError, match="gave twice"):
        part.give("a", 0, "m", np.array([1]), np.array([6], np.uint64))


def test_what_an_aggregator_holds_does_not_depend_on_the_values():
    """The share that one aggregator sees is the same random number whatever is sent, but for the last one, which hides behind them."""
    seen = []
    for value in (0, 12_345):
        part = Aggregator(["a"])
        rest = Aggregator(["a"])
        held = {}

        def spy(step, label, recipients, shares, wanted, part=part, held=held):
            held["shares"] = shares.copy()
            return here(part, "a")(step, label, recipients, shares, wanted)

        session = Session("a", [spy, here(rest, "a")], 1, source=np.random.default_rng(5).bytes)
        assert session.sums(0, "m", [1], [value], [1]).tolist() == [value]
        seen.append(held["shares"].tolist())
    assert seen[0] == seen[1]


def test_totals_are_sums_in_fixed_point_of_either_sign():
    parts = [Aggregator(["a", "b"]) for _ in range(3)]
    sessions = {name: Session(name, [here(part, name) for part in parts], 2) for name in "ab"}
    given = {"a": [1.5, -2.25, 1e6], "b": [0.25, -0.5, -2e6]}
    totals = in_step(["a", "b"], lambda name: sessions[name].total(0, "gradient", given[name]) / SCALE)
    assert totals[0].tolist() == totals[1].tolist() == [1.75, -2.75, -1e6]


def test_noise_has_the_stated_standard_deviation():
    parts = [Aggregator(["a"]) for _ in range(2)]
    session = Session("a", [here(part, "a") for part in parts], 1, source=np.random.default_rng(1).bytes)
    noisy = session.total(0, "count", np.full(20_000, 7.0), noise=100.0) / SCALE
    assert abs(noisy.mean() - 7.0) < 4 * 100 / np.sqrt(20_000)
    assert abs(noisy.std() / 100 - 1) < 4 / np.sqrt(2 * 20_000)
