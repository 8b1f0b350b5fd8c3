"""Citizens who think in words: a model scores the options against a need, then writes the steps of a plan; the steps run without it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from sociarium.environments.messages.messages import LONGEST, Messages
from sociarium.environments.mobility.mobility import Mobility
from sociarium.kernel.actions import Actions
from sociarium.kernel.mind import Mind
from sociarium.kernel.outcomes import Status
from sociarium.minds.language import prompts
from sociarium.minds.language.asking import Asking
from sociarium.minds.language.beliefs import Beliefs
from sociarium.minds.language.component import AgentIds, Component, Decider, Decision, Focus
from sociarium.minds.language.emotion import Emotion
from sociarium.minds.language.memory import Memory
from sociarium.minds.language.mind import LanguageMind
from sociarium.minds.language.needs import LEVEL_OF, Needs
from sociarium.minds.language.persona import Persona, Rules
from sociarium.minds.language.status import StatusStore
from sociarium.minds.needs import Need
from sociarium.minds.plans import MOST_STEPS, Step, StepType
from sociarium.models.backends.embed import HashingEmbedder, WordLlamaEmbedder
from sociarium.models.request import Sampling
from sociarium.scenarios.agentsociety.days import Days
from sociarium.scenarios.agentsociety.options import Option, options
from sociarium.scenarios.agentsociety.people import words
from sociarium.scenarios.agentsociety.remembering import FEEL, REMEMBER, Chronicle

if TYPE_CHECKING:
    from sociarium.scenarios.agentsociety.scenario import AgentSociety

HERE = Path(__file__).parent
WEIGHED = ("attitude", "norm", "control")
TOLD = "do what you have been told"


@dataclass(frozen=True, slots=True)
class Manner:
    """How a citizen is asked: ``memories`` that come to mind, whether it says itself how well it is provided for (``settle``), and the
    components that speak in its prompts."""

    sampling: Sampling
    memories: int
    settle: bool
    uses: tuple[str, ...]


class Planner(Decider):
    """Asks for a plan where one is needed, and goes on with it where not. What is no use is made good by rule, and marked."""

    name = "planner"
    actions = ("mobility.go", "mobility.visit", "mobility.stay")

    def __init__(self, needs: Needs, days: Days, chronicle: Chronicle, wheres: tuple[str, ...], how: Manner) -> None:
        self.needs, self.days, self.chronicle, self.wheres, self.how = needs, days, chronicle, wheres, how
        self.sampling = how.sampling

    def admit(self, agents: AgentIds) -> None:
        self.days.admit(agents)

    async def decide(self, asking: Asking) -> Decision:
        mask = np.arange(len(asking.turn.agents)) == asking.row
        turn = asking.turn.part(mask)
        city = asking.seen.part(mask, turn)[Mobility.name]
        settled, trouble = False, Decision()
        if self.how.settle and not asking.probe and self.days.ending(turn, city)[0]:
            settled, trouble = await self._settled(asking)
        fresh, going = self.days.turn_over(turn, city, turn.agents if settled else None)
        decision = await self._plan(asking, bool(city["work"][0] >= 0)) if fresh[0] else Decision()
        if not decision.fallback:
            decision = trouble
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
        if need == Need.INSTRUCTED:  # the instruction itself stands in the needs' own words
            return await self._told(asking)
        able = [(n, o) for n, o in enumerate(options()) if o.need == need and o.open_at(time) and (works or not o.works)]
        number, decision = await self._weighed(asking, able)
        self.days.options[asking.agent] = number
        steps, trouble = await self._steps(asking, options()[number].name, options()[number].steps)
        self.days.plans.begin(agents, np.zeros(1, np.int64), [steps])
        self.chronicle.planned(asking, options()[number].name, [step.intention for step in steps])
        return trouble if trouble.fallback else decision

    async def _told(self, asking: Asking) -> Decision:
        """A plan for what an operator told one to do; the operator's own steps where the reply is no use."""
        self.days.options[asking.agent] = -1
        steps, trouble = await self._steps(asking, TOLD, self.days.ordered(asking.agent))
        self.days.plans.begin(np.array([asking.agent]), np.zeros(1, np.int64), [steps])
        self.chronicle.planned(asking, TOLD, [step.intention for step in steps])
        return trouble

    async def _settled(self, asking: Asking) -> tuple[bool, Decision]:
        """How well what the plan was for is provided for, now that it is done; where the answer is no use the option's own measure stands
        in, marked."""
        need, number = Need(int(self.days.needs.pursued[asking.agent])), int(self.days.options[asking.agent])
        if need not in LEVEL_OF or number < 0:
            return False, Decision()
        what, before = options()[number].name, len(asking.troubles)
        level = await self.needs.settle(asking, need, what)
        if level is None:
            status, reason = asking.troubles[before] if len(asking.troubles) > before else (Status.MALFORMED, "no level")
            return False, Decision(status=max(status, Status.MALFORMED), reason=reason, fallback=True)
        self.chronicle.ended(asking, what, level)
        return True, Decision()

    async def _weighed(self, asking: Asking, able: list[tuple[int, Option]]) -> tuple[int, Decision]:
        """The option that attitude, norm and control speak for most, of which one alone needs no question."""
        if len(able) == 1:
            return able[0][0], Decision()
        score = {"type": "object", "properties": {name: {"type": "number", "minimum": 0, "maximum": 1} for name in WEIGHED}}
        score |= {"required": list(WEIGHED), "additionalProperties": False}
        names = [f"option_{at + 1}" for at in range(len(able))]
        schema = {"type": "object", "properties": dict.fromkeys(names, score), "required": names, "additionalProperties": False}
        listed = "\n".join(f"{name}: {option.name}" for name, (_, option) in zip(names, able, strict=True))
        about = tuple(option.name for _, option in able)
        blocks = (*await self._head(asking, about), *self.mind.prompts["weigh"].render(options=listed))
        reply = await asking.ask("weigh", blocks, schema=schema, sampling=self.sampling)
        if not reply.good or not reply.fields:
            best = max(able, key=lambda one: one[1].score)[0]
            return best, Decision(status=reply.status, reason=reply.error, fallback=True)
        given = cast("Mapping[str, Mapping[str, float]]", reply.fields)
        sums = [sum(float(given[name][part]) for part in WEIGHED) for name in names]
        return able[int(np.argmax(sums))][0], Decision(status=reply.status)

    async def _steps(self, asking: Asking, option: str, stand_in: tuple[Step, ...]) -> tuple[tuple[Step, ...], Decision]:
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
        blocks = (
            *await self._head(asking, (option,)),
            *self.mind.prompts["steps"].render(option=option, wheres=", ".join(self.wheres)),
        )
        reply = await asking.ask("steps", blocks, schema=schema, sampling=self.sampling)
        if not reply.good or not reply.fields:
            return stand_in, Decision(status=reply.status, reason=reply.error, fallback=True)
        listed = cast("list[dict[str, Any]]", reply.fields["steps"])
        read = tuple(Step(one["intention"], StepType[one["type"].upper()], one["where"], int(one["minutes"])) for one in listed)
        return read, Decision(status=reply.status)

    async def _head(self, asking: Asking, about: tuple[str, ...]) -> Any:
        return (*await asking.context(Focus(about, self.how.memories), self.how.uses), *asking.described())

    def state(self) -> dict[str, Any]:
        return self.days.state()

    def load(self, state: Mapping[str, Any]) -> None:
        self.days.load(state)


