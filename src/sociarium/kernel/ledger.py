"""What happens in a tick, gathered turn by turn, and put in its final order at the close of each phase.

Ids are given by lane, turn, agent and order, never by arrival: however lanes were shared out, the same events get the same ids.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sociarium.kernel.actions import Actions
from sociarium.kernel.environment import Events, News, Outcome
from sociarium.kernel.errors import UsageError
from sociarium.kernel.outcomes import STATUS_NAMES
from sociarium.kernel.records import EventRows, OutcomeRows, Refusal, TickRecord
from sociarium.kernel.turn import Turn, TurnKind
from sociarium.kernel.world import World

Ints = NDArray[np.int64]
EMPTY: Ints = np.empty(0, np.int64)
AUDIENCES = ("group", "own", "nobody", "some")


@dataclass(slots=True)
class Reported:
    """Events of one environment from one turn, with their place in the phase."""

    kind: str
    events: Events
    data: dict[str, NDArray[Any]]  # one value a row; copied where the events are kept, so that nothing recorded can change
    lanes: Ints
    groups: Ints
    turn: int
    order: int
    probe: bool = False  # answers to a survey: recorded, and heard by nobody
    heard: list[Ints] | None = None  # who heard already, in the lane
    sorted: bool = False  # by lane

    @property
    def shape(self) -> tuple[str, str, bool, bool, tuple[str, ...], tuple[str, ...]]:
        """What rows must have in common to stand in one set of columns."""
        events = self.events
        return (self.kind, events.audience, events.kept, self.probe, tuple(sorted(events.private)), tuple(sorted(events.data)))


@dataclass(slots=True)
class Closed:
    """Events of one kind in their final order: as others hear of them, and where each row came from."""

    news: News
    pieces: list[Reported]
    order: Ints | None  # how the rows of the pieces, one after another, are gathered; None where they stand in order
    probe: bool


@dataclass(slots=True)
class Ledger:
    """One tick's ledger."""

    world: World
    record: TickRecord
    next_id: int
    reported: list[Reported] = field(default_factory=list[Reported])
    decided: list[tuple[Turn, Actions, NDArray[np.bool_]]] = field(default_factory=list[tuple[Turn, Actions, NDArray[np.bool_]]])
    rewards: list[tuple[Ints, NDArray[np.float64]]] = field(default_factory=list[tuple[Ints, NDArray[np.float64]]])
    wakes: list[tuple[Ints, int]] = field(default_factory=list[tuple[Ints, int]])
    ended: list[Ints] = field(default_factory=list[Ints])

    def report(self, environment: str, outcome: Outcome, turn: Turn | None) -> list[Reported]:
        """Take in what came of a turn (or, without one, of the passing of time). A probe leaves nothing but its events."""
        probe = turn is not None and turn.kind == TurnKind.PROBE
        if not probe:
            self.rewards += outcome.rewards
            self.wakes += outcome.wakes
            if outcome.ended is not None:
                self.ended.append(np.asarray(outcome.ended, np.int64))
        fresh: list[Reported] = []
        for order, events in enumerate(outcome.events):
            if len(events):
                kind = f"{environment}.{events.kind}"
                groups = self._groups(kind, events)
                lanes = _lanes(kind, events, turn, groups, self.world)
                number = -1 if turn is None else turn.number
                fresh.append(Reported(kind, events, _columns(kind, events), lanes, groups, number, order, probe))
                fresh[-1].sorted = (turn is not None and lanes is turn.lanes) or _sorted(lanes)
        self.reported += fresh
        return fresh

    def count(self, legal: Actions, refused: list[tuple[str, Ints, str]]) -> None:
        """How many rows of each action were carried out."""
        applied = self.record.applied
        for name, table in legal.tables.items():
            applied[name] = applied.get(name, 0) + len(table)
        for name, agents, _ in refused:
            if name in legal.tables:
                applied[name] -= len(agents)

    def refuse(self, turn: Turn, refusals: list[tuple[str, Ints, str]]) -> None:
        if not refusals:
            return
        order = np.argsort(turn.agents, kind="stable")
        for action, agents, reason in refusals:
            at = order[np.searchsorted(turn.agents, agents, sorter=order).clip(max=len(order) - 1)]
            for agent, lane in zip(agents.tolist(), turn.lanes[at].tolist(), strict=True):
                self.record.refusals.append(Refusal(turn.phase.name, lane, turn.number, agent, action, reason))

    def close(self, phase: str) -> list[Closed]:
        """Order what was reported in this phase, give ids, and return it, with where each part came from, for those outside."""
        reported = sorted(self.reported, key=lambda piece: (piece.turn, int(piece.lanes[0]), piece.kind, piece.order))
        shapes: dict[tuple[Any, ...], list[Reported]] = {}
        for piece in reported:
            shapes.setdefault(piece.shape, []).append(piece)
        kept = [piece for piece in reported if piece.events.kept]
        places = dict(zip(map(id, kept), _places(kept, across_kinds=True), strict=True))
        closed: list[Closed] = []
        for shape in sorted(shapes):
            pieces, kind = shapes[shape], str(shape[0])
            first = pieces[0]
            size = sum(len(piece.events) for piece in pieces)
            self.record.counts[kind] = self.record.counts.get(kind, 0) + size
            in_order = len(pieces) == 1 and first.sorted
            order = (
                None if in_order else _order([places[id(p)] for p in pieces] if first.events.kept else _places(pieces, across_kinds=False))
            )
            if first.events.kept:
                ids = np.sort(np.concatenate([places[id(piece)] for piece in pieces])) + self.next_id
                self.record.events.append(_gathered(kind, phase, pieces, ids, order))
            data = {n: _joined([p.data[n] for p in pieces], order) for n in first.data if n not in first.events.private}
            actors = _joined([piece.events.actors for piece in pieces], order)
            groups = _joined([piece.groups for piece in pieces], order)
            news = News(kind, self.record.tick, self.record.time, phase, actors, groups, data)
            closed.append(Closed(news, pieces, order, first.probe))
        self.next_id += sum(len(piece.events) for piece in kept)
        self.reported = []
        self._close_outcomes(phase)
        return closed

    def woken(self) -> list[tuple[Ints, int]]:
        """Wake-ups asked for in this phase: by time, agents ascending."""
        times: dict[int, list[Ints]] = {}
        for agents, time in self.wakes:
            times.setdefault(int(time), []).append(np.asarray(agents, np.int64))
        self.wakes = []
        return [(np.unique(np.concatenate(times[time])), time) for time in sorted(times)]

    def finish(self) -> None:
        """Everything in its final order."""
        self.record.applied = dict(sorted(self.record.applied.items()))
        self.record.refusals.sort(key=lambda r: (r.phase, r.lane, r.turn, r.agent, r.action))
        if self.ended:
            ended = np.unique(np.concatenate(self.ended))
            self.record.ended = ended[self.world.active[ended]]  # those of earlier ticks may be named again

    def _groups(self, kind: str, events: Events) -> Ints:
        if events.groups is not None:
            return np.asarray(events.groups, np.int64)
        if self.world.groups == 1:
            return np.broadcast_to(np.int64(0), (len(events),))
        if events.actors.min() < 0:
            raise UsageError(f"event {kind} is by the world itself (actor -1); give Events(groups=...) to say in which of them")
        return self.world.population.get(events.actors, "group")

    def _close_outcomes(self, phase: str) -> None:
        """One row set a turn number, agents in lane order."""
        by_number: dict[int, list[tuple[Turn, Actions, NDArray[np.bool_]]]] = {}
        for turn, actions, keeps in self.decided:
            by_number.setdefault(turn.number, []).append((turn, actions, keeps))
        self.decided = []
        for number in sorted(by_number):
            self.record.outcomes.append(_outcomes(phase, number, by_number[number]))


