"""Models as judges: they rank the answers that one agent gave to one question under several conditions, the most believable first.

A judge sees the answers under letters in an order drawn by seed, question and judge, and never learns which is which. All calls are in
the journal of a folder: what was judged is not asked again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from itertools import permutations
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np

from sociarium.kernel.content import Block, Trust
from sociarium.kernel.errors import UsageError
from sociarium.kernel.protocols import Address
from sociarium.lab.believability.answers import Asked
from sociarium.lab.studies import opened
from sociarium.minds.language.asking import together
from sociarium.minds.language.rendering import laid_out
from sociarium.minds.prompts import PromptPack
from sociarium.models.backend import Backend
from sociarium.models.budget import BudgetLimits
from sociarium.models.request import Reply, Request, Sampling
from sociarium.models.service import ModelService

LETTERS = "ABCDEFGH"
PROMPTS = PromptPack(Path(__file__).parent / "prompts", "en")
KIND = "believability"
Style = Literal["list", "pairs"]
Ranking = tuple[str, ...]  # conditions, the most believable first


class Judges:
    """Judges by name. ``list``: a judge writes the whole order. ``pairs``: each two answers are weighed against one another in both
    orders, for models too small to write an order; they must score options.

    ``portraits``: what a judge is told of an agent, by id; it must hold what is true, not what the agent remembers.
    """

    def __init__(
        self, judges: Mapping[str, Backend], *, portraits: Mapping[int, str] | None = None, style: Style = "list", seed: int = 1
    ) -> None:
        if not judges:
            raise UsageError("a ranking needs a judge or more: {name: backend}")
        if style == "pairs" and (blind := [name for name, one in judges.items() if not one.facts.log_probabilities]):
            raise UsageError(f"the judge {blind[0]!r} scores no options, so it cannot weigh pairs; ask it for a list")
        self.judges, self.portraits, self.seed = dict(judges), dict(portraits or {}), seed
        self.style: Style = style

    async def ranked(self, items: Sequence[Asked], folder: Path, budget: BudgetLimits | None = None) -> dict[str, list[Ranking | None]]:
        """By judge, a ranking an item; None where a judge gave no order. Raises UsageError for a folder of other judges or answers."""
        conditions = list(items[0].answers) if items else []
        if not 2 <= len(conditions) <= len(LETTERS) or any(set(one.answers) != set(conditions) for one in items):
            raise UsageError(f"judges rank the same 2 to {len(LETTERS)} conditions of every question, not {conditions}")
        plain = repr([(one.agent, one.question, sorted(one.answers.items())) for one in items])
        told = {name: backend.facts.digest for name, backend in self.judges.items()}
        about = {
            "items": hashlib.blake2b(plain.encode(), digest_size=16).hexdigest(),
            "judges": told,
            "style": self.style,
            "seed": self.seed,
        }
        record = opened(folder, KIND, about, "what others judged; give another folder")
        routes = {"default": next(iter(self.judges.values())), **self.judges}  # a service has one; nobody is asked by it
        service = ModelService(routes, journal=record.journal, seed=self.seed, budget=budget or BudgetLimits())
        try:
            asked = [self._one(service, name, at, one) for name in self.judges for at, one in enumerate(items)]
            found = await together(asked)
        finally:
            await service.stop(0.0)
            await service.budget.hand_back()
            record.close()
        return {name: found[at * len(items) : (at + 1) * len(items)] for at, name in enumerate(self.judges)}

    async def _one(self, service: ModelService, judge: str, at: int, item: Asked) -> Ranking | None:
        conditions = list(item.answers)
        draw = np.random.Generator(np.random.PCG64([self.seed, at, list(self.judges).index(judge)]))
        order = [conditions[int(place)] for place in draw.permutation(np.arange(len(conditions)))]
        if self.style == "list":
            return await self._list(service, judge, at, item, order)
        return await self._pairs(service, judge, at, item, order)

    async def _list(self, service: ModelService, judge: str, at: int, item: Asked, order: list[str]) -> Ranking | None:
        letters = LETTERS[: len(order)]
        array = {"type": "array", "items": {"type": "string", "enum": list(letters)}, "minItems": len(order), "maxItems": len(order)}
        schema = {"type": "object", "properties": {"ranking": array}, "required": ["ranking"], "additionalProperties": False}
        request = Request(self._shown("rank", item, order), schema=schema, sampling=Sampling(0.0, 1.0, 64))
        reply: Reply = await service.ask(request, _place(judge, at), route=judge)
        given: Any = reply.fields.get("ranking") if reply.good else None
        said = [str(letter) for letter in cast("list[Any]", given)] if isinstance(given, list) else []
        return tuple(order[letters.index(letter)] for letter in said) if sorted(said) == list(letters) else None

    async def _pairs(self, service: ModelService, judge: str, at: int, item: Asked, order: list[str]) -> Ranking | None:
        score = dict.fromkeys(order, 0.0)
        pairs = list(permutations(order, 2))
        asked = [
            service.ask(Request(self._shown("pair", item, pair), kind="choose", options=("A", "B")), _place(judge, at, number), route=judge)
            for number, pair in enumerate(pairs)
        ]
        for (first, second), reply in zip(pairs, await together(asked), strict=True):
            if not reply.good or len(reply.probabilities) != 2:
                return None
            score[first] += reply.probabilities[0]
            score[second] += reply.probabilities[1]
        return tuple(sorted(order, key=lambda condition: -score[condition]))

    def _shown(self, prompt: str, item: Asked, order: Sequence[str]) -> tuple[Block, ...]:
        """What a judge reads. Answers are words of agents: quoted, and no part of what the judge is asked to do."""
        answers: list[Block] = []
        for letter, condition in zip(LETTERS, order, strict=False):
            answers.append(Block(f"{letter}:", origin="judges"))
            answers.append(Block(item.answers[condition] or "(no answer)", origin=f"answer {letter}", trust=Trust.AGENT))
        values = {"name": item.name, "portrait": self.portraits.get(item.agent), "question": item.question, "answers": tuple(answers)}
        return laid_out(PROMPTS[prompt].render(values))


def _place(judge: str, at: int, number: int = 0) -> Address:
    return Address(0, KIND, at, 0, f"judge:{judge}", "rank", number)
