"""Cultural evolution in the donor game: twelve players a generation, whose better half hands its strategies on."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field, field_validator

from sociarium.environments.games.donor import STRATEGY, DonorGame
from sociarium.environments.games.rules import DonorRules, DonorWording
from sociarium.environments.games.strategies import StrategyComplexity
from sociarium.environments.wording import number
from sociarium.kernel.mind import Mind
from sociarium.kernel.population import Column, Population, Visibility
from sociarium.kernel.randomness import Randomness
from sociarium.kernel.schedule import Rounds
from sociarium.kernel.simulation import Simulation
from sociarium.kernel.turn import Phase
from sociarium.lab.scenario import Scenario
from sociarium.populations.quotas import exact_counts
from sociarium.scenarios.donor_game.minds import language_mind
from sociarium.scenarios.donor_game.policies import KINDS, Policy, Strategists

HERE = Path(__file__).parent
MIX = {"unconditional": 0.25, "defector": 0.25, "image": 0.25, "forgiving": 0.25}


class DonorEvolution(Scenario):
    """A generation plays two games with all roles swapped; the best by mean final resources survive."""

    slug: ClassVar[str] = "donor-game"
    title: ClassVar[str] = "Cultural evolution of giving"
    progress: ClassVar[tuple[str, ...]] = ("donor.stated", "donor.scored")
    headline: ClassVar[tuple[str, ...]] = (
        "donor.resources", "donor.donation", "donor.punishment_rate", "donor.selection_differential", "donor.mutation_bias",
        "strategies.complexity",
    )  # fmt: skip

    agents: int = Field(12, ge=6, le=1000, multiple_of=2, description="players in a generation")
    generations: int = Field(10, ge=1, le=10_000, description="generations (the released notebook has 2)")
    rounds: int = Field(12, ge=2, le=1000, multiple_of=2, description="rounds of one game; a generation plays two")
    endowment: float = Field(10, gt=0, description="at the start of each game", json_schema_extra={"unit": "units"})
    multiplier: float = Field(2, gt=0, description="the recipient gets this many times what is given; published: 1.5, 2, 3")
    punishment: bool = Field(False, description="players may punish instead of giving")
    punishment_factor: float = Field(2, ge=0, description="the punished loses this many times what is spent")
    refusal: bool = Field(False, description="players may refuse to play with a partner")
    trace_length: int = Field(3, ge=1, le=3, description="acts shown about a partner", json_schema_extra={"unit": "links"})
    survivors: float = Field(0.5, gt=0, lt=1, description="the part of a generation that goes on")
    selection: Literal["top", "random", "reputation"] = Field("top", description="who goes on: best by resources, by lot, or most generous")
    schedule: Literal["reference", "released"] = Field(
        "reference", description="released: as in the notebook, one side gives twice running between the halves of a game"
    )
    score: Literal["average", "released"] = Field("average", description="released: as in the notebook, only the second game counts")
    error_rate: float = Field(0, ge=0, le=1, description="the chance that an act becomes a gift of nothing")
    societies: int = Field(1, ge=1, le=1_000_000, description="societies side by side: groups of one run")
    temperature: float = Field(0.8, ge=0, le=2, description="of the language model: the source of variation")
    answer: Literal["answer", "schema"] = Field("schema", description="answer: in words, as in the paper; schema: one JSON value")
    retries: int = Field(2, ge=0, le=10, description="questions again after an answer that cannot be read (10 in the paper), each recorded")
    answer_tokens: int = Field(384, ge=8, le=32_768, description="longest answer", json_schema_extra={"unit": "tokens"})
    policies: dict[str, float] = Field(
        default_factory=lambda: dict(MIX), description=f"without a model: shares of founders by rule; rules: {', '.join(KINDS)}"
    )
    share: float = Field(0.5, ge=0, le=1, description="part of its resources that a founder gives when it gives")
    spread: float = Field(0.1, ge=0, le=1, description="standard deviation of that part among founders")
    floor: float = Field(0.25, ge=0, le=1, description="image scorers refuse who gave less than this part")
    slope: float = Field(0, ge=-10, le=10, description="of the rules links and tipping")
    mutation: float = Field(0.05, ge=0, le=1, description="standard deviation by which a newcomer changes the part it inherits")
    innovation: float = Field(0.02, ge=0, le=1, description="the chance that a newcomer takes the rule of a founder instead")

    @field_validator("policies", mode="before")
    @classmethod
    def _one_rule_for_all(cls, given: Any) -> Any:
        return {given: 1.0} if isinstance(given, str) else given

    @field_validator("policies")
    @classmethod
    def _known_rules(cls, given: dict[str, float]) -> dict[str, float]:
        if unknown := sorted(set(given) - set(KINDS)):
            raise ValueError(f"there is no rule {unknown[0]!r}; there are {', '.join(KINDS)}")
        return given

    def rules(self) -> DonorRules:
        return DonorRules(
            agents=self.agents,
            rounds=self.rounds,
            generations=self.generations,
            endowment=self.endowment,
            multiplier=self.multiplier,
            punishment=self.punishment,
            punishment_factor=self.punishment_factor,
            refusal=self.refusal,
            links=self.trace_length,
            survivors=self.survivors,
            selection=self.selection,
            error_rate=self.error_rate,
            released_schedule=self.schedule == "released",
            released_score=self.score == "released",
            keep_acts=self.societies <= 100,
        )

    def total_ticks(self) -> int:
        return self.rules().ticks

    def build(self, seed: int) -> Simulation:
        rules = self.rules()
        strategy = Phase("strategy", "donor", every=rules.generation_ticks, offers=("donor.state_strategy",))
        acts = ("donor.donate", *(("donor.punish",) if self.punishment else ()), *(("donor.refuse",) if self.refusal else ()))
        environments = [DonorGame(rules, DonorWording.read(HERE / "wording.yaml")), StrategyComplexity()]
        schedule = Rounds((strategy, Phase("game", "donor", offers=acts)), rules.ticks)
        return Simulation(self.population(seed), environments, [self.mind()], schedule, seed=seed)

    def mind(self) -> Mind:
        if self.model is not None:
            return language_mind(self)
        return Strategists(mutation=self.mutation, innovation=self.innovation, founders=tuple(self.policies), slope=self.slope)

    def population(self, seed: int) -> Population:
        """Players society by society. Founders without a model are born with their strategy."""
        count = self.agents * self.societies
        names = np.array([f"1_{at + 1}" for at in range(self.agents)], object)
        groups = np.repeat(np.arange(self.societies), self.agents)
        population = Population.of("player", count, name=np.tile(names, self.societies), group=groups)
        if self.model is None:
            own = Column(STRATEGY, str, "", Visibility.OWN, doc="what the player lives by")
            population["player"].add_column(own, self.founders(seed, count))
        return population

    def founders(self, seed: int, count: int) -> np.ndarray[Any, np.dtype[np.object_]]:
        """Exact counts of each rule in every society."""
        counts = exact_counts(list(self.policies.values()), self.agents).tolist()
        kinds = [kind for kind, many in zip(self.policies, counts, strict=True) for _ in range(many)]
        drawn = self.share + self.spread * Randomness(seed).stream("donor.founders").normal(np.arange(count))
        texts = np.empty(count, object)
        texts[:] = [
            Policy(kinds[at % self.agents], share, self.floor, self.slope).text() for at, share in enumerate(np.clip(drawn, 0, 1).tolist())
        ]
        return texts

    def told(self, kind: str, row: Mapping[str, Any]) -> str | None:
        if row.get("group", 0) != 0 or (kind == "donor.stated" and self.model is None):
            return None
        if kind == "donor.stated":
            return f"{row['name']}: {' '.join(str(row['text']).split())}"
        fate = "goes on" if row["survives"] else "leaves"
        return f"{row['name']} ends with {number(round(float(row['fitness']), 1))} units, gave {100 * row['donation']:.0f} %, and {fate}"

    def plot(self, folder: Path, target: Path) -> Path | None:
        from sociarium.scenarios.donor_game.showing import draw

        return draw(self, folder, target)
