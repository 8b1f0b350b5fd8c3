"""Thinking in inner turns: scoring what was stored, insights from what comes to mind, thoughts after a talk."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import NDArray

from sociarium.kernel.content import Content
from sociarium.kernel.errors import UsageError
from sociarium.kernel.outcomes import Status
from sociarium.kernel.units import DAY, MINUTE
from sociarium.minds.language.asking import Asking
from sociarium.minds.language.component import Component, Focus
from sociarium.minds.language.memory import Memory
from sociarium.minds.language.retrieval import NEVER, Kind
from sociarium.minds.language.stream import Memory as Remembered
from sociarium.models.request import Reply, Sampling

Ints = NDArray[np.int64]

MARKS = re.compile(r"^\s*(?:[-*\u2022]+|\d{1,2}[.)](?!\d))\s*")
DAYS = 63.0  # how long a thought is kept (Piatti et al. 2024)


Form = Literal["schema", "text"]


class Thinker(Component):
    """The base of what thinks: it needs a memory, and asks in some phases only (all, when empty).

    ``form``: replies fill a ``schema``, or are plain ``text`` for models too small for that: then a sentence is the first paragraph, and a
    list is its lines.
    """

    def __init__(
        self,
        *,
        name: str,
        phases: tuple[str, ...] = (),
        memory: str = "memory",
        uses: tuple[str, ...] = ("rules", "persona"),
        sampling: Sampling | None = None,
        days: float | None = DAYS,
        form: Form = "schema",
    ) -> None:
        self.name = name
        self.form: Form = form
        self.phases = phases
        self.memory_name = memory
        self.uses = uses
        self.sampling = sampling
        self.days = days

    @property
    def memory(self) -> Memory:
        found = self.mind.component(self.memory_name)
        if not isinstance(found, Memory):
            raise UsageError(f"{self.name} needs a memory; the component {self.memory_name!r} is none")
        return found

    def due(self, asking: Asking) -> bool:
        return not asking.probe and (not self.phases or asking.turn.phase.name in self.phases)

    async def question(self, asking: Asking, label: str, blocks: Content, prompt: str) -> Any:
        """The value under the prompt's one reply field; None (and noted) where the reply is no use."""
        given = self.mind.prompts[prompt]
        head = await asking.context(Focus(top=0), self.uses)
        if self.form == "text" and given.reply is not None and (shape := shape_of(given.reply)):
            reply = await asking.ask(label, (*head, *blocks), sampling=self.sampling)
            lines = lines_of(reply.text)
            if not reply.good or not lines:
                asking.trouble(reply if not reply.good else replace(reply, status=Status.MALFORMED, error="nothing is said"), label)
                return None
            return lines[0] if shape == "string" else lines
        reply: Reply = await asking.ask(label, (*head, *blocks), schema=given.reply, sampling=self.sampling)
        if not reply.fields:
            asking.trouble(reply, label)
            return None
        return next(iter(reply.fields.values()))

    def think_that(
        self, asking: Asking, thought: Any, importance: float | None = None, evidence: Ints | None = None, kind: Kind = Kind.THOUGHT
    ) -> int:
        """Remember the agent's own words as a thought (or a plan), drawn from ``evidence``; its row, -1 where there is none."""
        if not isinstance(thought, str) or not thought.strip():
            return -1
        until = NEVER if self.days is None else asking.turn.time + round(self.days * DAY)
        thought = Remembered(kind, thought.strip(), importance, until_time=until, author=asking.agent)
        return self.memory.remember(asking, thought, evidence)


def shape_of(schema: Mapping[str, Any]) -> str:
    """``string`` or ``list`` where a schema has one field that is a text, or a list of texts; else nothing."""
    fields = list(cast("Mapping[str, Any]", schema.get("properties", {})).values())
    kind = fields[0].get("type") if len(fields) == 1 else None
    if kind == "array":
        return "list" if fields[0].get("items", {}).get("type") == "string" else ""
    return "string" if kind == "string" else ""


def lines_of(text: str) -> list[str]:
    """The lines of a free reply that hold something, without marks of lists and quotation marks around them."""
    return [plain for line in text.splitlines() if (plain := MARKS.sub("", line).strip().strip('"\u201c\u201d').strip())]


