"""list, describe, doctor: look without running anything."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from sociarium.cli.console import clean, emit_json, one_run, say, show_table
from sociarium.lab.documents import finite
from sociarium.scenarios import catalogue

Json = Annotated[bool, Parameter(negative=(), help="machine-readable output")]


def list_scenarios(*, json: Json = False) -> int:
    """The scenarios there are."""
    cards = [catalogue.card(slug) for slug in catalogue.slugs()]
    if json:
        emit_json([{"slug": c.slug, "title": c.title, "claims": len(c.claims)} for c in cards])
        return 0
    show_table("", ["scenario", "what it is", "claims"], [(c.slug, c.title, len(c.claims)) for c in cards], numbers=[2], folds=[1])
    say("sociarium describe NAME tells its parameters and claims; sociarium run NAME runs it.", style="dim")
    return 0


def describe(slug: str, *, json: Json = False) -> int:
    """Paper, parameters (with units and bounds) and claims of a scenario."""
    kind, card = catalogue.scenario(slug), catalogue.card(slug)
    schema = kind.model_json_schema()
    if json:
        emit_json(finite({"card": card.model_dump(mode="json"), "parameters": schema}))
        return 0
    say(f"{card.slug}: {card.title}", style="bold")
    say(card.source())
    rows = [_row(name, spec) for name, spec in schema["properties"].items()]
    show_table("parameters (--set name=value)", ["name", "default", "legal", "meaning"], rows, folds=[2, 3])
    claims = [(c.id, c.statement, "" if c.published is None else c.published, c.needs) for c in card.claims]
    show_table("claims (sociarium replicate " + slug + ")", ["id", "statement", "published", "needs"], claims, folds=[1, 2])
    return 0


def doctor(run: Path, *, json: Json = False) -> int:
    """Check a run folder: every row and every file against its checksum, and what a kill left behind."""
    from sociarium.record.connection import connect_reader
    from sociarium.record.doctor import doctor as examine

    if not (one_run(run) / "run.sqlite").exists():
        connect_reader(run)  # its one clear error
    findings = examine(run)
    if json:
        emit_json([{"severity": f.severity, "what": f.what, "where": f.where, "mend": f.mend} for f in findings])
    else:
        for found in findings:
            say(f"{found.severity}: {found.what} ({found.where}). {found.mend}", style="red" if found.severity == "error" else "")
        if not findings:
            say(f"{run} is whole: every row and file matches its checksum.", style="green")
    return 1 if any(found.severity == "error" for found in findings) else 0


def _row(name: str, spec: dict[str, Any]) -> tuple[object, ...]:
    bounds = [f"{sign} {spec[key]:,}" for key, sign in BOUNDS.items() if key in spec]
    kinds = [s for s in spec.get("anyOf", [spec]) if s.get("type") != "null"]
    legal = ", ".join(bounds) or (" | ".join(map(str, kinds[0]["enum"])) if kinds and "enum" in kinds[0] else str(kinds[0].get("type", "")))
    legal += f" {spec['unit']}" if "unit" in spec else ""
    default = spec.get("default", "")
    return name, "none" if default is None else clean(default), legal, spec.get("description", "")


BOUNDS = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
