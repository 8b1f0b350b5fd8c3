"""The same steps with an object for each agent, one after another: what the batched engine is held equal to, and timed against.

Python numbers and lists only. Random numbers are those of the batched engine, drawn by agent and step.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sociarium.environments.epidemic.disease import Disease, Stage
from sociarium.environments.epidemic.model import FOR_GOOD

ENTERS = {1: 2, 2: 3, 3: 0}  # the stage after each stage that ends


@dataclass(slots=True)
class Person:
    """One agent of the epidemic. ``friends``: whom it can infect."""

    trait: int
    stage: int
    until: int
    infected: int
    friends: list[Any] = field(default_factory=list[Any])
    units: int = 0

    def meet(self, day: int, table: list[list[int]]) -> int:
        """Send one's infectiousness to all friends; how many they are."""
        row = table[self.stage]
        sent = row[min(day - self.infected, len(row) - 1)]
        for friend in self.friends:
            friend.units += sent
        return len(self.friends)

    def live(self, day: int, drawn: float, chance: float, disease: Disease) -> None:
        """The end of the day; ``chance`` is the probability of infection by the hazard of this agent."""
        if self.stage == Stage.SUSCEPTIBLE:
            if drawn < chance:
                self.stage, self.until, self.infected = int(Stage.EXPOSED), day + int(disease.exposed.days), day
        elif self.until == day:
            self.stage = ENTERS[self.stage]
            lasts = disease.duration(self.stage)
            self.until = day + int(lasts.days) if lasts.ends else FOR_GOOD


@dataclass(slots=True)
class Holder:
    """One agent with an opinion in whole parts of 2^-30. ``heard``: to whom it listens."""

    held: int
    heard: list[Any] = field(default_factory=list[Any])

    def moved(self, confidence: int) -> int:
        """The mean of the own opinion and of those heard that are near, rounded half to even."""
        near = [other.held for other in self.heard if abs(other.held - self.held) <= confidence]
        return round((self.held + sum(near)) / (1 + len(near)))
