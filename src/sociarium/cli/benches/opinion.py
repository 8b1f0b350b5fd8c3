"""Opinion dynamics on a heavy-tailed follower graph, beside SciPy, NumPy and a plain Numba loop in the same process."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from sociarium.environments.opinion.kernels import ONE, averages, confident_averages
from sociarium.environments.opinion.models import fixed
from sociarium.kernel.extras import installed, optional
from sociarium.kernel.network import Network
from sociarium.kernel.randomness import Randomness, Stream
from sociarium.populations.networks.degrees import expected_degrees

CONFIDENCE = 0.2
LIMIT = "fetching a 4-byte opinion at random from 4 MB: about 2 ns an edge"


def run(agents: int = 1_000_000, degree: int = 10, repeats: int = 9) -> list[dict[str, Any]]:
    """Rows: processor milliseconds a step, medians of repeats taken in turns. Ours keeps opinions as whole numbers of 30 bits, and the rows
    called "in order" number agents by followers, as a user who cares would."""
    random = Randomness(0).stream("bench")
    network = follower_graph(agents, degree * agents, random)
    order = np.argsort(-network.in_degrees(), kind="stable")
    label = np.empty(agents, np.int32)
    label[order] = np.arange(agents, dtype=np.int32)
    ordered = network.relabelled(label)
    opinions = random.uniform(np.arange(agents), 7)
    held, near = fixed(opinions), fixed(opinions)[order]
    steps: dict[str, Callable[[], Any]] = {
        "degroot": lambda: averages(network, held, 0.0),
        "degroot in order": lambda: averages(ordered, near, 0.0),
        "confidence": lambda: confident_averages(network, held, round(CONFIDENCE * ONE)),
        "confidence in order": lambda: confident_averages(ordered, near, round(CONFIDENCE * ONE)),
        "degroot, NumPy": lambda: _degroot(network, opinions),
        "confidence, NumPy": lambda: _confidence(network, opinions),
    }
    steps |= _others(network, opinions)
    taken = _measured(steps, repeats)
    rows: list[dict[str, Any]] = []
    edges = f"{agents:,} agents, {len(network):,} edges"
    for model, goals in (("degroot", {"SciPy": 1.0}), ("confidence", {"plain Numba": 0.5})):
        for ours in (model, f"{model} in order"):
            for reference in ("SciPy", "plain Numba", "NumPy"):
                if (other := taken.get(f"{model}, {reference}")) is not None:
                    rows.append(_row(f"{ours}, {edges}", taken[ours], other, reference, goals.get(reference)))
    return rows


def follower_graph(agents: int, edges: int, random: Stream) -> Network:
    """Everyone follows about as many; how many follow somebody falls as a power law, and who is who is shuffled."""
    popularity = (random.at("popularity").uniform(np.arange(agents)) + 1e-9) ** -0.6
    return expected_degrees(np.ones(agents), popularity, edges, random)


def _measured(steps: dict[str, Callable[[], Any]], repeats: int) -> dict[str, float]:
    for step in steps.values():
        step()
    taken: dict[str, list[float]] = {name: [] for name in steps}
    for repeat in range(repeats):
        for name in list(steps) if repeat % 2 else list(steps)[::-1]:
            begun = time.process_time()
            steps[name]()
            taken[name].append(time.process_time() - begun)
    return {name: statistics.median(values) for name, values in taken.items()}


def _row(case: str, ours: float, reference: float, name: str, goal: float | None) -> dict[str, Any]:
    return {
        "case": case, "unit": "ms per step", "ours": round(1e3 * ours, 2), "reference": round(1e3 * reference, 2), "reference_name": name,
        "ratio": round(ours / reference, 3) if reference else math.nan, "goal": goal, "limit": LIMIT if goal else None,
    }  # fmt: skip


def _degroot(network: Network, opinions: Any) -> Any:
    degrees = network.degrees()
    sums = np.bincount(np.repeat(np.arange(network.nodes), degrees), weights=opinions[network.targets], minlength=network.nodes)
    return np.divide(sums, degrees, out=opinions.copy(), where=degrees > 0)


def _confidence(network: Network, opinions: Any) -> Any:
    source = np.repeat(np.arange(network.nodes), network.degrees())
    seen = opinions[network.targets]
    near = np.abs(seen - opinions[source]) <= CONFIDENCE
    total = opinions + np.bincount(source[near], weights=seen[near], minlength=network.nodes)
    return total / (1 + np.bincount(source[near], minlength=network.nodes))


def _others(network: Network, opinions: Any) -> dict[str, Callable[[], Any]]:
    """SciPy's sparse product, and the loops as one writes them first, where these libraries are installed."""
    found: dict[str, Callable[[], Any]] = {}
    if installed("scipy"):
        sparse = optional("scipy.sparse", "lab", "the comparison")
        weights = np.repeat(1.0 / np.maximum(network.degrees(), 1), network.degrees())
        matrix = sparse.csr_matrix((weights, network.targets, network.starts), shape=(network.nodes, network.nodes))
        found["degroot, SciPy"] = lambda: matrix @ opinions
    if installed("numba"):
        numba = optional("numba", "fast", "the comparison")
        degroot, confidence = numba.njit(_plain_degroot), numba.njit(_plain_confidence)
        out = np.empty(network.nodes)
        found["degroot, plain Numba"] = lambda: degroot(network.starts, network.targets, opinions, out)
        found["confidence, plain Numba"] = lambda: confidence(network.starts, network.targets, opinions, CONFIDENCE, out)
    return found


def _plain_degroot(starts: Any, targets: Any, opinions: Any, out: Any) -> None:
    for node in range(len(opinions)):
        total = 0.0
        for edge in range(starts[node], starts[node + 1]):
            total += opinions[targets[edge]]
        degree = starts[node + 1] - starts[node]
        out[node] = total / degree if degree else opinions[node]


def _plain_confidence(starts: Any, targets: Any, opinions: Any, confidence: float, out: Any) -> None:
    for node in range(len(opinions)):
        total, count = opinions[node], 1
        for edge in range(starts[node], starts[node + 1]):
            seen = opinions[targets[edge]]
            if abs(seen - opinions[node]) <= confidence:
                total += seen
                count += 1
        out[node] = total / count
