"""What agents may do and look up: declared once, from which come the columnar call, the JSON schema, and the checks.

class Commons(Environment):
    @action("Harvest from the lake.", quantity=Integer(0, 100, unit="tons"))
    def harvest(self, turn, table): ...
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sociarium.kernel.errors import UsageError
from sociarium.kernel.outcomes import Status

if TYPE_CHECKING:
    from sociarium.kernel.environment import Events
    from sociarium.kernel.turn import Turn

Array = NDArray[Any]
AgentIds = NDArray[np.int64]
Function = TypeVar("Function", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True, kw_only=True)
class Argument:
    """A typed argument. ``private`` ones (intent, inner thought) are recorded and never delivered to others."""

    doc: str = ""
    unit: str = ""
    private: bool = False

    dtype = np.dtype(object)

    def schema(self) -> dict[str, Any]:
        """JSON schema, as a language model is given it."""
        text = f"{self.doc} ({self.unit})" if self.doc and self.unit else self.doc or self.unit
        return {"description": text} if text else {}

    def wrong(self, values: Array) -> NDArray[np.bool_] | None:
        """Which rows are outside the legal set; None when no row is."""
        raise NotImplementedError(type(self).__name__)

    def legal(self) -> str:
        """The legal set in words, for a refusal."""
        return "valid"


@dataclass(frozen=True, slots=True)
class Integer(Argument):
    """A whole number, bounds included."""

    low: int = 0
    high: int = 2**53
    dtype = np.dtype(np.int64)

    def schema(self) -> dict[str, Any]:
        return {"type": "integer", "minimum": self.low, "maximum": self.high} | Argument.schema(self)

    def wrong(self, values: Array) -> NDArray[np.bool_] | None:
        return _outside(values, self.low, self.high)

    def legal(self) -> str:
        return f"a whole number from {self.low} to {self.high}"


@dataclass(frozen=True, slots=True)
class Number(Argument):
    """A finite real number, bounds included."""

    low: float = 0.0
    high: float = 1e300
    dtype = np.dtype(np.float64)

    def schema(self) -> dict[str, Any]:
        return {"type": "number", "minimum": self.low, "maximum": self.high} | Argument.schema(self)

    def wrong(self, values: Array) -> NDArray[np.bool_] | None:
        return _outside(values, self.low, self.high)

    def legal(self) -> str:
        return f"a number from {self.low:g} to {self.high:g}"


@dataclass(frozen=True, slots=True)
class Text(Argument):
    """Words, at most ``longest`` characters."""

    longest: int = 2000

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "maxLength": self.longest} | Argument.schema(self)

    def wrong(self, values: Array) -> NDArray[np.bool_] | None:
        texts = values.tolist()
        if not texts or (set(map(type, texts)) == {str} and max(map(len, texts)) <= self.longest):
            return None
        bad = np.fromiter((not isinstance(v, str) or len(v) > self.longest for v in texts), np.bool_, len(texts))
        return bad if bad.any() else None

    def legal(self) -> str:
        return f"text of at most {self.longest} characters"


@dataclass(frozen=True, slots=True)
class Choice(Argument):
    """One of a few named options."""

    options: tuple[str, ...] = ()

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "enum": list(self.options)} | Argument.schema(self)

    def wrong(self, values: Array) -> NDArray[np.bool_] | None:
        allowed = set(self.options)
        bad = np.fromiter((not isinstance(v, str) or v not in allowed for v in values), np.bool_, len(values))
        return bad if bad.any() else None

    def legal(self) -> str:
        return "one of " + ", ".join(self.options)


@dataclass(frozen=True, slots=True)
class Flag(Argument):
    """Yes or no."""

    dtype = np.dtype(np.bool_)

    def schema(self) -> dict[str, Any]:
        return {"type": "boolean"} | Argument.schema(self)

    def wrong(self, values: Array) -> NDArray[np.bool_] | None:
        return None


@dataclass(frozen=True, slots=True)
class Vector(Argument):
    """Real numbers of a fixed length, one row an agent: (rows, length)."""

    length: int = 1
    low: float = 0.0
    high: float = 1.0
    dtype = np.dtype(np.float64)

    def schema(self) -> dict[str, Any]:
        item = {"type": "number", "minimum": self.low, "maximum": self.high}
        return {"type": "array", "items": item, "minItems": self.length, "maxItems": self.length} | Argument.schema(self)

    def wrong(self, values: Array) -> NDArray[np.bool_] | None:
        if values.ndim != 2 or values.shape[1] != self.length:
            return np.ones(len(values), np.bool_)
        inside: Array = (values >= self.low) & (values <= self.high)
        bad = np.asarray(~inside.all(axis=1), np.bool_)
        return bad if bad.any() else None

    def legal(self) -> str:
        return f"{self.length} numbers from {self.low:g} to {self.high:g}"


@dataclass(frozen=True, slots=True)
class ActionSpec:
    """One action of one environment. ``full`` is its name in a run: ``commons.harvest``."""

    environment: str
    name: str
    doc: str
    arguments: Mapping[str, Argument]

    @property
    def full(self) -> str:
        return f"{self.environment}.{self.name}"

    def schema(self) -> dict[str, Any]:
        """JSON schema of the arguments."""
        properties = {name: argument.schema() for name, argument in self.arguments.items()}
        return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}

    def private(self) -> frozenset[str]:
        return frozenset(name for name, argument in self.arguments.items() if argument.private)


@dataclass(frozen=True, slots=True)
class QuerySpec:
    """Something an agent may look up inside its turn: pure, answered from the world as the turn began."""

    environment: str
    name: str
    doc: str
    arguments: Mapping[str, Argument]

    @property
    def full(self) -> str:
        return f"{self.environment}.{self.name}"


@dataclass(slots=True)
class ActionTable:
    """Rows of one action: any number an agent, in order. Columns are aligned with ``agents``."""

    agents: AgentIds
    columns: dict[str, Array]

    def __len__(self) -> int:
        return len(self.agents)

    def __getitem__(self, name: str) -> Array:
        return self.columns[name]

    def where(self, mask: NDArray[np.bool_]) -> ActionTable:
        return ActionTable(self.agents[mask], {name: column[mask] for name, column in self.columns.items()})


@dataclass(slots=True)
class Actions:
    """What a batch of agents decided: one table an action, and how each agent's turn ended.

    ``status`` and ``fallback`` are aligned with the turn's agents; None means ok for all, and no fallback. ``refused`` holds rows
    that were taken out (by a gate, say), each with the reason its agent is told: action, agents, reason. ``notes`` are events that the
    mind reports of its deciding (what a model said of a group): recorded as ``minds.KIND``, heard by nobody.
    """

    tables: dict[str, ActionTable] = field(default_factory=dict[str, ActionTable])
    status: NDArray[np.uint8] | None = None
    fallback: NDArray[np.bool_] | None = None
    reasons: dict[int, str] = field(default_factory=dict[int, str])
    refused: list[tuple[str, AgentIds, str]] = field(default_factory=list[tuple[str, AgentIds, str]])
    notes: list[Events] = field(default_factory=list["Events"])

    @classmethod
    def one(cls, turn: Turn, name: str, agents: AgentIds | None = None, /, **columns: ArrayLike) -> Actions:
        """One action for all agents of a turn (or for ``agents``). ``name`` is ``harvest`` or ``commons.harvest``; ``columns`` are its
        arguments, whatever they are called."""
        return cls().add(turn, name, turn.agents if agents is None else agents, **columns)

    def add(self, turn: Turn, name: str, agents: AgentIds, /, **columns: ArrayLike) -> Actions:
        spec = turn.offer(name)
        typed = {key: _typed(spec, key, value, len(agents)) for key, value in columns.items()}
        if missing := set(spec.arguments) - set(typed):
            raise UsageError(f"action {spec.full} needs the argument {sorted(missing)[0]!r}")
        table = ActionTable(np.asarray(agents, np.int64), typed)
        self.tables[spec.full] = _joined(self.tables[spec.full], table) if spec.full in self.tables else table
        return self

    def mark(self, turn: Turn, agent_row: int, status: Status, reason: str = "", *, fallback: bool = False) -> None:
        """How the turn of one agent ended (``agent_row`` is its position in ``turn.agents``)."""
        if self.status is None:
            self.status = np.zeros(len(turn.agents), np.uint8)
        if self.fallback is None:
            self.fallback = np.zeros(len(turn.agents), np.bool_)
        self.status[agent_row], self.fallback[agent_row] = status, fallback
        if reason:
            self.reasons[int(turn.agents[agent_row])] = reason

    def refuse(self, name: str, rows: NDArray[np.bool_], reason: str) -> None:
        """Take rows out of the table ``name`` (its full name); their agents are told why."""
        table = self.tables[name]
        self.refused.append((name, table.agents[rows], reason))
        self.tables[name] = table.where(~rows)

    def of(self, environment: str) -> dict[str, ActionTable]:
        """The tables of one environment, under their short names."""
        prefix = environment + "."
        return {name[len(prefix) :]: table for name, table in self.tables.items() if name.startswith(prefix)}


def action(doc: str, **arguments: Argument) -> Callable[[Function], Function]:
    """Declare a method as an action. It is called with (turn, seen, table) and returns an Outcome or None."""
    return _declare("_action", doc, arguments)


def query(doc: str, **arguments: Argument) -> Callable[[Function], Function]:
    """Declare a method as a query. It is called with (agent, **arguments), returns Content, and changes nothing."""
    return _declare("_query", doc, arguments)


def operation(doc: str) -> Callable[[Function], Function]:
    """Declare a method as an operator's action (intervention). Called with plain keyword arguments; returns an Outcome or None."""
    return _declare("_operation", doc, {})


