"""A page on which a populated community can be read: one file without anything from outside, for any browser."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from sociarium.lab.documents import write_page
from sociarium.scenarios.social_simulacra.history import read
from sociarium.scenarios.social_simulacra.showing import designs_of, run_of

if TYPE_CHECKING:
    from sociarium.scenarios.social_simulacra.scenario import SocialSimulacra

PAGE = Path(__file__).parent / "page.html"


def write(scenario: SocialSimulacra, folder: Path, target: Path) -> Path:
    """The page of a run. Words of members are data in it: they are put on the page as text only, never as markup."""
    history, designs = read(run_of(folder)), designs_of(scenario)
    data: dict[str, Any] = {
        "title": f"{scenario.community}, {scenario.model or 'rule minds'}",
        "designs": [{"goal": one.goal, "rules": [[r.text, r.allowed] for r in one.rules], "breaches": one.breaches} for one in designs],
        "people": {str(agent): list(words) for agent, words in history.people.items()},
        "threads": [
            {
                "number": one.number, "sort": one.sort, "origin": one.origin, "since": one.since, "broken": one.broken,
                "version": one.version,
                "lines": [[line.actor, line.parent, line.breach, line.text, line.kind] for line in one.lines],
            }
            for one in history.threads
        ],
    }  # fmt: skip
    return write_page(PAGE, data, target)
