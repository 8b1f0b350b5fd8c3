"""Users by rule who read what was delivered, feel, judge, and pass on, write or stay silent: S3's steps without words (arXiv 2307.14984).

Perceive: the weightiest messages of a pool. Emotion: a Markov kernel, in the context of the most stirring message attended to. Attitude: a
Markov kernel, in the context of what the weightiest carries. Then ``Reshare`` decides, or a coin by level whether one writes anew.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sociarium.kernel.actions import Actions
from sociarium.kernel.mind import Mind
from sociarium.kernel.turn import Observations, Turn
from sociarium.kernel.world import World
from sociarium.minds.influence import MessagePool, Source
from sociarium.minds.markov import MarkovKernel
from sociarium.minds.resharing import Always, Read, Reshare
from sociarium.minds.runs import heads

Ints = NDArray[np.int64]
Array = NDArray[Any]
Reading = Callable[[Turn, Observations], Read]


@dataclass(slots=True)
class ReactionRules:
    """``emotion`` and ``attitude``: kernels, one context for all, or one a level or side of what was read; None: nothing moves.

    ``attended``: messages that one reacts to in a step, the weightiest of ``pool``; None: all that have just arrived, and no pool is
    needed. ``posting``: the chance that one who does not pass anything on writes a post, one a level of emotion; ``text``: what it says,
    by side (negative, positive). ``own``: whether one's posts join one's own pool.
    """

    emotion: MarkovKernel | None = None
    attitude: MarkovKernel | None = None
    reshare: Reshare = field(default_factory=Always)
    pool: MessagePool | None = None
    attended: int | None = None
    posting: tuple[float, ...] = (0.0,)
    text: tuple[str, str] = ("I am against it.", "I am for it.")


class Reactions(Mind):
    """``reading``: how what is seen becomes messages. Actions: ``stances.hold``, ``platform.repost`` and ``platform.create_post``."""

    def __init__(self, reading: Reading, rules: ReactionRules) -> None:
        self.reading, self.rules = reading, rules

    def begin(self, world: World) -> None:
        self.world = world

    def admit(self, agents: Ints) -> None:
        self.rules.reshare.admit(int(agents.max(initial=-1)) + 1)

    async def decide(self, turn: Turn, seen: Observations) -> Actions:
        read = self.reading(turn, seen)
        if not turn.offers or not len(read):
            return Actions()
        rows = read.reader[heads(read.reader)]  # places of those who read anything
        attended = self._attended(turn, read)
        level, side = self._moved(turn, seen, attended)
        passes = self.rules.reshare.decide(turn, attended, level)
        actions = Actions.one(turn, "stances.hold", turn.agents[rows], emotion=level[rows], attitude=side[rows])
        self._share(turn, actions, passes, attended)
        writes = np.zeros(len(turn.agents), np.bool_)
        writes[rows] = ~passes[rows]
        self._write(turn, actions, writes, level, side)
        return actions

    def state(self) -> dict[str, Any]:
        pool = self.rules.pool
        return {"reshare": self.rules.reshare.state(), **({} if pool is None else {"pool": pool.state()})}

    def load(self, state: Mapping[str, Any]) -> None:
        self.rules.reshare.load(state.get("reshare", {}))
        if self.rules.pool is not None:
            self.rules.pool.load(state.get("pool", {}))

    def _attended(self, turn: Turn, read: Read) -> Read:
        """The messages that count, by reader; with a pool the weightiest first. A pool outlives its messages' carriers: what an older
        message carries is what was read of it."""
        pool, agents = self.rules.pool, turn.agents
        if pool is None:
            return read
        pool.receive(
            agents[read.reader], now=turn.tick, message=read.message, author=read.author, source=read.source, relevance=read.relevance,
            level=read.level, side=read.side,
        )  # fmt: skip
        owners = np.sort(agents[read.reader[heads(read.reader)]])
        rows = pool.foremost(owners, turn.tick, self.rules.attended)
        rows = rows[pool["source"][rows] != Source.OWN]
        order = np.argsort(agents, kind="stable")
        reader = order[np.searchsorted(agents, pool["owner"][rows], sorter=order)]
        columns = {name: pool[name][rows].astype(np.int64) for name in ("message", "author", "source", "level", "side")}
        found = Read(reader, relevance=pool["relevance"][rows], **columns)
        return found.only(np.argsort(reader, kind="stable"))

    def _moved(self, turn: Turn, seen: Observations, read: Read) -> tuple[Ints, Ints]:
        """Emotion and attitude of each agent of the turn after reading; of those who read nothing, as they were."""
        rules, agents = self.rules, turn.agents
        level, side = (np.array(seen["stances"][name], np.int64) for name in ("emotion", "attitude"))
        if not len(read):
            return level, side
        first = heads(read.reader)
        who = read.reader[first]
        if rules.emotion is not None:
            stirring = np.maximum(np.maximum.reduceat(read.level, first), 0)
            context = np.where(rules.emotion.contexts > 1, stirring, 0)
            level[who] = rules.emotion.moved(level[who], turn.random("emotion"), agents[who], context)
        if rules.attitude is not None:
            context = np.where(rules.attitude.contexts > 1, np.maximum(read.side[first], 0), 0)
            side[who] = rules.attitude.moved(side[who], turn.random("attitude"), agents[who], context)
        return level, side

    def _share(self, turn: Turn, actions: Actions, passes: NDArray[np.bool_], read: Read) -> None:
        first = heads(read.reader)
        first = first[passes[read.reader[first]]]
        if len(first):
            actions.add(turn, "platform.repost", turn.agents[read.reader[first]], post=read.message[first])

    def _write(self, turn: Turn, actions: Actions, may: NDArray[np.bool_], level: Ints, side: Ints) -> None:
        chances = np.asarray(self.rules.posting, np.float64)
        if not chances.any():
            return
        chance = chances[level if len(chances) > 1 else np.zeros(len(level), np.int64)]
        writes = np.flatnonzero(may & (turn.random("posting").uniform(turn.agents) < chance))
        if len(writes):
            actions.add(turn, "platform.create_post", turn.agents[writes], text=np.array(self.rules.text, object)[side[writes]])
