"""What one can do about a need, from the table beside this file, and how good each option is to an agent (planned behaviour)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from ruamel.yaml import YAML

from sociarium.kernel.randomness import Stream
from sociarium.kernel.units import DAY, HOUR
from sociarium.minds.needs import LEVELS, Need
from sociarium.minds.plans import Step, StepType

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

MORNING = 7  # the hour until which one sleeps
SPREAD = 0.6  # how far two people can differ about an option, of a score that sums to 3
UNTIL_MORNING = "until_morning"


@dataclass(frozen=True, slots=True)
class Option:
    """``score``: attitude, norm and control, summed (theory of planned behaviour). ``gives``: added to hunger, energy, safety, social."""

    name: str
    need: Need
    score: float
    hours: tuple[float, float]
    works: bool
    gives: tuple[float, float, float, float]
    steps: tuple[Step, ...]

    def open_at(self, time: int) -> bool:
        hour = time % DAY / HOUR
        low, high = self.hours
        return low <= hour < high if low <= high else hour >= low or hour < high


@cache
def options() -> tuple[Option, ...]:
    """All options, by need."""
    table: Any = YAML(typ="safe", pure=True).load(Path(__file__).with_name("options.yaml").read_text("utf-8"))  # pyright: ignore[reportUnknownMemberType]
    return tuple(_option(Need[need.upper()], given) for need, listed in table.items() for given in listed)


def _option(need: Need, given: dict[str, Any]) -> Option:
    hours = cast("list[float]", given.get("hours", [0, 24]))
    steps = tuple(_step(*step) for step in given["steps"])
    gives = cast("dict[str, float]", given["gives"])
    levels = tuple(float(gives.get(level, 0.0)) for level in LEVELS)
    score = float(given["attitude"] + given["norm"] + given["control"])
    return Option(given["name"], need, score, (hours[0], hours[1]), bool(given.get("works", False)), cast("Any", levels), steps)


def _step(kind: str, where: str, minutes: int = 0, intention: str = "") -> Step:
    return Step(intention or f"go to {where}", StepType[kind.upper()], where, minutes)


def chosen(needs: Ints, agents: Ints, works: Bools, time: int, random: Stream) -> Ints:
    """The option that scores highest for each agent, by number: the table's score, and a part that is the agent's own at the moment.
    For needs that have options; what one is instructed to do is none."""
    score = np.full((len(agents), len(options())), -np.inf)
    for number, option in enumerate(options()):
        if option.open_at(time):
            mine = (needs == option.need) & (works | (not option.works))
            score[mine, number] = option.score + SPREAD * random.uniform(agents[mine], number)
    return np.argmax(score, axis=1).astype(np.int64)


def minutes_until_morning(time: int) -> int:
    into = time % DAY
    return int(-(-((MORNING * HOUR - into) % DAY) // (HOUR // 60))) or 1
