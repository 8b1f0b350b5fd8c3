"""An epidemic and a labour market in a city of up to millions, whose people are asked once per group of alike ones."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field, field_validator

from sociarium.environments.epidemic.disease import Disease, Duration
from sociarium.environments.epidemic.epidemic import Epidemic
from sociarium.environments.epidemic.layers import Layer
from sociarium.environments.epidemic.rules import EpidemicRules, EpidemicWording
from sociarium.environments.labour.labour import Labour, LabourRules
from sociarium.kernel.errors import UsageError
from sociarium.kernel.population import Population
from sociarium.kernel.schedule import Rounds
from sociarium.kernel.simulation import Intervention, Simulation
from sociarium.kernel.turn import Phase
from sociarium.lab.scenario import Scenario
from sociarium.scenarios.agenttorch.bulletin import TOLD, Announced, Bulletin, BulletinWording
from sociarium.scenarios.agenttorch.citizens import PEOPLE, adults, citizens, words_of
from sociarium.scenarios.agenttorch.city import COUNTIES, City, city
from sociarium.scenarios.agenttorch.tally import Tally

HERE = Path(__file__).parent
LARGE = 1_000_000  # agents from which a snapshot a day would cost more than the day
ONE_BY_ONE = 5_000  # agents up to which each may be asked by itself

Minds = Literal["heuristic", "archetype", "agent"]


class AgentTorch(Scenario):
    """Days of an epidemic; months of a labour market; a model that answers for groups, for persons, or not at all."""

    slug: ClassVar[str] = "agenttorch"
    title: ClassVar[str] = "An epidemic and work in a city of millions, asked once per group of alike people"
    progress: ClassVar[tuple[str, ...]] = ("city.employment",)
    headline: ClassVar[tuple[str, ...]] = (
        "epidemic.total", "epidemic.deaths", "city.peak", "city.attack", "city.isolation_mean", "city.working", "labour.unemployment",
    )  # fmt: skip

    agents: int = Field(37_518, ge=50, le=20_000_000, description="people; Astoria has 37,518, the city 8.4 million")
    days: int = Field(63, ge=1, le=3_650, description="days; the published runs have 21", json_schema_extra={"unit": "days"})
    city_seed: int = Field(0, ge=0, description="which city is built: all runs of an experiment share it, whatever their seed")
    minds: Minds | None = Field(None, description="who decides; none: archetypes with a model, else heuristics")
    initial: float = Field(0.04, ge=0, le=1, description="share infected at the beginning")
    reproduction: list[float] = Field([4.75], min_length=1, description="R by week (the last goes on); not R0, which is about half of it")
    mortality: float = Field(0.12, ge=0, le=1, description="expected deaths for each one who leaves the infectious stage, as published")
    exposed_days: int = Field(
        6, ge=1, le=100, description="days on which who is infected transmits before being ill", json_schema_extra={"unit": "days"}
    )
    infectious_days: int = Field(5, ge=1, le=100, description="days of illness", json_schema_extra={"unit": "days"})
    home_weight: float = Field(0.5, ge=0, description="weight of a contact in the own household")
    work_weight: float = Field(0.2, ge=0, description="weight of a contact at work; who is out of work has none")
    school_weight: float = Field(0.2, ge=0, description="weight of a contact at school")
    town: int = Field(3, ge=0, le=50, description="people met by chance each day")
    town_weight: float = Field(0.25, ge=0, description="weight of a chance contact")
    isolate: float = Field(0.05, ge=0, le=1, description="heuristic: share who stay at home each day without any cases")
    caution: float = Field(30.0, ge=0, description="heuristic: kappa; more stay at home by 1 - exp(-kappa * yesterday's cases / people)")
    decided_every: int = Field(1, ge=1, le=365, description="days between decisions to stay at home", json_schema_extra={"unit": "days"})
    testing: bool = Field(True, description="the ill take tests, and a positive one orders a quarantine")
    tested: float = Field(0.95, ge=0, le=1, description="share of the ill who take a test")
    start: float = Field(0.7, ge=0, le=1, description="share who begin to keep to a quarantine")
    leave: float = Field(0.1, ge=0, le=1, description="share who break it off on a later day")
    month: int = Field(30, ge=1, le=366, description="days of a month of the labour market", json_schema_extra={"unit": "days"})
    work: float = Field(0.9, ge=0, le=1, description="heuristic: share of adults who want to work")
    spend: float = Field(0.3, ge=0, le=1, description="heuristic: part of what they own that people spend in a month")
    slopes: list[float] = Field(
        [0.6, 0.3], min_length=1, description="regression of unemployment on claims per labour force, this month's first"
    )
    intercept: float = Field(0.03, ge=0, le=1, description="regression of unemployment: constant")
    variables: list[str] = Field([*PEOPLE, *TOLD], description="what prompts tell: age, gender, county, month, cases, prices, news")
    prices: list[float] = Field([100.0], description="prices by month, per cent of before", json_schema_extra={"unit": "%"})
    news: list[str] = Field([], description="news by month (the last goes on)")
    stimulus: int = Field(0, ge=0, le=100_000, description="paid to every adult", json_schema_extra={"unit": "dollars"})
    stimulus_day: int = Field(30, ge=0, description="when it is paid")
    samples: int = Field(1, ge=1, le=100, description="answers for each archetype that are averaged (n_arch)")
    memory: int = Field(3, ge=0, le=20, description="last exchanges that each archetype is shown again")
    rounding: float = Field(10.0, ge=0, description="cases in 100,000 are told to multiples of it; small changes ask nothing anew")
    temperature: float = Field(1.0, ge=0, le=2, description="of the model's answers")
    answer_tokens: int = Field(64, ge=8, le=4_096, description="longest answer", json_schema_extra={"unit": "tokens"})
    observed: str | None = Field(None, description="CSV file with columns week and cases, drawn beside the run")

    @field_validator("variables")
    @classmethod
    def _known(cls, given: list[str]) -> list[str]:
        if unknown := sorted(set(given) - {*PEOPLE, *TOLD}):
            raise ValueError(f"prompts have no variable {unknown[0]!r}; they have {', '.join((*PEOPLE, *TOLD))}")
        return given

    def decided_by(self) -> Minds:
        """With what stands in where nothing is named."""
        kind = self.minds or ("heuristic" if self.model is None else "archetype")
        if kind != "heuristic" and self.model is None:
            raise UsageError(f"minds={kind} ask a model; give --model, such as local:smollm2")
        if kind == "agent" and self.agents > ONE_BY_ONE:
            raise UsageError(f"minds=agent asks each of {self.agents:,} people by itself every day; at most {ONE_BY_ONE:,}. Use archetype")
        return kind

    def total_ticks(self) -> int:
        return self.days

    def cadence(self) -> int:
        return 1 if self.agents < LARGE else 10

    def build(self, seed: int) -> Simulation:
        people = city(self.agents, self.city_seed)
        disease = Disease(
            reproduction=tuple(self.reproduction), mortality=self.mortality,
            exposed=Duration(self.exposed_days), infectious=Duration(self.infectious_days),
        )  # fmt: skip
        actions = ("isolate", "test", "comply") if self.testing else ("isolate",)
        silent = EpidemicWording(rules="", news="")  # the bulletin tells
        epidemic = Epidemic(disease, self.layers(people), EpidemicRules(actions=actions, initial=self.initial), silent)
        labour = Labour(LabourRules(
            slopes=tuple(self.slopes), intercept=self.intercept, counties=len(COUNTIES), month=self.month, who="adult", keep_decisions=False
        ))  # fmt: skip
        bulletin = Bulletin(epidemic, labour, self.announced(), BulletinWording.read(HERE / "wording.yaml"))
        phases = [
            Phase("month", "labour", ("bulletin",), every=self.month),
            Phase("day", "epidemic", ("bulletin",), every=self.decided_every, offers=("epidemic.isolate",)),
        ]
        if self.testing:
            phases.append(Phase("care", "epidemic", offers=("epidemic.test", "epidemic.comply")))
        pay = [Intervention(self.stimulus_day, "labour.pay", {"cents": 100 * self.stimulus})]
        return Simulation(
            self.population(people), [bulletin, epidemic, labour, Tally(epidemic, labour, len(COUNTIES))], [citizens(self, bulletin)],
            Rounds(phases, self.days), seed=seed, interventions=pay if self.stimulus and self.stimulus_day < self.days else (),
        )  # fmt: skip

    def population(self, people: City) -> Population:
        columns: dict[str, Any] = {name: getattr(people, name) for name in ("age_class", "gender", "county", "workplace")}
        if self.decided_by() == "agent":
            columns |= words_of(people.age_class, people.gender, people.county)
        grown = adults(people.age_class)
        return Population.of("citizen", len(people), **columns, adult=grown, commutes=grown & (people.workplace >= 0))

    def layers(self, people: City) -> list[Layer]:
        """Homes go on in isolation; work needs a job; chance meetings are drawn anew each day."""
        nets = people.networks
        layers = [
            Layer(name="home", network=nets["home"], weight=self.home_weight, at_home=True),
            Layer(name="work", network=nets["work"], weight=self.work_weight, needs="commutes"),
            Layer(name="school", network=nets["school"], weight=self.school_weight),
        ]
        return [*layers, Layer(name="town", drawn=self.town, weight=self.town_weight)] if self.town else layers

    def announced(self) -> Announced:
        told = tuple(one for one in TOLD if one in self.variables)
        return Announced(
            told=told, month=self.month, prices=tuple(self.prices), news=tuple(self.news), stimulus=self.stimulus,
            stimulus_day=self.stimulus_day, rounding=self.rounding,
        )  # fmt: skip

    def told(self, kind: str, row: Mapping[str, Any]) -> str | None:
        return f"{COUNTIES[int(row['county'])]}: {row['unemployment']:.1%} unemployed, {row['willing']:,} want to work"

    def plot(self, folder: Path, target: Path) -> Path | None:
        from sociarium.scenarios.agenttorch.showing import draw

        return draw(self, folder, target)
