"""The residents of the town: who they are, where they live, what their days are like."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
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
from sociarium.populations.personas import Persona

HERE = Path(__file__).parent
KIND = "resident"
LINE = re.compile(r"(\d\d):(\d\d) (.+?) @ ([^()]+?)( \(free\))?")
SHE, HE = {"she", "her", "hers", "herself"}, {"he", "his", "him", "himself"}
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


def first_told(fact: str, residents: Sequence[Resident] | None = None) -> list[int]:
    """Places of those who know of a fact from the start, of the written residents where no others are given."""
    return [at for at, one in enumerate(written() if residents is None else residents) if fact in one.told]


def facts_of(residents: Sequence[Resident]) -> tuple[Fact, ...]:
    """The two facts, about those who live here."""
    names = _names(written(), residents)
    lower = {old.casefold(): new.casefold() for old, new in names.items()}
    return tuple(
        replace(fact, text=_renamed(fact.text, names), words=tuple(frozenset(lower.get(w, w) for w in several) for several in fact.words))
        for fact in facts()
    )


@cache
def sayings() -> Sayings:
    return Sayings.of(_yaml(HERE / "talk.yaml")["sayings"])


def surveyed(path: Path, count: int, seed: int) -> list[Resident]:
    """Residents whose persons come from a file of survey agents: each takes the house, the days, the plans and the news of a written
    resident, and has a first name of its own. Raises UsageError where the file has too few."""
    records = gss.read_records(path)
    drawn = gss.sample(records, min(len(records), 8 * count), np.random.Generator(np.random.PCG64(seed)))
    waiting = [gss.persona(record) for record in drawn]
    persons: list[Persona] = []
    taken: set[str] = set()
    for base in written()[:count]:
        free = [one for one in waiting if one.name.split()[0].casefold() not in taken]
        if not free:
            break
        person = next((one for one in free if _may_be(one, base)), free[0])
        waiting.remove(person)
        taken.add(person.name.split()[0].casefold())
        persons.append(person)
    if len(persons) < count:
        raise UsageError(f"{path} has only {len(persons)} people with different first names among {len(drawn)} drawn; {count} are needed")
    names = _names(written()[:count], persons)
    return [_in_the_life_of(base, person, names) for base, person in zip(written(), persons, strict=False)]


def _may_be(person: Persona, base: Resident) -> bool:
    """Whether a person can live a written life: its texts say she or he where they say anything."""
    words = set(re.findall(r"[a-z]+", f"{base.learned} {base.currently} {base.lifestyle} {base.requirement}".casefold()))
    sex = str(person.facts.get(gss.LABELS["sex"], "")).casefold()
    if not sex or bool(words & SHE) == bool(words & HE):
        return True
    return (sex == "female") == bool(words & SHE)


def _in_the_life_of(base: Resident, person: Persona, names: Mapping[str, str]) -> Resident:
    """A person with the house, the days, the plans and the news of a written resident. Its past is that of the survey; it knows nobody."""
    told = {name: _renamed(getattr(base, name), names) for name in ("currently", "lifestyle", "requirement")}
    past = "; ".join(f"{label}: {value}" for label, value in person.facts.items())
    return replace(base, name=person.name, age=person.age or base.age, innate="", learned=past, knows={}, **told)


def _names(before: Sequence[Resident], now: Sequence[Resident] | Sequence[Persona]) -> dict[str, str]:
    """Who is now where somebody was: by whole name and by first name."""
    pairs = [(old.name, new.name) for old, new in zip(before, now, strict=False)]
    return dict(pairs) | {old.split()[0]: new.split()[0] for old, new in pairs}


def _renamed(text: str, names: Mapping[str, str]) -> str:
    """A text that speaks of those who are now there: whole names first, all in one go."""
    longest = sorted(names, key=len, reverse=True)
    return re.sub(rf"\b({'|'.join(map(re.escape, longest))})\b", lambda found: names[found[1]], text)


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
