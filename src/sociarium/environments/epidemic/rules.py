"""What agents may do in an epidemic, how tests, quarantine and vaccines work, and the words for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

from sociarium.environments.wording import Wording
from sociarium.kernel.errors import UsageError

ACTIONS = ("isolate", "work", "vaccinate", "test", "comply")
EngineName = Literal["auto", "plain", "push", "pull", "events"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EpidemicRules:
    """``actions``: what is on offer; what is decided holds until it is decided anew.

    ``initial``: the share of agents infected the day before the first, each by chance; or the name of a true/false column that says who.
    ``age``, ``area``: columns with an agent's age class and area (0 for all where there is no such column).
    ``isolated_send``: whether who isolates can still infect (as published: isolation shields from infection only). Quarantine that is
    complied with stops both.
    ``true_positive``, ``false_positive``: rates of a test; ``test_delay``, ``quarantine``, ``vaccine_delay``: days. A positive result
    orders a quarantine. ``counted_by``: columns by which new cases and deaths are reported each day (``epidemic.counted``).
    ``ends``: a world ends when nobody in it is exposed or infectious.
    ``engine``: ``auto`` takes compiled kernels where they are installed and pay; results do not depend on it, apart from ``events``,
    which draws other numbers of the same law. ``threads``: of the kernels; None for the machine's, at most 4.
    """

    actions: tuple[str, ...] = ("isolate",)
    initial: float | str = 0.04
    age: str = "age_class"
    area: str = "area"
    isolated_send: bool = True
    true_positive: float = 0.8
    false_positive: float = 0.3
    test_delay: int = 3
    quarantine: int = 12
    vaccine_delay: int = 14
    counted_by: tuple[str, ...] = ()
    ends: bool = False
    engine: EngineName = "auto"
    threads: int | None = None

    def __post_init__(self) -> None:
        if unknown := set(self.actions) - set(ACTIONS):
            raise UsageError(f"an epidemic has no action {sorted(unknown)[0]!r}; there are {', '.join(ACTIONS)}")
        shares = (self.true_positive, self.false_positive, 0.0 if isinstance(self.initial, str) else self.initial)
        if not all(0 <= share <= 1 for share in shares):
            raise UsageError("initial, true_positive and false_positive are shares from 0 to 1")
        if not all(0 <= days <= 1000 for days in (self.test_delay, self.quarantine, self.vaccine_delay)):
            raise UsageError("test_delay, quarantine and vaccine_delay are days from 0 to 1000")
        if self.engine not in ("auto", "plain", "push", "pull", "events"):
            raise UsageError(f"there is no engine {self.engine!r}; there are auto, plain, push, pull and events")


@dataclass(frozen=True, slots=True)
class EpidemicWording(Wording):
    """Places: day, cases (of yesterday), before (of the day before that), total, deaths, size (of the world), share (cases of yesterday per
    100,000). ``ill``, ``quarantined``, ``positive``, ``negative``, ``vaccinated`` are said only to those of whom they are true."""

    rules: str = "There is an infectious disease in town. It passes between people who meet."
    news: str = "Day $day. Yesterday $cases new cases were found among $size people ($share in 100,000), the day before $before."
    ill: str = "You are ill."
    quarantined: str = "You have been told to stay in quarantine."
    positive: str = "Your last test was positive."
    negative: str = "Your last test was negative."
    vaccinated: str = "You have been vaccinated."

    PLACES: ClassVar[Mapping[str, frozenset[str]]] = dict.fromkeys(
        ("rules", "news", "ill", "quarantined", "positive", "negative", "vaccinated"),
        frozenset({"day", "cases", "before", "total", "deaths", "size", "share"}),
    )
