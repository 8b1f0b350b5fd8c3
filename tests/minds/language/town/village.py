"""A hamlet whose residents have the whole mind, and models for them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from sociarium.environments.conversation.chats import ChatRules, Chats
from sociarium.environments.town.map import TownMap
from sociarium.environments.town.rules import TownRules
from sociarium.environments.town.town import Town
from sociarium.kernel.population import Column, Population, Visibility
from sociarium.kernel.schedule import Calendar
from sociarium.kernel.simulation import Simulation
from sociarium.kernel.turn import Phase
from sociarium.kernel.units import HOUR, seconds
from sociarium.minds.language import town as town_minds
from sociarium.minds.language.mind import LanguageMind
from sociarium.minds.language.town.residents import BY_KIND, Residents, components
from sociarium.models.backends.embed import HashingEmbedder
from sociarium.models.backends.scripted import open_scripted
from sociarium.models.service import ModelService
from sociarium.testing.memory_journal import MemoryJournal

HAMLET = TownMap.read(Path(__file__).parents[3] / "environments" / "town" / "hamlet.yaml")
NAMES = ("Ann Abel", "Bob Berg", "Cem Celik", "Dora Dahl", "Eva Ek", "Finn Fox")
EMBEDDER = HashingEmbedder()


class CountingJournal(MemoryJournal):
    """Counts the questions asked, by label without numbers."""

    def labels(self):
        found = {}
        for address in self.entries:
            name = ":".join(part for part in address.label.split(":") if not part.isdigit())
            found[name] = found.get(name, 0) + 1
        return dict(sorted(found.items()))


def village(
    how=None, *, hours=3.0, start=7.0, size=4, seed=1, model="scripted:schema", backend=None, journal=None, step=60.0, rules=None,
    parts=None, phases=(), **chats,
):  # fmt: skip
    """``size`` residents from ``start`` for ``hours``; steps of a minute, in which everybody walks six tiles."""
    how = how or Residents(embedder=EMBEDDER, importance=BY_KIND)
    talks = Chats(ChatRules(**chats))
    place = Town(HAMLET, rules or TownRules(speed=max(1, round(step / 10))), chats=talks)
    homes = np.resize([HAMLET.find("Alder House/room"), HAMLET.find("Birch House/room")], size)
    texts = {"innate": "kind", "learned": "a baker", "currently": "baking for the fair", "lifestyle": "sleeps from ten to six"}
    columns = {name: np.full(size, text, object) for name, text in texts.items()}
    secret = Column("secret", str, "", Visibility.HIDDEN)
    people = Population.of("resident", size, [secret], name=np.array(NAMES[:size], object), home=homes, **columns)
    phases = [Phase("live", lead="town"), Phase("talk", lead="chats", shows=("town",), offers=("say", "leave")), *phases]
    schedule = Calendar(phases, step=seconds(step), duration=seconds(hours * 3600), start=int(start * HOUR))
    journal = journal if journal is not None else CountingJournal()
    service = ModelService({"default": backend or open_scripted(model), "embedder": EMBEDDER}, journal=journal, seed=seed)
    mind = LanguageMind(components(how) if parts is None else parts, town_minds.prompts())
    simulation = Simulation(people, [place, talks], [mind], schedule, seed=seed, door=service)
    simulation.journal = journal
    return simulation


def played(simulation, ticks=None):
    records = []
    simulation.on_tick.append(records.append)
    simulation.run_sync(ticks)
    return records


def answering(**by_field):
    """A script that fills a schema from ``by_field`` (a value, or a function of the request), else with the schema's least."""

    def value(name, schema, request):
        if name in by_field:
            given = by_field[name]
            return given(request) if callable(given) else given
        if "enum" in schema:
            return schema["enum"][0]
        kind = schema.get("type")
        if kind == "object":
            return {key: value(key, one, request) for key, one in schema["properties"].items()}
        if kind == "array":
            return [value("", schema["items"], request) for _ in range(schema.get("minItems", 1))]
        return {"integer": schema.get("minimum", 1), "number": 0.5, "boolean": False}.get(kind, "well")

    def script(request, draw):
        return json.dumps({name: value(name, schema, request) for name, schema in request.schema["properties"].items()})

    return script
