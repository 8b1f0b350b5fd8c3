"""The paper's evaluation of a run: answers under four conditions of the same memory, by rule and by judges."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path

from sociarium.kernel.errors import UsageError
from sociarium.lab.believability.answers import Asked, asked_in
from sociarium.lab.believability.evaluation import Evaluation, evaluated
from sociarium.lab.believability.judges import Judges, Style
from sociarium.lab.documents import finite
from sociarium.lab.running import of_manifest
from sociarium.models.opening import ready
from sociarium.record.run import RunRecord
from sociarium.scenarios.generative_agents.areas import areas
from sociarium.scenarios.generative_agents.scenario import GenerativeAgents

REPORT = "believability.json"


async def evaluate(folder: Path, judges: Mapping[str, str] | None = None, *, style: Style = "list", most: int | None = None) -> Evaluation:
    """Evaluate the last interview of a run that was made with ``interview=areas`` and ``condition=each``, and write ``believability.json``
    beside it. ``judges``: models by name, at best two or more; without any, only what a rule scores is told. ``most``: open questions
    that are judged, the first of each resident in turn.

    What judges say is kept in ``folder/judges`` and not asked again. Raises UsageError for a run without such an interview.
    """
    with RunRecord.open(folder, mode="read") as record:
        scenario, seed = of_manifest(record.manifest, lambda _: GenerativeAgents)
    assert isinstance(scenario, GenerativeAgents)
    items = [one for one in asked_in(folder) if one.category in areas()]
    if not items or len(items[0].answers) < 2:
        raise UsageError(f"{folder} holds no interview under several conditions; run it with interview=areas and condition=each")
    found = evaluated(items)
    if judges:
        open_ = dealt([one for one in items if not one.by_rule], most)
        async with AsyncExitStack() as after:
            backends = {name: await ready(spec) for name, spec in judges.items()}
            for backend in backends.values():
                after.push_async_callback(backend.close)
            asked = Judges(backends, portraits=portraits(scenario, seed), style=style, seed=seed)
            found = evaluated(items, await asked.ranked(open_, folder / "judges"))
    (folder / REPORT).write_text(json.dumps(finite(found.plain()), indent=1) + "\n", "utf-8")
    return found


def dealt(items: list[Asked], most: int | None) -> list[Asked]:
    """The first of each resident, then the second of each, up to ``most``."""
    places: dict[int, int] = {}
    rounds: list[tuple[int, int, Asked]] = []
    for one in items:
        places[one.agent] = places.get(one.agent, -1) + 1
        rounds.append((places[one.agent], one.agent, one))
    return [one for _, _, one in sorted(rounds, key=lambda row: row[:2])][:most]


def portraits(scenario: GenerativeAgents, seed: int) -> dict[int, str]:
    """Who the residents are, in a few sentences, by agent."""
    residents = scenario.cast(seed)
    texts = [f"{one.age} years old. {one.innate} {one.learned} {one.currently} {one.lifestyle} {one.requirement}" for one in residents]
    return {at: " ".join(texts[at % len(texts)].split()) for at in range(len(texts) * scenario.towns)}
