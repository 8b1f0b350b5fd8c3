"""What words do to a cascade: whom a post suits, what comments change, what a red team gains; and what the clone is worth as a twin."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sociarium.environments.cascade.cascade import Cascade
from sociarium.environments.cascade.spread import Exposures, Spread, SpreadRules, spread
from sociarium.kernel.network import Network
from sociarium.kernel.randomness import Stream
from sociarium.lab.claims import ClaimContext, Measured, claim
from sociarium.lab.statistics import common_difference, mean_interval
from sociarium.lab.twins import agreement
from sociarium.minds.sharing.classifier import Sharing
from sociarium.populations.networks.communities import louvain, modularity, mutual_information
from sociarium.populations.networks.nulls import degree_preserving
from sociarium.populations.networks.uniform import erdos_renyi, stochastic_block
from sociarium.scenarios.digital_clone.checks_spread import probability, stream
from sociarium.scenarios.digital_clone.clone import by_pair, cloned, prominent
from sociarium.scenarios.digital_clone.scenario import DigitalClone
from sociarium.scenarios.digital_clone.world import World, WorldRules, topics, world
from sociarium.training.rewording import climb

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

TWO = WorldRules(users=600, blocks=2, degree=10, within=0.5, noise=0.0, intercept=-3.0, taste=1.5, fame=0.0)
FOUR = WorldRules()  # the scenario's own
PLAIN = SpreadRules()


@claim("share-rates")
def share_rates(context: ClaimContext) -> Measured:
    """Share rate per exposure in the block of the topic over that in the other: standard errors away from the planted ratio, at most."""
    truth, away = world(TWO), 0.0
    for topic in (0, 1):
        found = cascades(truth, truth.law, topic, 600, stream(context, f"rates {topic}"))
        shown = np.bincount(truth.block[found.decided.target], minlength=2)
        took = np.bincount(truth.block[found.user[found.layer > 0]], minlength=2)
        rate = took / shown
        chance = truth.law.chance(np.zeros(2, np.int64), np.array([0, 300]), np.stack([post_of(truth, topic)] * 2))
        logs = np.log(rate[topic] / rate[1 - topic]) - np.log(chance[topic] / chance[1 - topic])
        away = max(away, abs(float(logs)) / float(np.sqrt(((1 - rate) / took).sum())))
    return Measured.exactly(away, holds=away < 3)


@claim("reach-by-topic")
def reach_by_topic(context: ClaimContext) -> Measured:
    """Mean reach in block 1 and in block 2, for a post on the topic of the first, then of the second."""
    truth = world(TWO)
    means = [cascades(truth, truth.law, topic, 400, stream(context, "topic")).reach_by(truth.block, 2).mean(axis=0) for topic in (0, 1)]
    words = "; ".join(f"{first:.1f} and {second:.1f}" for first, second in means)
    return Measured.exactly(words, holds=bool(means[0][0] > means[0][1] and means[1][1] > means[1][0]))


@claim("blind-to-words")
def blind_to_words(context: ClaimContext) -> Measured:
    """Without features of posts, two posts on different topics reach as many from the same source."""
    truth = world(FOUR)
    blind = cloned(FOUR, text=False).classifier
    reach = [cascades(truth, blind, topic, 1_000, stream(context, f"blind {topic}"), source=0).reach() for topic in (0, 1)]
    return probability(*reach)


@claim("mutated-share")
def mutated_share(context: ClaimContext) -> Measured:
    truth, m = world(FOUR), 0.1
    found = cascades(truth, truth.law, 0, 500, stream(context, "mutated"), rules=SpreadRules(mutation=m))
    interval = mean_interval(found.mutated[found.layer > 0].astype(float))
    error = (m * (1 - m) / int((found.layer > 0).sum())) ** 0.5
    return Measured.estimated(interval, holds=abs(interval.estimate - m) < 3 * error)


@claim("empty-comments")
def empty_comments(context: ClaimContext) -> Measured:
    truth = world(TWO)
    silent, commented = (
        cascades(truth, truth.law, 0, 2_000, stream(context, f"comments {m}"), rules=SpreadRules(mutation=m), comment="").reach()
        for m in (0.0, 0.5)
    )
    return probability(silent, commented)


@claim("comments-reach-others")
def comments_reach_others(context: ClaimContext) -> Measured:
    """Users of block 2 reached by a post on block 1's topic: with comments in their words, less without."""
    truth = world(TWO)
    comment = " ".join(topics()[1].words[:4])
    without, with_words = (
        cascades(truth, truth.law, 0, 1_500, stream(context, "others"), rules=SpreadRules(mutation=m), comment=comment)
        .reach_by(truth.block, 2)[:, 1]
        for m in (0.0, 0.5)
    )  # fmt: skip
    difference = common_difference(with_words, without)
    return Measured.estimated(difference, holds=difference.low > 0)


