"""Runs of equal keys in sorted columns."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]


def heads(keys: Ints) -> Ints:
    """Where each run of equal keys begins."""
    return np.flatnonzero(np.append(True, keys[1:] != keys[:-1])[: len(keys)]).astype(np.int64)


def place_in_run(keys: Ints) -> Ints:
    """0, 1, 2, ... within each run of equal keys."""
    starts = heads(keys)
    return np.arange(len(keys)) - np.repeat(starts, np.diff(np.append(starts, len(keys))))
