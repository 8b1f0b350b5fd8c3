"""Who the users are: made-up people with interests, or accounts with a history of posts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from sociarium.environments.wording import read_yaml
from sociarium.kernel.errors import UsageError
from sociarium.kernel.population import Column, Population
from sociarium.kernel.randomness import Randomness, Stream

HERE = Path(__file__).parent
Floats = NDArray[np.float64]

MAIN, SIDE = 0.6, 0.25  # shares of a user's words about its first and second interest; the rest are common words
COLUMNS = (
    Column("name", str, ""),
    Column("persona", str, "", doc="who the user is, in about 30 words addressed to it"),
    Column("activity", np.float64, 0.0, doc="chance to publish where there is nothing to read"),
    Column("main", np.int16, -1, doc="number of the first interest of a made-up user"),
)


@dataclass(frozen=True, slots=True)
class People:
    """``interests``: (users, topics) shares of what each writes about; the last topic is common words. ``histories``: posts of each, one
    text a user, empty for made-up ones."""

    population: Population
    vocabulary: tuple[tuple[str, ...], ...]
    interests: Floats
    histories: tuple[str, ...]


def made_up(users: int, seed: int, activity: float | None = None) -> People:
    """Two interests and a temper each, drawn; activities spread evenly from 0.05 to 0.95 and dealt out, so that no two are equal."""
    source = _source()
    topics = source["interests"]
    stream, rows = Randomness(seed).stream("friendship.people"), np.arange(users)
    main = stream.integers(0, len(topics) - 1, rows)
    side = (main + stream.integers(1, len(topics) - 1, rows, 1)) % len(topics)
    temper = stream.integers(0, len(source["tempers"]) - 1, rows, 2)
    personas = [f"{topics[a]['says']}. {topics[b]['says']}. {source['tempers'][c]}" for a, b, c in zip(main, side, temper, strict=True)]
    shares = np.zeros((users, len(topics) + 1))
    shares[rows, main], shares[rows, side], shares[:, -1] = MAIN, SIDE, 1 - MAIN - SIDE
    columns = {"name": names(users, stream.at("names")), "persona": personas, "main": main}
    population = Population.of("user", users, COLUMNS, activity=activities(users, seed, activity), **columns)
    words = tuple(tuple(str(word) for word in one["words"]) for one in topics)
    return People(population, (*words, tuple(source["common"])), shares, ("",) * users)


def from_histories(path: Path, users: int, posts: int, seed: int, activity: float | None = None) -> People:
    """The first accounts of a file with one JSON object a line: ``{"account": "name", "posts": ["...", ...]}``. Personas are still to be
    written; rule minds write with the words of the account's own posts."""
    accounts = read_histories(path)[:users]
    if len(accounts) < users:
        raise UsageError(f"{path} has {len(accounts)} accounts, but {users} agents were asked for: set agents={len(accounts)}")
    texts = ["\n".join(said[:posts]) for _, said in accounts]
    words = tuple(tuple(text.split()) or ("…",) for text in texts)
    population = Population.of("user", users, COLUMNS, activity=activities(users, seed, activity), name=[name for name, _ in accounts])
    return People(population, words, np.eye(users), tuple(texts))


def read_histories(path: Path) -> list[tuple[str, list[str]]]:
    """(account, posts) in the order of the file; names are made different by none but its author."""
    found: dict[str, list[str]] = {}
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read the histories {path}: {error}") from error
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            one = cast("dict[str, Any]", json.loads(line))
            name, posts = str(one["account"]), [str(text) for text in one["posts"]]
        except (json.JSONDecodeError, KeyError, TypeError) as error:
            raise UsageError(f'{path}, line {number}: not an object like {{"account": "name", "posts": ["..."]}} ({error})') from None
        if name in found or not name.strip() or not posts:
            raise UsageError(f"{path}, line {number}: account {name!r} has no name, no posts, or was there before")
        found[name] = posts
    return list(found.items())


def names(users: int, random: Stream) -> list[str]:
    """Different handles of two words each; where those run out, numbered ones."""
    source = _source()
    pairs = [f"{one}_{two}" for one in source["first"] for two in source["second"]]
    order = random.order(np.arange(len(pairs))).tolist()
    return [pairs[order[at % len(pairs)]] + (f"_{at // len(pairs) + 1}" if at >= len(pairs) else "") for at in range(users)]


def activities(users: int, seed: int, same: float | None = None) -> Floats:
    """Evenly spread, no two equal, dealt out: by construction independent of everything else. ``same``: one for all instead."""
    if same is not None:
        return np.full(users, same)
    values = 0.05 + 0.9 * (np.arange(users) + 0.5) / users
    return values[Randomness(seed).stream("friendship.activity").order(np.arange(users))]


@cache
def _source() -> dict[str, Any]:
    return cast("dict[str, Any]", read_yaml(HERE / "people.yaml", "people"))


def descriptions(people: People) -> Sequence[str]:
    """What each user's interests are read from: its history, else its persona."""
    personas = people.population["user"]["persona"]
    return [history or str(persona) for history, persona in zip(people.histories, personas, strict=True)]
