"""Deciding among what is on offer, in one of three styles.

``schema``: the model fills the JSON schema of the offered actions. ``answer``: it reasons freely and ends with ``Answer: N`` (or
``Answer: Donate, 5``), as in the papers. In both ``retries`` asks again after an unreadable or illegal answer. ``choose``: the options'
own texts are scored by their likelihood, less what they have with anybody; the draw is ours. In each style what cannot be read or is not
legal is never mended: the stated fallback stands in, marked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

from sociarium.kernel.actions import ActionSpec, Integer, Number
from sociarium.kernel.content import Block, Content, Trust
from sociarium.kernel.errors import UsageError
from sociarium.kernel.identity import ByIdentity
from sociarium.kernel.outcomes import Status
from sociarium.minds.language.asking import Asking
from sociarium.minds.language.component import Decider, Decision, Focus
from sociarium.minds.language.legality import Problem, narrowed, problem, read_choice, schema_for, short_names
from sociarium.minds.language.persona import Persona, Rules
from sociarium.minds.parsing import read_act, read_integer, read_number
from sociarium.minds.prompts import substitute
from sociarium.models.request import Reply, Request, Sampling

Style = Literal["schema", "answer", "choose"]


@dataclass(frozen=True, slots=True)
class Option:
    """One thing to do, as its text is scored."""

    text: str
    action: str
    arguments: Mapping[str, Any]


def grid(action: str, argument: str, values: Sequence[int], text: str = "{{value}}") -> tuple[Option, ...]:
    """Options for a whole number: ``grid("harvest", "quantity", range(0, 101, 5), "I catch {{value}} tons.")``."""
    return tuple(Option(substitute(text, {"value": value}, f"options for {action}"), action, {argument: value}) for value in values)


@dataclass(frozen=True, slots=True)
class ActRules:
    """How one kind of decision is asked.

    ``actions`` that it answers (all, when empty), in ``phases``, for ``kinds`` of agents. ``limits`` gives an argument this
    agent's own upper bound, by what it sees: ``{"quantity": ("commons", "stock")}``; ``among`` gives a whole number its legal values:
    ``{"post": ("platform", "feed")}``, where -1 stands for none. ``focus``: what memories are sought by, and
    how many; ``spoken`` adds as many of the last words of others that it is shown. ``prior``: whether ``choose`` subtracts what the
    options have after the rules, a neutral persona and the question alone.
    """

    style: Style = "schema"
    prompt: str = ""  # act_schema, act_answer or act_choose, where empty
    actions: tuple[str, ...] = ()
    phases: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    fallback: Mapping[str, Mapping[str, Any]] | None = None
    limits: Mapping[str, tuple[str, str]] | None = None
    among: Mapping[str, tuple[str, str]] | None = None
    focus: Focus = field(default_factory=Focus)
    spoken: int = 0
    uses: tuple[str, ...] | None = None
    sampling: Sampling | None = None
    reasoning: bool = False
    retries: int = 0
    options: tuple[Option, ...] = ()
    prior: bool = True
    verbs: Mapping[str, str] | None = None  # other words for actions, in the style ``answer``: {"寄付": "donate"}


class Act(Decider):
    """See the module. ``route`` is empty for the agent's own."""

    def __init__(self, rules: ActRules, *, name: str = "act", route: str = "") -> None:
        self.name = name
        self.rules = rules
        self.route = route
        self.actions, self.phases, self.kinds, self.uses = rules.actions, rules.phases, rules.kinds, rules.uses
        self.fallback = rules.fallback or {}
        self._schema: ByIdentity[Sequence[ActionSpec], dict[str, Any]] = ByIdentity(self._schema_of, 1_000)
        if rules.style == "choose" and len(rules.options) < 2:
            raise UsageError(f"the decision {name!r} has {len(rules.options)} options to choose from; give ActRules(options=grid(...))")

    async def decide(self, asking: Asking) -> Decision:
        specs = self.offered(asking)
        if self.rules.style == "choose":
            return await self._choose(asking, specs)
        blocks = await self._blocks(asking)
        if self.rules.style == "answer":
            return await self._tried(asking, blocks, lambda reply, status: self._read(asking, specs, reply.text, status))
        return await self._tried(
            asking, blocks, lambda reply, status: self._filled(asking, specs, reply, status), self._wanted(asking, specs)
        )

    async def _tried(
        self, asking: Asking, blocks: Content, read: Callable[[Reply, Status], Decision], schema: Mapping[str, Any] | None = None
    ) -> Decision:
        """Ask, and ask again after what could not be read, as often as the rules allow; what was said and why it will not do is shown."""
        decision = Decision()
        for attempt in range(self.rules.retries + 1):
            label = self.name if attempt == 0 else f"{self.name}:{attempt}"
            reply: Reply = await asking.ask(label, blocks, schema=schema, sampling=self.rules.sampling, route=self.route)
            if not reply.good and (schema is None or reply.status is not Status.MALFORMED):
                return self.stood_in(asking, reply.status, reply.error)
            unread = None if reply.good else self.stood_in(asking, reply.status, reply.error)
            decision = unread or read(reply, Status.REPAIRED if attempt else reply.status)
            if not decision.fallback:
                return decision
            said = Block(reply.text, origin=asking.name, trust=Trust.AGENT, role="assistant")
            blocks = (*blocks, said, *self.mind.prompts["unreadable"].render(problem=decision.reason))
        return decision

    def _wanted(self, asking: Asking, specs: Sequence[ActionSpec]) -> dict[str, Any]:
        """The schema that this agent is to fill in: made once for all where nothing in it is its own."""
        if not self.rules.limits and not self.rules.among:
            return self._schema(asking.turn.offers)
        schema = schema_for(specs, reasoning=self.rules.reasoning)
        for name, place in (self.rules.among or {}).items():
            if name in schema["properties"]:
                schema["properties"][name] = {"type": "integer", "enum": legal_values(asking.value(*place))}
        return schema

    def _filled(self, asking: Asking, specs: Sequence[ActionSpec], reply: Reply, status: Status) -> Decision:
        read = read_choice(reply.value, specs)
        if isinstance(read, Problem):
            return self.stood_in(asking, read.status, read.reason)
        return self.checked(asking, *read, status)

    def offered(self, asking: Asking) -> list[ActionSpec]:
        """The actions on offer that this component answers, with this agent's own bounds."""
        specs = self._answered(asking.turn.offers)
        limits = {name: float(asking.value(*place)) for name, place in (self.rules.limits or {}).items()}
        return [narrowed(spec, limits) for spec in specs]

    def _answered(self, offers: Sequence[ActionSpec]) -> list[ActionSpec]:
        return [spec for spec in offers if not self.actions or spec.name in self.actions or spec.full in self.actions]

    def _schema_of(self, offers: Sequence[ActionSpec]) -> dict[str, Any]:
        return schema_for(self._answered(offers), reasoning=self.rules.reasoning)

    def checked(self, asking: Asking, spec: ActionSpec, arguments: dict[str, Any], status: Status) -> Decision:
        wrong = problem(spec, arguments) or self._strange(asking, spec, arguments)
        return Decision([(spec.full, arguments)], status) if wrong is None else self.stood_in(asking, wrong.status, wrong.reason)

    def _strange(self, asking: Asking, spec: ActionSpec, arguments: Mapping[str, Any]) -> Problem | None:
        for name, place in (self.rules.among or {}).items():
            if name in spec.arguments and arguments[name] not in (values := legal_values(asking.value(*place))):
                return Problem(Status.ILLEGAL, f"{name} of {spec.full} must be one of {', '.join(map(str, values)) or 'none'}")
        return None

    async def _blocks(self, asking: Asking) -> Content:
        shown = asking.described()
        spoken = [block.text for block in shown if block.trust is Trust.AGENT][-self.rules.spoken :] if self.rules.spoken else []
        focus = replace(self.rules.focus, queries=(*self.rules.focus.queries, *spoken))
        return (*await asking.context(focus, self.uses), *shown, *self.question())

    def question(self) -> Content:
        return self.mind.prompts[self.rules.prompt or f"act_{self.rules.style}"].render()

    def _read(self, asking: Asking, specs: Sequence[ActionSpec], text: str, status: Status) -> Decision:
        amounts = {name: _amount(spec) for name, spec in short_names(specs).items()}
        only = next(iter(amounts)) if len(specs) == 1 else ""
        argument = specs[0].arguments.get(amounts[only] or "") if only else None
        if isinstance(argument, Integer | Number):
            reader = read_integer if isinstance(argument, Integer) else read_number
            found = reader(text, low=argument.low, high=argument.high)
            name, value, outside, why = only, found.value, found.outside, found.problem
        else:
            act = read_act(text, {name: key is not None for name, key in amounts.items()}, words=self.rules.verbs)
            name, value, outside, why = act.verb, act.amount, act.outside, act.problem
        if why:
            return self.stood_in(asking, Status.ILLEGAL if outside else Status.MALFORMED, why)
        spec, key = short_names(specs)[name], amounts[name]
        if key is None or value is None:
            return self.checked(asking, spec, {}, status)
        whole = isinstance(spec.arguments[key], Integer) and float(value).is_integer()
        return self.checked(asking, spec, {key: int(value) if whole else value}, status)

    async def _choose(self, asking: Asking, specs: Sequence[ActionSpec]) -> Decision:
        offered = {name: spec for spec in specs for name in (spec.name, spec.full)}
        legal = [o for o in self.rules.options if o.action in offered and problem(offered[o.action], o.arguments) is None]
        if not legal:
            return self.stood_in(asking, Status.SKIPPED, "no option is legal now")
        if len(legal) == 1:
            return Decision([(offered[legal[0].action].full, dict(legal[0].arguments))], Status.SKIPPED, "one option only")
        request: Request = replace(
            asking.request(await self._blocks(asking)),
            kind="choose",
            options=tuple(option.text for option in legal),
            neutral=asking.request(self._anybody(asking)).blocks if self.rules.prior else None,
        )
        reply = await asking.send(self.name, request, route=self.route)
        if not reply.good:
            return self.stood_in(asking, reply.status, reply.error)
        if len(reply.probabilities) != len(legal) or not 0.999 < sum(reply.probabilities) < 1.001:
            return self.stood_in(asking, Status.MALFORMED, f"{len(reply.probabilities)} probabilities for {len(legal)} options")
        drawn = int(asking.turn.random("choose").at(self.name).choice(reply.probabilities, [asking.agent])[0])
        return Decision([(offered[legal[drawn].action].full, dict(legal[drawn].arguments))], reply.status)

    def _anybody(self, asking: Asking) -> Content:
        """What the options are worth to anybody: the rules, a neutral persona, and the question."""
        blocks: list[Block] = []
        for component in self.mind.components:
            if isinstance(component, Rules):
                blocks += component.blocks(asking)
            elif isinstance(component, Persona):
                blocks += component.neutral()
        return (*blocks, *self.question())


def legal_values(seen: Any) -> list[int]:
    """Whole numbers that an agent sees, each once, in their order; -1 stands for none."""
    return [value for value in dict.fromkeys(np.atleast_1d(seen).tolist()) if value >= 0]


def _amount(spec: ActionSpec) -> str | None:
    """The argument that an answer in words gives; None where the action takes none."""
    if not spec.arguments:
        return None
    if len(spec.arguments) == 1 and isinstance(next(iter(spec.arguments.values())), Integer | Number):
        return next(iter(spec.arguments))
    taken = ", ".join(spec.arguments)
    raise UsageError(f"{spec.full} cannot be read from an answer in words: it takes {taken}; use the style schema or choose")
