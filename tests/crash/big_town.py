"""A day of a town of language minds: forecast, recorded, killed, resumed, and replayed from its record, without the model.

    make big-town                                       25 residents, a day from midnight, the small local model
    HOURS=3 START=7 AGENTS=25 KILLS=2 make big-town
    BESIDE=1 make big-town                              and once more with the model, with nobody to disturb it

A run that asks the model itself comes to the digest of another where the model is exact, as it is here (docs/design/local-model.md).
Prints one JSON line: the forecast beside what it cost, how agent-turns ended, what came of it, the digests, and whether they are equal.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .killing import environment, killed_after, to_the_end

STEPS_AN_HOUR = 360
AT_ONCE = os.environ.get("AT_ONCE", "8")  # calls in flight: on a busy machine twenty-five together take longer than one may
SMALL = {"pace": "choices", "temperature": 0, "answer_tokens": 40, "thought_tokens": 120, "utterance": 200}
"""For models too small to write: plans, places, reactions and utterances are weighed among a few."""


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "sociarium", *arguments, "--json"]


def settings(model: str, **chosen: Any) -> list[str]:
    sets = [part for name, value in chosen.items() for part in ("--set", f"{name}={value}")]
    return ["generative-agents", "--model", model, *sets]


def foreseen(arguments: Sequence[str], runs: int, *, ask: bool) -> dict[str, Any]:
    """What a run will cost, as the command says before it."""
    extra = ["--runs", str(runs), *([] if ask else ["--no-ask"])]
    done = subprocess.run(command("forecast", *arguments, *extra), env=environment(), capture_output=True, check=False, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)


def trial(folder: Path, model: str, kills: Sequence[int], *, pilots: int = 2, ask: bool = True, beside: bool = False,
          **chosen: Any) -> dict[str, Any]:  # fmt: skip
    """One run, killed after each of these numbers of ticks and resumed, then replayed from its record; with ``beside`` also one that is not
    disturbed."""
    arguments, patient = settings(model, **chosen), ["--call-timeout", "3600", "--at-once", AT_ONCE]
    before = foreseen(arguments, pilots, ask=ask) if pilots else None
    fresh = ["run", *arguments, *patient, "--seed", "1", "--out"]
    broken, began, hit = folder / "broken", time.monotonic(), list[int]()
    for number, ticks in enumerate(kills):
        verb = ["resume", str(broken), *patient] if number else [*fresh, str(broken)]
        hit.append(killed_after(ticks, broken, command(*verb)))
    done = ended(["resume", str(broken), *patient] if kills else [*fresh, str(broken)])
    seconds = round(time.monotonic() - began, 1)
    replayed = ended(["replay", str(broken)])
    undisturbed = ended([*fresh, str(folder / "beside")]) if beside else {}
    digests = {done["digest"], replayed["digest"], undisturbed.get("digest", done["digest"])}
    return {
        "model": model, **chosen, "forecast": before, "killed_after": hit, "run": done, "seconds": seconds,
        "replayed": {name: replayed.get(name) for name in ("digest", "seconds", "peak_mib")},
        "undisturbed": {name: undisturbed.get(name) for name in ("digest", "seconds", "models", "peak_mib")}, "equal": len(digests) == 1,
    }  # fmt: skip


def ended(verb: Sequence[str]) -> dict[str, Any]:
    """What a command says in the end, of its only run."""
    told = to_the_end(command(*verb))
    return {**told, **told.get("runs", [{}])[0]}


def asked(given: Mapping[str, str]) -> dict[str, Any]:
    """The scenario's parameters from the environment."""
    hours = 24 * float(given["DAYS"]) if "DAYS" in given else float(given.get("HOURS", "24"))
    start = float(given.get("START", "0"))
    return {**SMALL, "size": int(given.get("AGENTS", "25")), "hours": hours, "start": start, "interview_hours": hours}


if __name__ == "__main__":
    chosen = {**asked(os.environ), **json.loads(os.environ.get("SET", "{}"))}
    spec, count = os.environ.get("MODEL", "local:smollm2?exact=yes&fields=yes"), int(os.environ.get("KILLS", "2"))
    length = round(chosen["hours"] * STEPS_AN_HOUR)
    places = [max(1, length * (number + 1) // (count + 1)) for number in range(count)]
    home, pilots = os.environ.get("FOLDER"), int(os.environ.get("PILOTS", "2"))
    with tempfile.TemporaryDirectory() as scratch:
        found = trial(Path(home or scratch), spec, places, pilots=pilots, beside="BESIDE" in os.environ, **chosen)
    print(json.dumps(found))
    sys.exit(0 if found["equal"] else 1)
