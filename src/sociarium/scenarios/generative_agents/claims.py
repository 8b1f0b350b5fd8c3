"""What the paper and its system file claim, checked on the engine. One function a claim of the card."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from sociarium.environments.conversation.chats import Chats
from sociarium.environments.conversation.contacts import Contacts, expected_spread, reached, spread
from sociarium.environments.conversation.grapevine import Grapevine
from sociarium.environments.town.body import CODE, THINGS
from sociarium.environments.town.town import Town
from sociarium.kernel.errors import Interrupted
from sociarium.kernel.mind import Mind
from sociarium.kernel.population import Population
from sociarium.kernel.records import TickRecord
from sociarium.kernel.simulation import Simulation
from sociarium.kernel.units import HOUR
from sociarium.lab import running
from sociarium.lab.claims import ClaimContext, Measured, claim
from sociarium.lab.experiment import Experiment
from sociarium.lab.running import Finished, Options
from sociarium.lab.statistics import mean_interval
from sociarium.minds.agenda import Agenda
from sociarium.minds.diary import Diary
from sociarium.minds.gossip import Gossip
from sociarium.minds.habits import Habits
from sociarium.minds.language.mind import LanguageMind
from sociarium.minds.language.retrieval import (
    ABLATIONS,
    GENERATIVE_AGENTS,
    GENERATIVE_AGENTS_RELEASED,
    NEVER,
    Kind,
    Memories,
    retrieve,
)
from sociarium.minds.language.town.dayplan import DayPlan
from sociarium.minds.rule import RuleMind
from sociarium.scenarios.generative_agents import people
from sociarium.scenarios.generative_agents.evaluating import evaluate
from sociarium.scenarios.generative_agents.questions import CLASSES
from sociarium.scenarios.generative_agents.scenario import GenerativeAgents

Ints = NDArray[np.int64]

DAY_STEPS = 8640
MORNING: dict[str, Any] = {"start": 7, "hours": 2.0, "size": 16, "reflection": 8, "interview_hours": 2}
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


@claim("news-reaches-the-reachable")
def news_reaches_the_reachable(context: ClaimContext) -> Measured:
    """A day in which everybody always passes on what they know, against breadth-first search over its log of talks."""
    day = whole_day(context.seeds[0])
    differing = 0
    for at, fact in enumerate(people.facts()):
        first = [n for n, one in enumerate(people.written()) if fact.name in one.told]
        differing += len(reached(day.log, first) ^ set(np.flatnonzero(day.knows[:, at]).tolist()))
    return Measured.exactly(float(differing), holds=differing == 0 and bool(day.knows.sum() > 2))


@claim("spread-equals-si")
def spread_equals_si(context: ClaimContext) -> Measured:
    """The engine's talks and rule on 200 copies of the first sixty talks of a day, and an independent simulation."""
    log, towns, size = whole_day(context.seeds[0]).log[:60], 200, len(people.written())
    away = 0.0
    for at, fact in enumerate(people.facts()):
        first = [n for n, one in enumerate(people.written()) if fact.name in one.told]
        ours = told_over(log, size, towns, 0.4, context.seeds[0])[:, at]
        theirs = spread(log, size, first, 0.4, towns, np.random.Generator(np.random.PCG64(20_260 + at)))
        away = max(away, apart(ours, theirs))
    return Measured.exactly(away, holds=away < 4)


@claim("party-closed-form")
def party_closed_form(context: ClaimContext) -> Measured:
    """Each town has its own random pairs."""
    towns, size, talks = 200, 25, 60
    random = np.random.Generator(np.random.PCG64(7))
    pairs = np.array([[random.permutation(size)[:2] for _ in range(talks)] for _ in range(towns)])
    rows = [(tick, *(pairs[town, tick] + size * town)) for tick in range(talks) for town in range(towns)]
    informed = _known(_contacts(np.array(rows), size, towns, 0.5, context.seeds[0]), size, towns)[:, 0]
    error = informed.std(ddof=1) / towns**0.5
    away = abs(informed.mean() - expected_spread(size, talks, 0.5)) / error
    return Measured.exactly(float(away), holds=away < 4)


