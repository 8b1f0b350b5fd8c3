"""The epidemic on sites is the epidemic in one process, bit for bit; and nobody sees more than sums."""

from __future__ import annotations

import os
import signal
from itertools import combinations
from typing import Any

import numpy as np
import pytest

from sociarium.cluster.secure_aggregation.aggregator import Aggregator
from sociarium.cluster.secure_aggregation.epidemic import OPENED, STATISTICS, EpidemicSite, opened, sites_of
from sociarium.cluster.secure_aggregation.session import Session, here, in_step
from sociarium.cluster.secure_aggregation.sites import one_step, run_alone, run_here, run_processes
from sociarium.environments.epidemic.disease import Disease
from sociarium.environments.epidemic.epidemic import Epidemic
from sociarium.environments.epidemic.graphs import random_network
from sociarium.environments.epidemic.layers import Layer
from sociarium.environments.epidemic.rules import EpidemicRules
from sociarium.environments.epidemic.strategies import Habits, by_habit
from sociarium.kernel.errors import UsageError
from sociarium.kernel.population import Population
from sociarium.kernel.randomness import Randomness
from sociarium.kernel.schedule import Rounds
from sociarium.kernel.simulation import Simulation
from sociarium.kernel.turn import Phase
from sociarium.minds.rule import RuleMind

SIZE, DAYS, SITES, SEED = 240, 20, 3, 7
HABITS = Habits(isolate=0.1, caution=20.0, work=0.7)
KINDS: dict[str, dict[str, Any]] = {
    "network": {},
    "layers": {"actions": ("isolate", "work"), "isolated_send": False},
}


def town(kind: str) -> Simulation:
    rules = {"actions": (), "initial": 0.1, **KINDS[kind]}
    agents = np.arange(SIZE)
    people = Population.of("person", SIZE, age_class=agents % 9, pupil=agents % 4 == 0)
    layers = [Layer(name="friends", network=random_network(SIZE, 6, Randomness(2).stream("friends")))]
    if kind == "layers":
        homes = random_network(SIZE, 2, Randomness(2).stream("homes"))
        layers += [Layer(name="home", network=homes, at_home=True), Layer(name="work", drawn=2, needs="working")]
        layers += [Layer(name="school", mixed=True, weight=2.0, needs="pupil"), Layer(name="town", mixed=True, weight=0.5)]
    epidemic = Epidemic(Disease(reproduction=(6.0, 4.0)), layers, EpidemicRules(**rules))
    return Simulation(people, [epidemic], [RuleMind(by_habit(HABITS))], Rounds([Phase("day", "epidemic")], DAYS), seed=SEED)


def dealt(kind: str, sites: int = SITES) -> dict[str, EpidemicSite]:
    habits = HABITS if KINDS[kind] else None
    return sites_of(town(kind).world["epidemic"], np.arange(SIZE) * 7 % sites, seed=SEED, habits=habits)


@pytest.fixture(scope="module", params=list(KINDS))
def central(request):
    simulation, days = town(request.param), []
    simulation.on_tick.append(
        lambda tick: days.append([float(tick.measures[f"epidemic.{name}"][0]) for name in STATISTICS if name != "dying"])
    )
    simulation.run_sync()
    epidemic = simulation.world["epidemic"]
    assert epidemic.total[0] > 60, "the epidemic went somewhere"
    return request.param, epidemic, np.array(days)


@pytest.mark.parametrize("aggregators", [2, 3])
def test_groups_as_sites_live_the_epidemic_of_one_process(central, aggregators):
    kind, epidemic, days = central
    sites = dealt(kind)
    trajectory = run_here(sites, DAYS, aggregators=aggregators)
    for name in ("stage", "until", "infected"):
        ours = np.zeros_like(getattr(epidemic, name))
        for site in sites.values():
            ours[site.agents] = getattr(site.state_now, name)
        assert np.array_equal(ours, getattr(epidemic, name))
    assert np.array_equal(np.delete(trajectory.statistics, STATISTICS.index("dying"), axis=1), days)
    assert epidemic.deaths[0] == pytest.approx(epidemic.disease.mortality * trajectory.statistics[:, 1].sum())


def test_one_site_without_a_protocol_is_the_same(central):
    kind, epidemic, days = central
    alone = dealt(kind, 1)["site-0"]
    trajectory = run_alone(alone, DAYS)
    assert np.array_equal(alone.state_now.stage, epidemic.stage)
    assert np.array_equal(trajectory.statistics[:, 0], days[:, 0])


