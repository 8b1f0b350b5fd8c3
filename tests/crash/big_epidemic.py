"""Sixty days of a city of millions with archetype minds: recorded, killed, resumed, and compared with a run that nobody disturbed.

    make big-epidemic                                  8.4 million people, the small local model
    AGENTS=100000 DAYS=60 KILLS=3 make big-epidemic

Prints one JSON line: seconds and peak memory of each part, calls, digests, and whether they are equal.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .killing import killed_after, to_the_end


def settings(agents: int, days: int, model: str) -> list[str]:
    """Decisions once a week by 10 archetypes, and once a month by 8."""
    chosen = {"agents": agents, "days": days, "decided_every": 7, "variables": "[age, gender, month, cases]"}
    sets = [part for name, value in chosen.items() for part in ("--set", f"{name}={value}")]
    return ["agenttorch", "--model", model, "--seed", "7", *sets]


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "sociarium", *arguments, "--json"]


def ended(*arguments: str) -> dict[str, Any]:
    plain = to_the_end(command(*arguments))
    return {**plain, **plain["runs"][0]} if "runs" in plain else plain


def trial(folder: Path, agents: int, days: int, model: str, kills: Sequence[int]) -> dict[str, Any]:
    """One run undisturbed, and one killed after each of these numbers of ticks and resumed."""
    arguments = settings(agents, days, model)
    whole = ended("run", *arguments, "--out", str(folder / "whole"))
    broken, began, hit = folder / "broken", time.monotonic(), list[int]()
    for number, ticks in enumerate(kills):
        verb = ["resume", str(broken)] if number else ["run", *arguments, "--out", str(broken)]
        hit.append(killed_after(ticks, broken, command(*verb)))
    resumed = ended("resume", str(broken))
    return {
        "agents": agents, "days": days, "model": model, "killed_after": hit, "whole": whole, "resumed": resumed,
        "broken_seconds": round(time.monotonic() - began, 1), "equal": whole["digest"] == resumed["digest"],
    }  # fmt: skip


if __name__ == "__main__":
    people, length = int(os.environ.get("AGENTS", "8400000")), int(os.environ.get("DAYS", "60"))
    count, spec = int(os.environ.get("KILLS", "2")), os.environ.get("MODEL", "local:smollm2?exact=yes")
    home = os.environ.get("FOLDER")
    with tempfile.TemporaryDirectory() as scratch:
        places = [max(1, length * (number + 1) // (count + 1)) for number in range(count)]
        found = trial(Path(home or scratch), people, length, spec, places)
    print(json.dumps(found))
    sys.exit(0 if found["equal"] else 1)
