"""Stances: what is held, voiced and forgotten; the closed forms of fading; the contract of environments."""

from __future__ import annotations

import numpy as np
import pytest

from sociarium.environments.social.stances import UNSAID, Stances
from sociarium.kernel.actions import Actions
from sociarium.kernel.environment import News
from sociarium.kernel.errors import UsageError
from sociarium.kernel.population import Population
from sociarium.kernel.records import TickRecord
from sociarium.kernel.schedule import Rounds
from sociarium.kernel.simulation import Simulation
from sociarium.kernel.turn import Observations, Phase, Turn
from sociarium.minds.rule import Rule, RuleMind, always, nothing
from sociarium.testing import environment_test


def simulation(users: int, rule: Rule, rounds: int, *, fading: float = 0.1, emotion: int = 0, groups: int = 1, seed: int = 1) -> Simulation:
    people = Population.of("user", users, emotion=np.full(users, emotion), attitude=np.arange(users) % 2, group=np.arange(users) % groups)
    return Simulation(people, [Stances(fading=fading)], [RuleMind(rule)], Rounds([Phase("read", "stances")], rounds), seed=seed)


def measured(run: Simulation) -> list[TickRecord]:
    records: list[TickRecord] = []
    run.on_tick.append(records.append)
    run.run_sync()
    return records


@pytest.mark.parametrize(("start", "expected"), [(1, 0.9**10), (2, 0.9**10 + 10 * 0.1 * 0.9**9)])
def test_without_messages_emotions_fade_as_the_closed_form_says(start: int, expected: float):
    users = 20_000
    run = simulation(users, nothing, 10, emotion=start)
    run.run_sync()
    share = float((run.world["stances"].emotion > 0).mean())  # type: ignore[attr-defined]
    assert expected == pytest.approx({1: 0.349, 2: 0.736}[start], abs=5e-4)
    assert abs(share - expected) <= 3.5 * (expected * (1 - expected) / users) ** 0.5


def test_who_holds_something_anew_does_not_fade_in_that_step():
    run = simulation(300, always("hold", emotion=2, attitude=1), 5, fading=1.0)
    last = measured(run)[-1].measures
    assert last["stances.emotion"].tolist() == [1.0]
    assert last["stances.positive"].tolist() == [1.0]
    assert last["stances.positive_intense"].tolist() == [1.0]


def test_levels_stay_in_the_set_and_the_unaware_stay_calm():
    def some(turn: Turn, seen: Observations) -> Actions:
        who = turn.agents[turn.agents < 100]
        return Actions.one(turn, "hold", who, emotion=turn.random("e").integers(0, 2, who), attitude=0)

    run = simulation(400, some, 30, fading=0.5)
    stances = run.world["stances"]
    assert isinstance(stances, Stances)
    run.on_tick.append(lambda record: levels.update(stances.emotion.tolist()))
    levels: set[int] = set()
    records = measured(run)
    assert levels == {0, 1, 2}
    assert stances.emotion[100:].max() == 0 and not stances.aware[100:].any()
    assert all(record.measures["stances.reach"].tolist() == [0.25] for record in records)


def test_a_message_carries_what_its_author_held_when_it_was_sent():
    run = simulation(4, nothing, 1, groups=2)
    stances = run.world["stances"]
    assert isinstance(stances, Stances)
    stances.set_stance([0, 1], emotion=2)
    who = np.array([0, 1, 3])
    stances.notice([News("platform.reposted", 0, 0, "read", who, who % 2, {}), News("platform.liked", 0, 0, "read", who, who % 2, {})])
    stances.set_stance([0], emotion=0, attitude=1)
    assert stances.said_emotion.tolist() == [2, 2, UNSAID, 0]
    assert stances.said_attitude.tolist() == [0, 1, UNSAID, 1]
    assert stances.aware.tolist() == [True, True, False, True]
    found = stances.measures()
    assert found["voiced"].tolist() == [1.0, 0.5]
    assert found["messages"].tolist() == [1, 2]
    run.world.clock.tick = 1
    assert np.isnan(stances.measures()["voiced"]).all()


def test_holding_twice_in_a_turn_is_refused():
    def twice(turn: Turn, seen: Observations) -> Actions:
        return Actions.one(turn, "hold", emotion=1, attitude=1).add(turn, "hold", turn.agents, emotion=2, attitude=0)

    records = measured(simulation(3, twice, 1))
    assert [refusal.agent for refusal in records[0].refusals] == [0, 1, 2]
    held = next(rows for rows in records[0].events if rows.kind == "stances.held")
    assert held.data["emotion"].tolist() == [1, 1, 1] and held.data["was_attitude"].tolist() == [0, 1, 0]


def test_the_contract_of_environments_is_kept():
    def some(turn: Turn, seen: Observations) -> Actions:
        draws = turn.random("some").integers(0, 2, turn.agents)
        return Actions.one(turn, "hold", turn.agents[draws > 0], emotion=draws[draws > 0], attitude=1)

    environment_test(lambda: simulation(12, some, 6, fading=0.4, groups=3))


def test_settings_and_columns_that_cannot_be_are_said():
    with pytest.raises(UsageError, match=r"fading is 1\.2"):
        Stances(fading=1.2)
    with pytest.raises(UsageError, match="column emotion has 3 to 3"):
        simulation(2, nothing, 1, emotion=3)
    with pytest.raises(UsageError, match="attitude is 2"):
        Stances().set_stance([], attitude=2)
