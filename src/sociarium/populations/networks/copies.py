"""The same network many times side by side: replicates of a spread in one run."""

from __future__ import annotations

import numpy as np

from sociarium.kernel.errors import UsageError
from sociarium.kernel.network import Network


def side_by_side(network: Network, copies: int) -> Network:
    """``copies`` of a network without an edge between them; node i of copy c is c times the number of nodes plus i."""
    if copies < 1:
        raise UsageError(f"{copies} copies of a network: at least 1")
    edges, number = len(network), np.arange(copies, dtype=np.int64)
    starts = (network.starts[:-1][None, :] + edges * number[:, None]).reshape(-1)
    targets = (network.targets.astype(np.int64)[None, :] + network.nodes * number[:, None]).reshape(-1)
    return Network(
        np.append(starts, edges * copies), targets, {name: np.tile(values, copies) for name, values in network.attributes.items()}
    )
