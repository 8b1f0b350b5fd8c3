"""The residents of the town: who they are, where they live, what their days are like."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, cast

import numpy as np
from ruamel.yaml import YAML

from sociarium.environments.conversation.grapevine import Fact
from sociarium.environments.town.building import TownPlan
from sociarium.environments.town.map import TownMap
from sociarium.kernel.errors import UsageError
from sociarium.kernel.population import Column, Population, Visibility
from sociarium.minds.agenda import DAY as MINUTES
from sociarium.minds.agenda import Agenda, Entry
from sociarium.minds.gossip import Sayings
from sociarium.minds.habits import Habit
from sociarium.populations import gss

HERE = Path(__file__).parent
KIND = "resident"
LINE = re.compile(r"(\d\d):(\d\d) (.+?) @ ([^()]+?)( \(free\))?")
TEXTS = ("innate", "learned", "currently", "lifestyle", "living_area", "requirement", "relationships")


@dataclass(frozen=True, slots=True)
class Resident:
    """One resident as ``residents.yaml`` has it. ``day``: lines such as ``07:00 drinking coffee @ Lantern Café/café (free)``."""

    name: str
    age: int
    home: str
    innate: str
    learned: str
    currently: str
    lifestyle: str
    requirement: str
    knows: Mapping[str, str]
    day: tuple[str, ...]
    told: tuple[str, ...] = ()

    def habits(self, town: TownMap, bed: int) -> list[Habit]:
        """The day on a map. Raises UsageError for a line that is not one, or a place that is not there."""
        found: list[Habit] = []
        for line in self.day:
            read = LINE.fullmatch(line)
            if read is None:
                raise UsageError(f"{self.name}: {line!r} is no habit; write it as '07:00 having breakfast @ home/kitchen (free)'")
            hour, minute, activity, where, free = read.groups()
            place = bed if where == "bed" else town.find(f"{self.home}{where.removeprefix('home')}" if where.startswith("home") else where)
            found.append(Habit(60 * int(hour) + int(minute), activity, place, activity == "sleeping", bool(free)))
        return found

    def agenda(self, town: TownMap, bed: int) -> Agenda:
        """The written day as an agenda, its times as written."""
        habits = self.habits(town, bed)
        ends = [*(habit.minute for habit in habits[1:]), MINUTES]
        lasting = [(habit, end - habit.minute) for habit, end in zip(habits, ends, strict=True)]
        return Agenda(Entry(h.activity, minutes, at, h.place, h.asleep) for at, (h, minutes) in enumerate(lasting))


@cache
def town_map() -> TownMap:
    """Linden Ferry."""
    return TownPlan.read(HERE / "town.yaml").map()


@cache
def written() -> tuple[Resident, ...]:
    """The twenty-five residents written for this town."""
    rows = cast("list[dict[str, Any]]", _yaml(HERE / "residents.yaml"))
    found: list[Resident] = []
    for row in rows:
        lines: dict[str, Any] = {"day": tuple(row["day"]), "told": tuple(row.get("told", ()))}
        found.append(Resident(**{**row, **lines}))
    return tuple(found)


@cache
def facts() -> tuple[Fact, ...]:
    """The two facts that go round."""
    return tuple(Fact.of(one) for one in _yaml(HERE / "talk.yaml")["facts"])


@cache
def sayings() -> Sayings:
    return Sayings.of(_yaml(HERE / "talk.yaml")["sayings"])


def surveyed(path: Path, count: int, seed: int) -> list[Resident]:
    """Residents whose persons come from a file of survey agents; homes, days and what they are told stay those of the town."""
    records = gss.read_records(path)
    chosen = gss.sample(records, min(len(records), 4 * count), np.random.Generator(np.random.PCG64(seed)))
    found: list[Resident] = []
    taken: set[str] = set()
    for record in chosen:
        person = gss.persona(record)
        if len(found) == count:
            break
        if person.name.casefold() in taken:
            continue
        taken.add(person.name.casefold())
        base = written()[len(found)]
        facts_of = "; ".join(f"{label}: {value}" for label, value in person.facts.items())
        found.append(
            Resident(
                person.name, person.age or base.age, base.home, "", facts_of, "", base.lifestyle, base.requirement, {}, base.day, base.told
            )
        )
    if len(found) < count:
        raise UsageError(f"{path} has only {len(found)} people with different names among {len(chosen)} drawn; {count} are needed")
    return found


def beds(town: TownMap, people: Sequence[Resident]) -> list[int]:
    """A bed of its own house for each, in order."""
    taken: dict[str, int] = {}
    found: list[int] = []
    for one in people:
        taken[one.home] = taken.get(one.home, 0) + 1
        found.append(town.find(f"{one.home}/bedroom/bed {taken[one.home]}"))
    return found


def population(town: TownMap, people: Sequence[Resident], towns: int) -> Population:
    """All residents, town by town, with a public name and age and the rest their own."""
    columns = [
        Column("name", str), Column("age", np.int64, unit="years"), *(Column(name, str, visibility=Visibility.OWN) for name in TEXTS),
        Column("home", np.int64, visibility=Visibility.OWN, doc="the place of one's bed"),
        Column("route", str, visibility=Visibility.HIDDEN, doc="model route; empty: the default"),
    ]  # fmt: skip
    made = Population()
    made.declare(KIND, columns)
    values: dict[str, Any] = {name: _texts([getattr(one, name) for one in people], towns) for name in ("name", *TEXTS[:4], "requirement")}
    values["living_area"] = _texts([one.home for one in people], towns)
    values["relationships"] = _texts([", ".join(f"{who} ({what})" for who, what in one.knows.items()) for one in people], towns)
    values["age"] = np.tile([one.age for one in people], towns)
    made.admit(KIND, towns * len(people), group=np.repeat(np.arange(towns), len(people)), home=np.tile(beds(town, people), towns), **values)
    return made


def _texts(values: Sequence[str], times: int) -> Any:
    out = np.empty(len(values), object)
    out[:] = values
    return np.tile(out, times)


def _yaml(path: Path) -> Any:
    return YAML(typ="safe", pure=True).load(path.read_text("utf-8"))  # pyright: ignore[reportUnknownMemberType]
