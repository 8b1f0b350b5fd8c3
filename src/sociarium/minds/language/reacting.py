"""A user who reads, feels, judges and acts in words: the six steps of S3 (arXiv 2307.14984) as components.

    [Rules(...), Persona(...), Perceive(...), Label("emotion", EMOTIONS), Label("attitude", ATTITUDES), Label("interaction", CHOICES),
     Writer(), React()]

Perceive picks the weightiest messages; three labels are asked one after the other, each told what the one before has come to; a post is
written where one is chosen; what was written is remembered. A label that cannot be read changes nothing, and the turn says so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from sociarium.kernel.content import Content, said
from sociarium.kernel.environment import News
from sociarium.kernel.errors import UsageError
from sociarium.kernel.outcomes import Status
from sociarium.minds.influence import MessagePool, Source
from sociarium.minds.language.asking import Asking
from sociarium.minds.language.component import Component, Decider, Decision, Focus
from sociarium.minds.markov import ATTITUDES, EMOTIONS
from sociarium.minds.resharing import Read
from sociarium.models.request import Reply, Sampling

Ints = NDArray[np.int64]
Reading = Callable[[Any, Any], Read]
Part = TypeVar("Part", bound=Component)

CHOICES = ("forward", "post", "inactive")
WRITTEN = ("platform.posted", "platform.quoted")


class Perceive(Component):
    """The pool of messages of all users of this mind. ``reading``: how what is seen becomes messages; ``words``: the text of a message;
    ``attended``: how many one reacts to."""

    def __init__(
        self, reading: Reading, words: Callable[[int], str], pool: MessagePool, *, attended: int = 3, name: str = "perceive"
    ) -> None:
        self.name = name
        self.reading, self.words, self.pool, self.attended = reading, words, pool, attended

    def hear(self, news: Sequence[News]) -> None:
        """What one has written oneself is remembered too."""
        for piece in news:
            if piece.kind in WRITTEN and len(piece):
                own = {"author": piece.actors, "source": int(Source.OWN), "relevance": 1.0}
                self.pool.receive(piece.actors, now=piece.tick, message=piece.data["post"], **own)

    def foremost(self, asking: Asking) -> tuple[Ints, Ints]:
        """Messages and authors that count for this agent, the weightiest first; none where nothing has arrived."""
        mask = np.arange(len(asking.turn.agents)) == asking.row
        turn = asking.turn.part(mask)
        read = self.reading(turn, asking.seen.part(mask, turn))
        if not len(read):
            return np.empty(0, np.int64), np.empty(0, np.int64)
        columns = {name: getattr(read, name) for name in ("message", "author", "source", "relevance", "level", "side")}
        self.pool.receive(np.full(len(read), asking.agent), now=asking.turn.tick, **columns)
        rows = self.pool.foremost([asking.agent], asking.turn.tick, None)
        rows = rows[self.pool["source"][rows] != Source.OWN][: self.attended]
        return self.pool["message"][rows].astype(np.int64), self.pool["author"][rows].astype(np.int64)

    def shown(self, messages: Ints, authors: Ints) -> Content:
        """Their words, each as its author's."""
        pairs = zip(messages.tolist(), authors.tolist(), strict=True)
        return tuple(said(self.words(message), self.mind.name_of(author)) for message, author in pairs)

    def written(self, asking: Asking, most: int = 2) -> Content | None:
        """What one has written oneself, the newest last; None where that is nothing."""
        rows = self.pool.rows([asking.agent])
        rows = rows[self.pool["source"][rows] == Source.OWN][-most:]
        return (
            self.mind.prompts["written"].render(own=self.shown(self.pool["message"][rows], self.pool["author"][rows]))
            if len(rows)
            else None
        )

    def state(self) -> dict[str, Any]:
        return self.pool.state()

    def load(self, state: Mapping[str, Any]) -> None:
        self.pool.load(state)


