"""Generators: what they promise exactly, their laws within chance, and one stream one graph."""

from __future__ import annotations

import itertools
from collections import Counter

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from sociarium.kernel.errors import UsageError
from sociarium.kernel.network import Network
from sociarium.kernel.randomness import Randomness
from sociarium.populations.networks import contact, core_ordinary, degrees, preferential, regular, uniform
from sociarium.populations.networks.files import to_networkx
from sociarium.populations.networks.nulls import degree_preserving, random_follows
from sociarium.populations.networks.statistics import triangles_of


def stream(seed=0):
    return Randomness(seed).stream("test")


def undirected(network):
    return to_networkx(network, directed=False)


def edges(network):
    return frozenset(zip(network.sources().tolist(), network.targets.tolist(), strict=True))


MADE = {
    "gnp": lambda s: uniform.erdos_renyi(200, 0.05, s),
    "gnm": lambda s: uniform.erdos_renyi_edges(200, 900, s),
    "blocks": lambda s: uniform.stochastic_block([50, 70], [[0.2, 0.02], [0.02, 0.1]], s),
    "small world": lambda s: regular.watts_strogatz(200, 6, 0.3, s),
    "preferential": lambda s: preferential.barabasi_albert(200, 4, s),
    "cumulative": lambda s: preferential.cumulative_advantage(200, 4, s),
    "follows": lambda s: random_follows(np.full(200, 4), s),
    "clustered": lambda s: preferential.powerlaw_cluster(200, 4, 0.7, s),
    "regular": lambda s: degrees.random_regular(200, 5, s),
    "expected": lambda s: degrees.expected_degrees(np.ones(200), 1 / np.arange(1, 201), 900, s),
    "core": lambda s: core_ordinary.core_ordinary(s.integers(0, 8, np.arange(400)).reshape(200, 2), np.arange(20), s),
    "contacts": lambda s: contact.contact_network(np.arange(200) // 3, {"work": (np.arange(200) % 5, 6)}, s),
}


@pytest.mark.parametrize("name", MADE)
def test_one_stream_is_one_graph_and_another_is_another(name):
    assert edges(MADE[name](stream())) == edges(MADE[name](stream()))
    assert edges(MADE[name](stream())) != edges(MADE[name](stream(1)))


@pytest.mark.parametrize("directed", [False, True])
def test_gnp_has_each_pair_with_its_probability(directed):
    """Each of the 12 (6) pairs of 4 nodes is there in a share p of 4,000 graphs, and independently: numbers of edges are binomial."""
    pairs = 12 if directed else 6
    counts, pair_counts = Counter(), Counter()
    for seed in range(4000):
        network = uniform.erdos_renyi(4, 0.3, stream(seed), directed=directed)
        found = {e for e in edges(network) if directed or e[0] < e[1]}
        counts[len(found)] += 1
        pair_counts.update(found)
    assert len(pair_counts) == pairs
    assert all(abs(c / 4000 - 0.3) < 4 * np.sqrt(0.21 / 4000) for c in pair_counts.values())
    expected = stats.binom.pmf(np.arange(pairs + 1), pairs, 0.3) * 4000
    seen = np.array([counts[k] for k in range(pairs + 1)])
    few = expected < 5
    assert stats.chisquare(np.append(seen[~few], seen[few].sum()), np.append(expected[~few], expected[few].sum())).pvalue > 1e-4


def test_gnm_draws_every_graph_equally_often():
    seen = Counter(edges(uniform.erdos_renyi_edges(4, 2, stream(seed))) for seed in range(3000))
    assert len(seen) == 15
    assert stats.chisquare(list(seen.values())).pvalue > 1e-4


@given(st.integers(0, 30), st.booleans(), st.data())
def test_gnm_has_exactly_its_edges(nodes, directed, data):
    pairs = nodes * (nodes - 1) // (1 if directed else 2)
    wanted = data.draw(st.integers(0, pairs))
    assert len(uniform.erdos_renyi_edges(nodes, wanted, stream(), directed=directed)) == wanted * (1 if directed else 2)


def test_every_pair_number_names_one_pair():
    for nodes in (2, 3, 50, 1001):
        a, b = uniform._pairs(np.arange(nodes * (nodes - 1) // 2), nodes, False)
        assert (a < b).all() and len(set(zip(a.tolist(), b.tolist(), strict=True))) == nodes * (nodes - 1) // 2 and b.max() == nodes - 1


def test_blocks_have_their_densities():
    network = uniform.stochastic_block([400, 600], [[0.1, 0.01], [0.01, 0.05]], stream())
    block = (np.arange(1000) >= 400).astype(int)
    for i, j, pairs, p in ((0, 0, 400 * 399, 0.1), (0, 1, 400 * 600, 0.01), (1, 1, 600 * 599, 0.05)):
        found = ((block[network.sources()] == i) & (block[network.targets] == j)).sum()
        assert abs(found - pairs * p) < 5 * np.sqrt(2 * pairs * p)


def test_graphs_without_chance_are_those_of_networkx():
    assert nx.utils.graphs_equal(undirected(regular.complete(7)), nx.complete_graph(7))
    assert nx.utils.graphs_equal(undirected(regular.star(6)), nx.star_graph(6))
    assert nx.utils.graphs_equal(undirected(regular.ring(9)), nx.cycle_graph(9))
    assert nx.utils.graphs_equal(undirected(regular.ring(11, 4)), nx.watts_strogatz_graph(11, 4, 0))
    for periodic in (False, True):
        grid = nx.convert_node_labels_to_integers(nx.grid_2d_graph(4, 5, periodic=periodic), ordering="sorted")
        assert nx.utils.graphs_equal(undirected(regular.grid(4, 5, periodic=periodic)), grid)
    assert regular.grid(3, 3, diagonal=True).degrees().tolist() == [3, 5, 3, 5, 8, 5, 3, 5, 3]


def test_small_world_keeps_its_edges_and_rewires_a_share_of_them():
    ring = edges(regular.ring(1000, 10))
    for rewire in (0.0, 0.2, 1.0):
        world = regular.watts_strogatz(1000, 10, rewire, stream())
        assert len(world) == 10_000
        kept = len(edges(world) & ring) / 10_000
        assert abs(kept - (1 - rewire)) < 0.03
        assert (world.degrees() >= 5).all()  # each keeps its own ends


def test_preferential_growth_is_the_sequential_process():
    """The exact law of the graph on five nodes: node 3 joins two of {0, 1, 2} with degrees 2, 1, 1, node 4 two of four."""
    from fractions import Fraction

    def without_repeat(weights, k):
        if k == 0:
            return {(): Fraction(1)}
        total = sum(weights.values())
        out: dict[tuple[int, ...], Fraction] = {}
        for node, weight in weights.items():
            rest = {n: w for n, w in weights.items() if n != node}
            for more, p in without_repeat(rest, k - 1).items():
                out[(node, *more)] = out.get((node, *more), Fraction(0)) + Fraction(weight, total) * p
        return out

    law: Counter[frozenset[tuple[int, int]]] = Counter()
    for third, p in without_repeat({0: 2, 1: 1, 2: 1}, 2).items():
        degree = {0: 2, 1: 1, 2: 1, 3: 2}
        for node in third:
            degree[node] += 1
        for fourth, q in without_repeat(degree, 2).items():
            law[frozenset({(1, 0), (2, 0), *((3, t) for t in third), *((4, t) for t in fourth)})] += p * q
    assert sum(law.values()) == 1
    seen = Counter(edges(preferential.barabasi_albert(5, 2, stream(seed), directed=True)) for seed in range(4000))
    assert set(seen) <= set(law)
    assert stats.chisquare([seen[g] for g in law], [float(p) * 4000 for p in law.values()]).pvalue > 1e-4


@pytest.mark.parametrize("grow", [preferential._grow, preferential._grow_clustered])
def test_growth_is_the_same_compiled_and_plain(grow):
    results = []
    for run in (grow, grow.plain):
        targets = np.empty(5 * 295, np.int32)
        draws = stream().uniform(np.arange(20_000))
        assert run(*((300, 5) if grow is preferential._grow else (300, 5, 0.6)), draws, targets)
        results.append(targets.tolist())
    assert results[0] == results[1]


def test_growth_goes_on_when_its_draws_run_out():
    few = preferential.barabasi_albert(40, 39, stream())  # a complete graph needs many more draws than edges
    assert edges(few) == edges(regular.star(39)) or len(few) == 2 * 39
    with pytest.raises(UsageError, match="fewer links than nodes"):
        preferential.barabasi_albert(4, 4, stream())
    targets = np.empty(2 * 98, np.int32)
    assert not preferential._grow(100, 2, np.full(10, 0.5), targets)


def test_triangles_grow_with_the_probability_of_closing_them():
    means = [triangles_of(preferential.powerlaw_cluster(3000, 4, p, stream())).mean() for p in (0.0, 0.5, 1.0)]
    assert means[0] < means[1] < means[2]
    with_none, plain = preferential.powerlaw_cluster(3000, 4, 0.0, stream()), preferential.barabasi_albert(3000, 4, stream(1))
    assert stats.ks_2samp(with_none.degrees(), plain.degrees()).pvalue > 1e-3  # the same law
    assert len(with_none) == len(plain) == 2 * 4 * 2996


@settings(max_examples=60)
@given(st.lists(st.integers(0, 8), min_size=1, max_size=14), st.integers(0, 5))
def test_graphical_as_networkx_and_degrees_exact(wanted, seed):
    possible = nx.is_graphical(wanted)
    assert degrees.graphical(wanted) == possible
    if possible:
        network = degrees.configuration_model(wanted, stream(seed))
        assert network.degrees().tolist() == wanted
        assert network.has(network.targets, network.sources()).all()
        assert (degrees.configuration_model(wanted, stream(seed), simple=degrees.Simple.ERASE).degrees() <= wanted).all()
    else:
        with pytest.raises(UsageError, match="no simple graph"):
            degrees.configuration_model(wanted, stream(seed))


def test_rejection_is_uniform_over_graphs():
    """Degrees 1, 1, 2, 2, 2: every simple graph that has them comes equally often."""
    wanted = [1, 1, 2, 2, 2]
    pairs = list(itertools.combinations(range(5), 2))
    graphs = [g for g in itertools.combinations(pairs, 4) if [sum(n in e for e in g) for n in range(5)] == wanted]
    seen = Counter(
        frozenset(e for e in edges(degrees.configuration_model(wanted, stream(seed), simple=degrees.Simple.REJECT)) if e[0] < e[1])
        for seed in range(2000)
    )
    assert set(seen) == {frozenset(g) for g in graphs}
    assert stats.chisquare(list(seen.values())).pvalue > 1e-4


def test_directed_degrees_are_exact():
    out, into = degrees.power_law_degrees(500, 2.5, stream(), even=False), degrees.power_law_degrees(500, 2.5, stream(1), even=False)
    short = out.sum() - into.sum()
    (into if short > 0 else out)[:] += np.bincount(np.arange(abs(short)) % 500, minlength=500)
    network = degrees.directed_configuration(out, into, stream(2))
    assert network.degrees().tolist() == out.tolist()
    assert network.in_degrees().tolist() == into.tolist()


def test_power_law_degrees_have_their_law():
    drawn = degrees.power_law_degrees(50_000, 2.5, stream(), minimum=2, maximum=50)
    values = np.arange(2, 51)
    expected = values**-2.5 / (values**-2.5).sum() * 50_000
    seen = np.bincount(drawn, minlength=51)[2:51]
    assert drawn.sum() % 2 == 0
    assert stats.chisquare(seen, expected / expected.sum() * seen.sum()).pvalue > 1e-4


def test_regular_graphs_are_regular():
    assert set(degrees.random_regular(501, 6, stream()).degrees().tolist()) == {6}
    with pytest.raises(UsageError, match="must be even"):
        degrees.random_regular(5, 3, stream())


def test_follower_graph_has_the_tail_of_its_weights():
    weights = np.arange(1, 2001) ** -0.8
    network = degrees.expected_degrees(np.ones(2000), weights, 40_000, stream())
    expected = 40_000 * weights / weights.sum()
    top = slice(20, 200)
    assert abs(network.in_degrees()[top].sum() / expected[top].sum() - 1) < 0.1


class TestNulls:
    @given(st.integers(0, 30), st.booleans())
    @settings(max_examples=30)
    def test_degrees_stay_exactly(self, seed, directed):
        network = uniform.erdos_renyi(40, 0.15, stream(seed), directed=directed)
        null = degree_preserving(network, stream(seed + 1), directed=directed)
        assert null.degrees().tolist() == network.degrees().tolist()
        assert null.in_degrees().tolist() == network.in_degrees().tolist()
        if not directed:
            assert null.has(null.targets, null.sources()).all()

    def test_every_graph_of_the_degrees_comes_equally_often(self):
        """Degrees 1, 1, 2, 2, 2 again, from one graph by swaps."""
        begin = degrees.configuration_model([1, 1, 2, 2, 2], stream())
        seen = Counter(edges(degree_preserving(begin, stream(seed), directed=False, swaps=20)) for seed in range(700))
        assert len(seen) == 7
        assert stats.chisquare(list(seen.values())).pvalue > 1e-4

    def test_directed_graphs_of_the_degrees_come_equally_often(self):
        pairs, classes = list(itertools.permutations(range(4), 2)), {}
        for graph in itertools.combinations(pairs, 5):
            key = tuple(sum(e[side] == n for e in graph) for side in (0, 1) for n in range(4))
            classes.setdefault(key, []).append(frozenset(graph))
        same = max(classes.values(), key=len)
        begin = Network.from_edges(4, *zip(*sorted(same[0]), strict=True))
        seen = Counter(edges(degree_preserving(begin, stream(seed), directed=True, swaps=20)) for seed in range(700))
        assert set(seen) == set(same) and len(same) > 5
        assert stats.chisquare(list(seen.values())).pvalue > 1e-4

    def test_clustering_goes(self):
        world = regular.watts_strogatz(2000, 10, 0.0, stream())
        assert triangles_of(degree_preserving(world, stream(), directed=False)).sum() < 0.05 * triangles_of(world).sum()

    def test_one_direction_only_is_refused(self):
        with pytest.raises(UsageError, match="one direction"):
            degree_preserving(uniform.erdos_renyi(10, 0.2, stream(), directed=True), stream(), directed=False)


class TestCoreOrdinary:
    def test_follows_are_binomial_by_matching_core_users(self):
        """OASIS, A9: an ordinary user follows each core user of a shared topic with the same probability, and nobody else."""
        users = 20_000
        topics = np.sort(stream().integers(0, 8, np.arange(users)[:, None], np.array([0, 1])[None, :]), axis=1)
        core = np.arange(40)
        network = core_ordinary.core_ordinary(topics, core, stream(1), probability=0.1)
        matching = (topics[:, None, :, None] == topics[None, :40, None, :]).any(axis=(2, 3))
        a, b = network.sources(), network.targets
        assert (b < 40).all() and (a >= 40).all() and matching[a, b].all()
        follows, able = network.degrees()[40:], matching[40:].sum(axis=1)
        pvalues = []
        for number in np.unique(able):
            mine = follows[able == number]
            if number > 3 and len(mine) > 500:
                expected = stats.binom.pmf(np.arange(number + 1), number, 0.1) * len(mine)
                seen = np.bincount(mine, minlength=number + 1)
                few = expected < 5
                pvalues.append(
                    stats.chisquare(np.append(seen[~few], seen[few].sum()), np.append(expected[~few], expected[few].sum())).pvalue
                )
        assert len(pvalues) > 3 and min(pvalues) > 1e-4


class TestContacts:
    def test_households_are_complete_and_nothing_else(self):
        home = np.array([2, 0, 0, 5, 2, 2, -1, 0])
        network = contact.contact_network(home, {}, stream())
        wanted = {(a, b) for a in range(8) for b in range(8) if a != b and home[a] == home[b] >= 0}
        assert edges(network) == wanted

    @given(st.lists(st.integers(-1, 4), min_size=1, max_size=60), st.integers(1, 9))
    @settings(max_examples=50)
    def test_places_bound_their_degree(self, place, contacts):
        network = contact.contact_network(np.full(len(place), -1), {"work": (np.array(place), contacts)}, stream())
        a, b = network.sources(), network.targets
        where = np.array(place)
        assert (where[a] == where[b]).all() and (where[a] >= 0).all()
        sizes = np.where(where >= 0, np.bincount(where + 1, minlength=6)[where + 1], 1)
        assert network.degrees().tolist() == np.minimum(sizes - 1, 2 * max(1, contacts // 2)).tolist()

    def test_a_place_mixes_all_its_people(self):
        network = contact.contact_network(np.full(1000, -1), {"work": (np.zeros(1000, int), 8)}, stream())
        assert nx.diameter(undirected(network)) <= 8  # a circle without random distances has 125
        together = np.zeros(20)
        for seed in range(2000):  # everyone meets everyone equally often
            a, b = contact.partition_edges(np.zeros(20, int), 4, stream(seed))
            together += np.bincount(np.concatenate([b[a == 0], a[b == 0]]), minlength=20)
        assert stats.chisquare(together[1:]).pvalue > 1e-4

    def test_chance_meetings_follow_the_matrix(self):
        group = np.repeat([0, 1, 2], [4000, 10_000, 6000])
        matrix = np.array([[4.0, 3.0, 1.0], [1.2, 6.0, 2.0], [0.5, 3.0, 1.5]])
        a, b = contact.mixing_edges(group, matrix, stream())
        n = np.bincount(group)
        wanted = (n[:, None] * matrix + (n[:, None] * matrix).T) / 2
        found = np.zeros((3, 3))
        np.add.at(found, (group[a], group[b]), 1)
        np.add.at(found, (group[b], group[a]), 1)
        assert np.abs(found - wanted).max() <= 2
        assert (a != b).all()

    def test_kinds_say_where_people_meet(self):
        home, work = np.arange(60) // 3, np.arange(60) % 4
        network = contact.contact_network(home, {"work": (work, 4)}, stream(), kinds=True)
        same = home[network.sources()] == home[network.targets]
        assert ((network["kind"] == 0) == same).all()
        assert edges(network) == edges(contact.contact_network(home, {"work": (work, 4)}, stream()))

    def test_mistakes_are_named(self):
        with pytest.raises(UsageError, match="household of 70"):
            contact.contact_network(np.zeros(70, int), {}, stream())
        with pytest.raises(UsageError, match="age group of each person"):
            contact.contact_network(np.arange(5), {}, stream(), mixing=np.ones((2, 2)))
        with pytest.raises(UsageError, match="group 3"):
            contact.mixing_edges([0, 3], np.ones((2, 2)), stream())


def test_random_follows_keep_who_follows_how_many_and_are_uniform():
    """Node 0 follows two of three others: each of the three sets as often; whoever follows all follows all."""
    seen = Counter(edges(random_follows([2, 3, 0, 1], stream(seed))) for seed in range(1500))
    assert len(seen) == 9  # 3 sets of node 0 times 3 of node 3
    assert stats.chisquare(list(seen.values())).pvalue > 0.001
    with pytest.raises(UsageError, match="from 0 to 3 others"):
        random_follows([4, 0, 0, 0], stream())


def test_cumulative_advantage_draws_in_proportion_to_followers_and_attraction():
    """Of three nodes with one link: the third follows the first (one follower) with probability (1 + a) / (1 + 2 a)."""
    for attraction in (0.5, 1.0, 3.0):
        first = sum(bool(preferential.cumulative_advantage(3, 1, stream(s), attraction=attraction).has([2], [0])[0]) for s in range(1500))
        expected = (1 + attraction) / (1 + 2 * attraction)
        assert stats.binomtest(first, 1500, expected).pvalue > 0.001
    grown = preferential.cumulative_advantage(400, 3, stream())
    assert (grown.degrees()[3:] == 3).all() and (grown.degrees()[:3] == 0).all()
    assert (grown.targets < grown.sources()).all()
    with pytest.raises(UsageError, match="above 0"):
        preferential.cumulative_advantage(10, 2, stream(), attraction=0)
