"""Scripted populations: how much each takes from a commons, by a few well-known policies, and what it says, by fixed sentences.

    ScriptedMind({"greedy": greedy(), "sustainable": sustainable()})     # an agent's policy is in the column ``policy``

Everything is vectorised: ten thousand lakes of scripted agents are one call.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sociarium.kernel.actions import Actions
from sociarium.kernel.errors import UsageError
from sociarium.kernel.mind import Mind
from sociarium.kernel.turn import Observations, Turn
from sociarium.kernel.world import World
from sociarium.minds.prompts import plain

Array = NDArray[Any]
Policy = Callable[[Turn, Observations], ArrayLike]  # units wanted, (agents,), rounded down


def take(amount: float | Policy, *, of: str = "") -> Policy:
    """Always ``amount`` units; or that fraction of a column (``take(0.1, of="stock")``); or what a function says."""
    if callable(amount):
        return amount
    if not of:
        return lambda turn, seen: np.full(len(turn.agents), amount)
    return lambda turn, seen: _commons(seen, of) * amount


def sustainable() -> Policy:
    """An equal share of what leaves the stock no smaller: floor(floor(h/2)/n) where the stock doubles."""
    return lambda turn, seen: _commons(seen, "share")


def greedy(extra: float = 10.0) -> Policy:
    """An equal share of all there is, and ``extra`` units: floor(h/n) + 10."""
    return lambda turn, seen: _commons(seen, "stock") // np.maximum(_commons(seen, "agents"), 1) + extra


def persuadable(wish: float, agreed: float = float("nan")) -> Policy:
    """The mean of its own wish and the limit agreed on in the last talk; its wish where none was.

    ``agreed`` stands for that limit in phases that do not show the talk.
    """

    def policy(turn: Turn, seen: Observations) -> Array:
        shown = seen.parts.get("conversation", {})
        limit = np.broadcast_to(np.asarray(shown.get("limit", agreed), np.float64), len(turn.agents))
        return np.where(np.isnan(limit), wish, (wish + limit) / 2)

    return policy


class ScriptedMind(Mind):
    """A mix of policies. ``policies`` by name, as the population's ``column`` gives them; one policy alone needs no column.

    ``language`` is that of what is said; ``limit`` is what a scripted moderator notes as agreed (-1: nothing). What is taken, and who
    speaks next, are the same in every language.
    """

    def __init__(
        self,
        policies: Mapping[str, Policy] | Policy,
        *,
        column: str = "policy",
        action: str = "commons.harvest",
        argument: str = "quantity",
        language: str = "en",
        limit: int = -1,
    ) -> None:
        self.policies = {"": policies} if callable(policies) else dict(policies)
        self.column = column
        self.action, self.argument = action, argument
        self.limit = limit
        self.lines, self.summary = sentences(language)

    def begin(self, world: World) -> None:
        self.world = world

    def admit(self, agents: NDArray[np.int64]) -> None:
        self._numbers(agents)  # an unknown policy is an error now, not in the middle of a run

    async def decide(self, turn: Turn, seen: Observations) -> Actions:
        actions = Actions()
        for spec in turn.offers:
            if spec.full == self.action:
                actions.add(turn, spec.full, turn.agents, **{self.argument: self._wanted(turn, seen)})
            elif spec.full == "conversation.say":
                actions.add(turn, spec.full, turn.agents, **{n: c for n, c in self._said(turn, seen).items() if n in spec.arguments})
            elif spec.full == "conversation.bid":
                actions.add(turn, spec.full, turn.agents, urgency=turn.random("urgency").uniform(turn.agents))
            elif spec.full == "conversation.minute":
                summary = np.full(len(turn.agents), self.summary, object)
                actions.add(turn, spec.full, turn.agents, summary=summary, limit=self.limit)
        return actions

    def _wanted(self, turn: Turn, seen: Observations) -> Array:
        wanted = np.zeros(len(turn.agents))
        numbers = self._numbers(turn.agents)
        for number, policy in enumerate(self.policies.values()):
            mine = numbers == number
            if mine.all():
                wanted = np.asarray(policy(turn, seen), np.float64)
            elif mine.any():
                part = turn.part(mine)
                wanted[mine] = policy(part, seen.part(mine, part))
        return np.floor(wanted).astype(np.int64)

    def _said(self, turn: Turn, seen: Observations) -> dict[str, Array]:
        """A sentence drawn for each; the floor goes to anyone of the group."""
        people = np.asarray(seen.parts.get("conversation", {}).get("participants", 1), np.int64)
        at = turn.random("sentence").integers(0, len(self.lines) - 1, turn.agents)
        following = turn.random("next").integers(0, np.maximum(people, 1) - 1, turn.agents)
        return {"text": self.lines[at], "end": np.zeros(len(at), np.bool_), "next": following}

    def _numbers(self, agents: NDArray[np.int64]) -> NDArray[np.int64]:
        """Which policy each agent has."""
        if "" in self.policies:
            return np.zeros(len(agents), np.int64)
        out = np.full(len(agents), -1, np.int64)
        for table in self.world.population:
            if self.column not in table:
                continue  # a kind without the column (a moderator) has no policy, and takes nothing
            mine = np.flatnonzero(np.isin(agents, table.ids))
            given = table[self.column][self.world.population.row_of(agents[mine])]
            for number, name in enumerate(self.policies):
                out[mine[given == name]] = number
            unknown = mine[out[mine] < 0]
            if len(unknown):
                name = given[np.searchsorted(mine, unknown[0])]
                raise UsageError(f"there is no policy {name!r}, which agent {agents[unknown[0]]} has; there are {', '.join(self.policies)}")
        return out


@cache
def sentences(language: str) -> tuple[Array, str]:
    """What scripted agents say in a language, and how a scripted moderator sums it up."""
    known: Mapping[str, Any] = plain(Path(__file__).with_name("talk.yaml").read_text("utf-8"))
    if language not in known:
        raise UsageError(f"scripted agents do not speak {language!r}; they speak {', '.join(known)}")
    lines: Sequence[str] = known[language]["say"]
    return np.array(list(lines), object), str(known[language]["summary"])


def _commons(seen: Observations, column: str) -> Array:
    for part in seen.parts.values():
        if column in part:
            return np.asarray(part[column], np.float64)
    raise UsageError(f"a scripted policy needs the column {column!r}, which no environment of this phase shows")
