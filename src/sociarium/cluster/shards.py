"""A rule mind that decides in several processes: each shard has its own agents, and the result is that of one process.

The columnar world, the clock and the record stay one. A shard is given the observations of its agents and the coordinates of the
turn, from which it has the same random numbers; its mind is made by a factory that every process can import.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sociarium.cluster.actors import ActorLost, Cluster, Handle
from sociarium.cluster.worker import find
from sociarium.kernel.actions import Actions, ActionTable, declared
from sociarium.kernel.mind import Mind
from sociarium.kernel.outcomes import Status
from sociarium.kernel.randomness import Randomness
from sociarium.kernel.turn import Moment, Observations, Phase, Turn, TurnKind
from sociarium.kernel.world import World

_STATUS = "status"


class Shard:
    """The actor: one mind, for the agents it is given."""

    def __init__(self, factory: str, arguments: dict[str, Any], offers: dict[str, str], seed: int) -> None:
        self.mind: Mind = find(factory)(**arguments)
        self.offers = offers
        self.randomness = Randomness(seed)

    def decide(self, turn: dict[str, Any], seen: dict[str, Any]) -> dict[str, Any]:
        """Actions as plain columns."""
        here = self._turn(turn)
        actions = asyncio.run(self.mind.decide(here, Observations(here, dict(seen))))
        tables = {name: {"agents": table.agents, "columns": table.columns} for name, table in actions.tables.items()}
        marks = {"status": actions.status, "fallback": actions.fallback, "reasons": {str(k): v for k, v in actions.reasons.items()}}
        return {"tables": tables, **marks}

    def state(self) -> dict[str, Any]:
        return self.mind.state()

    def load(self, state: dict[str, Any]) -> None:
        self.mind.load(state)

    def _turn(self, plain: Mapping[str, Any]) -> Turn:
        given = plain["phase"]
        names = {key: tuple(given[key]) for key in ("shows", "who")}
        offers = None if given["offers"] is None else tuple(given["offers"])
        plainly: Any = {**given, **names, "offers": offers, "kind": TurnKind(given["kind"])}
        phase = Phase(**plainly)
        specs = tuple(_spec(self.offers[name.partition(".")[0]], name) for name in plain["offers"])
        moment = Moment(plain["tick"], plain["time"], phase, self.randomness, specs)
        return Turn(moment, plain["agents"], plain["lanes"], plain["number"], specs, TurnKind(plain["kind"]))


class ShardedMind(Mind):
    """``ShardedMind(cluster, "my.module:make_mind", shards=4)``. Agent a is on shard a modulo ``shards``.

    A shard that is lost for good makes its agents' turns ``failed``: they are excluded and counted, and the run goes on.
    """

    paced = False

    def __init__(self, cluster: Cluster, factory: str, *, shards: int, **arguments: Any) -> None:
        self.cluster, self.factory, self.arguments = cluster, factory, arguments
        self.size = shards
        self.shards: list[Handle] = []

    def begin(self, world: World) -> None:
        homes = {name: f"{type(e).__module__}:{type(e).__qualname__}" for name, e in world.environments.items()}
        self.shards = [
            self.cluster.create(
                "sociarium.cluster.shards:Shard",
                factory=self.factory,
                arguments=self.arguments,
                offers=homes,
                seed=world.randomness.seed,
            )
            for _ in range(self.size)
        ]

    async def decide(self, turn: Turn, seen: Observations) -> Actions:
        masks = [turn.agents % self.size == at for at in range(self.size)]
        waiting = [
            shard.decide(turn=_plain(turn.part(mask)), seen=_columns(seen, mask)) if mask.any() else None
            for shard, mask in zip(self.shards, masks, strict=True)
        ]
        parts: list[tuple[NDArray[np.bool_], dict[str, Any] | None]] = []
        for mask, one in zip(masks, waiting, strict=True):
            if one is not None:
                parts.append((mask, await asyncio.to_thread(_value, one)))
        return _joined(turn, parts)

    def state(self) -> dict[str, Any]:
        return {str(at): shard.state().get() for at, shard in enumerate(self.shards)}

    def load(self, state: Mapping[str, Any]) -> None:
        for at, shard in enumerate(self.shards):
            shard.load(state=state.get(str(at), {})).get()


def _value(placeholder: Any) -> dict[str, Any] | None:
    try:
        return placeholder.get()
    except ActorLost:
        return None


def _plain(turn: Turn) -> dict[str, Any]:
    phase = {**asdict(turn.phase), "kind": str(turn.phase.kind)}
    return {
        "tick": turn.tick,
        "time": turn.time,
        "phase": phase,
        "number": turn.number,
        "kind": str(turn.kind),
        "agents": turn.agents,
        "lanes": np.ascontiguousarray(turn.lanes),
        "offers": [spec.full for spec in turn.offers],
    }


def _columns(seen: Observations, mask: NDArray[np.bool_]) -> dict[str, Any]:
    return {name: {key: values[mask] for key, values in part.items()} for name, part in seen.parts.items()}


def _spec(home: str, full: str) -> Any:
    """The declaration of an action, from the environment's class; narrower bounds are checked where the world is."""
    from sociarium.kernel.actions import ActionSpec

    environment, _, name = full.partition(".")
    doc, arguments = declared(find(home), "_action")[name]
    return ActionSpec(environment, name, doc, arguments)


def _joined(turn: Turn, parts: list[tuple[NDArray[np.bool_], dict[str, Any] | None]]) -> Actions:
    """All shards' actions, rows in the order of the turn's agents."""
    out = Actions()
    place = {int(agent): at for at, agent in enumerate(turn.agents)} if any(part is None for _, part in parts) else {}
    pieces: dict[str, list[dict[str, Any]]] = {}
    for mask, part in parts:
        if part is None:
            for agent in turn.agents[mask]:
                out.mark(turn, place[int(agent)], Status.FAILED, "the shard of this agent was lost")
            continue
        for name, table in part["tables"].items():
            pieces.setdefault(name, []).append(table)
        if part[_STATUS] is not None:
            for at, row in enumerate(np.flatnonzero(mask)):
                reason = part["reasons"].get(str(int(turn.agents[row])), "")
                out.mark(turn, int(row), Status(int(part[_STATUS][at])), reason, fallback=bool(part["fallback"][at]))
    order = np.argsort(turn.agents, kind="stable")
    for name, tables in pieces.items():
        agents = np.concatenate([table["agents"] for table in tables])
        where = order[np.searchsorted(turn.agents, agents, sorter=order)]
        rows = np.argsort(where, kind="stable")
        columns = {key: np.concatenate([table["columns"][key] for table in tables])[rows] for key in tables[0]["columns"]}
        out.tables[name] = ActionTable(agents[rows], columns)
    return out
