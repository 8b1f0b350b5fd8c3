"""Does an environment keep its contract? Each check runs real simulations and names what differs."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sociarium.kernel.environment import Environment, Outcome
from sociarium.kernel.ledger import Reported
from sociarium.kernel.randomness import Stream
from sociarium.kernel.records import TickRecord
from sociarium.kernel.schedule import Rounds
from sociarium.kernel.simulation import Simulation
from sociarium.kernel.turn import Lanes, Phase, Turn, TurnKind
from sociarium.record.tree import survey
from sociarium.testing.digests import Build, digest_of_state, same_state, same_ticks, ticks_of
from sociarium.testing.errors import ConformanceError
from sociarium.testing.fuzz import FuzzMind
from sociarium.testing.inspector import Inspector

PROBE = "conformance probe"


def environment_test(build: Build, *, ticks: int | None = None, orders: int = 4) -> None:
    """All checks that need nothing but a way to build the simulation anew: ``build()`` gives equal simulations each time.

    ``ticks``: how many to run (to the end when None); ``orders``: in how many ways lanes are shared out. Raises ConformanceError.
    """
    purity_test(build, ticks=ticks)
    sharing_test(build, ticks=ticks, orders=orders)
    refusal_test(build, ticks=ticks)
    state_test(build, ticks=ticks)
    groups_test(build, ticks=ticks)
    admission_test(build, ticks=ticks)
    probe_test(build, ticks=ticks)


def purity_test(build: Build, *, ticks: int | None = None) -> None:
    """``observe`` and ``describe`` change no state and give one value an agent; what the world refuses is not carried out by half."""
    simulation = build()
    simulation.gates.append(Inspector(simulation))
    simulation.run_sync(ticks)


def sharing_test(build: Build, *, ticks: int | None = None, orders: int = 4) -> None:
    """Lanes together, one by one, in reverse, and shared out at random: the same ticks and the same end (law 1)."""
    first = build()
    expected = ticks_of(first, ticks)
    for number in range(-2, orders):
        other = build()
        other.sharing = _sharing(number)
        same_ticks(f"lanes shared out in another way (number {number})", expected, ticks_of(other, ticks))
        same_state(f"lanes shared out in another way (number {number})", first.state(), other.state())


def refusal_test(build: Build, *, ticks: int | None = None) -> None:
    """Under actions at, inside and outside their bounds, by anyone, the world carries out or refuses each, with a reason."""
    simulation = build()
    inspector = Inspector(simulation)
    simulation.minds.all[:] = [FuzzMind(simulation.world.randomness.seed) for _ in simulation.minds.all]
    simulation.gates[:] = [inspector]
    tried = sum((sum(record.applied.values()) + len(record.refusals)) for record in ticks_of(simulation, ticks))
    if any(environment.actions() for environment in simulation.world.environments.values()) and not tried:
        raise ConformanceError("no action was ever on offer: nothing was carried out and nothing refused")


def state_test(build: Build, *, ticks: int | None = None) -> None:
    """``state`` is a copy of arrays and plain data; loaded into a fresh simulation, whole, or back into some groups, it is identity."""
    whole = build()
    expected = ticks_of(whole, ticks)
    half = max(1, len(expected) // 2)
    first = build()
    head = ticks_of(first, half)
    saved = first.state()
    kept, digest = copy.deepcopy(saved), digest_of_state(saved)
    by_group = _group_states(first)
    tail = ticks_of(first, len(expected) - half)
    if digest_of_state(saved) != digest:
        same_state("a saved state does not change as the run goes on: copy its arrays", kept, saved)
    second = build()
    second.load(kept)
    same_state("state, load, state", kept, second.state())
    same_ticks("a run that is saved and loaded goes on as if nothing had happened", expected, [*head, *ticks_of(second, len(tail))])
    _load_groups(first, by_group)


def groups_test(build: Build, *, ticks: int | None = None) -> None:
    """A group alone, the others ended, lives as it does among them."""
    together = _group_stories(build(), ticks)
    groups = len(together[1])
    for group in range(groups) if groups > 1 else ():
        simulation = build()
        simulation.world.active[np.arange(groups) != group] = False
        alone = _group_stories(simulation, ticks)
        if alone[0][group] != together[0][group]:
            pairs = zip(together[0][group], alone[0][group], strict=False)
            first = next((pair for pair in pairs if pair[0] != pair[1]), (len(together[0][group]), len(alone[0][group])))
            raise ConformanceError(f"group {group} alone does not live as it does among others: {first[0]} and {first[1]}")
        for name, values in together[1][group].items():
            if not np.array_equal(values, alone[1][group][name], equal_nan=values.dtype.kind == "f"):
                raise ConformanceError(f"group {group} alone: measure {name} is {alone[1][group][name]}, and {values} among others")


def admission_test(build: Build, *, ticks: int | None = None, values: Mapping[str, Any] | None = None) -> None:
    """Newcomers in a group and in a new one, and leavers: ids are never used twice, no column is short, who has left has no turn."""
    simulation = build()
    population = simulation.world.population
    kinds = [kind for kind, table in population.tables.items() if len(table)]
    if not kinds:
        return
    simulation.run_sync(1)
    before = population.ids(present=False).copy()
    simulation.inject("population.admit", kind=kinds[0], size=3, group=[0, 0, simulation.world.groups], **(values or {}))
    leaver = int(population.ids()[0])
    simulation.inject("population.leave", agents=[leaver])
    simulation.gates.append(_Absent(simulation))
    ticks_of(simulation, ticks)
    ids = population.ids(present=False)
    if len(np.unique(ids)) != len(ids) or not np.array_equal(ids[: len(before)], before):
        raise ConformanceError("an id was used twice after admission")
    for kind, table in population.tables.items():
        for name in table.columns:
            if len(table[name]) != len(table.ids):
                raise ConformanceError(f"column {name!r} of {kind} has {len(table[name])} values for {len(table.ids)} agents")
    for name, values_now in simulation.world.measures().items():
        if len(values_now) != simulation.world.groups:
            raise ConformanceError(f"measure {name} has {len(values_now)} values for {simulation.world.groups} groups after admission")


def probe_test(build: Build, *, ticks: int | None = None) -> None:
    """To ask agents something, and to add an environment that nobody uses, shifts no draw and changes nothing."""
    first = build()
    expected = ticks_of(first, ticks)
    asked = build()
    if not isinstance(asked.schedule, Rounds):
        return
    names = tuple(asked.world.environments)
    asked.world.environments[_Bystander.name] = bystander = _Bystander()
    bystander.reset(asked.world, np.arange(asked.world.groups, dtype=np.int64))
    asked.schedule.phases = tuple(
        phase for each in asked.schedule.phases for phase in (Phase(PROBE, _Bystander.name, names, kind=TurnKind.PROBE), each)
    )
    found = [_without_probe(record) for record in ticks_of(asked, ticks)]
    same_ticks("a survey and an unused environment change nothing", expected, found)


class _Bystander(Environment):
    """Nobody acts in it; it draws from a stream of its own."""

    name = "conformance_bystander"

    def advance(self, to: int) -> Outcome | None:
        self.world.randomness.stream(self.name, self.world.clock.tick).uniform(np.arange(8))
        return None


class _Absent:
    """A gate: no turn for those who are not in, or whose group has ended."""

    def __init__(self, simulation: Simulation) -> None:
        self.simulation = simulation

    async def review(self, turn: Turn, seen: Any, actions: Any) -> Any:
        population = self.simulation.world.population
        gone = turn.agents[~population.get(turn.agents, "present")]
        if len(gone):
            raise ConformanceError(f"agent {gone[0]} has left and has a turn in tick {turn.tick}, phase {turn.phase.name}")
        return actions


def _sharing(number: int) -> Callable[[Lanes], Iterable[Lanes]]:
    """-2: one by one; -1: the same in reverse; else that many at random."""

    def share(lanes: Lanes) -> list[Lanes]:
        places = np.arange(len(lanes), dtype=np.int64)
        if number < 0:
            return [lanes.only(places == at) for at in (places if number == -2 else places[::-1])]
        stream = Stream(number).at(lanes.moment.tick, lanes.moment.phase.name)
        part = stream.integers(0, 2 + number, places)
        shared = [lanes.only(part == at) for at in stream.order(np.arange(3 + number)).tolist()]
        return [some for some in shared if len(some)]

    return share


def _group_states(simulation: Simulation) -> dict[str, list[dict[str, Any]]]:
    """The state of every group by itself, where an environment keeps its state by group."""
    groups = np.arange(simulation.world.groups, dtype=np.int64)
    found: dict[str, list[dict[str, Any]]] = {}
    for name, environment in simulation.world.environments.items():
        whole = digest_of_state(environment.state())
        if len(groups) > 1 and digest_of_state(environment.state(groups[:1])) != whole:
            found[name] = [copy.deepcopy(environment.state(groups[at : at + 1])) for at in groups]
    return found


def _load_groups(simulation: Simulation, saved: Mapping[str, Sequence[dict[str, Any]]]) -> None:
    """Each group goes back to what it was, by itself: it is as it was saved, and the others stay as they are."""
    groups = np.arange(simulation.world.groups, dtype=np.int64)
    for name, states in saved.items():
        environment = simulation.world[name]
        for at, state in enumerate(states):
            others = np.flatnonzero(groups != at)
            before = copy.deepcopy(environment.state(others))
            environment.load(copy.deepcopy(state), groups[at : at + 1])
            same_state(f"{name}: state, load, state of group {at}", state, environment.state(groups[at : at + 1]))
            same_state(f"{name}: loading group {at} leaves the others as they are", before, environment.state(others))


Story = list[tuple[str, int, list[int], str]]


def _group_stories(simulation: Simulation, ticks: int | None) -> tuple[dict[int, Story], list[dict[str, NDArray[Any]]]]:
    """What happened in each group, and its measures at the end."""
    groups = simulation.world.groups
    stories: dict[int, Story] = {group: [] for group in range(groups)}
    last: list[dict[str, NDArray[Any]]] = [{} for _ in range(groups)]  # a group that has ended keeps it

    def heard(piece: Reported) -> None:
        for group in np.unique(piece.groups).tolist():
            rows = np.asarray(piece.groups == group)
            data = survey({name: np.asarray(column)[rows] for name, column in piece.data.items()}).digest
            stories[group].append((piece.kind, piece.turn, piece.events.actors[rows].tolist(), data))

    def measured(record: TickRecord) -> None:
        for name, values in record.measures.items():
            for group in range(groups):
                last[group][name] = values[group : group + 1]

    simulation.on_events.append(heard)
    simulation.on_tick.append(measured)
    simulation.run_sync(ticks)
    return stories, last


def _without_probe(record: TickRecord) -> TickRecord:
    return replace(record, outcomes=[rows for rows in record.outcomes if rows.phase != PROBE])
