"""The language player: rules, persona, a list of messages; one call for the answer and one that reads the number out of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from sociarium.environments.wording import number
from sociarium.kernel.mind import Mind
from sociarium.minds.language import prompts
from sociarium.minds.language.act import Act, ActRules
from sociarium.minds.language.component import Component, Decider
from sociarium.minds.language.extract import AnswerThenExtract
from sociarium.minds.language.mind import LanguageMind
from sociarium.minds.language.persona import Persona, Rules
from sociarium.minds.language.transcript import Transcript
from sociarium.minds.prompts import Prompt
from sociarium.models.request import Sampling

if TYPE_CHECKING:
    from sociarium.scenarios.agentscope.scenario import AgentScope

HERE = Path(__file__).parent
WITH_PERSONA = 10  # from this system prompt on, players have a background


def language_mind(scenario: AgentScope, composition: str) -> Mind:
    """The mind of all players who think in words."""
    sampling = Sampling(temperature=scenario.temperature, max_tokens=scenario.answer_tokens)
    transcript = Transcript()
    components: list[Component] = [_rules(scenario, composition), transcript]
    if scenario.system_prompt >= WITH_PERSONA:
        components.insert(1, Persona())
        components.append(_introduction(scenario))
    components.append(_report(scenario, transcript, sampling))
    return LanguageMind(components, prompts(HERE / "prompts"), sampling=sampling)


def _rules(scenario: AgentScope, composition: str) -> Component:
    name = f"rules_{scenario.system_prompt:02d}"
    values: dict[str, Any] = {
        "maximum": number(scenario.max_value),
        "ratio": scenario.ratio_in_words(),
        "shift": number(scenario.shift),
        "participants": scenario.participants,
        "composition": composition,
    }
    wanted = Prompt.load(HERE / "prompts" / f"{name}.md").variables
    return Rules(name, **{key: value for key, value in values.items() if key in wanted})


def _introduction(scenario: AgentScope) -> Decider:
    """Writes a background for who has none: its own call, once, before the first round."""
    words = Sampling(temperature=scenario.temperature, max_tokens=scenario.background_tokens)
    rules = ActRules(prompt="introduce", actions=("background.introduce",), phases=("background",), sampling=words, uses=())
    return Act(rules, name="introduce")


def _report(scenario: AgentScope, transcript: Transcript, sampling: Sampling) -> Decider:
    """No fallback: a player without a legal number is left out of sum and count."""
    if scenario.answer == "schema":
        return Act(ActRules(prompt="answer_schema", actions=("guess.report",), sampling=sampling), name="report")
    how: dict[str, Any] = {"attempts": scenario.attempts, "transcript": transcript, "sampling": sampling}
    return AnswerThenExtract("guess.report", prompt=f"answer_{scenario.answer}", name="report", **how)
