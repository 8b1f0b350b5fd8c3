"""Guess a fraction of the average: ten language players, or a million that follow rules."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field, field_validator

from sociarium.environments.backgrounds import Backgrounds
from sociarium.environments.games.guess import GuessAverage, GuessRules, GuessWording
from sociarium.environments.games.guess_statistics import GuessStatistics
from sociarium.environments.wording import number
from sociarium.kernel.errors import UsageError
from sociarium.kernel.mind import Mind
from sociarium.kernel.population import Population
from sociarium.kernel.randomness import Randomness
from sociarium.kernel.schedule import Rounds
from sociarium.kernel.simulation import Simulation
from sociarium.kernel.turn import Phase
from sociarium.lab.scenario import Scenario
from sociarium.populations.quotas import exact_counts
from sociarium.scenarios.agentscope.minds import WITH_PERSONA, language_mind
from sociarium.scenarios.agentscope.people import PersonaSet, composition, people, rendered
from sociarium.scenarios.agentscope.players import LANGUAGE, RULES, Players, dealt

HERE = Path(__file__).parent
ONCE = 1_000_000  # rounds between two backgrounds: a run has fewer
KEPT_WHOLE = 20_000  # players up to which every report is stored
SHIFTED = (6, 7, 8, 9)  # system prompts that speak of a shift


class AgentScope(Scenario):
    """Each round everybody reports a number at the same time; then the winning number is announced."""

    slug: ClassVar[str] = "agentscope"
    title: ClassVar[str] = "Guess a fraction of the average, with up to millions of players"
    progress: ClassVar[tuple[str, ...]] = ("guess.announced",)
    headline: ClassVar[tuple[str, ...]] = (
        "guess.winner", "guess.mean", "statistics.median", "guess.deviation", "statistics.distance",
        "statistics.exact_share", "statistics.failure_share",
    )  # fmt: skip

    participants: int = Field(100, ge=1, le=10_000_000, description="players")
    max_value: float = Field(100, gt=0, le=1e9, description="the largest number that may be reported")
    ratio: float = Field(2 / 3, gt=0, lt=1, description="part of the average that wins; published: 1/2, 3/5, 2/3, 51/100, 67/100")
    shift: float = Field(0, ge=0, description="added to that part of the average; published: 0 or 5")
    rounds: int = Field(3, ge=1, le=10_000, description="rounds; the released code has 1, the experiments up to 5")
    groups: int = Field(1, ge=1, le=100_000, description="parts of the players that are asked separately; their sums are put together")
    players: dict[str, float] = Field(
        default_factory=dict[str, float],
        description=f"shares of players by rule, such as {{level1: 0.5, level2: 0.5}}; rules: {', '.join(RULES)}, {LANGUAGE}; "
        "none: random, or language with a model",
    )
    system_prompt: int = Field(1, ge=1, le=13, description="how much a language player is told (sys_id 1 to 13 of the paper's code)")
    answer: Literal["direct", "steps", "schema"] = Field(
        "direct", description="direct or steps: one call for the answer and one that reads the number (usr_id 1 and 2); schema: one call"
    )
    attempts: int = Field(3, ge=1, le=10, description="how often a language player is asked before it counts as failed")
    personas: PersonaSet = Field("none", description="attributes with exact quotas: education or profession")
    renormalise: bool = Field(False, description="read persona shares that do not sum to 1 as weights (those of profession sum to 1.2)")
    temperature: float = Field(1.0, ge=0, le=2, description="of the language model's answers")
    answer_tokens: int = Field(512, ge=1, le=32_768, description="longest answer", json_schema_extra={"unit": "tokens"})
    background_tokens: int = Field(384, ge=1, le=32_768, description="longest background", json_schema_extra={"unit": "tokens"})

    @field_validator("players", mode="before")
    @classmethod
    def _one_rule_for_all(cls, given: Any) -> Any:
        return {given: 1.0} if isinstance(given, str) else given

    @field_validator("players")
    @classmethod
    def _known_rules(cls, given: dict[str, float]) -> dict[str, float]:
        if unknown := sorted(set(given) - {*RULES, LANGUAGE}):
            raise ValueError(f"there are no players {unknown[0]!r}; there are {', '.join((*RULES, LANGUAGE))}")
        return given

    def shares(self) -> dict[str, float]:
        """Shares of players by rule, with what stands in where none are named."""
        given = self.players or {LANGUAGE if self.model is not None else "random": 1.0}
        if LANGUAGE in given and self.model is None:
            raise UsageError("players: language players need a model; give --model, such as local:smollm2")
        exact_counts(list(given.values()), self.participants)  # says what is wrong with shares that do not sum to 1
        return given

    def ratio_in_words(self) -> str:
        """``2/3`` where the ratio is that of small whole numbers."""
        near = Fraction(self.ratio).limit_denominator(100)
        return str(near) if abs(float(near) - self.ratio) < 1e-9 else number(self.ratio)

    def total_ticks(self) -> int:
        return self.rounds

    def build(self, seed: int) -> Simulation:
        self._checked()
        columns = people(self.personas, self.participants, seed, renormalise=self.renormalise)
        rules = self._rules(seed)
        told = {"background": rendered(columns, self.participants)} if self._tells_background() else {}
        written = self.system_prompt >= WITH_PERSONA and LANGUAGE in self.shares()
        parts = {"part": np.arange(self.participants, dtype=np.int64) * self.groups // self.participants} if self.groups > 1 else {}
        minds = self.minds(rules, composition(self.personas, columns))
        routed = {"mind": (rules == LANGUAGE).astype(np.int16)} if len(minds) > 1 else {}
        population = Population.of("player", self.participants, **columns, **told, **parts, **routed)
        game = GuessRules(self.ratio, self.shift, self.max_value, "part" if parts else None, keep_reports=self.participants <= KEPT_WHOLE)
        environments = [
            GuessAverage(game, GuessWording.read(HERE / "wording.yaml")),
            GuessStatistics(self.ratio, self.shift, self.max_value),
            *([Backgrounds(tuple(columns))] if written else []),
        ]
        introduction = (Phase("background", "background", every=ONCE),) if written else ()
        return Simulation(population, environments, minds, Rounds((*introduction, Phase("guess", "guess")), self.rounds), seed=seed)

    def minds(self, rules: Any, composed: str) -> list[Mind]:
        """Rule players, then language players; only those there are."""
        names = set(self.shares())
        spoken = [language_mind(self, composed)] if LANGUAGE in names else []
        if not (names := names - {LANGUAGE}):
            return list(spoken)
        if len(names) == 1:
            return [Players(ratio=self.ratio, shift=self.shift, maximum=self.max_value, rules=names.pop()), *spoken]
        numbers = np.array([RULES.index(name) if name in RULES else 0 for name in rules], np.int8)
        return [Players(ratio=self.ratio, shift=self.shift, maximum=self.max_value, rules=numbers), *spoken]

    def told(self, kind: str, row: Mapping[str, Any]) -> str | None:
        at = f"round {int(row['tick']) + 1}: " if "tick" in row else ""
        return f"{at}mean {row['mean']:.3f} of {row['reports']} reports, the winning number is {row['winner']:.3f}"

    def plot(self, folder: Path, target: Path) -> Path | None:
        from sociarium.scenarios.agentscope.showing import draw

        return draw(self, folder, target)

    def _rules(self, seed: int) -> Any:
        """The rule of each player; one name where all have the same."""
        shares = self.shares()
        if len(shares) == 1:
            return np.broadcast_to(np.array(next(iter(shares)), object), self.participants)
        order = Randomness(seed).stream("agentscope.deal").order(np.arange(self.participants))
        return dealt(shares, self.participants, order)

    def _tells_background(self) -> bool:
        """Without a model that writes them, backgrounds are rendered from the attributes; only few read them."""
        return self.personas != "none" and LANGUAGE not in self.shares()

    def _checked(self) -> None:
        if self.groups > self.participants:
            raise UsageError(f"groups is {self.groups}: {self.participants} participants cannot fill so many")
        if self.system_prompt >= WITH_PERSONA and self.personas == "none":
            raise UsageError(f"system_prompt {self.system_prompt} speaks of a person: set personas to education or profession")
        if (self.shift > 0) != (self.system_prompt in SHIFTED) and LANGUAGE in self.shares():
            told = "tells of no shift; use 6 to 9" if self.shift > 0 else "tells of a shift; set shift=5"
            raise UsageError(f"system_prompt {self.system_prompt} {told}")
