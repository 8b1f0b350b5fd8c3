"""The distilled mind: a cheap policy learned from the decisions of another mind while the run goes on.

It decides alone where it is sure. Where it is unsure it asks the inner mind (a language mind, say), and learns from the answer. Of those
where it is sure a drawn share is asked all the same: these audits tell how wrong it is, and whether it may go on. Whatever is asked
decides by itself; the policy only stands in where nothing was asked.

It learns between ticks, from decisions put in one order, so that a run does not depend on which reply came first.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from sociarium.kernel.actions import Actions, ActionSpec, Choice, Flag, Integer, merged
from sociarium.kernel.environment import Events, News
from sociarium.kernel.errors import UsageError
from sociarium.kernel.mind import AgentIds, Mind, Transitions
from sociarium.kernel.outcomes import GOOD
from sociarium.kernel.turn import Observations, Turn, TurnKind
from sociarium.kernel.world import World
from sociarium.minds.audit import Audit, Report
from sociarium.minds.grouping import Grouping, column_of
from sociarium.minds.language.legality import problem
from sociarium.minds.learner import Ensemble

if TYPE_CHECKING:
    from sociarium.kernel.simulation import Simulation

Array = NDArray[Any]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

MOST_OPTIONS = 256
NOTHING = 0  # the option of those who took no action
SAVED = ("", 0)  # the place of a batch that is in order already
COUNTS = ("alone", "unsure", "audited", "early")


@dataclass(frozen=True, slots=True)
class Distillation:
    """What is learned, and how sure is sure.

    ``actions``: turns that offer only these are learned; all others go to the inner mind. Their arguments must be choices, flags or
    whole numbers within bounds (``values`` gives an argument fewer values than its bounds do). ``features``: columns of numbers, seen
    (``commons.stock``) or the population's (``age``), and groupings. ``limits``: an agent's own upper bound of an argument, by what it
    sees.
    ``unsure``: the policy decides alone where its measure is at most this. ``measure``: ``disagreement`` of its members, or ``entropy`` of
    its prediction (as a share of its largest), for people whose choices are meant to be certain. ``audit``: the share of sure decisions
    that are asked all the same. ``bound``: the audit error past which the policy is thrown away and learned anew. ``warm_up``: decisions
    before it decides at all. ``window``: the last decisions that it is fitted to; ``refit``: after so many new ones.
    """

    actions: tuple[str, ...]
    features: tuple[str | Grouping, ...]
    values: Mapping[str, Sequence[int]] | None = None
    limits: Mapping[str, str] | None = None
    unsure: float = 0.1
    measure: Literal["disagreement", "entropy"] = "disagreement"
    audit: float = 0.05
    bound: float = 0.15
    warm_up: int = 100
    window: int = 2_000
    refit: int = 50
    members: int = 8

    def __post_init__(self) -> None:
        if not self.actions or not self.features:
            raise UsageError("a distillation needs the actions that it learns, and features to learn them from")
        if not (0.0 <= self.audit <= 1.0 and 0.0 <= self.unsure <= 1.0 and self.bound > 0.0):
            raise UsageError("audit and unsure are shares from 0 to 1, and bound is an error greater than 0")
        if self.warm_up < 2 or self.window < self.warm_up or self.refit < 1 or self.members < 2:
            raise UsageError("a distillation needs a warm-up of 2 or more decisions, a window no shorter, and 2 or more members")


@dataclass(slots=True)
class _Asked:
    """Decisions of one batch that were asked: where, what was seen, what was chosen, and what the policy would have done (-1: no audit)."""

    place: tuple[str, int]
    lanes: Ints
    agents: AgentIds
    features: Floats
    chosen: Ints
    shadow: Ints
    expected: Floats  # (rows, options): what the policy predicted


class DistilledMind(Mind):
    """See the module. ``report()`` says what was saved and what it cost in error; the record has an event ``minds.distilled`` a lane and
    turn: how many decided alone, and how many were asked because the policy was unsure, for an audit, or too early to know."""

    def __init__(self, inner: Mind, rules: Distillation, *, name: str = "distilled") -> None:
        self.inner, self.rules, self.name = inner, rules, name
        self.paced, self.hears, self.keeps = inner.paced, inner.hears, inner.keeps
        self._tick = -1
        self._buffer: list[_Asked] = []
        self._counted = np.zeros(len(COUNTS), np.int64)  # of this tick
        self.counts = np.zeros(len(COUNTS), np.int64)
        self.outside = 0  # decisions that were asked and are no option, or did not end well: not learned from

    def begin(self, world: World) -> None:
        self.inner.begin(world)
        self.start(world)

    def start(self, world: World) -> None:
        """``begin`` for an inner mind that has begun already."""
        self.world = world
        self.options = enumerated(world, self.rules)
        self.policy = Ensemble(len(self.options), self.rules.members)
        self.audit = Audit(len(self.options), self.rules.bound)
        width = sum(len(one.labels) if isinstance(one, Grouping) else 1 for one in self.rules.features)
        self._features: Floats = np.zeros((0, width))
        self._chosen: Ints = np.zeros(0, np.int64)
        self._learned = 0  # decisions ever learned from: the number of the next
        self._fitted_at = 0

    async def decide(self, turn: Turn, seen: Observations) -> Actions:
        specs = {spec.full: spec for spec in turn.offers}
        known = {name for name, _ in self.options if name}
        if turn.kind != TurnKind.ACT or not specs or not specs.keys() <= known:
            return await self.inner.decide(turn, seen)
        self._fold(turn.tick)
        features = self._seen(turn, seen)
        asked, audited, shares = self._to_ask(turn, seen, specs, features)
        parts: list[tuple[Turn, Actions]] = []
        if asked.any():
            part = turn.part(asked)
            actions = await self.inner.decide(part, seen.part(asked, part))
            parts.append((part, actions))
            shadow = np.where(audited, self._drawn(turn, shares), -1) if audited.any() else np.full(len(asked), -1, np.int64)
            self._keep(part, actions, features[asked], shadow[asked], shares[asked])
        if not asked.all():
            part = turn.part(~asked)
            parts.append((part, self._alone(part, self._drawn(part, shares[~asked]))))
        decided = parts[0][1] if len(parts) == 1 else merged(parts, turn)
        decided.notes.append(self._note(turn, asked, audited))
        return decided

    def _to_ask(
        self, turn: Turn, seen: Observations, specs: Mapping[str, ActionSpec], features: Floats
    ) -> tuple[NDArray[np.bool_], NDArray[np.bool_], Floats]:
        """Who is asked, who of them for an audit, and what the policy predicts of each, (agents, options)."""
        size = len(turn.agents)
        if not self.policy.fitted:
            return np.ones(size, np.bool_), np.zeros(size, np.bool_), np.zeros((size, len(self.options)))
        shares, differ = self.policy.predict(features)
        shares = shares * self._legal(turn, seen, specs)
        total = np.cumsum(shares, axis=1)[:, -1]
        with np.errstate(invalid="ignore", divide="ignore"):
            shares = shares / total[:, None]
        if self.rules.measure == "entropy":
            differ = _entropy(shares) / math.log(max(2, int(self.policy.known.sum())))  # of one option it is 0 whatever the largest
        unsure = ~((differ <= self.rules.unsure) & (total > 0.5))  # where half of what it expects is not legal, it knows nothing
        audited = ~unsure & (turn.random("audit").at(self.name).uniform(turn.agents) < self.rules.audit)
        return unsure | audited, audited, np.where(total[:, None] > 0.0, shares, 0.0)

    def _legal(self, turn: Turn, seen: Observations, specs: Mapping[str, ActionSpec]) -> Array:
        """Which options each agent has, (options,) or (agents, options)."""
        offered = [not name or (name in specs and problem(specs[name], arguments) is None) for name, arguments in self.options]
        legal: Array = np.array(offered)
        for argument, source in (self.rules.limits or {}).items():
            most = column_of(source, argument, self.world, turn, seen)
            wanted = np.array([float(arguments.get(argument, -math.inf)) for _, arguments in self.options])
            legal = legal & (wanted <= np.asarray(most, np.float64)[:, None])
        return legal

    def _drawn(self, turn: Turn, shares: Floats) -> Ints:
        return turn.random("policy").at(self.name).choice(shares, turn.agents)

    def _alone(self, turn: Turn, drawn: Ints) -> Actions:
        """What the policy does, one table an action."""
        actions = Actions()
        names = np.array([name for name, _ in self.options], object)
        for spec in turn.offers:
            rows = np.flatnonzero(names[drawn] == spec.full)
            if not len(rows):
                continue
            columns: dict[str, Array] = {}
            for argument in spec.arguments:
                table: Array = np.empty(len(self.options), object)
                table[:] = [arguments.get(argument) for _, arguments in self.options]
                picked = table[drawn[rows]]
                columns[argument] = picked if spec.arguments[argument].dtype.kind == "O" else picked.astype(spec.arguments[argument].dtype)
            actions.add(turn, spec.full, turn.agents[rows], **columns)
        return actions

    def _seen(self, turn: Turn, seen: Observations) -> Floats:
        """(agents, features): numbers as they are, groupings as one column a category."""
        columns: list[Array] = []
        for feature in self.rules.features:
            name = feature.source or feature.name if isinstance(feature, Grouping) else feature
            column = column_of(name, name, self.world, turn, seen)
            if isinstance(feature, Grouping):
                codes = feature.codes(column)
                columns += [codes == code for code in range(len(feature.labels))]
                continue
            if column.dtype.kind not in "biuf":
                raise UsageError(f"the feature {name!r} of a distilled mind holds {column.dtype}, not numbers; make it a Grouping")
            columns.append(np.nan_to_num(np.asarray(column, np.float64), nan=0.0, posinf=1e9, neginf=-1e9))
        return np.stack([np.asarray(column, np.float64) for column in columns], axis=1)

    def _keep(self, turn: Turn, actions: Actions, features: Floats, shadow: Ints, shares: Floats) -> None:
        chosen = self._read(turn, actions)
        place = (turn.phase.name, turn.number)
        self._buffer.append(_Asked(place, np.array(turn.lanes), turn.agents, features, chosen, shadow, shares))

    def _read(self, turn: Turn, actions: Actions) -> Ints:
        """The option that each agent took; -1 where it took none of them, several, or its turn did not end well."""
        chosen = np.full(len(turn.agents), NOTHING, np.int64)
        order = np.argsort(turn.agents, kind="stable")
        index = {(name, _key(arguments)): number for number, (name, arguments) in enumerate(self.options)}
        for name, table in actions.tables.items():
            rows = order[np.searchsorted(turn.agents, table.agents, sorter=order)]
            for at, row in enumerate(rows.tolist()):
                number = index.get((name, _key({key: column[at] for key, column in table.columns.items()})), -1)
                chosen[row] = number if chosen[row] == NOTHING else -1
        if actions.status is not None:
            chosen[~np.isin(actions.status, GOOD)] = -1
        if actions.fallback is not None:
            chosen[actions.fallback] = -1
        return chosen

    def _note(self, turn: Turn, asked: NDArray[np.bool_], audited: NDArray[np.bool_]) -> Events:
        """One row a lane: how many decided in each way."""
        early = asked & (not self.policy.fitted)
        masks = (~asked, asked & ~audited & ~early, audited, early)
        lanes, first, where = np.unique(turn.lanes, return_index=True, return_inverse=True)
        data = {name: np.bincount(where, mask, len(lanes)).astype(np.int64) for name, mask in zip(COUNTS, masks, strict=True)}
        self._counted += np.array([mask.sum() for mask in masks])
        groups = np.asarray(self.world.population.get(turn.agents[first], "group"), np.int64)
        return Events(self.name, np.full(len(lanes), -1, np.int64), data, "nobody", groups=groups, lanes=lanes)

    def _fold(self, tick: int) -> None:
        """Learn what earlier ticks brought, in one order. Called as a turn begins; turns of one tick learn nothing of one another."""
        if tick == self._tick:
            return
        self._tick = tick
        batch = self._ordered()
        self._buffer = []
        self.counts += self._counted
        self._counted = np.zeros(len(COUNTS), np.int64)
        if batch is None:
            return
        good = batch.chosen >= 0
        self.outside += int((~good).sum())
        audited = good & (batch.shadow >= 0)
        self.audit.add(batch.shadow[audited], batch.chosen[audited], batch.expected[audited])
        self._features = np.concatenate([self._features, batch.features[good]])[-self.rules.window :]
        self._chosen = np.concatenate([self._chosen, batch.chosen[good]])[-self.rules.window :]
        self._learned += int(good.sum())
        if self.policy.fitted and self.audit.failed():
            self._start_over()
        fresh = self._learned - self._fitted_at
        if len(self._chosen) >= self.rules.warm_up and (not self.policy.fitted or fresh >= self.rules.refit):
            places = np.arange(self._learned - len(self._chosen), self._learned)
            self.policy.fit(self._features, self._chosen, places, self.world.randomness.stream("distilled", self.name))
            self._fitted_at = self._learned

    def _start_over(self) -> None:
        """The world is not what was learned: forget it, and ask everybody until enough is known again."""
        self.audit.restart()
        self.policy = Ensemble(len(self.options), self.rules.members)
        self._features, self._chosen = self._features[:0], self._chosen[:0]

    def _ordered(self) -> _Asked | None:
        """All decisions of the buffer by phase, turn, lane and agent."""
        if not self._buffer:
            return None
        if self._buffer[0].place == SAVED:
            return self._buffer[0]
        names = sorted({asked.place[0] for asked in self._buffer})
        sizes = [len(asked.agents) for asked in self._buffer]
        phases = np.repeat([names.index(asked.place[0]) for asked in self._buffer], sizes)
        numbers = np.repeat([asked.place[1] for asked in self._buffer], sizes)
        lanes = np.concatenate([asked.lanes for asked in self._buffer])
        agents = np.concatenate([asked.agents for asked in self._buffer])
        order = np.lexsort((agents, lanes, numbers, phases))
        joined = [
            np.concatenate([getattr(asked, name) for asked in self._buffer])[order] for name in ("features", "chosen", "shadow", "expected")
        ]
        return _Asked(SAVED, lanes[order], agents[order], joined[0], joined[1], joined[2], joined[3])

    def report(self) -> Report:
        """Calls saved and error kept so far, the last tick included."""
        counts, audit = self.counts + self._counted, self.audit.copy()
        batch = self._ordered()
        outside = self.outside
        if batch is not None:
            audited = (batch.chosen >= 0) & (batch.shadow >= 0)
            audit.add(batch.shadow[audited], batch.chosen[audited], batch.expected[audited])
            outside += int((batch.chosen < 0).sum())
        return audit.report(dict(zip(COUNTS, counts.tolist(), strict=True)), outside)

    def admit(self, agents: AgentIds) -> None:
        self.inner.admit(agents)

    def notice(self, events: Sequence[News]) -> None:
        self.inner.notice(events)

    def learn(self, steps: Transitions) -> None:
        self.inner.learn(steps)

    def state(self) -> dict[str, Any]:
        batch = self._ordered()
        kept = (
            {}
            if batch is None
            else {name: np.array(getattr(batch, name)) for name in ("lanes", "agents", "features", "chosen", "shadow", "expected")}
        )
        return {
            "inner": self.inner.state(),
            "policy": self.policy.state(),
            "audit": self.audit.state(),
            "features": self._features.copy(),
            "chosen": self._chosen.copy(),
            "numbers": [self._tick, self._learned, self._fitted_at, self.outside],
            "counts": self.counts.copy(),
            "counted": self._counted.copy(),
            "buffer": kept,
        }

    def load(self, state: Mapping[str, Any]) -> None:
        self.inner.load(state["inner"])
        self.policy.load(state["policy"])
        self.audit.load(state["audit"])
        self._features, self._chosen = np.array(state["features"], np.float64), np.array(state["chosen"], np.int64)
        self._tick, self._learned, self._fitted_at, self.outside = (int(number) for number in state["numbers"])
        self.counts, self._counted = np.array(state["counts"], np.int64), np.array(state["counted"], np.int64)
        self._buffer = [_Asked(SAVED, **{name: np.array(column) for name, column in kept.items()})] if (kept := state["buffer"]) else []


def distil(simulation: Simulation, rules: Distillation, mind: int = 0) -> DistilledMind:
    """Put a policy before a mind of a simulation that is built and has not begun. Returns it."""
    policy = DistilledMind(simulation.minds.all[mind], rules)
    policy.start(simulation.world)
    simulation.minds.all[mind] = policy
    return policy


def enumerated(world: World, rules: Distillation) -> list[tuple[str, dict[str, Any]]]:
    """All options: nothing, then each action with each combination of its arguments. UsageError where they cannot be counted."""
    options: list[tuple[str, dict[str, Any]]] = [("", {})]
    known = {spec.full: spec for environment in world.environments.values() for spec in environment.actions()}
    for name in rules.actions:
        if name not in known:
            raise UsageError(f"a distilled mind cannot learn {name!r}; there are {', '.join(known) or 'no actions'}")
        arguments = known[name].arguments
        lists = {argument: _listed(name, argument, spec, (rules.values or {}).get(argument)) for argument, spec in arguments.items()}
        if (count := math.prod(map(len, lists.values())) + len(options)) > MOST_OPTIONS:
            raise UsageError(f"a distilled mind can learn {MOST_OPTIONS} options; {name} makes it {count:,}: give values=... with fewer")
        options += [(name, dict(zip(lists, values, strict=True))) for values in itertools.product(*lists.values())]
    return options


def _listed(action: str, name: str, argument: Any, values: Sequence[int] | None) -> Sequence[Any]:
    if isinstance(argument, Choice):
        return argument.options
    if isinstance(argument, Flag):
        return (False, True)
    if isinstance(argument, Integer):
        return values if values is not None else range(argument.low, argument.high + 1)
    kind = type(argument).__name__.lower()
    raise UsageError(f"a distilled mind cannot learn {action}: its argument {name!r} is a {kind}, which has no list of values")


def _key(arguments: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((name, str(np.asarray(value).item())) for name, value in arguments.items()))


def _entropy(shares: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        parts = np.where(shares > 0.0, -shares * np.log(shares), 0.0)
    return np.cumsum(parts, axis=1)[:, -1]
