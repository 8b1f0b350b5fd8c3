"""What one says in a talk, and what one makes of it afterwards.

As in Generative Agents' released code: memories of the other by name make a sentence on what the two are to each other; that sentence,
what the other does and the last lines bring fifteen memories to mind; then an utterance, and whether the talk may end.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from sociarium.kernel.content import Block, Trust
from sociarium.kernel.environment import News
from sociarium.kernel.errors import UsageError
from sociarium.minds.language.asking import Asking
from sociarium.minds.language.component import Decider, Decision, Focus
from sociarium.minds.language.legality import problem
from sociarium.minds.language.memory import Memory
from sociarium.minds.language.reflect import Thinker
from sociarium.minds.language.relationships import Relationships
from sociarium.minds.language.retrieval import Kind
from sociarium.minds.language.town.perceive import Perceive
from sociarium.minds.language.town.picking import anybody, picked
from sociarium.models.request import Sampling

THOUGHT = 300  # characters of a thought after a talk
KINDS = {"planning": Kind.PLAN, "talk_summary": Kind.EVENT}  # any other is a thought


@dataclass(frozen=True, slots=True)
class TalkRules:
    """``top``: memories that come to mind before an utterance; ``spoken``: last lines that they are sought by; ``shown``: last lines that
    are shown. ``longest``: characters of an utterance. ``relation``: the sentence on the two is asked for before ``each`` utterance, as
    the released code does, ``once`` a talk, or is as ``kept`` from earlier talks. ``form``: ``schema`` asks for the utterance and whether
    the talk may end; ``text``, for models too small for that, takes the first paragraph of what is said; ``menu`` weighs a few texts. In
    both the talk ends with its ``enough``-th line."""

    top: int = 15
    spoken: int = 4
    shown: int = 8
    longest: int = 400
    relation: Literal["each", "once", "kept"] = "once"
    form: Literal["schema", "text", "menu"] = "schema"
    enough: int = 4

    def __post_init__(self) -> None:
        if min(self.spoken, self.shown, self.longest) < 1 or self.top < 0:
            raise UsageError("TalkRules: spoken, shown and longest are 1 or more, top is 0 or more")


Menu = Callable[["Asking", Sequence[str], bool], Sequence[str]]
"""What one may say: from the turn, the lines of the talk so far, and whether this is its last."""


class Talk(Decider):
    """Answers ``chats.say``. Where the model says nothing usable, the agent leaves the talk: nothing is ever put into its mouth.

    ``menu``: for the form of this name, two texts or more to choose from.
    """

    def __init__(
        self,
        rules: TalkRules | None = None,
        *,
        chats: str = "chats",
        memory: str = "memory",
        relationships: str = "relationships",
        uses: tuple[str, ...] = ("rules", "persona", "dayplan"),
        menu: Menu | None = None,
        sampling: Sampling | None = None,
        name: str = "talk",
    ) -> None:
        self.menu = menu
        self.name, self.rules, self.chats = name, rules or TalkRules(), chats
        self.actions = (f"{chats}.say",)
        self.fallback = {f"{chats}.leave": {}}
        self.memory_name, self.relationships_name, self.uses, self.sampling = memory, relationships, uses, sampling
        self.asked: dict[int, int] = {}  # agent -> with whom it is in a talk before which the sentence was asked for
        if self.rules.form == "menu" and menu is None:
            raise UsageError("talks by menu need one; give Talk(menu=...), or other TalkRules(form=...)")
        properties = {"utterance": {"type": "string", "minLength": 1, "maxLength": self.rules.longest}, "end": {"type": "boolean"}}
        self._schema = {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}

    def hear(self, news: Sequence[News]) -> None:
        for piece in news:
            if piece.kind == f"{self.chats}.ended":
                for agent in piece.actors.tolist():
                    self.asked.pop(agent, None)

    async def decide(self, asking: Asking) -> Decision:
        other = int(asking.value(self.chats, "other"))
        environment = self.mind.world[self.chats]
        shown = environment.describe(asking.seen, asking.row)
        lines = [block for block in shown if block.trust is Trust.AGENT]
        dropped = {id(block) for block in lines[: -self.rules.shown]}
        summary = await self._summary(asking, other)
        perceive = next((one for one in self.mind.components if isinstance(one, Perceive)), None)
        memory = self.mind.component(self.memory_name)
        blocks: list[Block] = [*await asking.context(Focus(top=0), self.uses)]
        if (relationships := self._relationships()) is not None:
            blocks += relationships.shown(asking, other)
        if isinstance(memory, Memory) and self.rules.top:
            seen = perceive.about(asking, self.mind.name_of(other))[-1:] if perceive is not None and other >= 0 else np.empty(0, np.int64)
            doing = [str(memory.stream["text"][row]) for row in seen]
            queries = [text for text in (summary, *doing, *(line.text for line in lines[-self.rules.spoken :])) if text]
            rows = await memory.recall(asking, Focus(tuple(queries), self.rules.top), f"{self.name}:recall")
            if len(rows):
                blocks += self.mind.prompts["memories"].render(memories=memory.shown(rows))
        blocks += [block for block in shown if id(block) not in dropped]
        free = self.rules.form != "schema"
        blocks += self.mind.prompts["say_text" if free else "say"].render(name=asking.name, other=self.mind.name_of(other))
        spec, last = asking.turn.offer(self.actions[0]), len(lines) + 1 >= self.rules.enough
        if self.menu is not None and self.rules.form == "menu":
            options = list(self.menu(asking, [line.text for line in lines], last))
            prior = anybody(asking, self.mind.prompts["say_text"].render(name=asking.name, other=self.mind.name_of(other)))
            chosen = await picked(asking, self.name, tuple(blocks), options, style="choose", sampling=self.sampling, prior=prior)
            if chosen < 0:
                return self.stood_in(asking, *max(asking.troubles))
            return Decision([(spec.full, {"text": options[chosen], "end": last})])
        reply = await asking.ask(self.name, tuple(blocks), schema=None if free else self._schema, sampling=self.sampling)
        if not reply.good:
            return self.stood_in(asking, reply.status, reply.error)
        fields = reply.fields
        if free:
            fields = {"utterance": spoken(reply.text, asking.name), "end": last}
        arguments = {"text": fields.get("utterance"), "end": fields.get("end")}
        wrong = problem(spec, arguments)
        if wrong is not None:
            return self.stood_in(asking, wrong.status, wrong.reason)
        return Decision([(spec.full, arguments)], reply.status)

    async def _summary(self, asking: Asking, other: int) -> str:
        relationships = self._relationships()
        if relationships is None or other < 0:
            return ""
        if self.rules.relation == "each" or (self.rules.relation == "once" and self.asked.get(asking.agent) != other):
            if not asking.probe:
                self.asked[asking.agent] = other
            return await relationships.update(asking, other)
        return relationships.view(asking.agent, other)[0]

    def _relationships(self) -> Relationships | None:
        return next((one for one in self.mind.components if isinstance(one, Relationships)), None)

    def state(self) -> dict[str, Any]:
        return {"asked": np.array(sorted(self.asked.items()), np.int64).reshape(-1, 2)}

    def load(self, state: Mapping[str, Any]) -> None:
        self.asked = {int(agent): int(other) for agent, other in np.asarray(state["asked"]).tolist()} if state else {}


def spoken(text: str, name: str) -> str:
    """The first paragraph of a free reply, without quotation marks and the speaker's own name before it."""
    first = next((part.strip() for part in text.split("\n") if part.strip()), "")
    return first.removeprefix(f"{name}:").strip().strip('"\u201c\u201d').strip()