@claim("texts-unchanged")
async def texts_unchanged(context: ClaimContext) -> Measured:
    """Sharers of a run whose text is not, byte for byte, the post with the comments of those above them."""
    scenario = DigitalClone.of({"trials": 60, "mutation": 0.3})
    simulation = scenario.build(context.seeds[0])
    await simulation.run()
    cascade = simulation.world[Cascade.name]
    assert isinstance(cascade, Cascade)
    users, wrong, plain = cascade.network.nodes, 0, 0
    for agent in np.flatnonzero(cascade.layer >= 0).tolist():
        said: list[str] = []
        at = agent
        while cascade.layer[at] > 0:
            if cascade.mutated[at]:
                said.append(scenario.commenting(np.zeros(1, np.int64), np.array([at % users]))[0])
            at = at - at % users + int(cascade.exposer[at])
        expected = " ".join([scenario.words(), *reversed(said)])
        wrong += int(str(cascade.texts[int(cascade.text[agent])]).encode() != expected.encode())
        plain += int(not said)
    return Measured.exactly(float(wrong), holds=wrong == 0 and 0 < plain < int((cascade.layer >= 0).sum()))


@claim("climb-exact")
def climb_exact(context: ClaimContext) -> Measured:
    """Times at which the summed chance over all edges fell, in ten climbs of 150 wordings; all of them gained."""
    truth, random = world(TWO), stream(context, "climb")
    found = [climb(topics()[number % 2].post, vocabulary(), lambda text: float(chances(truth, text).sum()), random.at(number), steps=150)
             for number in range(10)]  # fmt: skip
    fell = sum(int((np.diff(one.scores) < 0).sum()) for one in found)
    return Measured.exactly(float(fell), holds=fell == 0 and all(one.gain > 0 for one in found))


@claim("winners-curse")
def winners_curse(context: ClaimContext) -> Measured:
    """Gain as the search saw it, less the gain on fresh draws: mean of 100 climbs on simulated reach."""
    rules = WorldRules(users=150, blocks=2, degree=8, within=0.5, noise=0.3, intercept=-3.0, taste=2.0, fame=0.0)
    truth, random = world(rules), stream(context, "curse")
    over: list[float] = []
    for search in range(100):
        draws = random.at(search)
        tries = iter(range(1_000))

        def simulated(text: str, many: int = 10, draws: Stream = draws, tries: Any = tries) -> float:
            reach = spread(truth.network, np.zeros(many, np.int64), chances(truth, text), draws.at("try", next(tries)), PLAIN).reach()
            return float(reach.mean())

        found = climb(topics()[2].post, vocabulary(), simulated, draws.at("words"), steps=12)
        over.append(found.gain - (simulated(found.best, 100) - simulated(found.texts[0], 100)))
    interval = mean_interval(over)
    return Measured.estimated(interval, holds=interval.estimate >= 0)


@claim("blocks-found")
def blocks_found(context: ClaimContext) -> Measured:
    """Mutual information of strong blocks and what Louvain's method finds."""
    random = stream(context, "blocks")
    chance = np.full((4, 4), 0.01) + np.diag([0.19] * 4)
    network = stochastic_block([60] * 4, chance, random.at("graph"))
    shared = mutual_information(np.repeat(np.arange(4), 60), louvain(network, random.at("found")))
    return Measured.exactly(shared, holds=shared >= 0.95)


@claim("no-blocks")
def no_blocks(context: ClaimContext) -> Measured:
    """Of 200 rewirings with the same degrees, how many are divided at least as well as a graph without blocks."""
    random = stream(context, "no blocks")
    network = erdos_renyi(100, 0.08, random.at("graph"))
    own = modularity(network, louvain(network, random.at("own")))
    others = [degree_preserving(network, random.at("null", number), directed=False) for number in range(200)]
    as_good = sum(modularity(one, louvain(one, random.at("found", number))) >= own for number, one in enumerate(others))
    return Measured.exactly(float(as_good), holds=as_good > 0)


