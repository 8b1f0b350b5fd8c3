"""The labour market of AgentTorch (Chopra et al. 2025): people decide whether to work and what share to spend; each month wages are paid
by one
firm, taxed and redistributed, and spent again. Unemployment follows claims by a regression.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from sociarium.environments.columnar import Cells, ColumnarEnvironment
from sociarium.environments.labour.money import Brackets, equal_shares, predicted_unemployment, tax
from sociarium.environments.wording import Wording
from sociarium.kernel.actions import ActionTable, Flag, Number, action, operation
from sociarium.kernel.content import Block, Content, Layer
from sociarium.kernel.environment import Events, Groups, Outcome
from sociarium.kernel.errors import UsageError
from sociarium.kernel.turn import Observations, Turn

Array = NDArray[Any]
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

MOST_WAGE = 10**10  # cents a month: sums of a million people stay within 64 bits


@dataclass(frozen=True, slots=True)
class LabourRules:
    """``wage``: cents a month at the start, times a log-normal factor of standard deviation ``spread``. ``assets``: cents at the start.
    ``adjustment``: largest relative change of a wage in a month (alpha). ``slopes`` and ``intercept``: the regression of unemployment on
    claims
    per labour force, this month's first; ``counties``: how many there are, numbered in the population's column ``county``.
    ``month``: ticks of a month; at the end of the last one wages are paid. ``who``: a true/false column of those who take part (the others
    neither work nor are paid nor get shares of the tax); all where it is empty. ``keep_decisions``: whether every decision is recorded.
    """

    wage: int = 400_000
    spread: float = 0.5
    assets: int = 1_000_000
    adjustment: float = 0.05
    slopes: tuple[float, ...] = (0.6, 0.3)
    intercept: float = 0.03
    counties: int = 1
    brackets: Brackets = field(default_factory=Brackets)
    month: int = 1
    who: str = ""
    keep_decisions: bool = True

    def __post_init__(self) -> None:
        if self.month < 1:
            raise UsageError(f"a month of {self.month} ticks is none")
        if not 0 < self.wage <= MOST_WAGE or self.assets < 0 or not 0 <= self.adjustment < 1 or self.counties < 1 or not self.slopes:
            raise UsageError("wage is above 0, assets 0 or more, adjustment from 0 to below 1; at least one county and coefficient")


@dataclass(frozen=True, slots=True)
class LabourWording(Wording):
    """Places: month, wage, income, assets (all in units of 100 cents), unemployment (%, of the own county), employed (yes or no)."""

    rules: str = ""
    state: str = "Month $month. Your wage is $wage, last month you received $income, you own $assets. Unemployment here: $unemployment %."

    PLACES: ClassVar[Mapping[str, frozenset[str]]] = dict.fromkeys(
        ("rules", "state"), frozenset({"month", "wage", "income", "assets", "unemployment", "employed"})
    )


class Labour(ColumnarEnvironment):
    """A tick is a month, or a part of one (``LabourRules.month``). A group is an economy with one firm and a treasury; money moves between
    people, firm and treasury, and is neither made nor lost."""

    name: ClassVar[str] = "labour"

    month: Ints  # months done, (groups,)
    firm: Ints  # cents of the firm; below 0 it is in debt, (groups,)
    treasury: Ints  # cents; below 0 by what it has paid out, (groups,)
    taxed: Ints  # cents taken and given back in the last month, (groups,)
    spent: Ints  # cents, last month, (groups,)
    produced: Ints  # worth of the work done last month, cents, (groups,)
    claims: Floats  # people who claim, this month's first, (groups, months back, counties)
    unemployment: Floats  # as the regression has it, (groups, counties)
    wage: Ints  # cents a month, (agents,)
    assets: Ints  # cents
    income: Ints  # cents, last month, with what was redistributed
    willing: NDArray[np.bool_]  # the last decision to work
    propensity: Floats  # the last decision what share to spend
    employed: NDArray[np.bool_]

    def __init__(self, rules: LabourRules | None = None, wording: LabourWording | None = None) -> None:
        self.rules = rules or LabourRules()
        self.wording = wording or LabourWording()
        counties, lags, cents = self.rules.counties, len(self.rules.slopes), Cells(np.int64)
        self.group_cells = {
            "month": cents, "firm": cents, "treasury": cents, "taxed": cents, "spent": cents, "produced": cents,
            "claims": Cells(np.float64, shape=(lags, counties)), "unemployment": Cells(np.float64, self.rules.intercept, (counties,)),
        }  # fmt: skip
        self.agent_cells = {
            "wage": cents, "assets": cents, "income": cents, "willing": Cells(np.bool_, True), "propensity": Cells(np.float64, 0.5),
            "employed": Cells(np.bool_),
        }  # fmt: skip

    def begin(self, groups: Groups) -> None:
        self._settle(self.agents_of(groups))

    def admit(self, agents: Array) -> None:
        super().admit(agents)
        self._settle(agents)

    def observe(self, turn: Turn) -> Mapping[str, Array]:
        """month, wage, income, assets (cents), unemployment (of the own county), employed."""
        agents = turn.agents
        group = self.group_of(agents)
        return {
            "month": self.month[group] + 1, "wage": self.wage[agents], "income": self.income[agents], "assets": self.assets[agents],
            "unemployment": self.unemployment[group, self._county(agents)], "employed": self.employed[agents],
        }  # fmt: skip

    def describe(self, seen: Observations, row: int) -> Content:
        columns = seen[self.name]
        places = {name: f"{int(columns[name][row]) / 100:,.2f}" for name in ("wage", "income", "assets")}
        places |= {"month": str(columns["month"][row]), "unemployment": f"{100 * float(columns['unemployment'][row]):.1f}"}
        places["employed"] = "yes" if columns["employed"][row] else "no"
        blocks = [
            Block(self.wording.say("rules", **places), origin=self.name, layer=Layer.SHARED),
            Block(self.wording.say("state", **places), origin=self.name),
        ]
        return tuple(block for block in blocks if block.text)

    @action(
        "Decide about this month.",
        work=Flag(doc="whether you want to work"),
        consume=Number(0.0, 1.0, doc="share to spend of what you own"),
    )
    def decide(self, turn: Turn, seen: Observations, table: ActionTable) -> Outcome:
        """Holds until decided otherwise. The last decision of a month counts."""
        member = self._members(table.agents)
        self.willing[table.agents] = table["work"] if member is None else table["work"] & member
        self.propensity[table.agents] = table["consume"]
        decided = {"work": table["work"], "consume": table["consume"]}
        return Outcome([Events("decided", table.agents, decided, "own", kept=self.rules.keep_decisions)])

    @operation("Pay everyone who takes part the same from the treasury (a stimulus).")
    def pay(self, cents: int) -> None:
        if not 0 <= cents <= MOST_WAGE:
            raise UsageError(f"{self.name}.pay: {cents} cents; 0 to {MOST_WAGE}")
        agents = self._here()
        self.assets[agents] += cents
        self.treasury -= cents * np.bincount(self.group_of(agents), minlength=self.world.groups)

    def advance(self, to: int) -> Outcome | None:
        """At the end of a month: jobs, wages, tax and its redistribution, consumption, next month's wages."""
        if (self.world.clock.tick + 1) % self.rules.month:
            return None
        agents = self._here()
        if not len(agents):
            return None
        group, groups = self.group_of(agents), self.world.groups
        random = self.world.randomness.stream("labour", self.world.clock.tick)
        works = self._employ(agents, random.uniform(agents))
        gross = np.where(works, self.wage[agents], 0)
        taken = tax(gross, self.rules.brackets)
        self.firm -= _sums(gross, group, groups)
        pot = _sums(taken, group, groups)
        net = gross - taken + equal_shares(pot, group, groups)
        self.assets[agents] += net
        self.income[agents] = net
        spent = np.floor(self.propensity[agents] * np.maximum(self.assets[agents], 0)).astype(np.int64)
        self.assets[agents] -= spent
        self.firm += _sums(spent, group, groups)
        going = np.unique(group)
        self.taxed[going], self.spent[going] = pot[going], _sums(spent, group, groups)[going]
        self.produced[going] = _sums(gross, group, groups)[going]
        self.month[going] += 1
        self._adjust(agents, group, random.uniform(agents, 1))
        return None

    def measures(self) -> Mapping[str, Array]:
        """A group: unemployment (share of those who want to work), mean wage, income and assets (cents), taxed, spent, and money (all
        cents of
        people, firm and treasury: never changes but by who comes and goes)."""
        agents = self._taking_part(self.world.population.ids())
        group, groups = self.group_of(agents), self.world.groups
        count = np.bincount(group, minlength=groups)
        willing = self.willing[agents]
        seeking, jobless = (_sums(flags, group, groups) for flags in (willing, willing & ~self.employed[agents]))
        with np.errstate(invalid="ignore", divide="ignore"):
            means = {name: _sums(getattr(self, name)[agents], group, groups) / count for name in ("wage", "income", "assets")}
            unemployment = np.where(self.month > 0, jobless / seeking, np.nan)
        everyone = self.agents_of(np.arange(groups))
        money = self.firm + self.treasury + _sums(self.assets[everyone], self.group_of(everyone), groups)
        return {"unemployment": unemployment, **means, "taxed": self.taxed.copy(), "spent": self.spent.copy(), "money": money}

    def _settle(self, agents: Array) -> None:
        """What people begin with. ``wage`` and ``assets`` may be columns of the population (cents)."""
        population = self.world.population
        if (county := self._county(agents)).size and not 0 <= county.min() <= county.max() < self.rules.counties:
            raise UsageError(f"county goes from {county.min()} to {county.max()}; there are {self.rules.counties} counties")
        factor = np.exp(self.rules.spread * self.world.randomness.stream("labour.wage").normal(agents) - self.rules.spread**2 / 2)
        own = {name: all(name in table for table in population) for name in ("wage", "assets")}
        wage = population.get(agents, "wage") if own["wage"] else np.rint(self.rules.wage * factor)
        self.wage[agents] = np.clip(wage, 1, MOST_WAGE).astype(np.int64)
        self.assets[agents] = population.get(agents, "assets") if own["assets"] else self.rules.assets
        if (member := self._members(agents)) is not None:
            self.willing[agents] = member

    def _members(self, agents: Array) -> NDArray[np.bool_] | None:
        """Which of these take part; None for all."""
        if not self.rules.who:
            return None
        population = self.world.population
        if not all(self.rules.who in table for table in population):
            raise UsageError(f"the labour market needs a column {self.rules.who!r}, which the population lacks")
        return np.asarray(population.get(agents, self.rules.who), np.bool_)

    def _taking_part(self, agents: Array) -> Array:
        member = self._members(agents)
        return agents if member is None else agents[member]

    def _here(self) -> Array:
        """Who is here and takes part, in order."""
        return self._taking_part(self.world.awake())

    def _employ(self, agents: Array, draws: Floats) -> NDArray[np.bool_]:
        """Who wants to work has a job with probability 1 - u of the county; who has none claims, and claims make next month's u."""
        group, county = self.group_of(agents), self._county(agents)
        works = self.willing[agents] & (draws >= self.unemployment[group, county])
        self.employed[agents] = works
        cell, cells = group * self.rules.counties + county, self.world.groups * self.rules.counties
        claiming = np.bincount(cell, weights=self.willing[agents] & ~works, minlength=cells).reshape(-1, self.rules.counties)
        force = np.bincount(cell, weights=self.willing[agents], minlength=cells).reshape(-1, self.rules.counties)
        for number in np.unique(group):
            self.claims[number] = np.concatenate([claiming[number][None], self.claims[number][:-1]])
            self.unemployment[number] = predicted_unemployment(
                self.claims[number], force[number], self.rules.slopes, np.full(self.rules.counties, self.rules.intercept)
            )
        return works

    def _adjust(self, agents: Array, group: Ints, draws: Floats) -> None:
        """Wages rise by U(0, alpha * imbalance) where more is wanted than was made, and fall likewise (Li et al. 2024, eq. 3)."""
        most = np.maximum(np.maximum(self.spent, self.produced), 1)
        imbalance = (self.spent - self.produced) / most
        changed = np.rint(self.wage[agents] * (1.0 + draws * self.rules.adjustment * imbalance[group]))
        self.wage[agents] = np.clip(changed, 1, MOST_WAGE).astype(np.int64)

    def _county(self, agents: Array) -> Ints:
        population = self.world.population
        if self.rules.counties == 1 or not all("county" in table for table in population):
            return np.zeros(len(agents), np.int64)
        return np.asarray(population.get(agents, "county"), np.int64)


def _sums(values: Array, group: Ints, groups: int) -> Ints:
    """Exact sums of whole numbers a group."""
    if groups == 1:
        return np.array([values.sum(dtype=np.int64)])
    out = np.zeros(groups, np.int64)
    np.add.at(out, group, values)
    return out
