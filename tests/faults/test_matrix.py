"""R9 over real HTTP: whatever a server does, each agent-turn ends in one recorded outcome, and nothing of it is hidden.

A spread of small cases here; ``make faults`` plays all 168 with 200 agents. What a case is judged by is in ``matrix``.
"""

from __future__ import annotations

from pathlib import Path

import matrix
import pytest
from matrix import Case, play, spread

from sociarium.minds.language import mind as language_mind
from sociarium.models import attempts


@pytest.mark.parametrize("case", spread(agents=20), ids=str)
async def test_a_faulty_server_leaves_one_recorded_outcome_an_agent_turn(case: Case, tmp_path: Path) -> None:
    played = await play(case, tmp_path / "run")
    assert not played.wrong
    if case.rate == 1.0:
        assert played.fallbacks == sum(n for name, n in played.turns.items() if name not in ("ok", "repaired"))


async def test_a_service_that_keeps_no_attempt_log_is_caught(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = attempts.Attempts._failed

    def forgetful(self: attempts.Attempts, failure: object, address: object, course: attempts._Course) -> float | None:
        wait = whole(self, failure, address, course)  # type: ignore[arg-type]
        course.notes.clear()
        return wait

    monkeypatch.setattr(attempts.Attempts, "_failed", forgetful)
    played = await play(Case("reset", 0.5, "agentscope", 20), tmp_path / "run")
    assert any("reset" in wrong for wrong in played.wrong)


async def test_a_mind_that_calls_every_turn_well_is_caught(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    honest = language_mind.gathered

    def flattering(turn: object, decisions: object) -> object:
        actions = honest(turn, decisions)  # type: ignore[arg-type]
        actions.status, actions.fallback, actions.reasons = None, None, {}
        return actions

    monkeypatch.setattr(language_mind, "gathered", flattering)
    played = await play(Case("unauthorised", 1.0, "agentscope", 20), tmp_path / "run")
    assert any("every agent-turn is ok" in wrong for wrong in played.wrong)


async def test_an_error_text_that_becomes_an_agents_words_is_caught(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lost = attempts._lost

    def speaking(failure: attempts.CallFailed, course: attempts._Course) -> attempts.Answer:
        answer = lost(failure, course)
        return attempts.Answer(answer.reply, {**answer.plain, "text": str(failure)}, answer.attempts)

    monkeypatch.setattr(attempts, "_lost", speaking)
    played = await play(Case("server_error", 1.0, "agentscope", 20), tmp_path / "run")
    assert any("text of an error" in wrong for wrong in played.wrong)


async def test_an_attempt_beyond_the_cap_is_caught(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from sociarium.models.retry import RetryPolicy

    monkeypatch.setattr(RetryPolicy, "again", lambda self, failure, address, failures, refusals: 0.0 if failures < 9 else None)
    played = await play(Case("reset", 1.0, "agentscope", 10), tmp_path / "run")
    assert any("failures at one address" in wrong for wrong in played.wrong)


def test_the_matrix_is_whole() -> None:
    assert len(matrix.cases()) == 168
    assert len({str(case) for case in matrix.cases()}) == 168