@claim("no-knowledge-without-memory")
async def no_knowledge_without_memory(context: ClaimContext) -> Measured:
    """The same morning with honest residents and with liars; the diaries are searched for what supports a claim."""
    differing = 0.0
    for seed in context.seeds[:2]:
        honest, lying = [await _morning(seed, lies=lies) for lies in (False, True)]
        facts, size = people.facts(), honest.scenario.parameters()["size"]
        asked = 2.0 * size
        diary = cast("Habits", lying.simulation.minds.all[0]).diary
        grounded = sum(any(f.said_in(text) for text in diary.texts(agent)) for f in facts for agent in range(size))
        measures = {name: float(values[0]) for name, values in lying.last.measures.items()} if lying.last else {}
        truly = {name: float(values[0]) for name, values in honest.last.measures.items()} if honest.last else {}
        differing += abs(measures["interview.hallucination"] * asked - (asked - grounded))
        differing += sum(abs(measures[f"grapevine.{fact.name}"] - truly[f"grapevine.{fact.name}"]) for fact in facts)
        differing += abs(sum(measures[f"grapevine.{fact.name}"] for fact in facts) - grounded) + truly["interview.hallucination"]
    return Measured.exactly(round(differing, 9), holds=differing < 1e-9)


@claim("ablation-order")
async def ablation_order(context: ClaimContext) -> Measured:
    """Arms of one experiment with the same seeds: the runs are equal, what is remembered in the interview is not."""
    arms = ("full", "no reflection", "no reflection, no planning", "no memory")
    results = await Experiment(GenerativeAgents, {arm: {"condition": arm} for arm in arms}, context.seeds[:3], base=MORNING).run(at_once=1)
    elsewhere, drops = 0.0, True
    for (before, after), own in zip(pairwise(arms), ("inference", "plan", "observation"), strict=True):
        for name in ("inference", "plan", "observation"):
            change = results.difference(after, before, f"interview.{name}")
            if name == own:
                drops = drops and change.high < 0
            else:
                elsewhere += float(np.abs(results.values(after, f"interview.{name}") - results.values(before, f"interview.{name}")).sum())
    return Measured.exactly(elsewhere, holds=drops and elsewhere == 0)


@claim("time-and-space")
def time_and_space(context: ClaimContext) -> Measured:
    """Every step of a day is looked at."""
    day = whole_day(context.seeds[0])
    return Measured.exactly(float(day.violations), holds=day.violations == 0 and day.steps == DAY_STEPS and day.moved > 1000)


@claim("whole-minds-keep-the-laws")
async def whole_minds_keep_the_laws(context: ClaimContext) -> Measured:
    """Three hours from six of residents who do all by model, on replies drawn from the schemas, looked at after every step."""
    scenario = GenerativeAgents.of({"model": "scripted:schema", "start": 6, "hours": 3.0, "size": 8, "embedder": "hashing"})
    watches: list[_Watch] = []

    def watch(_: Any, simulation: Simulation) -> None:
        watches.append(_Watch(simulation, scenario))
        simulation.on_tick.append(watches[0])

    finished = await running.in_memory(scenario, context.seeds[0], Options(on_built=[watch]))
    day, thought = watches[0].day, finished.summary.models["calls"] > 100
    return Measured.exactly(float(day.violations), holds=day.violations == 0 and day.moved > 100 and thought)


@claim("one-memory-four-conditions")
async def one_memory_four_conditions(context: ClaimContext) -> Measured:
    """An interview under all conditions in one run, and one a condition in four runs with the same seed."""
    differing = 0.0
    base = {**MORNING, "hours": 1.0, "size": 8, "interview_hours": 1}
    each = await running.in_memory(GenerativeAgents.of({**base, "condition": "each"}), context.seeds[0])
    for condition in ABLATIONS:
        alone = await running.in_memory(GenerativeAgents.of({**base, "condition": condition}), context.seeds[0])
        for name in CLASSES:
            pair = [running.measure(each, f"interview.{name} ({condition})"), running.measure(alone, f"interview.{name}")]
            differing += float(np.nansum(np.abs(pair[0] - pair[1]))) + float((np.isnan(pair[0]) != np.isnan(pair[1])).sum())
    return Measured.exactly(differing, holds=differing == 0)


