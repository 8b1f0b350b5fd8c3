"""Pictures of networks: nodes laid out so that those with ties lie near each other, coloured and sized by a value."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sociarium.kernel.errors import UsageError
from sociarium.kernel.extras import optional
from sociarium.kernel.network import Network
from sociarium.kernel.randomness import Stream
from sociarium.lab.plots import FAINT

Floats = NDArray[np.float64]

MOST_NODES = 3_000
_EDGES_SHOWN = 20_000


def spring_layout(network: Network, random: Stream, *, steps: int = 150) -> Floats:
    """(nodes, 2) places in the unit disc: all nodes push each other away, ties pull (Fruchterman and Reingold 1991). The pull of a tie is
    divided by the root of the degrees at its ends, so that the well-connected do not fall into one point. The same network and stream
    give the same places. Costs nodes times nodes a step: at most 3,000 nodes."""
    nodes = network.nodes
    if nodes > MOST_NODES:
        raise UsageError(f"a network of {nodes} nodes is too large to be drawn; at most {MOST_NODES}, so draw a part of it")
    angle = 2 * np.pi * random.uniform(np.arange(nodes))
    place = np.sqrt(random.uniform(np.arange(nodes), 1))[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    if nodes < 2:
        return np.zeros((nodes, 2))
    both = Network.from_edges(nodes, network.sources(), network.targets, mutual=True)
    a, b = both.sources(), both.targets
    degrees = np.maximum(both.degrees(), 1)
    pull = 1 / np.sqrt(degrees[a] * degrees[b])
    apart = 1 / np.sqrt(nodes)
    for step in range(steps):
        between = place[:, None, :] - place[None, :, :]
        square = np.maximum((between**2).sum(-1), 1e-6)
        move = (between * (apart**2 / square)[..., None]).sum(1)
        towards = place[b] - place[a]
        strength = (np.sqrt((towards**2).sum(-1)) / apart * pull)[:, None]
        for axis in (0, 1):
            move[:, axis] += np.bincount(a, (strength * towards)[:, axis], minlength=nodes)
        move -= 0.3 * apart * place  # parts without ties to each other do not drift away
        length = np.maximum(np.sqrt((move**2).sum(-1, keepdims=True)), 1e-12)
        place += move / length * np.minimum(length, 0.15 * (1 - step / steps) ** 1.5)
    place -= place.mean(0)
    return place / np.sqrt((place**2).sum(-1)).max()


def draw_network(axes: Any, network: Network, values: ArrayLike, *, random: Stream, label: str = "", largest: float = 160.0) -> Any:
    """Nodes coloured and sized by ``values``, the highest on top; edges as faint lines. Returns what a colour bar is made from."""
    collections = optional("matplotlib.collections", "plot", "drawing")
    heights = np.asarray(values, np.float64)
    place = spring_layout(network, random)
    step = max(1, len(network) // _EDGES_SHOWN)
    ends = np.stack([place[network.sources()], place[network.targets]], axis=1)[::step]
    faint = float(np.clip(60 / max(1, len(ends)) ** 0.75, 0.04, 0.6))
    axes.add_collection(collections.LineCollection(ends, colors=FAINT, linewidths=0.5, alpha=faint, zorder=1))
    order = np.argsort(heights, kind="stable")
    top = heights.max(initial=0) or 1.0
    size = 14 + (largest - 14) * heights[order] / top
    look = {"cmap": "viridis", "edgecolors": "white", "linewidths": 0.5, "zorder": 2}
    points = axes.scatter(place[order, 0], place[order, 1], s=size, c=heights[order], **look)
    axes.set_aspect("equal")
    axes.set_xlim(-1.06, 1.06)
    axes.set_ylim(-1.06, 1.06)
    axes.axis("off")
    axes.set_title(label)
    return points
