"""The cascade as an environment: its contract, its equality with the arithmetic alone, counter-measures, words."""

from __future__ import annotations

import numpy as np
import pytest

from sociarium.environments.cascade.cascade import Cascade
from sociarium.environments.cascade.rules import CascadeRules
from sociarium.environments.cascade.spread import SpreadRules, spread
from sociarium.kernel.actions import Actions
from sociarium.kernel.errors import UsageError
from sociarium.kernel.mind import Mind
from sociarium.kernel.network import Network
from sociarium.kernel.population import Population
from sociarium.kernel.randomness import Randomness
from sociarium.kernel.schedule import Rounds
from sociarium.kernel.simulation import Intervention, Simulation
from sociarium.kernel.turn import Phase
from sociarium.minds.rule import RuleMind, always
from sociarium.minds.sharing.mind import ShareMind
from sociarium.models.backends.embed import HashingEmbedder
from sociarium.populations.networks.uniform import erdos_renyi
from sociarium.testing.environments import environment_test
from sociarium.testing.fuzz import FuzzMind

USERS, TRIALS = 40, 12
NETWORK = erdos_renyi(USERS, 0.12, Randomness(9).stream("network"), directed=True)


class Flat:
    """A chance by edge, the same whatever the text."""

    def __init__(self, value=0.4):
        self.value = value

    def chance(self, sources, targets, posts):
        return np.full(len(sources), self.value)


class ByText(Flat):
    """Who is shown the word is sure to share."""

    def chance(self, sources, targets, posts):
        own = HashingEmbedder().vectors(["loud"])[0]
        return np.where(posts @ own > 0.5, 1.0, self.value)


def built(mind=None, *, seed=3, trials=TRIALS, rules=None, network=NETWORK, layers=30, interventions=(), **options):
    users = network.nodes
    people = Population.of(
        "user",
        users * trials,
        group=np.repeat(np.arange(trials), users),
        name=np.array([f"u{k % users}" for k in range(users * trials)], object),
    )
    world = Cascade(network, options.pop("source", 1), "a claim", rules, **options)
    return Simulation(
        people, [world], [mind or ShareMind(Flat(), HashingEmbedder())], Rounds([Phase("share", "cascade")], layers), seed=seed,
        interventions=interventions,
    )  # fmt: skip


def reached(simulation):
    """(trials, users): who has shared."""
    return (simulation.world["cascade"].layer >= 0).reshape(-1, simulation.world["cascade"].network.nodes)


@pytest.mark.parametrize("retry", [False, True])
def test_it_keeps_its_contract(retry):
    environment_test(lambda: built(FuzzMind(3), trials=3, rules=CascadeRules(retry=retry), layers=5, community=np.arange(USERS) % 2))


@pytest.mark.parametrize("retry", [False, True])
@pytest.mark.parametrize("draws", ["edge", "user"])
def test_a_run_is_the_arithmetic_user_for_user(retry, draws):
    if retry and draws == "user":
        return
    mutation = 0.3
    mind = ShareMind(Flat(), HashingEmbedder(), mutation=mutation, commenting=lambda t, u: ["so"] * len(u), draws=draws)
    simulation = built(mind, rules=CascadeRules(retry=retry))
    simulation.run_sync()
    world = simulation.world["cascade"]
    rules = SpreadRules(retry=retry, mutation=mutation, draws=draws)
    alone = spread(NETWORK, [1] * TRIALS, 0.4, Randomness(3).stream("cascade"), rules)
    agents = alone.trial * USERS + alone.user
    assert sorted(agents.tolist()) == np.flatnonzero(world.layer >= 0).tolist()
    assert world.layer[agents].tolist() == alone.layer.tolist()
    above = np.where(alone.parent >= 0, alone.user[alone.parent], -1)
    assert world.exposer[agents].tolist() == above.tolist()
    assert world.mutated[agents].tolist() == alone.mutated.tolist()
    decided = np.bincount(alone.decided.trial * USERS + alone.decided.target, minlength=len(world.exposures))
    assert world.exposures.tolist() == decided.tolist()


def test_a_run_ends_where_nobody_shares_any_more_and_counts_its_layers():
    chain = Network.from_edges(4, [0, 1, 2], [1, 2, 3])
    simulation = built(RuleMind(always("reshare")), network=chain, trials=2, source=0)
    assert simulation.run_sync() == 4, "three layers, and one in which nobody is left"
    measures = simulation.world.measures()
    assert measures["cascade.reach"].tolist() == [4, 4] and measures["cascade.depth"].tolist() == [3, 3]
    assert measures["cascade.exposures"].tolist() == [3, 3]
    short = built(RuleMind(always("reshare")), network=chain, trials=2, source=0, rules=CascadeRules(most_layers=2))
    short.run_sync()
    assert short.world.measures()["cascade.depth"].tolist() == [2, 2]


def test_with_retry_an_exposure_is_a_decision_of_its_own():
    star = Network.from_edges(5, [0, 0, 0, 1, 2, 3], [1, 2, 3, 4, 4, 4])
    times = []

    class Third(Mind):
        async def decide(self, turn, seen):
            columns = seen["cascade"]
            last = columns["user"] == 4
            times.extend(columns["times"][last].tolist())
            return Actions.one(turn, "reshare", turn.agents[~last | (columns["times"] == 3)])

    for retry, expected in ((True, [1, 2, 3]), (False, [1])):
        times.clear()
        simulation = built(Third(), network=star, trials=1, source=0, rules=CascadeRules(retry=retry))
        simulation.run_sync()
        assert times == expected and bool(reached(simulation)[0, 4]) is retry


