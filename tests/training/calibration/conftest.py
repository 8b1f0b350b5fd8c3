"""Models small enough to know what a calibration must find, and worlds for the epidemic."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from sociarium.environments.epidemic import model, tensor
from sociarium.environments.epidemic.disease import Disease
from sociarium.environments.tensors import torch
from sociarium.kernel.randomness import Randomness

TIMES = np.array([0.0, 1.0, 2.0, 3.0, 5.0])


class Line:
    """level + slope * t + noise, in NumPy or Torch as given; counts its runs."""

    def __init__(self, noise: float = 0.5) -> None:
        self.noise, self.runs = noise, 0

    def __call__(self, values: Mapping[str, Any], seeds: Sequence[int]) -> Mapping[str, Any]:
        self.runs += len(seeds)
        rows = np.stack([Randomness(seed).stream("noise").normal(np.arange(len(TIMES))) for seed in seeds]) * self.noise
        level, slope = values["level"], values["slope"]
        if isinstance(level, np.ndarray):
            return {"line": level[:, None] + slope[:, None] * TIMES + rows}
        return {"line": level[:, None] + slope[:, None] * torch.from_numpy(TIMES) + torch.from_numpy(rows)}


@pytest.fixture
def line() -> Line:
    return Line()


def epidemic_world(agents: int, contacts: int, disease: Disease | None = None, seed: int = 0) -> tensor.World:
    disease = disease or Disease()
    g = np.random.default_rng(seed)
    a, b = g.integers(0, agents, (2, agents * contacts // 2))
    people = model.People(disease.traits(g.integers(0, disease.ages, agents)), np.zeros(agents, np.int64), 1)
    edges = model.Contacts(np.concatenate([a, b]), np.concatenate([b, a]))
    return tensor.World.of(tensor.TensorPeople.of(people), disease, tensor.TensorContacts.of([edges], agents))


@pytest.fixture
def world() -> Callable[..., tensor.World]:
    return epidemic_world
