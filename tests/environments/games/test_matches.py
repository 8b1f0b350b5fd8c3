"""Repeated matrix games in the real simulation."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from sociarium.environments.games.matches import Matches, MatchRules, MatchWording
from sociarium.environments.games.matrix import MatrixGame, hawk_dove, prisoners_dilemma
from sociarium.kernel.actions import Actions
from sociarium.kernel.errors import UsageError
from sociarium.kernel.population import Population
from sociarium.kernel.records import TickRecord
from sociarium.kernel.schedule import Rounds
from sociarium.kernel.simulation import Simulation
from sociarium.kernel.turn import Observations, Phase, Turn
from sociarium.minds.rule import RuleMind

Rule = Callable[[Turn, Observations], Actions]
NAMES = np.array(["cooperate", "defect"], object)


def matches(
    rule: Rule, players: int, meet: str = "pairs", game: MatrixGame | None = None, rounds: int = 1, **columns: object
) -> Simulation:
    everyone = Population.of("player", players, **columns)
    return Simulation(everyone, [Matches(game, MatchRules(meet))], [RuleMind(rule)], Rounds([Phase("round", "match")], rounds))


def records(simulation: Simulation) -> list[TickRecord]:
    found: list[TickRecord] = []
    simulation.on_tick.append(found.append)
    simulation.run_sync()
    return found


def tit_for_tat(turn: Turn, seen: Observations) -> NDArray[np.int64]:
    return np.maximum(0, seen["match"]["met"])


def plays(number: Callable[[Turn, Observations], object], names: NDArray = NAMES) -> Rule:
    return lambda turn, seen: Actions.one(turn, "play", move=names[np.broadcast_to(number(turn, seen), len(turn.agents))])


def test_tit_for_tat_loses_the_first_round_to_a_defector_and_never_again() -> None:
    def rule(turn: Turn, seen: Observations) -> NDArray[np.int64]:
        return np.where(turn.agents % 2 == 1, 1, tit_for_tat(turn, seen))

    simulation = matches(plays(rule), 2, rounds=10)
    records(simulation)
    assert simulation.world["match"].total.tolist() == [9, 5 + 9]


def test_tit_for_tat_with_itself_cooperates_and_one_slip_echoes_for_ever() -> None:
    def rule(turn: Turn, seen: Observations) -> NDArray[np.int64]:
        return np.where((turn.agents == 0) & (turn.tick == 2), 1, tit_for_tat(turn, seen))

    moves = [
        next(e for e in r.events if e.kind == "match.played").data["move"].tolist() for r in records(matches(plays(rule), 2, rounds=6))
    ]
    c, d = "cooperate", "defect"
    assert moves == [[c, c], [c, c], [d, c], [c, d], [d, c], [c, d]]


def test_row_and_column_players_earn_from_their_own_side_of_an_asymmetric_game() -> None:
    table = np.arange(8, dtype=float).reshape(2, 2, 2)
    record = records(matches(plays(lambda turn, seen: np.array([0, 1])), 2, game=MatrixGame("odd", tuple(NAMES), table)))[0]
    assert record.events[0].data["payoff"].tolist() == [2, 3]


def test_against_everyone_the_payoff_is_the_mean_over_all_others() -> None:
    game, move = hawk_dove(2, 4), np.array([0, 0, 1, 1, 1, 0, 1])
    group = np.array([0, 0, 0, 0, 0, 1, 1])
    record = records(
        matches(plays(lambda turn, seen: move[turn.agents], np.array(game.actions, object)), 7, "everyone", game, group=group)
    )[0]
    for agent, payoff in zip(record.events[0].actors.tolist(), record.events[0].data["payoff"].tolist(), strict=True):
        others = [b for b in range(7) if b != agent and group[b] == group[agent]]
        assert payoff == pytest.approx(np.mean([game.table[move[agent], move[b], 0] for b in others]))
    assert record.measures["match.share_hawk"].tolist() == [0.4, 0.5]


def test_the_mixed_equilibrium_of_hawks_leaves_nothing_to_gain() -> None:
    """Half hawks at value 2, cost 4: both earn the same against everyone, up to the player who does not meet itself."""
    game = hawk_dove(2, 4)
    record = records(matches(plays(lambda turn, seen: turn.agents % 2, np.array(game.actions, object)), 2000, "everyone", game))[0]
    payoff = record.events[0].data["payoff"]
    assert payoff[::2].mean() == pytest.approx(payoff[1::2].mean(), abs=0.002)


def test_shuffled_pairs_stay_in_their_group_meet_both_ways_and_change() -> None:
    partners: list[NDArray[np.int64]] = []

    def rule(turn: Turn, seen: Observations) -> NDArray[np.int64]:
        full = np.full(40, -1)
        full[turn.agents] = seen["match"]["partner"]
        partners.append(full)
        return np.zeros(len(turn.agents), np.int64)

    group = np.arange(40) % 2
    records(matches(plays(rule), 40, "shuffled", rounds=4, group=group))
    for found in partners:
        assert (found[found] == np.arange(40)).all()
        assert (group[found] == group).all()
    assert not np.array_equal(partners[0], partners[1])


def test_with_an_odd_number_one_sits_out() -> None:
    record = records(matches(plays(lambda turn, seen: 0), 5))[0]
    assert record.events[0].actors.tolist() == [0, 1, 2, 3]


def test_who_does_not_move_earns_nothing_and_neither_does_the_partner() -> None:
    def rule(turn: Turn, seen: Observations) -> Actions:
        return Actions.one(turn, "play", turn.agents[:3], move=np.array(["defect", "cooperate", "cooperate"], object))

    record = records(matches(rule, 4))[0]
    assert record.events[0].actors.tolist() == [0, 1, 2]
    assert record.events[0].data["payoff"].tolist()[:2] == [5, 0]
    assert np.isnan(record.events[0].data["payoff"][2])
    assert record.measures["match.payoff"].tolist() == [2.5]


def test_a_second_move_and_an_unknown_move_are_refused() -> None:
    def rule(turn: Turn, seen: Observations) -> Actions:
        first = Actions.one(turn, "play", move=np.array(["defect", "betray"], object))
        return first.add(turn, "play", turn.agents[:1], move=np.array(["cooperate"], object))

    assert [(r.agent, r.reason) for r in records(matches(rule, 2))[0].refusals] == [
        (0, "one move a round"), (1, "move must be one of cooperate, defect"),
    ]  # fmt: skip


@pytest.mark.parametrize("meet", ["pairs", "shuffled", "everyone"])
def test_matches_may_be_shared_out_in_any_way_and_saved(
    meet: str, same_however_shared: Callable[..., None], same_after_loading: Callable[..., None]
) -> None:
    def rule(turn: Turn, seen: Observations) -> NDArray[np.int64]:
        slip = turn.random("slip").uniform(turn.agents) < 0.2
        return np.where(slip, 1, np.maximum(0, seen["match"]["move"]))

    def build() -> Simulation:
        return matches(plays(rule), 31, meet, rounds=5, group=np.arange(31) * 5 % 4)

    same_however_shared(build)
    same_after_loading(build, 2)


def test_words_name_the_partner_and_what_it_did() -> None:
    texts: list[list[str]] = []

    def rule(turn: Turn, seen: Observations) -> Actions:
        texts.append([block.text for block in simulation.world["match"].describe(seen, 0)])
        return Actions.one(turn, "play", move=np.array(["cooperate", "defect"], object))

    simulation = matches(rule, 2, rounds=2, name=np.array(["Ann", "Bob"], object))
    simulation.run_sync()
    assert texts == [
        ["You play with Bob. Choose one of: cooperate, defect."],
        ["You play with Bob. Last round you played cooperate, your partner defect, and you earned 0."],
    ]
    crowd: list[list[str]] = []
    together = Simulation(
        Population.of("player", 4), [Matches(prisoners_dilemma(), MatchRules("everyone"), MatchWording(first=""))],
        [RuleMind(lambda turn, seen: crowd.append([b.text for b in together.world["match"].describe(seen, 0)]) or rule_for(turn))],
        Rounds([Phase("round", "match")], 2),
    )  # fmt: skip
    together.run_sync()
    assert crowd == [[], ["Last round you played cooperate and earned 2. In the group: cooperate 75%, defect 25%."]]


def rule_for(turn: Turn) -> Actions:
    return Actions.one(turn, "play", move=NAMES[(turn.agents == 3).astype(int)])


def test_what_cannot_be_played_is_refused() -> None:
    with pytest.raises(UsageError, match="symmetric game only"):
        Matches(MatrixGame("odd", ("a", "b"), np.arange(8.0).reshape(2, 2, 2)), MatchRules("everyone"))
    with pytest.raises(UsageError):
        MatchRules("always")
