"""The clone: a network and a classifier that know of the world what its log shows, and no more."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from sociarium.environments.cascade.spread import Exposures, Spread, SpreadRules, spread
from sociarium.kernel.errors import UsageError
from sociarium.kernel.network import Network
from sociarium.kernel.randomness import Randomness, Stream
from sociarium.lab.classification import Assessment
from sociarium.minds.sharing.classifier import ShareClassifier, Sharing, TrainingRules
from sociarium.minds.sharing.features import FeatureRules, PairFeatures
from sociarium.minds.sharing.logs import ExposureLog, Windows
from sociarium.minds.sharing.trees import TreeRules
from sociarium.populations.networks.files import from_interactions
from sociarium.scenarios.digital_clone.world import WEEKS, World, WorldRules, world

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

WINDOWS = Windows({
    "network": (0, 12), "training I": (12, 14), "training II": (14, 16), "later I": (16, 17), "later II": (17, 18), "later III": (18, 20),
})  # fmt: skip
TRAINING = ("training I", "training II")
LATER = ("later I", "later II", "later III")
TREES = TreeRules(iterations=60, rate=0.06, leaves=8, least=60)


@dataclass(frozen=True, slots=True)
class Clone:
    """``network``: who has shared whom in the network window. ``classifier``: fitted to what its edges showed in both training windows."""

    world: World
    network: Network
    classifier: ShareClassifier

    def exposures(self, *windows: str) -> ExposureLog:
        """What the clone's edges showed in these windows."""
        log = WINDOWS.cut(self.world.log, *windows)
        return log.only(self.network.has(log.source, log.target))

    def assessed(self, *windows: str) -> Assessment:
        """How good the classifier's chances are there."""
        log = self.exposures(*windows)
        return Assessment.of(log.shared, self.classifier.of(log, self.world.posts))


def sharing_network(log: ExposureLog, users: int, start: float, end: float) -> Network:
    """An edge from i to j where j shared something of i from ``start`` up to, not including, ``end``; ``count`` says how often."""
    done = log.only(log.shared)
    last = float(np.nextafter(end, -np.inf))
    named = from_interactions(done.source, done.target, times=done.time, since=start, now=last)
    names, ties = named.names.astype(np.int64), named.network
    return Network.from_edges(users, names[ties.sources()], names[ties.targets], attributes=dict(ties.attributes))


def cloned(rules: WorldRules, *, text: bool = True, negatives: float = 1.0) -> Clone:
    """The clone of a world; without ``text`` its classifier sees nothing of posts. The same every time, made once."""
    return _cloned(rules, text, negatives)


@lru_cache(maxsize=6)
def _cloned(rules: WorldRules, text: bool, negatives: float) -> Clone:
    truth = world(rules)
    network = sharing_network(truth.log, rules.users, *WINDOWS["network"])
    features = PairFeatures(truth.written, truth.passed_on, network, FeatureRules() if text else FeatureRules.without_text())
    log = WINDOWS.cut(truth.log, *TRAINING)
    shown = log.only(network.has(log.source, log.target))
    random = Randomness(rules.seed).stream("digital-clone.training")
    fitted = ShareClassifier.fit(features, shown, truth.posts, random, TrainingRules(negatives, TREES), at=float(WEEKS))
    return Clone(truth, network, fitted)


def by_pair(sharing: Sharing, network: Network, post: Floats) -> Floats:
    """The chance of every edge of a network that its target shares this post, (edges,)."""
    source, target = network.sources().astype(np.int64), network.targets.astype(np.int64)
    return sharing.chance(source, target, np.broadcast_to(post, (len(network), len(post))))


def prominent(network: Network, block: Ints, number: int) -> int:
    """The user of a block who is followed by more than nine tenths of it."""
    members = np.flatnonzero(block == number)
    if not len(members):
        raise UsageError(f"there is no block {number}")
    order = members[np.argsort(network.degrees()[members], kind="stable")]
    return int(order[int(0.9 * (len(order) - 1))])


@dataclass(frozen=True, slots=True)
class Measure:
    """What is done against a cascade: users who are removed; sharing over each edge slowed to ``speed`` of its chance; a label that leaves
    ``appeal`` of it."""

    removed: Bools | None = None
    speed: float = 1.0
    appeal: float = 1.0


def trials(chance: Floats, network: Network, source: int, count: int, random: Stream, rules: SpreadRules, measure: Measure) -> Spread:
    """Trials without minds, where nobody adds to the text: chances by edge. What slows is drawn apart, as the environment does."""

    def slowed(shown: Exposures) -> Floats:
        drawn = random.at("slow").uniform(shown.trial * len(network) + shown.edge)
        return chance[shown.edge] * measure.appeal * (drawn < measure.speed)

    return spread(network, np.full(count, source), slowed, random, rules, removed=measure.removed)


def hubs(network: Network, share: float, source: int) -> Ints:
    """The users with the most followers, this share of all, but never the source."""
    order = np.argsort(-network.degrees(), kind="stable")
    return order[order != source][: round(share * network.nodes)].astype(np.int64)


def anybody(network: Network, share: float, source: int, random: Stream) -> Ints:
    """As many users by lot, but never the source."""
    order = random.order(np.arange(network.nodes))
    return order[order != source][: round(share * network.nodes)].astype(np.int64)
