"""The day by compiled kernels (extra ``fast``): three ways to find who is infected.

``push``: the contacts of the infectious are read, and what is sent is added to whoever of them is susceptible. ``pull``: numbers are drawn
for the susceptible, and contacts are read of those whom they could infect. Both give the bits of ``PlainEngine``; ``auto`` takes the
cheaper one each day. ``events``: only contacts that transmit are looked at, found by geometric skips: exact in law, with random numbers
of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from sociarium.environments.epidemic import kernels
from sociarium.environments.epidemic.disease import Disease, Stage
from sociarium.environments.epidemic.forces import Forces
from sociarium.environments.epidemic.layers import Layer, Worlds, checked, meetings
from sociarium.environments.epidemic.model import (
    INFECTION,
    LENGTH,
    Behaviour,
    EpidemicState,
    Flows,
    Mask,
    People,
    died,
    people_in,
)
from sociarium.environments.epidemic.pulling import Pulled, Pulling
from sociarium.environments.epidemic.skipping import Skipping
from sociarium.environments.epidemic.stages import Stages
from sociarium.environments.epidemic.workshop import Emissions, Workshop, chosen, graph_of, is_mutual, packed
from sociarium.kernel.errors import UsageError
from sociarium.kernel.randomness import Randomness

Array = NDArray[Any]
Method = Literal["auto", "push", "pull", "events"]

TRANSMISSION = "epidemic.transmission"
ROW, CONTACT, ADDED, DRAW = 12.0, 1.2, 10.0, 3.0  # what a row, a contact, a sum and a number drawn cost, about, in nanoseconds
EVERYONE = np.empty(0, np.bool_)


class FastEngine:
    """See the module. ``threads``: how many share the work; no result depends on it."""

    def __init__(self, people: People, disease: Disease, layers: Sequence[Layer], *, method: Method = "auto", threads: int = 1) -> None:
        checked(layers, people)
        if method in ("events", "pull") and any(layer.network is None for layer in layers):
            raise UsageError(f"{method} goes along the contacts of networks; use push or auto for layers that are mixed or drawn")
        self.people, self.disease, self.layers = people, disease, tuple(layers)
        self.method: Method = method
        size = len(people.trait)
        self.workshop = Workshop(threads, size)
        self.worlds, self.emissions = Worlds(people), Emissions(disease, self.layers)
        self.graphs = [None if layer.network is None else graph_of(layer.network) for layer in layers]
        self.trait = np.ascontiguousarray(people.trait)
        self.group = np.zeros(1, np.int64) if people.groups == 1 else np.ascontiguousarray(people.group)
        self.stages = Stages(self.workshop, size, disease, np.asarray(self.emissions.active.any(axis=1)))
        self.skipping = [
            Skipping(self.workshop, graph, self.emissions.units, disease.scale)
            for graph in self.graphs
            if graph is not None and method == "events"
        ]
        self._forces: Forces | None = None
        self._pulling: Pulling | None = None
        self.visited = 0
        self.used: Method = method  # of the last step, like ``visited``: contacts looked at
        self._mutual: bool | None = None
        if method == "pull" and not self._is_mutual():
            raise UsageError("pull needs networks that have each contact in both directions; use push or auto")

    def step(self, state: EpidemicState, behaviour: Behaviour, randomness: Randomness, tick: int) -> tuple[EpidemicState, Flows]:
        self.stages.open(state)
        self.visited, self.used = 0, self._way(state.day)
        ways = {"events": self._by_events, "pull": self._by_pull}
        infected = ways.get(self.used, self._by_force)(state, behaviour, randomness, tick)
        left, was = self.stages.passed(state, infected, randomness.stream(LENGTH, tick).key)
        flows = Flows(infected, left, was)
        return replace(state, day=state.day + 1, deaths=state.deaths + died(flows, self.disease, self.people)), flows

    def forget(self) -> None:
        self.stages.forget()

    def joined(self, agents: NDArray[np.int64], until: NDArray[np.int16]) -> None:
        self.stages.joined(agents, until)

    def close(self) -> None:
        self.workshop.close()

    def __deepcopy__(self, memo: dict[int, Any]) -> FastEngine:
        """For a fork. People and networks are shared: nobody writes into them."""
        return FastEngine(self.people, self.disease, self.layers, method=self.method, threads=self.workshop.threads)

    def _way(self, day: int) -> Method:
        if self.method != "auto":
            return self.method
        networks = [graph for graph in self.graphs if graph is not None]
        if len(networks) < len(self.graphs) or not networks:
            return "push"
        size = len(self.trait)
        degree = sum(len(targets) for _, targets in networks) / max(1, size)
        row = ROW + CONTACT * degree
        bound = float(self.disease.receptivity(day).mean()) * degree * float(self.emissions.units[-1]) / self.disease.scale
        push = self.stages.senders * (row + ADDED * degree * self.stages.susceptible / max(1, size))
        pull = self.stages.susceptible * (DRAW + row * bound / (1 + bound / 2))
        return "pull" if pull < push and self._is_mutual() else "push"

    def _is_mutual(self) -> bool:
        if self._mutual is None:
            self._mutual = all(graph is None or is_mutual(graph, self.workshop) for graph in self.graphs)
        return self._mutual

    def _senders(self, state: EpidemicState) -> tuple[Array, Array]:
        """Who sends anything anywhere today, ascending, and the column of the emission tables of each."""
        active, shop, bits, parts = self.emissions.active, self.workshop, self.stages.sending, self.stages.parts

        def work(number: int) -> tuple[Array, Array]:
            first, last = parts[number]
            room = 64 * (last - first) + 1
            agents, since = shop.room(f"agents {number}", room, np.int32), shop.room(f"since {number}", room, np.uint8)
            count = kernels.senders(bits, first, last, state.stage, state.infected, active, state.day, agents, since)
            return agents[:count], since[:count]

        found = shop.each(work)
        if len(found) == 1:
            return found[0]
        return np.concatenate([agents for agents, _ in found]), np.concatenate([since for _, since in found])

    def _sent(self, state: EpidemicState, sends: Mask | None, agents: Array, since: Array, table: Array) -> tuple[Array, Array]:
        """Who sends in a layer, and the entry of ``table`` for each."""
        who = self.workshop.room("who", len(agents) + 1, np.int32)
        units = self.workshop.room("units", len(agents) + 1, np.uint32)
        count = kernels.sent_in(agents, since, state.stage, table, EVERYONE if sends is None else sends, who, units)
        return who[:count], units[:count]

    def _by_force(self, state: EpidemicState, behaviour: Behaviour, randomness: Randomness, tick: int) -> NDArray[np.int64]:
        if self._forces is None:
            self._forces = Forces(self.workshop, len(state))
        forces, bits = self._forces, self.stages.opened
        agents, since = self._senders(state)
        mixed = np.zeros(1)
        for number, (layer, graph) in enumerate(zip(self.layers, self.graphs, strict=True)):
            sends, receives = behaviour.sending(number), behaviour.receiving(number)
            open_to = bits if receives is None else bits & packed(receives)
            who, units = self._sent(state, sends, agents, since, self.emissions.tables[number])
            if layer.mixed:
                mixed = mixed + self._mixed(who, units, receives)
            elif graph is not None:
                self.visited += forces.push(lambda w, u, f, h, g=graph, b=open_to: kernels.push(*g, w, u, f, b, h), who, units)
            else:
                key = np.uint64(meetings(randomness, tick, layer).key)
                drawn = partial(kernels.push_drawn, layer.drawn, key, self.worlds.members, self.worlds.bounds, self.group)
                self.visited += forces.push(lambda w, u, f, h, push=drawn, b=open_to: push(w, u, f, b, h), who, units)
        also = np.flatnonzero(state.stage == Stage.SUSCEPTIBLE).astype(np.int32) if mixed.any() else None
        key = randomness.stream(INFECTION, tick).key
        receptivity = self.disease.receptivity(state.day)
        return forces.candidates(self.trait, receptivity, 1 / self.disease.scale, key, mixed, also).infected()

    def _mixed(self, who: Array, units: Array, receives: Mask | None) -> Array:
        """What everyone is sent in a mixed layer: one number for all where that is enough, else one an agent."""
        people = self.people
        groups = people.group[who] if people.groups > 1 else np.zeros(len(who), np.int64)
        share = np.bincount(groups, units, people.groups) / (self.disease.scale * people_in(people))
        received = share if people.groups == 1 else share[people.group]
        return received if receives is None else np.where(receives, received, 0.0)

    def _by_pull(self, state: EpidemicState, behaviour: Behaviour, randomness: Randomness, tick: int) -> NDArray[np.int64]:
        if self._pulling is None:
            self._pulling = Pulling(self.workshop, [graph for graph in self.graphs if graph is not None])
        everyone = self.emissions.alike
        agents, since = (EVERYONE, EVERYONE) if all(unit is not None for unit in everyone) else self._senders(state)
        layers: list[Pulled] = []
        for number, unit in enumerate(everyone):
            sends, units = behaviour.sending(number), np.unique(self.emissions.tables[number]).astype(np.uint32)
            sending = self.stages.sending if sends is None else self.stages.sending & packed(sends)
            if unit is not None:
                layers.append(Pulled(sending, behaviour.receiving(number), units, unit=unit))
                continue
            code = self.workshop.room(f"code {number}", len(state), np.uint8)
            code[agents] = np.asarray(np.searchsorted(units, self.emissions.tables[number]), np.uint8)[state.stage[agents], since]
            if len(agents) < self.stages.senders:  # some send nothing today
                sending = sending & chosen(agents, len(state))
            layers.append(Pulled(sending, behaviour.receiving(number), units, code))
        receptivity, key = self.disease.receptivity(state.day), randomness.stream(INFECTION, tick).key
        found, self.visited = self._pulling.candidates(self.stages.opened, layers, self.trait, receptivity, 1 / self.disease.scale, key)
        return found.infected()

    def _by_events(self, state: EpidemicState, behaviour: Behaviour, randomness: Randomness, tick: int) -> NDArray[np.int64]:
        bits = self.stages.opened
        agents, since = self._senders(state)
        receptivity = self.disease.receptivity(state.day)
        found: list[Array] = []
        for number, skipping in enumerate(self.skipping):
            receives = behaviour.receiving(number)
            open_to = bits if receives is None else bits & packed(receives)
            who, codes = self._sent(state, behaviour.sending(number), agents, since, self.emissions.codes[number])
            stream = randomness.stream(TRANSMISSION, tick, self.layers[number].name)
            keys = stream.key, stream.at("kept").key
            infected, visited = skipping.infected(who, codes, open_to, self.trait, receptivity, keys)
            found.append(infected)
            self.visited += visited
        infected = np.concatenate([np.empty(0, np.int32), *found])
        infected = infected[: kernels.first_time(bits, infected)]  # several may infect one
        kernels.flip(bits, infected)
        return np.sort(infected).astype(np.int64)