class Label(Component):
    """Asks for one of a few labels, by the prompt of the same name: the reply is an object with that field."""

    def __init__(self, name: str, labels: Sequence[str], *, sampling: Sampling | None = None) -> None:
        if len(labels) < 2 or len(set(labels)) != len(labels):
            raise UsageError(f"the label {name!r} is one of {list(labels)}; give two or more, each once")
        self.name, self.labels, self.sampling = name, tuple(labels), sampling
        only = {"type": "string", "enum": list(labels)}
        self.schema = {"type": "object", "properties": {name: only}, "required": [name], "additionalProperties": False}

    async def asked(self, asking: Asking, head: Content, **values: Any) -> tuple[int | None, Reply]:
        """The number of the label; None where the reply holds none."""
        blocks = (*head, *self.mind.prompts[self.name].render(values))
        reply = await asking.ask(self.name, blocks, schema=self.schema, sampling=self.sampling)
        value = reply.fields.get(self.name)
        return (self.labels.index(value) if isinstance(value, str) and value in self.labels else None), reply


class Writer(Component):
    """Writes the text of a post, at most ``longest`` characters."""

    def __init__(self, name: str = "content", *, longest: int = 280, sampling: Sampling | None = None) -> None:
        self.name, self.sampling = name, sampling
        text = {"type": "string", "minLength": 1, "maxLength": longest}
        self.schema = {"type": "object", "properties": {"text": text}, "required": ["text"], "additionalProperties": False}

    async def asked(self, asking: Asking, head: Content, **values: Any) -> tuple[str | None, Reply]:
        blocks = (*head, *self.mind.prompts[self.name].render(values))
        reply = await asking.ask(self.name, blocks, schema=self.schema, sampling=self.sampling)
        text = reply.fields.get("text")
        return (text.strip() if isinstance(text, str) and text.strip() else None), reply


class React(Decider):
    """Goes through the steps for one agent. ``uses``: whose context stands before every question."""

    actions = ("stances.hold",)

    def __init__(self, *, name: str = "react", uses: tuple[str, ...] = ("rules", "persona")) -> None:
        self.name, self.uses = name, uses

    async def decide(self, asking: Asking) -> Decision:
        perceive = self._part("perceive", Perceive)
        messages, authors = perceive.foremost(asking)
        if not len(messages):
            return Decision()
        head = await asking.context(Focus(top=0), self.uses)
        shown, troubles = perceive.shown(messages, authors), list[tuple[Status, str]]()
        own = {name: int(asking.value("stances", name)) for name in ("emotion", "attitude")}
        told: dict[str, Any] = {"messages": shown, "emotion": EMOTIONS[own["emotion"]], "attitude": ATTITUDES[own["attitude"]]}
        level = await self._label(asking, head, "emotion", own["emotion"], troubles, **told)
        told["emotion"] = EMOTIONS[level]
        side = await self._label(asking, head, "attitude", own["attitude"], troubles, **told)
        told["attitude"] = ATTITUDES[side]
        choice = CHOICES[await self._label(asking, head, "interaction", CHOICES.index("inactive"), troubles, **told)]
        acts: list[tuple[str, dict[str, Any]]] = [("stances.hold", {"emotion": level, "attitude": side})]
        if choice == "forward":
            acts.append(("platform.repost", {"post": int(messages[0])}))
        elif choice == "post":
            text, reply = await self._part("content", Writer).asked(asking, head, own=perceive.written(asking), **told)
            if text is None:
                troubles.append(_trouble("content", reply))
            else:
                acts.append(("platform.create_post", {"text": text}))
        status, reason = max(troubles, default=(Status.OK, ""))
        return Decision(acts, status, reason, fallback=bool(troubles))

    async def _label(self, asking: Asking, head: Content, name: str, stays: int, troubles: list[tuple[Status, str]], **values: Any) -> int:
        """The label's number; ``stays`` where it cannot be read, which is noted."""
        found, reply = await self._part(name, Label).asked(asking, head, **values)
        if found is None:
            troubles.append(_trouble(name, reply))
            return stays
        return found

    def _part(self, name: str, kind: type[Part]) -> Part:
        found = self.mind.component(name)
        if not isinstance(found, kind):
            raise UsageError(f"{self.name} needs a component {name!r} that is a {kind.__name__}, not a {type(found).__name__}")
        return found


def _trouble(name: str, reply: Reply) -> tuple[Status, str]:
    status = Status.MALFORMED if reply.good else reply.status
    return status, f"{name}: {reply.error or status.name.lower()}"


__all__ = ["CHOICES", "Label", "Perceive", "React", "Writer"]
