"""The city: households raked to its counties, and who meets whom at home, at work and at school."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from sociarium.kernel.network import Network
from sociarium.kernel.randomness import Randomness, Stream
from sociarium.lab.scenario import read_settings
from sociarium.populations.goodness import FitReport
from sociarium.populations.households import Controls, Sample
from sociarium.populations.networks.contact import household_edges, partition_edges
from sociarium.populations.synthesis import Coded, Places, Synthetic, synthesise

Array = NDArray[Any]
Ints = NDArray[np.int64]

FIGURES = read_settings(Path(__file__).parent / "city.yaml")
COUNTIES: tuple[str, ...] = tuple(FIGURES["counties"])
AGES = tuple(str(decade) for decade in range(9))  # classes of ten years; the last is open
ADULT = 2  # the first class of those who may work
TEMPLATES = 4000  # households of the sample that is raked


@dataclass(frozen=True, slots=True)
class City:
    """One row a person, counties one after another, households within them. ``networks``: home, work, school; both directions."""

    age_class: NDArray[np.uint8]
    gender: NDArray[np.uint8]  # 0 a woman, 1 a man
    county: NDArray[np.uint8]
    household: NDArray[np.int32]
    workplace: NDArray[np.int32]  # -1: none
    school: NDArray[np.int32]
    networks: dict[str, Network]
    fit: FitReport

    def __len__(self) -> int:
        return len(self.age_class)


@lru_cache(maxsize=2)
def city(agents: int, seed: int = 0) -> City:
    """A city of exactly so many people; the same ``seed`` makes the same city."""
    random = Randomness(seed)
    made = _made(agents, random.stream("agenttorch.city"))
    surplus = len(made) - agents
    keep = np.ones(len(made), np.bool_)
    if surplus:  # households are made whole, so there are a few people too many
        lots = random.stream("agenttorch.leaving").uniform(np.arange(len(made)))
        keep[np.argpartition(lots, surplus)[:surplus]] = False
    columns = {name: _codes(made, name)[keep] for name in ("age", "gender", "zone", "household", "work", "school")}
    meeting = random.stream("agenttorch.meeting")
    return City(
        columns["age"].astype(np.uint8), columns["gender"].astype(np.uint8), columns["zone"].astype(np.uint8), columns["household"],
        columns["work"], columns["school"], _networks(columns, agents, meeting), made.whole,
    )  # fmt: skip


def templates(stream: Stream) -> Sample:
    """Households as they are put together anywhere: one alone, couples, parents with children; to be raked to a county's figures."""
    rows = np.arange(TEMPLATES)
    size = 1 + np.searchsorted(np.cumsum([0.25, 0.25, 0.17, 0.15, 0.1, 0.05]), stream.uniform(rows, 0)).astype(np.int64)
    size = np.minimum(size, 7)
    owner = np.repeat(rows, size)
    place = np.arange(len(owner)) - np.repeat(np.cumsum(size) - size, size)  # within the household
    head = 2 + stream.integers(0, 6, rows, 1)  # decade of the first adult
    young = stream.uniform(np.arange(len(owner)), 2) < 0.6  # of those after the first two: children, else anybody
    near = np.clip(head[owner] + stream.integers(-1, 1, np.arange(len(owner)), 3), 2, 8)
    child = np.clip(head[owner] - 3 + stream.integers(-1, 0, np.arange(len(owner)), 4), 0, 8)
    anybody = stream.integers(0, 8, np.arange(len(owner)), 5)
    alone = (size[owner] == 2) & (stream.uniform(owner, 6) < 0.2)  # one parent and a child
    second = np.where(alone, child, near)
    age = np.where(place == 0, head[owner], np.where(place == 1, second, np.where(young, child, anybody)))
    man = stream.uniform(np.arange(len(owner)), 7) < 0.5
    pair = (place == 1) & ~alone & (stream.uniform(owner, 8) < 0.9)
    first = np.concatenate([[False], man[:-1]])
    man = np.where(pair, ~first, man)
    homes = pl.DataFrame({"id": rows, "size": [str(min(int(one), 5)) for one in size]})
    people = pl.DataFrame({"id": owner, "age": [AGES[int(one)] for one in age], "gender": np.where(man, "man", "woman")})
    return Sample(homes, people, "id")


def controls() -> dict[str, Controls]:
    """What each county's households and people shall add up to."""
    found: dict[str, Controls] = {}
    for county, people in FIGURES["counties"].items():
        homes = people / FIGURES["members"]
        sizes = {size: share * homes for size, share in FIGURES["households"].items()}
        ages = dict(zip(AGES, (share * people for share in FIGURES["ages"]), strict=True))
        genders = {"woman": FIGURES["women"] * people, "man": (1 - FIGURES["women"]) * people}
        found[county] = Controls({"size": sizes}, {"age": ages, "gender": genders})
    return found


def _made(agents: int, stream: Stream) -> Synthetic:
    """At least so many people."""
    work, school = FIGURES["work"], FIGURES["school"]
    places = {
        "work": Places("age", AGES[ADULT:7], share=work["share"], mean_size=work["mean_size"], spread=work["spread"], local=work["local"]),
        "school": Places("age", AGES[:2], share=school["share"], mean_size=school["mean_size"], local=0.95),
    }
    scale = agents / sum(FIGURES["counties"].values())
    while True:
        made = synthesise(templates(stream.at("templates")), controls(), stream, persons=["age", "gender"], places=places, scale=scale)
        if len(made) >= agents:
            return made
        scale *= 1.0005 * agents / max(len(made), 1) if len(made) * 1.2 > agents else 1.2


def _codes(made: Synthetic, name: str) -> Array:
    column = made.persons[name]
    if not isinstance(column, Coded):
        return column
    if name == "gender":
        return (
            np.asarray(column.codes == column.labels.index("man"), np.uint8) if "man" in column.labels else np.zeros(len(column), np.uint8)
        )
    return np.array([int(label) for label in column.labels], np.uint8)[column.codes]


def _networks(columns: dict[str, Array], agents: int, random: Stream) -> dict[str, Network]:
    found: dict[str, Network] = {}
    for name in ("home", "work", "school"):
        ends = (
            household_edges(columns["household"])
            if name == "home"
            else partition_edges(columns[name], int(FIGURES[name]["contacts"]), random.at(name))
        )
        found[name] = Network.from_edges(agents, *ends, mutual=True)
    return found