class Writer(Decider):
    """Writes to a friend where the plan says so; nobody else is asked. To whom is one of those one has."""

    name = "write"
    actions = ("messages.send",)

    def __init__(self, days: Days, how: Manner) -> None:
        self.days, self.how = days, how

    async def decide(self, asking: Asking) -> Decision:
        messages = cast("Messages", self.mind.world["messages"])
        friends = [int(one) for one in messages.network.neighbours(asking.agent)]
        if not friends or not self.days.plans.doing(np.array([asking.agent]), StepType.SOCIAL)[0]:
            return Decision()
        people = {f"{one} {self.mind.name_of(one)}": one for one in friends}
        properties: dict[str, Any] = {
            "to": {"type": "string", "enum": list(people)},
            "text": {"type": "string", "minLength": 1, "maxLength": 200},
        }
        known = [text for text, knows in zip(messages.followed, asking.value("messages", "knows").tolist(), strict=True) if knows]
        if known:
            properties["pass_on"] = {"type": "boolean"}
        schema = {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}
        about = Focus(tuple(map(self.mind.name_of, friends)), self.how.memories)
        head = (*await asking.context(about, tuple(name for name in self.how.uses if name != "needs")), *asking.described())
        reply = await asking.ask(
            "write", (*head, *self.mind.prompts["write"].render(news=" ".join(known) or None)), schema=schema, sampling=self.how.sampling
        )
        if not reply.good:
            return self.stood_in(asking, reply.status, reply.error)
        given = reply.fields
        text = " ".join([given["text"], *(known if given.get("pass_on") is True else [])])[:LONGEST]
        return Decision([("messages.send", {"to": people[given["to"]], "text": text})], reply.status)


def language_mind(scenario: AgentSociety, days: Days, needs: Needs) -> Mind:
    """The mind of all citizens who think in words. Its needs and its plans are those of ``days``."""
    sampling = Sampling(temperature=scenario.temperature, max_tokens=scenario.answer_tokens)
    wheres = ("home", "work", *(kind for kind in scenario.places if kind not in ("home", "work")))
    embedder = HashingEmbedder() if scenario.embedder == "hashing" else WordLlamaEmbedder()
    memory, status = Memory(embedder=embedder), StatusStore(embedder=embedder)
    feels = scenario.feel_hours > 0
    emotion = Emotion(phases=(FEEL,), uses=("rules", "persona", "needs"), sampling=sampling) if feels else None
    chronicle = Chronicle(days.plans, memory, status, emotion)
    topic = words()["topic"]
    beliefs = Beliefs([topic], start="attitude", phases=(REMEMBER,), sampling=sampling) if scenario.persuasion != "none" else None
    extra: list[Component] = [one for one in (emotion, beliefs) if one is not None]
    uses = ("rules", "persona", "needs", "status", *(one.name for one in extra), "memory")
    how = Manner(sampling, scenario.memories, scenario.settle == "model", uses)
    components: list[Component] = [Rules(), Persona(), needs, status, *extra, memory, chronicle]
    components += [Planner(needs, days, chronicle, wheres, how), Writer(days, how)]
    return LanguageMind(components, prompts(HERE / "prompts"), sampling=sampling)


def _plain(value: Any) -> Any:
    return cast("Any", value).item() if isinstance(value, np.generic) else value
