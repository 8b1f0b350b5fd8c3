"""What users feel and where they stand on one event: an emotion in three levels that fades, an attitude for or against.

As in S3 (arXiv 2307.14984). Who reads says what it now holds (``hold``); who says nothing in a step is a level calmer with some chance.
What a message carries is what its author held when it was sent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from sociarium.environments.columnar import Cells, ColumnarEnvironment, first_rows
from sociarium.environments.wording import Wording
from sociarium.kernel.actions import ActionTable, Integer, action, operation
from sociarium.kernel.content import Block, Content
from sociarium.kernel.environment import AgentIds, Events, Groups, News, Outcome
from sociarium.kernel.errors import UsageError
from sociarium.kernel.turn import Observations, Turn

Array = NDArray[Any]
Bools = NDArray[np.bool_]
Small = NDArray[np.int8]

LEVELS = ("calm", "moderate", "intense")
SIDES = ("negative", "positive")
UNSAID = -1


@dataclass(frozen=True, slots=True)
class StanceWording(Wording):
    """Places: emotion and attitude, as words."""

    state: str = "What you feel about it now: $emotion. Your attitude now: $attitude."
    calm: str = "calm"
    moderate: str = "moderate"
    intense: str = "intense"
    negative: str = "negative"
    positive: str = "positive"

    PLACES: ClassVar[Mapping[str, frozenset[str]]] = {
        "state": frozenset({"emotion", "attitude"}),
        **dict.fromkeys((*LEVELS, *SIDES), frozenset[str]()),
    }


class Stances(ColumnarEnvironment):
    """``fading``: the chance a step that the emotion of one who holds nothing anew falls by a level. ``voices``: events of other
    environments by which users voice what they hold; whoever holds or voices something is aware. ``keep``: whether each ``held`` is
    recorded whole.

    Users begin with the population's columns ``emotion`` (0 to 2) and ``attitude`` (0 or 1) where it has them, else calm and negative.
    """

    name: ClassVar[str] = "stances"

    emotion: Small  # (users,)
    attitude: Small
    aware: Bools
    held: Bools  # whether it held something in this tick
    said_emotion: Small  # what its last message carried, ``UNSAID`` where it sent none
    said_attitude: Small
    voiced: NDArray[np.int64]  # messages of the last tick that had any, by level of their author: (groups, levels)
    voiced_at: NDArray[np.int64]  # that tick

    def __init__(
        self,
        *,
        fading: float = 0.1,
        voices: Sequence[str] = ("platform.posted", "platform.reposted", "platform.quoted"),
        keep: bool = True,
        wording: StanceWording | None = None,
    ) -> None:
        if not 0 <= fading <= 1:
            raise UsageError(f"fading is {fading}; it is a chance, from 0 to 1")
        self.fading, self.voices, self.keep = fading, frozenset(voices), keep
        self.wording = wording or StanceWording()
        self.group_cells = {"voiced": Cells(np.int64, 0, (len(LEVELS),)), "voiced_at": Cells(np.int64, -1)}
        self.agent_cells = {
            "emotion": Cells(np.int8),
            "attitude": Cells(np.int8),
            "aware": Cells(np.bool_),
            "held": Cells(np.bool_),
            "said_emotion": Cells(np.int8, UNSAID),
            "said_attitude": Cells(np.int8, UNSAID),
        }

    def begin(self, groups: Groups) -> None:
        self._first(self.agents_of(groups))

    def admit(self, agents: AgentIds) -> None:
        super().admit(agents)
        self._first(agents)

    def observe(self, turn: Turn) -> Mapping[str, Array]:
        """emotion (0 to 2) and attitude (0 or 1), one's own; aware."""
        agents = turn.agents
        return {"emotion": self.emotion[agents], "attitude": self.attitude[agents], "aware": self.aware[agents]}

    def describe(self, seen: Observations, row: int) -> Content:
        columns, say = seen[self.name], self.wording.say
        words = {"emotion": say(LEVELS[int(columns["emotion"][row])]), "attitude": say(SIDES[int(columns["attitude"][row])])}
        return (Block(say("state", **words), origin=self.name),)

    @action(
        "Say what you feel and where you stand now.",
        emotion=Integer(0, len(LEVELS) - 1, doc="0 calm, 1 moderate, 2 intense"),
        attitude=Integer(0, len(SIDES) - 1, doc="0 negative, 1 positive"),
    )
    def hold(self, turn: Turn, seen: Observations, table: ActionTable) -> Outcome:
        """Once a turn. It does not fade in this step."""
        outcome, first = Outcome(), first_rows(table.agents)
        if not first.all():
            outcome.refuse(f"{self.name}.hold", table.agents[~first], "you have said so already in this turn")
            table = table.where(first)
        who = table.agents
        told = {"was_emotion": self.emotion[who], "was_attitude": self.attitude[who], **table.columns}
        self.emotion[who], self.attitude[who] = table["emotion"], table["attitude"]
        self.held[who] = self.aware[who] = True
        if len(who):
            outcome.events.append(Events("held", who, told, "own", kept=self.keep))
        return outcome

    @operation("Set what some users feel or where they stand.")
    def set_stance(self, agents: Sequence[int], emotion: int | None = None, attitude: int | None = None) -> Outcome:
        who = np.asarray(agents, np.int64)
        for name, value, most in (("emotion", emotion, len(LEVELS)), ("attitude", attitude, len(SIDES))):
            if value is not None:
                if not 0 <= value < most:
                    raise UsageError(f"set_stance: {name} is {value}; it must be from 0 to {most - 1}")
                getattr(self, name)[who] = value
        return Outcome()

    def notice(self, events: Sequence[News]) -> None:
        """Who sends a message voices what it holds, and is aware."""
        tick = self.world.clock.tick
        for news in events:
            if news.kind in self.voices and len(news):
                who, groups = news.actors, np.asarray(news.groups, np.int64)
                self.said_emotion[who], self.said_attitude[who] = self.emotion[who], self.attitude[who]
                self.aware[who] = True
                stale = np.unique(groups[self.voiced_at[groups] != tick])
                self.voiced[stale], self.voiced_at[stale] = 0, tick
                np.add.at(self.voiced, (groups, self.emotion[who].astype(np.int64)), 1)

    def advance(self, to: int) -> Outcome | None:
        """Emotions of those who held nothing in this step may fall by a level."""
        stirred = self.world.awake()
        stirred = stirred[(self.emotion[stirred] > 0) & ~self.held[stirred]]
        if self.fading > 0 and len(stirred):
            drawn = self.world.randomness.stream("stances.fading", self.world.clock.tick).uniform(stirred)
            self.emotion[stirred[drawn < self.fading]] -= 1
        self.held[:] = False
        return None

    def measures(self) -> Mapping[str, Array]:
        """A group, of those present: reach (share aware), emotion (mean level / 2 over all users), voiced (the same over the messages sent
        in this tick), messages (how many), positive (share of the aware), and the shares among the aware of each attitude with each
        level."""
        counts = self._counted()  # (groups, aware, attitude, emotion)
        everyone, cells = counts.sum(axis=(1, 2, 3)), counts[:, 1]
        knowing = cells.sum(axis=(1, 2))
        messages = np.where(self.voiced_at == self.world.clock.tick, self.voiced.sum(axis=1), 0)
        half = np.arange(len(LEVELS)) / 2.0
        with np.errstate(invalid="ignore", divide="ignore"):
            found: dict[str, Array] = {
                "reach": knowing / everyone,
                "emotion": counts.sum(axis=(1, 2)) @ half / everyone,
                "voiced": np.where(messages > 0, self.voiced @ half / messages, np.nan),
                "messages": messages,
                "positive": cells[:, 1].sum(axis=1) / knowing,
            }
            for side, level in np.ndindex(len(SIDES), len(LEVELS)):
                found[f"{SIDES[side]}_{LEVELS[level]}"] = cells[:, side, level] / knowing
        return found

    def _counted(self) -> NDArray[np.int64]:
        """How many of those present hold what: (groups, unaware or aware, attitudes, emotions)."""
        shape = (self.world.groups, 2, len(SIDES), len(LEVELS))
        present = self.world.population.ids()
        where: Any = slice(None) if len(present) == len(self.aware) else present
        code = self.aware[where].astype(np.int64)
        for column, most in ((self.attitude, len(SIDES)), (self.emotion, len(LEVELS))):
            code *= most
            code += column[where]
        if shape[0] > 1:
            code += self.group_of(present) * (2 * len(SIDES) * len(LEVELS))
        return np.bincount(code, minlength=int(np.prod(shape))).reshape(shape)

    def _first(self, agents: AgentIds) -> None:
        population = self.world.population
        for name, most in (("emotion", len(LEVELS)), ("attitude", len(SIDES))):
            if len(agents) and all(name in table for table in population):
                given = np.asarray(population.get(agents, name), np.int64)
                if not 0 <= given.min() <= given.max() < most:
                    raise UsageError(f"the population's column {name} has {given.min()} to {given.max()}; it must be from 0 to {most - 1}")
                getattr(self, name)[agents] = given