@claim("resume-equals-unbroken")
async def resume_equals_unbroken(context: ClaimContext) -> Measured:
    """An hour from seven: whole, stopped after 200 steps and resumed, and replayed."""
    scenario = GenerativeAgents.of({"start": 7, "hours": 1.0})
    with TemporaryDirectory() as folder:
        whole = await running.start(scenario, context.seeds[0], Path(folder) / "whole")
        broken = Path(folder) / "broken"

        def stop(record: TickRecord) -> None:
            if record.tick == 199:
                stopped[0].stopping = True

        stopped: list[Simulation] = []
        options = Options(on_tick=[stop], on_built=[lambda _, simulation: stopped.append(simulation)], snapshot_every=77)
        with suppress(Interrupted):
            await running.start(scenario, context.seeds[0], broken, options)
        resumed = await running.resume(broken, lambda _: GenerativeAgents)
        replayed = await running.replay(broken, lambda _: GenerativeAgents)
    differing = sum(other.digest != whole.digest for other in (resumed, replayed))
    return Measured.exactly(float(differing), holds=differing == 0)


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


@claim("candidacy-spreads")
async def candidacy_spreads(context: ClaimContext) -> Measured:
    """The share that says so after two days and was told."""
    return await _told_by_model(context, "interview.known_candidacy")


@claim("party-spreads")
async def party_spreads(context: ClaimContext) -> Measured:
    """The share that says so after two days and was told."""
    return await _told_by_model(context, "interview.known_party")


@claim("full-is-most-believable")
async def full_is_most_believable(context: ClaimContext) -> Measured:
    """Two days, an interview in five areas under four conditions of the same memory, ranked by the model as a judge."""
    settings = {"model": context.model, "hours": 48, "interview_hours": 48, "interview": "areas", "condition": "each"}
    with TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        await running.start(GenerativeAgents.of(settings), context.seeds[0], run)
        found = await evaluate(run, {"judge": str(context.model)})
    assert found.by_judges is not None
    order = ", ".join(found.by_judges.skills)
    return Measured.exactly(order, holds=order == context.claim.published and found.by_judges.p < 0.001)


@claim("ties-form")
async def ties_form(context: ClaimContext) -> Measured:
    """Pairs that have talked."""
    return await _told_by_model(context, "town.density")


@claim("awareness-is-rarely-made-up")
async def awareness_is_rarely_made_up(context: ClaimContext) -> Measured:
    """Claims of knowledge that nothing supports, among those asked."""
    return await _told_by_model(context, "interview.hallucination")


@dataclass(slots=True)
class Day:
    """What is kept of a day: contacts as (tick, one, other), who knows what at its end, and broken laws."""

    log: Ints = field(default_factory=lambda: np.empty((0, 3), np.int64))
    knows: NDArray[np.bool_] = field(default_factory=lambda: np.empty((0, 2), np.bool_))
    violations: int = 0
    moved: int = 0
    steps: int = 0


@cache
def whole_day(seed: int) -> Day:
    """A day in which the news is always passed on, looked at after every step."""
    scenario = GenerativeAgents.of({"hours": 24, "pass_chance": 1.0})
    simulation = scenario.build(seed)
    watch = _Watch(simulation, scenario)
    simulation.on_tick.append(watch)
    simulation.run_sync()
    day = watch.day
    day.log = np.array(sorted(watch.contacts), np.int64)
    day.knows = cast("Grapevine", simulation.world["grapevine"]).knows.copy()
    return day


