"""The local model beside the raw engines it stands on, in one run: what a token and a choice take of a processor.

All figures are CPU milliseconds of the whole process (all threads), so that they mean something on a busy machine too. The reference is
the better of llama.cpp and CTranslate2, each called by hand in its best way with the prompts already tokenised. Prompts are those of a
small society: rules that all share, then a line of the agent's own.

``SOCIARIUM_BENCH=full`` adds 256 agents and the eight slots that are the default. Several threads and processes: ``local_processes``.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from sociarium.kernel.content import Block, Layer
from sociarium.kernel.errors import ModelError
from sociarium.models import weights
from sociarium.models.backends.ctranslate import CtranslateEngine
from sociarium.models.backends.local import LocalBackend
from sociarium.models.request import Reply, Request, Sampling

MODEL = "smollm2"
OPTIONS = ("stay at home today", "go to the market", "visit a friend", "work in the garden")
LENGTH = 24  # tokens written
NEAR = 1.11  # at least 90 % of the better engine's rate
WANTED = 50.0  # CPU milliseconds a choice after a shared prefix: 20 a CPU-second
FORCE = 1000  # a bias that makes a token certain
Rows = list[dict[str, Any]]


def run() -> Rows:
    """Rows for ``sociarium bench local``. Raises ModelError where the weights or the engines are not here."""
    if weights.located(MODEL) is None:
        raise ModelError(f"this bench needs the weights: sociarium models pull {MODEL}")
    return asyncio.run(measured(full=os.environ.get("SOCIARIUM_BENCH") == "full"))


async def measured(*, full: bool) -> Rows:
    """All rows, of one loaded model."""
    backend = LocalBackend.open(MODEL, threads=1, slots=8 if full else 4, context=1024)
    bench = Bench(backend)
    rows: Rows = []
    try:
        await bench.warm()
        for agents in (1, 8, 32, 256) if full else (1, 8, 32):
            rows += await bench.reading(agents)
            rows += await bench.writing(agents)
        rows.append(gain("what a batch of 32 saves, a token", "alone", rows[1]["ours"], rows[5]["ours"]))
        for agents in (1, 8, 32) if full else (8,):
            rows += await bench.choosing(agents)
        rows += await bench.choosing_after_rules((1, 8, 64, 256) if full else (1, 64))
        rows += await bench.field_by_field(8)
    finally:
        await backend.close()
    return rows


class Bench:
    """The measurements. They look behind the backend's door, because the raw engines have none."""

    def __init__(self, backend: LocalBackend) -> None:
        self.backend = backend
        self.llama, self.batch, self.prompter = backend.parts
        self.slots = self.llama.options.slots

    async def warm(self) -> None:
        """Load what is loaded when first used."""
        await self.ask([self.request(0, 1), choice(blocks(0))])
        await self.raw_llama([self.prompt(blocks(0))], 1)

    async def reading(self, agents: int) -> Rows:
        """Prompts alone: one token is written after each."""
        prompts = [self.prompt(blocks(agent)) for agent in range(agents)]
        tokens = sum(map(len, prompts))
        ours = await spent(lambda: self.ask([self.request(agent, 1) for agent in range(agents)]))
        raw = await self.better(lambda: self.raw_batch(prompts, 1), lambda: self.raw_llama(prompts[:8], 1), len(prompts[:8]) / agents)
        return [row(f"prompt token, {agents} agents", "CPU ms", ours / tokens, raw[0] / tokens, raw[1], NEAR, "eight-bit products")]

    async def writing(self, agents: int) -> Rows:
        """Greedy texts with their prompts; rates are by the tokens that were written."""
        prompts = [self.prompt(blocks(agent)) for agent in range(agents)]
        replies: list[Reply] = []

        async def mine() -> None:
            replies.extend(await self.ask([self.request(agent, LENGTH) for agent in range(agents)]))

        ours = await spent(mine)
        tokens = sum(reply.usage.completion_tokens for reply in replies)
        raw = await self.better(
            lambda: self.raw_batch(prompts, LENGTH), lambda: self.raw_llama(prompts[:8], LENGTH), len(prompts[:8]) / agents
        )
        # The raw engines write all LENGTH tokens; an agent's text may end before.
        case = f"token written after {len(prompts[0])} of prompt, {agents} agents"
        return [row(case, "CPU ms", ours / tokens, raw[0] / (LENGTH * agents), raw[1], NEAR, "keys and values copied each step")]

    async def choosing(self, agents: int) -> Rows:
        """Choices after a short prompt that is not kept."""
        asked = [choice(blocks(agent)) for agent in range(agents)]
        ours = await spent(lambda: self.ask(asked))
        raw = await self.better(
            lambda: self.raw_scores(asked), lambda: asyncio.to_thread(self.token_by_token, asked[:2]), len(asked[:2]) / agents
        )
        case = f"choice of 4 after {len(self.prompt(asked[0].blocks))} tokens, {agents} agents"
        return [row(case, "CPU ms", ours / agents, raw[0] / agents, raw[1], NEAR, "options are read one token a step")]

    async def choosing_after_rules(self, sizes: Sequence[int]) -> Rows:
        """Choices after rules of some 500 tokens that all agents share and the engine has read."""
        await self.ask([choice(blocks(agent, long=True)) for agent in range(self.slots)])
        rows: Rows = []
        limit = "the agent's own words and each token of the options: products in float32, or in llama.cpp 8 to 10 CPU ms a token"
        for agents in sizes:
            asked = [choice(blocks(100 + agent, long=True)) for agent in range(agents)]
            ours = await spent(lambda asked=asked: self.ask(asked)) / agents
            rows.append(row(f"choice of 4 after shared rules, {agents} agents", "CPU ms", ours, WANTED, "wanted", 1.0, limit))
        few = [choice(blocks(900 + agent, long=True)) for agent in range(4)]
        by_hand = await spent(lambda: asyncio.to_thread(self.token_by_token, few)) / len(few)
        rows.append(row("the same, beside a call a token", "CPU ms", rows[-1]["ours"], by_hand, "llama.cpp", NEAR, limit))
        unread = await spent(lambda: self.ask([choice(blocks(5, long=True, other=True))]))
        rows.append(gain("what a shared prefix saves, a choice", "read anew", unread, rows[-1]["ours"]))
        return rows

    async def field_by_field(self, agents: int) -> Rows:
        """Structured replies: asked field by field, beside a grammar."""
        schema = {
            "type": "object",
            "properties": {"where": {"enum": ["sea", "market", "home"]}, "hours": {"type": "integer", "minimum": 1, "maximum": 9},
                           "angry": {"type": "boolean"}},
            "required": ["where", "hours", "angry"], "additionalProperties": False,
        }  # fmt: skip
        asked = [replace(self.request(agent, 40), schema=schema) for agent in range(agents)]
        grammar = await spent(lambda: self.ask(asked))
        fields = LocalBackend(self.backend.facts, self.llama, self.batch, fields=True)
        ours = await spent(lambda: gathered(fields, asked))
        return [row(f"reply of 3 fields, one by one, {agents} agents", "CPU ms", ours / agents, grammar / agents, "grammar", 1.0, "")]

    async def better(self, batch: Callable[[], Awaitable[Any]], llama: Callable[[], Awaitable[Any]], share: float) -> tuple[float, str]:
        """CPU milliseconds of the better engine for all of the work, and its name; llama.cpp does a ``share`` of it."""
        slow = await spent(llama) / share
        if self.batch is None:
            return slow, "llama.cpp"
        fast = await spent(batch)
        return min((fast, "ctranslate2"), (slow, "llama.cpp"))

    async def raw_batch(self, prompts: Sequence[Sequence[int]], length: int) -> None:
        assert self.batch is not None
        starts = [list(map(str, prompt)) for prompt in prompts]
        wanted = {"max_length": length, "min_length": length, "include_prompt_in_result": False, "max_batch_size": 32}
        await asyncio.to_thread(lambda: self.model.generate_batch(starts, **wanted))

    async def raw_scores(self, asked: Sequence[Request]) -> None:
        rows = [[*self.prompt(one.blocks), *option] for one in asked for option in self.prompter.options(one.blocks, OPTIONS)]
        await asyncio.to_thread(lambda: self.model.score_batch([list(map(str, line)) for line in rows], max_batch_size=16))

    async def raw_llama(self, prompts: Sequence[Sequence[int]], length: int) -> None:
        bodies = [
            {
                "prompt": list(prompt),
                "id_slot": at % self.slots,
                "n_predict": length,
                "temperature": 0,
                "ignore_eos": True,
                "cache_prompt": False,
            }
            for at, prompt in enumerate(prompts)
        ]
        with ThreadPoolExecutor(self.slots) as pool:
            await asyncio.to_thread(lambda: list(pool.map(self.llama.run, bodies)))

    def token_by_token(self, asked: Sequence[Request]) -> None:
        """llama.cpp by hand: each token of each option forced by a bias, in a call of its own, in one slot that keeps the prompt."""
        for one in asked:
            prompt = self.prompt(one.blocks)
            for option in self.prompter.options(one.blocks, OPTIONS):
                for at, token in enumerate(option):
                    body = {"prompt": [*prompt, *option[:at]], "n_predict": 1, "n_probs": 1, "temperature": 0, "id_slot": 0}
                    self.llama.run({**body, "logit_bias": [[token, FORCE]]})

    @property
    def model(self) -> Any:
        assert isinstance(self.batch, CtranslateEngine)
        return self.batch.model

    def prompt(self, blocks: tuple[Block, ...]) -> list[int]:
        return self.prompter.prompt(blocks)

    def request(self, agent: int, length: int) -> Request:
        return Request(blocks(agent), sampling=Sampling(max_tokens=length))

    async def ask(self, requests: Sequence[Request]) -> list[Reply]:
        return await gathered(self.backend, requests)


