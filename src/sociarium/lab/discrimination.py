"""Can people tell what was generated? Pairs of a real and a generated item, side by side; a rater says which one is generated.

The error rate is the share of pairs in which the rater points at the real item: ½ where nobody can tell. With d' the distance of the
two kinds on the rater's inner scale, in standard deviations, error = Φ(-d'/√2) (Green and Swets 1966; Macmillan and Creelman,
"Detection theory", 2nd edition, chapter 7: two-alternative forced choice).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sociarium.kernel.errors import UsageError
from sociarium.kernel.extras import optional
from sociarium.kernel.randomness import Stream, key_of
from sociarium.lab.statistics import Interval, holm, mean_interval

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

LEFT, RIGHT = 0, 1


@dataclass(frozen=True, slots=True)
class Trial:
    """One pair as a rater has it: which real and which generated item, and on which side the generated one stands."""

    rater: int
    number: int
    real: int
    generated: int
    side: int  # LEFT or RIGHT


@dataclass(frozen=True, slots=True)
class Trials:
    """All pairs of one condition as columns, (trials,): ordered by rater, then number."""

    rater: Ints
    number: Ints
    real: Ints
    generated: Ints
    side: Ints

    def __len__(self) -> int:
        return len(self.rater)

    def __getitem__(self, at: int) -> Trial:
        return Trial(*(int(column[at]) for column in (self.rater, self.number, self.real, self.generated, self.side)))


class Rater(Protocol):
    """Says on which side the generated item of each trial stands: (trials,) of LEFT and RIGHT."""

    def __call__(self, trials: Trials, random: Stream) -> ArrayLike: ...


def planned(raters: int, pairs: int, real: int, generated: int, *, seed: int) -> Trials:
    """Each rater judges ``pairs`` pairs of items drawn from ``real`` and ``generated`` (how many there are). No rater sees an item twice
    before having seen all. The generated item stands left in exactly half of a rater's pairs (in the odd pair by chance), in random
    order, so that who always picks one side errs in half."""
    if min(raters, pairs, real, generated) < 1:
        raise UsageError(f"a study needs raters, pairs and items of both kinds, not {raters}, {pairs}, {real} and {generated}")
    stream = Stream(key_of(seed, "lab.discrimination"))
    who = np.repeat(np.arange(raters, dtype=np.int64), pairs)
    number = np.tile(np.arange(pairs, dtype=np.int64), raters)
    sides = np.empty((raters, pairs), np.int64)
    for rater in range(raters):
        odd = int(stream.at("odd").integers(0, 1, [rater])[0])
        half = np.arange(pairs) % 2 if odd == 0 else (np.arange(pairs) + 1) % 2
        sides[rater] = half[stream.at("side", rater).order(np.arange(pairs))]
    return Trials(who, number, _dealt(stream, "real", raters, pairs, real), _dealt(stream, "made", raters, pairs, generated), sides.ravel())


def ideal(sensitivity: float | ArrayLike) -> Rater:
    """A rater without fatigue or bias whose d' is ``sensitivity`` (one for all trials, or one a rater): each item has a strength on an
    inner scale, normal with deviation 1 and mean d' for generated ones; the stronger is called generated."""
    strengths = np.asarray(sensitivity, np.float64)

    def rate(trials: Trials, random: Stream) -> Ints:
        rows = trials.rater * (int(trials.number.max(initial=0)) + 1) + trials.number
        own = strengths if strengths.ndim == 0 else strengths[trials.rater]
        made, real = own + random.normal(rows, 0), random.normal(rows, 1)
        return np.where(made > real, trials.side, 1 - trials.side)

    return rate


def always(side: int) -> Rater:
    """A rater who does not look."""
    return lambda trials, random: np.full(len(trials), side, np.int64)


def choosing(choose: Callable[[Trial], int]) -> Rater:
    """A rater from a function of one trial: a person's answers read from a table, a model's, a classifier's."""
    return lambda trials, random: np.array([choose(trials[at]) for at in range(len(trials))], np.int64)


