"""Claims about citizens who think in words: checkpoints, persuasion, and what news leaves behind."""

from __future__ import annotations

from typing import cast

from sociarium.kernel.randomness import key_of
from sociarium.lab.claims import ClaimContext, Measured, claim
from sociarium.lab.running import Options, in_memory, simulation_of
from sociarium.minds.attitudes import Polarisation, polarisation
from sociarium.minds.language.beliefs import Beliefs
from sociarium.minds.language.emotion import Emotion
from sociarium.minds.language.mind import LanguageMind
from sociarium.models.backends.scripted import ScriptedBackend
from sociarium.models.opening import open_backend
from sociarium.models.request import Request, request_id
from sociarium.record.tree import survey
from sociarium.scenarios.agentsociety.scenario import AgentSociety


@claim("resumed-in-words")
async def resumed_in_words(context: ClaimContext) -> Measured:
    """24 steps in words, 12 and a saved state and 12 more, and 24 with replies in another order: the same state at the end."""
    scenario = AgentSociety.of(
        {"citizens": 8, "days": 1, "step": 60, "news": "ordinary", "embedder": "hashing", "feel_hours": 4, "model": "scripted:schema"}
    )
    door = Options(backends={"scripted:schema": _shuffled(1)})
    whole, half, again = [await simulation_of(scenario, context.seeds[0], door) for _ in range(3)]
    late = await simulation_of(scenario, context.seeds[0], Options(backends={"scripted:schema": _shuffled(2)}))
    await whole.run(24)
    await late.run(24)
    await half.run(12)
    again.load(half.state())
    await again.run(12)
    ends = {survey(one.state()).digest for one in (whole, again, late)}
    return Measured.exactly("equal" if len(ends) == 1 else "different", holds=len(ends) == 1)


def _shuffled(order: int) -> ScriptedBackend:
    """Replies that are a function of what is asked, and come back in an order of their own."""
    invented = open_backend("scripted:schema")
    assert isinstance(invented, ScriptedBackend)

    def delay(request: Request, draw: int | None) -> float:
        return 1e-6 * (key_of(order, request_id(request, draw)) % 200)

    return ScriptedBackend(invented.script, delay=delay)


@claim("persuasion-in-words-control")
async def persuasion_in_words_control(context: ClaimContext) -> Measured:
    found = await _talked(context, "control")
    return Measured.exactly(100 * found.grew, holds=abs(found.shrank - 0.33) <= 0.15)


@claim("persuasion-in-words-like")
async def persuasion_in_words_like(context: ClaimContext) -> Measured:
    return Measured.exactly(100 * (await _talked(context, "like")).grew, holds=True)  # the card's tolerance decides


@claim("persuasion-in-words-opposing")
async def persuasion_in_words_opposing(context: ClaimContext) -> Measured:
    found = await _talked(context, "opposing")
    return Measured.exactly(100 * found.shrank, holds=abs(found.crossed - 0.11) <= 0.15)


async def _talked(context: ClaimContext, persuasion: str) -> Polarisation:
    """How the attitudes of 40 citizens in words have moved after three days."""
    settings = {"citizens": 40, "days": 3, "step": 240, "feel_hours": 0, "settle": "rule", "persuasion": persuasion}
    simulation = (await in_memory(AgentSociety.of({**settings, "model": context.model}), context.seeds[0])).simulation
    population = simulation.world.population
    beliefs = cast("Beliefs", cast("LanguageMind", simulation.minds.all[0]).component("beliefs"))
    citizens = population.ids("citizen")
    return polarisation(population.get(citizens, "attitude"), beliefs.attitudes[citizens, 0])


@claim("news-in-words")
async def news_in_words(context: ClaimContext) -> Measured:
    """Anger and fear of 20 citizens after a day with inflammatory news, less those after one with ordinary news."""
    felt: list[float] = []
    for news in ("inflammatory", "ordinary"):
        settings = {"citizens": 20, "days": 1, "step": 240, "feel_hours": 8, "settle": "rule", "news": news}
        simulation = (await in_memory(AgentSociety.of({**settings, "model": context.model}), context.seeds[0])).simulation
        emotion = cast("Emotion", cast("LanguageMind", simulation.minds.all[0]).component("emotion"))
        names = [emotion.rules.names.index(name) for name in ("anger", "fear")]
        felt.append(float(emotion.levels[:20, names].mean()))
    return Measured.exactly(felt[0] - felt[1], holds=felt[0] > felt[1])
