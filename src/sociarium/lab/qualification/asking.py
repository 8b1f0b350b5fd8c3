"""All that is asked of a model, at fixed addresses of one journal: a qualification that was stopped goes on where it was."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from sociarium.kernel.content import Content
from sociarium.kernel.protocols import Address, Journal
from sociarium.lab.qualification.probes import LETTERS, Probes, one_of
from sociarium.minds.language.asking import together
from sociarium.models.backend import Backend
from sociarium.models.budget import BudgetLimits
from sociarium.models.request import BackendFacts, Reply, Request, Sampling
from sociarium.models.service import ModelService

AGAIN = ("default", "alone", "batch")  # routes to one model: the same questions, as other keys


@dataclass(frozen=True, slots=True)
class Effort:
    """How often what is sampled is asked. ``shares``: answers for one distribution where a model scores no options."""

    answers: int = 60
    texts: int = 40
    forms: int = 16
    repeats: int = 12
    shares: int = 16


QUICK = Effort(answers=20, texts=16, forms=6, repeats=6, shares=8)


class Again:
    """A model under another name: what was asked of it before is asked anew."""

    def __init__(self, backend: Backend, name: str) -> None:
        self.backend, self.name = backend, name

    @property
    def facts(self) -> BackendFacts:
        facts = self.backend.facts
        return replace(facts, engine={**facts.engine, "asked": self.name})

    async def complete(self, request: Request, draw: int | None) -> Reply:
        return await self.backend.complete(request, draw)

    async def close(self) -> None:
        return None


@dataclass(slots=True)
class Heard:
    """Everything the model said. A distribution is None where it could not be had."""

    pairs: list[tuple[list[float] | None, list[float] | None]] = field(default_factory=list[tuple[list[float] | None, list[float] | None]])
    listed: list[list[list[float] | None]] = field(default_factory=list[list[list[float] | None]])  # by question and rotation, by position
    worded: list[list[list[float] | None]] = field(default_factory=list[list[list[float] | None]])
    scored: list[list[float] | None] = field(default_factory=list[list[float] | None])  # of the sampled questions
    sampled: list[list[Reply]] = field(default_factory=list[list[Reply]])
    texts: list[Reply] = field(default_factory=list[Reply])
    forms: list[list[Reply]] = field(default_factory=list[list[Reply]])
    repeats: Mapping[str, list[Reply]] = field(default_factory=dict[str, list[Reply]])


class Asker:
    """Asks through a service. Where the model scores no options, a distribution is the shares of sampled answers."""

    def __init__(self, backend: Backend, journal: Journal, seed: int, limits: BudgetLimits, effort: Effort, probes: Probes) -> None:
        routes: dict[str, Backend] = {name: backend if name == "default" else Again(backend, name) for name in AGAIN}
        self.service = ModelService(routes, journal=journal, seed=seed, budget=limits)
        self.scores = backend.facts.log_probabilities
        self.effort, self.probes = effort, probes

    async def everything(self) -> Heard:
        """Part after part, each at once."""
        heard, probes, effort = Heard(), self.probes, self.effort
        pairs = [
            self.shares(f"pair:{at}", number, probes.pair(pair, words), pair.options, anybody=probes.wording(pair.question))
            for at, pair in enumerate(probes.pairs)
            for number, words in enumerate((pair.high, pair.low))
        ]
        found = await together(pairs)
        heard.pairs = [(found[at], found[at + 1]) for at in range(0, len(found), 2)]
        for at, one in enumerate(probes.listed):
            letters = LETTERS[: len(one.options)]
            rotations = one.rotations()
            heard.listed.append(
                await together([self.shares(f"listed:{at}", n, probes.lettered(one.question, r), letters) for n, r in enumerate(rotations)])
            )
        for at, one in enumerate(probes.worded):
            asked = [self.shares(f"worded:{at}", n, probes.wording(words), one.options) for n, words in enumerate(one.questions)]
            heard.worded.append(await together(asked))
        for at, one in enumerate(probes.spread):
            blocks = probes.sampled(one)
            heard.scored.append(await self.shares(f"scored:{at}", 0, blocks, one.options) if self.scores else None)
            heard.sampled.append(await self.service.ask_all([one_of(blocks, one.options)] * effort.answers, place(f"sampled:{at}")))
        heard.texts = await self.service.ask_all([probes.free()] * effort.texts, place("texts"))
        for at, form in enumerate(probes.forms):
            heard.forms.append(await self.service.ask_all([probes.formed(form)] * effort.forms, place(f"form:{at}")))
        heard.repeats = await self.repeated()
        return heard

    async def shares(
        self, asker: str, number: int, blocks: Content, options: Sequence[str], *, anybody: Content | None = None
    ) -> list[float] | None:
        """The distribution over options. ``anybody``: the same question to nobody in particular, whose likelihoods are subtracted, as
        language minds do: else an option that is likely by its words alone hides every move."""
        address = replace(place(asker), number=number)
        if self.scores:
            reply = await self.service.ask(Request(blocks, kind="choose", options=tuple(options), neutral=anybody), address)
            return list(reply.probabilities) if reply.good and len(reply.probabilities) == len(options) else None
        requests = [one_of(blocks, options)] * self.effort.shares
        replies = await self.service.ask_all(requests, replace(address, turn=number, number=0))
        said = [reply.value["answer"] for reply in replies if reply.good]
        return [said.count(option) / len(said) for option in options] if said else None

    async def repeated(self) -> dict[str, list[Reply]]:
        """The same questions with the same draws: one after another, again one after another, and all at once among others."""
        sampled = [replace(self.probes.free(), sampling=Sampling(1.0, max_tokens=24))] * self.effort.repeats
        greedy = [Request(self.probes.wording(one.questions[0]), sampling=Sampling(0.0, max_tokens=24)) for one in self.probes.worded]
        requests = [*sampled, *greedy[: self.effort.repeats]]
        addresses = [replace(place("repeated"), number=number) for number in range(len(requests))]
        replies: dict[str, list[Reply]] = {}
        for turn, route in enumerate(AGAIN):
            asked = [
                self.service.ask(request, replace(address, turn=turn), route=route, drawn_at=address)
                for request, address in zip(requests, addresses, strict=True)
            ]
            replies[route] = await together(asked) if route == "batch" else [await one for one in asked]
        return replies


def place(asker: str) -> Address:
    return Address(0, "qualification", 0, 0, asker, asker.partition(":")[0])
