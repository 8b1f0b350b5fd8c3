"""One qualification: a journal in a folder, the findings, the picture."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sociarium.lab.documents import finite
from sociarium.lab.qualification.asking import QUICK, Asker, Effort
from sociarium.lab.qualification.measures import Finding, findings
from sociarium.lab.qualification.probes import probes
from sociarium.lab.studies import opened
from sociarium.models.backend import Backend
from sociarium.models.budget import BudgetLimits
from sociarium.record.run import RunRecord

REPORT = "qualification.json"
KIND = "qualification"
REFUSAL = "the qualification of another model or with other settings; give another --out"


@dataclass(frozen=True, slots=True)
class Qualification:
    """What was found. ``fit``: nothing that is judged fails. ``speed``: what it took, which is shown and never judged."""

    model: str
    findings: tuple[Finding, ...]
    speed: Mapping[str, Any]
    quick: bool
    seed: int
    probes: str
    folder: Path

    @property
    def fit(self) -> bool:
        return all(finding.verdict != "fails" for finding in self.findings)

    def plain(self) -> dict[str, Any]:
        return {
            "model": self.model,
            "fit": self.fit,
            "quick": self.quick,
            "seed": self.seed,
            "probes": self.probes,
            "findings": [finding.plain() for finding in self.findings],
            "speed": dict(self.speed),
        }


async def qualify(
    backend: Backend, folder: Path, *, seed: int = 1, quick: bool = False, budget: BudgetLimits | None = None
) -> Qualification:
    """Ask all probes, or what is left of them, and judge. All calls are in the journal of ``folder``: a qualification that was stopped
    goes on where it was, and one that is finished is judged again without a call.

    Raises UsageError where the folder holds another qualification, BudgetSpent and Interrupted for a stop that can be resumed.
    """
    asked = probes()
    about = {"model": backend.facts.digest, "probes": asked.digest, "quick": quick, "seed": seed}
    record = opened(folder, KIND, about, REFUSAL)
    try:
        asker = Asker(backend, record.journal, seed, budget or BudgetLimits(), QUICK if quick else Effort(), asked)
        try:
            heard = await asker.everything()
        finally:
            await asker.service.stop(0.0)
            await asker.service.budget.hand_back()
        found = tuple(findings(heard, asked, backend.facts))
        done = Qualification(backend.facts.name, found, _speed(asker, record), quick, seed, asked.digest, folder)
    finally:
        record.close()
    (folder / REPORT).write_text(json.dumps(finite(done.plain()), indent=1) + "\n", "utf-8")
    return done


def _speed(asker: Asker, record: RunRecord) -> dict[str, Any]:
    """Over all sessions: calls, tokens and money; of this one: seconds a call."""
    spent, summary = record.journal.spent(), asker.service.summary()
    seconds = spent.seconds
    return {
        "calls": spent.calls,
        "calls_now": summary["calls"],
        "prompt_tokens": spent.prompt_tokens,
        "cached_tokens": spent.cached_tokens,
        "completion_tokens": spent.completion_tokens,
        "dollars": spent.money / 1e6,
        "busy_seconds": seconds,
        "generated_tokens_a_second": spent.completion_tokens / seconds if seconds > 0.0 else None,
        "latency_seconds": summary["latency_seconds"],
        "efforts": asdict(asker.effort),
    }
