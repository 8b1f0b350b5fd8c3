"""Tables of agents, one a kind: typed columns, one row an agent. Ids are for ever; ``present`` says who is in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sociarium.kernel.errors import UsageError

AgentIds = NDArray[np.int64]
Array = NDArray[Any]


class Visibility(StrEnum):
    """Who may know a column: prompts and observations are built from these only."""

    PUBLIC = "public"
    OWN = "own"
    HIDDEN = "hidden"


@dataclass(frozen=True, slots=True)
class Column:
    """A typed column. ``dtype`` is a NumPy dtype, or ``str`` for text; ``unit`` is part of what the column means."""

    name: str
    dtype: Any = np.float64
    default: Any = 0
    visibility: Visibility = Visibility.PUBLIC
    unit: str = ""
    doc: str = ""

    @property
    def storage(self) -> np.dtype[Any]:
        return np.dtype(object) if self.dtype is str else np.dtype(self.dtype)


BUILT_IN = (
    Column("present", np.bool_, True, doc="whether the agent is in"),
    Column("group", np.int64, 0, doc="which of the worlds side by side"),
    Column("mind", np.int16, 0, Visibility.HIDDEN, doc="which mind decides"),
)


class Table:
    """Agents of one kind. Rows are only ever added; a column is a view of the rows there are."""

    def __init__(self, kind: str, columns: Sequence[Column] = ()) -> None:
        self.kind = kind
        self.columns: dict[str, Column] = {}
        self.size = 0
        self._arrays: dict[str, Array] = {}
        self.ids: AgentIds = np.empty(0, np.int64)
        for column in (*BUILT_IN, *columns):
            self.add_column(column)

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, name: str) -> Array:
        """The column, one value an agent: a view; writing into it changes the table."""
        try:
            return self._arrays[name][: self.size]
        except KeyError:
            known = ", ".join(self.columns)
            raise UsageError(f"the {self.kind} table has no column {name!r}; it has {known}") from None

    def __setitem__(self, name: str, values: ArrayLike) -> None:
        self[name][:] = values

    def __contains__(self, name: str) -> bool:
        return name in self.columns

    def add_column(self, column: Column, values: ArrayLike | None = None) -> None:
        """Declare a column, filled with its default (or ``values``) for agents that are already here."""
        if column.name in self.columns:
            raise UsageError(f"the {self.kind} table already has a column {column.name!r}; a column has one writer")
        self.columns[column.name] = column
        self._arrays[column.name] = _filled(column, self._capacity())
        if values is not None:
            self[column.name] = values

    def append(self, ids: AgentIds, values: Mapping[str, ArrayLike]) -> None:
        """New rows, in the order of ``ids``. Columns not named take their default."""
        if unknown := set(values) - set(self.columns):
            raise UsageError(f"the {self.kind} table has no column {sorted(unknown)[0]!r}; it has {', '.join(self.columns)}")
        typed = {name: _as_column(self.columns[name], given, len(ids)) for name, given in values.items()}
        start, self.size = self.size, self.size + len(ids)
        if self.size > self._capacity():
            room = max(self.size, start + start // 2)
            for name, column in self.columns.items():
                grown = _filled(column, room)
                grown[:start] = self._arrays[name][:start]
                self._arrays[name] = grown
        self.ids = np.concatenate([self.ids, ids]) if start else np.array(ids, np.int64)
        for name, column in typed.items():
            self._arrays[name][start : self.size] = column

    def present_ids(self) -> AgentIds:
        """Ids of those who are in, ascending."""
        present = self["present"]
        return self.ids if present.all() else np.asarray(self.ids[present], np.int64)

    def state(self) -> dict[str, Any]:
        return {"ids": self.ids.copy(), "columns": {name: self[name].copy() for name in self.columns}}

    def load(self, state: Mapping[str, Any]) -> None:
        self.ids = np.array(state["ids"], np.int64)
        self.size = len(self.ids)
        for name, column in self.columns.items():
            array = _filled(column, self.size)
            if name in state["columns"]:
                array[:] = state["columns"][name]
            self._arrays[name] = array

    def _capacity(self) -> int:
        return len(self._arrays["present"]) if "present" in self._arrays else self.size


class Population:
    """All agents of a run. One id space over all kinds: ``population.ids("fisher")``, ``population.get(ids, "group")``."""

    def __init__(self) -> None:
        self.tables: dict[str, Table] = {}
        self._kind: NDArray[np.int16] = np.empty(0, np.int16)
        self._row: NDArray[np.int64] = np.empty(0, np.int64)

    @classmethod
    def of(cls, kind: str, size: int, columns: Sequence[Column] = (), **values: ArrayLike) -> Population:
        """A population of one kind. ``values`` give columns (declared on the spot where they are not in ``columns``)."""
        population = cls()
        population.declare(kind, columns)
        population.admit(kind, size, **values)
        return population

    def declare(self, kind: str, columns: Sequence[Column] = ()) -> Table:
        """A new, empty table."""
        if kind in self.tables:
            raise UsageError(f"there is already a table of {kind}s")
        self.tables[kind] = table = Table(kind, columns)
        return table

    def admit(self, kind: str, size: int, **values: ArrayLike) -> AgentIds:
        """Add ``size`` agents of a kind and return their ids. Undeclared columns are declared from the values given."""
        table = self[kind]
        for name, given in values.items():
            if name not in table:
                column = _column_for(name, given)
                _as_column(column, given, size)  # refused before anything has changed
                table.add_column(column)
        ids = np.arange(len(self._kind), len(self._kind) + size, dtype=np.int64)
        number = list(self.tables).index(kind)
        first = len(table)
        table.append(ids, values)
        self._row = np.concatenate([self._row, np.arange(first, first + size, dtype=np.int64)])
        self._kind = np.concatenate([self._kind, np.full(size, number, np.int16)])
        return ids

    def leave(self, ids: AgentIds) -> None:
        """These agents are out from now on. Their ids are never used again."""
        self.set(ids, "present", False)

    def __getitem__(self, kind: str) -> Table:
        try:
            return self.tables[kind]
        except KeyError:
            raise UsageError(f"there are no agents of kind {kind!r}; there are {', '.join(self.tables) or 'none at all'}") from None

    def __len__(self) -> int:
        return len(self._kind)

    def __iter__(self) -> Iterator[Table]:
        return iter(self.tables.values())

    def ids(self, kind: str | None = None, *, present: bool = True) -> AgentIds:
        """Ids in ascending order, of one kind or of all."""
        tables = [self[kind]] if kind else list(self.tables.values())
        parts = [table.present_ids() if present else table.ids for table in tables]
        if len(parts) == 1:
            return parts[0]
        everyone = np.empty(sum(len(part) for part in parts), np.int64)
        if parts:
            np.concatenate(parts, out=everyone)
        everyone.sort()
        return everyone

    def kind_of(self, agent: int) -> str:
        return list(self.tables)[int(self._kind[agent])]

    def row_of(self, ids: AgentIds) -> NDArray[np.int64]:
        """Rows within their own tables."""
        return self._row[ids]

    def get(self, ids: AgentIds, name: str) -> Array:
        """One value an agent, whatever kinds the agents are of."""
        if len(self.tables) == 1:
            column = next(iter(self.tables.values()))[name]
            return column if ids is self._everyone() else column[ids]
        kinds = self._kind[ids]
        here = [(table, kinds == number) for number, table in enumerate(self.tables.values())]
        asked = [(table, mine) for table, mine in here if mine.any()]
        types = [table[name].dtype for table, _ in asked] or [table[name].dtype for table, _ in here if name in table]
        out = np.empty(len(ids), np.result_type(*types) if types else np.float64)
        for table, mine in asked:
            out[mine] = table[name][self._row[ids[mine]]]
        return out

    def set(self, ids: AgentIds, name: str, values: ArrayLike) -> None:
        """Write one value an agent (or one for all)."""
        given = np.asarray(values)
        kinds = self._kind[ids]
        for number, table in enumerate(self.tables.values()):
            mine = kinds == number
            if mine.any():
                table[name][self._row[ids[mine]]] = given[mine] if given.ndim else given

    def state(self) -> dict[str, Any]:
        return {
            "kinds": self._kind.copy(),
            "rows": self._row.copy(),
            "tables": {kind: table.state() for kind, table in self.tables.items()},
        }

    def load(self, state: Mapping[str, Any]) -> None:
        self._kind = np.array(state["kinds"], np.int16)
        self._row = np.array(state["rows"], np.int64)
        for kind, saved in state["tables"].items():
            table = self.tables[kind] if kind in self.tables else self.declare(kind)
            for name, values in saved["columns"].items():
                if name not in table:
                    table.add_column(_column_for(name, values))
            table.load(saved)

    def _everyone(self) -> AgentIds:
        return next(iter(self.tables.values())).ids


def _filled(column: Column, size: int) -> Array:
    return np.full(size, "" if column.dtype is str and column.default == 0 else column.default, column.storage)


def _column_for(name: str, values: ArrayLike) -> Column:
    array = np.asarray(values)
    text = array.dtype.kind in "UO"
    return Column(name, str if text else array.dtype, "" if text else array.dtype.type(0))


def _as_column(column: Column, values: ArrayLike, size: int) -> Array:
    array = np.asarray(values, dtype=column.storage)
    if array.ndim and array.shape[0] != size:
        raise UsageError(f"column {column.name!r} has {array.shape[0]} values for {size} agents")
    return array
