"""The places of a town by name, as one knows them: what lies within what, and where one sleeps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from sociarium.minds.language.asking import Asking
    from sociarium.minds.language.mind import LanguageMind

Bools = NDArray[np.bool_]

SECTOR, ARENA, OBJECT = 1, 2, 3  # levels of the tree of places, as the town's map numbers them


class Atlas:
    """The map of the environment ``town`` of a mind's world, which everybody may read; what one *knows* of it is its own column."""

    def __init__(self, mind: LanguageMind, town: str = "town") -> None:
        self.mind, self.town = mind, town

    @property
    def map(self) -> Any:
        environment: Any = self.mind.world[self.town]
        return environment.map

    def name(self, place: int) -> str:
        return str(self.map.places.names[place])

    def address(self, place: int) -> str:
        return str(self.map.address(place))

    def known(self, asking: Asking) -> Bools:
        """The places that this agent has seen: the town shows a bit each, eight to a byte."""
        bits: Any = np.unpackbits(np.asarray(asking.value(self.town, "known"), np.uint8), count=len(self.map))
        return bits.astype(np.bool_)

    def within(self, known: Bools, parent: int) -> dict[str, int]:
        """Known places right below ``parent`` (-1: sectors), by name; of two with one name the first."""
        children = np.flatnonzero(known & (np.asarray(self.map.parents) == parent)).tolist()
        found: dict[str, int] = {}
        for place in children:
            found.setdefault(self.name(place), place)
        return found

    def nearest(self, within: dict[str, int], x: int, y: int, home: int, most: int) -> list[str]:
        """``most`` names of these places: what one's home lies in, then the nearest to (x, y), in steps of a king."""
        if len(within) <= most:
            return list(within)
        town = self.map
        across, along = town.xy(town.standing[1])
        away = np.minimum.reduceat(np.maximum(np.abs(across - x), np.abs(along - y)), town.starts[:-1])
        own: set[int] = set()
        while home >= 0:
            own.add(home)
            home = int(town.parents[home])
        return sorted(within, key=lambda name: (within[name] not in own, int(away[within[name]]), within[name]))[:most]

    def home(self, agent: int) -> int:
        """Where the agent lives: the population's ``home``; 0 where it has none, as in the town itself."""
        population = self.mind.world.population
        table = population[population.kind_of(agent)]
        return int(table["home"][int(population.row_of(np.array([agent]))[0])]) if "home" in table else 0

    def bed(self, agent: int, known: Bools, words: tuple[str, ...]) -> int:
        """An object of the home that is called by one of ``words`` (bed), else the home itself."""
        home = self.home(agent)
        inside = [int(place) for place in self.map.within(home) if known[place] and self.map.levels[place] == OBJECT]
        beds = [place for place in inside if any(word in self.name(place).casefold() for word in words)]
        return beds[agent % len(beds)] if beds else home
