"""One choice among a few texts: named by the model (``schema``) or drawn by us from their likelihoods (``choose``, for small models)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from sociarium.kernel.content import Content
from sociarium.kernel.outcomes import Status
from sociarium.minds.language.asking import Asking
from sociarium.models.request import Reply, Request, Sampling

Style = Literal["schema", "choose"]


def anybody(asking: Asking, blocks: Content) -> Content:
    """The same question put to nobody in particular: what an option is likely to be said whoever is asked."""
    prompts = asking.mind.prompts
    return (*prompts["persona_neutral"].render(), *blocks)


async def picked(
    asking: Asking,
    label: str,
    blocks: Content,
    options: Sequence[str],
    *,
    style: Style = "schema",
    sampling: Sampling | None = None,
    prior: Content | None = None,
) -> int:
    """The number of the option chosen; -1 (and noted) where the reply is no use. One option is taken without a call.

    ``prior``: a prompt under which the options' likelihoods are subtracted, in the style ``choose`` (see ``anybody``).
    """
    if len(options) == 1:
        return 0
    if style == "schema":
        choice = {"type": "string", "enum": list(options)}
        schema = {"type": "object", "properties": {"choice": choice}, "required": ["choice"], "additionalProperties": False}
        reply = await asking.ask(label, blocks, schema=schema, sampling=sampling)
        chosen = reply.fields.get("choice")
        if isinstance(chosen, str) and chosen in options:
            return list(options).index(chosen)
        asking.trouble(reply if not reply.good else replace(reply, status=Status.MALFORMED, error="none of the choices"), label)
        return -1
    neutral = None if prior is None else asking.request(prior).blocks
    request: Request = replace(asking.request(blocks), kind="choose", options=tuple(options), neutral=neutral)
    reply: Reply = await asking.send(label, request)
    if not reply.good or len(reply.probabilities) != len(options):
        asking.trouble(reply if not reply.good else replace(reply, status=Status.MALFORMED, error="no probabilities"), label)
        return -1
    return int(asking.turn.random("choose").at(label).choice(reply.probabilities, [asking.agent])[0])
