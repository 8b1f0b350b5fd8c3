"""The same epidemic in other engines, for ``bench population`` to be read beside. Prints one JSON line a size.

Peers have dependencies of their own, so give them an environment of their own, which needs nothing of ours:

    python -m venv peers && peers/bin/pip install mesa==3.3.1 numpy && peers/bin/python benchmarks/population_peers.py

Regime, graph and shares are those of ``sociarium.environments.epidemic.speed``. The engine is timed, and so is its set-up.
``peer_agent_torch.py`` does the same with AgentTorch.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import time
from typing import Any

import numpy as np

try:
    import mesa
except ModuleNotFoundError:
    print(json.dumps({"peer": "mesa", "not measured": "give it an environment of its own, as the docstring says"}))
    raise SystemExit(0) from None

BETA, MEANS, SHARES, CONTACTS = 0.058, (3.0, 12.0, 60.0), (0.18, 0.035, 0.1275, 0.6575), 10


class Person(mesa.Agent):
    """Two steps a day, so that everyone sees the same day: ``look`` decides, ``change`` carries out."""

    def __init__(self, model: Any, stage: int) -> None:
        super().__init__(model)
        self.stage = self.after = stage
        self.friends: list[Person] = []

    def look(self) -> None:
        if self.stage == 0:
            count = sum(friend.stage == 2 for friend in self.friends)
            chance = 1 - (1 - BETA) ** count
        else:
            chance = 1 / MEANS[self.stage - 1]
        self.after = (self.stage + 1) % 4 if self.model.random.random() < chance else self.stage

    def change(self) -> None:
        self.stage = self.after


class Town(mesa.Model):
    def __init__(self, size: int) -> None:
        super().__init__(seed=1)
        generator = np.random.default_rng(1)
        stages = np.searchsorted(np.cumsum(SHARES[:3]), generator.random(size), side="right").tolist()
        people = [Person(self, stage) for stage in stages]
        for one, other in generator.integers(0, size, (size * CONTACTS // 2, 2)).tolist():
            people[one].friends.append(people[other])
            people[other].friends.append(people[one])

    def step(self) -> None:
        self.agents.do("look")
        self.agents.do("change")


def measured(size: int, steps: int) -> dict[str, Any]:
    begun = time.perf_counter()
    town = Town(size)
    setup = time.perf_counter() - begun
    taken: list[float] = []
    for _ in range(steps):
        started = time.perf_counter()
        town.step()
        taken.append(time.perf_counter() - started)
    counts = np.bincount([person.stage for person in town.agents], minlength=4) / size
    return {
        "peer": f"mesa {mesa.__version__}",
        "agents": size,
        "ns per agent": 1e9 * statistics.median(taken) / size,
        "set-up, s": setup,
        "peak, MiB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "infectious": float(counts[2]),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--steps", type=int, default=5)
    given = parser.parse_args()
    for size in given.sizes:
        print(json.dumps(measured(size, given.steps)))


if __name__ == "__main__":
    main()
