"""Which engine computes the day of an epidemic."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from sociarium.environments.epidemic.disease import Disease
from sociarium.environments.epidemic.layers import Layer
from sociarium.environments.epidemic.model import People
from sociarium.environments.epidemic.plain import Engine, PlainEngine
from sociarium.environments.epidemic.rules import EpidemicRules
from sociarium.kernel.errors import UsageError
from sociarium.kernel.network import Network

COMPILED_FROM = 20_000  # agents; below, NumPy is as fast


def engine_for(people: People, disease: Disease, layers: Sequence[Layer], rules: EpidemicRules) -> Engine:
    """What computes the day; raises UsageError where compiled kernels are asked for and not installed."""
    wanted = rules.engine
    if wanted == "plain" or (wanted == "auto" and len(people.trait) < COMPILED_FROM):
        return PlainEngine(people, disease, layers)
    try:
        from sociarium.environments.epidemic.fast import FastEngine
    except ModuleNotFoundError as missing:
        if missing.name is None or missing.name.partition(".")[0] not in ("numba", "llvmlite"):
            raise
        if wanted != "auto":
            raise UsageError(f"engine {wanted!r} needs numba, which is not installed: pip install 'sociarium[fast]'") from missing
        return PlainEngine(people, disease, layers)
    return FastEngine(people, disease, layers, method=wanted, threads=rules.threads or min(4, os.cpu_count() or 1))


def grown(layer: Layer, size: int) -> Layer:
    """The same layer for newcomers too, who have no contacts in a network yet."""
    if layer.network is None or layer.network.nodes >= size:
        return layer
    starts = np.concatenate([layer.network.starts, np.full(size - layer.network.nodes, layer.network.starts[-1], np.int64)])
    return replace(layer, network=Network(starts, layer.network.targets))
