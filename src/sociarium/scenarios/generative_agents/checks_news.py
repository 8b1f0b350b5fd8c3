"""Claims about news: how far it comes, beside closed forms and independent simulations, and who only says that it knows."""

from __future__ import annotations

import json
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from sociarium.environments.conversation.chats import Chats
from sociarium.environments.conversation.contacts import Contacts, expected_spread, reached, spread
from sociarium.environments.conversation.grapevine import Grapevine
from sociarium.kernel.population import Population
from sociarium.kernel.simulation import Simulation
from sociarium.lab import running
from sociarium.lab.claims import ClaimContext, Measured, claim
from sociarium.lab.running import Finished, Options
from sociarium.minds.gossip import Gossip
from sociarium.minds.habits import Habits
from sociarium.minds.language.memory import Memory
from sociarium.minds.language.mind import LanguageMind
from sociarium.minds.rule import RuleMind
from sociarium.models.backends.scripted import ScriptedBackend, open_scripted
from sociarium.models.request import Request
from sociarium.scenarios.generative_agents import people
from sociarium.scenarios.generative_agents.checks_steps import whole_day
from sociarium.scenarios.generative_agents.scenario import GenerativeAgents

Ints = NDArray[np.int64]

MORNING: dict[str, Any] = {"start": 7, "hours": 2.0, "size": 16, "reflection": 8, "interview_hours": 2}


@claim("news-reaches-the-reachable")
def news_reaches_the_reachable(context: ClaimContext) -> Measured:
    """A day in which everybody always passes on what they know, against breadth-first search over its log of talks."""
    day = whole_day(context.seeds[0])
    differing = 0
    for at, fact in enumerate(people.facts()):
        first = people.first_told(fact.name)
        differing += len(reached(day.log, first) ^ set(np.flatnonzero(day.knows[:, at]).tolist()))
    return Measured.exactly(float(differing), holds=differing == 0 and bool(day.knows.sum() > 2))


@claim("spread-equals-si")
def spread_equals_si(context: ClaimContext) -> Measured:
    """The engine's talks and rule on 200 copies of the first sixty talks of a day, and an independent simulation."""
    log, towns, size = whole_day(context.seeds[0]).log[:60], 200, len(people.written())
    away = 0.0
    for at, fact in enumerate(people.facts()):
        first = people.first_told(fact.name)
        ours = told_over(log, size, towns, 0.4, context.seeds[0])[:, at]
        theirs = spread(log, size, first, 0.4, towns, np.random.Generator(np.random.PCG64(20_260 + at)))
        away = max(away, apart(ours, theirs))
    return Measured.exactly(away, holds=away < 4)


@claim("party-closed-form")
def party_closed_form(context: ClaimContext) -> Measured:
    """Each town has its own random pairs."""
    towns, size, talks = 200, 25, 60
    random = np.random.Generator(np.random.PCG64(7))
    pairs = np.array([[random.permutation(size)[:2] for _ in range(talks)] for _ in range(towns)])
    rows = [(tick, *(pairs[town, tick] + size * town)) for tick in range(talks) for town in range(towns)]
    informed = _known(_contacts(np.array(rows), size, towns, 0.5, context.seeds[0]), size, towns)[:, 0]
    error = informed.std(ddof=1) / towns**0.5
    away = abs(informed.mean() - expected_spread(size, talks, 0.5)) / error
    return Measured.exactly(float(away), holds=away < 4)


@claim("no-knowledge-without-memory")
async def no_knowledge_without_memory(context: ClaimContext) -> Measured:
    """The same morning with honest residents and with liars; the diaries are searched for what supports a claim."""
    differing = 0.0
    for seed in context.seeds[:2]:
        honest, lying = [await _morning(seed, lies=lies) for lies in (False, True)]
        facts, size = people.facts(), honest.scenario.parameters()["size"]
        asked = 2.0 * size
        diary = cast("Habits", lying.simulation.minds.all[0]).diary
        grounded = sum(any(f.said_in(text) for text in diary.texts(agent)) for f in facts for agent in range(size))
        measures = {name: float(values[0]) for name, values in lying.last.measures.items()} if lying.last else {}
        truly = {name: float(values[0]) for name, values in honest.last.measures.items()} if honest.last else {}
        differing += abs(measures["interview.hallucination"] * asked - (asked - grounded))
        differing += sum(abs(measures[f"grapevine.{fact.name}"] - truly[f"grapevine.{fact.name}"]) for fact in facts)
        differing += abs(sum(measures[f"grapevine.{fact.name}"] for fact in facts) - grounded) + truly["interview.hallucination"]
    differing += await _lying_model(context.seeds[0])
    return Measured.exactly(round(differing, 9), holds=differing < 1e-9)


