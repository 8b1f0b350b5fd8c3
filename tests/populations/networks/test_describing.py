"""Statistics, communities, tails and files beside NetworkX, SciPy and closed forms."""

from __future__ import annotations

import os
from pathlib import Path

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special

from sociarium.kernel.errors import UsageError
from sociarium.kernel.network import Network
from sociarium.kernel.randomness import Randomness
from sociarium.populations.networks import communities, files, regular, statistics, tails, uniform
from sociarium.populations.networks.files import to_networkx

DATA = Path(os.environ.get("SOCIARIUM_TEST_DATA", Path(__file__).resolve().parents[4] / "shared" / "data"))


def stream(seed=0):
    return Randomness(seed).stream("test")


@settings(max_examples=40)
@given(st.integers(0, 1000), st.floats(0, 0.5))
def test_statistics_as_networkx(seed, density):
    network = uniform.erdos_renyi(25, density, stream(seed))
    graph = to_networkx(network, directed=False)
    assert statistics.triangles_of(network).tolist() == list(nx.triangles(graph).values())
    told = statistics.summary(network)
    if graph.number_of_edges():
        assert told.transitivity == pytest.approx(nx.transitivity(graph), nan_ok=True) or not sum(nx.triangles(graph).values())
        assert told.clustering == pytest.approx(nx.average_clustering(graph))
        assert told.largest_component == max(map(len, nx.connected_components(graph))) / 25
        assert told.reciprocity == 1
        if len({degree for _, degree in graph.degree if degree}) > 1:  # else every edge joins equals, and there is no correlation
            assert told.assortativity == pytest.approx(nx.degree_assortativity_coefficient(graph), abs=1e-9, nan_ok=True)
    parts = statistics.components(network)
    for part in nx.connected_components(graph):
        assert len({int(parts[node]) for node in part}) == 1
    assert len(set(parts.tolist())) == nx.number_connected_components(graph)


def test_reciprocity_and_assortativity_of_directed_graphs():
    network = uniform.erdos_renyi(60, 0.1, stream(), directed=True)
    graph = to_networkx(network)
    assert statistics.reciprocity(network) == pytest.approx(nx.overall_reciprocity(graph))
    assert statistics.assortativity(network) == pytest.approx(nx.degree_pearson_correlation_coefficient(graph, x="out", y="in"))
    assert np.isnan(statistics.reciprocity(Network.from_edges(3, [], [])))
    degrees, share = statistics.survival(regular.star(4).degrees())
    assert degrees.tolist() == [1, 4] and share.tolist() == [1.0, 0.2]
    assert statistics.degree_distribution(regular.star(4).degrees()).tolist() == [0, 0.8, 0, 0, 0.2]


def test_planted_blocks_are_found():
    network = uniform.stochastic_block([150, 100, 50], np.full((3, 3), 0.004) + np.diag([0.2, 0.25, 0.4]), stream())
    planted = np.repeat([0, 1, 2], [150, 100, 50])
    for found in (communities.label_propagation(network, stream(1)), communities.louvain(network, stream(2))):
        agree = [np.bincount(found[planted == block]).argmax() for block in range(3)]
        assert np.mean([found[node] == agree[planted[node]] for node in range(300)]) > 0.95
        assert len(set(agree)) == 3
    graph = to_networkx(network, directed=False)
    parts = [set(np.flatnonzero(planted == block).tolist()) for block in range(3)]
    assert communities.modularity(network, planted) == pytest.approx(nx.community.modularity(graph, parts))
    assert communities.label_propagation(regular.complete(12), stream()).tolist() == [0] * 12


def test_hurwitz_zeta_as_scipy():
    for exponent in (1.05, 1.5, 2.0, 3.7, 12.0):
        q = np.array([1.0, 2.0, 3.5, 10.0, 1000.0])
        assert tails.hurwitz_zeta(exponent, q) == pytest.approx(special.zeta(exponent, q), rel=1e-12)


def test_planted_exponents_lie_within_their_errors():
    """Of 60 samples, the estimate lies within two standard errors of the truth in 90 to 100 %."""
    inside = []
    for seed in range(60):
        data = tails.sample_power_law(2.5, 3, stream(seed).uniform(np.arange(2000)))
        assert data.min() == 3
        fit = tails.fit_power_law(data, minimum=3)
        inside.append(abs(fit.exponent - 2.5) < 2 * fit.error)
    assert np.mean(inside) >= 0.9
    assert fit.error == pytest.approx((2.5 - 1) / np.sqrt(2000), rel=0.35)  # the continuous form, which is near


def test_the_minimum_is_found_and_a_thin_tail_is_told_from_a_heavy_one():
    heavy = tails.sample_power_law(2.3, 6, stream().uniform(np.arange(3000)))
    mixed = np.concatenate([heavy, stream(1).integers(1, 5, np.arange(3000))])
    fit = tails.fit_power_law(mixed)
    assert fit.minimum in (5, 6, 7, 8, 9) and abs(fit.exponent - 2.3) < 4 * fit.error
    thin = 1 + stream(2).integers(0, 20, np.arange(2000))
    broad = tails.fit_power_law(thin, minimum=1)
    assert broad.distance > 5 * tails.fit_power_law(heavy, minimum=6).distance
    clear = tails.fit_power_law(heavy[:400])
    assert tails.goodness_of_fit(heavy[:400], clear, stream(3), draws=20) > 0.1
    with pytest.raises(UsageError, match="too few"):
        tails.fit_power_law([1, 2, 3])