def choice(asked: tuple[Block, ...]) -> Request:
    return Request((*asked, Block("I will", role="assistant")), kind="choose", options=OPTIONS)


def blocks(agent: int, *, long: bool = False, other: bool = False) -> tuple[Block, ...]:
    """Rules that all share, then what is the agent's own."""
    rules = " ".join(
        f"Rule {rule}: everyone who takes {'wood' if other else 'water'} on day {rule} pays one coin to the council."
        for rule in range(1, 25 if long else 2)
    )
    shared = Block(rules, role="system", layer=Layer.SHARED)
    return (shared, Block(f"You are agent {agent} and it is day {agent % 7}. What do you do?"))


async def gathered(backend: LocalBackend, requests: Sequence[Request]) -> list[Reply]:
    return list(await asyncio.gather(*(backend.complete(request, None) for request in requests)))


async def spent(work: Callable[[], Awaitable[object]]) -> float:
    """CPU milliseconds of the process that ``work`` took."""
    threading.Event().wait(0.01)  # what came before lets go of the processor
    began = time.process_time()
    await work()
    return 1e3 * (time.process_time() - began)


def gain(case: str, reference: str, without: float, with_it: float) -> dict[str, Any]:
    return row(case, "CPU ms", with_it, without, reference, 1.0, "")


def row(case: str, unit: str, ours: float, reference: float, name: str, goal: float, limit: str) -> dict[str, Any]:
    figures = {"ours": round(ours, 3), "reference": round(reference, 3), "ratio": round(ours / reference, 3)}
    return {"case": case, "unit": unit, **figures, "reference_name": name, "goal": goal, "limit": limit}
