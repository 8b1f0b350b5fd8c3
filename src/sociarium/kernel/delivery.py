"""Who hears of what: at once within a lane, at the close of the phase for everyone else who may know."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from sociarium.kernel.environment import Events, News
from sociarium.kernel.ledger import EMPTY, Reported
from sociarium.kernel.mind import Minds
from sociarium.kernel.turn import Lanes, Turn
from sociarium.kernel.world import World

Ints = NDArray[np.int64]


class Delivery:
    """Carries events to the minds that hear, by audience. A mind that does not hear costs nothing."""

    def __init__(self, world: World, minds: Minds) -> None:
        self.world = world
        self.minds = minds

    def hearers(self) -> Ints:
        """All agents whose mind hears, ascending."""
        parts = [self.minds.of(number) for number, mind in enumerate(self.minds.all) if mind.hears]
        return np.sort(np.concatenate(parts)) if parts else EMPTY

    def within(self, turn: Turn, lanes: Lanes, pieces: list[Reported]) -> None:
        """Tell those in the lane who may know, at once."""
        hearers = self.hearers() if pieces else EMPTY
        if not len(hearers):
            return
        news: list[News] = []
        for piece in pieces:
            in_lane = {int(lane): np.intersect1d(lanes.members(int(lane)), hearers) for lane in np.unique(piece.lanes)}
            heard = self._recipients(piece, hearers, lambda row, p=piece, known=in_lane: known[int(p.lanes[row])])
            piece.heard = heard
            if any(len(who) for who in heard):
                news.append(_news(piece, turn.tick, turn.time, turn.phase.name, heard))
        self.minds.notice(news)

    def outside(self, closed: list[tuple[News, list[Reported]]]) -> None:
        """Tell everybody else who may know, at the close."""
        hearers = self.hearers() if closed else EMPTY
        if not len(hearers):
            return
        groups = self.world.population.get(hearers, "group")
        news: list[News] = []
        for told, pieces in closed:
            for piece in sorted(pieces, key=lambda p: (p.turn, int(p.lanes[0]) if len(p.lanes) else 0, p.order)):
                everyone = self._recipients(piece, hearers, lambda row, p=piece: hearers[groups == p.groups[row]])
                heard = piece.heard or [EMPTY] * len(everyone)
                rest = [np.setdiff1d(who, known) for who, known in zip(everyone, heard, strict=True)]
                if any(len(who) for who in rest):
                    news.append(_news(piece, told.tick, told.time, told.phase, rest))
        self.minds.notice(news)

    def refused(self, turn: Turn, refusals: list[tuple[str, Ints, str]]) -> None:
        """A refused action tells its agent why."""
        hearers = self.hearers() if refusals else EMPTY
        for action, agents, reason in refusals if len(hearers) else []:
            told = np.intersect1d(agents, hearers)
            if len(told):
                data = {"action": np.full(len(told), action, object), "reason": np.full(len(told), reason, object)}
                groups = self.world.population.get(told, "group")
                news = News(
                    "engine.refused", turn.tick, turn.time, turn.phase.name, told, groups, data, [told[i : i + 1] for i in range(len(told))]
                )
                self.minds.notice([news])

    def _recipients(self, piece: Reported, hearers: Ints, members: Callable[[int], Ints]) -> list[Ints]:
        """Those among ``members(row)`` that the audience of the row allows."""
        events: Events = piece.events
        out: list[Ints] = []
        for row, actor in enumerate(events.actors):
            if events.audience == "group":
                out.append(members(row))
            elif events.audience == "own":
                out.append(np.intersect1d(np.array([actor], np.int64), members(row)))
            elif events.audience == "some" and events.recipients is not None:
                out.append(np.intersect1d(np.asarray(events.recipients[row], np.int64), members(row)))
            else:
                out.append(EMPTY)
        return out


def _news(piece: Reported, tick: int, time: int, phase: str, recipients: list[Ints]) -> News:
    data = {name: np.asarray(column) for name, column in piece.events.data.items() if name not in piece.events.private}
    return News(piece.kind, tick, time, phase, piece.events.actors, piece.groups, data, recipients)
