"""What is written in threads, and what each text was written from: columns, content, and the chain of designs behind them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from sociarium.environments.social.casting import Casting, ThreadRules
from sociarium.environments.social.design import Design, Designs, Version
from sociarium.environments.social.posts import Kind, Posts
from sociarium.environments.social.thread_table import Sort, ThreadTable
from sociarium.environments.wording import Wording
from sociarium.kernel.environment import AgentIds, Environment, Groups, State
from sociarium.kernel.errors import UsageError
from sociarium.kernel.world import World

Array = NDArray[Any]
Ints = NDArray[np.int64]

MEMBER = "member"  # the kind of agents who write


@dataclass(frozen=True, slots=True)
class ThreadWording(Wording):
    """How a community and a thread are shown."""

    PLACES: ClassVar[Mapping[str, frozenset[str]]] = {
        "goal": frozenset({"goal"}),
        "allowed": frozenset({"text"}),
        "forbidden": frozenset({"text"}),
        "post": frozenset({"name"}),
        "reply": frozenset({"name"}),
    }

    goal: str = "This community is for: $goal"
    allowed: str = "Welcome here: $text"
    forbidden: str = "Not allowed here: $text"
    post: str = "$name opens a thread."
    reply: str = "$name answers the last of these."


@dataclass(frozen=True, slots=True)
class Slot:
    """An utterance that is to be written, or was: all that its words depend on. ``path``: (author, text) from the post to the utterance
    that is answered. ``breach``: -1 for the ordinary form, else which of the design's ``breaches``. ``behaviour``: what an inserted
    speaker does. ``draw``: the coordinate of the text's own draw."""

    version: Version
    author: int
    name: str
    phrase: str
    behaviour: str
    breach: int
    path: tuple[tuple[int, str], ...]
    draw: int
    setting: str

    @property
    def design(self) -> Design:
        return self.version.design

    @property
    def key(self) -> str:
        """Names the text: design version, persona, form, thread so far, draw and setting. Equal keys are equal texts."""
        parts = [self.version.digest, self.name, self.phrase, self.behaviour, self.breach, [text for _, text in self.path], self.draw]
        text = json.dumps([*parts, self.setting], ensure_ascii=False)
        return hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=16).hexdigest()


