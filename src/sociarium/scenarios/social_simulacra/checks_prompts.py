"""Claims about prompts: what stands in each, exactly once, and what an ablation takes out of it."""

from __future__ import annotations

import re
from html import escape
from typing import Any, cast

from sociarium.kernel.simulation import Simulation
from sociarium.lab.claims import ClaimContext, Measured, claim
from sociarium.lab.running import Options, simulation_of
from sociarium.minds.language import prompts
from sociarium.minds.language.mind import LanguageMind
from sociarium.models.backends.scripted import ScriptedBackend
from sociarium.models.request import Request
from sociarium.scenarios.social_simulacra.scenario import SocialSimulacra
from sociarium.scenarios.social_simulacra.stubs import prompt_of, threads_of
from sociarium.scenarios.social_simulacra.thinking import HERE, Writer, request_for

DROPPED = "mocking somebody's bake"
ADDED = "quarrelling about ovens & pans"


@claim("prompt-plumbing")
async def prompt_plumbing(context: ClaimContext) -> Measured:
    """Prompts in which the goal or a rule does not stand exactly once in the attribute of the tag, or the speaker's persona not exactly
    once in the opening sentence; and prompts of the next version that still have a rule which was taken out."""
    edits = [{"drop": [DROPPED], "add": [{"forbid": ADDED}]}]
    simulation, asked = await heard(context.seeds[0], edits=edits, breaking=0.3)
    threads, wrong = threads_of(simulation), 0
    first = {version: [threads.texts(n) for n in range(len(threads.table)) if threads.table.version[n] == version] for version in (0, 1)}
    for number in range(len(threads.table)):
        for position in range(int(threads.table.done[number])):
            slot = threads.written(number, position)
            words = asked[(slot.key, "full")]
            attribute = re.findall(r"<community ([^>]*)>", words)
            opening = words.split("\n")[1]
            wrong += len(attribute) != 1 or attribute[0].count(escape(slot.design.goal)) != 1 or words.count(escape(slot.design.goal)) != 1
            wrong += any(attribute[0].count(escape(rule.text)) != 1 for rule in slot.design.rules)
            wrong += words.count(f"{slot.name} is {slot.phrase}.") != 1 or opening != f"{slot.name} is {slot.phrase}."
            wrong += slot.version.number == 1 and DROPPED in words
            wrong += (escape(DROPPED) in attribute[0]) != (slot.version.number == 0)
            wrong += (escape(ADDED) in attribute[0]) != (slot.version.number == 1)
    alone, _ = await heard(context.seeds[0], breaking=0.3)
    old = [threads_of(alone).texts(n) for n in range(len(threads_of(alone).table))]
    return Measured.exactly(float(wrong), holds=wrong == 0 and len(asked) > 40 and old == first[0] and len(first[1]) == len(first[0]))


@claim("ablations")
async def ablations(context: ClaimContext) -> Measured:
    """Prompts that differ from the full ones in more than what the condition takes out, or still have some of it."""
    settings: dict[str, Any] = {"breaking": 0.3}
    simulation, full = await heard(context.seeds[0], **settings)
    threads, wrong = threads_of(simulation), 0
    by_place = {key: words for (key, _), words in full.items()}
    bare = {name: (await heard(context.seeds[0], condition=name, **settings))[0] for name in ("no description", "no personas", "neither")}
    for number in range(len(threads.table)):
        for position in range(int(threads.table.done[number])):
            slot = threads.written(number, position)
            whole = by_place[slot.key]
            names = {threads.name_of(author) for author, _ in slot.path}
            for condition, other in bare.items():
                words = _prompt(other, number, position)
                expected = whole
                if condition != "no personas":
                    expected = re.sub(r"^This person .*\n", "", expected, flags=re.MULTILINE)
                    expected = re.sub(r"<community [^>]*>", "<community>", expected)
                    texts = (slot.design.goal, *(rule.text for rule in slot.design.rules), *slot.design.behaviours)
                    wrong += any(escape(text) in words or text in words for text in texts)
                if condition != "no description":
                    expected = expected.replace(f"{slot.name} is {slot.phrase}.\n", "")
                    for name in names:
                        expected = expected.replace(f"[[{name}]]", "[[member]]").replace(f"[[/{name}]]", "[[/member]]")
                    wrong += any(text in words for text in (*names, slot.name, slot.phrase))
                wrong += words != expected
    return Measured.exactly(float(wrong), holds=wrong == 0 and len(full) > 25)


async def heard(seed: int, **settings: Any) -> tuple[Simulation, dict[tuple[str, str], str]]:
    """A run on a model whose texts ignore the prompt, and what it was asked for each text, by key and condition."""
    scenario = SocialSimulacra.of({"model": "scripted:schema", "personas": 0, "threads": 15, **settings})
    kept: list[str] = []

    def words(request: Request, draw: int | None) -> str:
        kept.append(prompt_of(request))
        return f"words {draw}"

    async def run() -> Simulation:
        simulation = await simulation_of(scenario, seed, Options(backends={"scripted:schema": ScriptedBackend(words)}))
        await simulation.run()
        return simulation

    simulation = await run()
    threads, asked = threads_of(simulation), dict[tuple[str, str], str]()
    for number in range(len(threads.table)):
        for position in range(int(threads.table.done[number])):
            text = _prompt(simulation, number, position)
            if text in kept:  # what was asked, not what would be
                asked[threads.written(number, position).key, scenario.condition] = text
    return simulation, asked


def _prompt(simulation: Simulation, number: int, position: int) -> str:
    threads = threads_of(simulation)
    slot = threads.written(number, position)
    writer = cast("Writer", cast("LanguageMind", simulation.minds.all[0]).component("write"))
    names = [threads.name_of(author) for author, _ in slot.path]
    request = request_for(slot, writer.manner, prompts(HERE / "prompts"), names, writer.sampling)
    return prompt_of(request)
