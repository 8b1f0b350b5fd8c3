"""The record of a study that asks models outside of a run: a judgement, a qualification."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sociarium.kernel.errors import UsageError
from sociarium.record.run import RunRecord


def opened(folder: Path, kind: str, about: dict[str, Any], refusal: str) -> RunRecord:
    """A new record of this kind in ``folder``, or the one there, to go on. Raises UsageError, with the words of ``refusal``, where it holds
    anything else than what ``about`` says."""
    if not (folder / "run.sqlite").exists():
        return RunRecord.create(folder, {kind: about})
    record = RunRecord.open(folder, mode="resume")
    if record.manifest.get(kind) != about:
        record.close()
        raise UsageError(f"{folder} holds another run, or {refusal}")
    return record
