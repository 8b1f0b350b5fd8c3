"""Agents that follow a rule: sustainable, greedy, a fixed wish, grim trigger, persuadable; and agents that follow a table."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sociarium.kernel.actions import Actions
from sociarium.kernel.environment import News
from sociarium.kernel.errors import UsageError
from sociarium.kernel.mind import Mind
from sociarium.kernel.turn import Observations, Turn
from sociarium.kernel.world import World
from sociarium.scenarios.govsim.words import Words

Ints = NDArray[np.int64]
Array = NDArray[Any]
Columns = Mapping[str, Array]

RULES: dict[str, Callable[[Columns, Ints], Array]] = {
    # name -> from what is seen and the agent's own amount to its wish, in units
    "sustainable": lambda seen, amount: seen["share"],
    "greedy": lambda seen, amount: seen["stock"] // 5 + 10,
    "take": lambda seen, amount: amount,
    "once": lambda seen, amount: np.where(seen["month"] == 1, amount, 0),
    "persuadable": lambda seen, amount: (seen["agreed"] + amount) // 2,
    "grim": lambda seen, amount: np.where(seen["betrayed"], 0, amount),
}
NAMES = tuple(RULES)
WITH_AMOUNT = frozenset({"take", "once", "persuadable", "grim"})

_ENTRY = re.compile(r"([a-z]+)(?::([0-9]+))?(?:\*([0-9]+))?")


def parse_policies(text: str, agents: int) -> list[tuple[str, int]]:
    """``sustainable*4,greedy`` as one (rule, amount) an agent. One entry without a count takes all agents that are left.

    Rules: sustainable (the equal share of what regrows), greedy (a fifth of the stock and 10 more), take:N, once:N (in the first
    month, then nothing), persuadable:N (half way from N to the agreed limit), grim:N (N until somebody took more, then nothing).
    """
    entries: list[tuple[str, int, int | None]] = []
    for part in text.replace(" ", "").split(","):
        found = _ENTRY.fullmatch(part)
        if found is None or found[1] not in RULES or (found[2] is not None) != (found[1] in WITH_AMOUNT):
            known = ", ".join(f"{name}:N" if name in WITH_AMOUNT else name for name in NAMES)
            raise UsageError(f"policies: {part!r} is no policy; there are {known}, each with an optional count as in greedy*2")
        entries.append((found[1], int(found[2] or 0), int(found[3]) if found[3] else None))
    rest = agents - sum(count for _, _, count in entries if count is not None)
    open_ended = [place for place, entry in enumerate(entries) if entry[2] is None]
    counts = [rest if count is None else count for _, _, count in entries]
    if len(open_ended) > 1:  # several without a count: one agent each
        counts = [1 if count is None else count for _, _, count in entries]
    if rest < 0 or sum(counts) != agents:
        raise UsageError(f"policies: {text!r} is for {sum(max(0, c) for c in counts)} agents, but there are {agents}")
    return [(name, amount) for (name, amount, _), count in zip(entries, counts, strict=True) for _ in range(count)]


class Scripted(Mind):
    """All agents of the game by rules, many lakes at once. In the talk the first speaker proposes ``limit``, and it is agreed.

    Columns of the population: ``policy`` (place in ``NAMES``) and ``amount`` (units).
    """

    def __init__(self, words: Words, limit: int) -> None:
        self.words = words
        self.limit = limit
        self.hears = False  # news cost time, and only a trigger needs them
        self.betrayed: NDArray[np.bool_] = np.zeros(0, np.bool_)

    def begin(self, world: World) -> None:
        self.world = world
        self.admit(np.arange(len(world.population)))

    def admit(self, agents: Ints) -> None:
        grown = np.zeros(len(self.world.population), np.bool_)
        grown[: len(self.betrayed)] = self.betrayed
        self.betrayed = grown
        table = self.world.population["harvester"]
        self.triggered = table.ids[table["policy"] == NAMES.index("grim")]
        self.hears = len(self.triggered) > 0

    async def decide(self, turn: Turn, seen: Observations) -> Actions:
        actions = Actions()
        if turn.offered("commons.harvest"):
            actions.add(turn, "commons.harvest", turn.agents, quantity=self.wishes(turn, seen))
        if turn.offered("conversation.say"):
            said = _texts(self.words.scripted_line("proposal", self.limit), len(turn.agents))
            actions.add(turn, "conversation.say", turn.agents, text=said, end=np.True_, next=0)
        if turn.offered("conversation.minute"):
            told = _texts(self.words.scripted_line("summary", self.limit), len(turn.agents))
            actions.add(turn, "conversation.minute", turn.agents, summary=told, limit=self.limit)
        return actions

    def wishes(self, turn: Turn, seen: Observations) -> Ints:
        """What each agent wants, in whole units."""
        population, agents = self.world.population, turn.agents
        agreed = seen["conversation"]["limit"]
        columns = {
            **seen["commons"],
            "agreed": np.where(np.isnan(agreed), self.limit, agreed),
            "betrayed": self.betrayed[agents],
        }
        policy, amount = population.get(agents, "policy"), population.get(agents, "amount")
        top = turn.offer("commons.harvest").arguments["quantity"]
        wishes = np.zeros(len(agents), np.int64)
        for number in np.unique(policy):
            mine = policy == number
            wishes[mine] = RULES[NAMES[number]](columns, amount)[mine]
        return np.clip(wishes, 0, getattr(top, "high", wishes.max(initial=0)))

    def notice(self, events: Sequence[News]) -> None:
        """A trigger: somebody of the group took more than the agent's own amount."""
        for news in events:
            if news.kind != "commons.reported" or news.recipients is None:
                continue
            for caught, who in zip(news.data["caught"], news.recipients, strict=True):
                mine = np.intersect1d(who, self.triggered)
                self.betrayed[mine] |= caught > self.world.population.get(mine, "amount")

    def state(self) -> dict[str, Any]:
        return {"betrayed": self.betrayed.copy()}

    def load(self, state: Mapping[str, Any]) -> None:
        self.betrayed = np.array(state["betrayed"], np.bool_)


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


def _texts(text: str, count: int) -> Array:
    return np.full(count, text, object)
