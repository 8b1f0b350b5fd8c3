"""A town in which people stay at home or not, and a model that answers by what its prompt says."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from sociarium.kernel.actions import Choice, Flag, Number, action
from sociarium.kernel.environment import Environment, Events, Outcome
from sociarium.kernel.population import Population
from sociarium.kernel.schedule import Rounds
from sociarium.kernel.simulation import Simulation
from sociarium.kernel.turn import Phase
from sociarium.minds.archetype import ArchetypeMind, Question
from sociarium.minds.behaviour import Behaviour, Behaviours, Chance
from sociarium.minds.grouping import Grouping, Told
from sociarium.minds.prompts import PromptPack
from sociarium.models.backends.scripted import ScriptedBackend
from sociarium.models.request import Reply
from sociarium.models.service import ModelService
from sociarium.testing.memory_journal import MemoryJournal

PACK = PromptPack(Path(__file__).parent / "prompts")
AGES, SEXES, COUNTIES = ("a child", "an adult", "an old person"), ("a woman", "a man"), ("Kings", "Queens")
SHARES = dict(zip(AGES, (0.1, 0.5, 0.9), strict=True))


class Town(Environment):
    """Counts who stays at home; cases are those who did not, and are told to all of the group on the next day."""

    name = "town"

    def __init__(self, moves=True):
        self.moves = moves

    def reset(self, world, groups):
        super().reset(world, groups)
        self.cases = np.full(world.groups, 100.0)
        self.home = np.zeros((world.groups, 1))
        self.days = []

    def observe(self, turn):
        return {"cases": self.cases[self.world.population.get(turn.agents, "group")]}

    @action("Stay at home.")
    def isolate(self, turn, seen, table):
        if turn.kind != "probe":
            self.days.append(table.agents.copy())
        population = self.world.population
        here = np.unique(population.get(turn.agents, "group"))
        self.home[here, 0] = np.bincount(population.get(table.agents, "group"), minlength=self.world.groups)[here]
        if self.moves:
            self.cases[here] += 1.0 + self.home[here, 0] % 3
        return Outcome([Events("stayed", table.agents, kept=False)])

    @action("Work and spend.", work=Flag(), spend=Number(low=0, high=1))
    def earn(self, turn, seen, table):
        self.days.append((table.agents.copy(), table["work"].copy(), table["spend"].copy()))

    @action("Go somewhere.", where=Choice(options=("park", "shop", "home")))
    def go(self, turn, seen, table):
        self.days.append((table.agents.copy(), table["where"].copy()))

    def measures(self):
        return {"home": self.home[:, 0], "cases": self.cases}

    def state(self, groups=None):
        at = slice(None) if groups is None else groups
        return {"cases": self.cases[at].copy(), "home": self.home[at].copy()}

    def load(self, state, groups=None):
        if state:
            at = slice(None) if groups is None else groups
            self.cases[at], self.home[at] = state["cases"], state["home"]


def people(agents, groups=1, seed=5):
    """Ages 0 to 99, two sexes, two counties by name."""
    drawn = np.random.default_rng(seed)
    return Population.of(
        "citizen",
        agents,
        group=np.arange(agents) * groups // agents,
        age=drawn.integers(0, 100, agents).astype(np.int16),
        sex=drawn.integers(0, 2, agents).astype(np.int8),
        county=np.array(COUNTIES, object)[drawn.integers(0, 2, agents)],
    )


AGE = Grouping.binned("age", (18, 65), AGES)
SEX = Grouping.coded("sex", SEXES)
COUNTY = Grouping.named("county", COUNTIES)
CASES = Told("cases", "town.cases")
STAY = Behaviours([Chance("stay", "the share of such people who stay at home")], [Behaviour("town.isolate", when="stay")])


def question(**changes):
    given = {"name": "isolation", "behaviours": STAY, "variables": (AGE, SEX, CASES), "prompt": "isolation"} | changes
    return Question(**given)


def by_age(request, draw):
    """The share of an age, by the words of the prompt."""
    text = request.blocks[-1].text
    return f'{{"stay": {next(share for words, share in SHARES.items() if words in text)}}}'


def by_cases(request, draw):
    """More stay at home the more cases there are; draws differ a little."""
    cases = float(re.search(r"cases: (\d+)", request.blocks[-1].text)[1])
    heard = sum(block.role == "assistant" for block in request.blocks)
    return f'{{"stay": {min(1.0, cases / 1000 + (draw or 0) % 7 / 100 + heard / 50)}}}'


def town(
    agents=120, groups=1, *, reply=by_age, ask=None, mind=None, ticks=3, seed=1, journal=None, phases=None, moves=True, backend=None, **more
):
    """A simulation, with ``backend`` and ``service`` where a model answers."""
    journal = journal or MemoryJournal()
    backend = backend or ScriptedBackend(reply)
    service = ModelService({"default": backend}, journal=journal, seed=seed)
    mind = mind or ArchetypeMind(ask or question(), PACK)
    phases = phases or [Phase("day", "town", offers=("isolate",))]
    simulation = Simulation(people(agents, groups), [Town(moves)], [mind], Rounds(phases, ticks), seed=seed, door=service, **more)
    simulation.backend, simulation.journal = backend, journal
    return simulation


def failing(when):
    """``by_age``, but a refusal where ``when(request)``."""
    return lambda request, draw: Reply(finish="refusal", text="no") if when(request) else by_age(request, draw)


def by_fives(request, draw):
    """A reply for shares of three places."""
    return '{"where": {"park": 1, "shop": 3, "home": 0}}'
