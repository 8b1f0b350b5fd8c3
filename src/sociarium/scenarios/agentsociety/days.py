"""How a day goes on, for all at once: steps end, needs are satisfied, a need rules, a plan begins, the next step is carried out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sociarium.environments.messages.forwarding import forwarded
from sociarium.environments.messages.messages import Messages
from sociarium.environments.mobility.mobility import Mobility
from sociarium.kernel.actions import Actions
from sociarium.kernel.environment import Events
from sociarium.kernel.mind import Mind
from sociarium.kernel.turn import Observations, Turn
from sociarium.kernel.units import DAY
from sociarium.kernel.world import World
from sociarium.minds.needs import Need, NeedColumns
from sociarium.minds.plans import MOST_STEPS, Plans, Step, StepType
from sociarium.scenarios.agentsociety.options import UNTIL_MORNING, chosen, minutes_until_morning, options

Array = NDArray[Any]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

WORKDAYS = (0, 1, 2, 3, 4)  # of a week that begins with day 1


@dataclass(frozen=True, slots=True)
class Caution:
    """What a warning does: ``cancel`` is the chance that a way to anywhere but home is not taken; ``workers``: also the way to work."""

    cancel: float = 0.0
    workers: bool = True


class Days:
    """Needs and plans of agents, and how they go on. Where a way is not taken, what it was for is done where one is."""

    def __init__(self, needs: NeedColumns, caution: Caution | None = None) -> None:
        self.needs, self.plans, self.caution = needs, Plans(), caution or Caution()
        self.options: Ints = np.empty(0, np.int64)  # which option each pursues
        self.lasts: Ints = np.empty(0, np.int64)  # minutes that the step takes at which each stays
        self.heeded: Ints = np.empty(0, np.int64)  # how many instructions each has taken up
        self.orders: dict[int, tuple[str, str, int]] = {}  # what an operator told an agent: text, where, minutes

    def admit(self, agents: Ints) -> None:
        self.plans.admit(agents)
        more = int(agents.max(initial=-1)) + 1 - len(self.options)
        if more > 0:
            self.options = np.concatenate([self.options, np.full(more, -1)])
            self.lasts = np.concatenate([self.lasts, np.ones(more, np.int64)])
            self.heeded = np.concatenate([self.heeded, np.zeros(more, np.int64)])

    def heed(self, turn: Turn, city: Mapping[str, Array]) -> None:
        """An operator's instruction outranks all needs, and an earlier instruction."""
        for row in np.flatnonzero(city["told"] > self.heeded[turn.agents]).tolist():
            agent, text = int(turn.agents[row]), str(city["order"][row])
            self.heeded[agent] = city["told"][row]
            self.orders[agent] = (text, str(city["order_where"][row]), int(city["order_minutes"][row]))
            self.needs.instruct(agent, text)
            if self.needs.pursued[agent] == Need.INSTRUCTED:
                self.needs.pursued[agent] = Need.WHATEVER

    def ordered(self, agent: int) -> tuple[Step, ...]:
        """The plan that an instruction comes to."""
        text, where, minutes = self.orders[agent]
        way = (Step(f"go to {where}", StepType.MOBILITY, where),) if where else ()
        return (*way, Step(text, StepType.OTHER, minutes=minutes))

    def ending(self, turn: Turn, city: Mapping[str, Array]) -> Bools:
        """Whose plan is over as this turn begins: its last step is done."""
        over = (city["left"] <= 0) & self.plans.active(turn.agents)
        over[over] = self.plans.at[turn.agents[over]] == self.plans.steps[turn.agents[over]] - 1
        return over

    def turn_over(self, turn: Turn, city: Mapping[str, Array], settled: Ints | None = None) -> tuple[Bools, Bools]:
        """Steps that are done end; those who need a plan now, and those who go on with the next step of theirs. What the plans of those
        in ``settled`` were for is satisfied already."""
        self.heed(turn, city)
        agents, time = turn.agents, turn.time
        ready = city["left"] <= 0
        going = ready & self.plans.active(agents)
        self.end(self.plans.next(agents[going]), time, settled)
        workday = (city["work"] >= 0) & (time // DAY % 7 in WORKDAYS)
        _, broken = self.needs.pursue(agents, time, workday=workday)
        left = broken & self.plans.active(agents)
        left[left] = self.plans.now(agents[left], "types") != StepType.MOBILITY
        self._satisfy(agents[left], 1.0 - city["left"][left] / self.lasts[agents[left]], time)
        fresh = broken | ~self.plans.active(agents)
        return fresh, going & ~fresh

    def end(self, over: Ints, time: int, settled: Ints | None = None) -> None:
        """What the plans of these agents were for is satisfied, but for those who are ``settled``."""
        given = over if settled is None else over[~np.isin(over, settled)]
        self._satisfy(given, np.ones(len(given)), time)
        for agent in over[self.needs.pursued[over] == Need.INSTRUCTED].tolist():
            self.orders.pop(agent, None)
        self.needs.done(over, time)

    def _satisfy(self, agents: Ints, share: Array, time: int) -> None:
        """What an option gives, or the share of it that is done when its plan is broken off."""
        gives = np.array([option.gives for option in options()] + [(0.0,) * 4])[self.options[agents]] * np.clip(share, 0, 1)[:, None]
        for level in range(4):
            some = gives[:, level] > 0
            if some.any():
                self.needs.satisfy(agents[some], level, by=gives[some, level], time=time)

    def choose(self, turn: Turn, agents: Ints, works: Bools) -> None:
        """Plans by rule: what one was told to do, else the best option against the need that rules."""
        told = self.needs.pursued[agents] == Need.INSTRUCTED
        for agent in agents[told].tolist():
            self.options[agent] = -1  # gives nothing
            self.plans.begin(np.array([agent]), np.zeros(1, np.int64), [self.ordered(agent)])
        agents, works = agents[~told], works[~told]
        if len(agents):
            which = chosen(self.needs.pursued[agents], agents, works, turn.time, turn.random("option"))
            self.options[agents] = which
            self.plans.begin(agents, which, [option.steps for option in options()])

    def carry_out(self, turn: Turn, city: Mapping[str, Array], rows: Ints, actions: Actions) -> None:
        """Actions for the steps that now begin, of the agents in these rows of the turn."""
        for number in range(MOST_STEPS):
            if not len(rows):
                return
            agents = turn.agents[rows]
            rows = rows[self.plans.active(agents)]
            agents = turn.agents[rows]
            moving = self.plans.now(agents, "types") == StepType.MOBILITY
            self._stay(turn, agents[~moving], actions)
            rows, agents = rows[moving], agents[moving]
            where = self.plans.now(agents, "where")
            to = np.where(where == "home", city["home"][rows], np.where(where == "work", city["work"][rows], -1))
            there = ((to >= 0) & (to == city["place"][rows])) | ((where == "work") & (to < 0))
            left_out = ~there & self._cancelled(turn, agents, where, city["warning"][rows], number)
            if left_out.any():
                actions.notes.append(Events("cancelled", agents[left_out], {"where": where[left_out]}, "nobody"))
            idle = there | left_out
            fixed = ~idle & (to >= 0)
            if fixed.any():
                actions.add(turn, "go", agents[fixed], place=to[fixed])
            visiting = ~idle & (to < 0)
            if visiting.any():
                actions.add(turn, "visit", agents[visiting], kind=where[visiting])
            self.end(self.plans.next(agents[idle]), turn.time)
            rows = rows[idle]

    def _cancelled(self, turn: Turn, agents: Ints, where: Array, warning: Array, number: int) -> Bools:
        outward = (where != "home") & (warning != "") & (self.needs.pursued[agents] != Need.INSTRUCTED)
        if not self.caution.workers:
            outward &= where != "work"
        if not outward.any():
            return outward
        return outward & (turn.random("cancel").uniform(agents, number) < self.caution.cancel)

    def _stay(self, turn: Turn, agents: Ints, actions: Actions) -> None:
        if len(agents):
            asleep = self.plans.now(agents, "where") == UNTIL_MORNING
            minutes = np.where(asleep, minutes_until_morning(turn.time), self.plans.now(agents, "minutes"))
            self.lasts[agents] = minutes
            actions.add(turn, "stay", agents, activity=self.plans.now(agents, "intentions"), minutes=minutes.astype(np.int64))

    def state(self) -> dict[str, Any]:
        orders = [[agent, *order] for agent, order in sorted(self.orders.items())]
        columns = {"options": self.options.copy(), "lasts": self.lasts.copy(), "heeded": self.heeded.copy()}
        return {"needs": self.needs.state(), "plans": self.plans.state(), **columns, "orders": orders}

    def load(self, state: Mapping[str, Any]) -> None:
        if state:
            self.needs.load(state["needs"])
            self.plans.load(state["plans"])
            self.orders = {int(agent): (str(text), str(where), int(minutes)) for agent, text, where, minutes in state["orders"]}
            self.options, self.lasts, self.heeded = (np.array(state[name], np.int64) for name in ("options", "lasts", "heeded"))


class RuleDays(Mind):
    """Everybody by rule: the ladder of needs, the option that scores highest, and messages along the friends one has."""

    def __init__(self, days: Days, messages: Messages, sentences: Array, chances: tuple[float, ...] = ()) -> None:
        self.days, self.messages, self.sentences, self.chances = days, messages, sentences, chances

    def begin(self, world: World) -> None:
        self.world = world

    def admit(self, agents: Ints) -> None:
        self.days.needs.admit(agents, self.world.clock.time)
        self.days.admit(agents)

    async def decide(self, turn: Turn, seen: Observations) -> Actions:
        if turn.phase.lead == Mobility.name:
            return self._lived(turn, seen[Mobility.name])
        return self._written(turn, seen) if turn.offered("send") else Actions()

    def _lived(self, turn: Turn, city: Mapping[str, Array]) -> Actions:
        actions = Actions()
        fresh, going = self.days.turn_over(turn, city)
        self.days.choose(turn, turn.agents[fresh], city["work"][fresh] >= 0)
        self.days.carry_out(turn, city, np.flatnonzero(fresh | going), actions)
        return actions

    def _written(self, turn: Turn, seen: Observations) -> Actions:
        """News is passed on; who is at a social step writes to a friend, mostly to a near one."""
        actions = forwarded(self.messages, turn, seen, self.chances)
        network = self.messages.network
        who = turn.agents[self.days.plans.doing(turn.agents, StepType.SOCIAL)]
        who = who[network.starts[who + 1] > network.starts[who]]
        if len(who):
            draw = turn.random("friend")
            upper = np.cumsum(network["strength"].astype(np.int64))
            below = np.where(network.starts[who] > 0, upper[network.starts[who] - 1], 0)
            wanted = draw.integers(below, upper[network.starts[who + 1] - 1] - 1, who)
            to = network.targets[np.searchsorted(upper, wanted, side="right")]
            actions.add(turn, "send", who, to=to, text=self.sentences[draw.integers(0, len(self.sentences) - 1, who, 1)])
        return actions

    def state(self) -> dict[str, Any]:
        return self.days.state()

    def load(self, state: Mapping[str, Any]) -> None:
        self.days.load(state)
