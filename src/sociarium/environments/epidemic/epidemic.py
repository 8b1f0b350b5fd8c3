"""The environment: a disease that spreads over layers of contacts, among agents who decide what to do about it.

A tick is a day. Agents act first; then the day passes (``advance``): the disease is transmitted, stages end, results come in. Groups are
worlds side by side. Everything that is drawn is drawn by agent and day, so no result depends on how the day is computed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from sociarium.environments.columnar import Cells
from sociarium.environments.epidemic.control import CELLS, DAYS, NEGATIVE, POSITIVE, Control
from sociarium.environments.epidemic.disease import LONGEST, Disease, Stage
from sociarium.environments.epidemic.engines import engine_for, grown
from sociarium.environments.epidemic.layers import Layer
from sociarium.environments.epidemic.model import FOR_GOOD, NEVER, Behaviour, EpidemicState, Flows, Mask, People, draws, enter
from sociarium.environments.epidemic.plain import Engine
from sociarium.environments.epidemic.reproduction import estimated, weights
from sociarium.environments.epidemic.rules import EpidemicRules, EpidemicWording
from sociarium.kernel.actions import operation
from sociarium.kernel.content import Block, Content
from sociarium.kernel.content import Layer as Text
from sociarium.kernel.environment import AgentIds, Events, Groups, Outcome, State
from sociarium.kernel.errors import UsageError
from sociarium.kernel.turn import Observations, Turn

Array = NDArray[Any]


class Epidemic(Control):
    """``disease``: its parameters. ``layers``: where people meet. ``rules``: what they may do."""

    name: ClassVar[str] = "epidemic"

    until: NDArray[np.int16]  # last day in the present stage, (agents,)
    infected: NDArray[np.int16]  # day of the last infection; NEVER, (agents,)
    deaths: NDArray[np.float64]  # expected, so far, (groups,)
    cases: NDArray[np.int64]  # infected yesterday, (groups,)
    total: NDArray[np.int64]  # infected so far, the first ones included, (groups,)
    past: NDArray[np.int64]  # cases of the days before yesterday, the latest last, (groups, days)
    growth: NDArray[np.float64]  # effective reproduction number of yesterday, (groups,)
    tested: NDArray[np.int64]  # tests taken yesterday, (groups,)

    _engine: Engine | None = None

    def __init__(
        self,
        disease: Disease | None = None,
        layers: Sequence[Layer] = (),
        rules: EpidemicRules | None = None,
        wording: EpidemicWording | None = None,
    ) -> None:
        self.disease = disease or Disease()
        self.layers = tuple(layers)
        self.rules = rules or EpidemicRules()
        self.wording = wording or EpidemicWording()
        self.day = 0
        self.closed: set[str] = set()
        self.shares = weights(self.disease)
        self.agent_cells = {
            "stage": Cells(np.uint8),
            "until": Cells(np.int16, FOR_GOOD),
            "infected": Cells(np.int16, NEVER),
            **{name: cell for action in self.rules.actions for name, cell in CELLS[action].items()},
        }
        self.group_cells = {
            "deaths": Cells(np.float64),
            "cases": Cells(np.int64),
            "total": Cells(np.int64),
            "past": Cells(np.int64, 0, (max(1, len(self.shares)),)),
            "growth": Cells(np.float64, np.nan),
            "tests": Cells(np.int64),
            "tested": Cells(np.int64),
        }

    def begin(self, groups: Groups) -> None:
        """Some are infected the day before."""
        agents = self.agents_of(groups)
        initial = self.rules.initial
        if isinstance(initial, str):
            first = agents[np.asarray(self._column(initial, agents), np.bool_)]
        else:
            first = agents[self.world.randomness.stream("epidemic.first", self.day).uniform(agents) < initial]
        self._forget()
        self._infect(first)

    def admit(self, agents: AgentIds) -> None:
        super().admit(agents)
        self._forget()

    def observe(self, turn: Turn) -> Mapping[str, Array]:
        """day; of one's world: cases (yesterday), before, total, deaths, size; of oneself: ill, isolating, working, vaccinated,
        quarantined, waiting (for a result), result (-1 none, 0 negative, 1 positive), as far as there are actions for them. Whether one
        is exposed is not to be seen."""
        agents = turn.agents
        everyone = len(agents) == len(self.stage)
        everyone = everyone and (agents is self.world.population.ids() or np.array_equal(agents, np.arange(len(agents))))
        sizes = self._sizes()
        worlds = {
            "cases": self.cases, "before": self.past[:, -1], "total": self.total, "deaths": self.deaths, "size": sizes,
        }  # fmt: skip
        if self.world.groups == 1:
            seen = {name: np.broadcast_to(values[0].copy(), agents.shape) for name, values in worlds.items()}
        else:
            group = self.group_of(agents)
            seen = {name: values[group] for name, values in worlds.items()}
        seen["day"] = np.broadcast_to(np.int64(self.day), agents.shape)
        mine = {"ill": np.asarray((self.stage if everyone else self.stage[agents]) == Stage.INFECTIOUS)}
        actions = self.rules.actions
        own = {"isolate": ("isolating",), "work": ("working",), "test": ("result",), "comply": ("complying",)}
        for cell in (cell for action in actions for cell in own.get(action, ())):
            mine[cell] = getattr(self, cell) if everyone else getattr(self, cell)[agents]
        if "test" in actions:
            mine["waiting"] = np.asarray((self.result_day if everyone else self.result_day[agents]) >= self.day)
            mine["quarantined"] = np.asarray((self.quarantined_until if everyone else self.quarantined_until[agents]) >= self.day)
        if "vaccinate" in actions:
            mine["vaccinated"] = np.asarray((self.dose_day if everyone else self.dose_day[agents]) != NEVER)
        shown = {name: values.view() for name, values in mine.items()}
        for values in shown.values():
            values.flags.writeable = False  # some are the world's own arrays
        return {**seen, **shown}

    def describe(self, seen: Observations, row: int) -> Content:
        columns = seen[self.name]
        places = {name: columns[name][row] for name in ("day", "cases", "before", "total", "deaths", "size")}
        places["share"] = round(1e5 * float(places["cases"]) / max(int(places["size"]), 1))
        said = [name for name in ("ill", "quarantined", "vaccinated") if name in columns and columns[name][row]]
        if "result" in columns and columns["result"][row] in (POSITIVE, NEGATIVE):
            said.append("positive" if columns["result"][row] == POSITIVE else "negative")
        moving = " ".join(text for name in ("news", *said) if (text := self.wording.say(name, **places)))
        blocks = (Block(self.wording.say("rules", **places), self.name, layer=Text.SHARED), Block(moving, self.name))
        return tuple(block for block in blocks if block.text)

    def advance(self, to: int) -> Outcome | None:
        """A day passes."""
        if self.day >= LONGEST:
            raise UsageError(f"an epidemic lasts at most {LONGEST} days: days are kept in 16 bits")
        engine = self._ready()
        protected = self.newly_protected()
        if len(protected):
            engine.people.trait[protected] += np.uint16(self.disease.ages)
        before = EpidemicState(self.day, self.stage, self.until, self.infected, self.deaths)
        after, flows = engine.step(before, self.behaviour(), self.world.randomness, self.day)
        self.deaths = after.deaths
        outcome = self.results()
        self.tests, self.tested = np.zeros_like(self.tests), self.tests
        self._count(flows)
        outcome.add(self._counted(flows))
        self.day += 1
        if self.rules.ends:
            active = (self.stage == Stage.EXPOSED) | (self.stage == Stage.INFECTIOUS)
            alive = np.bincount(self.group_of(np.flatnonzero(active)), minlength=self.world.groups) > 0
            outcome.ended = np.flatnonzero(~alive & self.world.active).astype(np.int64)
        return outcome

    def measures(self) -> Mapping[str, Array]:
        """cases (infected yesterday), total, deaths, susceptible, exposed, infectious, recovered, reproduction (effective, of yesterday;
        nan while nobody was infectious), and as far as there are actions: isolating, working, protected, quarantined, tests."""
        counts = self._by_stage()
        found: dict[str, Array] = {"cases": self.cases.copy(), "total": self.total.copy(), "deaths": self.deaths.copy()}
        for stage in (Stage.SUSCEPTIBLE, Stage.EXPOSED, Stage.INFECTIOUS, Stage.RECOVERED):
            found[stage.name.lower()] = counts[:, stage]
        found["reproduction"] = self.growth.copy()
        actions = self.rules.actions
        flags = {"isolate": "isolating", "work": "working", "vaccinate": "protected"}
        for action, cell in flags.items():
            if action in actions:
                found[cell] = self._by_world(getattr(self, cell))
        if "test" in actions:
            found["quarantined"] = self._by_world(self.quarantined())
            found["tests"] = self.tested.copy()
        return found

    @operation("Close a layer of contacts (a school closure, a ban on gatherings).")
    def close(self, layer: str) -> None:
        self.closed.add(self._layer(layer))

    @operation("Open a layer of contacts again.")
    def reopen(self, layer: str) -> None:
        self.closed.discard(self._layer(layer))

    @operation("Infect agents from outside; those who are not susceptible stay as they are.")
    def infect(self, agents: Sequence[int]) -> None:
        chosen = np.unique(np.asarray(agents, np.int64))
        if len(chosen) and not 0 <= chosen[0] <= chosen[-1] < len(self.stage):
            raise UsageError(f"{self.name}.infect: there are agents 0 to {len(self.stage) - 1}")
        self._infect(chosen[self.stage[chosen] == Stage.SUSCEPTIBLE])

    @operation("Change R from now on: one number a week, or a list of weeks with one number an area.")
    def set_reproduction(self, reproduction: Any) -> None:
        weeks = np.atleast_1d(np.asarray(reproduction, np.float64))
        known = self.disease.reproduction
        passed = [known[min(week, len(known) - 1)] for week in range(self.day // self.disease.days_a_week)]
        values = (*passed, *_weeks(weeks))
        self._use(replace(self.disease, reproduction=values))

    def state(self, groups: Groups | None = None) -> State:
        """Days of some groups are told from today on, so that they can be put back at another time."""
        state = super().state(groups)
        if groups is None:
            weeks = [list(np.atleast_1d(week)) for week in self.disease.reproduction]
            return {**state, "day": self.day, "closed": sorted(self.closed), "reproduction": np.array(weeks, np.float64)}
        state["agents"] = {name: self._moved(name, values, -self.day) for name, values in state["agents"].items()}
        return state

    def load(self, state: State, groups: Groups | None = None) -> None:
        if state and groups is not None:
            moved = {name: self._moved(name, values, self.day) for name, values in state["agents"].items()}
            state = {**state, "agents": moved}
        super().load(state, groups)
        if state and groups is None:
            self.day, self.closed = int(state["day"]), set(state["closed"])
            self.disease = replace(self.disease, reproduction=_weeks(np.asarray(state["reproduction"], np.float64)))
        self._forget()

    def __getstate__(self) -> dict[str, Any]:
        """For a fork: all but the engine, which is found out anew."""
        return {name: value for name, value in self.__dict__.items() if name != "_engine"}

    def _moved(self, name: str, values: Array, days: int) -> Array:
        if name not in (*DAYS, "until", "infected"):
            return values
        some = (values != NEVER) & (values != FOR_GOOD)
        return np.where(some, values + np.int16(days), values).astype(np.int16)

    def behaviour(self) -> Behaviour:
        """Who takes part where today."""
        present = self._present()
        home, quarantine = self.at_home(), self.in_quarantine()
        sends: list[Mask | None] = []
        receives: list[Mask | None] = []
        for layer in self.layers:
            if layer.name in self.closed:
                nobody = np.zeros(len(self.stage), np.bool_)
                sends.append(nobody)
                receives.append(nobody)
                continue
            both = [present] if present is not None else []
            if layer.needs is not None:
                both.append(self._flags(layer.needs))
            if quarantine is not None and not layer.at_home:
                both.append(~quarantine)
            apart = [~home] if home is not None and not layer.at_home and home.any() else []
            sends.append(_all([*both, *([] if self.rules.isolated_send else apart)]))
            receives.append(_all([*both, *apart]))
        return Behaviour(sends, receives)

    def people(self) -> People:
        """Age, area, vaccination and world of everyone, as the disease sees them today."""
        age, area = self._class(self.rules.age, self.disease.ages), self._class(self.rules.area, self.disease.areas)
        protected = self.protected if "vaccinate" in self.rules.actions else False
        trait = self.disease.traits(age, area, protected).astype(np.uint16)
        return People(trait, self.group_of(np.arange(len(self.stage))), self.world.groups)

    def _present(self) -> Mask | None:
        """Who is here and whose world goes on; None for everyone."""
        population = self.world.population
        present = np.asarray(population.get(population.ids(present=False), "present"))
        if not self.world.active.all():
            present = present & self.world.active[self.group_of(np.arange(len(present)))]
        return None if present.all() else present

    def _flags(self, name: str) -> Mask:
        if name in self.agent_cells:
            return np.asarray(getattr(self, name), np.bool_)
        return np.asarray(self._column(name, np.arange(len(self.stage))), np.bool_)

    def _column(self, name: str, agents: AgentIds) -> Array:
        if not all(name in table for table in self.world.population):
            raise UsageError(f"the epidemic needs a column {name!r}, which the population lacks")
        return self.world.population.get(agents, name)

    def _infect(self, agents: AgentIds) -> None:
        """As if on the day before."""
        state = EpidemicState(self.day, self.stage, self.until, self.infected, self.deaths)
        enter(state, agents, Stage.EXPOSED, self.day - 1, self.disease, draws(self.world.randomness, self.day - 1))
        self.infected[agents] = self.day - 1
        self.total += np.bincount(self.group_of(agents), minlength=self.world.groups)
        if self._engine is not None:
            self._engine.joined(np.asarray(agents, np.int64), self.until)

    def _count(self, flows: Flows) -> None:
        cases = np.bincount(self.group_of(flows.infected), minlength=self.world.groups).astype(np.int64)
        self.past = np.concatenate([self.past[:, 1:], self.cases[:, None]], axis=1)
        self.growth = estimated(cases, self.past, self.shares) if len(self.shares) else np.full(len(cases), np.nan)
        self.cases, self.total = cases, self.total + cases

    def _counted(self, flows: Flows) -> Outcome:
        """New cases and expected deaths of the day by the columns asked for: a row for each combination in which there were any."""
        if not self.rules.counted_by:
            return Outcome()
        dying = flows.left[flows.stages == Stage.INFECTIOUS]
        agents = np.concatenate([flows.infected, dying])
        columns = [np.asarray(self.group_of(agents)), *(np.asarray(self._column(name, agents)) for name in self.rules.counted_by)]
        new = np.concatenate([np.ones(len(flows.infected), np.int64), np.zeros(len(dying), np.int64)])
        rows, place = np.unique(np.stack(columns, axis=1).astype(np.int64), axis=0, return_inverse=True)
        cases = np.bincount(place.reshape(-1), new, len(rows)).astype(np.int64)
        deaths = self.disease.mortality * np.bincount(place.reshape(-1), 1 - new, len(rows))
        data: dict[str, Array] = {name: rows[:, 1 + n] for n, name in enumerate(self.rules.counted_by)}
        everyone = np.full(len(rows), -1, np.int64)
        return Outcome([Events("counted", everyone, {**data, "cases": cases, "deaths": deaths}, "nobody", groups=rows[:, 0])])

    def _by_world(self, flags: Mask) -> Array:
        if self.world.groups == 1:
            return np.array([np.count_nonzero(flags)], np.int64)
        return np.bincount(self.group_of(np.flatnonzero(flags)), minlength=self.world.groups).astype(np.int64)

    def _by_stage(self) -> NDArray[np.int64]:
        """Agents by world and stage, whether or not they are still here, (groups, stages)."""
        groups = self.world.groups
        if groups == 1:
            return np.array([[np.count_nonzero(self.stage == stage) for stage in range(5)]], np.int64)
        codes = self.group_of(np.arange(len(self.stage))) * 5 + self.stage
        return np.bincount(codes, minlength=5 * groups).reshape(groups, 5).astype(np.int64)

    def _sizes(self) -> NDArray[np.int64]:
        if self.world.groups == 1:
            return np.array([len(self.stage)], np.int64)
        return np.bincount(self.group_of(np.arange(len(self.stage))), minlength=self.world.groups).astype(np.int64)

    def _layer(self, name: str) -> str:
        if name not in (known := [layer.name for layer in self.layers]):
            raise UsageError(f"there is no layer {name!r}; there are {', '.join(known) or 'none'}")
        return name

    def _use(self, disease: Disease) -> None:
        self.disease, self.shares = disease, weights(disease)
        self._forget()

    def _forget(self) -> None:
        """People, parameters or stages were changed from outside: the engine is made anew."""
        if self._engine is not None:
            self._engine.close()
            self._engine = None

    def _ready(self) -> Engine:
        if self._engine is None:
            people = self.people()
            self._engine = engine_for(people, self.disease, [grown(layer, len(self.stage)) for layer in self.layers], self.rules)
        return self._engine

    def _class(self, name: str, classes: int) -> Array:
        """A column of class numbers; 0 for all where there is none, or only one class."""
        agents = np.arange(len(self.stage))
        if classes == 1 or not any(name in table for table in self.world.population):
            return np.broadcast_to(np.int64(0), agents.shape)
        values = np.asarray(self._column(name, agents))
        if len(values) and (values.min() < 0 or values.max() >= classes):
            raise UsageError(f"column {name!r} has values {values.min()} to {values.max()}; the disease has classes 0 to {classes - 1}")
        return values


def _weeks(values: NDArray[np.float64]) -> tuple[float | tuple[float, ...], ...]:
    """Weeks of R as ``Disease`` takes them, from (weeks,) or (weeks, areas)."""
    return tuple(tuple(map(float, week)) if week.size > 1 else float(week.reshape(-1)[0]) for week in values)


def _all(masks: Sequence[Mask]) -> Mask | None:
    """True where all are; None for no masks at all."""
    if not masks:
        return None
    out = masks[0].copy() if len(masks) > 1 else masks[0]
    for mask in masks[1:]:
        out &= mask
    return out
