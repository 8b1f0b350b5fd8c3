"""A small epidemic whose pressure is a whole number: one process with all agents, and the same agents on many sites."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import numpy as np

from sociarium.kernel.network import Network
from sociarium.kernel.randomness import Randomness

AGENTS, CONTACTS, UNIT = 300, 4, 1 << 20


def contacts(seed: int) -> Network:
    rows = np.arange(AGENTS * CONTACTS // 2)
    ends = Randomness(seed).stream("contacts").integers(0, AGENTS - 1, np.stack([rows, rows + len(rows)]))
    return Network.from_edges(AGENTS, ends[0], ends[1], mutual=True)


class Part:
    """The agents of one site among ``sites``, by number modulo sites. One site is the whole epidemic."""

    def __init__(self, site: int, sites: int, seed: int = 1, dies_at: int = -1, mark: str = "") -> None:
        self.seed, self.dies_at, self.mark = seed, dies_at, Path(mark)
        self.own = np.arange(site, AGENTS, sites)
        network = contacts(seed)
        sources = network.sources()
        mine = sources % sites == site  # contacts are mutual: those of my agents are what they send along
        self.sources, self.targets = sources[mine], network.targets[mine]
        self.here = self.targets % sites == site
        self.place = np.full(AGENTS, -1)
        self.place[self.own] = np.arange(len(self.own))
        self.ill = self.own < 6  # the same agents, however they are spread over sites
        self.strength = (0.05 * UNIT * (1 + self.own % 7)).astype(np.int64)

    def _sent(self, where: np.ndarray[Any, Any]) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        source = self.place[self.sources[where]]
        return self.targets[where], self.strength[source] * self.ill[source]

    def outgoing(self, step: int) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        return self._sent(~self.here)

    def advance(self, step: int, received: np.ndarray[Any, Any]) -> None:
        if step == self.dies_at and not self.mark.exists():  # once
            self.mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        targets, messages = self._sent(self.here)
        pressure = received.copy()
        np.add.at(pressure, self.place[targets], messages)
        drawn = Randomness(self.seed).stream("infection", step).uniform(self.own)
        self.ill = self.ill | (drawn < -np.expm1(-pressure / UNIT))

    def statistics(self) -> np.ndarray[Any, Any]:
        return np.array([float(self.ill.sum()), float(self.strength[self.ill].sum()) / UNIT])

    def hear(self, step: int, common: np.ndarray[Any, Any]) -> None:
        """Nobody decides anything here."""

    def state(self) -> dict[str, Any]:
        return {"ill": self.ill}

    def load(self, state: dict[str, Any]) -> None:
        self.ill = np.array(state["ill"])


class Whole(Part):
    """All agents in one process."""

    def __init__(self, seed: int = 1) -> None:
        super().__init__(0, 1, seed)

    def step(self, step: int) -> None:
        self.advance(step, np.zeros(AGENTS, np.int64))
