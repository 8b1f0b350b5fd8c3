"""A policy learned from another mind: what it saves, what it keeps of the error, when it stops, and that runs repeat."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from sociarium import testing
from sociarium.kernel.actions import Actions, Choice, Flag, Integer, Text, action
from sociarium.kernel.environment import Environment, Events, Outcome
from sociarium.kernel.errors import UsageError
from sociarium.kernel.mind import Mind
from sociarium.kernel.outcomes import Status
from sociarium.kernel.population import Population
from sociarium.kernel.schedule import Rounds
from sociarium.kernel.simulation import Simulation
from sociarium.kernel.turn import Phase
from sociarium.lab.statistics import share_interval
from sociarium.minds.audit import Audit, distance_by_chance, wilson
from sociarium.minds.distilled import Distillation, DistilledMind, distil
from sociarium.minds.grouping import Grouping
from sociarium.testing import digest_of, ticks_of


class Shop(Environment):
    """Each agent is offered a price and buys up to three pieces, at most what it can pay."""

    name = "shop"

    def reset(self, world, groups):
        super().reset(world, groups)
        self.bought = []
        self.total = 0

    def observe(self, turn):
        price = self.world.randomness.stream("price", turn.tick).normal(turn.agents)
        return {"price": price, "most": np.where(price > 1.5, 1, 3)}

    @action("Buy.", pieces=Integer(low=0, high=3))
    def buy(self, turn, seen, table):
        self.bought.append((turn.tick, table.agents.copy(), table["pieces"].copy()))
        self.total += int(table["pieces"].sum())
        return Outcome([Events("bought", table.agents, {"pieces": table["pieces"]})])

    @action("Say.", text=Text(), loud=Flag())
    def say(self, turn, seen, table):
        return Outcome([Events("said", table.agents, {"text": table["text"]})])

    @action("Leave.", way=Choice(options=("left", "right")))
    def leave(self, turn, seen, table):
        return None

    def measures(self):
        return {"bought": np.full(self.world.groups, self.total)}

    def state(self, groups=None):
        return {"total": self.total}

    def load(self, state, groups=None):
        self.total = int(state.get("total", 0))


class Buyer(Mind):
    """Buys the fewer the higher the price, by chance; from the tick ``drift`` on, the more. Says how many it was asked about."""

    def __init__(self, drift=10**9, certain=False, jitter=None, status=None):
        self.drift, self.certain, self.jitter, self.status = drift, certain, jitter, status
        self.paced = jitter is not None
        self.asked = {}

    def shares(self, tick, price):
        slope = np.array([1.0, 0.3, -0.3, -1.0]) * (-1 if tick >= self.drift else 1) * (12 if self.certain else 1.5)
        powers = np.exp(slope * price[:, None])
        return powers / powers.sum(axis=1, keepdims=True)

    async def decide(self, turn, seen):
        for _ in range(int(self.jitter.integers(0, 5)) if self.jitter is not None else 0):
            await asyncio.sleep(0)
        if turn.kind != "probe":
            self.asked[turn.tick] = self.asked.get(turn.tick, 0) + len(turn.agents)
        if not turn.offered("buy"):
            return Actions.one(turn, "say", text=np.full(len(turn.agents), "hello", object), loud=False)
        pieces = turn.random("pieces").choice(self.shares(turn.tick, seen["shop"]["price"]), turn.agents)
        actions = Actions.one(turn, "buy", pieces=np.minimum(pieces, seen["shop"]["most"]))
        if self.status is not None:
            for row in range(len(turn.agents)):
                actions.mark(turn, row, self.status, "as the test wants", fallback=True)
        return actions


RULES = Distillation(("shop.buy",), ("shop.price",), limits={"pieces": "shop.most"}, unsure=0.08, warm_up=200)


def shop(agents=200, groups=1, *, rules=RULES, ticks=20, seed=1, phases=None, **buyer):
    population = Population.of("buyer", agents, group=np.arange(agents) * groups // agents)
    mind = DistilledMind(Buyer(**buyer), rules)
    return Simulation(population, [Shop()], [mind], Rounds(phases or [Phase("day", "shop", offers=("buy",))], ticks), seed=seed)


def policy(simulation):
    return simulation.minds.all[0]


# -- what is saved, and at what error


def test_most_questions_are_saved_and_the_shares_stay_those_of_the_inner_mind():
    simulation, asked_all = shop(), shop(rules=Distillation(("shop.buy",), ("shop.price",), warm_up=10**6, window=10**6))
    simulation.run_sync()
    asked_all.run_sync()
    report = policy(simulation).report()
    assert report.decisions == 4_000
    assert report.alone + report.unsure + report.audited + report.early == 4_000
    assert report.saved > 0.7
    assert sum(policy(simulation).inner.asked.values()) == 4_000 - report.alone
    bought = [np.concatenate([pieces for _, _, pieces in one.world["shop"].bought]) for one in (simulation, asked_all)]
    counts = [np.bincount(pieces, minlength=4) / 4_000 for pieces in bought]
    for one, other in zip(*counts, strict=True):
        assert abs(one - other) < 4 * np.sqrt(2 * 0.25 / 4_000) + 0.02  # of the policy's own error
    assert report.audits > 100
    assert report.distance < report.distance_by_chance + 0.08
    assert report.disagreement_low < report.disagreement_by_chance + 0.05
    assert report.restarts == 0


def test_it_is_conditional_on_what_is_seen_and_not_a_mere_average():
    simulation = shop(certain=True)
    simulation.run_sync()
    report = policy(simulation).report()
    assert report.saved > 0.6
    prices = {tick: simulation.world.randomness.stream("price", tick).normal(np.arange(200)) for tick in range(20)}
    late = [(prices[tick][agents], pieces) for tick, agents, pieces in simulation.world["shop"].bought if tick >= 10]
    price, pieces = (np.concatenate(column) for column in zip(*late, strict=True))
    assert (pieces[price < -0.5] == 3).mean() > 0.95
    assert (pieces[price > 0.5] == 0).mean() > 0.95
    assert report.disagreement < report.disagreement_by_chance + 0.05
    assert report.disagreement_by_chance < 0.2  # where an average over all prices has 0.6


def test_until_enough_is_known_everybody_is_asked_and_where_it_is_unsure_too():
    simulation = shop(ticks=1)
    simulation.run_sync()
    assert policy(simulation).report().early == 200
    doubtful = shop(rules=Distillation(("shop.buy",), ("shop.price",), unsure=0.0, warm_up=200), ticks=5)
    doubtful.run_sync()
    report = policy(doubtful).report()
    assert report.alone == 0
    assert report.unsure == 800
    assert np.isnan(report.disagreement)


def test_the_audited_share_is_the_stated_one():
    rules = Distillation(("shop.buy",), ("shop.price",), unsure=1.0, audit=0.25, warm_up=200, bound=10.0)
    simulation = shop(1_000, rules=rules, ticks=9)
    simulation.run_sync()
    report = policy(simulation).report()
    assert abs(report.audited / 8_000 - 0.25) < 4 * np.sqrt(0.25 * 0.75 / 8_000)
    assert report.early == 1_000
    assert report.unsure == 0


def test_entropy_asks_about_those_whose_choice_is_open():
    rules = Distillation(("shop.buy",), ("shop.price",), measure="entropy", unsure=0.5, warm_up=400, audit=0.0)
    simulation = shop(rules=rules, certain=True, ticks=12)
    seen = {}
    inner = policy(simulation).inner
    decide = inner.decide

    async def spied(turn, shown):
        seen.setdefault(turn.tick, []).append(np.abs(shown["shop"]["price"]))
        return await decide(turn, shown)

    inner.decide = spied
    simulation.run_sync()
    asked = np.concatenate([part for tick, parts in seen.items() if tick > 4 for part in parts])
    assert len(asked) < 7 * 200 / 2
    assert asked.mean() < 0.4  # the mean of all is 0.8


class Tosser(Buyer):
    """Buys none or three, by a coin."""

    async def decide(self, turn, seen):
        return Actions.one(turn, "buy", pieces=3 * turn.random("coin").integers(0, 1, turn.agents))


def test_entropy_is_a_share_of_the_largest_with_two_options_too():
    """A coin toss between two is as open as can be: it is asked about up to any bound below 1, not up to 0.69 only."""
    rules = Distillation(("shop.buy",), ("shop.price",), {"pieces": (0, 3)}, measure="entropy", unsure=0.9, warm_up=400, audit=0.0)
    mind = DistilledMind(Tosser(), rules)
    phases = [Phase("day", "shop", offers=("buy",))]
    Simulation(Population.of("buyer", 200), [Shop()], [mind], Rounds(phases, 6), seed=1).run_sync()
    assert mind.report().unsure == mind.report().decisions - mind.report().early > 0


def test_no_agent_does_what_is_not_legal_or_was_never_done():
    simulation = shop(400)
    ticks = ticks_of(simulation)
    assert not any(tick.refusals for tick in ticks)
    for tick, agents, pieces in simulation.world["shop"].bought:
        price = simulation.world.randomness.stream("price", tick).normal(agents)
        assert (pieces <= np.where(price > 1.5, 1, 3)).all()


# -- drift


def test_when_the_world_changes_it_notices_forgets_and_learns_anew():
    simulation = shop(400, ticks=40, drift=15)
    simulation.run_sync()
    report = policy(simulation).report()
    asked = policy(simulation).inner.asked
    assert report.restarts == 1
    noticed = min(tick for tick in range(15, 40) if asked.get(tick, 0) == 400)
    assert noticed <= 25
    assert max(asked.get(tick, 0) for tick in range(5, 15)) < 200
    assert max(asked.get(tick, 0) for tick in range(noticed + 4, 40)) < 200
    price = np.array([-1.0, 1.0])
    found, _ = policy(simulation).policy.predict(price[:, None])
    expected = policy(simulation).inner.shares(30, price)
    assert found[0, 1:] @ np.arange(4) == pytest.approx(expected[0] @ np.arange(4), abs=0.35)


def test_a_steady_world_is_not_taken_for_a_changed_one():
    for seed in range(3):
        simulation = shop(300, ticks=20, seed=seed)
        simulation.run_sync()
        assert policy(simulation).report().restarts == 0


def test_an_audit_fails_a_policy_that_is_sure_of_what_is_wrong_and_one_that_spreads_what_is_not():
    sure, spread, right = Audit(2, 0.15), Audit(2, 0.15), Audit(2, 0.15)
    one = np.ones(60, np.int64)
    sure.add(0 * one, one, np.tile([0.99, 0.01], (60, 1)))
    spread.add(one % 2, one, np.tile([0.5, 0.5], (60, 1)))
    drawn = np.random.default_rng(1).integers(0, 2, (2, 60))
    right.add(drawn[0], drawn[1], np.tile([0.5, 0.5], (60, 1)))
    assert sure.failed()
    assert spread.failed()
    assert not right.failed()


def test_the_distance_by_chance_is_that_of_samples_and_the_interval_that_of_the_lab():
    shares = np.array([0.5, 0.3, 0.2])
    samples = np.random.default_rng(1).multinomial(200, shares, 4_000) / 200
    distances = np.abs(samples - shares).sum(axis=1) / 2
    mean, spread = distance_by_chance(200 * shares * (1 - shares), 200)
    assert mean == pytest.approx(0.0383, abs=2e-4)  # the published figure for n = 200 (SimBench)
    assert distances.mean() == pytest.approx(mean, abs=4 * distances.std() / np.sqrt(4_000) + 2e-4)
    assert 0.7 < distances.std() / spread < 1.3
    for successes, trials in ((0, 20), (7, 31), (45, 45)):
        expected = share_interval(successes, trials)
        assert wilson(successes, trials) == pytest.approx((expected.low, expected.high), abs=1e-9)


# -- what it does not learn from, or not at all


def test_failed_turns_teach_nothing():
    simulation = shop(ticks=3, status=Status.DECLINED)
    simulation.run_sync()
    report = policy(simulation).report()
    assert report.outside == 600
    assert report.early == 600


def test_turns_that_offer_anything_else_reach_the_inner_mind():
    simulation = shop(50, ticks=8, phases=[Phase("talk", "shop", offers=("say",)), Phase("day", "shop", offers=("buy",))])
    simulation.run_sync()
    assert all(count >= 50 for count in policy(simulation).inner.asked.values())
    assert policy(simulation).report().decisions == 400


@pytest.mark.parametrize(
    ("rules", "says"),
    [
        (lambda: Distillation(("shop.say",), ("shop.price",)), "argument 'text' is a text, which has no list of values"),
        (lambda: Distillation(("shop.steal",), ("shop.price",)), "cannot learn 'shop.steal'; there are shop.buy"),
        (
            lambda: Distillation(("shop.buy",), ("shop.price",), values={"pieces": range(300)}),
            "shop.buy makes it 301",
        ),
        (lambda: Distillation((), ("shop.price",)), "needs the actions that it learns"),
        (lambda: Distillation(("shop.buy",), ("shop.price",), audit=2.0), "shares from 0 to 1"),
        (lambda: Distillation(("shop.buy",), ("shop.price",), warm_up=1), "a warm-up of 2 or more"),
        (lambda: Distillation(("shop.buy",), ("shop.prize",)), "does not show; it shows shop.price"),
    ],
)
def test_a_mistake_is_said(rules, says):
    with pytest.raises(UsageError, match=says):
        shop(rules=rules()).run_sync()


def test_choices_flags_and_groupings_can_be_learned():
    rules = Distillation(("shop.leave",), (Grouping.coded("home", ("north", "south")),), warm_up=50, unsure=0.2)

    class Leaver(Mind):
        async def decide(self, turn, seen):
            home = simulation.world.population.get(turn.agents, "home")
            return Actions.one(turn, "leave", way=np.array(["left", "right"], object)[home])

    population = Population.of("buyer", 100, home=np.arange(100) % 2)
    simulation = Simulation(population, [Shop()], [DistilledMind(Leaver(), rules)], Rounds([Phase("d", "shop", offers=("leave",))], 10))
    simulation.run_sync()
    report = policy(simulation).report()
    assert report.saved > 0.6
    assert report.disagreement < 0.1


# -- runs repeat


@pytest.mark.parametrize("groups", [1, 3])
def test_it_keeps_the_contract_of_minds(groups):
    rules = Distillation(("shop.buy",), ("shop.price",), limits={"pieces": "shop.most"}, warm_up=40, refit=10, members=3)
    testing.mind_test(lambda: shop(30, groups, rules=rules, ticks=6), rounds=4)


def test_a_fork_has_the_future_of_its_origin():
    testing.fork_test(lambda: shop(100, ticks=6), after=4)


def test_the_order_in_which_answers_come_changes_nothing():
    rules = Distillation(("shop.buy",), ("shop.price",), warm_up=100, refit=20, members=3)
    found = set()
    for seed in range(3):
        simulation = shop(60, 6, rules=rules, ticks=8, jitter=np.random.default_rng(seed))
        found.add((digest_of(ticks_of(simulation)), testing.digests.digest_of_state({"mind": policy(simulation).policy.state()})))
    assert len(found) == 1


def test_the_record_says_how_many_decided_in_each_way():
    simulation = shop(ticks=6)
    ticks = ticks_of(simulation)
    rows = [rows for tick in ticks for rows in tick.events if rows.kind == "minds.distilled"]
    report = policy(simulation).report()
    for name in ("alone", "unsure", "audited", "early"):
        assert sum(one.data[name].sum() for one in rows) == getattr(report, name)


def test_a_policy_can_be_put_before_the_mind_of_a_built_simulation():
    population = Population.of("buyer", 100)
    simulation = Simulation(population, [Shop()], [Buyer()], Rounds([Phase("day", "shop", offers=("buy",))], 12), seed=1)
    put = distil(simulation, RULES)
    simulation.run_sync()
    assert put.report().saved > 0.3