def _outcomes(phase: str, number: int, parts: list[tuple[Turn, Actions, NDArray[np.bool_]]]) -> OutcomeRows:
    counts = np.zeros(len(STATUS_NAMES), np.int64)
    fallbacks = 0
    kept: list[tuple[Ints, Ints, Ints, Ints]] = []  # lane, agent, status, fallback of the rows that are kept
    reasons: dict[int, str] = {}
    for turn, actions, keeps in parts:
        if actions.status is None:
            counts[0] += len(turn.agents)
            wanted = np.flatnonzero(keeps)
        else:
            counts += np.bincount(actions.status, minlength=len(STATUS_NAMES))
            wanted = np.flatnonzero(keeps | (actions.status > 0))
        fallbacks += 0 if actions.fallback is None else int(actions.fallback.sum())
        if not len(wanted):
            continue
        nothing = np.zeros(len(wanted), np.int64)
        status = nothing if actions.status is None else actions.status[wanted].astype(np.int64)
        stood_in = nothing if actions.fallback is None else actions.fallback[wanted].astype(np.int64)
        kept.append((turn.lanes[wanted], turn.agents[wanted], status, stood_in))
        reasons.update(actions.reasons)
    columns = [np.concatenate(parts) for parts in zip(*kept, strict=True)] or [EMPTY] * 4
    lanes, agents, status, stood_in = (column[np.lexsort((columns[1], columns[0]))] for column in columns)
    return OutcomeRows(
        phase,
        number,
        {name: int(n) for name, n in zip(STATUS_NAMES, counts, strict=True) if n},
        fallbacks,
        agents,
        lanes,
        status.astype(np.uint8),
        stood_in.astype(np.bool_),
        [reasons.get(agent, "") for agent in agents.tolist()] if reasons else [""] * len(agents),
    )


