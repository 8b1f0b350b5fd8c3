"""One claim that holds, one that fails, one that cannot be checked here."""

from __future__ import annotations

from pond.scenario import Pond
from sociarium.lab.claims import ClaimContext, Measured, claim
from sociarium.lab.running import in_memory, measure


async def stock(seed: int) -> float:
    return float(measure(await in_memory(Pond.of({}), seed), "water.stock")[0])


@claim("stock-stays")
async def stock_stays(context: ClaimContext) -> Measured:
    value = max([await stock(seed) for seed in context.seeds])
    return Measured.exactly(value, holds=value <= 100)


@claim("wrong")
async def wrong(context: ClaimContext) -> Measured:
    return Measured.exactly(await stock(1), holds=True)


@claim("minds-matter")
def minds_matter(context: ClaimContext) -> Measured:
    raise AssertionError("needs a model: never called here")