class Aftertalk(Thinker):
    """When a talk and the time it took are over: a thought a prompt (a summary, something to plan for, something worth noting), and how
    the two now stand (``closeness``, where there are ``Relationships``). ``together``: one question for all thoughts, each of which is
    a field of its reply. What one should plan for is kept as a plan, and the summary as something that happened: whoever may not remember
    what it thought (an interview without reflection) still remembers what was spoken of."""

    def __init__(
        self,
        prompts: tuple[str, ...] = ("talk_summary", "planning", "interesting"),
        *,
        together: bool = False,
        closeness: bool = True,
        chats: str = "chats",
        longest: int = 16,
        name: str = "aftertalk",
        **settings: Any,
    ) -> None:
        settings.setdefault("days", 30.0)
        super().__init__(name=name, **settings)
        self.prompts, self.together, self.closeness, self.chats, self.longest = prompts, together, closeness, chats, longest
        self.pending: dict[int, list[tuple[int, int, int]]] = {}  # agent -> (other, tick, lines) of talks not yet thought about

    def hear(self, news: Sequence[News]) -> None:
        for piece in news:
            if piece.kind == f"{self.chats}.ended":
                for agent, other, lines in zip(
                    piece.actors.tolist(), piece.data["other"].tolist(), piece.data["lines"].tolist(), strict=True
                ):
                    if lines:
                        self.pending.setdefault(agent, []).append((other, piece.tick, lines))

    async def think(self, asking: Asking) -> None:
        if not self.due(asking):
            return
        for number, (other, tick, lines) in enumerate(self.pending.pop(asking.agent, [])):
            await self._think_of(asking, number, other, self._lines(asking.agent, tick, lines))

    def _lines(self, agent: int, tick: int, count: int) -> Any:
        """The agent's memories of what was said in a talk that ended in a tick."""
        stream = self.memory.stream
        rows = stream.of(agent)
        said = rows[(stream["kind"][rows] == Kind.CHAT) & (stream["tick"][rows] <= tick)]
        return said[-min(count, self.longest) :]

    async def _think_of(self, asking: Asking, number: int, other: int, rows: Any) -> None:
        perceive = next((one for one in self.mind.components if isinstance(one, Perceive)), None)
        name = self.mind.name_of(other)
        for prompt, thought in (await self._thoughts(asking, number, rows, name)).items() if len(rows) else ():
            row = self.think_that(asking, thought, evidence=rows, kind=KINDS.get(prompt, Kind.THOUGHT))
            if perceive is not None:
                perceive.tag(asking.agent, row, name, asking.name)
        relationships = next((one for one in self.mind.components if isinstance(one, Relationships)), None)
        if self.closeness and relationships is not None and other >= 0 and f"{relationships.name}:{other}" not in asking.labels:
            await relationships.update(asking, other)

    async def _thoughts(self, asking: Asking, number: int, rows: Any, other: str) -> dict[str, Any]:
        """What the agent thinks of a talk, by prompt."""
        values = {"talk": self.memory.shown(rows), "other": other}
        if not self.together:
            found: dict[str, Any] = {}
            for prompt in self.prompts:
                given = self.mind.prompts[prompt]
                blocks = given.render({key: values[key] for key in given.variables})
                found[prompt] = await self.question(asking, f"{self.name}:{number}:{prompt}", blocks, prompt)
            return found
        text = {"type": "string", "minLength": 1, "maxLength": THOUGHT}
        schema = {"type": "object", "properties": dict.fromkeys(self.prompts, text), "required": list(self.prompts)}
        head = await asking.context(Focus(top=0), self.uses)
        blocks = (*head, *self.mind.prompts["after_talk"].render(values))
        label = f"{self.name}:{number}"
        reply = await asking.ask(label, blocks, schema={**schema, "additionalProperties": False}, sampling=self.sampling)
        if not reply.fields:
            asking.trouble(reply, label)
        return {prompt: reply.fields.get(prompt) for prompt in self.prompts}

    def state(self) -> dict[str, Any]:
        rows = [(agent, *talk) for agent in sorted(self.pending) for talk in self.pending[agent]]
        return {"pending": np.array(rows, np.int64).reshape(-1, 4)}

    def load(self, state: Mapping[str, Any]) -> None:
        self.pending = {}
        for agent, other, tick, lines in np.asarray(state["pending"]).tolist() if state else ():
            self.pending.setdefault(int(agent), []).append((int(other), int(tick), int(lines)))
