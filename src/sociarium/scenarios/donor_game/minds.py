"""The language player: rules, own strategy, what is known of the partner; it writes a strategy, then gives round by round."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from sociarium.environments.wording import number
from sociarium.kernel.content import Content
from sociarium.kernel.mind import Mind
from sociarium.minds.language import prompts
from sociarium.minds.language.act import Act, ActRules
from sociarium.minds.language.component import Component
from sociarium.minds.language.mind import LanguageMind
from sociarium.minds.language.persona import Rules
from sociarium.minds.language.sentence import Sentence
from sociarium.minds.prompts import Prompt
from sociarium.models.request import Sampling
from sociarium.scenarios.donor_game.policies import OPENING

if TYPE_CHECKING:
    from sociarium.scenarios.donor_game.scenario import DonorEvolution

HERE = Path(__file__).parent
ACTS = ("donor.donate", "donor.punish", "donor.refuse")
NOTHING = {"donor.donate": {"amount": 0.0}}  # what stands in for an unreadable answer, marked as such


class Gift(Act):
    """The question names the acts on offer in this variant."""

    def __init__(self, rules: ActRules, example: str) -> None:
        super().__init__(rules, name="gift")
        self.example = example

    def question(self) -> Content:
        prompt = self.mind.prompts[self.rules.prompt]
        return prompt.render(example=self.mind.prompts[self.example].words()) if prompt.variables else prompt.render()


def language_mind(scenario: DonorEvolution) -> Mind:
    """The mind of all players who think in words."""
    words = Sampling(scenario.temperature, max_tokens=scenario.answer_tokens)
    told: dict[str, Any] = {
        "endowment": number(scenario.endowment),
        "multiplier": number(scenario.multiplier),
        "punishment_factor": number(scenario.punishment_factor) if scenario.punishment else None,
        "refusal": Prompt.load(HERE / "prompts" / "refusal.md").words() if scenario.refusal else None,
    }
    variant = {(False, False): "give", (True, False): "punish", (False, True): "refuse", (True, True): "both"}
    gift = ActRules(
        style=scenario.answer,
        prompt=f"gift_{scenario.answer}",
        actions=ACTS,
        limits={"amount": ("donor", "resources")},
        fallback=NOTHING,
        sampling=words,
        retries=scenario.retries,
    )
    example = f"example_{variant[scenario.punishment, scenario.refusal]}"
    components: list[Component] = [Rules(**told), Gift(gift, example), _strategy(scenario, words)]
    return LanguageMind(components, prompts(HERE / "prompts"), sampling=words)


def _strategy(scenario: DonorEvolution, words: Sampling) -> Component:
    """Whoever writes none plays without: its turn is marked, and no sentence is made up for it."""
    if scenario.answer == "schema":
        return Act(ActRules(prompt="strategy_schema", actions=("donor.state_strategy",), sampling=words), name="strategy")
    return Sentence(
        "donor.state_strategy", "text", opening=OPENING, prompt="strategy", again="strategy_again", retries=scenario.retries, sampling=words
    )
