"""Small platforms for the tests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from sociarium.environments.social.platform import Platform
from sociarium.environments.social.recommenders.recommender import FollowedPosts, Recommender
from sociarium.environments.social.rules import PlatformRules
from sociarium.kernel.actions import Actions
from sociarium.kernel.network import Network
from sociarium.kernel.population import Population
from sociarium.kernel.schedule import Rounds
from sociarium.kernel.simulation import Simulation
from sociarium.kernel.turn import Phase
from sociarium.minds.rule import RuleMind


def ring(users: int) -> Network:
    """Everyone follows the next."""
    return Network.from_edges(users, np.arange(users), (np.arange(users) + 1) % users)


def simulation(
    users: int = 12,
    *,
    minds: Any = None,
    ticks: int = 12,
    network: Network | None = None,
    recommender: Recommender | None = None,
    rules: PlatformRules | None = None,
    population: Population | None = None,
    seed: int = 1,
    **more: Any,
) -> Simulation:
    graph = ring(users - 2) if network is None else network
    platform = Platform(graph, recommender=recommender or FollowedPosts(4), rules=rules, **more)
    people = population or Population.of("user", users, name=np.array([f"user {at}" for at in range(users)], object))
    return Simulation(people, [platform], minds, Rounds([Phase("act", "platform")], ticks), seed=seed)


def played(script: list[list[tuple[str, list[int], dict[str, Any]]]], users: int = 6, **more: Any) -> tuple[Simulation, list[Any]]:
    """A platform after a script: for each tick the actions (name, agents, columns); and its ticks."""

    def rule(turn: Any, seen: Any) -> Actions:
        actions = Actions()
        for name, agents, columns in script[turn.tick]:
            wide = {
                key: words(value) if isinstance(value, list) and value and isinstance(value[0], str) else value
                for key, value in columns.items()
            }
            actions.add(turn, name, np.array(agents, np.int64), **wide)
        return actions

    made = simulation(users, minds=[RuleMind(rule)], ticks=len(script), **{"network": ring(users), **more})
    ticks: list[Any] = []
    made.on_tick.append(ticks.append)
    made.run_sync()
    return made, ticks


def _are_words(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def words(texts: list[str]) -> Any:
    out = np.empty(len(texts), object)
    out[:] = texts
    return out


def platform(made: Simulation) -> Platform:
    found = made.world["platform"]
    assert isinstance(found, Platform)
    return found


Build = Callable[[], Simulation]
