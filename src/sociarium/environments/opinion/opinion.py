"""Agents on a network who hold an opinion and hear one another. Those who act say what they hold; all others follow the model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from sociarium.environments.columnar import Cells, ColumnarEnvironment
from sociarium.environments.opinion import models
from sociarium.environments.opinion.kernels import ONE, averages, confident_averages, meet_in_turn
from sociarium.environments.wording import Wording
from sociarium.kernel.actions import ActionTable, Number, action
from sociarium.kernel.content import Block, Content, Layer
from sociarium.kernel.environment import AgentIds, Events, Groups, Outcome, State
from sociarium.kernel.errors import UsageError
from sociarium.kernel.network import Network
from sociarium.kernel.turn import Observations, Turn

Array = NDArray[Any]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Model(StrEnum):
    """How opinions move by themselves."""

    NONE = "none"  # only minds change opinions
    DEGROOT = "degroot"
    FRIEDKIN_JOHNSEN = "friedkin-johnsen"
    BOUNDED_CONFIDENCE = "bounded-confidence"
    DEFFUANT = "deffuant"
    VOTER = "voter"


@dataclass(frozen=True, slots=True)
class OpinionRules:
    """``own``: weight of the own opinion in an average. ``susceptibility``: of Friedkin and Johnsen; a column of that name in the
    population
    stands before it. ``confidence``: largest distance that still counts. ``convergence``: share of the distance that a pair moves.

    ``noise``: voters take 0 or 1 by a coin with this probability; with bounded confidence and Deffuant an agent's opinion is, with this
    probability, drawn anew (Pineda, Toral and Hernández-García 2009); averages get a normal error of this standard deviation. ``binary``:
    opinions begin as 0 or 1, 1 with probability ``share``.
    """

    model: Model = Model.DEGROOT
    own: float = 0.5
    susceptibility: float = 1.0
    confidence: float = 0.2
    convergence: float = 0.5
    noise: float = 0.0
    binary: bool = False
    share: float = 0.5

    def __post_init__(self) -> None:
        for name in ("own", "susceptibility", "noise", "share"):
            if not 0 <= getattr(self, name) <= 1:
                raise UsageError(f"{name} is {getattr(self, name)}; it lies from 0 to 1")
        if self.confidence < 0 or not 0 < self.convergence <= 0.5:
            raise UsageError(f"confidence is {self.confidence} and convergence {self.convergence}: 0 or more, and above 0 up to one half")


@dataclass(frozen=True, slots=True)
class OpinionWording(Wording):
    """Places: opinion (own), heard (mean of those heard), listens (how many they are)."""

    rules: str = ""
    state: str = "You stand at $opinion on a scale from 0 to 1. The $listens people you listen to stand at $heard on average."

    PLACES: ClassVar[Mapping[str, frozenset[str]]] = dict.fromkeys(("rules", "state"), frozenset({"opinion", "heard", "listens"}))


class Opinion(ColumnarEnvironment):
    """One network over all agents; its edges stay within groups. Opinions begin as the population's column ``opinion``, or are drawn."""

    name: ClassVar[str] = "opinion"

    held: NDArray[np.int32]  # in parts of 2**-30, (agents,)
    start: NDArray[np.int32]  # what each began with
    spoken: NDArray[np.bool_]  # whether it acted in this tick

    def __init__(self, network: Network, rules: OpinionRules | None = None, wording: OpinionWording | None = None) -> None:
        self.network = network
        self.rules = rules or OpinionRules()
        self.wording = wording or OpinionWording()
        self.group_cells: Mapping[str, Cells] = {}
        self.agent_cells = {"held": Cells(np.int32), "start": Cells(np.int32), "spoken": Cells(np.bool_)}

    def begin(self, groups: Groups) -> None:
        population = self.world.population
        if self.network.nodes != len(population) and len(groups) == self.world.groups:
            raise UsageError(f"the network has {self.network.nodes} nodes, the population {len(population)} agents; they must be as many")
        self._make_room()
        if self.world.groups > 1:
            group = self.group_of(population.ids(present=False))
            if (group[self.network.sources()] != group[self.network.targets]).any():
                raise UsageError("an edge of the opinion network leads from one group to another; groups are worlds that never touch")
        agents = self.agents_of(groups)
        self.held[agents] = self._first(agents)
        self.start[agents] = self.held[agents]

    def admit(self, agents: AgentIds) -> None:
        """Newcomers hear nobody, and nobody hears them."""
        super().admit(agents)
        self._make_room()
        self.held[agents] = self.start[agents] = self._first(agents)

    def load(self, state: State, groups: Groups | None = None) -> None:
        super().load(state, groups)
        self._make_room()

    def observe(self, turn: Turn) -> Mapping[str, Array]:
        """opinion (own), heard (mean opinion of those it listens to; nan where there are none), listens (how many)."""
        agents = turn.agents
        listens = self.network.starts[agents + 1] - self.network.starts[agents]
        heard = models.floating(averages(self.network, self.held, 0.0))[agents]
        return {
            "opinion": models.floating(self.held[agents]), "heard": np.where(listens > 0, heard, np.nan), "listens": listens,
        }  # fmt: skip

    def describe(self, seen: Observations, row: int) -> Content:
        columns = seen[self.name]
        places = {name: columns[name][row] for name in ("opinion", "heard", "listens")}
        blocks = [
            Block(self.wording.say("rules", **places), origin=self.name, layer=Layer.SHARED),
            Block(self.wording.say("state", **places), origin=self.name),
        ]
        return tuple(block for block in blocks if block.text)

    @action("Say what you think now.", opinion=Number(0.0, 1.0, doc="your opinion, from 0 to 1"))
    def express(self, turn: Turn, seen: Observations, table: ActionTable) -> Outcome:
        """From the close of the phase on this is the agent's opinion; in this tick the model does not move it. The last word counts."""
        self.held[table.agents] = models.fixed(table["opinion"])
        self.spoken[table.agents] = True
        return Outcome([Events("expressed", table.agents, {"opinion": table["opinion"]}, "own")])

    def advance(self, to: int) -> Outcome | None:
        """Everyone who did not speak hears the others and follows the model."""
        if self.rules.model is not Model.NONE:
            moved = self._moved()
            self.held = np.where(self.spoken | ~self._going(), self.held, moved)
        self.spoken[:] = False
        return None

    def measures(self) -> Mapping[str, Array]:
        """A group: mean, variance, and polarisation (four times the variance: 1 where halves stand at the ends), of those present."""
        present = self.world.population.ids()
        opinion, group, size = models.floating(self.held[present]), self.group_of(present), self.world.groups
        count = np.bincount(group, minlength=size)
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = np.bincount(group, weights=opinion, minlength=size) / count
            variance = np.bincount(group, weights=(opinion - mean[group]) ** 2, minlength=size) / count
        return {"mean": mean, "variance": variance, "polarisation": 4 * variance}

    def _make_room(self) -> None:
        if self.network.nodes < len(self.held):
            self.network = self.network.grown(len(self.held))

    def _going(self) -> NDArray[np.bool_]:
        """Who is present, in a group that goes on."""
        going = np.zeros(len(self.held), np.bool_)
        going[self.world.awake()] = True
        return going

    def _first(self, agents: AgentIds) -> NDArray[np.int32]:
        population, rules = self.world.population, self.rules
        if any("opinion" in table for table in population):
            return models.fixed(population.get(agents, "opinion"))
        drawn = self.world.randomness.stream("opinion.start").uniform(agents)
        return models.fixed(np.asarray(drawn < rules.share, np.float64) if rules.binary else drawn)

    def _moved(self) -> NDArray[np.int32]:
        rules, network, everyone = self.rules, self.network, np.arange(len(self.held))
        random = self.world.randomness.stream("opinion", self.world.clock.tick)
        match rules.model:
            case Model.VOTER:
                return models.copied(network, self.held, random, everyone, rules.noise)
            case Model.BOUNDED_CONFIDENCE:
                return self._drawn_anew(confident_averages(network, self.held, round(rules.confidence * ONE)))
            case Model.DEFFUANT:
                held = self.held.copy()
                self._meet(held)
                return self._drawn_anew(held)
            case Model.FRIEDKIN_JOHNSEN:
                moved = models.anchored(averages(network, self.held, rules.own), self.start, self._susceptibility())
            case _:
                moved = averages(network, self.held, rules.own)
        if rules.noise > 0:
            error = rules.noise * random.normal(everyone, 50)
            moved = np.clip(np.rint(moved + error * ONE), 0, ONE).astype(np.int32)
        return moved

    def _meet(self, held: NDArray[np.int32]) -> None:
        """Each agent meets one of those it hears with probability one half; the order of meetings is drawn."""
        random = self.world.randomness.stream("opinion.meeting", self.world.clock.tick)
        going = self._going() & ~self.spoken
        everyone = np.arange(len(held))
        other = models.heard_by(self.network, everyone, random.uniform(everyone, 1))
        meets = everyone[(random.uniform(everyone) < 0.5) & going & going[other]]
        meets = meets[random.order(meets, 2)]
        meet_in_turn(meets, other[meets], round(self.rules.confidence * ONE), self.rules.convergence, held)

    def _drawn_anew(self, held: NDArray[np.int32]) -> NDArray[np.int32]:
        if self.rules.noise <= 0:
            return held
        random, everyone = self.world.randomness.stream("opinion.anew", self.world.clock.tick), np.arange(len(held))
        return np.where(random.uniform(everyone) < self.rules.noise, models.fixed(random.uniform(everyone, 1)), held)

    def _susceptibility(self) -> Floats:
        population = self.world.population
        if all("susceptibility" in table for table in population):
            return np.asarray(population.get(np.arange(len(self.held)), "susceptibility"), np.float64)
        return np.full(len(self.held), self.rules.susceptibility)