class Importance(Thinker):
    """Asks a score from 1 to 10 for each memory of the agent that has none. It comes before what retrieves.

    ``together``: memories that one question asks about. Where that is more than one, memories wait until there are so many, or until
    the oldest has waited for ``patience`` minutes. What a reply gives no score for keeps the memory's own stand-in, and is not asked
    about again. ``alike``: a text that this agent has had a score for is worth the same again.
    """

    def __init__(
        self, *, name: str = "importance", prompt: str = "importance", several: str = "importances", alike: bool = False,
        together: int = 1, patience: float = 60.0, **settings: Any,
    ) -> None:  # fmt: skip
        super().__init__(name=name, **settings)
        if together < 1 or patience < 0:
            raise UsageError(f"Importance: together is 1 or more and patience 0 or more, not {together} and {patience}")
        self.prompt, self.several, self.alike, self.together = prompt, several, alike, together
        self.patience = round(patience * MINUTE)

    async def think(self, asking: Asking) -> None:
        if not self.due(asking):
            return
        await self.score(asking)

    async def score(self, asking: Asking) -> None:
        """Ask for all scores that are missing and due, at once."""
        rows = self._unlike(self.memory.unscored_rows(asking), asking)
        if not len(rows) or (len(rows) < self.together and asking.turn.time - int(self.memory.stream["time"][rows[0]]) < self.patience):
            return
        parts = [rows[at : at + self.together] for at in range(0, len(rows), self.together)]
        head = await asking.context(Focus(top=0), self.uses)
        requests = [asking.request((*head, *blocks), schema=schema, sampling=self.sampling) for blocks, schema in map(self._asked, parts)]
        for part, reply in zip(parts, await asking.send_all(self.name, requests), strict=True):
            value = next(iter(reply.fields.values()), None)
            given = cast("list[Any]", value) if isinstance(value, list) else [value]
            scores = [float(one) for one in given if isinstance(one, int) and not isinstance(one, bool) and 1 <= one <= 10]
            if len(scores) != len(part) or len(given) != len(part):
                asking.trouble(reply, self.name)
                scores = [self.memory.unscored] * len(part)
            for row, score in zip(part, scores, strict=True):
                self.memory.stream.set("importance", row, score)

    def _asked(self, rows: Ints) -> tuple[Content, Any]:
        """The question about one memory, or about several with a schema of as many numbers."""
        if self.together == 1:
            prompt = self.mind.prompts[self.prompt]
            return prompt.render(memory=self.memory.shown(rows)), prompt.reply
        number = {"type": "integer", "minimum": 1, "maximum": 10}
        numbers = {"type": "array", "items": number, "minItems": len(rows), "maxItems": len(rows)}
        schema = {"type": "object", "properties": {"importances": numbers}, "required": ["importances"], "additionalProperties": False}
        return self.mind.prompts[self.several].render(memories=self.memory.shown(rows, numbered=True), count=len(rows)), schema

    def _unlike(self, rows: Ints, asking: Asking) -> Ints:
        """Rows to ask about: those with a text of which the agent has no score yet, each text once, where ``alike`` lets scores be taken
        again."""
        if not self.alike or not len(rows):
            return rows
        stream, known = self.memory.stream, self.memory.live(asking)
        scored = known[~np.isnan(stream["importance"][known])]
        worth = dict(zip(stream["text"][scored], stream["importance"][scored].tolist(), strict=True))
        left: dict[str, int] = {}
        for row in rows.tolist():
            text = str(stream["text"][row])
            if (score := worth.get(text)) is None:
                left.setdefault(text, row)
            else:
                stream.set("importance", np.array([row]), score)
        return np.array(list(left.values()), np.int64)


class Reflect(Thinker):
    """Insights from the memories that come to mind on a question ("harvesting"), kept as thoughts."""

    def __init__(self, query: str, *, top: int = 10, name: str = "reflect", prompt: str = "insights", **settings: Any) -> None:
        super().__init__(name=name, **settings)
        self.query, self.top, self.prompt = query, top, prompt

    async def think(self, asking: Asking) -> None:
        if not self.due(asking):
            return
        memory = self.memory
        rows = await memory.recall(asking, Focus((self.query,), self.top), f"{self.name}:recall")
        if not len(rows):
            return
        blocks = self.mind.prompts[self.prompt].render(memories=memory.shown(rows), query=self.query)
        insights = await self.question(asking, self.name, blocks, self.prompt)
        for insight in cast("list[Any]", insights) if isinstance(insights, list) else []:
            self.think_that(asking, insight)


class Afterthoughts(Thinker):
    """After a talk: one thought a prompt (what to plan for, what was interesting), from what the agent heard said in this tick."""

    def __init__(self, prompts: tuple[str, ...] = ("planning", "interesting"), *, name: str = "afterthoughts", **settings: Any) -> None:
        super().__init__(name=name, **settings)
        self.prompts = prompts

    async def think(self, asking: Asking) -> None:
        memory = self.memory
        talk = memory.talk(asking)
        if not self.due(asking) or not len(talk):
            return
        for prompt in self.prompts:
            blocks = self.mind.prompts[prompt].render(talk=memory.shown(talk))
            self.think_that(asking, await self.question(asking, f"{self.name}:{prompt}", blocks, prompt))