async def _lying_model(seed: int) -> float:
    """The same of residents whose every thought is a model's that says yes to whatever it is asked whether it knows it, and else passes on
    what its prompt holds: what it hallucinates and what they know, beside their memories."""
    facts, invented = people.facts(), open_scripted("scripted:schema").script

    def lying(request: Request, draw: int | None) -> Any:
        fields = set((request.schema or {}).get("properties", {}))
        if fields == {"text"}:
            return json.dumps({"text": "Yes, I know."})
        if fields == {"choice"}:  # the first of the places, and of what may be done about a sight: to talk
            return json.dumps({"choice": (request.schema or {})["properties"]["choice"]["enum"][0]})
        if fields != {"utterance", "end"}:
            return invented(request, draw)
        told = [fact.text for fact in facts if any(fact.said_in(block.text) for block in request.blocks)]
        return json.dumps({"utterance": " ".join(["Good day.", *told]), "end": False})

    settings = {"model": "scripted:schema", "embedder": "hashing", "start": 7, "hours": 1.0, "size": 6, "interview_hours": 1.0, "rounds": 2}
    finished = await running.in_memory(GenerativeAgents.of(settings), seed, Options(backends={"scripted:schema": ScriptedBackend(lying)}))
    assert finished.last is not None
    measures = {name: float(values[0]) for name, values in finished.last.measures.items()}
    memory = cast("Memory", cast("LanguageMind", finished.simulation.minds.all[0]).component("memory")).stream
    began = [set(people.first_told(fact.name)) for fact in facts]
    known = [
        {agent for agent in range(6) if agent in first or any(fact.said_in(str(text)) for text in memory["text"][memory.of(agent)])}
        for fact, first in zip(facts, began, strict=True)
    ]
    spread_off = sum(abs(measures[f"grapevine.{fact.name}"] - len(who)) for fact, who in zip(facts, known, strict=True))
    return spread_off + abs(measures["interview.hallucination"] * 12 - (12 - sum(map(len, known)))) + float(sum(map(len, known)) <= 2)


def told_over(log: Ints, size: int, towns: int, chance: float, seed: int) -> Ints:
    """How many know each fact after a log that ``towns`` towns play side by side: (towns, facts)."""
    ticks = np.unique(log[:, 0], return_inverse=True)[1]
    rows = [
        (tick, one + size * town, other + size * town)
        for tick, (one, other) in zip(ticks, log[:, 1:], strict=True)
        for town in range(towns)
    ]
    return _known(_contacts(np.array(rows), size, towns, chance, seed), size, towns)


def apart(ours: Ints, theirs: Ints) -> float:
    """Distance of two means, in standard errors of the difference."""
    error = (ours.var(ddof=1) / len(ours) + theirs.var(ddof=1) / len(theirs)) ** 0.5
    return float(abs(ours.mean() - theirs.mean()) / error) if error else float(ours.mean() != theirs.mean()) * 9.0


def _contacts(log: Ints, size: int, towns: int, chance: float, seed: int) -> Grapevine:
    chats = Chats()
    first = {fact.name: people.first_told(fact.name) for fact in people.facts()}
    grapevine, contacts = Grapevine(people.facts(), chats, first), Contacts(log, chats)
    population = Population.of("resident", size * towns, group=np.repeat(np.arange(towns), size))
    minds = [RuleMind(Gossip(people.facts(), chance, people.sayings()))]
    Simulation(population, [chats, contacts, grapevine], minds, contacts.rounds(["grapevine"]), seed=seed).run_sync()
    return grapevine


def _known(grapevine: Grapevine, size: int, towns: int) -> Ints:
    return grapevine.knows.reshape(towns, size, -1).sum(axis=1)


async def _morning(seed: int, **settings: Any) -> Finished:
    return await running.in_memory(GenerativeAgents.of({**MORNING, "pass_chance": 1.0, **settings}), seed)
