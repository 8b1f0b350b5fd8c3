"""The reproduction of GovSim with mixed groups, Japanese instructions and an inverse commons (Curvo et al. 2025, arXiv 2505.09289)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field

from sociarium.environments.commons.commons import CommonsRules
from sociarium.environments.commons.growth import Adding, LostAbove
from sociarium.environments.wording import number
from sociarium.kernel.errors import UsageError
from sociarium.minds.language import builtin
from sociarium.minds.prompts import PromptPack
from sociarium.scenarios.govsim.game import HERE, CommonsGame
from sociarium.scenarios.govsim.scenario import GovSim

OWN = Path(__file__).parent
WORDINGS = {"fishing": "fishery", "sheep": "pasture", "pollution": "pollution", "trash": "trash", "fishing_japanese": "fishery"}


class GovSimRepro(CommonsGame):
    """The same game; ``models`` gives each agent a model of its own, and ``trash`` turns the commons round."""

    slug: ClassVar[str] = "govsim-repro"
    title: ClassVar[str] = "Cooperate or collapse, reproduced: mixed models, Japanese, and trash that must be taken out"
    headline: ClassVar[tuple[str, ...]] = (*CommonsGame.headline, "commons.cost", "commons.waste")

    scenario: Literal["fishing", "sheep", "pollution", "trash", "fishing_japanese"] = Field(
        "fishing", description="which commons, in which words"
    )
    instructions: Literal["auto", "en", "ja"] = Field("auto", description="language of words and prompts; auto: that of the scenario")
    models: tuple[str, ...] | None = Field(
        None, description="one model an agent, such as [local:smollm2, openai:NAME]; none: all have `model`"
    )
    trash_growth: float = Field(50, ge=0, description="trash: units that come each month")
    overfull: float = Field(95, ge=0, description="trash: the house is overfull when a month ends with more units")

    @property
    def locale(self) -> str:
        if self.instructions != "auto":
            return self.instructions
        return "ja" if self.scenario == "fishing_japanese" else "en"

    @property
    def speaks(self) -> bool:
        return self.model is not None or self.models is not None

    def wording_file(self) -> Path:
        home = OWN if self.scenario == "trash" else HERE
        folder = home / "wordings" if self.locale == "en" else home / "wordings" / self.locale
        return folder / f"{WORDINGS[self.scenario]}.yaml"

    def prompt_pack(self) -> PromptPack:
        return PromptPack(OWN / "prompts", self.locale, PromptPack(HERE / "prompts", self.locale, builtin(self.locale)))

    def rules(self) -> CommonsRules:
        if self.scenario != "trash":
            return super().rules()
        return replace(
            super().rules(),
            growth=Adding(self.trash_growth, self.capacity),
            collapse=LostAbove(self.overfull),
            cost_per_unit=CommonsRules.trash().cost_per_unit,
        )

    def rule_values(self) -> dict[str, str | int | float]:
        example = {"added": self.trash_growth, "overfull": self.overfull, "example_taken": 0.2 * self.capacity}
        example["example_rest"] = self.capacity - example["example_taken"]
        example["example_full"] = min(self.capacity, example["example_rest"] + self.trash_growth)
        return super().rule_values() | {name: number(value) for name, value in example.items()}

    def route_of(self, place: int) -> str:
        return f"agent-{place}" if self.models is not None else ""

    def routes(self) -> dict[str, str]:
        """Each agent's model, and the framework's for summaries and limits: by default ``model``, else the first of ``models``."""
        if self.models is None:
            return super().routes()
        if len(self.models) != self.num_agents:
            raise UsageError(f"models names {len(self.models)} models for {self.num_agents} agents; give one an agent")
        first = self.models[0]
        own = {self.route_of(place): spec for place, spec in enumerate(self.models)}
        return {"default": first, "framework": self.framework_model or first, **super().routes(), **own}

    @classmethod
    def prompt_digests(cls) -> dict[str, str]:
        return {f"govsim/{name}": digest for name, digest in GovSim.prompt_digests().items()} | super().prompt_digests()
