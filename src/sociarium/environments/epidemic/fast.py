"""The day by compiled kernels (extra ``fast``): three ways to find who is infected.

``push``: the contacts of the infectious are read, and what is sent is added to whoever of them is susceptible. ``pull``: the contacts of
the susceptible are read; cheaper where they have far fewer. Both give the bits of ``PlainEngine``; ``auto`` takes the cheaper one each
day. ``events``: only contacts that transmit are looked at, found by geometric skips: exact in law, with random numbers of its own.
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
    FOR_GOOD,
    INFECTION,
    LENGTH,
    Behaviour,
    EpidemicState,
    Flows,
    Mask,
    People,
    Uniform,
    draws,
    people_in,
    progress,
)
from sociarium.environments.epidemic.skipping import Skipping
from sociarium.environments.epidemic.workshop import Emissions, Workshop, graph_of, is_mutual, packed
from sociarium.kernel.errors import UsageError
from sociarium.kernel.randomness import Randomness

Array = NDArray[Any]
Method = Literal["auto", "push", "pull", "events"]

TRANSMISSION = "epidemic.transmission"
FEWER = 3  # a contact that is pulled costs about so many times one that is pushed
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
        self.forces = None if method == "events" else Forces(self.workshop, size)
        self.skipping = [
            Skipping(self.workshop, graph, self.emissions.units, disease.scale)
            for graph in self.graphs
            if graph is not None and method == "events"
        ]
        self.lengths = {stage: _guided(disease.duration(stage).thresholds()) for stage in Stage if disease.duration(stage).drawn}
        self.visited = 0
        self.used: Method = method  # of the last step, like ``visited``: contacts looked at
        self._bits: Array | None = None  # who is susceptible, a bit an agent
        self._susceptible = 0
        self._mutual: bool | None = None
        if method == "pull" and not self._is_mutual():
            raise UsageError("pull needs networks that have each contact in both directions; use push or auto")

    def step(self, state: EpidemicState, behaviour: Behaviour, randomness: Randomness, tick: int) -> tuple[EpidemicState, Flows]:
        day = state.day
        bits = self._open(state)
        agents, since = self._senders(state)
        self.visited, self.used = 0, self._way(len(agents))
        if self.used == "events":
            infected = self._by_events(state, behaviour, bits, agents, since, randomness, tick)
        else:
            infected = self._by_force(state, behaviour, bits, agents, since, randomness, tick)
        left = self._ending(state)
        flows = Flows(infected, left, state.stage[left])
        enters = partial(self._enter, np.uint64(randomness.stream(LENGTH, tick).key))
        deaths = progress(state, flows, day, self.disease, draws(randomness, tick), self.people, enters)
        again = left[flows.stages == Stage.RECOVERED]
        kernels.flip(bits, infected)
        kernels.flip(bits, again)
        self._susceptible += len(again) - len(infected)
        return replace(state, day=day + 1, deaths=deaths), flows

    def forget(self) -> None:
        self._bits = None

    def close(self) -> None:
        self.workshop.close()

    def __deepcopy__(self, memo: dict[int, Any]) -> FastEngine:
        """For a fork. People and networks are shared: nobody writes into them."""
        return FastEngine(self.people, self.disease, self.layers, method=self.method, threads=self.workshop.threads)

    def _open(self, state: EpidemicState) -> Array:
        if self._bits is None:
            self._bits = packed(state.stage == Stage.SUSCEPTIBLE)
            self._susceptible = int(np.bitwise_count(self._bits).sum())
        return self._bits

    def _way(self, senders: int) -> Method:
        if self.method != "auto":
            return self.method
        networks = all(graph is not None for graph in self.graphs)
        return "pull" if networks and FEWER * self._susceptible < senders and self._is_mutual() else "push"

    def _is_mutual(self) -> bool:
        if self._mutual is None:
            self._mutual = all(graph is None or is_mutual(graph) for graph in self.graphs)
        return self._mutual

    def _senders(self, state: EpidemicState) -> tuple[Array, Array]:
        """Who sends anything anywhere today, and the column of the emission tables of each."""
        size, active, shop = len(state), self.emissions.active, self.workshop
        whole = size - size % 8
        words = state.stage[:whole].view(np.uint64)
        parts = shop.parts(len(words))

        def work(number: int) -> tuple[Array, Array]:
            first, last = parts[number]
            room = 8 * (last - first) + 1
            agents, since = shop.room(f"agents {number}", room, np.int32), shop.room(f"since {number}", room, np.uint8)
            count = kernels.senders(words[first:last], state.stage, state.infected, active, state.day, 8 * first, agents, since)
            return agents[:count], since[:count]

        found = shop.each(work)
        rest = np.arange(whole, size)
        rest = rest[(state.stage[whole:] == Stage.EXPOSED) | (state.stage[whole:] == Stage.INFECTIOUS)]
        if len(found) == 1 and not len(rest):
            return found[0]
        column = np.minimum(state.day - state.infected[rest].astype(np.int64), active.shape[1] - 1)
        sending = active[state.stage[rest], column]
        found.append((rest[sending].astype(np.int32), column[sending].astype(np.uint8)))
        return np.concatenate([agents for agents, _ in found]), np.concatenate([since for _, since in found])

    def _sent(self, state: EpidemicState, sends: Mask | None, agents: Array, since: Array, table: Array) -> tuple[Array, Array]:
        """Who sends in a layer, and the entry of ``table`` for each."""
        who = self.workshop.room("who", len(agents) + 1, np.int32)
        units = self.workshop.room("units", len(agents) + 1, np.uint32)
        count = kernels.sent_in(agents, since, state.stage, table, EVERYONE if sends is None else sends, who, units)
        return who[:count], units[:count]

    def _by_force(
        self, state: EpidemicState, behaviour: Behaviour, bits: Array, agents: Array, since: Array, randomness: Randomness, tick: int
    ) -> NDArray[np.int64]:
        forces = self.forces
        assert forces is not None
        mixed = np.zeros(1)
        for number, (layer, graph) in enumerate(zip(self.layers, self.graphs, strict=True)):
            sends, receives = behaviour.sending(number), behaviour.receiving(number)
            open_to = bits if receives is None else bits & packed(receives)
            if graph is not None and self.used == "pull":
                code = np.zeros(len(state), np.uint8)
                who, codes = self._sent(state, sends, agents, since, self.emissions.codes[number])
                code[who] = codes
                self.visited += forces.pull(graph, code, self.emissions.units.astype(np.uint32), open_to)
                continue
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

    def _by_events(
        self, state: EpidemicState, behaviour: Behaviour, bits: Array, agents: Array, since: Array, randomness: Randomness, tick: int
    ) -> NDArray[np.int64]:
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

    def _enter(
        self, key: np.uint64, state: EpidemicState, agents: Array, stage: Stage, day: int, disease: Disease, uniform: Uniform
    ) -> None:
        """``model.enter``, compiled."""
        duration = disease.duration(stage)
        if duration.ends and duration.drawn:
            thresholds, guide = self.lengths[stage]
            kernels.enter_drawn(agents, int(stage), day, FOR_GOOD - 1, thresholds, guide, key, state.stage, state.until)
        else:
            kernels.enter(agents, int(stage), day + int(duration.days) if duration.ends else FOR_GOOD, state.stage, state.until)

    def _ending(self, state: EpidemicState) -> NDArray[np.int64]:
        size, shop = len(state), self.workshop
        whole = size - size % 4
        words = state.until[:whole].view(np.uint64)
        parts = shop.parts(len(words))

        def work(number: int) -> Array:
            first, last = parts[number]
            room = shop.room(f"ending {number}", 4 * (last - first) + 1, np.int32)
            return room[: kernels.ending(words[first:last], state.until, state.day, 4 * first, room)]

        rest = whole + np.flatnonzero(state.until[whole:] == state.day)
        return np.concatenate([*shop.each(work), rest]).astype(np.int64)


def _guided(thresholds: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    """Thresholds, and how many of them are below each 256th."""
    return thresholds, np.searchsorted(thresholds, np.arange(256) / 256, side="left").astype(np.int32)
