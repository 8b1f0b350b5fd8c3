"""A shared resource: several agents take from it at once, what there is too little of is rationed, then it grows or is lost.

The world of GovSim (arXiv 2404.16698) and of its inverse, the trash that must be removed (arXiv 2505.09289). A group is a lake.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from sociarium.environments.columnar import Cells, ColumnarEnvironment, first_rows, positions
from sociarium.environments.commons.growth import Adding, Collapse, Growth, LostAbove, LostBelow, Multiplying
from sociarium.environments.commons.measures import efficiency, equality
from sociarium.environments.commons.sharing import shared_out
from sociarium.environments.commons.wording import CommonsWording
from sociarium.kernel.actions import Actions, ActionSpec, ActionTable, Integer, action, bounded, operation
from sociarium.kernel.content import Block, Content, Layer
from sociarium.kernel.environment import AgentIds, Events, Groups, Outcome
from sociarium.kernel.errors import UsageError
from sociarium.kernel.turn import Observations, Turn

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Array = NDArray[Any]


@dataclass(frozen=True, slots=True)
class CommonsRules:
    """The rules of a commons. Units are those of the resource.

    ``horizon``: months after which a group has survived and ends. ``cost_per_unit``: where taking is work (trash), the minutes a
    unit costs; the reward is then minus the minutes, and else the units taken. ``public_reports``: everyone in the group learns
    what everyone got. ``keep_harvests`` False: harvests are counted, not stored (for millions of agents). ``harvesters``: kinds of
    agents that share the resource; all kinds when empty.
    """

    growth: Growth = field(default_factory=Multiplying)
    collapse: Collapse = field(default_factory=LostBelow)
    capacity: float = 100
    initial: float = 100
    allocation: Literal["stochastic", "proportional"] = "stochastic"
    horizon: int = 12
    cost_per_unit: float = 0.0
    universalization: bool = False
    public_reports: bool = True
    keep_harvests: bool = True
    harvesters: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not 0 <= self.initial <= self.capacity:
            raise UsageError(f"a commons begins with {self.initial} units, but holds 0 to {self.capacity}")
        if self.horizon < 1:
            raise UsageError(f"horizon is {self.horizon} months; it must be 1 or more")
        if self.allocation not in ("stochastic", "proportional"):
            raise UsageError(f"allocation is {self.allocation!r}; it is 'stochastic' or 'proportional'")
        grown = getattr(self.growth, "capacity", self.capacity)
        if grown != self.capacity:
            raise UsageError(f"the commons holds {self.capacity:g} units, but its growth is capped at {grown:g}; give both the same")

    @classmethod
    def trash(cls, **changes: Any) -> CommonsRules:
        """The inverse commons: 50 units of trash come each month, more than 95 are too many, removing one takes ten minutes."""
        return replace(cls(growth=Adding(50, 100), collapse=LostAbove(95), cost_per_unit=10.0), **changes)

    def least_removal(self) -> float:
        """The inverse commons: the least total removal in ``horizon`` months with no overfull month (60 for the trash world).

        Removing as little and as late as possible is best, since growth adds the same to any stock and is capped.
        """
        if not isinstance(self.collapse, LostAbove):
            raise UsageError("only a commons that can be overfull (LostAbove) has a least removal")
        stock, removed = np.array([self.initial]), 0.0
        for _ in range(self.horizon):
            must = max(0.0, float(stock[0]) - self.collapse.limit)
            removed += must
            stock = np.asarray(self.growth.regrow(stock - must))
        return removed


class Commons(ColumnarEnvironment):
    """Lakes side by side, one a group."""

    name: ClassVar[str] = "commons"

    stock: Floats  # units now, (groups,)
    threshold: Floats  # most units the group may take this month without shrinking the stock, (groups,)
    months: Ints  # months played, (groups,)
    harvested_now: Bools  # a harvest has been played since the last month's end, (groups,)
    collapsed: Bools  # (groups,)
    over: Ints  # agent-months above the agent's share, (groups,)
    agent_months: Ints  # (groups,)
    wanted: Ints  # the last wish, (agents,)
    caught: Ints  # what came of it, (agents,)
    gain: Floats  # units in all, (agents,)
    months_in: Ints  # months in which the agent could harvest, (agents,)

    def __init__(self, rules: CommonsRules | None = None, wording: CommonsWording | None = None) -> None:
        self.rules = rules or CommonsRules()
        self.wording = wording or CommonsWording()
        self.group_cells = {
            "stock": Cells(np.float64, self.rules.initial),
            "threshold": Cells(np.float64),
            "months": Cells(np.int64),
            "harvested_now": Cells(np.bool_, False),
            "collapsed": Cells(np.bool_, False),
            "over": Cells(np.int64),
            "agent_months": Cells(np.int64),
        }
        self.agent_cells = {
            "wanted": Cells(np.int64),
            "caught": Cells(np.int64),
            "gain": Cells(np.float64),
            "months_in": Cells(np.int64),
        }
        self._first_threshold = float(self.rules.growth.group_threshold(np.array([self.rules.initial], np.float64))[0])

    def begin(self, groups: Groups) -> None:
        self.threshold[groups] = self._first_threshold

    def actions(self) -> tuple[ActionSpec, ...]:
        specs = super().actions()
        doc, unit = self.wording.quantity, self.wording.unit
        return tuple(bounded(spec, "quantity", high=int(self.rules.capacity), doc=doc, unit=unit) for spec in specs)

    def observe(self, turn: Turn) -> Mapping[str, Array]:
        """stock, month, threshold, share, agents, wanted, caught, months_in, universalization."""
        groups = self.group_of(turn.agents)
        counts = self.harvesters()
        share = self.threshold // np.maximum(counts, 1)
        return {
            "stock": self.stock[groups],
            "month": self.months[groups] + 1,
            "threshold": self.threshold[groups],
            "share": share[groups],
            "agents": counts[groups],
            "wanted": self.wanted[turn.agents],
            "caught": self.caught[turn.agents],
            "months_in": self.months_in[turn.agents],
            "universalization": np.broadcast_to(np.bool_(self.rules.universalization), len(turn.agents)),
        }

    def describe(self, seen: Observations, row: int) -> Content:
        columns = seen[self.name]
        places = {name: columns[name][row] for name in ("stock", "month", "threshold", "share", "agents", "wanted", "caught")}
        places |= {"capacity": self.rules.capacity, "unit": self.wording.unit, "resource": self.wording.resource}
        parts = ["month", "last" if columns["months_in"][row] else "first"]
        if columns["universalization"][row]:
            parts.append("universal")
        rules = Block(self.wording.say("rules", **places), origin=self.name, layer=Layer.SHARED)
        told = [rules, *(Block(self.wording.say(part, **places), origin=self.name) for part in parts)]
        return tuple(block for block in told if block.text)

    @action("Take from the common resource.", quantity=Integer(0, 100))
    def harvest(self, turn: Turn, seen: Observations, table: ActionTable) -> Outcome:
        """Everyone who is in the turn and says nothing takes nothing."""
        outcome = Outcome()
        first = first_rows(table.agents)
        if not first.all():
            outcome.refuse("commons.harvest", table.agents[~first], "one harvest a month")
            table = table.where(first)
        agents, groups = turn.agents, self.group_of(turn.agents)
        wanted = np.zeros(len(agents), np.int64)
        wanted[positions(agents, table.agents)] = table["quantity"]
        caught = shared_out(agents, groups, wanted, self.stock, self.rules.allocation, turn.random("allocation"))
        self._take(agents, groups, wanted, caught, seen[self.name]["share"])
        kept = self.rules.keep_harvests
        outcome.events.append(Events("harvested", agents, {"wanted": wanted, "caught": caught}, "own", kept=kept))
        if self.rules.public_reports:
            outcome.events.append(Events("reported", agents, {"caught": caught}, kept=kept))
        worth = -self.rules.cost_per_unit if self.rules.cost_per_unit else 1.0
        outcome.rewards.append((agents, np.multiply(caught, worth, dtype=np.float64)))
        return outcome

    def apply(self, turn: Turn, seen: Observations, actions: Actions) -> Outcome:
        if not turn.offered("commons.harvest"):
            return Outcome()
        nobody = ActionTable(np.empty(0, np.int64), {"quantity": np.empty(0, np.int64)})
        return self.harvest(turn, seen, actions.of(self.name).get("harvest", nobody))

    def advance(self, to: int) -> Outcome | None:
        """The end of the month where there was a harvest: lost or not, then growth."""
        closing = np.flatnonzero(self.harvested_now & self.world.active)
        if not len(closing):
            return None
        self.harvested_now[closing] = False
        self.months[closing] += 1
        lost = self.rules.collapse.lost(self.stock[closing])
        done = ~lost & (self.months[closing] >= self.rules.horizon)
        self.collapsed[closing[lost]] = True
        outcome = Outcome(ended=closing[lost | done] if (lost | done).any() else None)
        for kind, which in (("collapsed", closing[lost]), ("survived", closing[done])):
            if len(which):
                data = {"stock": self.stock[which], "month": self.months[which]}
                outcome.events.append(Events(kind, np.full(len(which), -1, np.int64), data, groups=which))
        going = closing[~lost]
        self._set(going, self.rules.growth.regrow(self.stock[going]))
        return outcome

    @operation("Set the stock, in units, in some groups or in all.")
    def set_stock(self, stock: float, groups: Sequence[int] | None = None) -> Outcome:
        if not 0 <= stock <= self.rules.capacity:
            raise UsageError(f"commons.set_stock: {stock} units; the commons holds 0 to {self.rules.capacity:g}")
        which = np.arange(self.world.groups) if groups is None else np.asarray(groups, np.int64)
        if len(which) and (which.min() < 0 or which.max() >= self.world.groups):
            raise UsageError(f"commons.set_stock: groups are numbered 0 to {self.world.groups - 1}")
        self._set(which, np.full(len(which), stock, np.float64))
        return Outcome()

    def harvesters(self) -> Ints:
        """How many agents share the resource now, one number a group."""
        kinds = self.rules.harvesters or tuple(self.world.population.tables)
        counts = np.zeros(self.world.groups, np.int64)
        for kind in kinds:
            ids = self.world.population.ids(kind)
            counts += len(ids) if self.world.groups == 1 else np.bincount(self.group_of(ids), minlength=self.world.groups)
        return counts

    def measures(self) -> Mapping[str, Array]:
        """The measures of GovSim, so far: gain (mean units an agent), efficiency u, equality e (nan where nobody caught anything),
        over_usage o (catches above the share of one agent), and where taking is work, cost (minutes an agent) and waste (units)."""
        takers = np.flatnonzero(self.months_in > 0)
        groups = self.group_of(takers)
        counts = np.bincount(groups, minlength=self.world.groups)
        total = np.bincount(groups, self.gain[takers], self.world.groups)
        gain = np.divide(total, counts, out=np.zeros(self.world.groups), where=counts > 0)
        out: dict[str, Array] = {
            "stock": self.stock.copy(),
            "months": self.months.copy(),
            "survived": self.months >= self.rules.horizon,
            "collapsed": self.collapsed.copy(),
            "gain": gain,
            "efficiency": efficiency(total, self.rules.horizon, self._first_threshold),
            "equality": _equality(self.gain[takers], groups, counts),
            "over_usage": self.over / np.maximum(1, self.agent_months),
        }
        if self.rules.cost_per_unit:
            out["cost"] = gain * self.rules.cost_per_unit
            if isinstance(self.rules.collapse, LostAbove):
                out["waste"] = total - self.rules.least_removal()
        return out

    def _take(self, agents: AgentIds, groups: Groups, wanted: Ints, caught: Ints, share: Array) -> None:
        size = self.world.groups
        self.wanted[agents], self.caught[agents] = wanted, caught
        self.gain[agents] += caught
        self.months_in[agents] += 1
        self.harvested_now[groups] = True
        self.stock -= np.bincount(groups, caught, size)
        self.agent_months += np.bincount(groups, minlength=size)
        self.over += np.bincount(groups[caught > share], minlength=size)

    def _set(self, groups: Groups, stock: Array) -> None:
        self.stock[groups] = stock
        self.threshold[groups] = self.rules.growth.group_threshold(self.stock[groups])


def _equality(gain: Floats, groups: Groups, counts: Ints) -> Floats:
    """Equality of the gains in each group, groups of one size at a time."""
    out = np.full(len(counts), np.nan)
    ordered = gain[np.argsort(groups, kind="stable")]
    starts = np.cumsum(counts) - counts
    for size in np.unique(counts[counts > 0]):
        these = np.flatnonzero(counts == size)
        out[these] = equality(ordered[starts[these][:, None] + np.arange(size)])
    return out
