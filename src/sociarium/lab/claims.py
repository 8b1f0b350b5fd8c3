"""Check a scenario's claims: each claim of its card has exactly one function, and each function one claim.

A scenario keeps them in its ``claims.py``::

    @claim("group-optimum")
    def group_optimum(context: ClaimContext) -> Measured:
        best, _ = most_units(...)
        return Measured.exactly(best, holds=best == 650)
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, TypeVar

from sociarium.kernel.errors import UsageError
from sociarium.lab.cards import Card, Claim, Needs
from sociarium.lab.documents import finite
from sociarium.lab.statistics import Interval

Verdict = Literal["holds", "fails", "needs model", "needs data"]

DEFAULT_SEEDS = tuple(range(20))
_MARK = "_sociarium_claim"


@dataclass(frozen=True, slots=True)
class ClaimContext:
    """What a check may use. It draws from ``seeds`` only, so that a claim gives the same answer every time."""

    claim: Claim
    seeds: tuple[int, ...] = DEFAULT_SEEDS
    model: str | None = None  # such as local:smollm2; None: rule minds
    data: Path | None = None  # a folder of reference data


@dataclass(frozen=True, slots=True)
class Measured:
    """What a check found: our value with its interval, and whether the statement holds by the check's own criterion."""

    value: float | str
    low: float | None
    high: float | None
    holds: bool

    @classmethod
    def exactly(cls, value: float | str, *, holds: bool) -> Measured:
        """A value without chance in it."""
        return cls(value, None, None, holds)

    @classmethod
    def estimated(cls, interval: Interval, *, holds: bool) -> Measured:
        """An estimate over replicates."""
        return cls(interval.estimate, interval.low, interval.high, holds)


@dataclass(frozen=True, slots=True)
class ClaimResult:
    """One line of a replication."""

    id: str
    statement: str
    published: float | str | None
    ours: float | str | None
    low: float | None
    high: float | None
    needs: str
    verdict: Verdict

    def plain(self) -> dict[str, Any]:
        """As JSON has it; what is not finite becomes null."""
        return {name: finite(getattr(self, name)) for name in ("id", "statement", "published", "ours", "low", "high", "needs", "verdict")}


Check = Callable[[ClaimContext], Measured | Awaitable[Measured]]
AnyCheck = TypeVar("AnyCheck", bound=Check)


def claim(identity: str) -> Callable[[AnyCheck], AnyCheck]:
    """Mark a function as the check of the claim with this id."""

    def mark(check: AnyCheck) -> AnyCheck:
        if not callable(check):
            raise UsageError(f"@claim({identity!r}) marks a function, not {check!r}")
        setattr(check, _MARK, identity)
        return check

    return mark


def checks_of(module: ModuleType) -> dict[str, Check]:
    """The marked functions of a module by claim id; two for one claim are an error."""
    found: dict[str, Check] = {}
    for value in vars(module).values():
        identity = getattr(value, _MARK, None) if inspect.isfunction(value) else None
        if identity is None:
            continue
        if identity in found and found[identity] is not value:
            raise UsageError(f"{module.__name__} has two functions for the claim {identity!r}; a claim has one")
        found[identity] = value
    return found


async def run_claims(
    card: Card,
    checks: Mapping[str, Check],
    *,
    seeds: Sequence[int] = DEFAULT_SEEDS,
    model: str | None = None,
    strong: bool = False,
    data: Path | None = None,
) -> list[ClaimResult]:
    """Check every claim of ``card``, in its order. What cannot be checked for want of a model or data says so, and never holds.

    ``strong``: the user's word that ``model`` is of the class the paper used. Without it, claims that need one stay open.
    """
    match_checks(card, checks)
    if not seeds or len(set(seeds)) != len(seeds):
        raise UsageError("claims need at least one seed, and no seed twice: equal seeds are one replicate")
    results: list[ClaimResult] = []
    for one in card.claims:
        missing = _missing(one.needs, model, strong, data)
        if missing is not None:
            results.append(ClaimResult(one.id, one.statement, one.published, None, None, None, one.needs.value, missing))
            continue
        measured = checks[one.id](ClaimContext(one, tuple(seeds), model, data))
        results.append(_judged(one, await measured if inspect.isawaitable(measured) else measured))
    return results


def match_checks(card: Card, checks: Mapping[str, Check]) -> None:
    """An error where a claim of the card has no function, or a function no claim."""
    claimed, checked = {one.id for one in card.claims}, set(checks)
    unchecked, unclaimed = sorted(claimed - checked), sorted(checked - claimed)
    if unchecked or unclaimed:
        told = [f"no function checks {', '.join(unchecked)}"] if unchecked else []
        told += [f"no claim of the card is called {', '.join(unclaimed)}"] if unclaimed else []
        raise UsageError(f"scenario {card.slug!r}: {'; '.join(told)}")


def replication(card: Card, results: Sequence[ClaimResult]) -> dict[str, Any]:
    """What ``sociarium replicate --json`` prints."""
    return {"scenario": card.slug, "claims": [result.plain() for result in results]}


def within(value: float, published: float, tolerance: float) -> bool:
    """Whether ours lies no further than ``tolerance`` from the published number; what is not a number never does."""
    return abs(value - published) <= tolerance


def _missing(needs: Needs, model: str | None, strong: bool, data: Path | None) -> Verdict | None:
    if needs is Needs.DATA:
        return None if data is not None else "needs data"
    if needs is Needs.STRONG_MODEL:
        return None if model is not None and strong else "needs model"
    return "needs model" if needs is Needs.MODEL and model is None else None


def _judged(one: Claim, measured: Measured) -> ClaimResult:
    """A claim holds where its check says so and, if the card has a tolerance, our number lies within it."""
    holds = measured.holds
    if one.tolerance is not None and isinstance(one.published, float):
        if isinstance(measured.value, str):
            raise UsageError(f"claim {one.id!r} has a published number, but its check measured the text {measured.value!r}")
        holds = holds and within(measured.value, one.published, one.tolerance)
    verdict: Verdict = "holds" if holds else "fails"
    return ClaimResult(one.id, one.statement, one.published, measured.value, measured.low, measured.high, one.needs.value, verdict)
