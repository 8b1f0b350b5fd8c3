"""Networks of millions are the same as the plain ones, with and without compiled kernels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sociarium.environments.epidemic import graphs
from sociarium.environments.epidemic.graphs import near, network_of, random_network
from sociarium.kernel.errors import UsageError
from sociarium.kernel.network import Network
from sociarium.kernel.randomness import Stream


def same(first: Network, second: Network) -> bool:
    return np.array_equal(first.starts, second.starts) and np.array_equal(first.targets, second.targets)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 40_000), st.integers(0, 2**32), st.booleans(), st.integers(1, 3))
def test_compressed_rows_are_those_of_the_kernel(nodes: int, seed: int, mutual: bool, threads: int) -> None:
    g = np.random.default_rng(seed)
    a, b = g.integers(0, nodes, (2, 6000))
    found = network_of(nodes, a, b, mutual=mutual, threads=threads)
    assert same(found, Network.from_edges(nodes, a, b, mutual=mutual))
    assert found.targets.dtype == np.int32


def test_repeats_and_self_loops_are_dropped_where_there_are_many() -> None:
    g = np.random.default_rng(1)
    a, b = g.integers(0, 100, (2, 20_000))
    assert same(network_of(100, a, b), Network.from_edges(100, a, b, mutual=True))


def test_a_random_network_is_the_same_without_compiled_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled = random_network(20_000, 9, Stream(5), threads=2)
    monkeypatch.setattr(graphs, "_kernels", lambda: None)
    assert same(compiled, random_network(20_000, 9, Stream(5)))
    degrees = compiled.degrees()
    assert degrees.mean() == pytest.approx(9, rel=0.01)
    assert degrees.var() == pytest.approx(9, rel=0.05), "Poisson"
    assert same(compiled, compiled.reversed())


def test_impossible_networks_are_refused() -> None:
    with pytest.raises(UsageError):
        network_of(5, [0], [5])
    with pytest.raises(UsageError):
        network_of(5, [0, 1], [1])
    with pytest.raises(UsageError):
        random_network(5, -1, Stream(0))
    assert len(random_network(5, 0, Stream(0))) == 0


def test_an_order_that_keeps_neighbours_near_is_found_again() -> None:
    """A ring of small neighbourhoods, shuffled: after relabelling, contacts are near one another; the graph is the same."""
    nodes, g = 2000, np.random.default_rng(3)
    agents = np.repeat(np.arange(nodes), 4)
    shuffled = g.permutation(nodes)
    lattice = network_of(nodes, shuffled[agents], shuffled[(agents + np.tile(np.arange(1, 5), nodes)) % nodes])
    labels = near(lattice)
    assert sorted(labels.tolist()) == list(range(nodes))
    ordered = lattice.relabelled(labels)

    def apart(network: Network) -> float:
        return float(abs(network.sources() - network.targets).mean())

    assert apart(ordered) < 12
    assert apart(lattice) > 400
    assert np.array_equal(np.sort(ordered.degrees()), np.sort(lattice.degrees()))
    assert same(ordered.relabelled(np.argsort(labels)), lattice)


def test_isolated_nodes_have_a_place_in_the_order_too() -> None:
    assert sorted(near(Network.from_edges(5, [1], [3], mutual=True)).tolist()) == [0, 1, 2, 3, 4]
