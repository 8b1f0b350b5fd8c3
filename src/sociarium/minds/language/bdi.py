"""Belief, desire, intention: what an agent takes in changes what it holds true and feels; from that come wishes, and from those acts.

Three questions a turn, each by its own schema (POSIM, arXiv 2603.23884); each may be left out, or all be one question. What cannot be read
is stood in for by the stated default and the turn says so: beliefs stay as they were, the wish is to seek information, nothing is done.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, cast

import numpy as np

from sociarium.environments.emotions.levels import POSIM, EmotionRules, stirred
from sociarium.kernel.actions import ActionSpec, Vector
from sociarium.kernel.content import Block, Content, Trust, said
from sociarium.kernel.errors import UsageError
from sociarium.kernel.outcomes import Status
from sociarium.minds.language.asking import Asking
from sociarium.minds.language.bdi_forms import DESIRES, INTENSITIES, Flat, Lists
from sociarium.minds.language.belief_layers import BeliefLayers
from sociarium.minds.language.component import Decider, Decision, Focus
from sociarium.minds.language.legality import Problem, problem, read_choice, short_names
from sociarium.models.request import Reply, Sampling

Step = Literal["belief", "desire", "intention"]
STEPS: tuple[Step, ...] = ("belief", "desire", "intention")


@dataclass(frozen=True, slots=True)
class Desire:
    """One wish, and how strong, 0 to 1."""

    kind: str
    description: str
    intensity: float


SEEKING = Desire("information seeking", "", 0.5)
"""What stands in for a desire that cannot be read."""


@dataclass(frozen=True, slots=True)
class BDIRules:
    """How a turn is thought through.

    ``steps`` that are taken: without ``belief`` nothing is believed or felt anew; without ``desire`` intentions come straight from
    beliefs; without ``intention`` what is done is asked without the levels of strategy. ``single``: all of it in one question that
    reasons first. ``stirs``: the action that tells the world how emotions are stirred, as many as
    ``feelings`` names, which are also columns of that environment. ``targets``: arguments
    that must be among what the agent is shown (environment, column; -1 is none): ``{"post": ("platform", "feed")}``. ``most`` actions a
    turn. ``memories``: how many are called up, by the last ``seek`` of the words of others that are shown. ``jitter``: how far temperature
    and top-p of one call lie from the sampling's. ``flat``: each reply is one flat object with one opinion, desire and act;
    in it the texts named in ``blank`` are left empty and not asked for.
    """

    steps: tuple[Step, ...] = STEPS
    single: bool = False
    stirs: str = "emotions.stir"
    feelings: EmotionRules = POSIM
    targets: Mapping[str, tuple[str, str]] = field(default_factory=dict[str, tuple[str, str]])
    most: int = 10
    memories: int = 5
    seek: int = 0
    sampling: Sampling | None = None
    jitter: tuple[float, float] = (0.0, 0.0)
    flat: bool = False
    blank: tuple[str, ...] = ()

    @property
    def emotions(self) -> tuple[str, ...]:
        return self.feelings.names

    def __post_init__(self) -> None:
        if unknown := sorted(set(self.steps) - set(STEPS)):
            raise UsageError(f"BDIRules: there is no step {unknown[0]!r}; there are {', '.join(STEPS)}")
        if self.most < 1 or self.memories < 0 or min(self.jitter) < 0:
            raise UsageError("BDIRules: at least one action a turn, no negative number of memories, no negative jitter")


class BDI(Decider):
    """See the module. It stands behind a persona, ``BeliefLayers`` and a memory, whose context goes into each question."""

    def __init__(self, rules: BDIRules | None = None, *, beliefs: BeliefLayers | None = None, name: str = "bdi") -> None:
        self.name = name
        self.rules = rules or BDIRules()
        self.beliefs = beliefs or BeliefLayers()
        self.form = Flat(self.rules.blank) if self.rules.flat else Lists()

    async def decide(self, asking: Asking) -> Decision:
        rules, decision = self.rules, Decision()
        shown = asking.described()
        spoken = [block.text for block in shown if block.trust is not Trust.ENGINE]
        sought = Focus(tuple(spoken[len(spoken) - min(rules.seek, len(spoken)) :]), rules.memories)
        names = [part.name for part in self.mind.components if self.uses is None or part.name in self.uses]
        about = await asking.context(sought, [name for name in names if name != self.beliefs.name])
        head = (*about, *await self.beliefs.context(asking, sought), *shown)
        if rules.single:
            return await self._at_once(asking, head)
        if "belief" in rules.steps:
            reply = await self._asked(
                asking, "belief", (*head, *self.mind.prompts["bdi_belief"].render()), self.form.belief(rules.emotions)
            )
            _note(decision, reply, "belief")
            if reply.fields:
                felt = self._believe(asking, self.form.read_belief(reply.fields, rules.emotions), decision)
                head = (*about, *await self.beliefs.context(asking, sought), *shown, *felt)
        desires: list[Desire] = []
        if "desire" in rules.steps:
            reply = await self._asked(asking, "desire", (*head, *self.mind.prompts["bdi_desire"].render()), self.form.desires())
            desires = read_desires(self.form.read_desires(reply.fields))
            if not desires:
                desires = [SEEKING]
                _note(decision, reply, "desire", unread=reply.good)
        prompt = "bdi_intention" if "intention" in rules.steps else "bdi_act"
        await self._intend(asking, (*head, *self._wished(desires, asking)), prompt, decision)
        return decision

    async def _intend(self, asking: Asking, head: Content, prompt: str, decision: Decision) -> None:
        specs, among = self._offered(asking)
        if not specs:
            return
        listed = "\n".join(f"- {name}: {spec.doc}" for name, spec in short_names(specs).items())
        blocks = (*head, *self.mind.prompts[prompt].render(actions=listed, most=self.rules.most))
        reply = await self._asked(asking, "intention", blocks, self.form.acts(specs, among, self.rules.most))
        _note(decision, reply, "intention")
        self._read(self.form.read_acts(reply.fields), specs, among, decision)

    async def _at_once(self, asking: Asking, head: Content) -> Decision:
        decision = Decision()
        specs, among = self._offered(asking)
        listed = "\n".join(f"- {name}: {spec.doc}" for name, spec in short_names(specs).items())
        blocks = (*head, *self.mind.prompts["bdi_single"].render(actions=listed, most=self.rules.most))
        schema = self.form.single(specs, among, self.rules.most, self.rules.emotions)
        reply = await self._asked(asking, "single", blocks, schema)
        if reply.fields:
            self._believe(asking, self.form.read_belief(reply.fields, self.rules.emotions), decision)
        _note(decision, reply, "single")
        self._read(self.form.read_acts(reply.fields), specs, among, decision)
        return decision

    def _believe(self, asking: Asking, given: Mapping[str, Any], decision: Decision) -> Content:
        """Keep what is believed now; emotions are stirred by an action of the world. Gives what is then felt, in words."""
        listed = [cast("list[Any]", one) if isinstance(one := given.get(key), list) else [] for key in ("psychology", "event_opinions")]
        self.beliefs.believe(asking, *listed)
        emotion: Any = given.get("emotion")
        if not asking.turn.offered(self.rules.stirs) or not isinstance(emotion, dict):
            return ()
        by: list[Any] = [cast("dict[str, Any]", emotion).get(name) for name in self.rules.emotions]
        spec = asking.turn.offer(self.rules.stirs)
        argument = next(name for name, one in spec.arguments.items() if isinstance(one, Vector))
        if (wrong := problem(spec, {argument: by})) is not None:
            decision.status, decision.reason, decision.fallback = wrong.status, f"belief: {wrong.reason}", True
            return ()
        decision.actions.append((spec.full, {argument: np.array(by, np.float64)}))
        now = [float(asking.value(spec.environment, name)) for name in self.rules.emotions]
        felt = stirred(now, by, self.rules.feelings).tolist()
        levels = ", ".join(f"{name} {round(level, 2):g}" for name, level in zip(self.rules.emotions, felt, strict=True))
        return self.mind.prompts["bdi_felt"].render(levels=levels)

    def _offered(self, asking: Asking) -> tuple[list[ActionSpec], dict[str, list[int]]]:
        """What may be done now, and for arguments that point at something shown, at what."""
        among = {
            name: [int(one) for one in np.unique(asking.value(*place)) if one >= 0] for name, place in self.rules.targets.items()
        }  # fmt: skip
        specs = [spec for spec in asking.turn.offers if self.rules.stirs not in (spec.name, spec.full)]
        return [spec for spec in specs if all(among[name] for name in spec.arguments if name in among)], among

    def _read(self, given: Any, specs: Sequence[ActionSpec], among: Mapping[str, list[int]], decision: Decision) -> None:
        """Legal actions in their order. One that is none is left out, and the turn says so."""
        for one in cast("list[Any]", given)[: self.rules.most] if isinstance(given, list) else []:
            read = read_choice(_plain(one, specs), specs)
            wrong = read if isinstance(read, Problem) else problem(*read) or _unseen(read[1], among)
            if wrong is not None:
                decision.status, decision.reason = wrong.status, f"intention: {wrong.reason}"
            elif not isinstance(read, Problem):
                decision.actions.append((read[0].full, read[1]))

    def _wished(self, desires: Sequence[Desire], asking: Asking) -> Content:
        if not desires:
            return ()
        wishes: list[Block] = []
        for one in desires:
            wishes.append(Block(f"{one.kind}, {one.intensity:g} of 1", origin=self.name))
            wishes += [said(one.description, asking.name)] if one.description else []
        return self.mind.prompts["bdi_wishes"].render(wishes=tuple(wishes))

    async def _asked(self, asking: Asking, step: str, blocks: Content, schema: Mapping[str, Any]) -> Reply:
        own = self.rules.sampling or self.mind.sampling
        if any(self.rules.jitter) and own.temperature > 0:
            drawn = asking.turn.random("jitter").at(step)
            warmer, wider = (2 * float(drawn.uniform([asking.agent], index)[0]) - 1 for index in (0, 1))
            temperature = max(0.01, own.temperature + self.rules.jitter[0] * warmer)
            top_p = min(1.0, max(0.01, own.top_p + self.rules.jitter[1] * wider))
            own = Sampling(round(temperature, 4), round(top_p, 4), own.max_tokens, own.stop)
        return await asking.ask(f"{self.name}:{step}", blocks, schema=schema, sampling=own)


def read_desires(given: Any) -> list[Desire]:
    """The desires of a reply that are of a known type and intensity; the strongest first, as given among equals."""
    found: list[Desire] = []
    for one in cast("list[Any]", given) if isinstance(given, list) else []:
        row: Mapping[str, Any] = cast("Mapping[str, Any]", one) if isinstance(one, dict) else {}
        if row.get("type") in DESIRES and row.get("intensity") in INTENSITIES:
            found.append(Desire(str(row["type"]), str(row.get("description", "")).strip(), INTENSITIES[str(row["intensity"])]))
    return sorted(found, key=lambda desire: -desire.intensity)


def _plain(one: object, specs: Sequence[ActionSpec]) -> object:
    """An act as a mapping that names its action, also where only one is on offer."""
    if len(specs) == 1 and isinstance(one, dict):
        given = cast("dict[str, Any]", one)
        return given if given.get("action") in short_names(specs) else None
    return one


def _unseen(arguments: Mapping[str, Any], among: Mapping[str, list[int]]) -> Problem | None:
    for name, shown in among.items():
        if name in arguments and arguments[name] not in shown:
            return Problem(Status.ILLEGAL, f"{name} {arguments[name]!r} is not among what is shown: {shown}")
    return None


def _note(decision: Decision, reply: Reply, step: str, *, unread: bool = False) -> None:
    """The worst that happened in the turn is how it ended."""
    status = Status.MALFORMED if unread else reply.status
    if status > decision.status:
        decision.status, decision.reason = status, f"{step}: {reply.error or status.name.lower()}"
    decision.fallback = decision.fallback or not reply.good or unread