class _Watch:
    """The laws of time and space, after each step."""

    def __init__(self, simulation: Simulation, scenario: GenerativeAgents) -> None:
        self.day, self.scenario = Day(), scenario
        self.town = cast("Town", simulation.world["town"])
        self.mind = simulation.minds.all[0]
        self.everyone = np.arange(len(self.town.tile))
        self.tile, self.known = self.town.tile.copy(), self.town.known(self.everyone)
        self.asleep = self.town.asleep.copy()
        self.contacts: list[tuple[int, int, int]] = []
        self.last: dict[tuple[int, int], int] = {}

    def __call__(self, record: TickRecord) -> None:
        town, day, where = self.town, self.day, self.town.map
        step = town.tile - self.tile
        day.moved += int(np.count_nonzero(step))
        day.violations += int((~np.isin(step, [0, *where.offsets.tolist()])).sum() + (~where.walkable[town.tile]).sum())
        known = town.known(self.everyone)
        day.violations += int((self.known & ~known).sum())
        who, which = np.nonzero(town.fresh >= 0)
        subject = town.fresh[who, which] // CODE
        who, subject = who[subject < THINGS], subject[subject < THINGS]
        x, y = where.xy(town.tile)
        far = np.maximum(np.abs(x[who] - x[subject]), np.abs(y[who] - y[subject])) > self.scenario.vision
        day.violations += int((far | (where.arena[town.tile[who]] != where.arena[town.tile[subject]]) | town.asleep[who]).sum())
        for rows in record.events:
            if rows.kind == "town.met":
                self._met(record.tick, rows.actors.tolist(), rows.data["other"].tolist())
        if record.tick % 360 == 359:
            for agenda in agendas_of(self.mind):
                day.violations += sum(entry.minutes for entry in agenda.entries) != 1440
        self.tile, self.known, self.asleep = town.tile.copy(), known, town.asleep.copy()
        day.steps += 1

    def _met(self, tick: int, who: list[int], whom: list[int]) -> None:
        for one, other in zip(who, whom, strict=True):
            pair = (min(one, other), max(one, other))
            self.contacts.append((tick, one, other))
            self.day.violations += tick - self.last.get(pair, -(10**9)) < self.scenario.cooldown
            self.day.violations += int(self.asleep[one]) + int(self.asleep[other])
            self.last[pair] = tick


def agendas_of(mind: Mind) -> list[Agenda]:
    """The days of all residents, by whatever mind they live."""
    if isinstance(mind, Habits):
        return list(mind.agendas.values())
    parts = mind.components if isinstance(mind, LanguageMind) else []
    return [day.agenda for part in parts if isinstance(part, DayPlan) for day in part.plans.values()]


def told_over(log: Ints, size: int, towns: int, chance: float, seed: int) -> Ints:
    """How many know each fact after a log that ``towns`` towns play side by side: (towns, facts)."""
    ticks = np.unique(log[:, 0], return_inverse=True)[1]
    rows = [
        (tick, one + size * town, other + size * town)
        for tick, (one, other) in zip(ticks, log[:, 1:], strict=True)
        for town in range(towns)
    ]
    return _known(_contacts(np.array(rows), size, towns, chance, seed), size, towns)


def apart(ours: Ints, theirs: Ints) -> float:
    """Distance of two means, in standard errors of the difference."""
    error = (ours.var(ddof=1) / len(ours) + theirs.var(ddof=1) / len(theirs)) ** 0.5
    return float(abs(ours.mean() - theirs.mean()) / error) if error else float(ours.mean() != theirs.mean()) * 9.0


def _contacts(log: Ints, size: int, towns: int, chance: float, seed: int) -> Grapevine:
    chats = Chats()
    first = {fact.name: [n for n, one in enumerate(people.written()) if fact.name in one.told] for fact in people.facts()}
    grapevine, contacts = Grapevine(people.facts(), chats, first), Contacts(log, chats)
    population = Population.of("resident", size * towns, group=np.repeat(np.arange(towns), size))
    minds = [RuleMind(Gossip(people.facts(), chance, people.sayings()))]
    Simulation(population, [chats, contacts, grapevine], minds, contacts.rounds(["grapevine"]), seed=seed).run_sync()
    return grapevine


def _known(grapevine: Grapevine, size: int, towns: int) -> Ints:
    return grapevine.knows.reshape(towns, size, -1).sum(axis=1)


async def _morning(seed: int, **settings: Any) -> Finished:
    return await running.in_memory(GenerativeAgents.of({**MORNING, "pass_chance": 1.0, **settings}), seed)


def _off(rule: Any, expected: tuple[float, ...]) -> float:
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


async def _told_by_model(context: ClaimContext, name: str) -> Measured:
    values: list[float] = []
    scenario = GenerativeAgents.of({"model": context.model, "interview_hours": 48})
    for seed in context.seeds[:3]:
        finished = await running.in_memory(scenario, seed)
        values.append(float(running.measure(finished, name)[0]))
    return Measured.estimated(mean_interval(np.array(values)), holds=True)
