"""Claims about the mind: what comes to mind, when one reflects, and how a day is mended."""

from __future__ import annotations

import numpy as np

from sociarium.kernel.units import HOUR
from sociarium.lab.claims import ClaimContext, Measured, claim
from sociarium.minds.agenda import Agenda
from sociarium.minds.diary import Diary
from sociarium.minds.language.retrieval import GENERATIVE_AGENTS, GENERATIVE_AGENTS_RELEASED, NEVER, Kind, Memories, Retrieval, retrieve
from sociarium.scenarios.generative_agents import people

PAPER = (0.1429, 2.4700, 2.0248, 1.1250)
RELEASED = (0.7857, 5.3317, 2.8079, 0.3750)


@claim("golden-retrieval")
def golden_retrieval(context: ClaimContext) -> Measured:
    """Both rules on the four memories of the system file."""
    worst = max(_off(GENERATIVE_AGENTS, PAPER), _off(GENERATIVE_AGENTS_RELEASED, RELEASED))
    return Measured.exactly(worst, holds=worst <= 1e-4)


@claim("reflection-fires")
def reflection_fires(context: ClaimContext) -> Measured:
    """After which of sixty events of importance 7 one should reflect."""
    diary = Diary(150.0)
    fired = [n for n in range(1, 61) if diary.note(0, Kind.EVENT, f"event {n}", 7.0, time=n, tick=n)]
    told = ", ".join(map(str, fired))
    return Measured.exactly(told, holds=told == context.claim.published)


@claim("plan-repair")
def plan_repair(context: ClaimContext) -> Measured:
    """A talk at every minute of the days of three residents, whose working blocks are in parts."""
    town = people.town_map()
    violations = 0
    for one in people.written()[:3]:
        habits = one.habits(town, 0)
        ends = [*(habit.minute for habit in habits[1:]), 1440]
        for minute in range(0, 1440, 7):
            day = Agenda.of([(h.activity, end - h.minute) for h, end in zip(habits, ends, strict=True)])
            for block in [entry.block for entry in day.entries if entry.minutes >= 60]:
                day.take_apart(block, [("beginning", 10), ("going on", 30), ("ending", 20)])
            before = list(day.entries)
            at = day.at(minute)
            day.insert(minute, "talking", 15)
            kept = [entry.activity for entry in day.entries if entry.block == before[at].block]
            violations += sum(entry.minutes for entry in day.entries) != 1440
            violations += day.entries[:at] != before[:at]
            rest = [entry.activity for entry in before[at + 1 :] if entry.block == before[at].block]
            room = 1440 - minute > 15 + len(rest)
            violations += room and any(activity not in kept for activity in rest)
    return Measured.exactly(float(violations), holds=violations == 0)


def _off(rule: Retrieval, expected: tuple[float, ...]) -> float:
    hours, importance, relevance = (48, 24, 2, 0), (2.0, 8.0, 5.0, 1.0), (0.1, 0.9, 0.5, 0.2)
    now = 100 * HOUR
    accessed = np.array([now - hour * HOUR for hour in hours])
    vectors = np.array([[r, (1 - r * r) ** 0.5] for r in relevance], np.float64)
    count = len(hours)
    memories = Memories(
        np.zeros(count, np.int64), accessed, accessed, np.full(count, NEVER), np.zeros(count, np.int64), np.array(importance),
        np.zeros(count, np.bool_), vectors,
    )  # fmt: skip
    found = retrieve(memories, np.zeros(1, np.int64), np.array([[1.0, 0.0]]), now, count, rule)
    return float(np.abs(found.scores[0] - np.array(expected)).max())
