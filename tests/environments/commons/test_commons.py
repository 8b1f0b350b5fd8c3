"""The commons in the real simulation: the closed forms of GovSim and of its inverse."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from sociarium.environments.commons.commons import Commons, CommonsRules
from sociarium.environments.commons.growth import Logistic, Multiplying
from sociarium.environments.commons.wording import CommonsWording
from sociarium.kernel.actions import Actions
from sociarium.kernel.environment import News
from sociarium.kernel.errors import UsageError
from sociarium.kernel.mind import Transitions
from sociarium.kernel.population import Population
from sociarium.kernel.schedule import Rounds
from sociarium.kernel.simulation import Intervention, Simulation
from sociarium.kernel.turn import Observations, Phase, Turn
from sociarium.minds.rule import RuleMind, always, nothing

Rule = Callable[[Turn, Observations], Actions]


def lakes(rule: Rule, groups: int = 1, agents: int = 5, rules: CommonsRules | None = None, rounds: int = 12, **rest: object) -> Simulation:
    everyone = Population.of("fisher", groups * agents, group=np.repeat(np.arange(groups), agents))
    mind = rest.pop("mind", None) or RuleMind(rule)
    return Simulation(everyone, [Commons(rules)], [mind], Rounds([Phase("harvest", "commons")], rounds), **rest)


def last(simulation: Simulation) -> dict[str, NDArray[np.float64]]:
    found: list[dict[str, NDArray[np.float64]]] = []
    simulation.on_tick.append(lambda record: found.append(record.measures))
    simulation.run_sync()
    return {name.removeprefix("commons."): value for name, value in found[-1].items()}


def takes(quantity: Callable[[Turn, dict[str, NDArray[np.float64]]], object]) -> Rule:
    def rule(turn: Turn, seen: Observations) -> Actions:
        return Actions.one(turn, "harvest", quantity=np.asarray(quantity(turn, dict(seen["commons"]))))

    return rule


def test_taking_a_tenth_of_the_stock_each_sustains_it_and_is_fully_efficient() -> None:
    m = last(lakes(takes(lambda turn, c: c["stock"] // 10)))
    assert (m["months"], m["gain"], m["efficiency"], m["equality"], m["over_usage"]) == (12, 120, 1, 1, 0)
    assert m["survived"] and not m["collapsed"]


def test_taking_twenty_each_ends_after_one_month() -> None:
    m = last(lakes(always("harvest", quantity=20)))
    assert (m["months"], m["gain"], m["over_usage"]) == (1, 20, 1)
    assert m["efficiency"] == pytest.approx(100 / 600)
    assert m["collapsed"] and not m["survived"]


def optimum(capacity: int = 100, horizon: int = 12) -> tuple[int, dict[tuple[int, int], int]]:
    """The most a group can take in all, and the plan, by a dynamic programme over whole stocks."""
    value = dict.fromkeys(range(capacity + 1), 0)
    plan: dict[tuple[int, int], int] = {}
    for month in reversed(range(horizon)):
        now: dict[int, int] = {}
        for stock in range(capacity + 1):
            best = max(range(stock + 1), key=lambda q: q + (value[min(100, 2 * (stock - q))] if stock - q >= 5 else 0))
            plan[month, stock] = best
            now[stock] = best + (value[min(100, 2 * (stock - best))] if stock - best >= 5 else 0)
        value = now
    return value[capacity], plan


def test_the_engine_reaches_the_optimum_of_the_dynamic_programme_under_its_plan() -> None:
    best, plan = optimum()
    assert best == 650

    def share(turn: Turn, c: dict[str, NDArray[np.float64]]) -> NDArray[np.int64]:
        total = plan[turn.tick, int(c["stock"][0])]
        return total // 5 + (np.arange(5) < total % 5)

    m = last(lakes(takes(share)))
    assert (m["months"], m["gain"], m["efficiency"], m["collapsed"]) == (12, 130, 1, True)


EXPECTED = np.array([9.6721, 13.4245, 13.4517, 13.4517, 0])


@pytest.mark.parametrize(("stock", "shares"), [(50, (5, 10, 15, 20, 0)), (47, (4.7, 9.4, 14.1, 18.8, 0))])
def test_allocation_follows_its_rule_over_twenty_thousand_lakes(stock: int, shares: Sequence[float]) -> None:
    wishes = np.tile([10, 20, 30, 40, 0], 20_000)
    for rule in ("stochastic", "proportional"):
        world = lakes(takes(lambda turn, c: wishes), 20_000, rules=CommonsRules(initial=stock, allocation=rule), rounds=1)
        world.run_sync()
        caught = world.world["commons"].caught.reshape(-1, 5)
        assert (caught <= wishes.reshape(-1, 5)).all()
        assert (caught.sum(axis=1) == stock).all()
        if rule == "proportional":
            assert (np.abs(caught - shares) < 1).all()
            assert stock == 47 or (caught == shares).all()
        elif stock == 50:
            error = caught.std(axis=0) / math.sqrt(len(caught))
            assert (np.abs(caught.mean(axis=0) - EXPECTED) <= 4 * error + 5e-5).all()  # the figures have four decimals


class Sums(RuleMind):
    """Adds up discounted rewards, for many discount factors at once."""

    def __init__(self, rule: Rule, discounts: NDArray[np.float64]) -> None:
        super().__init__(rule)
        self.discounts, self.total = discounts, np.zeros((5, len(discounts)))

    def learn(self, steps: Transitions) -> None:
        self.total += steps.rewards[:, None] * self.discounts**steps.tick


@pytest.mark.parametrize(("horizon", "threshold"), [(12, 0.8610), (15, 0.8472), (400, 0.8333)])
def test_taking_all_that_is_left_pays_against_a_grim_trigger_exactly_below_the_threshold(horizon: int, threshold: float) -> None:
    discounts = np.array([threshold - 0.0002, threshold + 0.0002])

    def betrays(turn: Turn, c: dict[str, NDArray[np.float64]]) -> NDArray[np.int64]:
        return np.array([60, 10, 10, 10, 10]) if turn.tick == 0 else np.zeros(5, np.int64)

    sums: list[NDArray[np.float64]] = []
    for rule in (takes(lambda turn, c: np.full(5, 10)), takes(betrays)):
        mind = Sums(rule, discounts)
        simulation = lakes(rule, rules=CommonsRules(horizon=horizon), rounds=horizon, mind=mind)
        simulation.run_sync()
        sums.append(mind.total[0])
    assert sums[1][0] > sums[0][0]
    assert sums[1][1] < sums[0][1]


def test_a_month_that_leaves_four_is_the_end_and_five_grow_to_ten() -> None:
    harvest = np.array([96, 95, 50, 49])
    simulation = lakes(takes(lambda turn, c: harvest), 4, 1, rounds=1)
    m = last(simulation)
    assert m["collapsed"].tolist() == [True, False, False, False]
    assert m["stock"].tolist()[1:] == [10, 100, 100]


@pytest.mark.parametrize(
    ("trash", "lost", "grown"), [(False, lambda h: h < 5, lambda h: 2 * h), (True, lambda h: h > 95, lambda h: h + 50)]
)
def test_growth_and_end_at_every_whole_stock(trash: bool, lost: Callable[[int], bool], grown: Callable[[int], int]) -> None:
    rules = CommonsRules.trash() if trash else CommonsRules()
    m = last(lakes(takes(lambda turn, c: np.arange(101)), 101, 1, rules, rounds=1))
    left = 100 - np.arange(101)
    assert m["collapsed"].tolist() == [lost(h) for h in left]
    assert [s for s, h in zip(m["stock"], left, strict=True) if not lost(h)] == [min(100, grown(h)) for h in left if not lost(h)]


def test_greedy_agents_shorten_the_life_of_a_lake_as_computed() -> None:
    greedy = (np.arange(5) < np.arange(6)[:, None]).ravel()
    m = last(lakes(takes(lambda turn, c: np.where(greedy[turn.agents], c["stock"] // 5 + 10, c["share"])), 6))
    assert m["months"].tolist() == [12, 4, 2, 1, 1, 1]


def test_mixed_groups_and_persuadable_ones_live_as_long_as_computed() -> None:
    sustainable = (np.arange(5) < np.arange(6)[:, None]).ravel()
    for wish, months in ((20, [1, 2, 2, 2, 3, 12]), (15, [2, 2, 3, 3, 4, 12])):
        m = last(lakes(takes(lambda turn, c, wish=wish: np.where(sustainable[turn.agents], 10, wish)), 6))
        assert m["months"].tolist() == months


@pytest.mark.parametrize(
    ("a_month", "months", "total"), [((1, 1, 1, 1, 1), 12, 60), ((1, 1, 1, 1, 0), 1, 4), ((20, 20, 20, 20, 20), 12, 650)]
)
def test_the_inverse_commons_in_closed_form(a_month: Sequence[int], months: int, total: int) -> None:
    m = last(lakes(takes(lambda turn, c: np.array(a_month)), rules=CommonsRules.trash()))
    assert m["months"] == months
    assert m["gain"] * 5 == total
    assert m["cost"] == m["gain"] * 10
    assert m["waste"] == total - 60


def test_ten_each_are_enough_and_five_hundred_and_forty_units_of_waste() -> None:
    m = last(lakes(always("harvest", quantity=10), rules=CommonsRules.trash()))
    assert (m["months"], m["gain"], m["waste"]) == (12, 120, 540)


def test_fifty_five_units_reach_the_last_month_though_it_ends_overfull() -> None:
    m = last(lakes(takes(lambda turn, c: np.full(5, int(turn.tick < 11))), rules=CommonsRules.trash()))
    assert (m["months"], m["gain"], m["collapsed"]) == (12, 11, True)


def test_the_reward_is_what_was_caught_or_the_minutes_it_cost() -> None:
    for rules, worth in ((CommonsRules(), 1), (CommonsRules.trash(), -10)):
        mind = Sums(always("harvest", quantity=3), np.ones(1))
        lakes(always("harvest", quantity=3), rules=rules, mind=mind, rounds=2).run_sync()
        assert (mind.total == 6 * worth).all()


def test_nobody_catching_anything_has_no_equality() -> None:
    assert np.isnan(last(lakes(nothing, rounds=2))["equality"])


def test_silent_agents_take_nothing_and_are_reported_with_nothing() -> None:
    def some(turn: Turn, seen: Observations) -> Actions:
        return Actions.one(turn, "harvest", turn.agents[:2], quantity=7)

    events = {e.kind: e for r in _records(lakes(some, rounds=1)) for e in r.events}
    assert events["commons.reported"].data["caught"].tolist() == [7, 7, 0, 0, 0]
    assert events["commons.harvested"].audience == "own"
    assert events["commons.reported"].audience == "group"


def _records(simulation: Simulation) -> list:
    records: list = []
    simulation.on_tick.append(records.append)
    simulation.run_sync()
    return records


def test_an_agent_harvests_once_a_month_and_never_more_than_the_capacity() -> None:
    def twice(turn: Turn, seen: Observations) -> Actions:
        first = Actions.one(turn, "harvest", turn.agents[:2], quantity=[5, 101])
        return first.add(turn, "harvest", turn.agents[:1], quantity=9)

    record = _records(lakes(twice, rounds=1))[0]
    assert [(r.agent, r.reason) for r in record.refusals] == [
        (0, "one harvest a month"),
        (1, "quantity must be a whole number from 0 to 100"),
    ]
    assert record.events[0].data["caught"].tolist() == [5, 0, 0, 0, 0]
    assert record.applied["commons.harvest"] == 1


def test_a_newcomer_shares_the_threshold_and_its_gain_counts() -> None:
    shares: list[list[float]] = []

    def watch(turn: Turn, seen: Observations) -> Actions:
        shares.append(seen["commons"]["share"].tolist())
        return Actions.one(turn, "harvest", quantity=np.where(turn.agents == 4, 20, 10))

    arrives = Intervention(3, "population.admit", {"kind": "fisher", "size": 1, "group": 0})
    m = last(lakes(watch, agents=4, rounds=4, interventions=[arrives]))
    assert shares[2] == [12] * 4
    assert shares[3] == [10] * 5
    assert m["gain"] == pytest.approx((4 * 40 + 20) / 5)
    assert m["over_usage"] == pytest.approx(1 / (4 * 3 + 5))


def test_equality_of_lakes_of_different_sizes() -> None:
    everyone = Population.of("fisher", 5, group=[0, 1, 0, 1, 1])
    simulation = Simulation(
        everyone, [Commons()], [RuleMind(takes(lambda turn, c: np.select([turn.agents == 0, turn.agents == 1], [8, 6], 0)))],
        Rounds([Phase("harvest", "commons")], 1),
    )  # fmt: skip
    m = last(simulation)
    assert m["equality"] == pytest.approx([1 - 16 / (2 * 2 * 8), 1 - 24 / (2 * 3 * 6)])


def test_the_operator_sets_the_stock_and_its_threshold() -> None:
    seen_shares: list[float] = []

    def watch(turn: Turn, seen: Observations) -> Actions:
        seen_shares.append(float(seen["commons"]["share"][0]))
        return Actions()

    lakes(watch, rounds=2, interventions=[Intervention(1, "commons.set_stock", {"stock": 47})]).run_sync()
    assert seen_shares == [10, 4]
    with pytest.raises(UsageError, match="holds 0 to 100"):
        lakes(watch, interventions=[Intervention(0, "commons.set_stock", {"stock": 101})]).run_sync()


def test_real_stocks_are_rationed_in_whole_units() -> None:
    rules = CommonsRules(growth=Logistic(0.5), initial=60)
    simulation = lakes(always("harvest", quantity=20), rules=rules, rounds=3)
    m = last(simulation)
    assert m["gain"] * 5 == 60


def test_lakes_may_be_shared_out_in_any_way(same_however_shared: Callable[..., None]) -> None:
    same_however_shared(lambda: lakes(takes(lambda turn, c: 8 + (turn.agents * 7 + turn.tick) % 9), 23))


def test_a_saved_lake_goes_on_as_if_nothing_had_happened(same_after_loading: Callable[..., None]) -> None:
    same_after_loading(lambda: lakes(takes(lambda turn, c: 8 + (turn.agents * 7 + turn.tick) % 4), 7), 3)


def test_state_of_some_groups_goes_back_into_them_alone() -> None:
    simulation = lakes(takes(lambda turn, c: 8 + turn.agents % 3), 3, rounds=4)
    simulation.run_sync(2)
    commons = simulation.world["commons"]
    before, saved = commons.state(), commons.state(np.array([1]))
    simulation.run_sync()
    after = commons.state()
    commons.load(saved, np.array([1]))
    for name, values in commons.state()["groups"].items():
        assert values.tolist() == [after["groups"][name][0], before["groups"][name][1], after["groups"][name][2]]
    assert commons.state()["agents"]["gain"][5:10].tolist() == before["agents"]["gain"][5:10].tolist()


def test_a_lake_that_begins_again_is_as_new_and_the_others_go_on() -> None:
    simulation = lakes(always("harvest", quantity=12), 2, rounds=3)
    simulation.run_sync(2)
    commons = simulation.world["commons"]
    other = commons.gain[5:].tolist()
    simulation.world.reset(np.array([0]))
    assert (commons.stock[0], commons.months[0], commons.threshold[0]) == (100, 0, 50)
    assert commons.gain.tolist() == [0] * 5 + other


def test_words_hold_the_numbers_of_the_row() -> None:
    words = CommonsWording(rules="The $resource lake holds $capacity.", month="月$month、$stockトン。", universal="Take $share.", unit="t")
    texts: list[list[str]] = []

    def watch(turn: Turn, seen: Observations) -> Actions:
        texts.append([block.text for block in simulation.world["commons"].describe(seen, 1)])
        return Actions.one(turn, "harvest", quantity=9)

    simulation = Simulation(
        Population.of("fisher", 5), [Commons(CommonsRules(universalization=True), words)], [RuleMind(watch)],
        Rounds([Phase("harvest", "commons")], 2),
    )  # fmt: skip
    simulation.run_sync()
    assert texts[0] == ["The fish lake holds 100.", "月1、100トン。", "Take 10."]
    assert texts[1] == ["The fish lake holds 100.", "月2、100トン。", "Last time you wanted 9 t and got 9.", "Take 10."]
    assert (
        simulation.world.offers(Phase("harvest", "commons"))[0].schema()["properties"]["quantity"]["description"] == "how much to take (t)"
    )


def test_a_wording_that_asks_for_what_is_not_there_is_refused(tmp_path: pytest.TempPathFactory) -> None:
    with pytest.raises(UsageError, match=r"'month' uses \$weather"):
        CommonsWording(month="$weather")
    file = tmp_path / "words.yaml"
    file.write_text("unit: tons\nmonth: Month $month.\n", "utf-8")
    assert CommonsWording.read(file).month == "Month $month."
    file.write_text("moon: x\n", "utf-8")
    with pytest.raises(UsageError, match=r"words.yaml: no such entry 'moon'"):
        CommonsWording.read(file)


def test_rules_that_contradict_themselves_are_refused() -> None:
    for wrong in ({"initial": 101}, {"horizon": 0}, {"allocation": "lottery"}, {"growth": Multiplying(2, 50)}):
        with pytest.raises(UsageError):
            CommonsRules(**wrong)


class Listens(RuleMind):
    hears = True

    def __init__(self, rule: Rule) -> None:
        super().__init__(rule)
        self.heard: dict[int, list[str]] = {}

    def notice(self, events: Sequence[News]) -> None:
        for news in events:
            for who, actor in zip(news.recipients or [], news.actors.tolist(), strict=True):
                for agent in who.tolist():
                    self.heard.setdefault(agent, []).append(f"{news.kind} {actor}")


def test_everyone_hears_every_catch_and_only_its_own_wish() -> None:
    mind = Listens(always("harvest", quantity=4))
    lakes(always("harvest", quantity=4), 2, 2, mind=mind, rounds=1).run_sync()
    assert sorted(mind.heard[2]) == ["commons.harvested 2", "commons.reported 2", "commons.reported 3"]
    silent = Listens(always("harvest", quantity=4))
    lakes(always("harvest", quantity=4), 2, 2, CommonsRules(public_reports=False), mind=silent, rounds=1).run_sync()
    assert silent.heard[2] == ["commons.harvested 2"]
