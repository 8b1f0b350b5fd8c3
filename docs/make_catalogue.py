"""The catalogue of scenarios, written from their cards: ``python docs/make_catalogue.py`` writes ``docs/catalogue.md``."""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "src"))

from sociarium.lab.cards import Card, Claim, Needs  # noqa: E402 - the source tree comes first

PAGE = ROOT / "docs" / "catalogue.md"
SCENARIOS = ROOT / "src" / "sociarium" / "scenarios"
WANTS = {
    Needs.RULES: "rule minds",
    Needs.MODEL: "a model",
    Needs.STRONG_MODEL: "a strong model",
    Needs.DATA: "data",
}
HEAD = """\
# Catalogue of scenarios

<!-- written by docs/make_catalogue.py from the cards; do not edit -->

A scenario is a published system in Sociarium's nouns. Its card names the paper and the claims that are checked by
`sociarium replicate NAME`: what was published, ours with its interval, and a verdict. A claim that needs *rule minds* is
checked on any machine; the others stay open until they are given what they need. Small models are no evidence about people.
"""


def catalogue() -> str:
    """The whole page."""
    cards = [Card.read(path) for path in sorted(SCENARIOS.glob("*/card.yaml"))]
    rows = [f"| [{card.slug}](#{card.slug}) | {plain(card.title)} | {card.paper.year} | {needed(card)} |" for card in cards]
    table = "\n".join(["| scenario | what it is | paper | claims |", "|---|---|---|---|", *rows])
    return "\n\n".join([HEAD.rstrip(), table, *map(section, cards)]) + "\n"


def section(card: Card) -> str:
    """One scenario: its paper, how to run it, its claims."""
    paper = card.paper
    where = f"https://arxiv.org/abs/{paper.arxiv}" if paper.arxiv else paper.url
    title = f"[{plain(paper.title)}]({where})" if where else plain(paper.title)
    who = f"{paper.authors[0]} and others" if len(paper.authors) > 1 else paper.authors[0]
    facts = f"A simulation of the type *{card.simulation_type}*; domain: {plain(card.domain)}; levels: {', '.join(card.levels)}."
    source = f"{plain(who)} ({paper.year}), {title}. Licence of the paper's own code: {plain(paper.licence)}."
    shell = f"```console\n$ sociarium describe {card.slug}\n```"
    rows = [f"| `{one.id}` | {plain(one.statement)} | {published(one)} | {WANTS[one.needs]} |" for one in card.claims]
    table = "\n".join(["| claim | statement | published | needs |", "|---|---|---|---|", *rows])
    return "\n\n".join([f"## {card.slug}", f"**{plain(card.title)}.** {source} {facts}", shell, table])


def needed(card: Card) -> str:
    """How many claims need what, the easiest first."""
    counts = [(sum(one.needs is need for one in card.claims), WANTS[need]) for need in Needs]
    return f"{len(card.claims)}: " + ", ".join(f"{count} with {what}" for count, what in counts if count)


def published(one: Claim) -> str:
    """The published value with its tolerance and unit."""
    if one.published is None:
        return "derived here"
    if isinstance(one.published, str):
        return plain(one.published)
    around = f" ± {one.tolerance:g}" if one.tolerance else ""
    return f"{one.published:g}{around}" + (f" {plain(one.unit)}" if one.unit else "")


def plain(text: str) -> str:
    """Words of a card as Markdown shows them, none of them markup."""
    return re.sub(r"([\\`*_\[\]<>|$])", r"\\\1", " ".join(text.split()))


if __name__ == "__main__":
    PAGE.write_text(catalogue(), "utf-8")
