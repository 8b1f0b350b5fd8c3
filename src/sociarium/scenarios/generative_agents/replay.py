"""A page by which a run can be watched again: one file without anything from outside, for any browser."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from sociarium.lab.documents import write_page
from sociarium.scenarios.generative_agents import people
from sociarium.scenarios.generative_agents.history import read
from sociarium.scenarios.generative_agents.showing import colours, ground, labels

if TYPE_CHECKING:
    from sociarium.scenarios.generative_agents.scenario import GenerativeAgents

PAGE = Path(__file__).parent / "replay.html"


def write(scenario: GenerativeAgents, folder: Path, target: Path) -> Path:
    """The page of a run. Words of residents are data in it: they are put on the page as text only, never as markup."""
    history, town = read(folder), people.town_map()
    residents = people.written()[: len(history.names)]
    data: dict[str, Any] = {
        "title": f"{town.name}, {scenario.model or 'rule minds'}",
        "start": round(scenario.start * 3600),
        "ticks": history.ticks,
        "names": history.names,
        "colours": colours(len(history.names)),
        "ground": ground(town).tolist(),
        "labels": labels(town),
        "places": [town.address(place) for place in range(len(town))],
        "stood": history.stood.tolist(),
        "began": [row[:4] for row in history.began],
        "said": history.said,
        "facts": [fact.name for fact in people.facts()],
        "first": [people.first_told(fact.name, residents) for fact in people.facts()],
        "learned": [row[:3] for row in history.learned],
    }
    return write_page(PAGE, data, target)
