"""The public goods game in the real simulation, held against the formula."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sociarium.environments.games.public_goods import GoodsRules, PublicGoods
from sociarium.kernel.actions import Actions
from sociarium.kernel.errors import UsageError
from sociarium.kernel.mind import Transitions
from sociarium.kernel.population import Population
from sociarium.kernel.records import TickRecord
from sociarium.kernel.schedule import Rounds
from sociarium.kernel.simulation import Intervention, Simulation
from sociarium.kernel.turn import Observations, Phase, Turn
from sociarium.minds.rule import RuleMind

Rule = Callable[[Turn, Observations], Actions]


def goods(
    rule: Rule, players: int, rules: GoodsRules | None = None, rounds: int = 1, mind: RuleMind | None = None, **rest: object
) -> Simulation:
    interventions = rest.pop("interventions", ())
    everyone = Population.of("player", players, **rest)
    phases = [Phase("round", "public_goods")]
    return Simulation(everyone, [PublicGoods(rules)], [mind or RuleMind(rule)], Rounds(phases, rounds), interventions=interventions)


def records(simulation: Simulation) -> list[TickRecord]:
    found: list[TickRecord] = []
    simulation.on_tick.append(found.append)
    simulation.run_sync()
    return found


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.floats(0, 20), st.integers(0, 4), st.integers(0, 2), st.booleans()), min_size=1, max_size=40),
    st.floats(0, 3),
)
def test_payoffs_follow_the_formula_for_teams_of_any_size(players: list[tuple[float, int, int, bool]], multiplier: float) -> None:
    given_ = np.array([p[0] if p[3] else 0.0 for p in players])
    team, group = np.array([p[1] for p in players]), np.array([p[2] for p in players])
    speaks = np.array([p[3] for p in players])

    def rule(turn: Turn, seen: Observations) -> Actions:
        who = turn.agents[speaks[turn.agents]]
        return Actions.one(turn, "contribute", who, amount=given_[who])

    record = records(goods(rule, len(players), GoodsRules(multiplier=multiplier, partition="team"), team=team, group=group))[0]
    events = record.events[0]
    for agent, payoff in zip(events.actors.tolist(), events.data["payoff"].tolist(), strict=True):
        mates = (team == team[agent]) & (group == group[agent])
        assert payoff == pytest.approx(20 - given_[agent] + multiplier * given_[mates].sum() / mates.sum())
    for g in np.unique(group):
        assert record.measures["public_goods.contribution"][g] == pytest.approx(given_[group == g].mean())
        assert record.measures["public_goods.payoff"][g] == pytest.approx(20 + (multiplier - 1) * given_[group == g].mean())


def test_giving_nothing_is_best_for_one_and_giving_all_is_best_for_all() -> None:
    def payoffs(amounts: list[float]) -> list[float]:
        return records(goods(lambda turn, seen: Actions.one(turn, "contribute", amount=amounts), 4))[0].events[0].data["payoff"].tolist()

    assert payoffs([20] * 4) == [32] * 4
    assert payoffs([0, 20, 20, 20]) == [44, 24, 24, 24]
    assert payoffs([0] * 4) == [20] * 4


def test_imperfect_conditional_cooperators_let_contributions_decay_geometrically() -> None:
    def rule(turn: Turn, seen: Observations) -> Actions:
        c = seen["public_goods"]
        return Actions.one(turn, "contribute", amount=np.where(np.isnan(c["average"]), 10.0, 0.9 * c["average"]))

    found = records(goods(rule, 4000, GoodsRules(partition="team", keep_contributions=False), 6, team=np.arange(4000) // 4))
    assert [r.measures["public_goods.contribution"][0] for r in found] == pytest.approx([10 * 0.9**k for k in range(6)])
    assert found[0].counts["public_goods.contributed"] == 4000 and not found[0].events


def test_rewards_are_the_payoffs_and_can_be_left_out() -> None:
    class Learns(RuleMind):
        steps: list[Transitions]

        def learn(self, steps: Transitions) -> None:
            self.steps.append(steps)

    for on in (True, False):
        mind = Learns(lambda turn, seen: Actions.one(turn, "contribute", amount=[5.0, 15.0]))
        mind.steps = []
        goods(mind.rule, 2, GoodsRules(rewards=on), mind=mind).run_sync()
        assert [s.rewards.tolist() for s in mind.steps] == ([[31.0, 21.0]] if on else [])


def test_too_much_and_twice_are_refused() -> None:
    def rule(turn: Turn, seen: Observations) -> Actions:
        first = Actions.one(turn, "contribute", amount=[5.0, 20.5, 1.0])
        return first.add(turn, "contribute", turn.agents[2:], amount=7.0)

    record = records(goods(rule, 3))[0]
    assert record.events[0].data["amount"].tolist() == [5, 0, 1]
    assert [r.reason for r in record.refusals] == ["amount must be a number from 0 to 20", "one contribution a round"]


def test_a_mind_may_use_its_array_again() -> None:
    buffer = np.full(3, 4.0)
    seen_own: list[list[float]] = []

    def rule(turn: Turn, seen: Observations) -> Actions:
        buffer[:] = 4.0 + turn.tick
        seen_own.append(seen["public_goods"]["contributed"].tolist())
        return Actions.one(turn, "contribute", amount=buffer)

    records(goods(rule, 3, rounds=2))
    assert seen_own[1] == [4, 4, 4]


def test_a_newcomer_joins_its_team_and_a_leaver_no_longer_counts() -> None:
    acts = [
        Intervention(1, "population.admit", {"kind": "player", "size": 1, "team": 0}),
        Intervention(2, "population.leave", {"agents": [0]}),
    ]
    rules = GoodsRules(partition="team")
    found = records(
        goods(
            lambda turn, seen: Actions.one(turn, "contribute", amount=turn.agents * 1.0), 4, rules, 3, team=[0, 0, 1, 1], interventions=acts
        )
    )
    for record, teams in zip(found, ([[0, 1], [2, 3]], [[0, 1, 4], [2, 3]], [[1, 4], [2, 3]]), strict=True):
        events = record.events[0]
        payoff = dict(zip(events.actors.tolist(), events.data["payoff"].tolist(), strict=True))
        assert payoff == pytest.approx({a: 20 - a + 1.6 * np.mean(team) for team in teams for a in team})


def test_teams_may_be_shared_out_in_any_way(same_however_shared: Callable[..., None]) -> None:
    def rule(turn: Turn, seen: Observations) -> Actions:
        c = seen["public_goods"]
        noise = turn.random("noise").uniform(turn.agents)
        return Actions.one(turn, "contribute", amount=np.where(np.isnan(c["average"]), 20 * noise, c["average"] * noise))

    rules = GoodsRules(partition="team")
    for size in (3, 10, 80):  # adding column by column, or one after another
        n = size * 12
        same_however_shared(lambda n=n, size=size: goods(rule, n, rules, 3, team=np.arange(n) // size))
    same_however_shared(lambda: goods(rule, 90, rules, 3, team=np.arange(90) * 7 % 11, group=np.arange(90) % 4))


def test_a_saved_game_goes_on_as_if_nothing_had_happened(same_after_loading: Callable[..., None]) -> None:
    def rule(turn: Turn, seen: Observations) -> Actions:
        average = seen["public_goods"]["average"]
        return Actions.one(turn, "contribute", amount=np.where(np.isnan(average), turn.agents % 20, 0.7 * average))

    leaves = [Intervention(1, "population.leave", {"agents": [3]})]
    same_after_loading(lambda: goods(rule, 20, GoodsRules(partition="team"), 5, team=np.arange(20) // 4, interventions=leaves), 3)


def test_words_tell_what_the_team_did() -> None:
    texts: list[list[str]] = []

    def rule(turn: Turn, seen: Observations) -> Actions:
        texts.append([block.text for block in simulation.world["public_goods"].describe(seen, 0)])
        return Actions.one(turn, "contribute", amount=[5.0, 15.0])

    simulation = goods(rule, 2, rounds=2)
    simulation.run_sync()
    assert texts == [[], ["Last round you gave 5, your team gave 10 on average, and you earned 31."]]


def test_rules_that_make_no_sense_are_refused() -> None:
    for wrong in ({"endowment": 0}, {"multiplier": -1}):
        with pytest.raises(UsageError):
            GoodsRules(**wrong)
