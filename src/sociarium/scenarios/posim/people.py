"""Whose accounts there are: invented profiles of four kinds, how active each is, what it tends to, and who follows whom."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sociarium.environments.wording import read_yaml
from sociarium.kernel.network import Network
from sociarium.kernel.population import Column, Population, Visibility
from sociarium.kernel.randomness import Stream
from sociarium.minds.tendency import TENDS
from sociarium.populations.networks.preferential import barabasi_albert
from sociarium.populations.quotas import exact_counts

if TYPE_CHECKING:
    from sociarium.scenarios.posim.scenario import Posim

Array = NDArray[Any]
Floats = NDArray[np.float64]

ACCOUNTS = "followers_count"  # the column of how many follow an account
LINKS = 3  # whom each follows, of those there were before it


@cache
def words() -> dict[str, Any]:
    """Kinds of accounts and the words of their profiles, from the file beside this one."""
    return read_yaml(Path(__file__).with_name("people.yaml"), "kinds of accounts")


@cache
def story(name: str = "events") -> list[dict[str, Any]]:
    """What happens outside, or a company's answer to it, from the file beside this one."""
    return list(read_yaml(Path(__file__).with_name("events.yaml"), "story")[name] or [])


def activity(posts: ArrayLike, followers: ArrayLike) -> Floats:
    """How readily an account wakes: 0.6 min(1, posts / 1000) + 0.4 min(1, followers / 100,000)."""
    written, heard = np.asarray(posts, np.float64), np.asarray(followers, np.float64)
    return 0.6 * np.minimum(1, written / 1000) + 0.4 * np.minimum(1, heard / 100_000)


def users(scenario: Posim, random: Stream) -> Population:
    """Accounts in order of kind: opinion leaders, media, government, citizens; at least one of each."""
    kinds, size = words()["kinds"], scenario.users
    names = list(kinds)
    counts = np.maximum(exact_counts([kinds[name]["share"] for name in names], size), 1)
    counts[-1] = size - counts[:-1].sum()
    kind = np.repeat(np.arange(len(names)), counts)
    agents = np.arange(size)
    columns: dict[str, Any] = {"agent_type": np.array(names, object)[kind]}
    for column, spread in ((ACCOUNTS, 1.2), ("following_count", 0.8), ("posts_count", 1.0)):
        middle = np.array([kinds[name][column] for name in names], np.float64)[kind]
        columns[column] = np.maximum(1, np.rint(middle * np.exp(spread * random.at(column).normal(agents)))).astype(np.int64)
    columns["activity"] = activity(columns["posts_count"], columns[ACCOUNTS])
    columns["verified"] = random.at("verified").uniform(agents) < np.array([kinds[name]["verified"] for name in names])[kind]
    columns["verified_type"] = np.where(columns["verified"], columns["agent_type"], "")
    columns["gender"] = np.array(["a woman", "a man"], object)[random.at("gender").integers(0, 1, agents)]
    columns["location"] = _one_of(words()["places"], random.at("place"), agents)
    columns["name"] = _names(names, kind, random)
    about = [_about(kinds[names[code]], random.at("about"), agent) for agent, code in enumerate(kind.tolist())]
    columns["description"] = _texts(about)
    columns["psychology"] = _one_of(words()["psychology"], random.at("psychology"), agents)
    camp = np.where(random.at("camp").uniform(agents) < words()["critical"], -1.0, 1.0)
    columns["stance"] = np.clip(camp * 0.5 + 0.25 * random.at("stance").normal(agents), -1, 1)
    for place, name in enumerate(TENDS):
        base = np.array([kinds[one]["tends"][place] for one in names], np.float64)[kind]
        columns[name] = np.round(base * random.at(name).exponential(agents), 4)
    hidden = [Column(name, np.float64, 0.0, Visibility.HIDDEN) for name in ("activity", "stance", *TENDS)]
    return Population.of("user", size, [*hidden, Column("primed", str, "", Visibility.HIDDEN)], **columns)


def following(people: Population, random: Stream) -> Network:
    """A scale-free graph: the more followers an account has all told, the earlier it was there, and the more of these users follow it."""
    followers = people["user"][ACCOUNTS]
    rank = np.argsort(-followers, kind="stable")
    grown = barabasi_albert(len(followers), min(LINKS, len(followers) - 1), random.at("follows"), directed=True)
    return grown.relabelled(rank)


def _names(names: list[str], kind: Array, random: Stream) -> Array:
    """One of its kind's words and a number that nobody else has."""
    agents = np.arange(len(kind))
    listed = [words()["kinds"][name]["names"] for name in names]
    drawn = random.at("name").uniform(agents).tolist()
    return _texts(
        [f"{listed[code][int(share * len(listed[code]))]} {agent}" for agent, code, share in zip(agents, kind, drawn, strict=True)]
    )


def _about(kind: dict[str, Any], random: Stream, agent: int) -> str:
    listed: list[str] = kind["about"]
    drawn: list[int] = random.integers(0, len(listed) - 1, [agent, agent], np.array([0, 1])).tolist()
    return " ".join(dict.fromkeys(listed[number] for number in drawn))


def _one_of(listed: list[str], random: Stream, agents: Array) -> Array:
    return np.array(listed, object)[random.integers(0, len(listed) - 1, agents)]


def _texts(values: list[str]) -> Array:
    out = np.empty(len(values), object)
    out[:] = values
    return out
