"""A tree of named objects that agents share: values, places in the plane, locks, and listeners.

As the environments of AgentScope (arXiv 2407.17789): an object is found by its path (``market/stall``); names are unique among
siblings; whoever holds an object's lock is the only one who can change it; a listener fires once an event, after the change.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import numpy as np

from sociarium.kernel.actions import ActionTable, Number, Text, action, query
from sociarium.kernel.content import Block, Content
from sociarium.kernel.environment import AgentIds, Environment, Events, Groups, Outcome, State
from sociarium.kernel.errors import UsageError
from sociarium.kernel.turn import Observations, Turn
from sociarium.kernel.world import World

LARGEST = 100_000  # objects in one tree
DEEPEST = 32  # names in one path

EventName = Literal["set", "move", "hold", "release", "add", "remove"]


class Held(UsageError):
    """The object is held by another agent."""


@dataclass(frozen=True, slots=True)
class TreeEvent:
    """What a listener is told: which event on which object, with which arguments, by whom (-1: the world), and what it returned."""

    name: EventName
    path: str
    arguments: Mapping[str, Any]
    agent: int
    returned: Any


Listener = Callable[[TreeEvent], None]


@dataclass(slots=True)
class Item:
    """One shared object. ``owner`` is the agent that holds its lock; -1: nobody."""

    value: str = ""
    x: float = 0.0
    y: float = 0.0
    owner: int = -1


@dataclass(slots=True)
class Tree:
    """The objects of one group by path; a parent comes before its children. Every change is an event, and listeners hear of it last."""

    items: dict[str, Item] = field(default_factory=dict[str, Item])
    listeners: list[tuple[str, EventName | None, Listener]] = field(default_factory=list[tuple[str, EventName | None, Listener]])

    def listen(self, path: str, listener: Listener, event: EventName | None = None) -> None:
        """Call ``listener`` after each event on this object: of one name, or of all."""
        self.listeners.append((path, event, listener))

    def add(self, path: str, value: str = "", x: float = 0.0, y: float = 0.0, *, agent: int = -1) -> str:
        """A new object; its parent must be there, and no sibling of that name."""
        names = path.split("/")
        if not all(names) or len(names) > DEEPEST:
            raise UsageError(f"{path!r} is no path: 1 to {DEEPEST} names with / between them")
        if path in self.items:
            raise UsageError(f"there is already an object {path!r}; names are unique among siblings")
        parent = path.rpartition("/")[0]
        if parent and parent not in self.items:
            raise UsageError(f"{path!r} has no parent: add {parent!r} first")
        if len(self.items) >= LARGEST:
            raise UsageError(f"a tree holds at most {LARGEST} objects")
        self._free(parent, agent)
        self.items[path] = Item(value, x, y)
        return self._tell("add", path, {"value": value, "x": x, "y": y}, agent, path)

    def remove(self, path: str, *, agent: int = -1) -> int:
        """Take an object out, with all below it; returns how many that were. None of them may be held by another."""
        self.item(path)
        gone = [each for each in self.items if each == path or each.startswith(path + "/")]
        for each in (path.rpartition("/")[0], *gone):
            self._free(each, agent)
        for each in gone:
            del self.items[each]
        return self._tell("remove", path, {}, agent, len(gone))

    def item(self, path: str) -> Item:
        """The object at a path."""
        try:
            return self.items[path]
        except KeyError:
            raise UsageError(f"there is no object {path!r}") from None

    def children(self, path: str = "") -> list[str]:
        """Names directly below an object, in the order in which they were added; of the tree itself where the path is empty."""
        start = path + "/" if path else ""
        below = [each[len(start) :] for each in self.items if each.startswith(start)]
        return [name for name in below if "/" not in name]

    def set(self, path: str, value: str, *, agent: int = -1) -> str:
        """Returns the new value."""
        self._mine(path, agent).value = value
        return self._tell("set", path, {"value": value}, agent, value)

    def move(self, path: str, x: float, y: float, *, agent: int = -1) -> tuple[float, float]:
        """Returns the new place."""
        item = self._mine(path, agent)
        item.x, item.y = x, y
        return self._tell("move", path, {"x": x, "y": y}, agent, (x, y))

    def hold(self, path: str, *, agent: int) -> bool:
        """Take the lock; True also where the agent had it already. Raises Held where another has it."""
        self._mine(path, agent).owner = agent
        return self._tell("hold", path, {}, agent, True)

    def release(self, path: str, *, agent: int) -> bool:
        """Give the lock back; False where nobody had it."""
        item = self._mine(path, agent)
        had, item.owner = item.owner >= 0, -1
        return self._tell("release", path, {}, agent, had)

    def _mine(self, path: str, agent: int) -> Item:
        item = self.item(path)
        self._free(path, agent)
        return item

    def _free(self, path: str, agent: int) -> None:
        if path and (owner := self.items[path].owner) not in (-1, agent):
            raise Held(f"{path!r} is held by agent {owner}")

    def _tell(self, name: EventName, path: str, arguments: Mapping[str, Any], agent: int, returned: Any) -> Any:
        for where, wanted, listener in list(self.listeners):
            if where == path and wanted in (None, name):
                listener(TreeEvent(name, path, arguments, agent, returned))
        return returned


class SharedTree(Environment):
    """A tree a group, the same to begin with. ``start``: the objects by path, parents first, with their values."""

    name: ClassVar[str] = "tree"

    def __init__(self, start: Mapping[str, str] | None = None) -> None:
        self.start = dict(start or {})
        self.trees: dict[int, Tree] = {}

    def reset(self, world: World, groups: Groups) -> None:
        super().reset(world, groups)
        for group in groups.tolist():
            fresh = Tree(listeners=self.trees[group].listeners if group in self.trees else [])
            for path, value in self.start.items():
                fresh.add(path, value)
            self.trees[group] = fresh

    def describe(self, seen: Observations, row: int) -> Content:
        group = int(self._groups(seen.turn.agents[row : row + 1])[0])
        items = self.trees[group].items
        lines = [f"{path}: {item.value or '-'} at ({item.x:g}, {item.y:g})" + _held(item) for path, item in items.items()]
        return (Block("\n".join(lines), origin=self.name),) if lines else ()

    @query("Look up the value of an object.", path=Text())
    def look(self, agent: int, path: str) -> Content:
        group = int(self._groups(np.array([agent], np.int64))[0])
        return (Block(self.trees[group].item(path).value, origin=self.name),)

    @action("Set the value of an object.", path=Text(), value=Text())
    def set(self, turn: Turn, seen: Observations, table: ActionTable) -> Outcome:
        return self._each(table, "set", lambda tree, at, who: tree.set(table["path"][at], table["value"][at], agent=who))

    @action("Move an object.", path=Text(), x=Number(-1e9, 1e9), y=Number(-1e9, 1e9))
    def move(self, turn: Turn, seen: Observations, table: ActionTable) -> Outcome:
        x, y = table["x"].tolist(), table["y"].tolist()
        return self._each(table, "move", lambda tree, at, who: tree.move(table["path"][at], x[at], y[at], agent=who))

    @action("Hold an object, so that nobody else can change it.", path=Text())
    def hold(self, turn: Turn, seen: Observations, table: ActionTable) -> Outcome:
        return self._each(table, "hold", lambda tree, at, who: tree.hold(table["path"][at], agent=who))

    @action("Let go of an object that you hold.", path=Text())
    def release(self, turn: Turn, seen: Observations, table: ActionTable) -> Outcome:
        return self._each(table, "release", lambda tree, at, who: tree.release(table["path"][at], agent=who))

    def state(self, groups: Groups | None = None) -> State:
        chosen = sorted(self.trees) if groups is None else groups.tolist()
        plain = {str(g): [[path, i.value, i.x, i.y, i.owner] for path, i in self.trees[g].items.items()] for g in chosen}
        return {"trees": plain}

    def load(self, state: State, groups: Groups | None = None) -> None:
        for group, items in state.get("trees", {}).items():
            tree = self.trees.setdefault(int(group), Tree())
            tree.items = {path: Item(value, float(x), float(y), int(owner)) for path, value, x, y, owner in items}

    def _each(self, table: ActionTable, name: str, act: Callable[[Tree, int, int], Any]) -> Outcome:
        """Row by row, in the order of the turn: the first who takes a lock has it. What cannot be done is refused, with the reason."""
        outcome = Outcome()
        done: list[int] = []
        groups = self._groups(table.agents).tolist()
        for at, (agent, group) in enumerate(zip(table.agents.tolist(), groups, strict=True)):
            try:
                act(self.trees[group], at, agent)
            except UsageError as reason:
                outcome.refuse(f"{self.name}.{name}", agent, str(reason))
            else:
                done.append(at)
        if done:
            data = {key: column[done] for key, column in table.columns.items()}
            outcome.events.append(Events(f"{name}_done", table.agents[done], data))
        return outcome

    def _groups(self, agents: AgentIds) -> Groups:
        return np.asarray(self.world.population.get(agents, "group"), np.int64)


def _held(item: Item) -> str:
    return f", held by agent {item.owner}" if item.owner >= 0 else ""
