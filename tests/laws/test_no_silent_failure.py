"""Law 4: with faults injected, every agent-turn ends in one recorded outcome, and the summary shows the shares."""

from __future__ import annotations

import pytest
from conftest_laws import SMALL, society

from sociarium.kernel.outcomes import STATUS_NAMES
from sociarium.lab import running
from sociarium.models.backends.faulty import FAULTS
from sociarium.models.retry import RetryPolicy
from sociarium.record.frames import frames
from sociarium.scenarios import catalogue

SOON = RetryPolicy(attempts=3, turned_away=4, first_wait=0.001, longest_wait=0.002, longest_wish=0.002)  # seconds


class Counting:
    """A gate that changes nothing and counts the agent-turns that pass."""

    def __init__(self):
        self.passed = 0

    async def review(self, turn, seen, actions):
        self.passed += len(turn.agents)
        return actions


@pytest.mark.parametrize(("slug", "kind"), [*(("govsim", kind) for kind in sorted(FAULTS)), *((slug, "all") for slug in sorted(SMALL))])
async def test_with_a_tenth_of_each_fault_every_agent_turn_has_one_outcome(slug, kind, run):
    gate = Counting()
    spec = f"faulty:{kind}=0.1:scripted:schema" if kind != "all" else "faulty:0.5:scripted:schema"
    built = [lambda _, simulation: simulation.gates.append(gate)]
    finished = await run(society(slug, spec), 8, retry=SOON, on_built=built)
    turns = finished.summary.turns
    assert set(turns) <= set(STATUS_NAMES)
    tables = frames(finished.folder)
    rows = tables.outcome_rows()
    counted = tables.outcomes()
    tables.close()
    assert rows.select("tick", "phase", "turn", "agent").is_duplicated().sum() == 0
    assert counted["count"].sum() == sum(turns.values()) == gate.passed > 0
    assert (await running.replay(finished.folder, catalogue.scenario)).digest == finished.digest


@pytest.mark.parametrize("kind", sorted(FAULTS))
async def test_no_fault_kind_ends_a_run_or_hides_in_its_result(kind, run):
    free = {"answer": "answer"} if kind == "illegal" else {}  # a schema that states the legal set leaves nothing illegal to say
    finished = await run(society("govsim", f"faulty:{kind}=0.3:scripted:schema", max_rounds=2, lakes=2, **free), 9, retry=SOON)
    said = finished.summary.models
    troubled = sum(said["failed_attempts"].values()) + sum(n for s, n in finished.summary.turns.items() if s != "ok")
    troubled += sum(finished.summary.refused.values())
    assert troubled > 0
