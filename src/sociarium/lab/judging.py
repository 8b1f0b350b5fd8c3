"""Judges who err: from what a judge says of many texts to the share that is truly so.

A judge of sensitivity Se (the share of true cases that it sees) and specificity Sp (the share of others that it lets pass) says yes to
``a Se + (1 - a)(1 - Sp)`` of texts where ``a`` of them are true cases; so ``a = (raw - 1 + Sp) / (Se + Sp - 1)`` (Rogan and Gladen,
"Estimating prevalence from the results of a screening test", American Journal of Epidemiology 107, 1978).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sociarium.kernel.errors import UsageError
from sociarium.kernel.extras import optional
from sociarium.kernel.randomness import Stream
from sociarium.lab.statistics import Interval

Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Judge:
    """``sensitivity`` and ``specificity`` as known; ``positives`` and ``negatives`` are how many labelled texts they were measured on
    (0: known exactly)."""

    sensitivity: float
    specificity: float
    positives: int = 0
    negatives: int = 0

    def __post_init__(self) -> None:
        if not (0 <= self.sensitivity <= 1 and 0 <= self.specificity <= 1 and self.positives >= 0 and self.negatives >= 0):
            raise UsageError("a judge's sensitivity and specificity are shares from 0 to 1")

    @classmethod
    def measured(cls, verdicts: ArrayLike, truth: ArrayLike) -> Judge:
        """From verdicts on texts of which the truth is known; there must be some of both kinds."""
        said, true = np.asarray(verdicts, np.bool_), np.asarray(truth, np.bool_)
        positives, negatives = int(true.sum()), int((~true).sum())
        if said.shape != true.shape or not positives or not negatives:
            raise UsageError(f"a judge is measured on true cases and others, one verdict each; there are {positives} and {negatives}")
        return cls(float(said[true].mean()), float((~said[~true]).mean()), positives, negatives)

    @property
    def power(self) -> float:
        """Youden's Se + Sp - 1: 0 for a judge who guesses, 1 for one who never errs."""
        return self.sensitivity + self.specificity - 1

    def verdicts(self, truth: ArrayLike, random: Stream, rows: ArrayLike) -> Bools:
        """What such a judge says, one draw a row."""
        true = np.asarray(truth, np.bool_)
        return random.uniform(rows) < np.where(true, self.sensitivity, 1 - self.specificity)

    def raw(self, share: float) -> float:
        """The share of texts that it says yes to, where ``share`` are true cases."""
        return share * self.sensitivity + (1 - share) * (1 - self.specificity)

    def corrected(self, raw: float) -> float:
        """The share of true cases behind ``raw``, not cut off at 0 and 1, so that it is unbiased."""
        if not self.power > 0:
            raise UsageError(
                f"a judge with sensitivity {self.sensitivity:g} and specificity {self.specificity:g} is no better than a guess; "
                "what it says of texts tells nothing of them"
            )
        return (raw - 1 + self.specificity) / self.power

    def share(self, yes: int, trials: int, level: float = 0.95) -> Interval:
        """The corrected share with an interval by the delta method (the paper's equation 3): sampling of texts, and of the labelled
        texts behind Se and Sp."""
        if trials < 1 or not 0 <= yes <= trials or not 0 < level < 1:
            raise UsageError(f"{yes} of {trials} is no share; an interval's level lies between 0 and 1")
        raw = yes / trials
        value = self.corrected(raw)
        variance = raw * (1 - raw) / trials
        if self.positives:
            variance += value**2 * self.sensitivity * (1 - self.sensitivity) / self.positives
        if self.negatives:
            variance += (1 - value) ** 2 * self.specificity * (1 - self.specificity) / self.negatives
        half = float(optional("scipy.stats", "lab", "statistics").norm.ppf((1 + level) / 2)) * variance**0.5 / self.power
        return Interval(value, value - half, value + half, level, f"Rogan-Gladen, {trials} texts")
