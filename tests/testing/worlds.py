"""A small world with every mechanism a check looks at, and the same with one defect at a time."""

from __future__ import annotations

import numpy as np

from sociarium.kernel.actions import Actions, Number, Text, action
from sociarium.kernel.content import Block
from sociarium.kernel.environment import Environment, Events, Outcome
from sociarium.kernel.mind import Mind
from sociarium.kernel.population import Column, Population, Visibility
from sociarium.kernel.schedule import Rounds
from sociarium.kernel.simulation import Simulation
from sociarium.kernel.turn import Phase

AGENTS, GROUPS = 12, 3


class Pond(Environment):
    """Agents pour water into the pond of their group; whoever overfills it is refused. A storm comes by chance."""

    name = "pond"

    def __init__(self, defect=""):
        self.defect = defect

    def reset(self, world, groups):
        super().reset(world, groups)
        level = np.zeros(world.groups)
        if hasattr(self, "level"):
            level[: len(self.level)] = self.level
        level[groups] = 0.0
        self.level = level
        self.looks = np.zeros(1)
        self.calls = 0

    def admit(self, agents):
        if self.defect == "short":
            self.level = self.level[:1]

    def observe(self, turn):
        if self.defect == "impure":
            self.looks += 1
        groups = self.world.population.get(turn.agents, "group")
        if self.defect == "short column":
            return {"level": self.level}
        return {"level": self.level[groups], "note": self.world.population.get(turn.agents, "note")}

    def describe(self, seen, row):
        told = str(seen["pond"]["note"][row])
        if self.defect == "told of another":
            told = str(self.world.population["agent"]["note"][0])
        if self.defect == "told what is hidden":
            told = str(self.world.population["agent"]["role"][row])
        return (Block(told),)

    @action("Pour water.", amount=Number(low=0, high=5), why=Text(private=True))
    def pour(self, turn, seen, table):
        self.calls += 1
        groups = self.world.population.get(table.agents, "group")
        over = table["amount"] + self.level[groups] > 9
        outcome = Outcome()
        if over.any():
            outcome.refuse("pond.pour", table.agents[over], " " if self.defect == "no reason" else "the pond is full")
            if self.defect == "half":
                np.add.at(self.level, groups[over], 0.01)
        done = table.where(~over)
        amount = done["amount"]
        if self.defect == "counts calls":
            amount = amount + self.calls
        self.level += np.bincount(groups[~over], amount, len(self.level))
        if self.defect == "touches":
            self.level[:] += 0.001 * len(done)
        private = frozenset() if self.defect == "private told" else frozenset({"why"})
        outcome.events.append(Events("poured", done.agents, {"amount": amount, "why": done["why"]}, private=private))
        outcome.rewards.append((done.agents, amount))
        return outcome

    def advance(self, to):
        stream = self.world.randomness.stream("storm", self.world.clock.tick)
        groups = np.arange(self.world.groups)
        self.level[stream.uniform(groups) < 0.3] *= 0.5

    def measures(self):
        return {"level": self.level[:1] if self.defect == "short measure" else self.level}

    def state(self, groups=None):
        at = slice(None) if groups is None else groups
        level = self.level if self.defect == "alias" else self.level[at].copy()
        return {"level": level} | ({} if self.defect == "forgets" else {"looks": self.looks.copy()})

    def load(self, state, groups=None):
        if not state:
            return
        if groups is None or self.defect == "loads all":
            self.level = np.resize(np.array(state["level"]), self.world.groups)
        else:
            self.level[groups] = state["level"]
        if self.defect == "rounds":
            self.level = np.round(self.level, 2)


class Pourer(Mind):
    """Pours a random amount, less than it did last time."""

    hears = True

    def __init__(self, defect=""):
        self.defect = defect

    def begin(self, world):
        self.world = world
        self.heard = np.zeros(0, np.int64)
        self.decided = np.zeros(1, np.int64)

    def admit(self, agents):
        self.heard = np.concatenate([self.heard, np.zeros(max(0, agents.max() + 1 - len(self.heard)), np.int64)])

    async def decide(self, turn, seen):
        if not turn.offered("pour"):
            return Actions()
        if self.defect == "probe":
            self.decided += 1
        amount = 5 * turn.random("amount").uniform(turn.agents) / (1 + self.heard[turn.agents])
        if self.defect == "batch":
            amount = amount / len(turn.agents)
        if self.defect == "illegal":
            amount = amount + 5
        return Actions.one(turn, "pour", amount=amount, why=np.array([f"reason {a}" for a in turn.agents], object))

    def notice(self, events):
        for news in events:
            for who in news.recipients:
                self.heard[who] += 1

    def state(self):
        return {"heard": self.heard.copy(), "decided": self.decided.copy()}

    def load(self, state):
        self.heard = np.array(state["heard"]) * (0 if self.defect == "load" else 1)
        self.decided = np.array(state["decided"])


def pond(defect="", mind="", seed=1, ticks=4):
    columns = (Column("note", str, "", Visibility.OWN), Column("role", str, "", Visibility.HIDDEN))
    agents = np.arange(AGENTS)
    population = Population.of(
        "agent", AGENTS, columns, group=agents * GROUPS // AGENTS, note=[f"note {a}" for a in agents], role=["fox"] * AGENTS
    )
    return Simulation(population, [Pond(defect)], [Pourer(mind)], Rounds([Phase("pour", "pond")], ticks), seed=seed)
