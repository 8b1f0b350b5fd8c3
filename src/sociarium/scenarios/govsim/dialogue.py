"""What people do with words in the talks of a run: eight classes, by a model, after the run (arXiv 2404.16698, section 3.6)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from sociarium.kernel.content import said
from sociarium.kernel.errors import ModelError
from sociarium.kernel.protocols import Address
from sociarium.kernel.turn import Door
from sociarium.minds.language import prompts
from sociarium.minds.language.rendering import laid_out
from sociarium.models.request import Reply, Request
from sociarium.scenarios.govsim.game import HERE

GROUPS = {
    "information": ("information sharing", "problem identification"),
    "negotiation": ("solution proposing", "persuasion", "consensus seeking", "disagreement"),
    "relational": ("excusing", "punishment"),
}
LABELS = tuple(label for labels in GROUPS.values() for label in labels)


async def classify(door: Door, utterances: Sequence[tuple[str, str]], *, route: str = "framework") -> list[str]:
    """The most probable class of each (speaker, text); the first of ``LABELS`` between equals. A model that fails is an error."""
    prompt = prompts(HERE / "prompts")["classify"]

    async def one(place: int, speaker: str, text: str) -> str:
        request = Request(laid_out(prompt.render(utterance=said(text, speaker))), kind="choose", options=LABELS)
        reply: Reply = await door.ask(request, Address(0, "classify", place, 0, "judge", "class"), route=route)
        if not reply.good or len(reply.probabilities) != len(LABELS):
            raise ModelError(
                f"utterance {place + 1} of {len(utterances)} could not be classified: {reply.error or reply.status.name.lower()}"
            )
        return LABELS[int(np.argmax(reply.probabilities))]

    return list(await asyncio.gather(*(one(place, speaker, text) for place, (speaker, text) in enumerate(utterances))))


def shares(labels: Sequence[str]) -> dict[str, float]:
    """Share of each group of classes: negotiation, information, relational."""
    return {group: sum(label in those for label in labels) / max(1, len(labels)) for group, those in GROUPS.items()}


def utterances(folder: Path) -> list[tuple[str, str]]:
    """All that was said in a recorded run: (speaker, text), in order."""
    from sociarium.record.frames import frames

    tables = frames(folder)
    try:
        if "conversation.said" not in tables.kinds():
            return []
        names = {int(row["id"]): str(row["name"]) for row in tables.agents(kind="harvester").iter_rows(named=True)}
        rows = tables.events("conversation.said").select("actor", "text").collect().iter_rows()
        return [(names[int(actor)], str(text)) for actor, text in rows]
    finally:
        tables.close()
