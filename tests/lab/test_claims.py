"""Claims and their checks."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType

import pytest

from sociarium.kernel.errors import UsageError
from sociarium.lab.cards import Card
from sociarium.lab.claims import Check, ClaimContext, Measured, checks_of, claim, replication, run_claims
from sociarium.lab.reference import most_units
from sociarium.lab.statistics import mean_interval


def card(*claims: dict[str, object]) -> Card:
    paper = {"title": "T", "authors": ["A"], "year": 2024, "licence": "MIT"}
    kind = {"simulation_type": "scenario", "domain": "commons", "levels": ["macro"]}
    return Card.model_validate({"slug": "commons", "title": "Commons", "paper": paper, **kind, "claims": claims})


OPTIMUM = {"id": "optimum", "statement": "650 units", "published": 650, "tolerance": 0}
MODEL = {"id": "talk", "statement": "talk helps", "needs": "model"}
STRONG = {"id": "strong", "statement": "strong models survive", "needs": "strong model", "published": "most runs"}
DATA = {"id": "data", "statement": "the logs agree", "needs": "data"}


@claim("optimum")
def optimum(context: ClaimContext) -> Measured:
    best, _ = most_units(100, 12, lambda left: min(100, 2 * left), lambda left: left < 5)
    return Measured.exactly(best, holds=True)


@claim("talk")
async def talk(context: ClaimContext) -> Measured:
    return Measured.estimated(mean_interval([float(seed) for seed in context.seeds]), holds=context.model is not None)


def says(value: float | str, holds: bool) -> Check:
    return lambda context: Measured.exactly(value, holds=holds)


def module_with(**functions: object) -> ModuleType:
    module = ModuleType("claims")
    vars(module).update(functions)
    return module


async def test_each_claim_gets_one_verdict_in_the_order_of_the_card() -> None:
    described = card(STRONG, OPTIMUM, MODEL, DATA)
    checks = {**checks_of(module_with(optimum=optimum, talk=talk)), "strong": says(1, True), "data": says(1, True)}
    without = await run_claims(described, checks)
    assert [(result.id, result.verdict) for result in without] == [
        ("strong", "needs model"),
        ("optimum", "holds"),
        ("talk", "needs model"),
        ("data", "needs data"),
    ]
    small = await run_claims(described, checks, model="local:small", seeds=(1, 2, 3), data=Path())
    assert [result.verdict for result in small] == ["needs model", "holds", "holds", "holds"]
    assert small[2].ours == 2.0 and small[2].low is not None and small[2].low < 2.0
    strong = await run_claims(described, checks, model="big", strong=True, data=Path())
    assert [result.verdict for result in strong] == ["holds"] * 4


@pytest.mark.parametrize(
    ("value", "holds", "verdict"),
    [(650, True, "holds"), (651, True, "fails"), (650, False, "fails"), (float("nan"), True, "fails")],
)
async def test_a_number_outside_the_tolerance_fails_whatever_its_check_says(value: float, holds: bool, verdict: str) -> None:
    (result,) = await run_claims(card(OPTIMUM), {"optimum": says(value, holds)})
    assert result.verdict == verdict


async def test_a_text_where_a_number_was_published_is_an_error() -> None:
    with pytest.raises(UsageError, match="measured the text"):
        await run_claims(card(OPTIMUM), {"optimum": says("about 650", True)})


async def test_claims_and_functions_must_match_one_to_one() -> None:
    with pytest.raises(UsageError, match="no function checks talk"):
        await run_claims(card(OPTIMUM, MODEL), {"optimum": optimum})
    with pytest.raises(UsageError, match="no claim of the card is called talk"):
        await run_claims(card(OPTIMUM), {"optimum": optimum, "talk": talk})

    @claim("optimum")
    def again(context: ClaimContext) -> Measured:
        return optimum(context)

    with pytest.raises(UsageError, match="two functions"):
        checks_of(module_with(optimum=optimum, again=again))
    assert list(checks_of(module_with(optimum=optimum, same=optimum, claim=claim))) == ["optimum"]


async def test_equal_seeds_are_refused() -> None:
    for seeds in ((), (1, 1)):
        with pytest.raises(UsageError, match="seed"):
            await run_claims(card(OPTIMUM), {"optimum": optimum}, seeds=seeds)


async def test_the_json_form() -> None:
    results = await run_claims(card(OPTIMUM, MODEL), {"optimum": says(float("inf"), True), "talk": talk})
    text = json.dumps(replication(card(OPTIMUM, MODEL), results), allow_nan=False)
    assert json.loads(text) == {
        "scenario": "commons",
        "claims": [
            {
                "id": "optimum",
                "statement": "650 units",
                "published": 650.0,
                "ours": None,
                "low": None,
                "high": None,
                "needs": "rules",
                "verdict": "fails",
            },
            {
                "id": "talk",
                "statement": "talk helps",
                "published": None,
                "ours": None,
                "low": None,
                "high": None,
                "needs": "model",
                "verdict": "needs model",
            },
        ],
    }
