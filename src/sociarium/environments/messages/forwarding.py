"""A rule for spreading: whoever has had a text tries to pass it on along every edge, every tick, with some chance each."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sociarium.environments.messages.messages import Messages
from sociarium.kernel.actions import Actions
from sociarium.kernel.turn import Observations, Turn


def forwarded(messages: Messages, turn: Turn, seen: Observations, chances: Sequence[float]) -> Actions:
    """The messages of one tick: for each text that is followed, its chance; one draw an edge, tick and text."""
    actions, network = Actions(), messages.network
    if not turn.offered("send"):
        return actions
    knows = seen[messages.name]["knows"]
    for number, (text, chance) in enumerate(zip(messages.followed, chances, strict=True)):
        who = turn.agents[knows[:, number]]
        degrees = network.starts[who + 1] - network.starts[who]
        before = np.repeat(network.starts[who] - (np.cumsum(degrees) - degrees), degrees)
        edges = before + np.arange(len(before), dtype=np.int64)
        drawn = turn.random("forward").uniform(edges, number) < chance
        if drawn.any():
            actions.add(turn, "send", np.repeat(who, degrees)[drawn], to=network.targets[edges[drawn]], text=text)
    return actions
