"""Each phase has its mind; some agents may be left out of a phase."""

import numpy as np
import pytest

from sociarium.kernel.actions import Actions, action
from sociarium.kernel.environment import Environment, Events, Outcome
from sociarium.kernel.errors import UsageError
from sociarium.kernel.outcomes import Status
from sociarium.kernel.population import Population
from sociarium.kernel.schedule import Rounds
from sociarium.kernel.simulation import Simulation
from sociarium.kernel.turn import Phase
from sociarium.minds.phased import PhasedMind
from sociarium.minds.rule import RuleMind
from sociarium.testing import ticks_of


class Field(Environment):
    name = "field"

    @action("Dig.")
    def dig(self, turn, seen, table):
        return Outcome([Events("dug", table.agents, {"phase": np.full(len(table), turn.phase.name, object)})])


def digging(turn, seen):
    return Actions.one(turn, "field.dig")


def failing(turn, seen):
    actions = Actions.one(turn, "field.dig")
    actions.mark(turn, 0, Status.FAILED, "tired", fallback=True)
    return actions


def field(mind):
    people = Population.of("person", 6, strong=np.array([True, False] * 3))
    phases = [Phase("morning", "field"), Phase("noon", "field"), Phase("evening", "field", every=2)]
    return Simulation(people, [Field()], [mind], Rounds(phases, 2), seed=1)


def test_each_phase_has_its_mind_and_only_those_of_the_column_are_asked():
    mind = PhasedMind({"morning": RuleMind(digging), "evening": RuleMind(failing)}, {"evening": "strong"})
    first, second = ticks_of(field(mind))
    dug = [(str(rows.data["phase"][0]), rows.actors.tolist()) for rows in first.events]
    assert dug == [("morning", list(range(6))), ("evening", [0, 2, 4])]
    assert len(second.events) == 1, "no evening on the second day"
    assert first.shares() == {"ok": 17, "failed": 1}


def test_one_mind_may_serve_several_phases_and_keeps_one_state():
    class Counting(RuleMind):
        count = 0

        async def decide(self, turn, seen):
            self.count += 1
            return await super().decide(turn, seen)

        def state(self):
            return {"count": self.count}

        def load(self, state):
            self.count = int(state["count"])

    mind = PhasedMind({"morning": (own := Counting(digging)), "noon": own})
    field(mind).run_sync()
    assert mind.state() == {"morning": {"count": 4}}
    own.count = 0
    mind.load({"morning": {"count": 4}})
    assert own.count == 4


def test_mistakes_are_said():
    with pytest.raises(UsageError, match="at least one phase"):
        PhasedMind({})
    with pytest.raises(UsageError, match="no mind for the phase 'night'"):
        PhasedMind({"day": RuleMind(digging)}, {"night": "strong"})
