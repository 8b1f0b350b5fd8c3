"""Who speaks next."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sociarium.environments.conversation.roster import Roster
from sociarium.environments.conversation.rules import TalkRules
from sociarium.kernel.randomness import Stream

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Past:
    """What the choice depends on, one value a group: who spoke last, turns so far, and whom that speaker named (-1: nobody)."""

    speaker: Ints
    turns: Ints
    named: Ints


def next_speakers(rules: TalkRules, roster: Roster, groups: Ints, past: Past, draws: Stream) -> Ints:
    """The agent who speaks next in each group, by rotation, chance or name. Draws are by group and turn."""
    sizes, begins = roster.sizes(groups), past.turns == 0
    start = draws.integers(0, np.maximum(sizes - 1, 0), groups) if rules.random_start else np.zeros_like(sizes)
    if rules.turn_taking == "rotation":
        return roster.agent(groups, (start + past.turns) % sizes)
    before = _position(roster, groups, past.speaker)
    if rules.turn_taking == "random":
        anyone = draws.integers(0, np.maximum(sizes - 1, 0), groups)
        step = draws.integers(1, np.maximum(sizes - 1, 1), groups, past.turns)
        return roster.agent(groups, np.where(begins, anyone, (before + step) % sizes))
    follows = np.where(past.named >= 0, past.named, (before + 1) % sizes)
    return roster.agent(groups, np.where(begins, start, follows))


def _position(roster: Roster, groups: Ints, agents: Ints) -> Ints:
    """Where these agents, one a group, stand among the participants; 0 where they do not."""
    people, of = roster.of_groups(groups)
    rows = np.searchsorted(groups, of)
    hits = np.flatnonzero(people == agents[rows])
    sizes = roster.sizes(groups)
    out = np.zeros(len(groups), np.int64)
    out[rows[hits]] = hits - (np.cumsum(sizes) - sizes)[rows[hits]]
    return out
