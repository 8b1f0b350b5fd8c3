"""The published scores of a post, each a function over arrays: age in minutes or seconds, votes, followers; one value a post.

OASIS (Yang et al. 2024, arXiv 2411.11581) and POSIM; where the papers and their released code differ, a parameter says which.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

HORIZON = 271.8  # minutes: the age at which OASIS's recency is no longer defined
TURNING = 171.8  # minutes: the age at which it is 0
HOT_EPOCH = 1_134_028_003  # seconds after 1970: where the hot score counts from
HOT_SPAN = 45_000.0  # seconds of age that weigh as much as ten times the net votes


def recency(minutes: ArrayLike) -> Floats:
    """R = ln((271.8 - age) / 100) of OASIS: 0.99990 when new, 0 at 171.8 minutes, negative after, nan (not defined) from 271.8 on."""
    left = (HORIZON - np.asarray(minutes, np.float64)) / 100.0
    return np.log(np.where(left > 0, left, np.nan))


def fame(followers: ArrayLike) -> Floats:
    """F = max(1, log_1000(followers + 1)) of OASIS: 1 up to 999 followers, 2 at 999,999."""
    return np.maximum(1.0, np.log1p(np.asarray(followers, np.float64)) / math.log(1000.0))


def hot(likes: ArrayLike, dislikes: ArrayLike, seconds: ArrayLike, *, digits: int | None = None) -> Floats:
    """Reddit's hot score h = sign(u - d) log10(max(|u - d|, 1)) + (t - 1134028003) / 45000, with t in seconds after 1970.

    ``digits``: rounded to so many decimals, as OASIS's code does (7); the paper does not round.
    """
    net = np.asarray(likes, np.int64) - np.asarray(dislikes, np.int64)
    score = np.sign(net) * np.log10(np.maximum(np.abs(net), 1)) + (np.asarray(seconds, np.float64) - HOT_EPOCH) / HOT_SPAN
    return score if digits is None else np.round(score, digits)


def engagement(likes: ArrayLike, shares: ArrayLike, comments: ArrayLike, *, least: int = 0) -> Floats:
    """P = min(1, log10(E + 1) / 5) of POSIM, with E = likes + 2 shares + comments; its code takes E as at least 1 (``least``)."""
    total = np.asarray(likes, np.int64) + 2 * np.asarray(shares, np.int64) + np.asarray(comments, np.int64)
    return np.minimum(1.0, np.log10(np.maximum(total, least) + 1.0) / 5.0)


def decay(hours: ArrayLike, *, scale: float = 24.0) -> Floats:
    """R = exp(-age / 24 h) of POSIM."""
    return np.exp(-np.asarray(hours, np.float64) / scale)
