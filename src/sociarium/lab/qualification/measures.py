"""From what a model said to findings: an estimate with its interval, the rule it is judged by, and whether it holds.

A finding holds, fails, or is shown only. Bounds are ours, stated in ``RULES`` and printed with each verdict; speed and cost are never
judged.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sociarium.kernel.outcomes import Status
from sociarium.lab.qualification.asking import Heard
from sociarium.lab.qualification.probes import Probes
from sociarium.lab.statistics import Interval, bootstrap_interval, chi_square, exact_share_interval, holm
from sociarium.models.request import BackendFacts, Reply

Floats = NDArray[np.float64]

LEAST_MOVE = 0.01  # of a probability, to count as a move
COLLAPSED = 0.3  # of the reference entropy, below which one question has collapsed
RULES = {  # what is judged -> the bound and the side on which it must lie
    "persona moves it": (0.75, "at least"),
    "context moves it": (0.75, "at least"),
    "distance between orders": (0.20, "at most"),
    "share of the favoured place": (0.20, "at most"),  # above an equal share
    "distance between wordings": (0.20, "at most"),
    "questions that keep their spread": (0.80, "at least"),
    "different texts": (0.80, "at least"),
    "valid replies": (0.90, "at least"),
    "refusals": (0.05, "at most"),
    "scored and sampled apart": (0.15, "at most"),
}


@dataclass(frozen=True, slots=True)
class Finding:
    """``verdict`` is ``holds``, ``fails``, ``shown`` or ``not measured``; ``rule`` says what it was judged by."""

    part: str
    name: str
    interval: Interval
    rule: str
    verdict: str
    note: str = ""

    def plain(self) -> dict[str, Any]:
        return {**asdict(self), "interval": asdict(self.interval)}


def findings(heard: Heard, probes: Probes, facts: BackendFacts) -> list[Finding]:
    """All that is judged, in the order of the table."""
    found = [*_sensitivity(heard, probes), *_order(heard), _wording(heard), *_spread(heard, probes), *_forms(heard, probes)]
    return [*found, *_calibration(heard, probes, facts), *_repeats(heard, facts)]


def _sensitivity(heard: Heard, probes: Probes) -> list[Finding]:
    """Of pairs that differ in one sentence about the person or the situation: how many move as expected."""
    found: list[Finding] = []
    for side in ("persona", "context"):
        both = [pair for pair, probe in zip(heard.pairs, probes.pairs, strict=True) if probe.side == side]
        moves = [high[0] - low[0] for high, low in both if high is not None and low is not None]
        name = f"{side} moves it"
        if not moves:
            found.append(_nothing("sensitivity", name))
            continue
        right = sum(move >= LEAST_MOVE for move in moves)
        wrong = sum(move <= -LEAST_MOVE for move in moves)
        note = f"{right} of {len(moves)} as expected, {wrong} against it; mean move {np.mean(moves):+.2f}"
        found.append(_judged("sensitivity", name, exact_share_interval(right, len(moves)), note))
    return found


def _order(heard: Heard) -> list[Finding]:
    """Options in all rotations: how far the shares of the options differ, and what the places have by themselves."""
    distances: list[float] = []
    places: list[list[float]] = []
    for rotations in heard.listed:
        shares = [share for share in rotations if share is not None]
        if len(shares) < len(rotations) or not shares:
            continue
        count = len(shares)
        back = [share[count - at :] + share[: count - at] for at, share in enumerate(shares)]  # by option: rotation ``at`` began with it
        distances.append(float(np.mean([distance(one, other) for one, other in combinations(back, 2)])))
        places.append(np.mean(shares, axis=0).tolist())
    if not distances:
        return [_nothing("order", "distance between orders"), _nothing("order", "share of the favoured place")]
    mean = np.mean(places, axis=0)
    best = int(np.argmax(mean))
    favoured = [place[best] - 1.0 / len(place) for place in places]
    note = "mean share by place " + ", ".join(f"{share:.2f}" for share in mean)
    return [
        _judged("order", "distance between orders", _mean(distances), f"{len(distances)} questions, {len(mean)} rotations each"),
        _judged("order", "share of the favoured place", _mean(favoured), f"above an equal share; {note}"),
    ]


def _wording(heard: Heard) -> Finding:
    """One question in several wordings: how far the shares differ."""
    distances: list[float] = []
    for wordings in heard.worded:
        shares = [share for share in wordings if share is not None]
        if len(shares) > 1:
            distances.append(float(np.mean([distance(one, other) for one, other in combinations(shares, 2)])))
    name = "distance between wordings"
    return _judged("wording", name, _mean(distances), f"{len(distances)} questions") if distances else _nothing("wording", name)


def _spread(heard: Heard, probes: Probes) -> list[Finding]:
    """Sampled answers: is there as much spread as among people, and are texts different?"""
    kept, ratios, notes = 0, list[float](), list[str]()
    for replies, probe in zip(heard.sampled, probes.spread, strict=True):
        counts = _counts(replies, probe.options)
        if not counts.sum():
            continue
        ratio = entropy(counts / counts.sum()) / entropy(np.array(probe.reference))
        ratios.append(ratio)
        kept += ratio >= COLLAPSED
        notes.append(f"{ratio:.2f}")
    found: list[Finding] = []
    if ratios:
        note = f"entropy beside a stated guess at people's, by question: {', '.join(notes)}; under {COLLAPSED:g} a question has collapsed"
        found.append(_judged("spread", "questions that keep their spread", exact_share_interval(kept, len(ratios)), note))
    else:
        found.append(_nothing("spread", "questions that keep their spread"))
    texts = [reply.text.strip() for reply in heard.texts if reply.good and reply.text.strip()]
    if not texts:
        return [*found, _nothing("spread", "different texts")]
    words = [text.lower().split() for text in texts]
    note = f"of {len(texts)} texts; distinct words {distinct(words, 1):.2f}, pairs of words {distinct(words, 2):.2f}"
    return [*found, _judged("spread", "different texts", exact_share_interval(len(set(texts)), len(texts)), note)]


def _forms(heard: Heard, probes: Probes) -> list[Finding]:
    """Replies by schemas of rising difficulty: valid at once, after a repair, refused, cut off."""
    valid, refused, total, notes = 0, 0, 0, list[str]()
    for replies, form in zip(heard.forms, probes.forms, strict=True):
        at_once = sum(reply.status is Status.OK for reply in replies)
        repaired = sum(reply.status is Status.REPAIRED for reply in replies)
        cut = sum(reply.finish == "length" for reply in replies)
        notes.append(
            f"{form.name} {at_once}/{len(replies)}" + (f" +{repaired} repaired" if repaired else "") + (f", {cut} cut" if cut else "")
        )
        valid, total = valid + at_once, total + len(replies)
        refused += sum(reply.status is Status.DECLINED for reply in replies)
    if not total:
        return [_nothing("format", "valid replies")]
    return [
        _judged("format", "valid replies", exact_share_interval(valid, total), "; ".join(notes)),
        _judged("format", "refusals", exact_share_interval(refused, total)),
    ]


def _calibration(heard: Heard, probes: Probes, facts: BackendFacts) -> list[Finding]:
    """Do sampled answers follow the probabilities that the model gives the options?"""
    distances, chances, tests = list[float](), list[float](), list[float]()
    for scored, replies, probe in zip(heard.scored, heard.sampled, probes.spread, strict=True):
        counts = _counts(replies, probe.options)
        if scored is None or not counts.sum():
            continue
        total = float(counts.sum())
        distances.append(distance(scored, counts / total))
        chances.append(float(np.sqrt(2 * np.array(scored) * (1 - np.array(scored)) / (math.pi * total)).sum() / 2))
        tests.append(chi_square(counts, scored))
    if not distances:
        why = "no usable answer" if facts.log_probabilities else "the model scores no options"
        return [_nothing("calibration", "scored and sampled apart", why)]
    differ = int((holm(tests) < 0.05).sum())
    note = f"{np.mean(chances):.2f} by chance alone; {differ} of {len(tests)} differ by chi-square (Holm, 5 %)"
    return [_judged("calibration", "scored and sampled apart", _mean(np.array(distances) - np.array(chances)), f"beyond chance; {note}")]


def _repeats(heard: Heard, facts: BackendFacts) -> list[Finding]:
    """The same question with the same draw: again, and in a batch. Judged only where the model claims to be exact."""
    first = heard.repeats.get("default", [])
    found: list[Finding] = []
    for route, name in (("alone", "answered the same again"), ("batch", "answered the same in a batch")):
        other = heard.repeats.get(route, [])
        pairs = [(one, two) for one, two in zip(first, other, strict=True) if one.good and two.good]
        if not pairs:
            found.append(_nothing("determinism", name))
            continue
        same = exact_share_interval(sum(one.text == two.text for one, two in pairs), len(pairs))
        if facts.exact:
            verdict, rule, note = ("holds" if same.estimate == 1.0 else "fails"), "all", "it claims to be exact"
        else:
            verdict, rule, note = "shown", "–", "it does not claim to be exact"
        found.append(Finding("determinism", name, same, rule, verdict, f"{len(pairs)} questions; {note}"))
    return found


def distance(one: Sequence[float] | Floats, other: Sequence[float] | Floats) -> float:
    """Total variation, 0 to 1."""
    return float(np.abs(np.asarray(one) - np.asarray(other)).sum()) / 2


def entropy(shares: Floats) -> float:
    """In nats."""
    positive = shares[shares > 0.0]
    return float(-(positive * np.log(positive)).sum())


def distinct(texts: Sequence[Sequence[str]], length: int) -> float:
    """The share of different runs of ``length`` words among all (Li et al. 2016, distinct-n)."""
    runs = [tuple(words[at : at + length]) for words in texts for at in range(len(words) - length + 1)]
    return len(set(runs)) / len(runs) if runs else float("nan")


def _counts(replies: Sequence[Reply], options: Sequence[str]) -> Floats:
    said = [reply.value["answer"] for reply in replies if reply.good]
    return np.array([float(said.count(option)) for option in options])


def _mean(values: Sequence[float] | Floats) -> Interval:
    sample = np.asarray(values, np.float64)
    return (
        bootstrap_interval(sample, seed=1, resamples=2_000)
        if len(sample) > 1
        else Interval(float(sample[0]), math.nan, math.nan, 0.95, "one value")
    )


def _judged(part: str, name: str, interval: Interval, note: str = "") -> Finding:
    """It fails where the estimate is on the wrong side of the bound; the interval says how sure that is."""
    bound, side = RULES[name]
    holds = interval.estimate >= bound if side == "at least" else interval.estimate <= bound
    sure = not interval.low < bound < interval.high
    return Finding(
        part, name, interval, f"{side} {bound:g}", ("holds" if holds else "fails"), note if sure else f"not sure: {note}".rstrip(": ")
    )


def _nothing(part: str, name: str, why: str = "no usable answer") -> Finding:
    nan = math.nan
    verdict = "not measured" if why != "no usable answer" else "fails"
    return Finding(part, name, Interval(nan, nan, nan, 0.95, "nothing measured"), "–", verdict, why)
