"""Users who think in words: the six steps, each a component with its prompt."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sociarium.kernel.mind import Mind
from sociarium.minds.influence import MessagePool
from sociarium.minds.language import prompts
from sociarium.minds.language.mind import LanguageMind
from sociarium.minds.language.persona import Persona, Rules
from sociarium.minds.language.reacting import CHOICES, Label, Perceive, React, Writer
from sociarium.minds.markov import ATTITUDES, EMOTIONS
from sociarium.models.request import Sampling
from sociarium.scenarios.s3.people import events
from sociarium.scenarios.s3.reading import Feed

if TYPE_CHECKING:
    from sociarium.scenarios.s3.scenario import SocialNetworkSimulation


def language_mind(scenario: SocialNetworkSimulation, feed: Feed, pool: MessagePool) -> Mind:
    sampling = Sampling(scenario.temperature, max_tokens=scenario.answer_tokens)
    return LanguageMind(
        [
            Rules(event=events()[scenario.event]["told"]),
            Persona(),
            Perceive(feed, feed.words, pool, attended=scenario.attended or 3),
            Label("emotion", EMOTIONS, sampling=sampling),
            Label("attitude", ATTITUDES, sampling=sampling),
            Label("interaction", CHOICES, sampling=sampling),
            Writer(sampling=sampling),
            React(),
        ],
        prompts(Path(__file__).parent / "prompts"),
        sampling=sampling,
    )
