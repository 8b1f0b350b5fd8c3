"""The public goods game: what is contributed is multiplied and shared equally, whoever contributed (Ledyard 1995)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from sociarium.environments.columnar import Cells, ColumnarEnvironment, first_rows
from sociarium.environments.games.partition import Partition
from sociarium.environments.wording import Wording
from sociarium.kernel.actions import Actions, ActionSpec, ActionTable, Number, action, bounded
from sociarium.kernel.content import Block, Content, Layer
from sociarium.kernel.environment import AgentIds, Events, Groups, Outcome
from sociarium.kernel.errors import UsageError
from sociarium.kernel.turn import Lanes, Moment, Observations, Phase, Turn
from sociarium.kernel.world import World

Array = NDArray[Any]
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class GoodsRules:
    """``endowment``: units a player has in each round. ``multiplier``: what contributions grow by. ``partition``: a column of whole
    numbers that splits groups into teams; without it a group is a team. ``keep_contributions`` False: counted, not stored.
    ``rewards`` False: minds are not told their payoffs to learn from."""

    endowment: float = 20.0
    multiplier: float = 1.6
    partition: str | None = None
    keep_contributions: bool = True
    rewards: bool = True

    def __post_init__(self) -> None:
        if not self.endowment > 0 or self.multiplier < 0:
            raise UsageError(f"endowment is {self.endowment} and multiplier {self.multiplier}: above 0, and 0 or more")


@dataclass(frozen=True, slots=True)
class GoodsWording(Wording):
    """Places: endowment, multiplier, round, and of the last round: contributed (own), average (of the
    team), payoff. ``again`` replaces ``first`` from the second round on."""

    rules: str = ""
    first: str = ""
    again: str = "Last round you gave $contributed, your team gave $average on average, and you earned $payoff."

    PLACES: ClassVar[Mapping[str, frozenset[str]]] = dict.fromkeys(
        ("rules", "first", "again"),
        frozenset({"endowment", "multiplier", "round", "contributed", "average", "payoff"}),
    )


class PublicGoods(ColumnarEnvironment):
    """Teams side by side; a team is a lane."""

    name: ClassVar[str] = "public_goods"

    rounds: Ints  # rounds played, (groups,)
    contribution: Floats  # mean of the last round; nan before, (groups,)
    earnings: Floats  # mean payoff of the last round, (groups,)
    contributed: Floats  # last, (agents,)
    payoff: Floats  # last, (agents,)
    average: Floats  # what the team gave last, an agent, (agents,)
    total: Floats  # what each team gave in this tick, (teams,)
    players: Ints  # and how many took part, (teams,)

    def __init__(self, rules: GoodsRules | None = None, wording: GoodsWording | None = None) -> None:
        self.rules = rules or GoodsRules()
        self.wording = wording or GoodsWording()
        nothing = Cells(np.float64, np.nan)
        self.group_cells = {"rounds": Cells(np.int64), "contribution": nothing, "earnings": nothing}
        self.agent_cells = {"contributed": nothing, "payoff": nothing, "average": nothing}
        self.partition: Partition | None = None
        self._lent = False  # whether minds and events hold these very arrays, so that they must not be written into

    def reset(self, world: World, groups: Groups) -> None:
        self._take_back()
        super().reset(world, groups)

    def begin(self, groups: Groups) -> None:
        self._split()

    def admit(self, agents: AgentIds) -> None:
        super().admit(agents)
        self._split()

    def actions(self) -> tuple[ActionSpec, ...]:
        return tuple(bounded(spec, "amount", high=self.rules.endowment) for spec in super().actions())

    def lanes(self, phase: Phase, awake: AgentIds, moment: Moment) -> Lanes:
        return self._parts().lanes(moment, awake)

    def observe(self, turn: Turn) -> Mapping[str, Array]:
        """endowment, round, and of the last round (nan before it): contributed (own), average (of the team), payoff."""
        size, everyone = len(turn.agents), self._everyone(turn.agents)
        one_world = self.world.groups == 1
        rounds = np.broadcast_to(self.rounds[0] + 1, size) if one_world else self.rounds[self.group_of(turn.agents)] + 1
        cells = {name: getattr(self, name) for name in self.agent_cells}
        last = cells if everyone else {name: cell[turn.agents] for name, cell in cells.items()}
        self._lent = self._lent or everyone
        return {"endowment": np.broadcast_to(np.float64(self.rules.endowment), size), "round": rounds, **last}

    def describe(self, seen: Observations, row: int) -> Content:
        columns = seen[self.name]
        places = {name: columns[name][row] for name in ("endowment", "round", "contributed", "average", "payoff")}
        places["multiplier"] = self.rules.multiplier
        part = "first" if np.isnan(columns["contributed"][row]) else "again"
        blocks = [
            Block(self.wording.say("rules", **places), origin=self.name, layer=Layer.SHARED),
            Block(self.wording.say(part, **places), origin=self.name),
        ]
        return tuple(block for block in blocks if block.text)

    @action("Contribute to the common project.", amount=Number(0, 20, doc="what you give of your endowment", unit="units"))
    def contribute(self, turn: Turn, seen: Observations, table: ActionTable) -> Outcome:
        """Who does not contribute gives nothing. payoff = endowment - own + multiplier * sum of the team / its size."""
        outcome = Outcome()
        given = self._given(turn, table, outcome)
        parts, rules = self._parts(), self.rules
        total, counts = parts.sums(turn.agents, given), parts.counts(turn.agents)
        mean = np.divide(total, counts, out=np.zeros(len(parts)), where=counts > 0)
        average = parts.spread(turn.agents, mean)
        payoff = np.multiply(average, rules.multiplier)
        payoff += rules.endowment
        payoff -= given
        self.total += total
        self.players += counts
        self._keep(turn.agents, {"contributed": given, "payoff": payoff, "average": average})
        events = Events(
            "contributed", turn.agents, {"amount": given, "payoff": payoff}, "own", lanes=turn.lanes, kept=rules.keep_contributions
        )
        if self.world.groups == 1:
            events.groups = np.broadcast_to(np.int64(0), given.shape)
        outcome.events.append(events)
        if rules.rewards:
            outcome.rewards.append((turn.agents, payoff))
        return outcome

    def apply(self, turn: Turn, seen: Observations, actions: Actions) -> Outcome:
        if not turn.offered(f"{self.name}.contribute"):
            return Outcome()
        nobody = ActionTable(np.empty(0, np.int64), {"amount": np.empty(0)})
        return self.contribute(turn, seen, actions.of(self.name).get("contribute", nobody))

    def advance(self, to: int) -> Outcome | None:
        """The round is over: teams are put together."""
        parts = self._parts()
        players, total = parts.by_group(self.players, self.world.groups), parts.by_group(self.total, self.world.groups)
        played = np.flatnonzero(players > 0)
        self.contribution[played] = total[played] / players[played]
        self.earnings[played] = self.rules.endowment + (self.rules.multiplier - 1) * self.contribution[played]
        self.rounds[played] += 1
        self.total[:], self.players[:] = 0, 0
        return None

    def measures(self) -> Mapping[str, Array]:
        """contribution and payoff: means of the last round (nan before it), rounds."""
        return {"contribution": self.contribution.copy(), "payoff": self.earnings.copy(), "rounds": self.rounds.copy()}

    def load(self, state: dict[str, Any], groups: Groups | None = None) -> None:
        self._take_back()
        super().load(state, groups)
        self._split()

    def _given(self, turn: Turn, table: ActionTable, outcome: Outcome) -> Floats:
        if table.agents is turn.agents:
            return np.array(table["amount"], np.float64)  # a copy: the mind may use its array again
        first = first_rows(table.agents)
        if not first.all():
            outcome.refuse(f"{self.name}.contribute", table.agents[~first], "one contribution a round")
            table = table.where(first)
        everyone = np.zeros(len(self.contributed))
        everyone[table.agents] = table["amount"]
        return everyone[turn.agents]

    def _keep(self, agents: AgentIds, last: Mapping[str, Floats]) -> None:
        """What happened to these agents. Where they are everyone, the arrays are taken over as they are."""
        if self._everyone(agents):
            self._lent = True
            for name, values in last.items():
                setattr(self, name, values)
            return
        self._take_back()
        for name, values in last.items():
            getattr(self, name)[agents] = values

    def _take_back(self) -> None:
        """Arrays of our own again, before anything is written into them."""
        if self._lent:
            for name in self.agent_cells:
                setattr(self, name, getattr(self, name).copy())
        self._lent = False

    def _split(self) -> None:
        self.partition = parts = Partition.of(self.world.population, self.rules.partition)
        self.total, self.players = np.zeros(len(parts)), np.zeros(len(parts), np.int64)

    def _parts(self) -> Partition:
        assert self.partition is not None, "players are split into teams when the game begins"
        return self.partition

    def _everyone(self, agents: AgentIds) -> bool:
        """Whether these are all agents there ever were, in order of id."""
        if len(agents) != len(self.payoff):
            return False
        return agents is self.world.population.ids() or bool((agents[1:] > agents[:-1]).all())
