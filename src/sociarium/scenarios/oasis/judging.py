"""A model as judge: which of two answers is more extreme (asked in both orders), and how much a comment disagrees."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sociarium.kernel.content import said
from sociarium.kernel.errors import UsageError
from sociarium.kernel.protocols import Address
from sociarium.kernel.simulation import Simulation
from sociarium.minds.language import prompts
from sociarium.minds.language.rendering import laid_out
from sociarium.models.request import Reply, Request

HERE = Path(__file__).parent
Floats = NDArray[np.float64]

SIDES = ("The first.", "The second.", "Neither.")
GRADES = tuple(str(grade) for grade in range(1, 11))


async def more_extreme(simulation: Simulation, question: str, before: Sequence[str], after: Sequence[str]) -> Floats:
    """(pairs,): 1 where the later answer is judged more extreme, 0 where the earlier is, 1/2 where neither or where the orders differ."""
    requests = [
        _choice("judge_extreme", SIDES, question=question, first=said(one, "first"), second=said(other, "second"))
        for earlier, later in zip(before, after, strict=True)
        for one, other in ((earlier, later), (later, earlier))
    ]
    picked = np.array([int(np.argmax(reply.probabilities)) for reply in await _asked(simulation, requests, "extreme")])
    forward, backward = picked[0::2], picked[1::2]
    later = np.where(forward == 1, 1.0, np.where(forward == 0, 0.0, 0.5))
    return (later + np.where(backward == 0, 1.0, np.where(backward == 1, 0.0, 0.5))) / 2


async def disagreement(simulation: Simulation, posts: Sequence[str], comments: Sequence[str]) -> Floats:
    """(comments,): the expected grade, 1 agrees fully, 10 disagrees fully."""
    requests = [
        _choice("judge_disagree", GRADES, post=said(post, "post"), comment=said(comment, "comment"))
        for post, comment in zip(posts, comments, strict=True)
    ]
    replies = await _asked(simulation, requests, "disagree")
    return np.array([float(np.arange(1, 11) @ np.array(reply.probabilities)) for reply in replies])


def _choice(prompt: str, options: tuple[str, ...], **values: object) -> Request:
    blocks = prompts(HERE / "prompts")[prompt].render(values)  # pyright: ignore[reportArgumentType]
    return Request(laid_out(blocks), kind="choose", options=options)


async def _asked(simulation: Simulation, requests: Sequence[Request], label: str) -> list[Reply]:
    if simulation.door is None:
        raise UsageError("a judge needs a model: give --model")
    replies: list[Reply] = await simulation.door.ask_all(requests, Address(0, "judging", 0, 0, "judge", label))
    if bad := [reply for reply in replies if not reply.good]:
        raise UsageError(f"the judge gave no verdict on {len(bad)} of {len(replies)} questions: {bad[0].error or bad[0].status.name}")
    return replies
