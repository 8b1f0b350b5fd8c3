"""How wrong a policy is, by decisions that were asked although it was sure.

Two errors are watched, since neither sees all. The policy's own draw *disagrees* with the decision more often than two draws from
what it predicts would: it is sure of what is wrong. And the options that were chosen over the audits have other shares than it
predicts: their *total variation distance*, less what chance alone makes of it. What neither can see, and what is no error given the
features: that two agents who look the same to the policy are not.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

LEAST = 20  # audits before anything is judged
RECENT = 100  # audits on which a policy is judged
Z = 1.959963984540054  # of a 95 % interval


@dataclass(frozen=True, slots=True)
class Report:
    """What a distilled mind saved and what it cost. Intervals are Wilson's (1927), 95 %; nan where nothing was audited.

    ``distance``: total variation between the shares of options chosen and predicted over all audits, and ``distance_by_chance``: what
    it would be on average were the policy exact.
    """

    decisions: int
    alone: int  # without a question
    unsure: int
    audited: int
    early: int  # before there was a policy
    outside: int  # asked, and no option of the policy, or not a good end
    saved: float  # the share of decisions without a question
    audits: int
    disagreement: float
    disagreement_low: float
    disagreement_high: float
    disagreement_by_chance: float  # of an exact policy's draw
    distance: float
    distance_by_chance: float
    restarts: int

    def plain(self) -> dict[str, Any]:
        return asdict(self)


class Audit:
    """All audits of a run, and the recent ones of the policy that is in force."""

    def __init__(self, options: int, bound: float) -> None:
        self.options, self.bound = options, bound
        self.restarts = 0
        self.totals = np.zeros(3)  # audits, disagreements, expected disagreements
        self.chosen: Floats = np.zeros(options)
        self.expected: Floats = np.zeros(options)
        self.variance: Floats = np.zeros(options)
        self._recent: Floats = np.zeros((0, 2 + options))  # option drawn, option chosen, what was predicted

    def add(self, drawn: Ints, chosen: Ints, expected: Floats) -> None:
        """Audits in order: options drawn by the policy, options chosen, (audits, options) what was predicted."""
        if not len(drawn):
            return
        self.totals += (len(drawn), float((drawn != chosen).sum()), math.fsum(1.0 - np.einsum("ij,ij->i", expected, expected)))
        self.chosen += np.bincount(chosen, minlength=self.options)
        self.expected += _columns(expected)
        self.variance += _columns(expected * (1.0 - expected))
        rows = np.concatenate([drawn[:, None].astype(np.float64), chosen[:, None].astype(np.float64), expected], axis=1)
        self._recent = np.concatenate([self._recent, rows])[-RECENT:]

    def failed(self) -> bool:
        """Whether the policy in force is off by more than the bound, beyond what chance makes."""
        count = len(self._recent)
        if count < LEAST:
            return False
        drawn, chosen, expected = self._recent[:, 0], self._recent[:, 1].astype(np.int64), self._recent[:, 2:]
        low, _ = wilson(int((drawn != chosen).sum()), count)
        by_chance = math.fsum(1.0 - np.einsum("ij,ij->i", expected, expected)) / count
        shares = np.bincount(chosen, minlength=self.options) / count
        distance = float(np.abs(shares - _columns(expected) / count).sum()) / 2
        chance, spread = distance_by_chance(_columns(expected * (1.0 - expected)), count)
        return low - by_chance > self.bound or distance - chance - 2.0 * spread > self.bound

    def restart(self) -> None:
        self.restarts += 1
        self._recent = self._recent[:0]

    def report(self, counts: Mapping[str, int], outside: int) -> Report:
        decisions, audits, nan = sum(counts.values()), int(self.totals[0]), float("nan")
        low, high = wilson(int(self.totals[1]), audits) if audits else (nan, nan)
        return Report(
            decisions=decisions,
            **counts,
            outside=outside,
            saved=counts["alone"] / decisions if decisions else 0.0,
            audits=audits,
            disagreement=float(self.totals[1]) / audits if audits else nan,
            disagreement_low=low,
            disagreement_high=high,
            disagreement_by_chance=float(self.totals[2]) / audits if audits else nan,
            distance=float(np.abs(self.chosen - self.expected).sum()) / (2 * audits) if audits else nan,
            distance_by_chance=distance_by_chance(self.variance, audits)[0] if audits else nan,
            restarts=self.restarts,
        )

    def copy(self) -> Audit:
        other = Audit(self.options, self.bound)
        other.load(self.state())
        return other

    def state(self) -> dict[str, Any]:
        names = ("totals", "chosen", "expected", "variance")
        return {"restarts": self.restarts, "recent": self._recent.copy(), **{name: getattr(self, name).copy() for name in names}}

    def load(self, state: Mapping[str, Any]) -> None:
        self.restarts = int(state["restarts"])
        self._recent = np.array(state["recent"], np.float64)
        for name in ("totals", "chosen", "expected", "variance"):
            setattr(self, name, np.array(state[name], np.float64))


def wilson(successes: int, trials: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share. The lab's ``share_interval`` is the same; a mind may not import the lab."""
    share = successes / trials
    centre = (share + Z * Z / (2 * trials)) / (1 + Z * Z / trials)
    half = Z / (1 + Z * Z / trials) * math.sqrt(share * (1 - share) / trials + Z * Z / (4 * trials * trials))
    return max(0.0, centre - half), min(1.0, centre + half)


def distance_by_chance(variances: Floats, count: int) -> tuple[float, float]:
    """Mean and standard deviation of the total variation distance that sampling alone makes: 1/2 sum_k |N(0, v_k)| / n, with v_k the
    variance of the count of option k. The deviation takes the options as independent, which is an upper bound but for ties."""
    mean = float(np.sqrt(2.0 * variances / math.pi).sum()) / (2 * count)
    return mean, math.sqrt(float(variances.sum()) * (1.0 - 2.0 / math.pi)) / (2 * count)


def _columns(rows: Floats) -> Floats:
    """Sums of the columns, row after row."""
    return np.asarray(np.add.accumulate(rows, axis=0)[-1], np.float64) if len(rows) else np.zeros(len(rows.T))
