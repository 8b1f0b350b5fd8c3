"""Users without a network of messages: each hears what a stub lets it hear, so that the laws of emotions and attitudes stand alone."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from sociarium.environments.opinion.models import degroot
from sociarium.environments.social.platform import Platform
from sociarium.environments.social.recommenders.recommender import NoFeed
from sociarium.environments.social.stances import Stances
from sociarium.kernel.network import Network
from sociarium.kernel.population import Population
from sociarium.kernel.randomness import Randomness
from sociarium.kernel.records import TickRecord
from sociarium.kernel.schedule import Rounds
from sociarium.kernel.simulation import Simulation
from sociarium.kernel.turn import Observations, Phase, Turn
from sociarium.minds.markov import Estimated, MarkovKernel, estimated
from sociarium.minds.reactions import ReactionRules, Reactions, Reading
from sociarium.minds.resharing import EachMessage, Read
from sociarium.minds.rule import RuleMind, nothing
from sociarium.populations.networks.degrees import random_regular

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

EMOTION = MarkovKernel.of([[0.7, 0.2, 0.1], [0.3, 0.5, 0.2], [0.05, 0.35, 0.6]])
ATTITUDE = MarkovKernel.of([[0.85, 0.15], [0.3, 0.7]])
COPY = MarkovKernel.of([[[1, 0], [1, 0]], [[0, 1], [0, 1]]])  # one takes the side that one hears
RUNS, SIZE, DEGREE = 500, 16, 4


def logged(seed: int, users: int = 5000, steps: int = 20) -> tuple[Estimated, Estimated]:
    """Transitions of emotion and attitude as the events of a run of stubs tell them."""
    rules = ReactionRules(EMOTION, ATTITUDE, EachMessage(0.0))
    simulation = _hearing(users, lambda turn, seen: _one_each(turn, np.zeros(len(turn.agents), np.int64)), rules, steps, seed)
    records: list[TickRecord] = []
    simulation.on_tick.append(records.append)
    simulation.run_sync()
    rows = [rows.data for record in records for rows in record.events if rows.kind == "stances.held"]
    columns = {name: np.concatenate([data[name] for data in rows]) for name in ("was_emotion", "emotion", "was_attitude", "attitude")}
    return estimated(columns["was_emotion"], columns["emotion"], 3), estimated(columns["was_attitude"], columns["attitude"], 2)


@cache
def voters(seed: int) -> tuple[Floats, Floats]:
    """Positive shares of 500 communities, each an undirected regular graph in which a quarter begins positive, after 200 updates and in
    the end. One user after another, drawn at random, takes the side of one of those heard."""
    graphs = [random_regular(SIZE, DEGREE, Randomness(seed).stream("voters.graph", number)) for number in range(RUNS)]
    heard = np.stack([graph.targets.reshape(SIZE, DEGREE) + SIZE * number for number, graph in enumerate(graphs)]).reshape(-1, DEGREE)

    def reading(turn: Turn, seen: Observations) -> Read:
        held = stances_of(simulation).attitude
        chosen = turn.random("voter").integers(0, DEGREE - 1, turn.agents)
        return _one_each(turn, held[heard[turn.agents, chosen]].astype(np.int64))

    start = (np.arange(RUNS * SIZE) % SIZE < SIZE // 4).astype(np.int64)
    simulation = _hearing(RUNS * SIZE, reading, ReactionRules(None, COPY, EachMessage(0.0)), 100_000, seed, attitude=start, one_of=SIZE)
    stances = stances_of(simulation)
    simulation.run_sync(200)
    early = stances.attitude.reshape(RUNS, SIZE).mean(axis=1)
    while (
        not np.isin(shares := stances.attitude.reshape(RUNS, SIZE).mean(axis=1), (0.0, 1.0)).all() and simulation.world.clock.tick < 20_000
    ):
        simulation.run_sync(200)
    return early, shares


def consensus_weights(seed: int, users: int = 40, own: float = 0.3) -> tuple[float, float]:
    """After 400 rounds of averaging with positive self-weight: the largest distance from the left-eigenvector weighted mean of the start,
    and the range of the start. The graph is strongly connected: a ring, and edges at random."""
    stream = Randomness(seed).stream("degroot")
    ends = stream.integers(0, users - 1, np.arange(6 * users)).reshape(2, -1)
    ring = np.arange(users)
    graph = Network.from_edges(users, np.concatenate([ring, ends[0]]), np.concatenate([(ring + 1) % users, ends[1]]))
    weights = own * np.eye(users)
    weights[graph.sources(), graph.targets] += (1 - own) / graph.degrees()[graph.sources()]
    values, vectors = np.linalg.eig(weights.T)
    left = np.real(vectors[:, np.argmin(np.abs(values - 1))])
    start = stream.uniform(ring, 1)
    held = start
    for _ in range(400):
        held = degroot(graph, held, own=own)
    return float(np.abs(held - start @ (left / left.sum())).max()), float(np.ptp(start))


def faded(start: int, users: int = 20_000, steps: int = 10) -> tuple[float, int, set[int]]:
    """The share above calm after ten steps without messages, of how many, and the levels that were seen."""
    stances, levels = Stances(fading=0.1), set[int]()
    people = Population.of("user", users, emotion=np.full(users, start), attitude=0)
    simulation = Simulation(people, [stances], [RuleMind(nothing)], Rounds([Phase("read", "stances")], steps), seed=start)
    simulation.on_tick.append(lambda record: levels.update(np.unique(stances.emotion).tolist()))
    simulation.run_sync()
    return float((stances.emotion > 0).mean()), users, levels


def stances_of(simulation: Simulation) -> Stances:
    found = simulation.world[Stances.name]
    assert isinstance(found, Stances)
    return found


class OneOfEach(Rounds):
    """Of every ``size`` users one, drawn anew each tick, is awake."""

    def __init__(self, phases: list[Phase], rounds: int, size: int) -> None:
        super().__init__(phases, rounds)
        self.size = size

    def awake(self, number: int, now: int) -> Ints:
        first = np.arange(0, len(self.world.population), self.size)
        return first + self.world.randomness.stream("one of each", number).integers(0, self.size - 1, first)


def _hearing(
    users: int, reading: Reading, rules: ReactionRules, steps: int, seed: int, *, attitude: Ints | int = 0, one_of: int = 1
) -> Simulation:  # fmt: skip
    platform = Platform(Network.from_edges(users, [], []), recommender=NoFeed())
    phases = [Phase("read", "stances", shows=("platform",))]
    schedule = Rounds(phases, steps) if one_of == 1 else OneOfEach(phases, steps, one_of)
    people = Population.of("user", users, emotion=0, attitude=attitude)
    return Simulation(people, [platform, Stances(fading=0.0)], [Reactions(reading, rules)], schedule, seed=seed)


def _one_each(turn: Turn, side: Ints) -> Read:
    """One message for each agent of the turn, from nobody in particular."""
    rows, none = np.arange(len(turn.agents)), np.zeros(len(turn.agents), np.int64)
    return Read(rows, none, none, none + 2, none.astype(np.float64), none, side)
