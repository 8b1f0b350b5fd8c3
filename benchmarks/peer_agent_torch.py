"""The epidemic of ``population_peers.py`` by AgentTorch's own interface: a runner, a registry, and one substep that passes messages.

It needs an environment of its own, and Torch first, so that its own dependencies do not bring another build:

    python -m venv peers-torch && peers-torch/bin/pip install torch==2.13.0
    peers-torch/bin/pip install agent-torch==0.6.0 && peers-torch/bin/python benchmarks/peer_agent_torch.py

Prints one JSON line a size. Each size runs in a process of its own, because the engine keeps a copy of its whole state for each step.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from typing import Any

BETA, MEANS, SHARES, CONTACTS = 0.058, (3.0, 12.0, 60.0), (0.18, 0.035, 0.1275, 0.6575), 10
VERSION = "0.6.0"

try:
    import torch
    from agent_torch.core import Registry, Runner
    from agent_torch.core.substep import SubstepTransitionMessagePassing
except ModuleNotFoundError as missing:
    print(json.dumps({"peer": "agent-torch", "not measured": f"{missing}; give it an environment of its own, as the docstring says"}))
    raise SystemExit(0) from None


class Spread(SubstepTransitionMessagePassing):
    """A day: infectious contacts are counted by messages, then every change of stage is drawn."""

    def forward(self, state: Any, action: Any) -> dict[str, Any]:
        del action
        stage = state["agents"]["citizens"]["stage"]
        edges, _ = state["network"]["meetings"]["contacts"]["adjacency_matrix"]
        count = self.propagate(edges, x=(stage == 2).float()).reshape(stage.shape)
        rates = torch.tensor([0.0, *(1 / days for days in MEANS)])
        chance = torch.where(stage == 0, 1 - (1 - BETA) ** count, rates[stage.long()])
        return {"stage": torch.where(torch.rand(stage.shape) < chance, (stage + 1) % 4, stage)}

    def message(self, x_j: Any) -> Any:
        return x_j


def shares_of(shape: list[int], params: dict[str, Any]) -> Any:
    """Stages to begin with."""
    del params
    bounds = torch.cumsum(torch.tensor(SHARES[:3]), 0)
    return torch.bucketize(torch.rand(shape), bounds).float()


def contacts_of(params: dict[str, Any]) -> Any:
    """A random graph: (graph, (ends of contacts, both directions; their weights))."""
    size = int(params["size"])
    ends = torch.randint(0, size, (2, size * CONTACTS // 2))
    edges = torch.cat([ends, ends.flip(0)], dim=1)
    return None, (edges, torch.ones(1))


def configured(size: int) -> dict[str, Any]:
    begun = {"generator": "shares_of", "arguments": {}}
    stage = {"name": "stage", "shape": [size, 1], "dtype": "float", "learnable": False, "initialization_function": begun}
    where = {"stage": "agents/citizens/stage"}
    spread = {"generator": "Spread", "input_variables": where, "output_variables": ["stage"], "arguments": None}
    substep = {
        "active_agents": ["citizens"],
        "observation": {"citizens": None},
        "policy": {"citizens": None},
        "transition": {"spread": spread},
    }
    return {
        "simulation_metadata": {
            "device": "cpu", "calibration": False, "num_episodes": 1, "num_steps_per_episode": 1, "num_substeps_per_step": 1,
        },
        "state": {
            "environment": None, "objects": None,
            "agents": {"citizens": {"number": size, "properties": {"stage": stage}}},
            "network": {"meetings": {"contacts": {"type": "contacts_of", "arguments": {"size": size}}}},
        },
        "substeps": {"0": substep},
    }  # fmt: skip


def measured(size: int, steps: int) -> dict[str, Any]:
    torch.manual_seed(1)
    registry = Registry()
    registry.register(Spread, "spread", key="transition")
    registry.register(shares_of, "shares_of", key="initialization")
    registry.register(contacts_of, "contacts_of", key="network")
    begun = time.perf_counter()
    runner = Runner(configured(size), registry)
    runner.init()
    setup = time.perf_counter() - begun
    walls: list[float] = []
    processors: list[float] = []
    peaks = [peak()]
    for _ in range(steps):
        wall, processor = time.perf_counter(), time.process_time()
        runner.step(1)
        walls.append(time.perf_counter() - wall)
        processors.append(time.process_time() - processor)
        peaks.append(peak())
    stage = runner.state["agents"]["citizens"]["stage"]
    return {
        "peer": f"agent-torch {VERSION}",
        "agents": size,
        "ns per agent": 1e9 * statistics.median(walls) / size,
        "processor ns per agent": 1e9 * statistics.median(processors) / size,
        "set-up, s": setup,
        "peak, MiB": peaks[-1],
        "MiB a step adds": (peaks[-1] - peaks[1]) / max(1, steps - 1),
        "infectious": float((stage == 2).float().mean()),
    }


def peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--steps", type=int, default=5)
    given = parser.parse_args()
    if len(given.sizes) == 1:
        print(json.dumps(measured(given.sizes[0], given.steps)))
        return
    for size in given.sizes:
        subprocess.run([sys.executable, __file__, "--sizes", str(size), "--steps", str(given.steps)], check=True)


if __name__ == "__main__":
    main()
