"""Guessing a fraction of the average, in the real simulation."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from sociarium.environments.games.guess import GuessAverage, GuessRules, GuessWording
from sociarium.environments.games.guessing import level_shares, standard_errors_from_random
from sociarium.kernel.actions import Actions
from sociarium.kernel.errors import UsageError
from sociarium.kernel.population import Population
from sociarium.kernel.records import TickRecord
from sociarium.kernel.schedule import Rounds
from sociarium.kernel.simulation import Simulation
from sociarium.kernel.turn import Observations, Phase, Turn
from sociarium.minds.rule import RuleMind

Rule = Callable[[Turn, Observations], Actions]


def game(rule: Rule, players: int, rules: GuessRules | None = None, rounds: int = 1, seed: int = 0, **columns: object) -> Simulation:
    everyone = Population.of("player", players, **columns)
    return Simulation(everyone, [GuessAverage(rules)], [RuleMind(rule)], Rounds([Phase("round", "guess")], rounds), seed=seed)


def records(simulation: Simulation) -> list[TickRecord]:
    found: list[TickRecord] = []
    simulation.on_tick.append(found.append)
    simulation.run_sync()
    return found


def repeats(turn: Turn, seen: Observations) -> Actions:
    """The best response to the last announcement, at most the largest number."""
    winner = seen["guess"]["winner"]
    return Actions.one(turn, "report", number=np.where(np.isnan(winner), 50.0, winner))


def uniform(turn: Turn, seen: Observations) -> Actions:
    return Actions.one(turn, "report", number=turn.random("guess").integers(0, 100, turn.agents).astype(float))


def test_best_responses_contract_towards_nothing() -> None:
    means = [float(r.measures["guess.mean"][0]) for r in records(game(repeats, 200, rounds=6))]
    assert means == pytest.approx([50 * (2 / 3) ** k for k in range(6)])


@pytest.mark.parametrize(
    ("ratio", "shift", "fixed"),
    [(1 / 2, 5, 10), (2 / 3, 5, 15), (3 / 5, 5, 12.5), (51 / 100, 5, 5 / 0.49), (67 / 100, 5, 5 / 0.33), (2 / 3, 0, 0), (67 / 100, 0, 0)],
)
def test_thirty_rounds_reach_the_fixed_point(ratio: float, shift: float, fixed: float) -> None:
    last = records(game(repeats, 200, GuessRules(ratio=ratio, shift=shift), 30))[-1].measures
    assert abs(last["guess.mean"][0] - fixed) < 1e-3
    assert last["guess.winner"][0] == pytest.approx(shift + ratio * last["guess.mean"][0])


@pytest.mark.parametrize("shares", [(0.5, 0.3, 0.2), (0.2, 0.4, 0.4), (1.0, 0.0, 0.0)])
def test_levels_of_thought_show_in_the_mean_and_are_recovered(shares: tuple[float, float, float]) -> None:
    n = 2000
    level = np.repeat([0, 1, 2], [round(w * n) for w in shares])

    def rule(turn: Turn, seen: Observations) -> Actions:
        random = turn.random("guess").uniform(turn.agents) * 100
        return Actions.one(turn, "report", number=np.select([level == 1, level == 2], [100 / 3, 200 / 9], random))

    record = records(game(rule, n, seed=3))[0]
    expected = 50 * (shares[0] + shares[1] * 2 / 3 + shares[2] * 4 / 9)
    assert abs(record.measures["guess.mean"][0] - expected) <= 4 * 29.15 * math.sqrt(shares[0] / n)
    reports = next(e for e in record.events if e.kind == "guess.reported").data["number"]
    for found, share in zip(level_shares(reports, 2 / 3, maximum=100), shares, strict=True):
        assert abs(found - share) <= 4 * math.sqrt(max(share * (1 - share), 1 / n) / n)


def test_random_players_pass_for_random_and_the_published_thinkers_do_not() -> None:
    record = records(game(uniform, 100, seed=1))[0]
    assert abs(standard_errors_from_random(float(record.measures["guess.mean"][0]), 100)) < 3
    large = records(game(uniform, 100_000, seed=1))[0].measures
    assert large["guess.mean"][0] == pytest.approx(50, abs=4 * 29.15 / math.sqrt(100_000))
    assert large["guess.deviation"][0] == pytest.approx(29.15, abs=0.2)


@pytest.mark.parametrize("parts", [1, 4, 7, 64])
def test_the_mean_does_not_depend_on_the_parts_whose_players_may_fail(parts: int) -> None:
    players = 1003

    def some_fail(turn: Turn, seen: Observations) -> Actions:
        number = 100 * turn.random("guess").uniform(turn.agents) ** 3
        answers = turn.agents % 11 != 3
        return Actions.one(turn, "report", turn.agents[answers], number=number[answers])

    whole = records(game(some_fail, players))[0]
    split = records(game(some_fail, players, GuessRules(partition="server"), server=np.arange(players) % parts))[0]
    reports = next(e for e in whole.events if e.kind == "guess.reported").data["number"]
    assert len(reports) == split.measures["guess.reports"][0] == whole.measures["guess.reports"][0] == players - 91
    exact = math.fsum(reports.tolist()) / len(reports)
    for record in (whole, split):
        assert abs(record.measures["guess.mean"][0] - exact) <= 1e-12 * exact
        assert record.measures["guess.winner"][0] == pytest.approx(2 / 3 * exact, rel=1e-12)


def test_a_hundred_thousand_players_sum_as_exactly_in_large_parts() -> None:
    def rule(turn: Turn, seen: Observations) -> Actions:
        return Actions.one(turn, "report", number=100 * turn.random("guess").uniform(turn.agents))

    found: list[float] = []
    for rules, servers in ((GuessRules(keep_reports=False), 1), (GuessRules(partition="server", keep_reports=False), 9)):
        record = records(game(rule, 100_000, rules, server=np.arange(100_000) % servers))[0]
        assert record.counts["guess.reported"] == 100_000
        assert not any(e.kind == "guess.reported" for e in record.events)
        found.append(float(record.measures["guess.mean"][0]))
    assert found[0] == pytest.approx(found[1], rel=1e-12)


def test_where_nobody_reports_there_is_no_winner() -> None:
    last = records(game(lambda turn, seen: Actions(), 5))[0].measures
    assert np.isnan(last["guess.winner"][0]) and last["guess.reports"][0] == 0 and last["guess.rounds"][0] == 1


def test_games_side_by_side_have_winners_of_their_own_and_illegal_numbers_do_not_count() -> None:
    def rule(turn: Turn, seen: Observations) -> Actions:
        first = Actions.one(turn, "report", number=np.array([10.0, 20.0, 101.0, 50.0, 70.0, np.nan]))
        return first.add(turn, "report", turn.agents[:1], number=90.0)

    record = records(game(rule, 6, group=np.repeat([0, 1], 3)))[0]
    assert record.measures["guess.mean"].tolist() == [15, 60]
    announced = next(e for e in record.events if e.kind == "guess.announced")
    assert announced.data["winner"].tolist() == pytest.approx([10, 40])
    assert {(r.agent, r.reason) for r in record.refusals} == {
        (0, "one report a round"), (2, "number must be a number from 0 to 100"), (5, "number must be a number from 0 to 100"),
    }  # fmt: skip


def test_parts_may_be_shared_out_in_any_way(same_however_shared: Callable[..., None]) -> None:
    def rule(turn: Turn, seen: Observations) -> Actions:
        number: NDArray[np.float64] = 100 * turn.random("guess").uniform(turn.agents)
        return Actions.one(turn, "report", number=np.where(np.isnan(seen["guess"]["winner"]), number, number / 3))

    rules = GuessRules(partition="server")
    same_however_shared(lambda: game(rule, 999, rules, 3, server=np.arange(999) * 13 % 8, group=np.arange(999) % 3))
    same_however_shared(lambda: game(rule, 13_000, rules, 2, server=np.arange(13_000) % 3))


def test_a_saved_game_goes_on_as_if_nothing_had_happened(same_after_loading: Callable[..., None]) -> None:
    same_after_loading(lambda: game(repeats, 20, GuessRules(shift=5), 5, group=np.arange(20) // 10), 2)


def test_words_announce_the_last_winner() -> None:
    texts: list[list[str]] = []

    def rule(turn: Turn, seen: Observations) -> Actions:
        texts.append([block.text for block in simulation.world["guess"].describe(seen, 0)])
        return repeats(turn, seen)

    simulation = game(rule, 3, GuessRules(ratio=0.5), 2)
    simulation.world["guess"].wording = GuessWording(rules="From 0 to $maximum; $ratio of the mean wins.", first="Begin.")
    simulation.run_sync()
    assert texts == [
        ["From 0 to 100; 0.5 of the mean wins.", "Begin."],
        ["From 0 to 100; 0.5 of the mean wins.", "The winning number of the last round was 25."],
    ]


def test_what_cannot_be_played_is_refused() -> None:
    with pytest.raises(UsageError):
        GuessRules(maximum=0)
    with pytest.raises(UsageError, match="must hold whole numbers"):
        game(repeats, 3, GuessRules(partition="server"), server=np.array([0.5, 1, 2]))
