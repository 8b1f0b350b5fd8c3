"""Sparse rows beside NetworkX."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sociarium.kernel.network import Network

EDGES = st.integers(1, 12).flatmap(
    lambda n: st.tuples(st.just(n), st.lists(st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)), max_size=40))
)


def built(nodes, edges, **options):
    return Network.from_edges(nodes, [a for a, _ in edges], [b for _, b in edges], **options)


@given(EDGES, st.booleans())
def test_as_networkx(drawn, mutual):
    nodes, edges = drawn
    graph = (nx.Graph if mutual else nx.DiGraph)()
    graph.add_nodes_from(range(nodes))
    graph.add_edges_from((a, b) for a, b in edges if a != b)
    network = built(nodes, edges, mutual=mutual)
    for node in range(nodes):
        assert network.neighbours(node).tolist() == sorted(graph[node])
    assert network.nodes == nodes
    assert network.targets.dtype == np.int32
    assert len(network) == graph.number_of_edges() * (2 if mutual else 1)
    assert sorted(zip(network.sources().tolist(), network.targets.tolist(), strict=True)) == sorted(nx.DiGraph(graph).edges)
    values = np.arange(nodes) ** 2
    assert network.sums(values).tolist() == [sum(values[other] for other in graph[node]) for node in range(nodes)]
    assert network.reversed().reversed().targets.tolist() == network.targets.tolist()
    grown = network.grown(nodes + 2)
    assert (grown.nodes, grown.degrees().tolist()) == (nodes + 2, [*network.degrees().tolist(), 0, 0])
    assert network.in_degrees().tolist() == network.reversed().degrees().tolist()
    loaded = Network.load(network.state())
    assert loaded.degrees().tolist() == [len(graph[node]) for node in range(nodes)]


@given(EDGES, EDGES)
def test_edits_are_those_of_a_set(drawn, others):
    nodes, edges = drawn
    network, more = built(nodes, edges), [(a % nodes, b % nodes) for a, b in others[1]]
    has = {(a, b) for a, b in edges if a != b}
    a, b = [a for a, _ in more], [b for _, b in more]
    assert network.has(a, b).tolist() == [edge in has for edge in more]
    found = network.find(a, b)
    assert [(network.sources()[e], network.targets[e]) for e in found if e >= 0] == [edge for edge in more if edge in has]
    assert edges_of(network.with_edges(a, b)) == has | {edge for edge in more if edge[0] != edge[1]}
    assert edges_of(network.without_edges(a, b)) == has - set(more)


def edges_of(network):
    return set(zip(network.sources().tolist(), network.targets.tolist(), strict=True))


@given(EDGES, st.booleans())
def test_attributes_stay_with_their_edges(drawn, mutual):
    nodes, edges = drawn
    network = built(nodes, edges, mutual=mutual, attributes={"weight": np.arange(len(edges))})
    wanted: dict[tuple[int, int], int] = {}
    for number, (a, b) in enumerate(edges):
        if a != b:
            wanted.setdefault((a, b), number)
    if mutual:  # forward edges come before reversed ones, as in the edge list that is built of them
        for number, (a, b) in enumerate(edges):
            if a != b:
                wanted.setdefault((b, a), number)
    weights = lambda g: dict(zip(zip(g.sources().tolist(), g.targets.tolist(), strict=True), g["weight"].tolist(), strict=True))  # noqa: E731
    assert weights(network) == wanted
    assert weights(network.reversed()) == {(b, a): w for (a, b), w in wanted.items()}
    labels = np.roll(np.arange(nodes), 1)
    assert weights(network.relabelled(labels)) == {(labels[a], labels[b]): w for (a, b), w in wanted.items()}
    assert weights(network.only(network["weight"] % 2 == 0)) == {e: w for e, w in wanted.items() if w % 2 == 0}
    sums = np.zeros(nodes)
    for (a, b), w in wanted.items():
        sums[a] += w * (b + 1)
    assert network.sums(np.arange(nodes) + 1, weight="weight").tolist() == sums.tolist()


def test_mistakes_are_named():
    with pytest.raises(ValueError, match="outside 0 to 2"):
        Network.from_edges(3, [0], [3])
    with pytest.raises(ValueError, match="2 sources cannot be paired with 1"):
        Network.from_edges(3, [0, 1], [2])
    with pytest.raises(ValueError, match="'weight' has 2 values for 1 edges"):
        Network.from_edges(3, [0], [2], attributes={"weight": [1, 2]})
    with pytest.raises(KeyError, match="it has none"):
        Network.from_edges(3, [0], [2])["weight"]
