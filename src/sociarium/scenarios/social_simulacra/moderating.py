"""A model as moderator: does a text do what the design forbids? Its verdicts, and what they are worth where the truth is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from sociarium.environments.social.threads import Threads
from sociarium.kernel.content import said
from sociarium.kernel.errors import UsageError
from sociarium.kernel.protocols import Address
from sociarium.kernel.simulation import Simulation
from sociarium.kernel.turn import Door
from sociarium.minds.language import prompts
from sociarium.minds.language.rendering import laid_out
from sociarium.models.request import Reply, Request
from sociarium.scenarios.social_simulacra.thinking import HERE

ANSWERS = ("Yes.", "No.")


@dataclass(frozen=True, slots=True)
class Verdict:
    """Of one utterance: whether it breaks the rules as ``said``, and whether its author was asked to (``true``). ``answered`` False: the
    model gave no verdict, which counts as none."""

    thread: int
    position: int
    said: bool
    true: bool
    answered: bool


async def verdicts(simulation: Simulation, door: Door | None = None, *, group: int = 0, route: str = "default") -> list[Verdict]:
    """Every utterance of a community before the model of a door (by default the simulation's own): scored, not drawn, so it always says
    the same of a text."""
    asked = door or simulation.door
    if asked is None:
        raise UsageError("a moderator needs a model: give the simulation a door, or name one here")
    threads, pack = cast("Threads", simulation.world["threads"]), prompts(HERE / "prompts")
    places: list[tuple[int, int, bool]] = []
    requests: list[Request] = []
    for number in range(int((threads.table.groups == group).sum())):
        for position, text in enumerate(threads.texts(number, group)):
            slot = threads.written(number, position, group)
            if not slot.design.breaches:
                raise UsageError("the design forbids nothing, so no text can break its rules")
            values = {"rules": " or ".join(slot.design.breaches), "comment": said(text, slot.name)}
            requests.append(Request(laid_out(pack["judge"].render(values)), kind="choose", options=ANSWERS))
            places.append((number, position, slot.breach >= 0))
    replies = cast("Sequence[Reply]", await asked.ask_all(requests, Address(0, "moderated", group, 0, "moderator", "judge"), route=route))
    return [Verdict(*place[:2], _yes(reply), place[2], reply.good) for place, reply in zip(places, replies, strict=True)]


def _yes(reply: Reply) -> bool:
    return reply.good and reply.probabilities[0] > reply.probabilities[1]
