"""Several models in one run: which there are, and which agents each of them answers.

``model`` names one model, or several as ``default=local:smollm2; elite=openai:NAME``. ``routing`` says who is answered by which:
``{elite: 0.2}`` a fifth of each world, drawn by the run's seed; ``{elite: 3}`` three of each world; ``{elite: [0, 4]}`` these agents;
``{elite: policy=greedy}`` those whose column holds this. All others have ``default``. A route is a column of the population
(``route``), so whoever knows the columns can set it, and a mind asks by it (``minds.language``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from sociarium.kernel.errors import UsageError
from sociarium.kernel.population import Column, Population, Visibility
from sociarium.kernel.randomness import Randomness
from sociarium.populations.quotas import exact_counts

AgentIds = NDArray[np.int64]
Who = float | int | str | list[int]
NAMED = re.compile(r"\s*([A-Za-z_][\w.-]*)\s*=\s*(\S.*?)\s*", re.DOTALL)
COLUMN = Column("route", str, visibility=Visibility.HIDDEN, doc="model route; empty: the default")


def routes_of(model: str) -> dict[str, str]:
    """Specs of models by route. A text that names no route is the one of ``default``."""
    parts = [part for part in re.split(r"[;\n]", model) if part.strip()]
    found = [NAMED.fullmatch(part) for part in parts]
    if not any(found):
        return {"default": model}
    routes: dict[str, str] = {}
    for part, one in zip(parts, found, strict=True):
        if one is None or one[1] in routes:
            raise UsageError(
                f"model: {part.strip()!r} must be NAME=MODEL, each name once, as in 'default=local:smollm2; elite=openai:NAME'."
            )
        routes[one[1]] = one[2]
    if "default" not in routes:
        raise UsageError(f"model: of several models one must be the default; given: {', '.join(routes)}. Write default=MODEL; ...")
    return routes


def deal(population: Population, seed: int, routing: Mapping[str, Who], routes: Mapping[str, str], kinds: Sequence[str]) -> None:
    """Write each agent's route into the population. ``kinds``: those that are dealt routes; none: all. Raises ``UsageError``."""
    for route in routing:
        if route not in routes:
            raise UsageError(f"routing: there is no model {route!r}; model names {', '.join(routes) or 'none'}.")
    tables = [table for table in population if not kinds or table.kind in kinds]
    agents = np.concatenate([population.ids(table.kind) for table in tables]) if tables else np.empty(0, np.int64)
    chosen: dict[int, str] = {}
    for route, who in routing.items():
        if isinstance(who, list | str):
            for agent in _named(population, agents, route, who):
                if chosen.setdefault(int(agent), route) != route:
                    raise UsageError(f"routing: agent {agent} is given to both {chosen[int(agent)]!r} and {route!r}.")
    free = np.array([agent for agent in agents.tolist() if agent not in chosen], np.int64)
    by_lot = {route: who for route, who in routing.items() if not isinstance(who, list | str)}
    chosen |= _drawn(population, free, by_lot, seed)
    for table in tables:
        if "route" not in table:
            table.add_column(COLUMN)
    if chosen:
        ids = np.array(sorted(chosen), np.int64)
        for table in tables:
            own = ids[np.isin(ids, population.ids(table.kind))]
            if len(own):
                population.set(own, "route", np.array([chosen[agent] for agent in own.tolist()], object))


def _named(population: Population, agents: AgentIds, route: str, who: list[int] | str) -> list[int]:
    """Agents that a list or a column's value names."""
    if isinstance(who, list):
        known = set(agents.tolist())
        if missing := [one for one in who if one not in known]:
            raise UsageError(f"routing: {route} names agent {missing[0]}, and there is none that is asked.")
        return who
    column, equals, value = (part.strip() for part in who.partition("="))
    kinds = {population.kind_of(agent) for agent in agents.tolist()}
    holding = [kind for kind in sorted(kinds) if column in population[kind]]
    if not equals or not holding:
        raise UsageError(
            f"routing: {route}={who!r} is neither a share, a number, a list of agents nor COLUMN=VALUE of a column that there is."
        )
    asked = set(agents.tolist())
    ids = [agent for kind in holding for agent in population.ids(kind).tolist() if agent in asked]
    values = population.get(np.array(ids, np.int64), column) if ids else np.empty(0, object)
    found = [agent for agent, own in zip(ids, values.tolist(), strict=True) if str(own) == value]
    if not found:
        raise UsageError(
            f"routing: no agent has {column}={value}; there are {', '.join(sorted({str(one) for one in values.tolist()})[:8])}."
        )
    return found


def _drawn(population: Population, free: AgentIds, wishes: Mapping[str, float | int], seed: int) -> dict[int, str]:
    """Shares and numbers of each group, who by lot: an agent's lot depends on the seed and itself only."""
    if not wishes or not len(free):
        return {}
    lots = Randomness(seed).stream("model.routes").uniform(free)
    groups = population.get(free, "group")
    chosen: dict[int, str] = {}
    for group in np.unique(groups).tolist():
        own = free[groups == group][np.argsort(lots[groups == group], kind="stable")].tolist()
        start = 0
        for route, count in _counts(wishes, len(own)).items():
            chosen |= dict.fromkeys(own[start : start + count], route)
            start += count
    return chosen


def _counts(wishes: Mapping[str, float | int], total: int) -> dict[str, int]:
    fixed = {route: who for route, who in wishes.items() if isinstance(who, int)}
    shares = {route: float(who) for route, who in wishes.items() if not isinstance(who, int)}
    wrong = [route for route, who in wishes.items() if not who > 0] or [route for route, share in shares.items() if not share <= 1.0]
    if wrong or sum(shares.values()) > 1.0 + 1e-9:
        raise UsageError(f"routing: {wrong[0] if wrong else 'the shares'} must be numbers from 1 or shares above 0 that sum to at most 1.")
    whole = exact_counts([*shares.values(), max(0.0, 1.0 - sum(shares.values()))], total)
    counts = {**fixed, **dict(zip(shares, map(int, whole), strict=False))}
    if sum(counts.values()) > total:
        raise UsageError(f"routing: {sum(counts.values())} agents of a world are given models, and it has {total}.")
    return {route: counts[route] for route in wishes}
