"""What a classifier fitted to a log must recover, and what it may not see."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from sociarium.kernel.errors import UsageError
from sociarium.lab.claims import ClaimContext, Measured, claim
from sociarium.lab.classification import Assessment, area_under_curve
from sociarium.minds.sharing.classifier import ShareClassifier, TrainingRules
from sociarium.minds.sharing.features import FeatureRules, PairFeatures
from sociarium.minds.sharing.histories import Histories
from sociarium.minds.sharing.logs import ExposureLog, Windows
from sociarium.minds.sharing.trees import TreeRules
from sociarium.populations.networks.uniform import erdos_renyi_edges
from sociarium.scenarios.digital_clone.checks_spread import stream
from sociarium.scenarios.digital_clone.clone import LATER, TRAINING, cloned, sharing_network
from sociarium.scenarios.digital_clone.world import Planted, WorldRules, scattered, unit

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

USERS, PAST, LIKED = 2_000, 10.0, 25  # users, when pairs begin, and what each has written and passed on before
TRAINED, TESTED = 40_000, 20_000  # pairs
TREES = TreeRules(iterations=100, rate=0.08, leaves=12, least=60)


_USUAL: dict[int, tuple[Pairs, Assessment]] = {}


class Pairs:
    """Pairs of a planted world without network effects: posts in any direction, tastes in any direction, a law with known chances."""

    def __init__(self, context: ClaimContext, dimensions: int = 16) -> None:
        random = self.random = stream(context, f"pairs {dimensions}")
        self.network = erdos_renyi_edges(USERS, 20 * USERS, random.at("network"), directed=True)
        tastes = unit(random.at("tastes").normal(np.arange(USERS * dimensions)).reshape(USERS, dimensions))
        rules = WorldRules(intercept=-2.2, taste=1.6 * dimensions**0.5, fame=1.0)
        self.law = Planted.of(rules, tastes, self.network)
        owner = np.repeat(np.arange(USERS), LIKED)
        before = PAST * random.at("before").uniform(np.arange(len(owner)))
        self.past = [(owner, before, scattered(tastes[owner], 1.0, random.at(kind))) for kind in ("written", "passed on")]
        self.count, self.dimensions = 160_000, dimensions
        rows = np.arange(self.count)
        posts = random.at("posts").normal(np.arange(self.count * dimensions)).reshape(self.count, dimensions)
        edge = random.at("edges").integers(0, len(self.network) - 1, rows)
        source, target = self.network.sources()[edge].astype(np.int64), self.network.targets[edge].astype(np.int64)
        self.posts = unit(posts)
        self.chance = self.law.chance(source, target, self.posts)
        shared = random.at("shared").uniform(rows) < self.chance
        self.log = ExposureLog(PAST + rows / self.count, source, target, rows, shared)

    def features(self, rules: FeatureRules | None = None, later: Histories | None = None) -> PairFeatures:
        written, passed_on = (Histories(USERS, *past) for past in self.past)
        return PairFeatures(written, passed_on if later is None else later, self.network, rules)

    def training(self) -> ExposureLog:
        """So many exposures that, with one that was not shared for each that was, there are 40,000 pairs."""
        ones = np.flatnonzero(self.log.shared)
        return self.log.only(slice(0, int(ones[TRAINED // 2 - 1]) + 1))

    def test(self) -> slice:
        """The last exposures, as they came."""
        return slice(self.count - TESTED, self.count)

    def fit(self, features: PairFeatures, log: ExposureLog | None = None) -> ShareClassifier:
        rules = TrainingRules(1.0, TREES)
        return ShareClassifier.fit(features, self.training() if log is None else log, self.posts, self.random.at("fit"), rules, at=PAST + 1)

    def assessed(self, classifier: ShareClassifier) -> Assessment:
        log = self.log.only(self.test())
        return Assessment.of(log.shared, classifier.of(log, self.posts))

    def best(self) -> float:
        """The area under the curve of the true chances: nothing can rank better."""
        return area_under_curve(self.log.shared[self.test()], self.chance[self.test()])


def usual(context: ClaimContext) -> tuple[Pairs, Assessment]:
    """Pairs, and what a classifier with all features is worth on them: fitted once for the claims about it."""
    if context.seeds[0] not in _USUAL:
        pairs = Pairs(context)
        _USUAL.clear()
        _USUAL[context.seeds[0]] = pairs, pairs.assessed(pairs.fit(pairs.features()))
    return _USUAL[context.seeds[0]]


@claim("planted-area")
def planted_area(context: ClaimContext) -> Measured:
    """By how much the area falls short of that of the true chances."""
    pairs, found = usual(context)
    gap = pairs.best() - found.area
    return Measured.exactly(gap, holds=abs(gap) < 0.02)


@claim("planted-slope")
def planted_slope(context: ClaimContext) -> Measured:
    slope = usual(context)[1].slope
    return Measured.exactly(slope, holds=0.9 <= slope <= 1.1)


@claim("shuffled-labels")
def shuffled_labels(context: ClaimContext) -> Measured:
    pairs = Pairs(context)
    log = pairs.training()
    mixed = replace(log, shared=log.shared[pairs.random.at("mixed").order(np.arange(len(log)))])
    area = pairs.assessed(pairs.fit(pairs.features(), mixed)).area
    return Measured.exactly(area, holds=abs(area - 0.5) < 0.02)


@claim("without-cosines")
def without_cosines(context: ClaimContext) -> Measured:
    """Area of trees on vectors alone, of the best there is, and their slope."""
    pairs = Pairs(context, 32)
    found = pairs.assessed(pairs.fit(pairs.features(FeatureRules(cosines=False))))
    words = f"{found.area:.2f} of {pairs.best():.2f}, slope {found.slope:.1f}"
    return Measured.exactly(words, holds=pairs.best() - found.area > 0.05 and found.slope > 1.2)


@claim("edge-rule")
def edge_rule(context: ClaimContext) -> Measured:
    """Edges that are wrong or missing, and counts that differ, for a log of 1,000 events."""
    random, rows = stream(context, "edge rule"), np.arange(1_000)
    source, target = random.integers(0, 29, rows), random.at("to").integers(0, 29, rows)
    time = np.round(10 * random.at("when").uniform(rows), 1)  # some fall on the ends of the window
    shared = random.at("shared").uniform(rows) < 0.5
    network = sharing_network(ExposureLog(time, source, target, rows, shared), 30, 2.0, 7.0)
    expected: dict[tuple[int, int], int] = {}
    for a, b, when, did in zip(source.tolist(), target.tolist(), time.tolist(), shared.tolist(), strict=True):
        if did and 2.0 <= when < 7.0 and a != b:
            expected[a, b] = expected.get((a, b), 0) + 1
    ours = dict(zip(zip(network.sources().tolist(), network.targets.tolist(), strict=True), network["count"].tolist(), strict=True))
    wrong = len(expected.keys() ^ ours.keys()) + sum(expected[pair] != ours[pair] for pair in expected.keys() & ours.keys())
    return Measured.exactly(float(wrong), holds=wrong == 0 and len(expected) > 100)


@claim("windows-refused")
def windows_refused(context: ClaimContext) -> Measured:
    """Of 200 pairs of windows by lot, how many are treated wrongly: refused though apart, or taken though they overlap."""
    drawn = stream(context, "windows").integers(0, 20, np.arange(800)).reshape(200, 2, 2)
    wrong = 0
    for (a, b), (c, d) in np.sort(drawn, axis=2).tolist():
        b, d = b + 1, d + 1
        try:
            Windows({"training": (a, b), "test": (c, d)})
            wrong += a < d and c < b
        except UsageError:
            wrong += not (a < d and c < b)
    return Measured.exactly(float(wrong), holds=wrong == 0)


@claim("no-leak")
def no_leak(context: ClaimContext) -> Measured:
    """Bytes of training features that differ, and by how much the area does, once histories tell the future."""
    pairs = Pairs(context)
    log, (owner, before, liked) = pairs.training(), pairs.past[1]
    told = pairs.log.only(pairs.log.shared & (np.arange(pairs.count) >= len(log)))
    signal = np.concatenate([liked, 100 * pairs.posts[told.post]])  # what each will share, as if it were known
    later = Histories(USERS, np.append(owner, told.target), np.append(before, told.time), signal)
    plain, knowing = pairs.features(), pairs.features(later=later)
    rows = [one.rows(log.source, log.target, pairs.posts[log.post], log.time) for one in (plain, knowing)]
    differing = int((rows[0].view(np.uint8) != rows[1].view(np.uint8)).sum())
    test = pairs.log.only(slice(0, len(log)))
    areas = [area_under_curve(test.shared, pairs.fit(one).of(test, pairs.posts)) for one in (plain, knowing)]
    return Measured.exactly(differing + abs(areas[0] - areas[1]), holds=differing == 0 and areas[0] == areas[1])


@claim("classifier-stable")
def classifier_stable(context: ClaimContext) -> Measured:
    """Area in training, and in three later windows."""
    clone = cloned(WorldRules())
    training = clone.assessed(*TRAINING).area
    later = [clone.assessed(name).area for name in LATER]
    words = f"{training:.3f}; {', '.join(f'{area:.3f}' for area in later)}"
    return Measured.exactly(words, holds=training - min(later) < 0.03 and max(later) - min(later) < 0.02)
