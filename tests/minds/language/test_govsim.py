"""A whole society of language minds on the real lake, in the real talk, through the real door to scripted models."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from sociarium.environments.commons.commons import Commons, CommonsRules
from sociarium.environments.conversation.conversation import Conversation
from sociarium.environments.conversation.rules import TalkRules
from sociarium.kernel.population import Population
from sociarium.kernel.protocols import NoJournal
from sociarium.kernel.schedule import Rounds
from sociarium.kernel.simulation import Simulation
from sociarium.kernel.turn import Phase, TurnKind
from sociarium.minds.language import prompts
from sociarium.minds.language.act import Act, ActRules, grid
from sociarium.minds.language.component import Focus
from sociarium.minds.language.converse import Converse
from sociarium.minds.language.memory import Memory
from sociarium.minds.language.mind import LanguageMind
from sociarium.minds.language.minutes import Minutes
from sociarium.minds.language.persona import Persona, Rules
from sociarium.minds.language.reflect import Afterthoughts, Importance, Reflect
from sociarium.models.backends.embed import HashingEmbedder
from sociarium.models.backends.scripted import ScriptedBackend
from sociarium.models.service import ModelService

RULES = """---
id: test.rules
version: 1
language: en
variables: [capacity]
source: a test
---
## system
<!-- layer: shared -->
The lake holds {{capacity}} tons of fish.
"""
NEWS = {
    "commons.harvested": {"who": "actor", "kind": "action", "text": "I wanted {{wanted}} tons and caught {{caught}}.", "expires": "63d"},
    "commons.reported": {"who": "others", "kind": "event", "text": "{{actor}} caught {{caught}} tons.", "expires": "tick"},
    "conversation.said": {"kind": "chat", "text": "{{text}}", "expires": "63d"},
    "conversation.summarised": {"kind": "event", "text": "{{text}}", "expires": "63d"},
    "conversation.agreed": {"kind": "thought", "text": "We agreed on {{limit}} tons each.", "always": True, "importance": 10},
}


class Journal(NoJournal):
    """Keeps what was asked."""

    def __init__(self):
        super().__init__()
        self.entries = []

    async def append(self, entry):
        self.entries.append(entry)
        await super().append(entry)


def tagged(tag):
    """A model that signs its words. It takes what was agreed, or ten."""

    def reply(request, draw):
        if request.schema is None:
            agreed = any("We agreed on 9 tons" in block.text for block in request.blocks)
            return f"{tag} thinks. Answer: {9 if agreed else 10} tons"
        name = next(iter(request.schema["properties"]))
        return {
            "text": f'{{"text": "{tag} speaks", "end": false, "next": 1}}',
            "summary": f'{{"summary": "{tag} sums up"}}',
            "limit": '{"limit": 9}',
            "importance": '{"importance": 6}',
            "insights": f'{{"insights": ["{tag} understands"]}}',
            "thought": f'{{"thought": "{tag} thinks"}}',
        }[name]

    return ScriptedBackend(reply, tag=tag)


def test_a_month_of_harvest_talk_minutes_and_reflection(tmp_path):
    (tmp_path / "rules.md").write_text(RULES, "utf-8")
    people = ["John", "Kate", "Jack", "Emma", "Luke"]
    population = Population.of("fisher", 5, name=np.array(people, object), route=np.array([f"m{n}" for n in range(5)], object))
    population.declare("moderator")
    population.admit("moderator", 1, name=np.array(["Mayor"], object))
    memory = Memory(NEWS, embedder=HashingEmbedder(), importance="model")
    mind = LanguageMind(
        [
            Rules(capacity=100),
            Persona(),
            memory,
            Importance(phases=("home",)),
            Act(ActRules("answer", actions=("commons.harvest",), fallback={"harvest": {"quantity": 0}}, focus=Focus(("harvesting",)))),
            Converse(kinds=("fisher",)),
            Minutes(),
            Afterthoughts(phases=("home",)),
            Reflect("harvesting", phases=("home",)),
        ],
        prompts(tmp_path),
    )
    phases = [
        Phase("harvest", "commons", who=("fisher",)),
        Phase("talk", "conversation"),
        Phase("home", who=("fisher",), kind=TurnKind.INNER),
    ]
    journal = Journal()
    service = ModelService(
        {"default": tagged("x"), "framework": tagged("f"), **{f"m{n}": tagged(f"m{n}") for n in range(5)}}, journal=journal, seed=1
    )
    lake, talk = Commons(CommonsRules(harvesters=("fisher",))), Conversation(TalkRules(moderator="moderator", turn_taking="named"))
    simulation = Simulation(population, [lake, talk], [mind], Rounds(phases, 3), door=service)
    records = []
    simulation.on_tick.append(records.append)
    simulation.run_sync()

    assert [record.shares() for record in records] == [{"ok": n} for n in (sum(r.shares().values()) for r in records)]
    caught = [next(e for e in record.events if e.kind == "commons.harvested").data["caught"].tolist() for record in records]
    assert caught == [[10] * 5, [9] * 5, [9] * 5]  # the agreement of the first talk is remembered by all
    for entry in journal.entries:
        asker, label = int(entry.address.asker.split(":")[1]), entry.address.label
        tag = "f" if label in ("summary", "limit") else f"m{asker}"
        assert entry.request["model"] == f"scripted:{tag}"
        assert (asker == 5) == (tag == "f")
        if label not in ("limit", "importance"):
            assert f"{tag} " in entry.reply["text"]
    stream = memory.stream
    for agent in range(5):
        own = [str(stream["text"][row]) for row in stream.of(agent) if stream["author"][row] == agent and stream["kind"][row] == 1]
        assert f"m{agent} understands" in own
        assert not any(f"m{other} understands" in own for other in range(5) if other != agent)
    assert not np.isnan(stream["importance"][stream["kind"] == 1][:5]).all()


@pytest.mark.model
@pytest.mark.slow
def test_the_small_model_harvests_talks_and_remembers(weights, tmp_path):
    from sociarium.models.backends.local import LocalBackend

    (tmp_path / "rules.md").write_text(RULES, "utf-8")
    population = Population.of("fisher", 2, name=np.array(["John", "Kate"], object))
    options = grid("harvest", "quantity", (0, 10, 50), "I catch {{value}} tons.")
    memory = Memory(NEWS, embedder=HashingEmbedder())
    mind = LanguageMind(
        [Rules(capacity=100), Persona(), memory, Act(ActRules("choose", actions=("commons.harvest",), options=options)), Converse()],
        prompts(tmp_path),
    )
    lake, talk = Commons(CommonsRules()), Conversation(TalkRules(max_turns=2, longest=120))
    backend = LocalBackend.open(str(weights), slots=1, context=2048)
    service = ModelService({"default": backend}, journal=NoJournal(), seed=1)
    simulation = Simulation(
        population, [lake, talk], [mind], Rounds([Phase("harvest", "commons"), Phase("talk", "conversation")], 1), door=service
    )
    records = []
    simulation.on_tick.append(records.append)

    async def go():
        async with service:
            await simulation.run()

    asyncio.run(go())
    assert set(records[0].shares()) <= {"ok", "repaired"}
    said = next(e for e in records[0].events if e.kind == "conversation.said")
    assert all(text.strip() for text in said.data["text"])
