"""Who hears of what: at once within a lane, at the close of the phase for everyone else who may know."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from sociarium.kernel.actions import among
from sociarium.kernel.environment import News
from sociarium.kernel.ledger import EMPTY, Closed, Reported
from sociarium.kernel.mind import Minds, told_to
from sociarium.kernel.turn import Lanes, Turn
from sociarium.kernel.world import World

Ints = NDArray[np.int64]


class Delivery:
    """Carries events to the minds that hear, by audience. A mind that does not hear costs nothing."""

    def __init__(self, world: World, minds: Minds) -> None:
        self.world = world
        self.minds = minds

    def within(self, turn: Turn, lanes: Lanes, pieces: list[Reported]) -> None:
        """Tell those in the lane who may know, at once."""
        if not len(self.minds.hearers):
            return
        heard: list[News] = []
        known: dict[tuple[int, int], Ints] = {}

        def members(lane: int, group: int) -> Ints:
            if (lane, group) not in known:
                known[lane, group] = self._of_group(np.intersect1d(lanes.members(lane), self.minds.hearers), group)
            return known[lane, group]

        for piece in pieces:
            piece.heard = _recipients(piece, members, self.minds.hearers)
            told = told_to(_news(piece, turn), piece.heard)
            heard += [] if told is None else [told]
        self.minds.notice(heard)

    def outside(self, closed: Sequence[Closed]) -> None:
        """Tell everybody else who may know, at the close. The order is that of the record, however lanes were shared out."""
        if not len(self.minds.hearers):
            return
        heard: list[News] = []
        known: dict[int, Ints] = {}

        def members(lane: int, group: int) -> Ints:
            if group not in known:
                known[group] = self._of_group(self.minds.hearers, group)
            return known[group]

        for kind in closed:
            rest: list[Ints] = []
            for piece in kind.pieces:
                rest += _without(_recipients(piece, members, self.minds.hearers), piece.heard)
            if kind.order is not None:
                rest = [rest[at] for at in kind.order.tolist()]
            told = told_to(kind.news, rest)
            heard += [] if told is None else [told]
        self.minds.notice(heard)

    def refused(self, turn: Turn, refusals: list[tuple[str, Ints, str]]) -> None:
        """A refused action tells its agent why."""
        for action, agents, reason in refusals if len(self.minds.hearers) else []:
            told = np.intersect1d(agents, self.minds.hearers)
            if len(told):
                data = {"action": np.full(len(told), action, object), "reason": np.full(len(told), reason, object)}
                groups = self.world.population.get(told, "group")
                own = [told[row : row + 1] for row in range(len(told))]
                self.minds.notice([News("engine.refused", turn.tick, turn.time, turn.phase.name, told, groups, data, own)])

    def _of_group(self, agents: Ints, group: int) -> Ints:
        return agents if self.world.groups == 1 else agents[self.world.population.get(agents, "group") == group]


def _recipients(piece: Reported, members: Callable[[int, int], Ints], hearers: Ints) -> list[Ints]:
    """Those among ``members(lane, group)`` of each row that its audience allows. Rows of one lane and group share an array."""
    events = piece.events
    if events.audience == "nobody":
        return [EMPTY] * len(events)
    if events.audience == "own":  # of a million rows mostly a few are of somebody who hears
        own = [EMPTY] * len(events)
        for row in np.flatnonzero(among(events.actors, hearers)).tolist():
            who = members(int(piece.lanes[row]), int(piece.groups[row]))
            at = _place(who, int(events.actors[row]))
            own[row] = who[at : at + 1]
        return own
    around = [members(lane, group) for lane, group in zip(piece.lanes.tolist(), piece.groups.tolist(), strict=True)]
    if events.audience == "group":
        return around
    named = events.recipients or []
    return [np.intersect1d(np.asarray(some, np.int64), who) for some, who in zip(named, around, strict=True)]


def _place(others: Ints, agent: int) -> int:
    """Where the agent stands among sorted ids; past their end where it does not."""
    at = int(np.searchsorted(others, agent))
    return at if at < len(others) and others[at] == agent else len(others)


def _without(everyone: list[Ints], heard: list[Ints] | None) -> list[Ints]:
    """Those who have not heard yet, row by row."""
    if heard is None:
        return everyone
    rest: dict[tuple[int, int], Ints] = {}
    if all(who is EMPTY for who in everyone):
        return everyone
    for who, known in zip(everyone, heard, strict=True):
        if (id(who), id(known)) not in rest:
            rest[id(who), id(known)] = np.setdiff1d(who, known) if len(known) else who
    return [rest[id(who), id(known)] for who, known in zip(everyone, heard, strict=True)]


def _news(piece: Reported, turn: Turn) -> News:
    data = {name: column for name, column in piece.data.items() if name not in piece.events.private}
    return News(piece.kind, turn.tick, turn.time, turn.phase.name, piece.events.actors, piece.groups, data)
