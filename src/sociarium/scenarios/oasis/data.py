"""Real input, from files of the user's: one cascade with its users and its curves, and the table of many. Nothing of it is shipped.

The release keeps curves as pickles, and a pickle may run any code when it is read: here curves are JSON, and a pickle is refused.
"""

from __future__ import annotations

import ast
import csv
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from sociarium.kernel.errors import UsageError
from sociarium.kernel.network import Network
from sociarium.lab.cascades import Curves

LARGEST = 64 * 2**20  # bytes
CURVES = ("scale", "depth", "max_breadth")


@dataclass(frozen=True, slots=True)
class Case:
    """One cascade. ``network``: from who follows to who is followed; ``source``: who posted ``text``; ``descriptions``: "" where none."""

    network: Network
    descriptions: tuple[str, ...]
    source: int
    text: str


@dataclass(frozen=True, slots=True)
class Topic:
    """A row of the table of cascades: how many took part, how deep it went, what was posted, and whether it was true."""

    name: str
    true: bool
    users: int
    depth: int
    text: str
    category: str


def read_case(path: Path) -> Case:
    """Users with the lists of whom they follow, one of whom has posted. Raises UsageError for what is not such a table."""
    rows = _rows(path, ("following_agentid_list", "previous_tweets", "user_char"))
    sources: list[int] = []
    targets: list[int] = []
    posted: list[tuple[int, str]] = []
    for number, row in enumerate(rows):
        for followed in _listed(row["following_agentid_list"], int, path, number):
            if not 0 <= followed < len(rows):
                raise UsageError(f"{path}: user {number} follows {followed}, but users are 0 to {len(rows) - 1}")
            sources.append(number)
            targets.append(followed)
        posted += [(number, text) for text in _listed(row["previous_tweets"], str, path, number)]
    if len(posted) != 1:
        raise UsageError(f"{path}: {len(posted)} posts stand under previous_tweets; a cascade has one source")
    descriptions = tuple((row["user_char"] or "").strip() for row in rows)
    return Case(Network.from_edges(len(rows), sources, targets), descriptions, *posted[0])


def read_series(path: Path) -> Curves:
    """The recorded curves, minute by minute from minute 0, cut to the shortest: scale, depth and breadth."""
    if path.suffix in (".pkl", ".pickle"):
        raise UsageError(f"{path} is a pickle, which may run code when it is read; write its lists as JSON: {{{', '.join(CURVES)}}}")
    try:
        plain: Any = json.loads(_text(path))
    except json.JSONDecodeError as error:
        raise UsageError(f"{path} is not JSON: {error}") from None
    if not isinstance(plain, dict) or any(name not in plain for name in CURVES):
        raise UsageError(f"{path} must hold the lists {', '.join(CURVES)}")
    given = cast("Mapping[str, Any]", plain)
    lists: list[NDArray[np.int64]] = []
    for name in CURVES:
        values = cast("list[Any]", given[name]) if isinstance(given[name], list) else []
        if not values or any(isinstance(v, bool) or not isinstance(v, int | float) or v != v or v < 0 or v != int(v) for v in values):
            raise UsageError(f"{path}: {name} must be a list of counts, one a minute")
        lists.append(np.array(values, np.int64))
    shortest = min(map(len, lists))
    return Curves(*(one[:shortest] for one in lists))


def read_topics(path: Path) -> dict[str, Topic]:
    """The table of cascades, by name."""
    rows = _rows(path, ("label", "num_users", "max_depth", "source_tweet", "topic_category", "topic_name"))
    out: dict[str, Topic] = {}
    for number, row in enumerate(rows):
        try:
            users, depth = int(row["num_users"]), int(row["max_depth"])
        except ValueError:
            raise UsageError(f"{path}: row {number} has no whole numbers of users and depth") from None
        if row["label"] not in ("True", "False") or users < 1:
            raise UsageError(f"{path}: row {number} has label {row['label']!r} and {users} users; labels are True and False")
        name = row["topic_name"]
        out[name] = Topic(name, row["label"] == "True", users, depth, row["source_tweet"], row["topic_category"])
    return out


def read_counterfactual(path: Path) -> tuple[str, ...]:
    """Statements that are false, from the pairs of the release (a post and its counterfactual comment): the comments."""
    try:
        plain: Any = json.loads(_text(path))
        return tuple(str(one["RC_1"]["body"]) for one in plain)
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise UsageError(f"{path} is no list of pairs with RC_1.body: {error!r}") from None


def summary(topics: Mapping[str, Topic]) -> dict[str, float]:
    """What the table says as a whole: cascades, true ones, mean users, median depth."""
    rows = list(topics.values())
    return {
        "cascades": len(rows),
        "true": sum(one.true for one in rows),
        "users": float(np.mean([one.users for one in rows])),
        "depth": float(np.median([one.depth for one in rows])),
    }


def _rows(path: Path, columns: tuple[str, ...]) -> list[dict[str, str]]:
    reader = csv.DictReader(_text(path).splitlines(keepends=True))
    rows = list(reader)
    if missing := [name for name in columns if name not in (reader.fieldnames or ())]:
        raise UsageError(f"{path} has no column {missing[0]!r}; it needs {', '.join(columns)}")
    if not rows or any(row[name] is None for row in rows for name in columns):  # pyright: ignore[reportUnnecessaryComparison]
        raise UsageError(f"{path} has no rows, or one that is too short")
    return rows


def _listed(text: str, kind: type, path: Path, row: int) -> list[Any]:
    """A list of plain values as the release writes it; literals only, nothing is run."""
    try:
        values: Any = ast.literal_eval(text) if text else []
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        values = None
    if not isinstance(values, list) or any(type(one) is not kind for one in cast("list[Any]", values)):
        raise UsageError(f"{path}: row {row} holds {text[:60]!r} where a list of {kind.__name__} values should stand")
    return cast("list[Any]", values)


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > LARGEST:
            raise UsageError(f"{path} is larger than {LARGEST} bytes: that is no table of cascades")
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read {path}: {error}") from None
