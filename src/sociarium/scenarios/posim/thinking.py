"""Users who think in words: layers of belief, a memory, what they were primed with, and belief, desire and intention in each turn."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sociarium.environments.emotions.levels import EmotionRules
from sociarium.kernel.mind import Mind
from sociarium.minds.language import prompts
from sociarium.minds.language.bdi import BDI, STEPS, BDIRules, Step
from sociarium.minds.language.belief_layers import BeliefLayers
from sociarium.minds.language.memory import Memory
from sociarium.minds.language.mind import LanguageMind
from sociarium.minds.language.named import NamedPrompt
from sociarium.minds.language.news import NewsRules
from sociarium.minds.language.persona import Persona, Rules
from sociarium.minds.language.retrieval import POSIM, POSIM_RELEASED
from sociarium.models.backends.embed import HashingEmbedder, WordLlamaEmbedder
from sociarium.models.request import Sampling

if TYPE_CHECKING:
    from sociarium.scenarios.posim.scenario import Posim

HERE = Path(__file__).parent
CAPACITY = 1000  # memories that an agent holds in mind
JITTER = (0.1, 0.05)  # of temperature and top-p


def language_mind(scenario: Posim, feelings: EmotionRules) -> Mind:
    """The mind of all users."""
    sampling = Sampling(temperature=scenario.temperature, max_tokens=scenario.answer_tokens)
    taken: tuple[Step, ...] = tuple(step for step in STEPS if step not in scenario.without) if scenario.thinking == "bdi" else ()
    targets = {"post": ("platform", "feed_post")}
    small = any(spec.startswith("local:") for spec in scenario.routes().values())
    flat = scenario.answers == "flat" or (scenario.answers == "auto" and small)
    single = scenario.thinking == "single"
    rules = BDIRules(
        taken, single, feelings=feelings, targets=targets, most=scenario.most, seek=3, sampling=sampling, jitter=JITTER, flat=flat,
        blank=("hashtags", "mentions"),
    )  # fmt: skip
    embedder = HashingEmbedder() if scenario.embedder == "hashing" else WordLlamaEmbedder()
    beliefs = BeliefLayers()
    memory = Memory(
        NewsRules.load(HERE / "news.yaml"),
        embedder=embedder,
        rule=POSIM if scenario.form == "paper" else POSIM_RELEASED,
        capacity=CAPACITY,
    )
    role, primed = NamedPrompt("agent_type", prefix="role_"), NamedPrompt("primed", prefix="prime_")
    components = [Rules(), role, Persona(), beliefs, memory, primed, BDI(rules, beliefs=beliefs)]
    return LanguageMind(components, prompts(HERE / "prompts"), sampling=sampling)
