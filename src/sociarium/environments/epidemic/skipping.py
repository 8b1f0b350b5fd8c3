"""Who is infected, found by events: only contacts that transmit are looked at. Exact in law."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sociarium.environments.epidemic import kernels
from sociarium.environments.epidemic.workshop import Graph, Workshop

Array = NDArray[Any]


class Skipping:
    """Transmissions over one graph. A contact transmits with p_i = 1 - exp(-receptivity_i * units / scale): candidates are found with
    the largest p by geometric skips, and each is kept with probability p_i / p."""

    def __init__(self, workshop: Workshop, graph: Graph, units: Array, scale: int) -> None:
        self.workshop, self.graph = workshop, graph
        self.sent = units / scale
        self.most = int(np.diff(graph[0]).max()) if len(graph[0]) > 1 else 0

    def infected(
        self, who: Array, codes: Array, bits: Array, trait: Array, receptivity: Array, keys: tuple[int, int]
    ) -> tuple[NDArray[np.int32], int]:
        """Open agents who are infected by these senders (some more than once), and how many contacts were looked at."""
        logs = -receptivity.max() * self.sent
        escape = np.exp(logs[:, None] * np.arange(self.most + 1))
        first_key, second_key = np.uint64(keys[0]), np.uint64(keys[1])
        parts = self.workshop.parts(len(who))

        def work(number: int) -> tuple[Array, int]:
            start, stop = parts[number]
            size = stop - start + 1
            kept = self.workshop.room(f"kept {number}", size, np.int32)
            kept_codes = self.workshop.room(f"kept codes {number}", size, np.uint8)
            drawn = self.workshop.room(f"skip {number}", size, np.float64)
            count = kernels.lucky(self.graph[0], who[start:stop], codes[start:stop], escape, first_key, kept, kept_codes, drawn)
            infected, visited = [np.empty(0, np.int32)], 0
            place = self.workshop.room(f"place {number}", size, np.int64)[:count]
            place[:] = 0
            edges = self.workshop.room(f"edges {number}", size, np.int64)
            edge_codes = self.workshop.room(f"edge codes {number}", size, np.uint8)
            jumps = self.workshop.room(f"jumps {number}", size, np.float64)
            index = 0
            while count:
                jump = np.log(drawn[:count], out=jumps[:count])
                jump /= logs[kept_codes[:count]] if len(logs) > 2 else logs[-1]
                count, held = kernels.hop(self.graph[0], kept[:count], kept_codes, place, jump, first_key, index, edges, edge_codes, drawn)
                landed = np.empty(held + 1, np.int32)
                last = kernels.landed(self.graph[1], edges[:held], edge_codes, self.sent, bits, trait, receptivity, second_key, landed)
                infected.append(landed[:last])
                index, visited = index + 1, visited + held
            return np.concatenate(infected), visited

        results = self.workshop.each(work)
        return np.concatenate([infected for infected, _ in results]), sum(visited for _, visited in results)
