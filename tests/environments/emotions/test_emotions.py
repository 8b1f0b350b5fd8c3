"""Emotions as state of the world: fading, stirring, contagion (lines A6 of POSIM's specification)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from sociarium.environments.emotions.emotions import Emotions
from sociarium.environments.emotions.levels import POSIM
from sociarium.kernel.actions import Actions
from sociarium.kernel.errors import UsageError
from sociarium.kernel.population import Population
from sociarium.kernel.schedule import Rounds
from sociarium.kernel.simulation import Intervention, Simulation
from sociarium.kernel.turn import Phase
from sociarium.minds.rule import RuleMind, nothing

STILL = replace(POSIM, fading=1.0)


def world(size=3, rounds=1, rules=POSIM, rule=nothing, pairs=None, **settings):
    met = None if pairs is None else lambda: tuple(np.array(column, np.int64) for column in pairs)
    emotions = Emotions(rules, exposures=met, **settings)
    simulation = Simulation(Population.of("user", size), [emotions], [RuleMind(rule)], Rounds([Phase("live", "emotions")], rounds))
    return simulation, emotions


def stir(*by):
    return lambda turn, seen: Actions.one(turn, "stir", by=np.tile(np.array(by, np.float64), (len(turn.agents), 1)))


def test_who_wakes_has_faded_is_stirred_by_its_share_and_never_past_the_top():
    simulation, emotions = world(rule=stir(0, 0.5, 1, 0, 0, 0), start=[0.4, 0, 0.9, 0, 0, 0], rounds=2)
    simulation.run_sync(1)
    assert np.allclose(emotions.levels, [[0.38, 0.15, 1.0, 0, 0, 0]] * 3)  # 0.95 * 0.4; 0.3 * 0.5; 0.855 + 0.3 is over 1
    simulation.run_sync()
    assert np.allclose(emotions.levels[:, :2], [0.361, 0.95 * 0.15 + 0.15])


def test_several_stirrings_in_one_turn_add_up():
    def twice(turn, seen):
        one = Actions.one(turn, "stir", by=np.full((len(turn.agents), 6), 0.5))
        return one.add(turn, "stir", turn.agents, by=np.full((len(turn.agents), 6), 0.1))

    simulation, emotions = world(rule=twice)
    simulation.run_sync()
    assert np.allclose(emotions.levels, 0.18)


def test_one_look_at_an_angry_neighbour_lifts_anger_to_exactly_a_tenth():
    simulation, emotions = world(2, rules=STILL, pairs=([0], [1]), start=[[0] * 6, [0, 0, 1, 0, 0, 0]])
    simulation.run_sync()
    assert emotions.levels.tolist() == [[0, 0, 0.1, 0, 0, 0], [0, 0, 1, 0, 0, 0]]


def test_without_contagion_or_exposures_nothing_passes_on():
    begin = np.eye(6)[:3]
    for settings in ({"rules": replace(STILL, contagion=0.0), "pairs": ([0, 1, 2], [1, 2, 0])}, {"rules": STILL}):
        simulation, emotions = world(start=begin, rounds=5, **settings)
        simulation.run_sync()
        assert np.array_equal(emotions.levels, begin)


def test_the_minds_see_what_fading_leaves_and_the_words_say_it():
    seen_levels = []

    def look(turn, seen):
        seen_levels.append(seen["emotions"]["anger"].copy())
        simulation.world["emotions"].describe(seen, 0)
        words.append(simulation.world["emotions"].describe(seen, 0)[0].text)
        return Actions()

    words: list[str] = []
    simulation, _ = world(rule=look, start=[0, 0, 0.8, 0, 0, 0])
    simulation.run_sync()
    assert np.allclose(seen_levels[0], 0.76)
    assert "anger 0.76" in words[0] and "happiness 0" in words[0]


def test_an_operator_may_set_what_some_feel():
    simulation, emotions = world(rules=STILL)
    simulation.interventions.append(Intervention(0, "emotions.feel", {"agents": [1], "levels": [0, 0, 0.5, 0, 0, 0]}))
    simulation.run_sync()
    assert emotions.levels[:, 2].tolist() == [0, 0.5, 0]
    assert simulation.world.measures()["emotions.anger"][0] == pytest.approx(0.5 / 3)


def test_impossible_levels_are_refused():
    with pytest.raises(UsageError, match="one level each"):
        Emotions(start=[0.1, 0.2])
    with pytest.raises(UsageError, match="lie from 0 to 1"):
        Emotions(start=[2.0, 0, 0, 0, 0, 0])
    with pytest.raises(UsageError, match="emotions of 2 agents"):
        world(3, start=np.zeros((2, 6)))
