"""A population composed of domains: an epidemic, a labour market, opinions on a network; or predators and prey on a grid."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field, field_validator

from sociarium.environments.ecology.ecology import Ecology, EcologyRules
from sociarium.environments.epidemic.disease import Disease
from sociarium.environments.epidemic.epidemic import Epidemic
from sociarium.environments.epidemic.graphs import random_network
from sociarium.environments.epidemic.layers import Layer
from sociarium.environments.epidemic.rules import EpidemicRules
from sociarium.environments.labour.labour import Labour, LabourRules
from sociarium.environments.opinion.opinion import Model, Opinion, OpinionRules
from sociarium.kernel.environment import Environment
from sociarium.kernel.errors import UsageError
from sociarium.kernel.network import Network
from sociarium.kernel.population import Population
from sociarium.kernel.randomness import Randomness
from sociarium.kernel.schedule import Rounds
from sociarium.kernel.simulation import Simulation
from sociarium.kernel.turn import Phase
from sociarium.lab.scenario import Scenario
from sociarium.minds.rule import RuleMind, nothing
from sociarium.scenarios.large_population_models.minds import deciding

Domain = Literal["epidemic", "labour", "opinion", "predator-prey"]
Substep = Literal["market", "work", "day"]
LARGE = 1_000_000  # agents from which a snapshot a step would cost more than the step


class LargePopulationModels(Scenario):
    """Domains share their agents, and each step of the schedule moves all of them; ``coupling`` joins epidemic and labour market."""

    slug: ClassVar[str] = "large-population-models"
    title: ClassVar[str] = "Large populations composed of domains"
    progress: ClassVar[tuple[str, ...]] = ()
    headline: ClassVar[tuple[str, ...]] = (
        "epidemic.total", "epidemic.deaths", "labour.unemployment", "opinion.polarisation", "ecology.predators", "ecology.prey",
    )  # fmt: skip

    domains: list[Domain] = Field(
        default_factory=lambda: ["epidemic"],
        min_length=1,
        description="what is composed: epidemic, labour, opinion; or predator-prey alone",
    )
    agents: int = Field(10_000, ge=2, le=20_000_000, description="people, where there are people (8.4 million as published)")
    steps: int = Field(21, ge=1, le=10_000, description="steps; a step is a day of the epidemic and a period of the labour market")
    disabled: list[Substep] = Field(default_factory=list[Substep], description="substeps left out: market, work, day")
    coupling: float = Field(
        0.0, ge=0, le=1, description="chance that the jobless meet nobody at work, and that the ill do not want to work"
    )
    network_seed: int = Field(0, ge=0, description="which contacts there are: all runs of an experiment share them, whatever their seed")
    degree: float = Field(10, ge=0, le=1000, description="mean number of contacts, half of them at work")
    reproduction: list[float] = Field([4.75], min_length=1, description="R by week (the last goes on); about twice R0")
    initial: float = Field(0.04, ge=0, le=1, description="share infected at the beginning")
    mortality: float = Field(0.12, ge=0, le=1, description="expected deaths for each one who leaves the infectious stage")
    isolate: float = Field(0.05, ge=0, le=1, description="rule: share who stay at home each day without any cases")
    caution: float = Field(30.0, ge=0, description="rule: kappa; more stay at home by 1 - exp(-kappa * yesterday's cases / people)")
    spend: float = Field(0.5, ge=0, le=1, description="part of what they own that people spend in a period")
    opinion: Model = Field(Model.BOUNDED_CONFIDENCE, description="how opinions move")
    confidence: float = Field(0.2, ge=0, le=1, description="largest distance of opinions that still count")
    predators: int = Field(40, ge=0, le=100_000, description="at the beginning, on each grid")
    prey: int = Field(80, ge=0, le=100_000, description="at the beginning, on each grid")
    rows: int = Field(18, ge=1, le=10_000, description="fields of the grid, down")
    columns: int = Field(25, ge=1, le=10_000, description="fields of the grid, across")
    regrowth: int = Field(100, ge=0, description="steps until grazed grass is back; 0: there is none", json_schema_extra={"unit": "steps"})
    grids: int = Field(1, ge=1, le=1_000_000, description="grids side by side: groups of one run")
    samples: int = Field(1, ge=1, le=100, description="answers for each archetype that are averaged")
    temperature: float = Field(1.0, ge=0, le=2, description="of the model's answers")
    answer_tokens: int = Field(64, ge=8, le=4_096, description="longest answer", json_schema_extra={"unit": "tokens"})

    @field_validator("domains", mode="before")
    @classmethod
    def _one(cls, given: Any) -> Any:
        return given.split("+") if isinstance(given, str) else given

    @field_validator("domains")
    @classmethod
    def _composable(cls, given: list[Domain]) -> list[Domain]:
        if len(set(given)) < len(given):
            raise ValueError("a domain is named twice")
        if "predator-prey" in given and len(given) > 1:
            raise ValueError("predator-prey has agents of its own: it is not composed with others")
        return given

    def total_ticks(self) -> int:
        return self.steps

    def cadence(self) -> int:
        return 1 if self.agents < LARGE else 10

    def build(self, seed: int) -> Simulation:
        if self.model is not None and "epidemic" not in self.domains:
            raise UsageError("a model decides in the epidemic; add it, such as domains=epidemic+labour, or leave the model out")
        if self.domains == ["predator-prey"]:
            world = Ecology(EcologyRules(rows=self.rows, columns=self.columns, regrowth=self.regrowth))
            return Simulation(
                Ecology.population(self.predators, self.prey, self.grids), [world], [RuleMind(nothing)], Rounds([], self.steps), seed=seed
            )
        phases = [phase for phase in self.phases() if phase.name not in self.disabled]
        return Simulation(self.population(), self.environments(), [deciding(self)], Rounds(phases, self.steps), seed=seed)

    def phases(self) -> list[Phase]:
        """Substeps in their order. Each sees the domain that it is coupled to."""
        found: list[Phase] = []
        if "labour" in self.domains:
            found.append(Phase("market", "labour", self._beside("epidemic"), offers=("labour.decide",)))
        if "epidemic" in self.domains:
            found.append(Phase("work", "epidemic", self._beside("labour"), offers=("epidemic.work",)))
            found.append(Phase("day", "epidemic", offers=("epidemic.isolate",)))
        return found

    def environments(self) -> list[Environment]:
        kinds = {"epidemic": self.epidemic, "labour": lambda: Labour(LabourRules()), "opinion": self.opinions}
        return [kinds[domain]() for domain in self.domains]

    def epidemic(self) -> Epidemic:
        disease = Disease(reproduction=tuple(self.reproduction), mortality=self.mortality)
        layers = [Layer(name="others", network=self.network("others", self.degree / 2))]
        layers.append(Layer(name="work", network=self.network("work", self.degree / 2), needs="working"))
        return Epidemic(disease, layers, EpidemicRules(actions=("isolate", "work"), initial=self.initial))

    def opinions(self) -> Opinion:
        return Opinion(self.network("heard", self.degree), OpinionRules(self.opinion, confidence=self.confidence))

    def network(self, name: str, degree: float) -> Network:
        return random_network(self.agents, degree, Randomness(self.network_seed).stream("large-population", 0, name))

    def population(self) -> Population:
        """People of nine age classes of ten years, evenly."""
        ages = Randomness(self.network_seed).stream("large-population.age").integers(0, 8, np.arange(self.agents))
        return Population.of("person", self.agents, age_class=ages.astype(np.int8))

    def plot(self, folder: Path, target: Path) -> Path | None:
        from sociarium.scenarios.large_population_models.showing import draw

        return draw(self, folder, target)

    def _beside(self, domain: Domain) -> tuple[str, ...]:
        return (domain,) if domain in self.domains else ()