@dataclass(frozen=True, slots=True)
class Discriminated:
    """What came of one condition. ``wrong``: (trials,)."""

    trials: Trials
    wrong: Bools

    @property
    def error(self) -> float:
        """Wrong choices / pairs."""
        return float(self.wrong.mean())

    @property
    def rates(self) -> Floats:
        """The error rate of each rater."""
        sizes = np.bincount(self.trials.rater)
        return np.bincount(self.trials.rater, self.wrong) / sizes

    @property
    def d_prime(self) -> float:
        return d_prime(self.error)

    @property
    def left_share(self) -> float:
        """How often the generated item stood on the left."""
        return float((self.trials.side == LEFT).mean())

    def interval(self, level: float = 0.95) -> Interval:
        """Of the error, over raters: their judgements are not independent."""
        return mean_interval(self.rates, level)


def run(trials: Trials, rater: Rater, *, seed: int) -> Discriminated:
    """Have a condition judged."""
    said = np.asarray(rater(trials, Stream(key_of(seed, "lab.discrimination", "rater"))), np.int64)
    if said.shape != trials.side.shape or not np.isin(said, (LEFT, RIGHT)).all():
        raise UsageError(f"a rater says {LEFT} (left) or {RIGHT} (right) for each of {len(trials)} trials")
    return Discriminated(trials, said != trials.side)


def error_of(d: float) -> float:
    """Φ(-d'/√2)."""
    return float(_stats().norm.cdf(-d / 2**0.5))


def d_prime(error: float) -> float:
    """√2 Φ⁻¹(1 - error): infinite for no error at all."""
    if not 0 <= error <= 1:
        raise UsageError(f"an error rate lies between 0 and 1, not at {error}")
    return float(2**0.5 * _stats().norm.ppf(1 - error))


@dataclass(frozen=True, slots=True)
class Compared:
    """One-way analysis of variance of raters' error rates between conditions. ``eta``: the share of variance between them; ``pairs``: p of
    Welch's t tests of each two conditions, adjusted by Holm."""

    f: float
    p: float
    between: int  # degrees of freedom
    within: int
    eta: float
    pairs: Mapping[tuple[str, str], float]


def compare(conditions: Mapping[str, Discriminated | ArrayLike]) -> Compared:
    """Conditions beside each other, by the rates of their raters."""
    groups = {name: one.rates if isinstance(one, Discriminated) else np.asarray(one, np.float64) for name, one in conditions.items()}
    if len(groups) < 2 or min(map(len, groups.values())) < 2:
        raise UsageError("an analysis of variance needs two conditions or more, of two raters each at least")
    stats, values = _stats(), np.concatenate(list(groups.values()))
    total = float(((values - values.mean()) ** 2).sum())
    inside = float(sum(((group - group.mean()) ** 2).sum() for group in groups.values()))
    found: Any = stats.f_oneway(*groups.values())
    names = list(groups)
    pairs = [(a, b) for at, a in enumerate(names) for b in names[at + 1 :]]
    raw = [float(stats.ttest_ind(groups[a], groups[b], equal_var=False).pvalue) for a, b in pairs]
    adjusted = dict(zip(pairs, map(float, holm(raw)), strict=True)) if np.isfinite(raw).all() else dict(zip(pairs, raw, strict=True))
    eta = 1 - inside / total if total > 0 else 0.0
    return Compared(float(found.statistic), float(found.pvalue), len(groups) - 1, len(values) - len(groups), eta, adjusted)


def _dealt(stream: Stream, kind: str, raters: int, pairs: int, items: int) -> Ints:
    """(raters * pairs,): items in random order, anew for each rater and each time all have been seen."""
    rounds = -(-pairs // items)
    dealt = np.empty((raters, rounds * items), np.int64)
    for rater in range(raters):
        for turn in range(rounds):
            dealt[rater, turn * items : (turn + 1) * items] = stream.at(kind, rater, turn).order(np.arange(items))
    return dealt[:, :pairs].ravel()


def _stats() -> Any:
    return optional("scipy.stats", "lab", "statistics")


__all__: Sequence[str] = [
    "LEFT", "RIGHT", "Compared", "Discriminated", "Rater", "Trial", "Trials", "always", "choosing", "compare", "d_prime", "error_of",
    "ideal", "planned", "run",
]  # fmt: skip
