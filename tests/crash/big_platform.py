"""A platform of rule users and a few language users, one clock, one graph: recorded, killed, resumed, replayed, compared.

    make big-platform                                              a million users, twenty of them on the small local model
    USERS=2000 LANGUAGE=3 SPEC=scripted:schema make big-platform

Prints one JSON line: seconds and peak memory of each part, calls, digests, and whether all are equal.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sociarium.environments.social.habits import Habits, by_habit
from sociarium.environments.social.platform import Platform
from sociarium.environments.social.recommenders.presets import oasis_reddit
from sociarium.kernel.network import Network
from sociarium.kernel.population import Population
from sociarium.kernel.randomness import Randomness
from sociarium.kernel.schedule import Activity
from sociarium.kernel.simulation import Simulation
from sociarium.kernel.turn import Phase
from sociarium.kernel.units import MINUTE
from sociarium.lab import running
from sociarium.lab.scenario import Scenario
from sociarium.minds.language import prompts
from sociarium.minds.language.act import Act, ActRules
from sociarium.minds.language.mind import LanguageMind
from sociarium.minds.language.persona import Persona
from sociarium.minds.rule import RuleMind

from .killing import killed_after, to_the_end

OFFERS = ("create_post", "create_comment", "like_post", "repost", "follow", "do_nothing")


class Always(Activity):
    """Language users are awake in every step, the others by chance."""

    talkers: Any = None

    def awake(self, number: int, now: int) -> Any:
        return np.union1d(super().awake(number, now), self.talkers)


class Mixed(Scenario):
    """Users 0 to ``language`` - 1 are language users, spread among the others by whom they follow and who follows them."""

    slug = "mixed-platform"
    title = "A platform of rule users and language users"

    users: int = 2000
    language: int = 3
    steps: int = 10
    active: float = 0.1

    def build(self, seed: int) -> Simulation:
        random, edges = Randomness(seed).stream("follows"), np.arange(10 * self.users)
        graph = Network.from_edges(self.users, random.integers(0, self.users - 1, edges), random.integers(0, self.users - 1, edges, 1))
        mind = np.zeros(self.users, np.int16)
        mind[: self.language] = 1
        people = Population.of("user", self.users, mind=mind)
        platform = Platform(graph, recommender=oasis_reddit(shown=4))
        talker = LanguageMind([Persona(), Act(ActRules(actions=tuple(f"platform.{name}" for name in OFFERS)))], prompts())
        minds = [RuleMind(by_habit(platform, Habits(comment=0.05))), talker]
        phases = [Phase("act", "platform", offers=OFFERS)]
        schedule = Always(phases, np.full(24, self.active), step=3 * MINUTE, duration=self.steps * 3 * MINUTE)
        schedule.talkers = np.arange(self.language)
        return Simulation(people, [platform], minds, schedule, seed=seed)

    def total_ticks(self) -> int:
        return self.steps

    def cadence(self) -> int:
        return max(1, self.steps // 5)


def find(_: str) -> type[Scenario]:
    return Mixed


def patient() -> running.Options:
    """A small model in this process answers one after the other, and the machine may be busy."""
    return running.Options(timeout=3600.0, concurrency=2)


def told(verb: str, folder: Path, settings: Sequence[str]) -> dict[str, Any]:
    """What a run, a resumed run or a replay came to; called in a process of its own."""
    if verb == "run":
        given = dict(pair.split("=", 1) for pair in settings)
        finished = asyncio.run(running.start(Mixed.of(given), 7, folder, patient()))
    elif verb == "resume":
        finished = asyncio.run(running.resume(folder, find, patient()))
    else:
        finished = asyncio.run(running.replay(folder, find))
    summary = finished.summary
    return {
        "digest": finished.digest,
        "ticks": finished.ticks,
        "calls": summary.models.get("calls"),
        "turns": summary.turns,
        "applied": summary.applied,
    }


def command(verb: str, folder: Path, *settings: str) -> list[str]:
    return [sys.executable, "-m", "tests.crash.big_platform", verb, str(folder), *settings]


def trial(folder: Path, settings: Sequence[str], kills: Sequence[int]) -> dict[str, Any]:
    """One run undisturbed and replayed, and one killed after each of these numbers of ticks and resumed."""
    whole = to_the_end(command("run", folder / "whole", *settings))
    replayed = to_the_end(command("replay", folder / "whole"))
    broken, hit = folder / "broken", list[int]()
    for number, ticks in enumerate(kills):
        again = command("resume", broken) if number else command("run", broken, *settings)
        hit.append(killed_after(ticks, broken, again))
    resumed = to_the_end(command("resume", broken))
    equal = whole["digest"] == replayed["digest"] == resumed["digest"]
    return {"settings": list(settings), "killed_after": hit, "whole": whole, "replayed": replayed, "resumed": resumed, "equal": equal}


def main() -> int:
    if len(sys.argv) > 1:
        print(json.dumps(told(sys.argv[1], Path(sys.argv[2]), sys.argv[3:])))
        return 0
    asked = {"users": "USERS", "language": "LANGUAGE", "steps": "STEPS", "model": "MODEL"}
    defaults = {"users": "1000000", "language": "20", "steps": "10", "model": "local:smollm2?exact=yes"}
    settings = [f"{name}={os.environ.get(variable, defaults[name])}" for name, variable in asked.items()]
    steps, count = int(settings[2].partition("=")[2]), int(os.environ.get("KILLS", "2"))
    with tempfile.TemporaryDirectory() as scratch:
        places = [max(1, steps * (number + 1) // (count + 1)) for number in range(count)]
        found = trial(Path(os.environ.get("FOLDER") or scratch), settings, places)
    print(json.dumps(found))
    return 0 if found["equal"] else 1


if __name__ == "__main__":
    sys.exit(main())
