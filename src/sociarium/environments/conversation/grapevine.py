"""Who has heard of what: facts that go from mouth to mouth, as they can be traced in what is said.

A fact counts as told where the words of a line say it, whoever said it and whatever mind he has: rule minds and language minds are
measured alike. Diffusion as in Generative Agents (Park et al., arXiv 2304.03442, section 7.1): one knows of it in the beginning.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from sociarium.environments.columnar import Cells, ColumnarEnvironment
from sociarium.environments.conversation.chats import Chats
from sociarium.kernel.environment import Events, Groups, News, Outcome
from sociarium.kernel.errors import UsageError
from sociarium.kernel.turn import Turn

Array = NDArray[Any]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

WORD = re.compile(r"\w+", re.UNICODE)


@dataclass(frozen=True, slots=True)
class Fact:
    """Something to be told. ``text`` says it; a text says it where it has all words of one of ``words``. ``question`` asks for it."""

    name: str
    text: str
    words: tuple[frozenset[str], ...]
    question: str = ""

    def __post_init__(self) -> None:
        if not self.words or not all(self.words) or not self.said_in(self.text):
            raise UsageError(f"the fact {self.name!r} is not said by its own text {self.text!r}; give words that are in it")

    def said_in(self, text: str) -> bool:
        """Whether a text tells it. Words count in any order and case."""
        found = set(WORD.findall(text.casefold()))
        return any(wanted <= found for wanted in self.words)

    @classmethod
    def of(cls, plain: Mapping[str, Any]) -> Fact:
        """From plain data: name, text, question, and words, a list of lists."""
        words = tuple(frozenset(str(word).casefold() for word in several) for several in plain["words"])
        return cls(str(plain["name"]), str(plain["text"]), words, str(plain.get("question", "")))


class Grapevine(ColumnarEnvironment):
    """Listens to the talks of ``chats``, and keeps who has heard of each fact, since when, and from whom. ``voices``: events whose ``text``
    only their actor hears (an inner voice of a town): what they say is known too, and comes from nobody.

    ``first``: by the name of a fact, the places (from 0) within each group of those who know it in the beginning.
    """

    name: ClassVar[str] = "grapevine"

    knows: Bools  # (agents, facts)
    since: Ints  # microseconds, -1: never, (agents, facts)
    source: Ints  # the agent it came from, -1: from nobody, or not known at all, (agents, facts)

    def __init__(
        self,
        facts: Sequence[Fact],
        chats: Chats,
        first: Mapping[str, Sequence[int]] | None = None,
        *,
        voices: Sequence[str] = ("town.whispered",),
    ) -> None:
        self.facts = tuple(facts)
        self.chats = chats
        self.voices = frozenset(voices)
        self.first = dict(first or {})
        names = [fact.name for fact in self.facts]
        if not names or len(set(names)) < len(names):
            raise UsageError("a grapevine needs facts, each with a name of its own")
        if unknown := set(self.first) - set(names):
            raise UsageError(f"there is no fact {sorted(unknown)[0]!r}; there are {', '.join(names)}")
        self.group_cells = {}
        self.agent_cells = {
            "knows": Cells(np.bool_, False, (len(names),)),
            "since": Cells(np.int64, -1, (len(names),)),
            "source": Cells(np.int64, -1, (len(names),)),
        }
        self._heard: list[tuple[int, int, int]] = []  # (agent, fact, speaker) of this tick, told at its end

    def begin(self, groups: Groups) -> None:
        agents = self.agents_of(groups)
        of = self.group_of(agents)
        for at, fact in enumerate(self.facts):
            for place in self.first.get(fact.name, ()):
                for group in groups.tolist():
                    mine = agents[of == group]
                    if not 0 <= place < len(mine):
                        raise UsageError(f"the fact {fact.name!r} begins with resident {place}, but group {group} has {len(mine)}")
                    self.knows[mine[place], at], self.since[mine[place], at] = True, self.world.clock.time

    def notice(self, events: Sequence[News]) -> None:
        """Lines of talks, as they ended this phase, and inner voices."""
        for news in events:
            if news.kind in self.voices:
                for agent, text in zip(news.actors.tolist(), news.data["text"].tolist(), strict=True):
                    self._tell([agent], str(text), -1)
        kind = f"{self.chats.name}.said"
        if not any(news.kind == kind for news in events):
            return
        for line in self.chats.spoken():
            self._tell(line.hearers, line.text, line.speaker)

    def _tell(self, hearers: Sequence[int], text: str, speaker: int) -> None:
        """These hear a text; what it says is known to them from now on."""
        for at, fact in enumerate(self.facts):
            fresh = [agent for agent in hearers if not self.knows[agent, at]]
            if not fresh or not fact.said_in(text):
                continue
            for agent in fresh:
                self.knows[agent, at], self.source[agent, at] = True, speaker
                self.since[agent, at] = self.world.clock.time
                self._heard.append((agent, at, speaker))

    def advance(self, to: int) -> Outcome | None:
        """Who has heard of something in this tick: one event each."""
        if not self._heard:
            return None
        agents, facts, sources = np.array(sorted(self._heard), np.int64).T
        self._heard = []
        names: Array = np.array([self.facts[int(at)].name for at in facts], object)
        return Outcome([Events("learned", agents, {"fact": names, "source": sources}, "nobody")])

    def observe(self, turn: Turn) -> Mapping[str, Array]:
        """knows: which facts each has heard of, (rows, facts)."""
        return {"knows": self.knows[turn.agents]}

    def measures(self) -> Mapping[str, Array]:
        """By fact, how many of those present know it, in each group."""
        agents = self.world.awake()
        groups = self.group_of(agents)
        count = self.world.groups
        return {f.name: np.bincount(groups, self.knows[agents, at], count).astype(np.float64) for at, f in enumerate(self.facts)}
