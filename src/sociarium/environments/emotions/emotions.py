"""What each agent feels, as state of the world: it fades when one wakes, is stirred by what one takes in, and passes on from those one saw.

The order of a tick is that of POSIM (arXiv 2603.23884): who acts has faded before it decides; its stirring is added when it has decided;
when all have acted, everybody leans to the authors of what it was shown.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sociarium.environments.columnar import Cells, ColumnarEnvironment
from sociarium.environments.emotions.levels import POSIM, EmotionRules, caught, faded, stirred
from sociarium.environments.wording import Wording
from sociarium.kernel.actions import Actions, ActionTable, Vector, action, operation
from sociarium.kernel.content import Block, Content
from sociarium.kernel.environment import Events, Groups, Outcome
from sociarium.kernel.errors import UsageError
from sociarium.kernel.turn import Observations, Turn, TurnKind

Array = NDArray[Any]
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

Exposures = Callable[[], tuple[Ints, Ints]]
"""Who saw whom in this tick: readers and authors, a pair each post that was shown."""


@dataclass(frozen=True, slots=True)
class EmotionWording(Wording):
    """``state`` words all levels; ``level`` one of them."""

    PLACES: ClassVar[Mapping[str, frozenset[str]]] = {
        "state": frozenset({"levels", "low", "high"}),
        "level": frozenset({"emotion", "level"}),
    }

    state: str = "What you feel now, from $low to $high: $levels."
    level: str = "$emotion $level"


class Emotions(ColumnarEnvironment):
    """``exposures`` says at the end of each tick who saw whom; without it nothing is catching. ``start``: other first levels than the
    rules', one an emotion, or (agents, emotions).
    """

    name: ClassVar[str] = "emotions"

    levels: Floats  # (agents, emotions)

    def __init__(
        self,
        rules: EmotionRules = POSIM,
        *,
        exposures: Exposures | None = None,
        start: ArrayLike | None = None,
        wording: EmotionWording | None = None,
    ) -> None:
        self.rules = rules
        self.exposures = exposures
        self.start = None if start is None else np.asarray(start, np.float64)
        self.wording = wording or EmotionWording()
        if self.start is not None and (self.start.shape[-1:] != (len(rules.names),) or self.start.ndim > 2):
            raise UsageError(f"emotions begin with one level each of {', '.join(rules.names)}, for all or for each agent")
        if self.start is not None and not ((self.start >= rules.low) & (self.start <= rules.high)).all():
            raise UsageError(f"emotions lie from {rules.low:g} to {rules.high:g}")
        self.group_cells: Mapping[str, Cells] = {}
        self.agent_cells = {"levels": Cells(np.float64, float(rules.start), (len(rules.names),))}

    def begin(self, groups: Groups) -> None:
        if self.start is None:
            return
        agents = self.agents_of(groups)
        if self.start.ndim == 2 and len(self.start) < len(self.world.population):
            raise UsageError(f"emotions of {len(self.start)} agents are given, and there are {len(self.world.population)}")
        self.levels[agents] = self.start if self.start.ndim == 1 else self.start[agents]

    def observe(self, turn: Turn) -> Mapping[str, Array]:
        """One column an emotion: what each feels on waking, faded since it last was awake."""
        now = faded(self.levels[turn.agents], self.rules)
        return {name: now[:, column] for column, name in enumerate(self.rules.names)}

    def describe(self, seen: Observations, row: int) -> Content:
        columns = seen[self.name]
        each = ", ".join(self.wording.say("level", emotion=name, level=round(float(columns[name][row]), 2)) for name in self.rules.names)
        return (Block(self.wording.say("state", levels=each, low=self.rules.low, high=self.rules.high), origin=self.name),)

    def apply(self, turn: Turn, seen: Observations, actions: Actions) -> Outcome:
        """All who were awake have faded, whether or not anything stirs them. A survey leaves nothing."""
        if turn.kind == TurnKind.PROBE:
            return super().apply(turn, seen, Actions())
        self.levels[turn.agents] = faded(self.levels[turn.agents], self.rules)
        return super().apply(turn, seen, actions)

    @action(
        "Say how far what you have just taken in stirs each of your emotions.",
        by=Vector(6, doc="happiness, sadness, anger, fear, surprise, disgust: 0 not at all, 1 as far as can be"),
    )
    def stir(self, turn: Turn, seen: Observations, table: ActionTable) -> Outcome:
        """``min(high, level + stimulus * by)``, of several rows their sum. Heard by nobody; the record keeps what came of it."""
        who, place = np.unique(table.agents, return_inverse=True)
        total = np.zeros((len(who), len(self.rules.names)))
        np.add.at(total, place, table["by"])
        self.levels[who] = stirred(self.levels[who], total, self.rules)
        return Outcome([Events("stirred", table.agents, {"levels": self.levels[table.agents]}, "nobody")])

    @operation("Set what some agents feel: one level an emotion, or (agents, emotions).")
    def feel(self, agents: Sequence[int], levels: Any) -> Outcome:
        given = np.asarray(levels, np.float64)
        if not ((given >= self.rules.low) & (given <= self.rules.high)).all():
            raise UsageError(f"emotions.feel: levels lie from {self.rules.low:g} to {self.rules.high:g}")
        self.levels[np.asarray(agents, np.int64)] = given
        return Outcome()

    def advance(self, to: int) -> Outcome | None:
        """Everybody leans to the authors of what it was shown in this tick, as they felt when all had acted."""
        if self.exposures is not None and self.rules.contagion > 0:
            readers, authors = self.exposures()
            self.levels = caught(self.levels, readers, authors, self.rules)
        return None

    def measures(self) -> Mapping[str, Array]:
        """The mean level of each emotion over those present in a group."""
        present = self.world.population.ids()
        group, size = self.group_of(present), self.world.groups
        count = np.bincount(group, minlength=size)
        with np.errstate(invalid="ignore", divide="ignore"):
            return {
                name: np.bincount(group, weights=self.levels[present, column], minlength=size) / count
                for column, name in enumerate(self.rules.names)
            }
