"""Prompts of language minds begin with what is shared, so that a server's prefix cache has something to find."""

from __future__ import annotations

import itertools
from os.path import commonpath

import pytest

from sociarium.kernel.content import Layer
from sociarium.kernel.protocols import NoJournal
from sociarium.models.backends.scripted import open_scripted
from sociarium.models.rendering import messages
from sociarium.models.service import ModelService
from sociarium.scenarios import catalogue

ORDER = {Layer.SHARED: 0, Layer.STABLE: 1, Layer.MOVING: 2}
SETTINGS = {
    "donor-game": {"generations": 1, "rounds": 2, "agents": 6},
    "govsim": {"pace": "choices", "max_rounds": 2, "embedder": "hashing"},
}
LEAST = {"donor-game": 0.3, "govsim": 0.3}  # of a prompt, on average


class Listening:
    """A door that keeps what passes."""

    def __init__(self, service):
        self.service, self.asked = service, []

    async def ask(self, request, address, **more):
        self.asked.append((address, request))
        return await self.service.ask(request, address, **more)

    async def ask_all(self, requests, address, **more):
        self.asked.extend((address, request) for request in requests)
        return await self.service.ask_all(requests, address, **more)


@pytest.mark.parametrize("slug", list(SETTINGS))
async def test_what_is_shared_comes_first_and_agents_share_it(slug):
    scenario = catalogue.scenario(slug).of({"model": "scripted:schema", **SETTINGS[slug]})
    simulation = scenario.build(3)
    backend = open_scripted("scripted:schema")
    simulation.door = door = Listening(ModelService(dict.fromkeys(scenario.routes(), backend), journal=NoJournal(), seed=3))
    await simulation.run()
    prompts = {}
    for address, request in door.asked:
        if request.kind == "embed":
            continue
        layers = [ORDER[block.layer] for block in request.blocks if block.role == "system"]
        assert layers == sorted(layers), address
        moving = [block.layer is Layer.MOVING for block in request.blocks]
        assert moving == sorted(moving) or not any(moving), address
        text = "\n".join(f"{role}: {words}" for role, words in messages(request.blocks))
        prompts.setdefault((address.tick, address.phase, address.label), []).append(text)
    shares = [
        len(commonpath([one, other])) / max(len(one), len(other)) for texts in prompts.values() for one, other in itertools.pairwise(texts)
    ]
    assert sum(shares) / len(shares) >= LEAST[slug], sum(shares) / len(shares)
