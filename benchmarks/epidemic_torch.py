"""Forward and gradient steps of the epidemic in Torch, beside what the machine's memory allows. Prints JSON.

    python benchmarks/epidemic_torch.py --agents 1000000 --device cuda

Runs on any device that Torch knows; without --device on the processor. Times are medians of the repeats, each of a few days in the
middle of an epidemic, the graph built before. The limit is arithmetic: the bytes that one day must read and write, at least once, at the
rate at which the same device copies a large tensor. Graph models cannot reach it where links lead to random places.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from sociarium.environments.epidemic import path, tensor
from sociarium.environments.epidemic.disease import Disease
from sociarium.environments.epidemic.model import Contacts, People
from sociarium.training.differentiable.samplers import straight_through

DRAWN = 8  # bytes: a uniform number an agent
STATE = 5  # bytes: stage, until, infected
SUMMED = 8  # bytes: infectiousness, a float64 an agent
LINK = 12  # bytes: where a link comes from, and its factor


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--agents", type=int, nargs="+", default=[100_000])
    parser.add_argument("--contacts", type=int, default=10)
    parser.add_argument("--days", type=int, default=5, help="days a repeat, after ten days to get going")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    speed = copied(given.device)
    rows = [measured(agents, given, speed) for agents in given.agents]
    about = {"device": name_of(given.device), "threads": given.threads, "torch": torch.__version__, "cores": os.cpu_count()}
    print(json.dumps({"benchmark": "epidemic_torch", **about, "copy_gb_per_s": round(speed / 1e9, 1), "rows": rows}))


def measured(agents: int, given: argparse.Namespace, speed: float) -> dict[str, Any]:
    """Milliseconds a day: without gradients, and with (straight-through) forth and back, a day and along the path."""
    begun = time.perf_counter()
    world, rates = built(agents, given.contacts, given.device)
    set_up = time.perf_counter() - begun
    state = tensor.begin(torch.rand((1, agents), device=given.device) < 0.01, world.disease, tensor.draws([1], -1, given.device))
    with torch.no_grad():
        for day in range(10):
            state, _ = tensor.step(state, world, rates, tensor.draws([1], day, given.device))

    def forward() -> None:
        after = state
        with torch.no_grad():
            for _ in range(given.days):
                after, _ = tensor.step(after, world, rates, tensor.draws([1], after.day, given.device))

    def gradient() -> None:
        r = torch.tensor([[[3.0]]], dtype=torch.float64, device=given.device, requires_grad=True)
        learned, after, total = tensor.Rates.of(world.disease, given.device, reproduction=r), state, torch.zeros((), device=given.device)
        for _ in range(given.days):
            after, flows = tensor.step(after, world, learned, tensor.draws([1], after.day, given.device), straight_through)
            total = total + flows.infected.sum()
        torch.autograd.grad(total, r)

    def along() -> None:
        r = torch.tensor([[[3.0]]], dtype=torch.float64, device=given.device, requires_grad=True)
        learned, first = tensor.Rates.of(world.disease, given.device, reproduction=r), state.stage == 1
        draws = path.seeded([1], given.device)
        waves = path.run(world, learned, first, given.days, draws, straight_through, carried=True, checkpoint=1)
        torch.autograd.grad(waves.cases.sum(), r)

    milliseconds = {name: timed(run, given) / given.days for name, run in (("forward", forward), ("gradient", gradient), ("path", along))}
    links = agents * given.contacts
    streamed = agents * (2 * STATE + DRAWN + 3 * SUMMED) + links * (LINK + SUMMED)
    found = {f"{name}_ms_per_day": round(value, 3) for name, value in milliseconds.items()}
    limit = 1e3 * streamed / speed
    return {
        "agents": agents, "links": links, "set_up_s": round(set_up, 2), **found, "bandwidth_limit_ms": round(limit, 3),
        "forward_of_limit": round(milliseconds["forward"] / limit, 2),
        "peak_gib": round(torch.cuda.max_memory_allocated() / 2**30, 2) if given.device.startswith("cuda") else None,
    }  # fmt: skip


def built(agents: int, contacts: int, device: str) -> tuple[tensor.World, tensor.Rates]:
    disease = Disease(reproduction=(3.0,))
    g = np.random.default_rng(0)
    a, b = g.integers(0, agents, (2, agents * contacts // 2), dtype=np.int64)
    edges = Contacts(np.concatenate([a, b]), np.concatenate([b, a]))
    people = People(disease.traits(g.integers(0, disease.ages, agents)), np.zeros(agents, np.int64), 1)
    layers = tensor.TensorContacts.of([edges], agents, device)
    return tensor.World.of(tensor.TensorPeople.of(people, device), disease, layers), tensor.Rates.of(disease, device)


def timed(run: Callable[[], None], given: argparse.Namespace) -> float:
    """Median milliseconds, after one run that is not counted."""
    taken: list[float] = []
    for _ in range(given.repeats + 1):
        waited(given.device)
        begun = time.perf_counter()
        run()
        waited(given.device)
        taken.append(1e3 * (time.perf_counter() - begun))
    return statistics.median(taken[1:])


def copied(device: str) -> float:
    """Bytes a second that a copy reads and writes."""
    source = torch.ones(2**25, dtype=torch.float64, device=device)
    target = torch.empty_like(source)
    taken: list[float] = []
    for _ in range(6):
        waited(device)
        begun = time.perf_counter()
        target.copy_(source)
        waited(device)
        taken.append(time.perf_counter() - begun)
    return 2 * source.numel() * 8 / statistics.median(taken[1:])


def waited(device: str) -> None:
    if device.startswith("cuda"):
        torch.cuda.synchronize()


def name_of(device: str) -> str:
    return torch.cuda.get_device_name(device) if device.startswith("cuda") else device


if __name__ == "__main__":
    main()
