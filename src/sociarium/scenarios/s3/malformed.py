"""Replies that hold no label, as models have given them or might, and what comes of users who get nothing else."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sociarium.environments.social.platform import Platform
from sociarium.environments.social.recommenders.delivered import Arrivals, Delivered
from sociarium.environments.social.stances import Stances
from sociarium.kernel.network import Network
from sociarium.kernel.outcomes import Status
from sociarium.kernel.population import Population
from sociarium.kernel.protocols import NoJournal
from sociarium.kernel.records import TickRecord
from sociarium.kernel.simulation import Intervention, Simulation
from sociarium.kernel.turn import Phase
from sociarium.minds.influence import MessagePool
from sociarium.models.backends.scripted import ScriptedBackend
from sociarium.models.request import Request
from sociarium.models.service import ModelService
from sociarium.scenarios.s3.reading import Feed
from sociarium.scenarios.s3.scenario import SocialNetworkSimulation
from sociarium.scenarios.s3.thinking import language_mind

USERS = 200

_VALUES = (
    '"furious"', '"INTENSELY"', '"calm-ish"', "3", "2.5", "true", "null", "[]", '["intense"]', '{"level": "intense"}',
    '""', '" "', '"intense and calm"', '"intens"', '"积极"', '"forward!"', '"none"', '"1"', '"neutral"', '"positive/negative"',
)  # fmt: skip
_FRAMES = (
    '{{"{name}": {value}}}',
    '{{"{name}s": {value}}}',
    '{{"answer": {value}}}',
    '{{"{name}": {value}, "why": "so"}}',
    '{{"{name}": {value}',
    "{value}",
    "My {name} is {value}.",
    "```json\n{{\"{name}\": {value}}}\n```",
    "I'm sorry, I can't assist with that. {value}",
    '{{{name}: {value}}}',
)  # fmt: skip


def malformed() -> list[str]:
    """200 replies: twenty values in ten frames; ``{name}`` stands for the label that is asked for."""
    return [frame.format(name="{name}", value=value) for frame in _FRAMES for value in _VALUES]


@dataclass(slots=True)
class Answered:
    """``turns`` of users, those whose emotion or attitude ``changed``, those ``marked`` as ended otherwise than well."""

    turns: int
    changed: int
    marked: int


async def answered(replies: list[str]) -> Answered:
    """Two hundred followers of one who posts, each answered for by one of these replies in every question, however often it is asked."""
    network = Network.from_edges(USERS + 1, np.arange(1, USERS + 1), np.zeros(USERS, int))
    people = Population.of("user", USERS + 1, name=np.array([f"user {at}" for at in range(USERS + 1)], object), emotion=1, attitude=0)
    platform, stances = Platform(network, recommender=Delivered()), Stances(fading=0.0)
    mind = language_mind(SocialNetworkSimulation.of({"model": "scripted:malformed"}), Feed(platform, stances), MessagePool())
    phases = [Phase("read", "platform", shows=("stances",))]
    simulation = Simulation(people, [platform, stances], [mind], Arrivals(phases, 2), seed=1)
    simulation.interventions.append(Intervention(0, "platform.publish", {"users": [0], "texts": "news"}))
    simulation.door = ModelService({"default": ScriptedBackend(_replier(replies), tag="malformed")}, journal=NoJournal(), seed=1)
    records: list[TickRecord] = []
    simulation.on_tick.append(records.append)
    await simulation.run()
    turns = sum(len(rows.agents) for record in records for rows in record.outcomes)
    ended = [(rows.status != Status.OK) | rows.fallback for record in records for rows in record.outcomes]
    changed = (stances.emotion[1:] != 1) | (stances.attitude[1:] != 0)
    return Answered(turns, int(changed.sum()), int(sum(one.sum() for one in ended)))


def _replier(replies: list[str]):  # noqa: ANN202
    """Each question that is asked is given the next reply, or the one that names its label where there is such."""
    given = 0

    def reply(request: Request, draw: int | None) -> str:
        nonlocal given
        name = request.blocks[-1].origin.rpartition(".")[2]
        fitting = [one for one in replies if f'"{name}"' in one] or replies
        given += 1
        return fitting[given % len(fitting)].replace("{name}", name)

    return reply
