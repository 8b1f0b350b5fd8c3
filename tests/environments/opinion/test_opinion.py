"""Opinion dynamics against exact theory, and the environment around them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sociarium.environments.opinion import kernels, models
from sociarium.environments.opinion.opinion import Model, Opinion, OpinionRules
from sociarium.kernel.actions import Actions
from sociarium.kernel.errors import UsageError
from sociarium.kernel.extras import Compiled
from sociarium.kernel.network import Network
from sociarium.kernel.population import Population
from sociarium.kernel.randomness import Randomness
from sociarium.kernel.schedule import Rounds
from sociarium.kernel.simulation import Simulation
from sociarium.kernel.turn import Phase
from sociarium.minds.rule import RuleMind
from sociarium.populations.networks import regular, uniform
from sociarium.populations.networks.degrees import random_regular


def stream(seed=0):
    return Randomness(seed).stream("test")


def drawn(seed, nodes, density=0.2):
    return uniform.erdos_renyi(nodes, density, stream(seed), directed=True), stream(seed).uniform(np.arange(nodes), 5)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 999), st.floats(0, 1), st.floats(0, 0.6))
def test_kernels_are_the_same_compiled_plain_and_in_numpy(seed, own, confidence):
    network, opinions = drawn(seed, 40)
    held, distance = models.fixed(opinions), round(confidence * kernels.ONE)
    fast = kernels.averages(network, held, own), kernels.confident_averages(network, held, distance)
    plain = np.empty_like(held), np.empty_like(held)
    kernels._average.plain(network.starts, network.targets, held, own, plain[0])
    kernels._confident.plain(network.starts, network.targets, held, distance, plain[1])
    available, Compiled.available = Compiled.available, staticmethod(lambda: False)
    try:
        numpy = kernels.averages(network, held, own), kernels.confident_averages(network, held, distance)
    finally:
        Compiled.available = staticmethod(available)
    for a, b, c in zip(fast, plain, numpy, strict=True):
        assert a.tolist() == b.tolist() == c.tolist()


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 999), st.floats(0, 0.6))
def test_a_step_is_its_definition(seed, confidence):
    network, x = drawn(seed, 30)
    degroot, near = models.degroot(network, x, own=0.25), models.bounded_confidence(network, x, confidence)
    for node in range(30):
        heard = x[network.neighbours(node)]
        assert degroot[node] == pytest.approx(0.25 * x[node] + 0.75 * heard.mean() if len(heard) else x[node], abs=1e-8)
        if (np.abs(np.abs(heard - x[node]) - confidence) > 1e-8).all():
            assert near[node] == pytest.approx(np.append(heard[np.abs(heard - x[node]) <= confidence], x[node]).mean(), abs=1e-8)


class TestAverages:
    def test_degroot_ends_at_the_mean_weighted_by_the_stationary_law(self):
        """Strongly connected, with a weight of its own for everybody (s3, A4)."""
        network, x = drawn(3, 60)
        assert (network.degrees() > 0).all()
        matrix = np.zeros((60, 60))
        matrix[network.sources(), network.targets] = 1 / network.degrees()[network.sources()]
        values, vectors = np.linalg.eig((0.3 * np.eye(60) + 0.7 * matrix).T)
        weight = np.real(vectors[:, np.argmax(np.real(values))])
        limit = weight @ x / weight.sum()
        for _ in range(400):
            x = models.degroot(network, x, own=0.3)
        assert np.abs(x - limit).max() < 1e-6

    def test_friedkin_johnsen_ends_at_the_solution_of_its_equation(self):
        network, start = drawn(4, 50)
        susceptibility = stream(9).uniform(np.arange(50)) * 0.95
        matrix = np.zeros((50, 50))
        matrix[network.sources(), network.targets] = 1 / network.degrees()[network.sources()]
        limit = np.linalg.solve(np.eye(50) - susceptibility[:, None] * matrix, (1 - susceptibility) * start)
        x = start
        for _ in range(300):
            x = models.friedkin_johnsen(network, x, start, susceptibility)
        assert np.abs(x - limit).max() < 1e-6
        zealots = models.friedkin_johnsen(network, x, start, np.zeros(50))
        assert zealots == pytest.approx(start, abs=1e-9)

    def test_an_average_keeps_the_sum_on_a_regular_graph(self):
        network = random_regular(200, 6, stream())
        x = stream(1).uniform(np.arange(200))
        assert models.degroot(network, x, own=0.5).sum() == pytest.approx(x.sum(), abs=1e-6)


class TestBoundedConfidence:
    def test_clusters_freeze_apart(self):
        """Hegselmann and Krause: on a complete graph order is kept, it ends after finitely many steps, and clusters are further apart than
        the
        confidence."""
        network = regular.complete(200)
        for confidence, most in ((0.05, 10), (0.15, 3), (0.5, 1)):
            x = np.sort(stream(2).uniform(np.arange(200)))
            for _ in range(200):
                y = models.bounded_confidence(network, x, confidence)
                assert (np.diff(y) >= -1e-8).all()
                if np.array_equal(x, y):
                    break
                x = y
            assert np.array_equal(x, y)
            assert 1 <= models.clusters(x, confidence) <= most
            gaps = np.diff(np.unique(np.round(x, 7)))
            assert (gaps > confidence).all()

    def test_all_hear_all_where_confidence_is_wide(self):
        x = stream().uniform(np.arange(50))
        assert models.bounded_confidence(regular.complete(50), x, 1.0) == pytest.approx(np.full(50, x.mean()), abs=1e-8)

    @settings(max_examples=30, deadline=None)
    @given(st.integers(0, 999), st.floats(0, 0.5), st.floats(0.05, 0.5))
    def test_meetings_keep_the_sum_to_the_last_bit(self, seed, confidence, convergence):
        network, x = drawn(seed, 40)
        y = models.deffuant(network, x, stream(seed), confidence, convergence=convergence, meetings=200)
        assert models.fixed(y).sum(dtype=np.int64) == models.fixed(x).sum(dtype=np.int64)
        assert y.min() >= x.min() - 1e-9 and y.max() <= x.max() + 1e-9
        if confidence == 0:
            assert y == pytest.approx(x, abs=1e-9)

    def test_deffuant_ends_in_one_cluster_above_one_half(self):
        """Deffuant et al. 2000: about 1 / (2 d) large clusters; one for d of 0.5."""
        network = regular.complete(100)
        for confidence, number in ((0.5, 1), (0.2, 2)):
            x = np.linspace(0, 1, 100)
            x = models.deffuant(network, x, stream(1), confidence, meetings=40_000)
            groups = [part for part in np.split(np.sort(x), np.flatnonzero(np.diff(np.sort(x)) > confidence) + 1) if len(part) > 10]
            assert len(groups) == number


class TestVoters:
    def test_the_share_is_a_martingale_and_ends_in_consensus(self):
        """On a regular graph, one after the other (s3, A4): mean share after 400 updates unchanged within 3 standard errors of 400 runs;
        the share of runs that end at 1 is the share at the start."""
        network = random_regular(20, 4, stream())
        start = (np.arange(20) < 6).astype(float)
        middle = np.array([models.voter_in_turn(network, start, stream(seed), 100).mean() for seed in range(400)])
        assert abs(middle.mean() - 0.3) < 3 * middle.std() / 20
        final = np.array([models.voter_in_turn(network, start, stream(seed), 8_000).mean() for seed in range(400)])
        assert ((final == 0) | (final == 1)).mean() > 0.99
        assert abs(final.mean() - 0.3) < 3.5 * np.sqrt(0.21 / 400)

    def test_time_to_consensus_on_a_complete_graph(self):
        """Beside the exact mean of the birth and death chain of the number of ones, 10 of 20 at the start."""
        size = 20
        k = np.arange(1, size)
        move = k * (size - k) / (size * (size - 1))
        chain = np.diag(2 * move) - np.diag(move[:-1], 1) - np.diag(move[1:], -1)
        exact = np.linalg.solve(chain, np.ones(size - 1))[9]
        network, times = regular.complete(size), []
        for seed in range(300):
            x, step, block = (np.arange(size) < 10).astype(float), 0, 5
            while 0 < x.sum() < size:
                x = models.voter_in_turn(network, x, stream(seed).at(step), block)
                step += block
            times.append(step - (block - 1) / 2)  # it ended somewhere within the last few updates
        assert abs(np.mean(times) - exact) < 3.5 * np.std(times) / np.sqrt(300) + 1

    def test_noise_alone_is_a_coin(self):
        network = regular.complete(2000)
        x = models.voter(network, np.zeros(2000), stream(), noise=1.0)
        assert abs(x.mean() - 0.5) < 4 * 0.5 / np.sqrt(2000)
        noisy = models.voter(network, np.zeros(2000), stream(), noise=0.2)
        assert abs(noisy.mean() - 0.1) < 4 * 0.3 / np.sqrt(2000)

    def test_a_panel_must_agree(self):
        network = regular.complete(3000)
        x = (np.arange(3000) < 900).astype(float)
        after = models.q_voter(network, x, stream(), panel=2)
        expected = 0.3 * (1 - 0.7**2) + 0.7 * 0.3**2  # a one stays unless two zeros agree; a zero turns where two ones do
        assert abs(after.mean() - expected) < 4 * 0.5 / np.sqrt(3000)
        assert models.q_voter(network, x, stream(), panel=1) == pytest.approx(models.voter(network, x, stream()))

    def test_who_hears_nobody_keeps_its_opinion(self):
        alone = Network.from_edges(3, [0], [1])
        x = np.array([0.0, 1.0, 0.4])
        assert models.voter(alone, x, stream()) == pytest.approx([1.0, 1.0, 0.4])
        assert models.degroot(alone, x) == pytest.approx([1.0, 1.0, 0.4])


def built(network, rules, size, mind=None, rounds=5, **columns):
    population = Population.of("person", size, **columns)
    environment = Opinion(network, rules)
    quiet = mind or RuleMind(lambda turn, seen: Actions())
    return Simulation(population, [environment], [quiet], Rounds([Phase("talk", lead="opinion")], rounds), seed=3), environment


class TestEnvironment:
    def test_agents_who_say_nothing_follow_the_model(self):
        network, x = drawn(5, 40)
        simulation, environment = built(network, OpinionRules(own=0.3), 40, opinion=x)
        simulation.run_sync()
        for _ in range(5):
            x = models.degroot(network, x, own=0.3)
        assert models.floating(environment.held) == pytest.approx(x, abs=1e-8)

    def test_who_speaks_holds_what_it_said(self):
        network, x = drawn(5, 40)
        stubborn = RuleMind(lambda turn, seen: Actions.one(turn, "express", turn.agents[:3], opinion=1.0))
        simulation, environment = built(network, OpinionRules(model=Model.BOUNDED_CONFIDENCE, confidence=1.0), 40, stubborn, 60, opinion=x)
        simulation.run_sync()
        held = models.floating(environment.held)
        assert (held[:3] == 1).all()
        assert held.mean() > 0.95  # zealots win where everybody hears somebody

    @pytest.mark.parametrize("model", list(Model))
    def test_worlds_side_by_side_never_touch_and_states_come_back(self, model):
        one, x = drawn(6, 30)
        two = Network.from_edges(60, np.concatenate([one.sources(), one.sources() + 30]), np.concatenate([one.targets, one.targets + 30]))
        rules = OpinionRules(model=model, noise=0.05 if model is not Model.NONE else 0.0)
        group = np.repeat([0, 1], 30)
        changed = np.concatenate([x, x[::-1]])
        simulation, both = built(two, rules, 60, opinion=np.concatenate([x, x]), group=group)
        other_simulation, other = built(two, rules, 60, opinion=changed, group=group)
        simulation.run_sync()
        other_simulation.run_sync()
        assert both.held[:30].tolist() == other.held[:30].tolist()
        _, back = built(two, rules, 60, opinion=x[0], group=group)
        back.load(both.state())
        assert back.held.tolist() == both.held.tolist()
        assert both.measures()["mean"].shape == (2,)
        assert both.measures()["polarisation"][0] == pytest.approx(4 * models.floating(both.held[:30]).var())

    def test_the_mean_under_noise_free_voters_stays_binary(self):
        network = random_regular(100, 4, stream())
        simulation, environment = built(network, OpinionRules(model=Model.VOTER, binary=True, share=0.5), 100)
        simulation.run_sync()
        assert set(environment.held.tolist()) <= {0, kernels.ONE}

    def test_mistakes_are_named(self):
        network, _ = drawn(5, 40)
        with pytest.raises(UsageError, match="40 nodes, the population 10"):
            built(network, OpinionRules(), 10)
        with pytest.raises(UsageError, match="from one group to another"):
            built(network, OpinionRules(), 40, group=np.arange(40) % 2)
        with pytest.raises(UsageError, match="own is 2"):
            OpinionRules(own=2)
        with pytest.raises(UsageError, match="agent 1 is 1"):
            models.degroot(network, [0.5, 1.5, *[0.0] * 38])
