"""Mixes of agents that follow a rule, by name; and agents that harvest by a table."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sociarium.kernel.actions import Actions
from sociarium.kernel.errors import UsageError
from sociarium.kernel.mind import Mind
from sociarium.kernel.turn import Observations, Turn
from sociarium.minds.scripted import Policy, greedy, persuadable, sustainable, take

Array = NDArray[Any]

RULES: dict[str, Callable[[float, float], Policy]] = {
    # name -> from the agent's own amount and the limit that scripted groups agree on, to a policy
    "sustainable": lambda amount, agreed: sustainable(),
    "greedy": lambda amount, agreed: greedy(),
    "take": lambda amount, agreed: take(amount),
    "persuadable": lambda amount, agreed: persuadable(amount, agreed),
}
WITH_AMOUNT = frozenset({"take", "persuadable"})

_ENTRY = re.compile(r"([a-z]+)(?::([0-9]+))?(?:\*([0-9]+))?")


def parse_policies(text: str, agents: int) -> list[str]:
    """``sustainable*4,greedy`` as one policy an agent. One entry without a count takes all agents that are left.

    Policies: sustainable (the equal share of what regrows), greedy (the equal share of all there is, and 10 more), take:N,
    persuadable:N (half way from N to the agreed limit). Raises UsageError.
    """
    entries: list[tuple[str, int | None]] = []
    for part in text.replace(" ", "").split(","):
        found = _ENTRY.fullmatch(part)
        if found is None or found[1] not in RULES or (found[2] is not None) != (found[1] in WITH_AMOUNT):
            known = ", ".join(f"{name}:N" if name in WITH_AMOUNT else name for name in RULES)
            raise UsageError(f"policies: {part!r} is no policy; there are {known}, each with an optional count as in greedy*2")
        entries.append((part.partition("*")[0], int(found[3]) if found[3] else None))
    rest = agents - sum(count for _, count in entries if count is not None)
    alone = sum(count is None for _, count in entries) == 1
    counts = [count if count is not None else rest if alone else 1 for _, count in entries]
    if min(counts) < 0 or sum(counts) != agents:
        raise UsageError(f"policies: {text!r} is for {sum(max(0, count) for count in counts)} agents, but there are {agents}")
    return [name for (name, _), count in zip(entries, counts, strict=True) for _ in range(count)]


def policies_of(names: Iterable[str], agreed: float) -> dict[str, Policy]:
    """The policies of these names, as ``ScriptedMind`` takes them."""
    return {name: RULES[name.partition(":")[0]](float(name.partition(":")[2] or 0), agreed) for name in dict.fromkeys(names)}


class Table(Mind):
    """Agents who harvest by a table and say nothing: a plan, or a recorded run played again. ``wishes`` is (months, agents), units;
    after its last month nobody takes anything."""

    def __init__(self, wishes: Array) -> None:
        self.wishes = np.asarray(wishes, np.int64)

    async def decide(self, turn: Turn, seen: Observations) -> Actions:
        if not turn.offered("commons.harvest"):
            return Actions()
        wanted = self.wishes[turn.tick] if turn.tick < len(self.wishes) else np.zeros(self.wishes.shape[1], np.int64)
        return Actions.one(turn, "commons.harvest", quantity=wanted[turn.agents])