@cache
def declared(owner: type, kind: str) -> dict[str, tuple[str, Mapping[str, Argument]]]:
    """Declared methods of a class by name, base classes first, in order of definition."""
    found: dict[str, tuple[str, Mapping[str, Argument]]] = {}
    for base in reversed(owner.__mro__):
        for name, member in vars(base).items():
            if (mark := getattr(member, kind, None)) is not None:
                found[name] = mark
    return found


def _declare(kind: str, doc: str, arguments: Mapping[str, Argument]) -> Callable[[Function], Function]:
    def mark(function: Function) -> Function:
        setattr(function, kind, (doc, dict(arguments)))
        return function

    return mark


def _outside(values: Array, low: float, high: float) -> NDArray[np.bool_] | None:
    if not len(values):
        return None
    if values.min() >= low and values.max() <= high:  # false for NaN, which the slow way then finds
        return None
    return ~((values >= low) & (values <= high))


def _typed(spec: ActionSpec, name: str, value: ArrayLike, size: int) -> Array:
    if name not in spec.arguments:
        raise UsageError(f"action {spec.full} has no argument {name!r}; it takes {', '.join(spec.arguments) or 'none'}")
    wanted = spec.arguments[name].dtype
    array = np.asarray(value)
    if wanted.kind in "ib" and array.dtype.kind == "f" and not np.array_equal(array, np.rint(array)):
        raise UsageError(f"argument {name!r} of {spec.full} takes whole numbers; round them before")
    array = array.astype(wanted, copy=False)
    if array.ndim == 0:
        return np.broadcast_to(array, (size,))
    if len(array) != size:
        raise UsageError(f"argument {name!r} of {spec.full} has {len(array)} values for {size} agents; give one a row, or one for all")
    return array


