"""What citizens are told: the month, cases, prices and the news, each in one sentence that leaves out what is not told.

It also says each day who goes to work: those with a workplace who want to work and, after the first month, have a job.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from sociarium.environments.epidemic.epidemic import Epidemic
from sociarium.environments.labour.labour import Labour
from sociarium.environments.wording import Wording
from sociarium.kernel.content import Block, Content
from sociarium.kernel.environment import Environment, Groups, Outcome, State
from sociarium.kernel.turn import Observations, Turn

Array = NDArray[Any]

TOLD = ("month", "cases", "prices", "news")  # sentences, in order


@dataclass(frozen=True, slots=True)
class BulletinWording(Wording):
    """Sentences; an empty one says nothing."""

    month: str = ""
    months: str = ""
    cases: str = ""
    prices: str = ""
    news: str = ""
    stimulus: str = ""

    PLACES: ClassVar[Mapping[str, frozenset[str]]] = {
        "month": frozenset({"month", "year"}), "months": frozenset(), "cases": frozenset({"cases"}), "prices": frozenset({"prices"}),
        "news": frozenset({"news"}), "stimulus": frozenset({"dollars"}),
    }  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Announced:
    """``told``: which of ``TOLD`` are said. ``month``: days; the first is number ``first`` (1 to 12) of ``year``. ``prices`` (per cent) and
    ``news``: one a month, the last goes on. ``stimulus``: dollars, paid on day ``stimulus_day`` and spoken of from then on. ``rounding``:
    cases in 100,000 are told to multiples of it."""

    told: tuple[str, ...] = TOLD
    month: int = 30
    first: int = 3
    year: int = 2020
    prices: tuple[float, ...] = (100.0,)
    news: tuple[str, ...] = ()
    stimulus: int = 0
    stimulus_day: int = 30
    rounding: float = 10.0


class Bulletin(Environment):
    """Nobody acts here. It stands before ``epidemic`` and ``labour``, and keeps no state of its own."""

    name: ClassVar[str] = "bulletin"

    def __init__(self, epidemic: Epidemic, labour: Labour, announced: Announced, wording: BulletinWording) -> None:
        self.epidemic, self.labour, self.announced, self.wording = epidemic, labour, announced, wording

    def observe(self, turn: Turn) -> Mapping[str, Array]:
        """day and cases (of yesterday in 100,000, as they are told), the same for all."""
        everyone = turn.agents.shape
        return {"day": np.broadcast_to(np.int64(self.epidemic.day), everyone), "cases": np.broadcast_to(np.float64(self.cases()), everyone)}

    def describe(self, seen: Observations, row: int) -> Content:
        text = " ".join(sentence for name in TOLD if (sentence := self.sentence(name)))
        return (Block(text, self.name),) if text else ()

    def cases(self) -> float:
        """New cases of yesterday in 100,000, as they are told."""
        exact = 1e5 * float(self.epidemic.cases[0]) / max(len(self.epidemic.stage), 1)
        step = self.announced.rounding
        return float(np.rint(exact / step) * step) if step > 0 else exact

    def sentence(self, name: str) -> str:
        """One of ``TOLD`` as it is said today; empty where it is not told."""
        said = self.announced
        if name not in said.told:
            return ""
        number = self.epidemic.day // said.month
        if name == "month":
            month = said.first - 1 + number
            names = self.wording.months.split() or [str(one) for one in range(1, 13)]
            return self.wording.say("month", month=names[month % 12], year=said.year + month // 12)
        if name == "cases":
            return self.wording.say("cases", cases=self.cases())
        if name == "prices":
            return self.wording.say("prices", prices=_of_month(said.prices, number)) if said.prices else ""
        news = _of_month(said.news, number) if said.news else ""
        paid = said.stimulus > 0 and self.epidemic.day >= said.stimulus_day
        parts = [self.wording.say("news", news=news) if news else "", self.wording.say("stimulus", dollars=said.stimulus) if paid else ""]
        return " ".join(part for part in parts if part)

    def advance(self, to: int) -> Outcome | None:
        """Who goes to work today, before the disease spreads: the column ``commutes``."""
        everyone = self.world.population.ids(present=False)
        going = self.labour.willing & (self.world.population.get(everyone, "workplace") >= 0)
        if int(self.labour.month[0]):
            going &= self.labour.employed
        if not np.array_equal(going, self.world.population.get(everyone, "commutes")):
            self.world.population.set(everyone, "commutes", going)
        return None

    def state(self, groups: Groups | None = None) -> State:
        return {}

    def load(self, state: State, groups: Groups | None = None) -> None:
        """There is nothing to load."""


def _of_month(values: tuple[Any, ...], number: int) -> Any:
    return values[min(number, len(values) - 1)]
