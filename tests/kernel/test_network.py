"""Sparse rows beside NetworkX."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sociarium.kernel.network import Network


@given(
    st.integers(1, 12).flatmap(lambda n: st.tuples(st.just(n), st.lists(st.tuples(st.integers(0, n - 1), st.integers(0, n - 1))))),
    st.booleans(),
)
def test_as_networkx(drawn, mutual):
    nodes, edges = drawn
    graph = (nx.Graph if mutual else nx.DiGraph)()
    graph.add_nodes_from(range(nodes))
    graph.add_edges_from((a, b) for a, b in edges if a != b)
    network = Network.from_edges(nodes, [a for a, _ in edges], [b for _, b in edges], mutual=mutual)
    for node in range(nodes):
        assert network.neighbours(node).tolist() == sorted(graph[node])
    assert network.nodes == nodes
    assert len(network) == graph.number_of_edges() * (2 if mutual else 1)
    assert sorted(zip(network.sources().tolist(), network.targets.tolist(), strict=True)) == sorted(nx.DiGraph(graph).edges)
    values = np.arange(nodes) ** 2
    assert network.sums(values).tolist() == [sum(values[other] for other in graph[node]) for node in range(nodes)]
    assert network.reversed().reversed().targets.tolist() == network.targets.tolist()
    loaded = Network.load(network.state())
    assert loaded.degrees().tolist() == [len(graph[node]) for node in range(nodes)]


def test_an_edge_to_nowhere_is_refused():
    with pytest.raises(ValueError, match="outside 0 to 2"):
        Network.from_edges(3, [0], [3])
