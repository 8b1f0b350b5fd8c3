"""Talks of people who have met: two or a few, begun by whoever finds that they meet, over when one ends it or leaves.

Each talk is a lane of its own. It is played to its end within one tick, as in Generative Agents, or a few lines a tick
(``pace``), so that others can join it and things can interrupt it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property
from math import ceil
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from sociarium.environments.columnar import first_rows, names_of
from sociarium.environments.wording import Wording
from sociarium.kernel.actions import Actions, ActionSpec, ActionTable, Flag, Text, action, bounded, operation
from sociarium.kernel.content import Block, Content, said
from sociarium.kernel.environment import AgentIds, Environment, Events, Groups, Outcome, State
from sociarium.kernel.errors import UsageError
from sociarium.kernel.turn import Lanes, Moment, Observations, Phase, Turn
from sociarium.kernel.world import World

Array = NDArray[Any]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class ChatRules:
    """``rounds``: utterances each at most. ``pace``: lines a tick; 0 plays a talk to its end at once. ``most``: people in one talk.

    How long a talk took, in simulated minutes: its characters / ``characters_a_word`` / ``words_a_minute``, rounded up (the
    released code of Generative Agents takes 8 and 30).
    """

    rounds: int = 8
    pace: int = 0
    most: int = 2
    longest: int = 1000  # characters of one utterance
    characters_a_word: int = 8
    words_a_minute: int = 30

    def __post_init__(self) -> None:
        least = {"rounds": 1, "pace": 0, "most": 2, "longest": 1, "characters_a_word": 1, "words_a_minute": 1}
        for name, low in least.items():
            if getattr(self, name) < low:
                raise UsageError(f"ChatRules: {name} is {getattr(self, name)}; it must be {low} or more")

    def minutes(self, characters: int) -> int:
        return max(1, ceil(ceil(characters / self.characters_a_word) / self.words_a_minute))


@dataclass(frozen=True, slots=True)
class ChatWording(Wording):
    """How a talk is shown to who speaks next."""

    PLACES: ClassVar[Mapping[str, frozenset[str]]] = {
        "people": frozenset({"name", "people", "about"}),
        "about": frozenset({"about"}),
        "nothing": frozenset({"name"}),
        "line": frozenset({"name", "text"}),
        "left": frozenset({"left"}),
    }

    people: str = "$name is talking with $people."
    about: str = "What it began with: $about"
    nothing: str = "Nothing has been said yet; $name begins."
    line: str = "$name: $text"
    left: str = "At most $left more can be said in this talk."


@dataclass(slots=True)
class Chat:
    """One talk. ``members`` speak in this order; ``place`` is the next to speak."""

    members: list[int]
    about: str = ""
    place: int = 0
    speakers: list[int] = field(default_factory=list[int])
    texts: list[str] = field(default_factory=list[str])
    silent: int = 0  # turns in a row in which nothing was said
    over: bool = False

    @property
    def characters(self) -> int:
        return sum(map(len, self.texts))

    def plain(self) -> dict[str, Any]:
        data = {part.name: getattr(self, part.name) for part in fields(self)}
        return {**data, "members": list(self.members), "speakers": list(self.speakers), "texts": list(self.texts)}

    @classmethod
    def of(cls, plain: Mapping[str, Any]) -> Chat:
        values: dict[str, Any] = {**plain, **{name: list(plain[name]) for name in ("members", "speakers", "texts")}}
        return cls(**values)


@dataclass(frozen=True, slots=True, order=True)
class Line:
    """What was said in a talk: ``place`` counts the lines of the talk, ``hearers`` are all others in it."""

    chat: int
    place: int
    speaker: int
    hearers: tuple[int, ...]
    text: str


class Chats(Environment):
    """Talks by the id of one who began them (the first speaker's, unless another talk still has it), which names the lane too."""

    name: ClassVar[str] = "chats"

    def __init__(self, rules: ChatRules | None = None, wording: ChatWording | None = None) -> None:
        self.rules = rules or ChatRules()
        self.wording = wording or ChatWording()
        self.chats: dict[int, Chat] = {}
        self.of: dict[int, int] = {}  # agent -> its talk
        self.lines: list[Line] = []  # of this tick, for environments that listen; no part of the state

    def spoken(self) -> list[Line]:
        """What has been said in this tick, by talk, then in order."""
        return sorted(self.lines)

    def reset(self, world: World, groups: Groups) -> None:
        super().reset(world, groups)
        for chat in [number for number in self.chats if int(world.population.get(np.array([number]), "group")[0]) in groups]:
            self._forget(chat)

    def open(self, members: Sequence[int], about: str = "") -> None:
        """Begin a talk among agents who are in none; the first speaks first. Call it from one lane, or at the end of a tick."""
        if len(set(members)) != len(members) or not 2 <= len(members) <= self.rules.most or any(agent in self.of for agent in members):
            raise UsageError(f"a talk needs 2 to {self.rules.most} people who are in no other talk, not {list(members)}")
        number = next((agent for agent in members if agent not in self.chats), -1)
        if number < 0:
            raise UsageError(f"talks that {list(members)} began go on without them; end these first")
        self.chats[number] = Chat(list(members), about)
        for agent in members:
            self.of[agent] = number

    def join(self, agent: int, other: int) -> bool:
        """Let an agent into the talk of another; False where it is full or over."""
        chat = self.chats.get(self.of.get(other, -1))
        if chat is None or chat.over or agent in self.of or len(chat.members) >= self.rules.most:
            return False
        chat.members.append(agent)
        self.of[agent] = self.of[other]
        return True

    @operation("Break off the talks of these agents: what was said stays said.")
    def interrupt(self, agents: Iterable[int]) -> None:
        """They end with this tick; a talk that is played to its end at once (``pace`` 0) is over before anything can come between."""
        for agent in agents:
            if (chat := self.chats.get(self.of.get(int(agent), -1))) is not None:
                chat.over = True

    @cached_property
    def _specs(self) -> tuple[ActionSpec, ...]:
        return tuple(bounded(s, "text", longest=self.rules.longest) if s.name == "say" else s for s in super().actions())

    def actions(self) -> tuple[ActionSpec, ...]:
        return self._specs

    def lanes(self, phase: Phase, awake: AgentIds, moment: Moment) -> Lanes:
        """A talk is a lane. Who is not awake hears, and is not asked."""
        agents = np.array(sorted((chat, agent) for agent, chat in self.of.items()), np.int64).reshape(-1, 2)
        return Lanes.by(moment, np.ascontiguousarray(agents[:, 1]), np.ascontiguousarray(agents[:, 0]))

    def turn(self, phase: Phase, lanes: Lanes) -> Turn | None:
        going = [n for n, played in zip(lanes.ids.tolist(), lanes.played.tolist(), strict=True) if self._goes_on(n, played)]
        if not going:
            return None
        return lanes.turn(np.array([self._speaker(self.chats[number]) for number in going]), np.array(going))

    def observe(self, turn: Turn) -> Mapping[str, Array]:
        """other: who spoke last, or the first of the others (-1: in no talk); lines; participants; turns_left."""
        rows = [self.chats.get(self.of.get(agent, -1)) for agent in turn.agents.tolist()]
        return {
            "other": np.array([_other(c, a) for c, a in zip(rows, turn.agents.tolist(), strict=True)], np.int64),
            "lines": np.array([0 if chat is None else len(chat.texts) for chat in rows], np.int64),
            "participants": np.array([0 if chat is None else len(chat.members) for chat in rows], np.int64),
            "turns_left": np.array([0 if chat is None else self._left(chat) for chat in rows], np.int64),
        }

    def describe(self, seen: Observations, row: int) -> Content:
        agent = int(seen.turn.agents[row])
        chat = self.chats.get(self.of.get(agent, -1))
        if chat is None:
            return ()
        people = sorted({*chat.members, *chat.speakers})
        names = dict(zip(people, names_of(self.world.population, np.array(people)), strict=True))
        others = ", ".join(names[member] for member in chat.members if member != agent)
        blocks = [Block(self.wording.say("people", name=names[agent], people=others, about=chat.about), origin=self.name)]
        if chat.about:
            blocks.append(said(self.wording.say("about", about=chat.about), names[chat.members[0]]))
        if not chat.texts:
            blocks.append(Block(self.wording.say("nothing", name=names[agent]), origin=self.name))
        for speaker, text in zip(chat.speakers, chat.texts, strict=True):
            blocks.append(said(self.wording.say("line", name=names[speaker], text=text), names[speaker]))
        blocks.append(Block(self.wording.say("left", left=self._left(chat)), origin=self.name))
        return tuple(block for block in blocks if block.text)

    @action("Say something in this talk.", text=Text(doc="what you say"), end=Flag(doc="whether the talk ends with it"))
    def say(self, turn: Turn, seen: Observations, table: ActionTable) -> Outcome:
        outcome = Outcome()
        first = first_rows(table.agents)
        if not first.all():
            outcome.refuse(f"{self.name}.say", table.agents[~first], "one statement a turn")
            table = table.where(first)
        if not len(table):
            return outcome
        heard: list[AgentIds] = []
        lanes = np.array([self.of[agent] for agent in table.agents.tolist()], np.int64)
        for agent, text, end, lane in zip(
            table.agents.tolist(), table["text"].tolist(), table["end"].tolist(), lanes.tolist(), strict=True
        ):
            chat = self.chats[lane]
            others = tuple(member for member in chat.members if member != agent)
            self.lines.append(Line(lane, len(chat.texts), agent, others, text))
            chat.speakers.append(agent)
            chat.texts.append(text)
            chat.over |= bool(end)
            heard.append(np.array(sorted(chat.members), np.int64))
        outcome.events.append(Events("said", table.agents, dict(table.columns), "some", heard, lanes=lanes))
        return outcome

    @action("Leave this talk.")
    def leave(self, turn: Turn, seen: Observations, table: ActionTable) -> Outcome:
        for agent in table.agents.tolist():
            chat = self.chats[self.of[agent]]
            chat.over |= len(chat.members) <= 2
        stays = [len(self.chats[self.of[agent]].members) > 2 for agent in table.agents.tolist()]
        return self._end(table.agents[np.array(stays, np.bool_)])

    def apply(self, turn: Turn, seen: Observations, actions: Actions) -> Outcome:
        """Every turn moves its talk on, also where nothing was said; two silences in a row end it."""
        if turn.phase.lead != self.name:
            return Outcome()
        before = {lane: len(self.chats[lane].texts) for lane in turn.lanes.tolist()}
        outcome = super().apply(turn, seen, actions)
        for lane, lines in before.items():
            if (chat := self.chats.get(lane)) is None:
                continue
            chat.silent = 0 if len(chat.texts) > lines else chat.silent + 1
            chat.place = (chat.place + 1) % len(chat.members)
            chat.over |= chat.silent >= 2 or self._left(chat) <= 0
        done = [lane for lane in turn.lanes.tolist() if lane in self.chats and self.chats[lane].over]
        for lane in done:
            outcome.add(self._end(np.array(sorted(self.chats[lane].members), np.int64)))
        return outcome

    def advance(self, to: int) -> Outcome | None:
        """Talks that were broken off end here; those that have ended are forgotten."""
        outcome = Outcome()
        self.lines.clear()
        for number in sorted(n for n, chat in self.chats.items() if chat.over and chat.members):
            outcome.add(self._end(np.array(sorted(self.chats[number].members), np.int64)))
        for number in [n for n, chat in self.chats.items() if not chat.members]:
            self._forget(number)
        return outcome if outcome.events else None

    def measures(self) -> Mapping[str, Array]:
        """open: talks that go on in each group."""
        going = np.array([number for number, chat in self.chats.items() if chat.members], np.int64)
        groups = self.world.population.get(going, "group") if len(going) else going
        return {"open": np.bincount(groups, minlength=self.world.groups).astype(np.float64)}

    def state(self, groups: Groups | None = None) -> State:
        kept = [n for n in sorted(self.chats) if groups is None or int(self.world.population.get(np.array([n]), "group")[0]) in groups]
        return {"chats": {str(number): self.chats[number].plain() for number in kept}}

    def load(self, state: State, groups: Groups | None = None) -> None:
        if not state:
            return
        if groups is None:
            self.chats, self.of = {}, {}
        else:
            self.reset(self.world, groups)
        for number, plain in state["chats"].items():
            self.chats[int(number)] = chat = Chat.of(plain)
            for agent in chat.members:
                self.of[agent] = int(number)

    def _end(self, agents: AgentIds) -> Outcome:
        """These agents leave their talks: told to each, with how long it took."""
        if not len(agents):
            return Outcome()
        lanes = np.array([self.of.pop(agent) for agent in agents.tolist()], np.int64)
        chats = [self.chats[lane] for lane in lanes.tolist()]
        others = np.array([_other(chat, agent) for chat, agent in zip(chats, agents.tolist(), strict=True)], np.int64)
        lasted = np.array([self.rules.minutes(chat.characters) for chat in chats], np.int64)
        lines = np.array([len(chat.texts) for chat in chats], np.int64)
        for chat, agent in zip(chats, agents.tolist(), strict=True):
            at = chat.members.index(agent)
            chat.members.remove(agent)
            chat.place = (chat.place - (at < chat.place)) % max(1, len(chat.members))
        data = {"other": others, "minutes": lasted, "lines": lines}
        return Outcome([Events("ended", agents, data, "own", lanes=lanes)])

    def _goes_on(self, number: int, played: int) -> bool:
        chat = self.chats.get(number)
        return chat is not None and not chat.over and len(chat.members) >= 2 and (not self.rules.pace or played < self.rules.pace)

    def _speaker(self, chat: Chat) -> int:
        return chat.members[chat.place]

    def _left(self, chat: Chat) -> int:
        return self.rules.rounds * len(chat.members) - len(chat.texts) - chat.silent

    def _forget(self, number: int) -> None:
        for agent in self.chats.pop(number).members:
            self.of.pop(agent, None)


def _other(chat: Chat | None, agent: int) -> int:
    """Whom an agent talks with: the last other speaker, else the first other member; -1 in no talk."""
    if chat is None:
        return -1
    others = [speaker for speaker in reversed(chat.speakers) if speaker != agent] + [m for m in chat.members if m != agent]
    return others[0] if others else -1