def test_processes_are_killed_and_started_again_and_end_the_same(central, tmp_path):
    kind, _, days = central
    victim = {"network": "aggregator 2", "layers": "site-1"}[kind]
    plan = {name: (OPENED, {"path": str(site.save(tmp_path / f"{name}.site"))}) for name, site in dealt(kind).items()}
    killed = []

    def kill(processes):
        if not killed:
            killed.append(victim)
            os.kill(processes[victim], signal.SIGKILL)

    trajectory = run_processes(plan, DAYS, tmp_path / "run", patience=10.0, on_start=kill)
    assert trajectory.lost == [victim]
    assert np.array_equal(np.delete(trajectory.statistics, 1, axis=1), days)
    sites = dealt(kind)
    assert trajectory.digests == run_here(sites, DAYS).digests
    assert 0 < trajectory.sent / (SIZE * DAYS) < 5000, "bytes an agent and day"


def test_what_was_saved_comes_back(tmp_path):
    site = dealt("layers")["site-2"]
    again = opened(str(site.save(tmp_path / "two.site")))
    assert again.disease == site.disease and again.habits == site.habits
    assert again.own.tolist() == site.own.tolist()
    for one, other in zip(site.outgoing(0), again.outgoing(0), strict=True):
        assert one.tolist() == other.tolist()


def test_traffic_does_not_tell_who_is_infectious():
    """The same contacts are addressed, as often, whether everybody is infectious or nobody."""
    addressed = []
    for infectious in (False, True):
        site = dealt("layers")["site-0"]
        if infectious:
            site.state_now.stage[:] = 2
            site.state_now.infected[:] = -6
        else:
            site.state_now.stage[:] = 0
        recipients, messages = site.outgoing(0)
        addressed.append(recipients.tolist())
        assert (messages > 0).any() == infectious
    assert addressed[0] == addressed[1]


def test_all_but_one_aggregator_together_see_uniform_numbers():
    """Shares of the real messages of one day, 60 times: eighths of the field are equally frequent in every k - 1 of the k aggregators,
    jointly, so whoever holds them has no advantage in telling the infectious from the others."""
    run_here(sites := dealt("network"), 8)
    recipients, messages = sites["site-0"].outgoing(8)
    seen: list[list[np.ndarray]] = [[], [], []]

    def spy(number):
        def way(step, label, who, shares, wanted):
            seen[number].append(shares[:-1].copy())
            return here(parts[number], "a")(step, label, who, shares, wanted)

        return way

    source = np.random.default_rng(3).bytes
    for step in range(60):
        parts = [Aggregator(["a"]) for _ in range(3)]
        session = Session("a", [spy(number) for number in range(3)], 1, source=source)
        session.sums(step, "messages", recipients, messages, [0])
        session.close()
    eighths = [(np.concatenate(shares) >> np.uint64(58)).astype(np.int64) for shares in seen]
    sent = np.tile(messages > 0, 60)
    assert 0 < sent.mean() < 1
    for first, second in combinations(range(3), 2):
        cell = 8 * eighths[first] + eighths[second]
        for who in (sent, ~sent):
            counts = np.bincount(cell[who], minlength=64)
            wanted = counts.sum() / 64
            assert ((counts - wanted) ** 2 / wanted).sum() < 127, "chi-square, 63 degrees of freedom: p > 4e-6"


def test_noise_is_on_the_common_statistics_and_not_on_the_agents():
    plain, noisy = dealt("network"), dealt("network")
    exact, noised = run_here(plain, 5), run_here(noisy, 5, noise=5.0)
    assert [site.state_now.stage.tolist() for site in plain.values()] == [site.state_now.stage.tolist() for site in noisy.values()]
    errors = (noised.statistics - exact.statistics).ravel()
    assert 0.4 < errors.std() / (5.0 * SITES**0.5) < 1.6


def test_a_site_that_is_away_ends_the_day_loudly():
    sites = dealt("network")
    parts = [Aggregator(list(sites), patience=0.05) for _ in range(2)]
    sessions = {name: Session(name, [here(part, name) for part in parts], len(sites)) for name in sites}
    with pytest.raises(Exception, match="from site-2"):
        in_step(["site-0", "site-1"], lambda name: one_step(sites[name], sessions[name], 0))


def test_what_cannot_be_dealt_out_is_refused():
    simulation = town("network")
    with pytest.raises(UsageError, match="the site of each"):
        sites_of(simulation.world["epidemic"], np.zeros(3, np.int64), seed=1)
    with pytest.raises(UsageError, match="contacts elsewhere"):
        run_alone(dealt("network")["site-0"], 1)
    tested = Epidemic(Disease(), [Layer(name="all", mixed=True)], EpidemicRules(actions=("test",)))
    Simulation(Population.of("person", 10), [tested], [RuleMind(by_habit())], Rounds([Phase("day", "epidemic")], 1), seed=1)
    with pytest.raises(UsageError, match="'test' is not among"):
        sites_of(tested, np.zeros(10, np.int64), seed=1)
