"""Classes of users of a platform by how many follow them, how many they follow, and how active they are: influential, regular, low-impact.

As S3 (arXiv 2307.14984) divides its users: by the ratio of followers to followees and by activity. The paper states no bounds; these are
ours."""

from __future__ import annotations

from enum import IntEnum

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sociarium.kernel.errors import UsageError


class UserClass(IntEnum):
    INFLUENTIAL = 0
    REGULAR = 1
    LOW_IMPACT = 2


NAMES = ("influential", "regular", "low-impact")


def user_classes(
    followers: ArrayLike, followees: ArrayLike, activity: ArrayLike, *, ratio: float = 3.0, active: float = 0.5
) -> NDArray[np.int64]:
    """The ``UserClass`` of each user. Influential: (followers + 1) / (followees + 1) is at least ``ratio``, and the activity at least
    that of the quantile ``active``; low-impact: the ratio is at most 1 / ``ratio``, or nobody follows, and the activity lies below that
    quantile."""
    if ratio < 1 or not 0 <= active <= 1:
        raise UsageError(f"user classes by ratio {ratio} and activity quantile {active}: a ratio of 1 or more, a quantile from 0 to 1")
    into, out, acts = (np.asarray(values, np.float64) for values in (followers, followees, activity))
    standing = (into + 1) / (out + 1)
    lively = acts >= (np.quantile(acts, active) if acts.size else 0.0)
    found = np.full(len(into), UserClass.REGULAR, np.int64)
    found[(standing >= ratio) & lively] = UserClass.INFLUENTIAL
    found[((standing <= 1 / ratio) | (into == 0)) & ~lively] = UserClass.LOW_IMPACT
    return found
