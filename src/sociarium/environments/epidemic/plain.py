"""The day in NumPy alone, in place: what runs without the extra ``fast``, and what the compiled kernels are held equal to.

It does what ``model.step`` does, over the contacts of those who are infectious only, and draws only for those whom anything reached.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sociarium.environments.epidemic.disease import Disease, Stage
from sociarium.environments.epidemic.layers import Layer, Worlds, checked, contacts_of, meetings
from sociarium.environments.epidemic.model import INFECTION, Behaviour, EpidemicState, Flows, People, draws, people_in, progress
from sociarium.kernel.randomness import Randomness

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


class Engine(Protocol):
    """Carries out days of an epidemic on the arrays of a state, in place."""

    people: People

    def step(self, state: EpidemicState, behaviour: Behaviour, randomness: Randomness, tick: int) -> tuple[EpidemicState, Flows]:
        """One day: the same arrays, changed, and what happened."""
        ...

    def forget(self) -> None:
        """Stages were changed by someone else: keep nothing that was found out from them."""
        ...

    def joined(self, agents: Ints, until: NDArray[np.int16]) -> None:
        """These agents (ascending), who were susceptible, were exposed by someone else; ``until`` of all agents is given."""
        ...

    def close(self) -> None:
        """End its threads."""
        ...


class PlainEngine:
    """See the module."""

    def __init__(self, people: People, disease: Disease, layers: Sequence[Layer]) -> None:
        checked(layers, people)
        self.people, self.disease, self.layers = people, disease, tuple(layers)
        self.worlds = Worlds(people)
        self.visited = 0  # contacts looked at in the last step

    def step(self, state: EpidemicState, behaviour: Behaviour, randomness: Randomness, tick: int) -> tuple[EpidemicState, Flows]:
        uniform, day = draws(randomness, tick), state.day
        senders = np.flatnonzero((state.stage == Stage.EXPOSED) | (state.stage == Stage.INFECTIOUS)).astype(np.int64)
        units = np.zeros(len(state), np.int64)
        mixed = np.zeros(len(state)) if any(layer.mixed for layer in self.layers) else np.zeros(1)
        reached = np.zeros(len(state), np.bool_)
        self.visited = 0
        for number, layer in enumerate(self.layers):
            table = self.disease.emission(layer.weight)
            since = np.minimum(day - state.infected[senders].astype(np.int64), table.shape[1] - 1)
            sent = table[state.stage[senders], since]
            if (sends := behaviour.sending(number)) is not None:
                sent = np.where(sends[senders], sent, 0)
            active = sent > 0
            if layer.mixed:
                received = self._mixed(senders[active], sent[active])
                if (receives := behaviour.receiving(number)) is not None:
                    received = np.where(receives, received, 0.0)
                mixed += received
                reached |= received > 0
                continue
            meeting = meetings(randomness, tick, layer) if layer.drawn else None
            edges = contacts_of(layer, senders[active], self.people, self.worlds, meeting)
            self.visited += len(edges.targets)
            counts = np.repeat(sent[active], self._degrees(layer, senders[active]))
            targets = edges.targets
            if (receives := behaviour.receiving(number)) is not None:
                open_to = receives[targets]
                targets, counts = targets[open_to], counts[open_to]
            units += np.bincount(targets, counts, len(state)).astype(np.int64)  # whole numbers below 2^53: exact
        touched = np.flatnonzero((reached | (units > 0)) & (state.stage == Stage.SUSCEPTIBLE)).astype(np.int64)
        exposure = units[touched] * (1 / self.disease.scale) + (mixed[touched] if len(mixed) > 1 else mixed[0])
        hazard = self.disease.receptivity(day)[self.people.trait[touched]] * exposure
        infected = touched[uniform(INFECTION, touched) < 1 - np.exp(-hazard)]
        left = np.flatnonzero(state.until == day).astype(np.int64)
        flows = Flows(infected, left, state.stage[left])
        deaths = progress(state, flows, day, self.disease, uniform, self.people)
        return replace(state, day=day + 1, deaths=deaths), flows

    def joined(self, agents: Ints, until: NDArray[np.int16]) -> None:
        """Nothing is kept."""

    def forget(self) -> None:
        return

    def close(self) -> None:
        return

    def _degrees(self, layer: Layer, agents: Ints) -> Ints:
        if layer.network is None:
            return np.full(len(agents), layer.drawn, np.int64)
        return np.asarray(layer.network.starts[agents + 1] - layer.network.starts[agents], np.int64)

    def _mixed(self, senders: Ints, sent: Ints) -> Floats:
        summed = np.bincount(self.people.group[senders], sent, self.people.groups)
        return (summed / (self.disease.scale * people_in(self.people)))[self.people.group]