def _joined(first: ActionTable, second: ActionTable) -> ActionTable:
    columns = {name: np.concatenate([first.columns[name], second.columns[name]]) for name in first.columns}
    return ActionTable(np.concatenate([first.agents, second.agents]), columns)


def bounded(spec: ActionSpec, name: str, **bounds: Any) -> ActionSpec:
    """The same action with narrower bounds for one argument, as an environment may offer it in one turn."""
    arguments = dict(spec.arguments)
    arguments[name] = replace(arguments[name], **bounds)
    return replace(spec, arguments=arguments)


def in_turn_order(table: ActionTable, agents: AgentIds) -> ActionTable:
    """The same rows in the order of the turn's agents, several of one agent as they were: never in order of arrival."""
    if table.agents is agents or np.array_equal(table.agents, agents) or (_ascending(table.agents) and _ascending(agents)):
        return table
    where = np.argsort(agents, kind="stable")
    position = where[np.searchsorted(agents, table.agents, sorter=where).clip(max=len(where) - 1)]
    if (position[1:] >= position[:-1]).all():
        return table
    order = np.argsort(position, kind="stable")
    return ActionTable(table.agents[order], {key: column[order] for key, column in table.columns.items()})


def among(ids: AgentIds, others: AgentIds) -> NDArray[np.bool_]:
    """Which of these ids are among the others: by bisection where those are in order, as they mostly are, without sorting or hashing."""
    if not len(others) or not len(ids):
        return np.zeros(len(ids), np.bool_)
    first, last = others[0], others[-1]
    if not _ascending(others):
        return np.isin(ids, others)
    if last - first == len(others) - 1 and (others[1:] > others[:-1]).all():  # an unbroken run of ids
        return np.asarray((ids >= first) & (ids <= last))
    return np.asarray(others[np.searchsorted(others, ids).clip(max=len(others) - 1)] == ids)


def _ascending(ids: AgentIds) -> bool:
    return bool((ids[1:] >= ids[:-1]).all())


def merged(parts: Sequence[tuple[Turn, Actions]], turn: Turn) -> Actions:
    """The actions of several minds in one turn, each decided over its own part of the agents; rows in agent order."""
    out = Actions()
    for part, actions in parts:
        for name, table in actions.tables.items():
            if table.agents is not part.agents and not (mine := among(table.agents, part.agents)).all():
                out.refused.append((name, table.agents[~mine], "not this agent's turn"))  # no mind acts for another's agent
                table = table.where(mine)
            out.tables[name] = _joined(out.tables[name], table) if name in out.tables else table
        out.reasons.update(actions.reasons)
        out.refused += actions.refused
        out.notes += actions.notes
    where = np.argsort(turn.agents, kind="stable")
    out.tables = {name: in_turn_order(table, turn.agents) for name, table in out.tables.items()}
    if any(actions.status is not None for _, actions in parts):
        out.status, out.fallback = np.zeros(len(turn.agents), np.uint8), np.zeros(len(turn.agents), np.bool_)
        for part, actions in parts:
            if actions.status is not None:
                rows = where[np.searchsorted(turn.agents, part.agents, sorter=where)]
                out.status[rows] = actions.status
                out.fallback[rows] = False if actions.fallback is None else actions.fallback
    return out
