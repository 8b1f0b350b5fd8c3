"""Claims about every step of a day: the laws of time and space, and that a run can be stopped, resumed and replayed."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from sociarium.environments.conversation.grapevine import Grapevine
from sociarium.environments.town.body import CODE, THINGS
from sociarium.environments.town.town import Town
from sociarium.kernel.errors import Interrupted
from sociarium.kernel.mind import Mind
from sociarium.kernel.records import TickRecord
from sociarium.kernel.simulation import Simulation
from sociarium.lab import running
from sociarium.lab.claims import ClaimContext, Measured, claim
from sociarium.lab.running import Options
from sociarium.minds.agenda import Agenda
from sociarium.minds.habits import Habits
from sociarium.minds.language.mind import LanguageMind
from sociarium.minds.language.town.dayplan import DayPlan
from sociarium.scenarios.generative_agents.scenario import GenerativeAgents

Ints = NDArray[np.int64]

DAY_STEPS = 8640


@claim("time-and-space")
def time_and_space(context: ClaimContext) -> Measured:
    """Every step of a day is looked at."""
    day = whole_day(context.seeds[0])
    much = day.steps == DAY_STEPS and day.moved > 1000 and day.noticed > 1000
    return Measured.exactly(float(day.violations), holds=day.violations == 0 and much)


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


@claim("resume-equals-unbroken")
async def resume_equals_unbroken(context: ClaimContext) -> Measured:
    """An hour by rule, and a quarter of one in which every thought is a model's: whole, stopped and resumed, and replayed."""
    by_rule = await _broken({"start": 7, "hours": 1.0}, context.seeds[0], 199)
    thought = {"model": "scripted:schema", "embedder": "hashing", "start": 7, "hours": 0.25, "size": 5}
    differing = by_rule + await _broken(thought, context.seeds[0], 59)
    return Measured.exactly(float(differing), holds=differing == 0)


async def _broken(settings: dict[str, Any], seed: int, last: int) -> int:
    """How many of a resumed run (stopped after the tick ``last``) and of its replay differ from the run that nobody stopped."""
    scenario = GenerativeAgents.of(settings)
    with TemporaryDirectory() as folder:
        whole = await running.start(scenario, seed, Path(folder) / "whole")
        broken = Path(folder) / "broken"

        def stop(record: TickRecord) -> None:
            if record.tick == last:
                stopped[0].stopping = True

        stopped: list[Simulation] = []
        options = Options(on_tick=[stop], on_built=[lambda _, simulation: stopped.append(simulation)], snapshot_every=77)
        with suppress(Interrupted):
            await running.start(scenario, seed, broken, options)
        resumed = await running.resume(broken, lambda _: GenerativeAgents)
        replayed = await running.replay(broken, lambda _: GenerativeAgents)
    return sum(other.digest != whole.digest for other in (resumed, replayed))


@dataclass(slots=True)
class Day:
    """What is kept of a day: contacts as (tick, one, other), who knows what at its end, and broken laws."""

    log: Ints = field(default_factory=lambda: np.empty((0, 3), np.int64))
    knows: NDArray[np.bool_] = field(default_factory=lambda: np.empty((0, 2), np.bool_))
    violations: int = 0
    moved: int = 0
    noticed: int = 0
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
        day.violations += int((self.known & ~known).sum()) + self._unseen(known & ~self.known)
        who, which = np.nonzero(town.fresh >= 0)
        subject = town.fresh[who, which] // CODE
        at = np.where(subject < THINGS, town.tile[np.minimum(subject, len(town.tile) - 1)], where.middle[np.maximum(subject - THINGS, 0)])
        day.noticed += len(who)
        day.violations += int((self._out_of_sight(town.tile[who], at) | town.asleep[who]).sum())
        changed = record.tick % 360 == 359
        for rows in record.events:
            changed |= rows.kind in ("chats.ended", "town.waited")
            if rows.kind == "town.met":
                self._met(record.tick, rows.actors.tolist(), rows.data["other"].tolist())
            elif rows.kind == "chats.said":
                day.violations += int((self.asleep[rows.actors] | town.asleep[rows.actors]).sum())
        for agenda in agendas_of(self.mind) if changed else ():
            day.violations += sum(entry.minutes for entry in agenda.entries) != 1440
        self.tile, self.known, self.asleep = town.tile.copy(), known, town.asleep.copy()
        day.steps += 1

    def _out_of_sight(self, looker: Ints, at: Ints) -> NDArray[np.bool_]:
        """Whether a tile lies beyond sight of another, or in another room."""
        where = self.town.map
        (x, y), (to_x, to_y) = where.xy(looker), where.xy(at)
        far = np.maximum(np.abs(x - to_x), np.abs(y - to_y)) > self.scenario.vision
        return far | (where.arena[looker] != where.arena[at])

    def _unseen(self, new: NDArray[np.bool_]) -> int:
        """How many of the places that came to be known are neither where one is nor an object in sight."""
        where, (who, place) = self.town.map, np.nonzero(new)
        room = where.arena[self.town.tile[who]]
        mine = (place == room) | (place == where.parents[room])
        at = where.middle[np.clip(np.searchsorted(where.objects, place), 0, len(where.objects) - 1)]
        seen = np.isin(place, where.objects) & ~self._out_of_sight(self.town.tile[who], at)
        return int((~mine & ~seen).sum())

    def _met(self, tick: int, who: list[int], whom: list[int]) -> None:
        for one, other in zip(who, whom, strict=True):
            pair = (min(one, other), max(one, other))
            self.contacts.append((tick, one, other))
            self.day.violations += tick - self.last.get(pair, -(10**9)) < self.scenario.cooldown
            self.day.violations += int(self.asleep[[one, other]].sum() + self.town.asleep[[one, other]].sum())
            self.last[pair] = tick


def agendas_of(mind: Mind) -> list[Agenda]:
    """The days of all residents, by whatever mind they live."""
    if isinstance(mind, Habits):
        return list(mind.agendas.values())
    parts = mind.components if isinstance(mind, LanguageMind) else []
    return [day.agenda for part in parts if isinstance(part, DayPlan) for day in part.plans.values()]
