"""Personas from a file of General Social Survey agents: JSON lines, one person a line, as released with genagents.

The file is the reader's to bring; every field is a survey answer, and the names in it are invented.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np

from sociarium.kernel.errors import UsageError
from sociarium.populations.personas import Persona
from sociarium.populations.quotas import exact_counts

Record = Mapping[str, Any]

MAXIMUM_LINES = 1_000_000

LABELS = {  # column -> how the text calls it, in the order the text has them
    "sex": "Sex",
    "race": "Race",
    "detailed_race": "Race in detail",
    "hispanic_origin": "Hispanic origin",
    "ethnicity": "Family from",
    "city": "City",
    "state": "State",
    "marital_status": "Marital status",
    "work_status": "Work",
    "military_service_duration": "Military service",
    "highest_degree_received": "Highest degree",
    "total_wealth": "Wealth",
    "political_views": "Political views",
    "party_identification": "Party",
    "religion": "Religion",
    "religion_at_16": "Religion at 16",
    "residence_at_16": "Residence at 16",
    "same_residence_since_16": "Residence since 16",
    "family_structure_at_16": "Family at 16",
    "family_income_at_16": "Family income at 16",
    "fathers_highest_degree": "Father's highest degree",
    "mothers_highest_degree": "Mother's highest degree",
    "mothers_work_history": "Mother worked",
    "born_in_us": "Born in the United States",
    "us_citizenship_status": "Citizenship",
    "speak_other_language": "Speaks another language",
}
NEEDED = ("first_name", "last_name", "age")


def read_records(path: Path) -> list[Record]:
    """All people of a file, in its order; an error names the first line that is not one."""
    records: list[Record] = []
    try:
        with path.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                if number > MAXIMUM_LINES:
                    raise UsageError(f"{path} has more than {MAXIMUM_LINES} lines; split it")
                if line.strip():
                    records.append(_record(line, path, number))
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read as text: {error}") from error
    if not records:
        raise UsageError(f"{path} holds nobody")
    return records


def persona(record: Record, columns: Sequence[str] | None = None) -> Persona:
    """One person in words. ``columns`` chooses the answers told and their order (default: all that are known)."""
    chosen = list(LABELS) if columns is None else list(columns)
    for column in chosen:
        if column not in LABELS:
            raise UsageError(f"unknown survey column {column!r}; there are {', '.join(LABELS)}")
    facts = {LABELS[column]: str(record[column]) for column in chosen if record.get(column) not in (None, "")}
    return Persona(name=f"{record['first_name']} {record['last_name']}", age=int(record["age"]), facts=facts)


def sample(
    records: Sequence[Record],
    count: int,
    random: np.random.Generator,
    quotas: Mapping[str, Mapping[str, float]] | None = None,
) -> list[Record]:
    """``count`` different people, uniformly, or with the quotas of one column met exactly.

    ``quotas``: one column with the share of each of its values, such as ``{"sex": {"Female": 0.5, "Male": 0.5}}``. Within a value
    people are drawn uniformly, without replacement, and the whole sample is shuffled. Several columns at once would need
    raking: their joint shares are not known from the marginals.
    """
    if not 0 < count <= len(records):
        raise UsageError(f"{count} people cannot be drawn without repeats from {len(records)}")
    if not quotas:
        return [records[place] for place in random.permutation(len(records))[:count]]
    if len(quotas) > 1:
        raise UsageError(f"quotas on {len(quotas)} columns at once ({', '.join(quotas)}) need raking; give one column here")
    ((column, shares),) = quotas.items()
    chosen: list[int] = []
    for value, wanted in zip(shares, exact_counts(list(shares.values()), count).tolist(), strict=True):
        places = [place for place, record in enumerate(records) if record.get(column) == value]
        if len(places) < wanted:
            raise UsageError(f"the quota asks for {wanted} people with {column} {value!r}, but there are only {len(places)}")
        chosen += [places[index] for index in random.permutation(len(places))[:wanted]]
    return [records[chosen[index]] for index in random.permutation(len(chosen))]


def _record(line: str, path: Path, number: int) -> Record:
    try:
        parsed: Any = json.loads(line)
    except ValueError as error:
        raise UsageError(f"{path}, line {number}, is not JSON: {error}") from error
    missing = [name for name in NEEDED if not isinstance(parsed, dict) or name not in parsed]
    if missing:
        raise UsageError(f"{path}, line {number}, is not a person: {missing[0]!r} is missing")
    record = cast("dict[str, Any]", parsed)
    if not isinstance(record["age"], int):
        raise UsageError(f"{path}, line {number}: age {record['age']!r} must be a whole number of years")
    return record
