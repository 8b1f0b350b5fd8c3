"""What the local model reaches, beside the raw engine: tokens and choices per CPU-second of this process. Prints one JSON line.

python benchmarks/local_model.py
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor

from sociarium.kernel.content import Block, Layer
from sociarium.models.backends.local import LocalBackend
from sociarium.models.request import Request, Sampling

RULES = " ".join(f"Rule {number}: everyone who takes water on day {number} pays one coin to the council." for number in range(1, 16))
OPTIONS = ("stay at home today", "go to the market", "visit a friend", "work in the garden")
LENGTH = 48  # tokens generated


def blocks(agent: int) -> tuple[Block, ...]:
    shared = Block(RULES, role="system", layer=Layer.SHARED)
    return (shared, Block(f"You are agent {agent} and it is day {agent % 7}. What do you do next?"), Block("I will", role="assistant"))


async def rate(work: Callable[[], Awaitable[object]], amount: int) -> float:
    """``amount`` per CPU-second that ``work`` took."""
    began = time.process_time()
    await work()
    return round(amount / (time.process_time() - began), 2)


async def main() -> None:
    backend = LocalBackend.open("smollm2", slots=8, context=1024)
    engine, prompter = backend._engine, backend._prompter  # the raw engine's figures need its own door
    prompts = [prompter.prompt(blocks(agent)) for agent in range(8)]
    write = [Request(blocks(agent), sampling=Sampling(max_tokens=LENGTH)) for agent in range(8)]
    choose = [Request(blocks(agent), kind="choose", options=OPTIONS) for agent in range(100)]
    forever = {"n_predict": LENGTH, "temperature": 0, "ignore_eos": True}

    async def raw(count: int) -> None:
        with ThreadPoolExecutor(count) as pool:
            bodies = [{"prompt": prompts[slot], "id_slot": slot, **forever} for slot in range(count)]
            list(pool.map(engine.run, bodies))

    async def ours(count: int) -> int:
        return sum(reply.usage.completion_tokens for reply in await backend.complete_many(write[:count], [None] * count))  # type: ignore[union-attr]

    figures: dict[str, float] = {"prompt_tokens": len(prompts[0])}
    body = {"prompt": prompts[0], "n_predict": 1, "id_slot": 0, "cache_prompt": False}
    figures["prompt_raw"] = await rate(lambda: asyncio.to_thread(engine.run, body), len(prompts[0]))
    for count in (1, 8):
        tokens = await ours(count)  # reads the prompts
        figures[f"generate_ours_{count}"] = await rate(lambda count=count: ours(count), tokens)
        figures[f"generate_raw_{count}"] = await rate(lambda count=count: raw(count), LENGTH * count)
    figures["choices_1"] = await rate(lambda: backend.complete_many(choose[8:9], [None]), 1)
    figures["choices_one_by_one"] = await rate(lambda: one_by_one(backend, choose[10:26]), 16)
    figures["choices_8_in_flight"] = await rate(lambda: backend.complete_many(choose[30:62], [None] * 32), 32)
    figures["choices_raw_one_by_one"] = await rate(lambda: asyncio.to_thread(token_by_token, backend, choose[70:78]), 8)
    print(json.dumps(figures))
    await backend.close()


async def one_by_one(backend: LocalBackend, requests: list[Request]) -> None:
    for request in requests:
        await backend.complete(request, None)


def token_by_token(backend: LocalBackend, requests: list[Request]) -> None:
    """The raw engine's way: each token of each option forced by a bias in a call of its own, in one slot."""
    engine, prompter = backend._engine, backend._prompter
    for request in requests:
        prompt = prompter.prompt(request.blocks)
        for row in prompter.options(request.blocks, OPTIONS):
            for at, token in enumerate(row):
                body = {
                    "prompt": [*prompt, *row[:at]],
                    "n_predict": 1,
                    "n_probs": 1,
                    "temperature": 0,
                    "id_slot": 0,
                    "logit_bias": [[token, 1000]],
                }
                engine.run(body)


if __name__ == "__main__":
    asyncio.run(main())
