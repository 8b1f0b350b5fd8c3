"""Citizens who think in words: a model scores the options against a need, then writes the steps of a plan; the steps run without it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from sociarium.environments.messages.messages import Messages
from sociarium.environments.mobility.mobility import Mobility
from sociarium.kernel.actions import Actions
from sociarium.kernel.mind import Mind
from sociarium.minds.language import prompts
from sociarium.minds.language.asking import Asking
from sociarium.minds.language.component import AgentIds, Decider, Decision, Focus
from sociarium.minds.language.mind import LanguageMind
from sociarium.minds.language.needs import Needs
from sociarium.minds.language.persona import Persona, Rules
from sociarium.minds.plans import MOST_STEPS, Step, StepType
from sociarium.models.request import Sampling
from sociarium.scenarios.agentsociety.days import Days
from sociarium.scenarios.agentsociety.options import Option, options

if TYPE_CHECKING:
    from sociarium.scenarios.agentsociety.scenario import AgentSociety

HERE = Path(__file__).parent
WEIGHED = ("attitude", "norm", "control")


class Planner(Decider):
    """Asks for a plan where one is needed, and goes on with it where not. What is no use is made good by rule, and marked."""

    name = "planner"
    actions = ("mobility.go", "mobility.visit", "mobility.stay")

    def __init__(self, needs: Needs, days: Days, wheres: tuple[str, ...], sampling: Sampling) -> None:
        self.needs, self.days, self.wheres, self.sampling = needs, days, wheres, sampling

    def admit(self, agents: AgentIds) -> None:
        self.days.admit(agents)

    async def decide(self, asking: Asking) -> Decision:
        mask = np.arange(len(asking.turn.agents)) == asking.row
        turn = asking.turn.part(mask)
        city = asking.seen.part(mask, turn)[Mobility.name]
        fresh, going = self.days.turn_over(turn, city)
        decision = await self._plan(asking, bool(city["work"][0] >= 0)) if fresh[0] else Decision()
        if fresh[0] or going[0]:
            actions = Actions()
            self.days.carry_out(turn, city, np.zeros(1, np.int64), actions)
            decision.actions = [
                (name, {key: _plain(column[0]) for key, column in table.columns.items()})
                for name, table in actions.tables.items()
                if len(table)
            ]
        return decision

    async def _plan(self, asking: Asking, works: bool) -> Decision:
        agents, time = np.array([asking.agent]), asking.turn.time
        need = int(self.days.needs.pursued[asking.agent])
        able = [(n, o) for n, o in enumerate(options()) if o.need == need and o.open_at(time) and (works or not o.works)]
        number, decision = await self._weighed(asking, able)
        self.days.options[asking.agent] = number
        steps, trouble = await self._steps(asking, options()[number])
        self.days.plans.begin(agents, np.zeros(1, np.int64), [steps])
        return trouble if trouble.fallback else decision

    async def _weighed(self, asking: Asking, able: list[tuple[int, Option]]) -> tuple[int, Decision]:
        """The option that attitude, norm and control speak for most, of which one alone needs no question."""
        if len(able) == 1:
            return able[0][0], Decision()
        score = {"type": "object", "properties": {name: {"type": "number", "minimum": 0, "maximum": 1} for name in WEIGHED}}
        score |= {"required": list(WEIGHED), "additionalProperties": False}
        names = [f"option_{at + 1}" for at in range(len(able))]
        schema = {"type": "object", "properties": dict.fromkeys(names, score), "required": names, "additionalProperties": False}
        listed = "\n".join(f"{name}: {option.name}" for name, (_, option) in zip(names, able, strict=True))
        blocks = (*await self._head(asking), *self.mind.prompts["weigh"].render(options=listed))
        reply = await asking.ask("weigh", blocks, schema=schema, sampling=self.sampling)
        if not reply.good or not reply.fields:
            best = max(able, key=lambda one: one[1].score)[0]
            return best, Decision(status=reply.status, reason=reply.error, fallback=True)
        given = cast("Mapping[str, Mapping[str, float]]", reply.fields)
        sums = [sum(float(given[name][part]) for part in WEIGHED) for name in names]
        return able[int(np.argmax(sums))][0], Decision(status=reply.status)

    async def _steps(self, asking: Asking, option: Option) -> tuple[tuple[Step, ...], Decision]:
        step = {
            "type": "object",
            "properties": {
                "intention": {"type": "string", "minLength": 1, "maxLength": 60},
                "type": {"type": "string", "enum": [one.name.lower() for one in StepType]},
                "where": {"type": "string", "enum": list(self.wheres)},
                "minutes": {"type": "integer", "minimum": 5, "maximum": 600},
            },
            "required": ["intention", "type", "where", "minutes"],
            "additionalProperties": False,
        }
        plan = {"type": "array", "items": step, "minItems": 1, "maxItems": MOST_STEPS}
        schema = {"type": "object", "properties": {"steps": plan}, "required": ["steps"], "additionalProperties": False}
        blocks = (*await self._head(asking), *self.mind.prompts["steps"].render(option=option.name, wheres=", ".join(self.wheres)))
        reply = await asking.ask("steps", blocks, schema=schema, sampling=self.sampling)
        if not reply.good or not reply.fields:
            return option.steps, Decision(status=reply.status, reason=reply.error, fallback=True)
        listed = cast("list[dict[str, Any]]", reply.fields["steps"])
        read = tuple(Step(one["intention"], StepType[one["type"].upper()], one["where"], int(one["minutes"])) for one in listed)
        return read, Decision(status=reply.status)

    async def _head(self, asking: Asking) -> Any:
        return (*await asking.context(Focus(top=0), ("rules", "persona", "needs")), *asking.described())

    def state(self) -> dict[str, Any]:
        return self.days.state()

    def load(self, state: Mapping[str, Any]) -> None:
        self.days.load(state)


class Writer(Decider):
    """Writes to a friend where the plan says so; nobody else is asked. To whom is one of those one has."""

    name = "write"
    actions = ("messages.send",)

    def __init__(self, days: Days, sampling: Sampling) -> None:
        self.days, self.sampling = days, sampling

    async def decide(self, asking: Asking) -> Decision:
        network = cast("Messages", self.mind.world["messages"]).network
        friends = [int(one) for one in network.neighbours(asking.agent)]
        if not friends or not self.days.plans.doing(np.array([asking.agent]), StepType.SOCIAL)[0]:
            return Decision()
        people = {f"{one} {self.mind.name_of(one)}": one for one in friends}
        properties = {"to": {"type": "string", "enum": list(people)}, "text": {"type": "string", "minLength": 1, "maxLength": 200}}
        schema = {"type": "object", "properties": properties, "required": ["to", "text"], "additionalProperties": False}
        head = (*await asking.context(Focus(top=0), ("rules", "persona")), *asking.described())
        reply = await asking.ask("write", (*head, *self.mind.prompts["write"].render()), schema=schema, sampling=self.sampling)
        if not reply.good:
            return self.stood_in(asking, reply.status, reply.error)
        return Decision([("messages.send", {"to": people[reply.fields["to"]], "text": reply.fields["text"]})], reply.status)


def language_mind(scenario: AgentSociety, days: Days, needs: Needs) -> Mind:
    """The mind of all citizens who think in words. Its needs and its plans are those of ``days``."""
    sampling = Sampling(temperature=scenario.temperature, max_tokens=scenario.answer_tokens)
    wheres = ("home", "work", *(kind for kind in scenario.places if kind not in ("home", "work")))
    components = [Rules(), Persona(), needs, Planner(needs, days, wheres, sampling), Writer(days, sampling)]
    return LanguageMind(components, prompts(HERE / "prompts"), sampling=sampling)


def _plain(value: Any) -> Any:
    return cast("Any", value).item() if isinstance(value, np.generic) else value
