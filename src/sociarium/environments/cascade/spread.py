"""Spread in layers over a fixed network, thousands of trials at once: the arithmetic of the environment beside it, without minds.

Layer 0 is the source; those who had it from layer n are layer n + 1 (Puri and others 2024, arXiv 2401.12509). Whoever has it shows it to
its out-neighbours once. With ``retry`` each of them decides at every exposure, which makes the spread an independent cascade, that is
percolation of edges (Kempe, Kleinberg and Tardos 2003). Without, everyone decides once, at its first exposure.

Draws belong to an edge (or a user) of a trial and to nothing else, so that arms with the same stream differ by what was done alone
(common random numbers).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sociarium.kernel.errors import UsageError
from sociarium.kernel.network import Network
from sociarium.kernel.randomness import Stream

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

MOST_CELLS = 2**33  # trials times users: one byte each


@dataclass(frozen=True, slots=True)
class Exposures:
    """One row: in a trial, user ``target`` sees over ``edge`` what ``source`` passed on, the text of number ``text`` (0: the source's)."""

    trial: Ints
    edge: Ints
    source: Ints
    target: Ints
    row: Ints  # of the source in the spread so far
    text: Ints

    def __len__(self) -> int:
        return len(self.edge)

    def only(self, rows: Any) -> Exposures:
        return Exposures(
            self.trial[rows], self.edge[rows], self.source[rows], self.target[rows], self.row[rows], self.text[rows],
        )  # fmt: skip


Chance = float | Floats | Callable[[Exposures], Floats]  # of passing on: one for all, one an edge, or by exposure
Rewriting = Callable[[Ints, Ints, Ints], Ints]  # trials, users, numbers of texts -> numbers of the texts that they pass on


@dataclass(frozen=True, slots=True)
class SpreadRules:
    """``retry``: a decision at every exposure, rather than one for all at the first. ``most_layers``: layers after the source. ``draws``:
    whom the one uniform number belongs to that decides: an edge, or a user. ``mutation``: chance that who passes on rewrites the text."""

    retry: bool = False
    most_layers: int = 50
    draws: Literal["edge", "user"] = "edge"
    mutation: float = 0.0

    def __post_init__(self) -> None:
        if self.most_layers < 0 or not 0 <= self.mutation <= 1:
            raise UsageError(f"SpreadRules: {self.most_layers} layers and mutation {self.mutation}; 0 or more, and a chance from 0 to 1")
        if self.retry and self.draws == "user":
            raise UsageError("SpreadRules: with one draw a user a second exposure decides nothing; retry needs draws='edge'")


@dataclass(frozen=True, slots=True)
class Spread:
    """Everyone who passed the post on, a row each, layer by layer: ``parent`` is the row that it came from, -1 for a source. ``decided``:
    the exposures at which somebody decided."""

    trial: Ints
    user: Ints
    parent: Ints
    layer: Ints
    text: Ints
    mutated: Bools
    decided: Exposures
    trials: int

    def reach(self) -> Ints:
        """Users who passed it on in each trial, the source too."""
        return np.bincount(self.trial, minlength=self.trials).astype(np.int64)

    def layers(self, most: int) -> Ints:
        """(trials, most): how many each layer has, from the source on."""
        kept = self.layer < most
        codes = self.trial[kept] * most + self.layer[kept]
        return np.bincount(codes, minlength=self.trials * most).reshape(self.trials, most).astype(np.int64)

    def reach_by(self, label: Ints, labels: int) -> Ints:
        """(trials, labels): users of each label, such as their community."""
        codes = self.trial * labels + label[self.user]
        return np.bincount(codes, minlength=self.trials * labels).reshape(self.trials, labels).astype(np.int64)


def spread(
    network: Network,
    sources: ArrayLike,
    chance: Chance,
    random: Stream,
    rules: SpreadRules | None = None,
    *,
    trials: ArrayLike | None = None,
    removed: Bools | None = None,
    rewriting: Rewriting | None = None,
) -> Spread:
    """Let a post spread from ``sources``, each in a trial of its own unless ``trials`` numbers them (several may share one).

    An edge of ``network`` leads from who passes on to who sees it. ``removed``: users who are gone. ``rewriting`` says which text goes on
    where somebody rewrites it; without it the text stays. Costs time with the exposures, and a byte a trial and user.
    """
    how = rules or SpreadRules()
    user = np.atleast_1d(np.asarray(sources, np.int64))
    trial = np.arange(len(user), dtype=np.int64) if trials is None else np.asarray(trials, np.int64)
    count, nodes = int(trial.max(initial=-1)) + 1, network.nodes
    if count * nodes > MOST_CELLS:
        raise UsageError(f"{count} trials of {nodes} users are too many at once; take them in parts with other streams")
    closed = np.zeros((count, nodes), np.bool_)
    if removed is not None:
        closed[:, removed] = True
        here = ~removed[user]
        user, trial = user[here], trial[here]
    closed[trial, user] = True
    front = _Layer(trial, user, np.full(len(user), -1), np.zeros(len(user), np.int64), np.zeros(len(user), np.bool_))
    layers, decisions, begun = [front], [_seen(network, front, 0, np.zeros(0, np.int64))], 0
    for _ in range(how.most_layers):
        shown = in_lots(exposed(network, front, begun, closed), random, len(network), nodes)
        begun += len(front.user)
        decided, took = _decided(shown, chance, random, how, network)
        decisions.append(decided)
        if not how.retry:
            closed[shown.trial, shown.target] = True
        if not len(took):
            break
        closed[took.trial, took.target] = True
        front = _next(took, random, how, nodes, rewriting)
        layers.append(front)
    return _joined(layers, decisions, count)


@dataclass(frozen=True, slots=True)
class _Layer:
    trial: Ints
    user: Ints
    parent: Ints
    text: Ints
    mutated: Bools


def out_edges(network: Network, users: Ints) -> tuple[Ints, Ints]:
    """For each out-edge of these users: whose it is (a place in ``users``), and its number."""
    degree = network.starts[users + 1] - network.starts[users]
    whose = np.repeat(np.arange(len(users)), degree)
    first = np.cumsum(degree) - degree
    return whose, network.starts[users][whose] + np.arange(len(whose)) - first[whose]


def exposed(network: Network, front: _Layer, begun: int, closed: Bools) -> Exposures:
    """Who sees what the front passes on: its out-neighbours who have not had it yet."""
    whose, edge = out_edges(network, front.user)
    open_to = ~closed[front.trial[whose], network.targets[edge]]
    return _seen(network, front, begun, whose[open_to], edge[open_to])


def in_lots(shown: Exposures, random: Stream, edges: int, nodes: int) -> Exposures:
    """The same rows by trial and target; of several exposures of one user a lot says which comes first, the same in every arm."""
    lot = random.at("lot").bits(shown.trial * edges + shown.edge)
    return shown.only(np.lexsort((lot, shown.trial * nodes + shown.target)))


def firsts(shown: Exposures) -> Bools:
    """Rows that are the first of their trial and target."""
    first = np.ones(len(shown), np.bool_)
    first[1:] = (shown.target[1:] != shown.target[:-1]) | (shown.trial[1:] != shown.trial[:-1])
    return first


def chances(chance: Chance, shown: Exposures) -> Floats:
    """The chance of passing on at each exposure."""
    if callable(chance):
        return chance(shown)
    return np.full(len(shown), chance) if isinstance(chance, float | int) else np.asarray(chance, np.float64)[shown.edge]


def _decided(shown: Exposures, chance: Chance, random: Stream, how: SpreadRules, network: Network) -> tuple[Exposures, Exposures]:
    """The exposures at which somebody decided, and those of them at which it was passed on."""
    asked = shown if how.retry else shown.only(firsts(shown))
    by_user = how.draws == "user"
    rows = asked.trial * network.nodes + asked.target if by_user else asked.trial * len(network) + asked.edge
    passes = random.at("share").uniform(rows) < chances(chance, asked)
    if not how.retry:
        return asked, asked.only(passes)
    number = np.arange(len(asked))
    head = np.maximum.accumulate(np.where(firsts(asked), number, 0))  # where the exposures of this user begin
    before = np.cumsum(passes) - passes
    unmoved = before == before[head]  # no earlier one has moved it: later ones are not decisions
    return asked.only(unmoved), asked.only(passes & unmoved)


def _next(took: Exposures, random: Stream, how: SpreadRules, nodes: int, rewriting: Rewriting | None) -> _Layer:
    mutated = np.zeros(len(took), np.bool_)
    text = took.text.copy()
    if how.mutation > 0:
        mutated = random.at("mutation").uniform(took.trial * nodes + took.target) < how.mutation
        if rewriting is not None and mutated.any():
            text[mutated] = rewriting(took.trial[mutated], took.target[mutated], text[mutated])
    return _Layer(took.trial, took.target, took.row, text, mutated)


def _seen(network: Network, front: _Layer, begun: int, whose: Ints, edge: Ints | None = None) -> Exposures:
    edges = np.zeros(0, np.int64) if edge is None else edge
    return Exposures(
        front.trial[whose], edges, front.user[whose], network.targets[edges].astype(np.int64), begun + whose, front.text[whose],
    )  # fmt: skip


def _joined(layers: list[_Layer], decisions: list[Exposures], trials: int) -> Spread:
    def whole(name: str) -> Any:
        return np.concatenate([getattr(one, name) for one in layers])

    depth = np.repeat(np.arange(len(layers)), [len(one.user) for one in layers])
    parts = {name: np.concatenate([getattr(one, name) for one in decisions]) for name in Exposures.__slots__}
    return Spread(
        whole("trial"), whole("user"), whole("parent"), depth, whole("text"), whole("mutated"), Exposures(**parts), trials,
    )  # fmt: skip
