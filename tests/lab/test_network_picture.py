"""Layouts of networks: bounded, the same each time, and near where there are ties."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from sociarium.kernel.errors import UsageError
from sociarium.kernel.network import Network
from sociarium.kernel.randomness import Randomness
from sociarium.lab.network_picture import draw_network, spring_layout
from sociarium.populations.networks.uniform import stochastic_block


def stream():
    return Randomness(2).stream("layout")


def test_friends_lie_nearer_than_strangers_and_the_same_each_time():
    network = stochastic_block([15, 15], [[0.6, 0.02], [0.02, 0.6]], stream())
    place = spring_layout(network, stream())
    assert np.array_equal(place, spring_layout(network, stream()))
    assert np.sqrt((place**2).sum(-1)).max() == pytest.approx(1)
    centres = place[:15].mean(0), place[15:].mean(0)
    spread = np.concatenate([place[:15] - centres[0], place[15:] - centres[1]]).std()
    assert np.linalg.norm(centres[0] - centres[1]) > 2 * spread


def test_small_empty_and_too_large_networks():
    assert spring_layout(Network.from_edges(1, [], []), stream()).tolist() == [[0, 0]]
    assert np.isfinite(spring_layout(Network.from_edges(4, [], []), stream())).all()
    with pytest.raises(UsageError, match="at most 3000"):
        spring_layout(Network.from_edges(3001, [], []), stream())


def test_the_highest_is_drawn_on_top():
    axes = Figure().subplots()
    points = draw_network(axes, Network.from_edges(3, [0, 1], [1, 2]), [5, 1, 3], random=stream())
    assert points.get_array().tolist() == [1, 3, 5]
