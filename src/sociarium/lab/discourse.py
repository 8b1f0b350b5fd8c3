"""How people talk in public: which emotions, styles and narratives they show, how alike two discourses are, how it turns over time.

Measures of POSIM (arXiv 2603.23884). Labels are columns of text, one a row of what was done; shares are over the names given.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sociarium.kernel.errors import UsageError

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

NEGATIVE = ("anger", "disgust", "sadness", "fear", "anxiety")
VALENCE: Mapping[str, float] = {"happiness": 1.0, "surprise": 0.0, "neutral": 0.0, **dict.fromkeys(NEGATIVE, -1.0)}
CONFRONTATIONAL = ("sarcastic", "satirical", "aggressive", "mocking", "venting")
RATIONAL = ("rational", "questioning")
NEUTRAL = ("empathetic", "indifferent")
ESCALATING = ("labelling", "moral blackmail", "conspiracy", "whataboutism", "call to action", "personal attack")
SETTLING = ("fact questioning", "fact listing", "storytelling", "citing authority")
"""Which styles confront, reason or do neither, and which narratives escalate or settle, is our reading: the paper does not list it."""

_WORD = re.compile(r"\w+", re.UNICODE)


def shares(labels: ArrayLike, names: Sequence[str]) -> Floats:
    """(names,): the share of each among the labels that are among ``names``; all nan where none is."""
    given = np.asarray(labels, object)
    counts = np.array([int((given == name).sum()) for name in names], np.float64)
    return counts / counts.sum() if counts.sum() else np.full(len(names), np.nan)


def classes(styles: ArrayLike) -> Floats:
    """Shares of confrontational, rational and neutral styles."""
    given = np.asarray(styles, object)
    named = np.full(len(given), "", object)
    for name, members in (("confrontational", CONFRONTATIONAL), ("rational", RATIONAL), ("neutral", NEUTRAL)):
        named[np.isin(given, np.array(members, object))] = name
    return shares(named, ("confrontational", "rational", "neutral"))


def class_likeness(styles: ArrayLike, others: ArrayLike) -> float:
    """1 less half the summed differences of the shares of confrontational, rational and neutral styles: 1 where they are the same."""
    return float(1 - np.abs(classes(styles) - classes(others)).sum() / 2)


def jensen_shannon(first: ArrayLike, second: ArrayLike) -> float:
    """Divergence of two distributions to base 2: 0 where they are alike, 1 where they have nothing in common. Counts will do."""
    p, q = (np.asarray(values, np.float64) for values in (first, second))
    if p.shape != q.shape or p.ndim != 1 or (p < 0).any() or (q < 0).any() or not p.sum() > 0 or not q.sum() > 0:
        raise UsageError("a divergence is between two distributions over the same names, of which something was seen")
    p, q = p / p.sum(), q / q.sum()
    middle = (p + q) / 2
    return float(np.clip((_divergence(p, middle) + _divergence(q, middle)) / 2, 0.0, 1.0))


def peak_error(simulated: ArrayLike, recorded: ArrayLike) -> float:
    """Root mean square difference of two activity curves, each over its own largest value."""
    ours, real = (np.asarray(values, np.float64) for values in (simulated, recorded))
    if ours.shape != real.shape or not ours.max(initial=0) > 0 or not real.max(initial=0) > 0:
        raise UsageError("activity curves are compared over the same steps, and something must have happened in both")
    return float(np.sqrt(((ours / ours.max() - real / real.max()) ** 2).mean()))


def polarisation_index(labels: ArrayLike, names: Sequence[str]) -> float:
    """PI = 1 - H / H_max of the shares of emotion types: 1 where all show one, 0 where each is shown as often; nan where nothing is."""
    p = shares(labels, names)
    if np.isnan(p).any():
        return float("nan")
    return 1 - _entropy(p) / float(np.log2(len(names))) if len(names) > 1 else 1.0


def negative(emotions: ArrayLike) -> Bools:
    """Which rows show anger, disgust, sadness, fear or anxiety."""
    return np.isin(np.asarray(emotions, object), np.array(NEGATIVE, object))


def negative_ratio(emotions: ArrayLike) -> float:
    """NER: the share of actions that show a negative emotion; nan of none."""
    found = negative(emotions)
    return float(found.mean()) if len(found) else float("nan")


def escalation(narratives: ArrayLike) -> float:
    """Escalating narratives for each that settles; infinite where none settles, nan where there is neither."""
    given = np.asarray(narratives, object)
    up, down = (int(np.isin(given, np.array(kind, object)).sum()) for kind in (ESCALATING, SETTLING))
    return up / down if down else float("inf") if up else float("nan")


def sentiment(emotions: ArrayLike, intensities: ArrayLike) -> Floats:
    """One value a row from -1 to 1: the valence of the emotion shown times how strongly it is."""
    valence = np.array([VALENCE.get(str(one), 0.0) for one in np.asarray(emotions, object)])
    return valence * np.asarray(intensities, np.float64)


def type_token_ratio(texts: Iterable[str]) -> float:
    """Different words for each word, over all texts; nan of none."""
    words = [word.casefold() for text in texts for word in _WORD.findall(text)]
    return len(set(words)) / len(words) if words else float("nan")


def layer_average(likeness: Sequence[float], costs: Sequence[float] = ()) -> float:
    """The mean of likenesses and of 1 less each cost (a divergence, an error)."""
    values = [*likeness, *(1 - cost for cost in costs)]
    return float(np.mean(values)) if values else float("nan")


def _divergence(p: Floats, q: Floats) -> float:
    there = p > 0
    return float((p[there] * np.log2(p[there] / q[there])).sum())


def _entropy(p: Floats) -> float:
    there = p[p > 0]
    return float(-(there * np.log2(there)).sum())
