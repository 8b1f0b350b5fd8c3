"""Deciding by a sentence: the agent thinks as it likes and ends with a sentence that begins with stated words; that sentence is kept.

As in "Cultural Evolution of Cooperation among LLM Agents" (arXiv 2412.10270): ``My strategy will be ...``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from sociarium.kernel.content import Block, Trust
from sociarium.kernel.outcomes import Status
from sociarium.minds.language.asking import Asking
from sociarium.minds.language.component import Decider, Decision, Focus
from sociarium.minds.language.legality import problem
from sociarium.models.request import Sampling


class Sentence(Decider):
    """``argument`` of ``action`` becomes the last paragraph that begins with ``opening`` (any case), asked for by ``prompt``.

    After an answer without it the agent is asked again, with ``again``, at most ``retries`` times; each is a question of its own.
    """

    def __init__(
        self,
        action: str,
        argument: str,
        *,
        opening: str,
        prompt: str,
        again: str,
        retries: int = 1,
        fallback: Mapping[str, Mapping[str, Any]] | None = None,
        sampling: Sampling | None = None,
    ) -> None:
        self.name = argument
        self.actions = (action,)
        self.argument, self.opening = argument, opening
        self.prompt, self.again, self.retries = prompt, again, retries
        self.fallback = fallback or {}
        self.sampling = sampling

    async def decide(self, asking: Asking) -> Decision:
        spec = asking.turn.offer(self.actions[0])
        blocks = (*await asking.context(Focus(), self.uses), *asking.described(), *self.mind.prompts[self.prompt].render())
        decision = Decision()
        for attempt in range(self.retries + 1):
            reply = await asking.ask(f"{self.name}:{attempt}", blocks, sampling=self.sampling)
            if not reply.good:
                return self.stood_in(asking, reply.status, reply.error)
            sentence = last_paragraph(reply.text, self.opening)
            if sentence is None:
                decision = self.stood_in(asking, Status.MALFORMED, f"nothing begins with {self.opening!r}")
            elif wrong := problem(spec, {self.argument: sentence}):
                decision = self.stood_in(asking, wrong.status, wrong.reason)
            else:
                return Decision([(spec.full, {self.argument: sentence})], Status.REPAIRED if attempt else reply.status)
            said = Block(reply.text, origin=asking.name, trust=Trust.AGENT, role="assistant")
            blocks = (*blocks, said, *self.mind.prompts[self.again].render())
        return decision


def last_paragraph(text: str, opening: str) -> str | None:
    """From the last ``opening`` to the end of its paragraph; None where there is none."""
    found = list(re.finditer(re.escape(opening), text, re.IGNORECASE))
    return text[found[-1].start() :].split("\n\n")[0].strip(" \n*_\"'") if found else None