def test_a_comment_goes_on_below_the_one_who_wrote_it_and_nowhere_else():
    fork = Network.from_edges(5, [0, 0, 1, 2], [1, 2, 3, 4])

    class Comments(Mind):
        async def decide(self, turn, seen):
            first = seen["cascade"]["user"] == 1
            actions = Actions.one(turn, "reshare", turn.agents[~first])
            return actions.add(turn, "quote", turn.agents[first], comment=np.array(["really \n loud"] * int(first.sum()), object))

    simulation = built(Comments(), network=fork, trials=2, source=0)
    simulation.run_sync()
    world = simulation.world["cascade"]
    said = [world.texts[text] for text in world.text]
    assert said == ["a claim", "a claim really loud", "a claim", "a claim really loud", "a claim"] * 2
    assert simulation.world.measures()["cascade.mutated"].tolist() == [1, 1]


def test_a_comment_that_says_nothing_leaves_the_text_as_it_was():
    mind = ShareMind(Flat(1.0), HashingEmbedder(), mutation=1.0, commenting=lambda t, u: [" "] * len(u))
    simulation = built(mind)
    simulation.run_sync()
    world = simulation.world["cascade"]
    assert world.texts == ["a claim"] and world.mutated.any() and set(world.text.tolist()) <= {0, -1}


def test_what_a_comment_says_decides_further_down():
    chain = Network.from_edges(4, [0, 1, 2], [1, 2, 3])
    quiet = ShareMind(ByText(0.0), HashingEmbedder())
    simulation = built(quiet, network=chain, trials=2, source=0)
    simulation.run_sync()
    assert simulation.world.measures()["cascade.reach"].tolist() == [1, 1]
    simulation = built(quiet, network=chain, trials=2, source=0)
    simulation.world["cascade"].texts[0] = "loud"
    simulation.run_sync()
    assert simulation.world.measures()["cascade.reach"].tolist() == [4, 4]


@pytest.mark.parametrize(
    ("operation", "arguments"), [("remove", {"users": [0, 5, 6, 7, 8]}), ("slow", {"factor": 0.4}), ("label", {"factor": 0.4})]
)
def test_a_counter_measure_never_adds_to_the_reached_of_any_trial(operation, arguments):
    rules, many = CascadeRules(retry=True), 60
    free = built(trials=many, rules=rules)
    held = built(trials=many, rules=rules, interventions=[Intervention(0, f"cascade.{operation}", arguments)])
    for simulation in (free, held):
        simulation.run_sync()
    assert not (reached(held) & ~reached(free)).any()
    assert reached(held).sum() < reached(free).sum()
    if operation == "remove":
        assert not reached(held)[:, arguments["users"]].any()


def test_slowing_and_a_label_by_the_same_factor_hold_back_alike():
    """Each exposure arrives, or moves, with 0.4 times the chance: the same process by two ways."""
    reach = {}
    for operation in ("slow", "label"):
        simulation = built(
            trials=400, rules=CascadeRules(retry=True), seed=8, interventions=[Intervention(0, f"cascade.{operation}", {"factor": 0.4})]
        )
        simulation.run_sync()
        reach[operation] = simulation.world.measures()["cascade.reach"]
    error = np.hypot(*(values.std() / 20 for values in reach.values()))
    assert abs(reach["slow"].mean() - reach["label"].mean()) < 3.5 * error


def test_an_exposure_in_words_marks_the_post_as_the_words_of_another():
    simulation = built(trials=1, rules=CascadeRules(retry=True), interventions=[Intervention(0, "cascade.label", {"factor": 0.5})])
    shown = []

    class Reader(Mind):
        async def decide(self, turn, seen):
            world = simulation.world["cascade"]
            shown.extend((world.describe(seen, row), seen["cascade"]["times"][row]) for row in range(len(turn.agents)))
            return Actions.one(turn, "reshare", turn.agents[turn.agents % 7 != 0])

    simulation.minds.all[0] = Reader()
    simulation.run_sync()
    blocks, _ = shown[0]
    assert blocks[0].trust == "agent" and blocks[0].text == "u1 has shared this post: a claim" and blocks[0].origin == "u1"
    assert "fact-checkers" in blocks[1].text and blocks[1].trust == "engine"
    assert any("2. time" in blocks[-1].text for blocks, times in shown if times == 2)


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda: Cascade(NETWORK, 40, "x"), "users are 0 to 39"),
        (lambda: Cascade(NETWORK, 0, "x", community=[0, 1]), "2 communities for 40 users"),
        (lambda: CascadeRules(most_layers=0), "at least one"),
        (lambda: ShareMind(Flat(), HashingEmbedder(), mutation=0.2), "needs commenting"),
        (lambda: built().world["cascade"].slow(1.2), "from 0 to 1"),
        (lambda: built().world["cascade"].label(1.0), "below 1"),
        (lambda: built().world["cascade"].remove([40]), "not all in the network"),
    ],
)
def test_a_mistake_is_named(call, told):
    with pytest.raises(UsageError, match=told):
        call()