class TestFiles:
    @pytest.mark.parametrize("suffix", [".csv", ".tsv", ".parquet"])
    def test_an_edge_list_comes_back(self, tmp_path, suffix):
        network = uniform.erdos_renyi(30, 0.2, stream(), directed=True)
        weighted = Network(network.starts, network.targets, {"weight": np.arange(len(network)) / 2})
        names = np.array([f"user {n:02}" for n in range(30)])
        back = files.read_edges(files.write_edges(weighted, tmp_path / f"edges{suffix}", names), weight="weight")
        assert back.network.starts.tolist() == network.starts.tolist()
        assert back.network.targets.tolist() == network.targets.tolist()
        assert back.network["weight"].tolist() == weighted["weight"].tolist()
        assert back.names.tolist() == names.tolist() and back.node("user 07") == 7

    def test_what_is_wrong_is_named(self, tmp_path):
        (tmp_path / "a.csv").write_text("from,to\n1,2\n")
        with pytest.raises(UsageError, match="no column 'target'; it has from, to"):
            files.read_edges(tmp_path / "a.csv", target="target")
        with pytest.raises(UsageError, match="must end in"):
            files.read_edges(tmp_path / "a.xml")
        with pytest.raises(UsageError, match="cannot be read"):
            files.read_edges(tmp_path / "none.csv")
        with pytest.raises(UsageError, match="no node"):
            files.read_edges(tmp_path / "a.csv").node(7)

    def test_networkx_there_and_back(self):
        graph = nx.karate_club_graph()
        named = files.from_networkx(graph, weight="weight")
        back = files.to_networkx(named.network, directed=False)
        assert nx.utils.graphs_equal(nx.Graph(back.edges), nx.Graph(graph.edges))
        assert back.edges[0, 1]["weight"] == graph.edges[0, 1]["weight"]

    def test_a_real_friendship_graph_reads_as_networkx_reads_it(self):
        path = DATA / "social_graphs" / "ENGB_edges.csv"
        if not path.exists():
            pytest.skip(f"the reference data are not at {DATA}")
        network = files.read_edges(path, mutual=True).network
        graph = nx.read_edgelist(path, delimiter=",", comments="from")
        assert (network.nodes, len(network)) == (graph.number_of_nodes(), 2 * graph.number_of_edges()) == (7126, 70648)
        told = statistics.summary(network)
        assert told.transitivity == pytest.approx(nx.transitivity(graph))
        assert told.assortativity == pytest.approx(nx.degree_assortativity_coefficient(graph))
        assert 2 < tails.fit_power_law(network.degrees()).exponent < 4


class TestLogs:
    def test_weights_are_sums_and_halve_with_age(self):
        named = files.from_interactions(["a", "a", "b", "c", "a"], ["b", "b", "a", "c", "c"], times=[0, 10, 10, 10, 20], half_life=10)
        assert named.names.tolist() == ["a", "b", "c"]
        rows = zip(named.network.sources(), named.network.targets, named.network["weight"], strict=True)
        edges = {(named.names[s], named.names[t]): w for s, t, w in rows}
        assert edges == {("a", "b"): 0.75, ("b", "a"): 0.5, ("a", "c"): 1.0}
        assert named.network["count"].tolist() == [2, 1, 1]
        early = files.from_interactions(["a", "a", "b"], ["b", "b", "a"], times=[0, 10, 30], now=10)
        assert early.network["weight"].tolist() == [2.0]
        late = files.from_interactions(["a", "a", "b"], ["b", "b", "a"], times=[0, 10, 30], since=10)
        assert late.network["count"].tolist() == [1, 1], "what came before since is not seen, what came at it is"
        assert len(files.from_interactions(["a", "b", "b"], ["b", "a", "a"], least=2).network) == 1

    def test_half_lives_need_times(self):
        with pytest.raises(UsageError, match="needs the times"):
            files.from_interactions([1], [2], half_life=3)
        with pytest.raises(UsageError, match="since needs"):
            files.from_interactions([1], [2], since=3)


def test_mutual_information_of_divisions():
    """1 for the same division under other names, 0 where one tells nothing of the other, and by hand between."""
    one, other = np.array([0, 0, 1, 1]), np.array([7, 7, 3, 3])
    assert communities.mutual_information(one, other) == pytest.approx(1)
    assert communities.mutual_information(one, np.array([0, 1, 0, 1])) == pytest.approx(0)
    thirds = np.array([0, 0, 1, 2])  # I = ln 2, H = ln 2 and 1.5 ln 2
    assert communities.mutual_information(one, thirds) == pytest.approx(2 / 2.5)
    assert communities.mutual_information(np.zeros(3), np.ones(3)) == 1
    with pytest.raises(UsageError, match="same nodes"):
        communities.mutual_information(one, np.zeros(3))
