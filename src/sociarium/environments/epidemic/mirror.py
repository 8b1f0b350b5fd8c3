"""The world of an ``Epidemic`` as it stands, for the model in Torch: people, layers, and who takes part.

With the seed of the simulation, and as long as nobody decides anything new, the model in Torch runs the same epidemic agent for agent.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from sociarium.environments.epidemic.engines import grown
from sociarium.environments.epidemic.epidemic import Epidemic
from sociarium.environments.epidemic.layers import Layer, Worlds, contacts_of, meetings
from sociarium.environments.epidemic.tensor import Device, TensorBehaviour, TensorContacts, TensorPeople, World
from sociarium.environments.tensors import Tensor, torch
from sociarium.kernel.errors import UsageError
from sociarium.kernel.randomness import Randomness


def mirrored(epidemic: Epidemic, device: Device = "cpu", *, seed: int | None = None, region: Any = None, regions: int = 1) -> World:
    """``region``: whose count an agent is in, (agents,), of ``regions``; the groups unless given.

    ``seed``: for layers whose contacts are drawn anew each day, which are then those of this seed; UsageError where it is missing.
    Behaviour is that of today and goes on: hand another to ``World`` where it should change, or carry a gradient.
    """
    people = epidemic.people()
    agents = np.arange(len(people.group), dtype=np.int64)
    worlds = Worlds(people)
    layers = [grown(layer, len(agents)) for layer in epidemic.layers]

    def built(layer: Layer, day: int | None) -> TensorContacts:
        meeting = None if day is None else meetings(Randomness(_given(seed, layer)), day, layer)
        return TensorContacts.of([contacts_of(layer, agents, people, worlds, meeting)], len(agents), device)[0]

    standing = {layer.name: built(layer, None) for layer in layers if not layer.drawn}
    for layer in layers:
        if layer.drawn:
            _given(seed, layer)
    known: dict[int, tuple[TensorContacts, ...]] = {}

    def contacts(day: int) -> tuple[TensorContacts, ...]:
        if not any(layer.drawn for layer in layers):
            day = 0
        if day not in known:
            known.clear()  # one day at a time is kept
            known[day] = tuple(standing[layer.name] if layer.name in standing else built(layer, day) for layer in layers)
        return known[day]

    today = epidemic.behaviour()
    behaviour = TensorBehaviour(_factors(today.sends, device), _factors(today.receives, device))
    return World(TensorPeople.of(people, device, region, regions), epidemic.disease, contacts, lambda day: behaviour)


def _factors(masks: Any, device: Device) -> list[Tensor | None]:
    return [None if mask is None else torch.as_tensor(np.asarray(mask, np.float64), device=device) for mask in masks]


def _given(seed: int | None, layer: Layer) -> int:
    if seed is None:
        raise UsageError(f"the contacts of layer {layer.name!r} are drawn anew each day: say by which seed")
    return seed
