"""Small environments and minds that the kernel's tests share."""

from __future__ import annotations

import asyncio

import numpy as np

from sociarium.kernel.actions import Actions, Integer, Number, Text, action, operation
from sociarium.kernel.environment import Environment, Events, Outcome
from sociarium.kernel.mind import Mind
from sociarium.kernel.population import Population
from sociarium.kernel.schedule import Rounds
from sociarium.kernel.simulation import Simulation
from sociarium.kernel.turn import Phase
from sociarium.testing import ticks_of


class Counter(Environment):
    """Each agent adds to the count of its group. What is shown, who hears, and what ends is up to the test."""

    name = "counter"

    def __init__(self, audience="group", end_at=10**9, kept=True):
        self.audience, self.end_at, self.kept = audience, end_at, kept
        self.noticed = []

    def reset(self, world, groups):
        super().reset(world, groups)
        counts = np.zeros(world.groups)
        counts[: len(getattr(self, "counts", ()))] = getattr(self, "counts", ())
        counts[groups] = 0
        self.counts = counts

    def observe(self, turn):
        return {"count": self.counts[self.world.population.get(turn.agents, "group")]}

    @action("Add to the count.", amount=Integer(low=0, high=10), weight=Number(low=0, high=1), secret=Text(private=True))
    def add(self, turn, seen, table):
        groups = self.world.population.get(table.agents, "group")
        self.counts += np.bincount(groups, table["amount"], len(self.counts))
        data = {"amount": table["amount"], "secret": table["secret"]}
        recipients = [np.array([0], np.int64)] * len(table) if self.audience == "some" else None
        events = Events("added", table.agents, data, self.audience, recipients, kept=self.kept, private=frozenset({"secret"}))
        ended = np.flatnonzero(self.counts >= self.end_at)
        return Outcome([events], ended=ended if len(ended) else None, rewards=[(table.agents, table["amount"] * 1.0)])

    def notice(self, events):
        self.noticed += [(news.kind, news.actors.tolist(), sorted(news.data)) for news in events]

    @operation("Set all counts.")
    def set_count(self, value):
        self.counts[:] = value
        return Outcome([Events("set", np.full(self.world.groups, -1), {"value": value}, groups=np.arange(self.world.groups))])

    def measures(self):
        return {"count": self.counts}

    def state(self, groups=None):
        return {"counts": self.counts[slice(None) if groups is None else groups].copy()}

    def load(self, state, groups=None):
        if state:
            self.counts[slice(None) if groups is None else groups] = state["counts"]


class Listener(Environment):
    """Hears what happens elsewhere."""

    name = "listener"

    def reset(self, world, groups):
        super().reset(world, groups)
        self.noticed = []

    def notice(self, events):
        self.noticed += [(news.kind, news.actors.tolist(), sorted(news.data)) for news in events]


class Adder(Mind):
    """Adds its number plus one; remembers whom it was given and what it heard."""

    def __init__(self, amount=1, *, hears=False, paced=False, keeps=False):
        self.amount, self.hears, self.paced, self.keeps = amount, hears, paced, keeps
        self.given, self.heard, self.learned = [], [], []

    def admit(self, agents):
        self.given += agents.tolist()

    async def decide(self, turn, seen):
        if not turn.offers:
            return Actions()
        return Actions.one(turn, "add", amount=self.amount, weight=0.5, secret="s")

    def notice(self, events):
        for news in events:
            assert "secret" not in news.data
            for row, who in enumerate(news.recipients):
                self.heard += [(int(reader), news.kind, int(news.actors[row])) for reader in who]

    def learn(self, steps):
        self.learned.append((steps.tick, steps.agents.tolist(), steps.rewards.tolist()))


class Talk(Environment):
    """Lanes are tables of four inside one group; speakers rotate, each lane for as many turns as its number says."""

    name = "talk"

    def lanes(self, phase, awake, moment):
        from sociarium.kernel.turn import Lanes

        return Lanes.by(moment, awake, awake // 4)

    def turn(self, phase, lanes):
        live = np.flatnonzero(lanes.played < 2 + lanes.ids % 3)
        if not len(live):
            return None
        sizes = np.diff(lanes.starts)
        speakers = lanes.agents[lanes.starts[live] + lanes.played[live] % sizes[live]]
        return lanes.turn(speakers, lanes.ids[live])

    @action("Say.", text=Text())
    def say(self, turn, seen, table):
        return Outcome([Events("said", table.agents, {"text": table["text"]})])


class Talker(Mind):
    """Says how much it has heard, after a pause that differs from run to run."""

    hears = keeps = True

    def __init__(self, pauses=None):
        self.paced = pauses is not None
        self.pauses = pauses

    def begin(self, world):
        self.heard = {}

    async def decide(self, turn, seen):
        for _ in range(int(self.pauses.integers(0, 6)) if self.paced else 0):
            await asyncio.sleep(0)
        drawn = turn.random("words").uniform(turn.agents)
        words = [f"{a}:{len(self.heard.get(int(a), []))}:{u:.6f}" for a, u in zip(turn.agents, drawn, strict=True)]
        return Actions.one(turn, "say", text=np.array(words, object))

    def notice(self, events):
        for news in events:
            for row, who in enumerate(news.recipients):
                for reader in who.tolist():
                    self.heard.setdefault(reader, []).append((news.phase, int(news.actors[row]), str(news.data["text"][row])))

    def state(self):
        return {"heard": {str(agent): [list(item) for item in self.heard[agent]] for agent in sorted(self.heard)}}


def counting(agents=6, groups=2, *, minds=None, environments=None, ticks=3, seed=1, phases=None, **more):
    population = Population.of("agent", agents, group=np.arange(agents) * groups // agents)
    phases = phases or [Phase("add", "counter")]
    return Simulation(population, environments or [Counter()], minds or [Adder()], Rounds(phases, ticks), seed=seed, **more)


__all__ = ["Adder", "Counter", "Listener", "Talk", "Talker", "counting", "ticks_of"]