class ThreadContent(Environment):
    """The memory of threads: ``table`` with its columns, ``posts`` with the words, ``designs`` with a chain for each group."""

    name: ClassVar[str] = "threads"

    def __init__(self, designs: Sequence[Design], rules: ThreadRules | None = None, wording: ThreadWording | None = None) -> None:
        if not designs:
            raise UsageError("threads need a design: what the community is for")
        self.given = tuple(designs)
        self.rules = rules or ThreadRules()
        self.wording = wording or ThreadWording()
        self.table = ThreadTable(self.rules.width)
        self.posts = Posts()
        self.designs: list[Designs] = []
        self.fresh: dict[int, dict[int, str]] = {}  # texts of this tick: row -> position -> text
        self._slots: dict[tuple[int, int], Slot] = {}  # of this tick, as they were asked for
        self._people: dict[int, tuple[str, str, str]] = {}

    def reset(self, world: World, groups: Groups) -> None:
        super().reset(world, groups)
        self.casting = Casting(self.rules, world.randomness)
        self.designs += [Designs.begin(self.given[at % len(self.given)]) for at in range(len(self.designs), world.groups)]
        for group in groups.tolist():
            self.designs[group] = Designs.begin(self.given[int(group) % len(self.given)])
        self.table.drop(groups)

    def pool(self, group: int) -> AgentIds:
        """Who is drawn to write in a group: its members, less guests."""
        population = self.world.population
        ids = population.ids(MEMBER)
        keep = population.get(ids, "group") == group
        if "guest" in population[MEMBER]:
            keep = keep & ~population.get(ids, "guest").astype(np.bool_)
        return ids[keep]

    def slots(self, lanes: Ints) -> list[Slot]:
        """What is to be written next in some threads, by their lanes."""
        rows = self.table.rows(lanes)
        places = np.minimum(self.table.done[rows], self.rules.most)
        return [self._slot(row, at) for row, at in zip(rows.tolist(), places.tolist(), strict=True)]

    def written(self, thread: int, position: int, group: int = 0) -> Slot:
        """What an utterance was written from."""
        row = self._row(group, thread)
        if not 0 <= position < int(self.table.done[row]):
            raise UsageError(f"thread {thread} has utterances 0 to {int(self.table.done[row]) - 1}, and none at {position}")
        return self._slot(row, position)

    def texts(self, thread: int, group: int = 0) -> list[str]:
        """All that was written in a thread, in order."""
        row = self._row(group, thread)
        return [self.text(row, at) for at in range(int(self.table.done[row]))]

    def speakers(self, thread: int, group: int = 0) -> list[int]:
        """Who wrote it."""
        row = self._row(group, thread)
        return self.table.speaker[row, : int(self.table.done[row])].tolist()

    def text(self, row: int, at: int) -> str:
        """The words at a position of a row of the table."""
        post = int(self.table.post[row, at])
        return self.posts.texts[int(self.posts.text[post])] if post >= 0 else self.fresh[row][at]

    def name_of(self, agent: int) -> str:
        return self._person(agent)[0]

    def measures(self) -> Mapping[str, Array]:
        """threads opened; replies a thread; breaking: share of posts in the rule-breaking form; broken: share broken off; versions of the
        design; branches: threads that are answers to questions."""
        table, groups = self.table, self.world.groups
        own = (table.sort == Sort.OPENED) & (table.done > 0)
        at = table.groups[own]
        threads = np.bincount(at, minlength=groups).astype(np.float64)
        some = np.where(threads > 0, threads, np.nan)
        return {
            "threads": threads,
            "replies": np.bincount(at, table.done[own] - 1, groups) / some,
            "breaking": np.bincount(at, table.breach[own, 0] >= 0, groups) / some,
            "broken": np.bincount(at, table.broken[own], groups) / some,
            "versions": np.array([len(chain) for chain in self.designs], np.float64),
            "branches": np.bincount(table.groups[table.sort != Sort.OPENED], minlength=groups).astype(np.float64),
        }

    def state(self, groups: Groups | None = None) -> State:
        return {
            "table": self.table.state(),
            "posts": self.posts.state(),
            "designs": {str(group): chain.plain() for group, chain in enumerate(self.designs)},
        }

    def load(self, state: State, groups: Groups | None = None) -> None:
        if not state:
            return
        self.table.load(state["table"])
        self.posts.load(state["posts"])
        self.designs = [Designs.of(state["designs"][str(group)]) for group in range(len(state["designs"]))]
        self.fresh = {}
        self._forget()

    def _slot(self, row: int, at: int) -> Slot:
        if (known := self._slots.get((row, at))) is not None:
            return known
        table = self.table
        path: list[tuple[int, str]] = []
        above = int(table.parent[row, at])
        while above >= 0:
            path.append((int(table.speaker[row, above]), self.text(row, above)))
            above = int(table.parent[row, above])
        author = int(table.speaker[row, at])
        version = self.designs[int(table.groups[row])][int(table.version[row])]
        breach, draw = int(table.breach[row, at]), int(table.draw[row, at])
        made = Slot(version, author, *self._person(author), breach, tuple(reversed(path)), draw, self.rules.setting)
        self._slots[row, at] = made
        return made

    def _person(self, agent: int) -> tuple[str, str, str]:
        """Name, phrase and behaviour."""
        if (known := self._people.get(agent)) is None:
            members = self.world.population[MEMBER]
            row = int(self.world.population.row_of(np.array([agent]))[0])
            words = [str(members[column][row]) if column in members else "" for column in ("name", "phrase", "behaviour")]
            known = self._people[agent] = (words[0] or f"{MEMBER} {agent}", words[1], words[2])
        return known

    def _forget(self) -> None:
        """What was worked out for one moment, and may be otherwise in the next."""
        self._slots.clear()
        self._people.clear()

    def _keep(self, rows: Ints) -> None:
        table = self.table
        own = (self.casting.positions < table.done[rows, None]) & (table.post[rows] < 0)
        which, at = np.nonzero(own)
        mine = rows[which]
        ids = len(self.posts) + np.arange(len(mine))
        table.post[mine, at] = ids
        texts = [self.fresh[row][place] for row, place in zip(mine.tolist(), at.tolist(), strict=True)]
        parents = table.parent[mine, at]
        above = np.where(parents >= 0, table.post[mine, np.maximum(parents, 0)], -1)
        self.posts.append(
            table.speaker[mine, at],
            self.world.clock.time,
            np.where(at == 0, Kind.POST, Kind.COMMENT),
            texts,
            original=np.where(at == 0, -1, table.post[mine, 0]),
            parent=above,
        )
        np.add.at(self.posts.comments, above[above >= 0], 1)

    def _row(self, group: int, thread: int) -> int:
        if not 0 <= group < self.world.groups:
            raise UsageError(f"there is no group {group}; there are 0 to {self.world.groups - 1}")
        return self.table.row(group, thread)

    def _groups(self, groups: Sequence[int] | None) -> list[int]:
        wanted = range(self.world.groups) if groups is None else groups
        if outside := [group for group in wanted if not 0 <= group < self.world.groups]:
            raise UsageError(f"there is no group {outside[0]}; there are 0 to {self.world.groups - 1}")
        return [group for group in wanted if self.world.active[group]]


def cleaned(text: str) -> str:
    """As it is kept: without blanks around it, and without lone surrogates, which are no characters."""
    return str(text).strip().encode("utf-8", "replace").decode()
