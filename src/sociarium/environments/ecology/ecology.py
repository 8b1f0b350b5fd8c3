"""Predators hunt prey, prey graze, grass grows back: the predator-prey domain of Large Population Models (Chopra 2025). Nobody is born.

Energy is a whole number. Each tick all living move one field, prey graze, predators hunt, and grass grows. One eater a patch and one
hunter a
prey; who it is falls to the lot.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from sociarium.environments.columnar import Cells, ColumnarEnvironment, first_rows
from sociarium.environments.wording import Wording
from sociarium.kernel.actions import ActionTable, Choice, action
from sociarium.kernel.content import Block, Content, Layer
from sociarium.kernel.environment import Events, Groups, Outcome
from sociarium.kernel.errors import UsageError
from sociarium.kernel.population import Population
from sociarium.kernel.turn import Observations, Turn

Array = NDArray[Any]
Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]

PREDATOR, PREY = "predator", "prey"
DIRECTIONS = ("up", "right", "down", "left")
_STEPS = np.array([[-1, 0], [0, 1], [1, 0], [0, -1]], np.int64)


@dataclass(frozen=True, slots=True)
class EcologyRules:
    """``cost``: energy of a move; ``meal``: energy of a meal; ``start``: least and most energy at the beginning; each for predators, then
    prey.
    ``regrowth``: ticks until a grazed patch has grass again; 0: it has none at all, from the start."""

    rows: int = 18
    columns: int = 25
    cost: tuple[int, int] = (1, 5)
    meal: tuple[int, int] = (20, 7)
    start: tuple[tuple[int, int], tuple[int, int]] = ((30, 100), (40, 100))
    regrowth: int = 100

    def __post_init__(self) -> None:
        if self.rows < 1 or self.columns < 1 or self.rows * self.columns < 2:
            raise UsageError(f"a grid of {self.rows} x {self.columns} has nowhere to go; it needs at least two fields")
        if min(*self.cost, *self.meal, self.regrowth) < 0 or any(not 0 < low <= high for low, high in self.start):
            raise UsageError("costs, meals and regrowth are 0 or more, and energy at the start above 0")


@dataclass(frozen=True, slots=True)
class EcologyWording(Wording):
    """Places: kind, energy, row, column, grass (patches with grass around), others (animals on the same field)."""

    rules: str = ""
    state: str = (
        "You have $energy energy. You stand in row $row, column $column, with $others others; grass grows on $grass fields here and around."
    )

    PLACES: ClassVar[Mapping[str, frozenset[str]]] = dict.fromkeys(
        ("rules", "state"), frozenset({"kind", "energy", "row", "column", "grass", "others"})
    )


class Ecology(ColumnarEnvironment):
    """A group is a grid of its own. Who does not say where to go goes to a random field beside its own."""

    name: ClassVar[str] = "ecology"

    grass: Ints  # ticks until there is grass; 0: there is, (groups, fields)
    strides: Ints  # moves so far of predators and prey, (groups, 2)
    meals: Ints  # meals so far of predators and prey, (groups, 2)
    lost: Ints  # energy that prey had when they were eaten, (groups,)
    given: Ints  # energy at the start, (groups,)
    energy: Ints  # (agents,)
    field: Ints  # row * columns + column
    alive: Mask
    wish: NDArray[np.int8]  # direction asked for in this tick, -1 for none
    prey: Mask  # which kind
    placed: Mask  # whether it was given its field and energy

    def __init__(self, rules: EcologyRules | None = None, wording: EcologyWording | None = None) -> None:
        self.rules = rules or EcologyRules()
        self.wording = wording or EcologyWording()
        whole, both = Cells(np.int64), Cells(np.int64, shape=(2,))
        fields = self.rules.rows * self.rules.columns
        empty = 0 if self.rules.regrowth else np.iinfo(np.int64).max
        self.group_cells = {"grass": Cells(np.int64, empty, (fields,)), "strides": both, "meals": both, "lost": whole, "given": whole}
        self.agent_cells = {
            "energy": whole, "field": whole, "alive": Cells(np.bool_), "wish": Cells(np.int8, -1), "prey": Cells(np.bool_),
            "placed": Cells(np.bool_),
        }  # fmt: skip

    @staticmethod
    def population(predators: int = 40, prey: int = 80, groups: int = 1) -> Population:
        """Both kinds, the same in each group."""
        population = Population()
        for kind, size in ((PREDATOR, predators), (PREY, prey)):
            population.declare(kind)
            population.admit(kind, size * groups, group=np.arange(size * groups) // max(size, 1))
        return population

    def begin(self, groups: Groups) -> None:
        self._place(self.agents_of(groups))

    def admit(self, agents: Array) -> None:
        super().admit(agents)
        self._place(agents)

    def observe(self, turn: Turn) -> Mapping[str, Array]:
        """kind, energy, row, column, grass (grown patches on and beside the field), others (living animals on the field)."""
        agents = turn.agents
        group, field, fields = self.group_of(agents), self.field[agents], self.rules.rows * self.rules.columns
        everyone = self._living()
        there = np.bincount(self.group_of(everyone) * fields + self.field[everyone], minlength=self.world.groups * fields)
        grown = (self.grass == 0)[group, field].astype(np.int64)
        for direction in range(4):
            beside, inside = self._beside(field, np.full(len(field), direction))
            grown += inside & (self.grass == 0)[group, beside]
        row, column = np.divmod(field, self.rules.columns)
        return {
            "prey": self.prey[agents], "energy": self.energy[agents], "row": row, "column": column, "grass": grown,
            "others": there[group * fields + field] - self.alive[agents],
        }  # fmt: skip

    def describe(self, seen: Observations, row: int) -> Content:
        columns = seen[self.name]
        places = {name: columns[name][row] for name in ("energy", "row", "column", "grass", "others")}
        places["kind"] = PREY if columns["prey"][row] else PREDATOR
        blocks = [
            Block(self.wording.say("rules", **places), origin=self.name, layer=Layer.SHARED),
            Block(self.wording.say("state", **places), origin=self.name),
        ]
        return tuple(block for block in blocks if block.text)

    @action("Go to the field beside yours.", direction=Choice(options=DIRECTIONS))
    def move(self, turn: Turn, seen: Observations, table: ActionTable) -> Outcome:
        """Where to go in this tick. The dead do not move, and nobody leaves the grid."""
        outcome = Outcome()
        once = first_rows(table.agents)
        direction = np.array([DIRECTIONS.index(value) for value in table["direction"]], np.int64)
        _, inside = self._beside(self.field[table.agents], direction)
        for rows, reason in ((~once, "one move a turn"), (once & ~self.alive[table.agents], "the dead do not move"),
                             (once & self.alive[table.agents] & ~inside, "there is no field in that direction")):  # fmt: skip
            if rows.any():
                outcome.refuse(f"{self.name}.move", table.agents[rows], reason)
        goes = once & self.alive[table.agents] & inside
        self.wish[table.agents[goes]] = direction[goes]
        outcome.events.append(Events("headed", table.agents[goes], {"direction": table["direction"][goes]}, "own"))
        return outcome

    def advance(self, to: int) -> Outcome | None:
        living = self._living()
        self._stride(living)
        self._graze(living[self.prey[living]])
        self._hunt(living)
        self.alive[living] &= self.energy[living] > 0
        going = np.flatnonzero(self.world.active)
        waiting = self.grass[going]
        self.grass[going] = np.where((waiting > 0) & (waiting < np.iinfo(np.int64).max), waiting - 1, waiting)
        self.wish[:] = -1
        return None

    def measures(self) -> Mapping[str, Array]:
        """A group: living predators and prey, grown patches, energy of all, and ``missing``: energy that the books do not explain (always
        0)."""
        agents, groups = np.arange(len(self.energy)), self.world.groups
        group = self.group_of(agents)
        energy = np.zeros(groups, np.int64)
        np.add.at(energy, group, self.energy)
        booked = self.given - self.strides @ np.array(self.rules.cost) + self.meals @ np.array(self.rules.meal) - self.lost
        return {
            "predators": np.bincount(group[self.alive & ~self.prey], minlength=groups),
            "prey": np.bincount(group[self.alive & self.prey], minlength=groups),
            "grass": (self.grass == 0).sum(axis=1),
            "energy": energy, "missing": energy - booked,
        }  # fmt: skip

    def _place(self, agents: Array) -> None:
        """Everyone on a random field with random energy."""
        population = self.world.population
        for kind in (PREDATOR, PREY):
            if kind not in population.tables:
                raise UsageError(f"an ecology needs agents of the kinds {PREDATOR!r} and {PREY!r}, not only one; a table may be empty")
        agents = agents[~self.placed[agents]]  # newcomers who begin a new group are announced twice
        self.placed[agents] = True
        self.prey[agents] = np.isin(agents, population.ids(PREY, present=False))
        random = self.world.randomness.stream("ecology.start")
        kind = self.prey[agents].astype(np.int64)
        bounds = np.array(self.rules.start)
        self.energy[agents] = random.integers(bounds[kind, 0], bounds[kind, 1], agents)
        self.field[agents] = random.integers(0, self.rules.rows * self.rules.columns - 1, agents, 1)
        self.alive[agents] = True
        np.add.at(self.given, self.group_of(agents), self.energy[agents])

    def _living(self) -> Ints:
        """Who is present and alive, in groups that go on."""
        awake = self.world.awake()
        return awake[self.alive[awake]]

    def _stride(self, living: Ints) -> None:
        random = self.world.randomness.stream("ecology.stride", self.world.clock.tick)
        field = self.field[living]
        ways = np.stack([self._beside(field, np.full(len(field), direction))[1] for direction in range(4)], axis=1)
        drawn = (random.uniform(living) * ways.sum(axis=1)).astype(np.int64)
        chance = (np.cumsum(ways, axis=1) > drawn[:, None]).argmax(axis=1)
        direction = np.where(self.wish[living] >= 0, self.wish[living], chance)
        self.field[living] = self._beside(field, direction)[0]
        kind = self.prey[living].astype(np.int64)
        self.energy[living] -= np.array(self.rules.cost)[kind]
        self.strides += np.bincount(2 * self.group_of(living) + kind, minlength=2 * self.world.groups).reshape(-1, 2)

    def _graze(self, prey: Ints) -> None:
        place = self._place_of(prey)
        grown = self.grass.reshape(-1)[place] == 0
        first = _first_by_lot(place[grown], prey[grown], self._lot("graze", prey[grown]))
        eater = prey[grown][first]
        self.energy[eater] += self.rules.meal[1]
        self.grass.reshape(-1)[place[grown][first]] = self.rules.regrowth
        self.meals[:, 1] += np.bincount(self.group_of(eater), minlength=self.world.groups)

    def _hunt(self, living: Ints) -> None:
        """On each field hunters and prey stand in order of lot, and the first hunter takes the first prey, and so on."""
        hunters, prey = living[~self.prey[living]], living[self.prey[living]]
        hunters, at = self._queue("hunt", hunters)
        prey, of = self._queue("flee", prey)
        rank_h, rank_p = _rank(at), _rank(of)
        size = int(max(rank_h.max(initial=0), rank_p.max(initial=0))) + 1
        _, one, other = np.intersect1d(at * size + rank_h, of * size + rank_p, assume_unique=True, return_indices=True)
        eater, eaten = hunters[one], prey[other]
        np.add.at(self.lost, self.group_of(eaten), self.energy[eaten])
        self.energy[eaten] = 0
        self.alive[eaten] = False
        self.energy[eater] += self.rules.meal[0]
        self.meals[:, 0] += np.bincount(self.group_of(eater), minlength=self.world.groups)

    def _queue(self, name: str, agents: Ints) -> tuple[Ints, Ints]:
        place = self._place_of(agents)
        order = np.lexsort((agents, self._lot(name, agents), place))
        return agents[order], place[order]

    def _lot(self, name: str, agents: Ints) -> Array:
        return self.world.randomness.stream(f"ecology.{name}", self.world.clock.tick).bits(agents)

    def _place_of(self, agents: Ints) -> Ints:
        """Field and group in one number."""
        return self.group_of(agents) * (self.rules.rows * self.rules.columns) + self.field[agents]

    def _beside(self, field: Ints, direction: Ints) -> tuple[Ints, Mask]:
        """The field in that direction, and whether it is on the grid (else the field itself)."""
        row, column = np.divmod(field, self.rules.columns)
        moved_row, moved_column = row + _STEPS[direction, 0], column + _STEPS[direction, 1]
        inside = (moved_row >= 0) & (moved_row < self.rules.rows) & (moved_column >= 0) & (moved_column < self.rules.columns)
        return np.where(inside, moved_row * self.rules.columns + moved_column, field), inside


def _first_by_lot(place: Ints, agents: Ints, lot: Array) -> Ints:
    """Of those on each place the one with the least lot."""
    order = np.lexsort((agents, lot, place))
    ordered = place[order]
    return order[np.concatenate([[True], ordered[1:] != ordered[:-1]])] if len(order) else order


def _rank(ordered: Ints) -> Ints:
    """0, 1, 2, ... within each run of equal numbers."""
    if not len(ordered):
        return ordered
    starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    return np.arange(len(ordered)) - np.repeat(starts, np.diff(np.append(starts, len(ordered))))
