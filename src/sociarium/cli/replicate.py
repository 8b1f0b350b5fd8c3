"""replicate SLUG: check a paper's claims on our engine, and say what could not be checked."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from sociarium.cli.console import emit_json, number, say, show_table
from sociarium.lab.claims import checks_of, replication, run_claims
from sociarium.scenarios import catalogue


def replicate(
    slug: str,
    *,
    model: Annotated[str | None, Parameter(help="language model for the claims that need one")] = None,
    strong: Annotated[bool, Parameter(negative=(), help="your word that this model is of the class the paper used")] = False,
    seeds: Annotated[int, Parameter(help="replicates behind each interval")] = 20,
    data: Annotated[Path | None, Parameter(help="folder of reference data (default: SOCIARIUM_DATA)")] = None,
    json: Annotated[bool, Parameter(negative=(), help="machine-readable output")] = False,
) -> int:
    """Each claim with what was published, what we find (with its interval), and a verdict. Exit code 1 where one fails."""
    card = catalogue.card(slug)
    place = data or (Path(named) if (named := os.environ.get("SOCIARIUM_DATA")) else None)
    results = asyncio.run(run_claims(card, checks_of(catalogue.claims(slug)), seeds=range(seeds), model=model, strong=strong, data=place))
    unread = [result for result in results if result.verdict == "needs data"]
    results = [result for result in results if result.verdict != "needs data"]
    if json:
        emit_json(replication(card, results))
    else:
        rows = [(r.id, r.statement, _told(r.published), _told(r.ours) + _interval(r.low, r.high), r.verdict) for r in results]
        show_table(card.source(), ["claim", "statement", "published", "ours (interval)", "verdict"], rows, folds=[1, 2, 3])
        held, failed = sum(r.verdict == "holds" for r in results), sum(r.verdict == "fails" for r in results)
        say(
            f"of {len(results)} claims {held} hold, {failed} fail, {len(results) - held - failed} not checked",
            style="green" if not failed else "red",
        )
    if unread and not json:
        say(f"{len(unread)} more need reference data (--data FOLDER): {', '.join(result.id for result in unread)}", style="dim")
    return 1 if any(result.verdict == "fails" for result in results) else 0


def _told(value: float | str | None) -> str:
    return value if isinstance(value, str) else number(value, 4)


def _interval(low: float | None, high: float | None) -> str:
    return "" if low is None or high is None else f" ({number(low, 4)} to {number(high, 4)})"
