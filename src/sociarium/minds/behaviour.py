"""From what is believed of a group to what its members do: chances, levels and mixes, drawn for all members at once.

The same ``Behaviours`` serve a heuristic (``HeuristicMind``), archetypes that a model answers for (``ArchetypeMind``), and whatever else
gives chances. They draw from the same streams, so that minds with equal chances make the same agents act.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sociarium.kernel.actions import Actions
from sociarium.kernel.errors import UsageError
from sociarium.kernel.mind import Mind
from sociarium.kernel.randomness import Stream
from sociarium.kernel.turn import Observations, Turn
from sociarium.minds.grouping import CHUNK

Array = NDArray[Any]
Floats = NDArray[np.float64]
AgentIds = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Chance:
    """A share in [0, 1]: each member draws yes or no by it."""

    name: str
    doc: str = ""

    width = 1

    def schema(self) -> dict[str, Any]:
        return {"type": "number", "minimum": 0, "maximum": 1} | ({"description": self.doc} if self.doc else {})

    def read(self, value: Any) -> Floats | None:
        return np.array([float(value)])


@dataclass(frozen=True, slots=True)
class Level:
    """A number that each member takes as it is: a share spent, a price asked."""

    name: str
    low: float = 0.0
    high: float = 1.0
    doc: str = ""

    width = 1

    def schema(self) -> dict[str, Any]:
        return {"type": "number", "minimum": self.low, "maximum": self.high} | ({"description": self.doc} if self.doc else {})

    def read(self, value: Any) -> Floats | None:
        return np.array([float(value)])


@dataclass(frozen=True, slots=True)
class Mix:
    """A share for each of several options: each member draws one. ``values``: what an action is given for each (the texts, where empty)."""

    name: str
    options: tuple[str, ...]
    values: tuple[Any, ...] = ()
    doc: str = ""

    def __post_init__(self) -> None:
        if len(self.options) < 2 or len(set(self.options)) < len(self.options):
            raise UsageError(f"the mix {self.name!r} needs two or more different options; got {', '.join(self.options) or 'none'}")
        if self.values and len(self.values) != len(self.options):
            raise UsageError(f"the mix {self.name!r} has {len(self.options)} options and {len(self.values)} values; give one each")

    @property
    def width(self) -> int:
        return len(self.options)

    def schema(self) -> dict[str, Any]:
        share = {"type": "number", "minimum": 0}
        shares = {"type": "object", "properties": dict.fromkeys(self.options, share), "required": list(self.options)}
        return shares | {"additionalProperties": False} | ({"description": self.doc} if self.doc else {})

    def read(self, value: Any) -> Floats | None:
        """Shares that sum to 1; None where all are 0."""
        given = cast("Mapping[str, Any]", value)
        shares = np.array([float(given[option]) for option in self.options])
        try:
            total = math.fsum(shares)
        except OverflowError:  # each a number, and together beyond what a float holds
            shares = shares / shares.max()
            total = math.fsum(shares)
        return shares / total if 0.0 < total < math.inf else None

    def column(self) -> Array:
        """What an action is given, by the number of the option."""
        out: Array = np.empty(len(self.options), object)
        out[:] = self.values or self.options
        return out if not self.values or isinstance(self.values[0], str) else np.array(self.values)


Answer = Chance | Level | Mix


@dataclass(frozen=True, slots=True)
class Behaviour:
    """One action that members take.

    ``when``: only those who drew yes on this chance, or ``option`` of this mix; all, where it is empty. ``arguments`` of the action by
    the name of an answer: yes or no of a chance, the number of a level, the value of a mix's option. ``fixed``: the other arguments.
    """

    action: str
    when: str = ""
    option: str = ""
    arguments: Mapping[str, str] = field(default_factory=dict[str, str])
    fixed: Mapping[str, Any] = field(default_factory=dict[str, Any])


class Behaviours:
    """What is asked about a group, and what its members do by it. One action may be named once."""

    def __init__(self, answers: Sequence[Answer], behaviours: Sequence[Behaviour]) -> None:
        self.answers = {answer.name: answer for answer in answers}
        self.behaviours = tuple(behaviours)
        if len(self.answers) < len(answers) or not answers:
            raise UsageError("behaviours need answers, each with a name of its own")
        for one in self.behaviours:
            for name in (*([one.when] if one.when else []), *one.arguments.values()):
                if name not in self.answers:
                    raise UsageError(
                        f"the behaviour {one.action!r} takes {name!r}, which is no answer; there are {', '.join(self.answers)}"
                    )
            when = self.answers.get(one.when)
            if (
                isinstance(when, Level)
                or (isinstance(when, Mix) and one.option not in when.options)
                or (one.option and not isinstance(when, Mix))
            ):
                raise UsageError(f"the behaviour {one.action!r}: when must be a chance, or a mix with one of its options")

    def suit(self, turn: Turn) -> bool:
        """Whether any of the actions is on offer."""
        return any(turn.offered(one.action) for one in self.behaviours)

    def actions(self, turn: Turn, shares: Mapping[str, Floats], which: Array | None = None) -> Actions:
        """What the agents of a turn do.

        ``shares`` by answer, one row a group, (groups,) or (groups, options), and ``which`` the group of each agent; without ``which`` one
        row an agent. A group whose row is not a number does nothing.
        """
        drawn = {name: self._drawn(answer, shares[name], which, turn) for name, answer in self.answers.items() if self._used(name, turn)}
        able = self._able(shares, which, len(turn.agents))
        actions = Actions()
        for one in self.behaviours:
            if not turn.offered(one.action):
                continue
            acting = self._acting(one, drawn)
            acting = able if acting is None else acting if able is None else acting & able
            rows = None if acting is None else np.flatnonzero(acting)  # to take rows is four times as fast as to mask them
            agents = turn.agents if rows is None else turn.agents.take(rows)
            columns: dict[str, ArrayLike] = dict(one.fixed)
            for argument, name in one.arguments.items():
                answer, column = self.answers[name], drawn[name]
                column = column if rows is None else column.take(rows)
                columns[argument] = answer.column()[column] if isinstance(answer, Mix) else column
            actions.add(turn, one.action, agents, **columns)
        return actions

    def _used(self, name: str, turn: Turn) -> bool:
        return any(turn.offered(one.action) and (name == one.when or name in one.arguments.values()) for one in self.behaviours)

    def _drawn(self, answer: Answer, shares: Floats, which: Array | None, turn: Turn) -> Array:
        stream = turn.random("behaviour").at(answer.name)
        if isinstance(answer, Chance):
            return bernoulli(shares, which, stream, turn.agents)
        if isinstance(answer, Mix):
            return categorical(shares, which, stream, turn.agents)
        return np.broadcast_to(shares, turn.agents.shape) if which is None else shares.take(which)

    def _acting(self, one: Behaviour, drawn: Mapping[str, Array]) -> NDArray[np.bool_] | None:
        if not one.when:
            return None
        answer = self.answers[one.when]
        return drawn[one.when] == answer.options.index(one.option) if isinstance(answer, Mix) else drawn[one.when]

    def _able(self, shares: Mapping[str, Floats], which: Array | None, size: int) -> NDArray[np.bool_] | None:
        rows = np.zeros(1, np.bool_)
        for name in self.answers:
            missing = np.isnan(np.atleast_1d(shares[name]))
            rows = rows | (missing.any(axis=1) if missing.ndim > 1 else missing)
        if not rows.any():
            return None
        return ~(np.broadcast_to(rows, size) if which is None else rows.take(which))


def bernoulli(shares: Floats, which: Array | None, stream: Stream, agents: AgentIds) -> NDArray[np.bool_]:
    """Yes or no for each agent, by the share of its group (or its own)."""
    out = np.empty(len(agents), np.bool_)
    for start in range(0, len(agents), CHUNK):
        at = slice(start, start + CHUNK)
        mine = shares.take(which[at]) if which is not None else shares[at] if shares.ndim else shares
        np.less(stream.uniform(agents[at]), mine, out=out[at])
    return out


def categorical(shares: Floats, which: Array | None, stream: Stream, agents: AgentIds) -> NDArray[np.int16]:
    """The number of an option for each agent; shares are (groups, options), (agents, options) or (options,)."""
    upper = np.cumsum(shares, axis=-1)
    with np.errstate(invalid="ignore"):  # a group that does nothing is not a number
        upper = np.ascontiguousarray((upper / upper[..., -1:])[..., :-1].T)  # (options - 1, groups): the last option takes the rest
    out = np.zeros(len(agents), np.int16)
    for start in range(0, len(agents), CHUNK):
        at = slice(start, start + CHUNK)
        drawn = stream.uniform(agents[at])
        for edge in upper:
            out[at] += drawn >= (edge.take(which[at]) if which is not None else edge[at] if edge.ndim else edge)
    return out


Heuristic = Callable[[Turn, Observations], Mapping[str, ArrayLike]]


class HeuristicMind(Mind):
    """A fixed rule that gives chances: ``rule(turn, seen)`` returns shares by answer, one row an agent or one for all."""

    def __init__(self, rule: Heuristic, behaviours: Behaviours) -> None:
        self.rule = rule
        self.behaviours = behaviours

    async def decide(self, turn: Turn, seen: Observations) -> Actions:
        if not self.behaviours.suit(turn):
            return Actions()
        given = self.rule(turn, seen)
        shares = {name: np.asarray(given[name], np.float64) for name in self.behaviours.answers}
        for name, answer in self.behaviours.answers.items():
            _refuse_improper(answer, shares[name])
        return self.behaviours.actions(turn, shares)


def _refuse_improper(answer: Answer, shares: Floats) -> None:
    if isinstance(answer, Level) or shares.size == 0:
        return
    low, high = float(shares.min()), float(shares.max())
    if not (low >= 0.0 and (high <= 1.0 if isinstance(answer, Chance) else high < math.inf)):
        raise UsageError(f"a heuristic gave shares from {low:g} to {high:g} for {answer.name!r}; they must lie between 0 and 1")