@claim("twin")
def twin(context: ClaimContext) -> Measured:
    """1,000 trials of the clone against 200 recorded cascades: total, share inside the band, communities in order."""
    clone = cloned(FOUR)
    truth, source = clone.world, prominent(clone.world.network, clone.world.block, 0)
    recorded = cascades(truth, truth.law, 0, 200, stream(context, "recorded"), source=source)
    chance = by_pair(clone.classifier, clone.network, post_of(truth, 0))
    ours = spread(clone.network, np.full(1_000, source), chance, stream(context, "twin"), PLAIN)
    tie = stream(context, "ties").uniform(np.arange(200 * 8)).reshape(200, 8)
    by = [one.reach_by(truth.block, FOUR.blocks) for one in (recorded, ours)]
    found = agreement(recorded.layers(9)[:, 1:], ours.layers(9)[:, 1:], tie, recorded_by=by[0], trials_by=by[1])
    inside = float(found.inside.mean())
    words = f"{100 * found.total:+.0f} %, {inside:.2f} inside, KS {found.distance:.2f}"
    return Measured.exactly(words, holds=abs(found.total) < 0.5 and inside > 0.5 and by[0].mean(0).argmax() == by[1].mean(0).argmax())


@claim("recorded-follow-lists")
def recorded_follow_lists(context: ClaimContext) -> Measured:
    """How many of the 104 sharers of the recorded cascade its follow lists can reach, if everybody shares."""
    assert context.data is not None, "a claim that needs data is checked with data only"
    network, final = recorded_cascade(context.data)
    source = int(network.degrees().argmax())
    reach = int(spread(network, [source], 1.0, stream(context, "recorded"), PLAIN).reach()[0])
    return Measured.exactly(float(reach), holds=reach < final)


@claim("words-of-ones-own")
async def words_of_ones_own(context: ClaimContext) -> Measured:
    """Share rate per exposure in the block whose topic the post is on, less that in the others."""
    from sociarium.lab import running

    scenario = DigitalClone.of(
        {"users": 60, "blocks": 2, "degree": 6, "within": 0.5, "trials": 4, "most_layers": 6, "model": context.model}
    )
    finished = await running.in_memory(scenario, context.seeds[0])
    cascade = finished.simulation.world[Cascade.name]
    assert isinstance(cascade, Cascade)
    block = np.tile(world(scenario.rules()).block, scenario.trials)
    shown, shared = cascade.exposures > 0, cascade.layer > 0
    rates = [float(shared[shown & (block == one)].mean()) for one in (0, 1)]
    return Measured.exactly(rates[0] - rates[1], holds=rates[0] > rates[1])


def cascades(
    truth: World, sharing: Sharing, topic: int, trials: int, random: Stream, *, source: int | None = None, rules: SpreadRules = PLAIN,
    comment: str = "",
) -> Spread:  # fmt: skip
    """Trials of a topic's post over all followers; who mutates adds ``comment``. Chances depend on how often that was."""
    most = 6 if comment else 0
    texts = [f"{topics()[topic].post} {' '.join([comment] * times)}".strip() for times in range(most + 1)]
    table = np.stack([by_pair(sharing, truth.network, vector) for vector in truth.words.vectors(texts)])

    def chance(shown: Exposures) -> Floats:
        return table[shown.text, shown.edge]

    def rewriting(trial: Ints, user: Ints, text: Ints) -> Ints:
        return np.minimum(text + 1, most)

    begins = prominent(truth.network, truth.block, topic) if source is None else source
    return spread(truth.network, np.full(trials, begins), chance, random, rules, rewriting=rewriting)


def chances(truth: World, text: str) -> Floats:
    """Of every edge, that its target shares this text."""
    return by_pair(truth.law, truth.network, truth.words.vectors([text])[0])


def post_of(truth: World, topic: int) -> Floats:
    return truth.words.vectors([topics()[topic].post])[0]


def vocabulary() -> list[str]:
    return [word for topic in topics() for word in topic.words]


def recorded_cascade(folder: Path) -> tuple[Network, float]:
    """The follow lists of one recorded cascade, from who is followed to who follows, and how many users shared in the end."""
    with (folder / "oasis" / "False_Business_0.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    ends = [(followed, user) for user, row in enumerate(rows) for followed in json.loads(row["following_agentid_list"])]
    series = json.loads((folder / "oasis" / "False_Business_0_real_series.json").read_text("utf-8"))
    followed, follower = np.array(ends, np.int64).T
    return Network.from_edges(len(rows), followed, follower), float(series["scale"][-1])
