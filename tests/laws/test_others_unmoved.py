"""Law 4 at 200 agents: what fails for some shifts no draw, no prompt and no decision of anybody else, beyond what the world then shows.

A run is played twice on one model, which in the second fails some of the questions of the first tick, once call by call and once inside
batches that come back in part. Questions are compared by their address: the key holds all blocks of the prompt, and the draw.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from conftest_laws import society

from sociarium.kernel.protocols import Address, JournalEntry
from sociarium.lab import running
from sociarium.lab.running import Finished, Options
from sociarium.models.backend import CallFailed
from sociarium.models.backends.invent import Invention
from sociarium.models.request import BackendFacts, Reply, Request, draw
from sociarium.record.run import RunRecord
from sociarium.scenarios import catalogue
from sociarium.scenarios.govsim.scenario import GovSim

SPEC = "scripted:schema"  # under which the models below are given to a run
SEED = 7
LAKES = 40
SETTINGS = {
    "lakes": LAKES,
    "max_rounds": 2,
    "pace": "brief",
    "embedder": "hashing",
    "answer": "answer",
    "temperature": 0.8,
    "max_conversation_steps": 2,
    "collapse": 0,
}
REFUSED = "the words of a refusal"


class Failing:
    """Answers by what is asked and drawn, in numbers that the prompts ask for; questions with one of the draws ``failing`` fail."""

    def __init__(self, failing: frozenset[int] = frozenset()) -> None:
        self.failing = failing
        self.failed = 0

    @property
    def facts(self) -> BackendFacts:
        return BackendFacts("failing", "failing", exact=True, parallel=64)

    async def complete(self, request: Request, draw: int | None) -> Reply:
        if draw in self.failing:
            self.failed += 1
            raise CallFailed("bad_request", REFUSED, retryable=False)
        reply = Invention(0, request, draw).reply()
        if request.kind != "complete" or request.schema is not None:
            return reply
        return Reply(text=f"{reply.text}\n\nAnswer: {len(reply.text) % 3 + 1}")

    async def close(self) -> None:
        return None


class FailingBatches(Failing):
    """The same in batches, of which a part comes back."""

    def __init__(self, failing: frozenset[int] = frozenset()) -> None:
        super().__init__(failing)
        self.parted = 0  # batches of which some failed and others did not

    async def complete_many(self, requests: Sequence[Request], draws: Sequence[int | None]) -> Sequence[Reply | CallFailed]:
        answers: list[Reply | CallFailed] = []
        for request, one in zip(requests, draws, strict=True):
            try:
                answers.append(await self.complete(request, one))
            except CallFailed as failure:
                answers.append(failure)
        self.parted += 0 < sum(isinstance(answer, CallFailed) for answer in answers) < len(answers)
        return answers


async def played(folder: Path, backend: Failing, **settings: Any) -> tuple[Finished, dict[Address, JournalEntry]]:
    scenario = society("govsim", SPEC, **{**SETTINGS, **settings})
    assert isinstance(scenario, GovSim)
    finished = await running.start(scenario, SEED, folder, Options(backends={SPEC: backend}))
    with RunRecord.open(folder, mode="read") as record:
        return finished, {entry.address: entry for entry in record.journal.entries()}


def asked_and_told(journal: dict[Address, JournalEntry], lanes: set[int]) -> dict[Address, tuple[Any, ...]]:
    """Key (prompt and draw), request and reply of every question in these lakes."""
    return {at: (entry.key, entry.request, entry.reply) for at, entry in journal.items() if at.lane in lanes}


def harvests(journal: dict[Address, JournalEntry]) -> list[Address]:
    return sorted(at for at in journal if at.tick == 0 and at.label == "harvest" and at.repair == 0)


@pytest.mark.parametrize(
    ("make", "every"), [(Failing, 200), (FailingBatches, 9)], ids=["one agent, call by call", "every ninth agent, in batches"]
)
async def test_a_failed_call_shifts_nothing_of_anybody_else(make: type[Failing], every: int, tmp_path: Path) -> None:
    whole, before = await played(tmp_path / "whole", make())
    places = harvests(before)
    assert len(places) == 200
    hit = places[7::every]
    backend = make(frozenset(draw(SEED, at) for at in hit))
    troubled, after = await played(tmp_path / "troubled", backend)
    assert backend.failed == len(hit)
    assert not isinstance(backend, FailingBatches) or backend.parted, "no batch came back in part: nothing was tested"

    # Each of those that were hit has its own failure, and nobody else of that step has.
    failed = {at for at in places if after[at].reply["status"] == "failed"}
    assert failed == set(hit)
    step = [at for at in places if at not in failed]
    assert all((after[at].key, after[at].reply) == (before[at].key, before[at].reply) for at in step)

    # Lakes where nobody was hit: to the last tick the same questions, the same draws, the same answers, the same world.
    untouched = set(range(LAKES)) - {at.lane for at in hit}
    assert untouched
    assert asked_and_told(after, untouched) == asked_and_told(before, untouched)
    assert troubled.last is not None and whole.last is not None
    for name, values in whole.last.measures.items():
        assert all(values[lake] == troubled.last.measures[name][lake] or values[lake] != values[lake] for lake in untouched), name

    # Those who were hit have a failed turn on the record, and the text of the failure is in nobody's prompt.
    assert troubled.summary.turns["failed"] >= len(hit)
    assert not any(REFUSED in str(entry.request) for entry in after.values())
    assert (await running.replay(tmp_path / "troubled", catalogue.scenario)).digest == troubled.digest != whole.digest


async def test_batches_change_no_answer(tmp_path: Path) -> None:
    hit = frozenset({draw(SEED, Address(0, "harvest", lake, 0, f"agent:{5 * lake}", "harvest")) for lake in range(0, LAKES, 3)})
    single, one = await played(tmp_path / "single", Failing(hit))
    batches, many = await played(tmp_path / "batches", FailingBatches(hit))
    assert sum(entry.reply["status"] == "failed" for entry in one.values()) == len(hit)
    assert single.digest == batches.digest
    assert {at: entry.key for at, entry in one.items()} == {at: entry.key for at, entry in many.items()}
