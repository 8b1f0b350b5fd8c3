"""Residents with a language model: it says what they say in talks and interviews; where they go is theirs by habit."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sociarium.kernel.mind import Mind
from sociarium.minds.habits import Habits
from sociarium.minds.language import prompts
from sociarium.minds.language.act import Act, ActRules
from sociarium.minds.language.component import Focus
from sociarium.minds.language.memory import Memory
from sociarium.minds.language.mind import LanguageMind
from sociarium.minds.language.news import NewsRules
from sociarium.minds.language.persona import Persona, Rules
from sociarium.minds.language.retrieval import GENERATIVE_AGENTS, GENERATIVE_AGENTS_RELEASED
from sociarium.minds.phased import PhasedMind
from sociarium.models.backends.embed import HashingEmbedder, WordLlamaEmbedder
from sociarium.models.request import Sampling

if TYPE_CHECKING:
    from sociarium.scenarios.generative_agents.scenario import GenerativeAgents

HERE = Path(__file__).parent


def speaking(scenario: GenerativeAgents, habits: Habits) -> Mind:
    """Habits on the way, the model in talks and interviews."""
    rule = GENERATIVE_AGENTS if scenario.retrieval == "paper" else GENERATIVE_AGENTS_RELEASED
    embedder = HashingEmbedder() if scenario.embedder == "hashing" else WordLlamaEmbedder()
    sampling = Sampling(scenario.temperature, 1.0, scenario.answer_tokens)
    say = ActRules("schema", "say", actions=("chats.say",), focus=Focus(top=scenario.memories), spoken=2, sampling=sampling)
    answer = ActRules("schema", "answer", actions=("interview.answer",), focus=Focus(top=scenario.memories), sampling=sampling)
    components = [
        Rules("town_rules"),
        Persona("resident"),
        Memory(NewsRules.load(HERE / "news.yaml"), embedder=embedder, importance=4.0, rule=rule),
        Act(say, name="say"),
        Act(answer, name="answer"),
    ]
    mind = LanguageMind(components, prompts(HERE / "prompts"), sampling=sampling)
    return PhasedMind({"chats": mind, "interview": mind}, other=habits)