def _columns(kind: str, events: Events) -> dict[str, NDArray[Any]]:
    if events.audience not in AUDIENCES or (events.audience == "some" and len(events.recipients or ()) != len(events)):
        raise UsageError(f"event {kind}: the audience is group, own, nobody, or some with recipients for each row; got {events.audience!r}")
    columns: dict[str, NDArray[Any]] = {}
    for name, given in events.data.items():
        column = np.asarray(given)
        if column.dtype.kind == "U":
            column = column.astype(object)
        if column.ndim == 0:
            column = np.broadcast_to(column, (len(events),))
        if len(column) != len(events):
            raise UsageError(f"event {kind}: column {name!r} has {len(column)} values for {len(events)} rows")
        columns[name] = np.array(column) if events.kept else column
    return columns


def _lanes(kind: str, events: Events, turn: Turn | None, groups: Ints, world: World) -> Ints:
    if events.lanes is not None:
        return np.asarray(events.lanes, np.int64)
    if turn is None:
        return groups
    if events.actors is turn.agents:
        return turn.lanes
    if len(turn.lanes) and turn.lanes[0] == turn.lanes[-1]:  # sorted by lane: one lane
        return np.broadcast_to(turn.lanes[0], len(events))
    order = np.argsort(turn.agents, kind="stable")
    at = order[np.searchsorted(turn.agents, events.actors, sorter=order).clip(max=len(order) - 1)]
    lanes = turn.lanes[at]
    strangers = turn.agents[at] != events.actors
    if strangers.any():
        lanes[strangers] = _lane_of_group(kind, turn, groups[strangers], world)
    return lanes


def _lane_of_group(kind: str, turn: Turn, groups: Ints, world: World) -> Ints:
    """The lane of events by somebody who is not of this turn, or by the world: where each group is in one lane only."""
    pairs = np.unique(np.stack([world.population.get(turn.agents, "group"), turn.lanes]), axis=1)
    at = np.searchsorted(pairs[0], groups).clip(max=pairs.shape[1] - 1)
    alone = np.bincount(pairs[0])[pairs[0][at]] == 1
    if not (alone & (pairs[0][at] == groups)).all():
        raise UsageError(f"event {kind} is by an agent that is not of this turn, and its group has several lanes; give Events(lanes=...)")
    return pairs[1][at]


def _places(pieces: list[Reported], *, across_kinds: bool) -> list[Ints]:
    """The place of each row of each piece in the final order: by lane, turn, kind, order, row."""
    if not pieces:
        return []
    sizes = [len(piece.events) for piece in pieces]
    starts = np.concatenate([[0], np.cumsum(sizes)])
    first = pieces[0]
    if len(pieces) == 1 and first.sorted:
        return [np.arange(sizes[0], dtype=np.int64)]
    kinds = {kind: at for at, kind in enumerate(sorted({piece.kind for piece in pieces}))} if across_kinds else {first.kind: 0}
    lanes = np.concatenate([piece.lanes for piece in pieces])
    turns = np.repeat([piece.turn for piece in pieces], sizes)
    which = np.repeat([kinds[piece.kind] * 4096 + piece.order for piece in pieces], sizes)
    rows = np.concatenate([np.arange(size, dtype=np.int64) for size in sizes])
    final = np.empty(len(lanes), np.int64)
    final[np.lexsort((rows, which, turns, lanes))] = np.arange(len(lanes))
    return [final[start:end] for start, end in itertools.pairwise(starts)]


def _order(places: list[Ints]) -> Ints:
    """How to gather rows into their final order."""
    return np.argsort(np.concatenate(places), kind="stable")


def _sorted(values: Ints) -> bool:
    if values.ndim and values.strides == (0,):  # one value, broadcast
        return True
    return not (values[1:] < values[:-1]).any()


def _joined(parts: list[NDArray[Any]], order: Ints | None) -> NDArray[Any]:
    joined = parts[0] if len(parts) == 1 else np.concatenate(parts)
    return joined if order is None else joined[order]


def _gathered(kind: str, phase: str, pieces: list[Reported], ids: Ints, order: Ints | None) -> EventRows:
    """All rows of one kind in their final order."""
    first = pieces[0].events
    recipients = [who for piece in pieces for who in (piece.events.recipients or [])] if first.audience == "some" else None
    return EventRows(
        kind,
        phase,
        ids,
        _joined([piece.lanes for piece in pieces], order),
        _joined([np.full(len(piece.events), piece.turn, np.int64) for piece in pieces], order),
        _joined([piece.events.actors for piece in pieces], order),
        first.audience,
        recipients if recipients is None or order is None else [recipients[at] for at in order],
        {name: _joined([piece.data[name] for piece in pieces], order) for name in first.data},
    )
