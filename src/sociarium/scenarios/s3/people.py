"""Who is on the network: the graph of followers, the users with their profiles, and who begins."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from sociarium.environments.wording import read_yaml
from sociarium.kernel.errors import UsageError
from sociarium.kernel.network import Network
from sociarium.kernel.population import Column, Population, Visibility
from sociarium.kernel.randomness import Stream
from sociarium.populations.networks.degrees import expected_degrees, power_law_degrees
from sociarium.populations.networks.files import read_edges
from sociarium.populations.networks.nulls import degree_preserving
from sociarium.populations.networks.preferential import barabasi_albert
from sociarium.populations.networks.uniform import erdos_renyi_edges, stochastic_block
from sociarium.populations.user_classes import NAMES, user_classes

if TYPE_CHECKING:
    from sociarium.scenarios.s3.scenario import SocialNetworkSimulation

Array = NDArray[Any]
Ints = NDArray[np.int64]

GENDERS = ("a man", "a woman")
STANDINGS = ("an influential user", "a user like most", "a user whom few read")
BRIDGE = 0.02  # of the links of two blocks, those that lead from one to the other


@cache
def events() -> dict[str, Any]:
    """The events, occupations and interests, from the file beside this one."""
    return cast("dict[str, Any]", read_yaml(Path(__file__).with_name("events.yaml"), "events"))


def network(scenario: SocialNetworkSimulation, random: Stream) -> Network:
    """An edge leads from the follower to the one followed. ``rewire`` of its edges lead elsewhere, all degrees kept."""
    graph = _graph(scenario, random.at("graph"))
    if scenario.rewire > 0:
        graph = degree_preserving(graph, random.at("rewire"), directed=True, swaps=scenario.rewire)
    return graph


def _graph(scenario: SocialNetworkSimulation, random: Stream) -> Network:
    users, links = scenario.users, scenario.links
    match scenario.network:
        case "ba":
            return barabasi_albert(users, max(1, round(links / 2)), random)
        case "er":
            return erdos_renyi_edges(users, round(users * links), random, directed=True)
        case "blocks":
            half = users // 2
            inside = links * (1 - BRIDGE) / max(half - 1, 1)
            between = links * BRIDGE / max(half, 1)
            chances = np.clip([[inside, between], [between, inside]], 0, 1)
            return stochastic_block([half, users - half], chances, random, directed=True)
        case "file":
            return _read(scenario)
        case _:
            return follower_graph(users, links, random, mutual=scenario.mutual)


def follower_graph(users: int, links: float, random: Stream, *, mutual: float = 0.2) -> Network:
    """Shaped as real ones are: followers have a heavy tail, whom one follows has a lighter one, and ``mutual`` of the follows are
    returned."""
    into = power_law_degrees(users, 2.0, random.at("into"), maximum=max(2, users // 10), even=False)
    out = power_law_degrees(users, 2.5, random.at("out"), even=False)
    graph = expected_degrees(out, into, round(users * links / (1 + mutual)), random.at("edges"))
    back = random.at("back").uniform(np.arange(len(graph))) < mutual
    return graph.with_edges(graph.targets[back], graph.sources()[back])


def _read(scenario: SocialNetworkSimulation) -> Network:
    """A graph from a file; its nodes are the users, whatever ``users`` says."""
    if scenario.edges is None:
        raise UsageError("network=file needs a file of edges (from follower to followed): edges=PATH")
    found = read_edges(Path(scenario.edges), mutual=scenario.mutual >= 1).network
    if found.nodes != scenario.users:
        raise UsageError(f"{scenario.edges} has {found.nodes} nodes: give users={found.nodes}")
    return found


def people(scenario: SocialNetworkSimulation, graph: Network, random: Stream) -> Population:
    """Users with the demographics that the paper infers, their class, and what they begin with."""
    agents, words = np.arange(graph.nodes), events()
    event = words[scenario.event]
    positive = event["positive"] if scenario.positive is None else scenario.positive
    activity = random.at("activity").exponential(agents)
    first, official = seeds(scenario, graph, random), (scenario.seeds + 1) // 2
    attitude = (random.at("attitude").uniform(agents) < positive).astype(np.int64)
    attitude[first[:official]], attitude[first[official:]] = 1, 0  # officials reassure, the first of the others do not
    classes = user_classes(graph.in_degrees(), graph.degrees(), activity)
    own = [
        Column("emotion", np.int64, 0, Visibility.OWN, doc="level at the start: 0 calm, 1 moderate, 2 intense"),
        Column("attitude", np.int64, 0, Visibility.OWN, doc="at the start: 0 negative, 1 positive"),
        Column("activity", np.float64, 0.0, Visibility.HIDDEN),
    ]
    columns: dict[str, Array] = {
        "gender": _drawn(GENDERS, random.at("gender"), agents),
        "age": random.at("age").integers(18, 65, agents),
        "occupation": _drawn(words["occupations"], random.at("occupation"), agents),
        "interests": _drawn(words["interests"], random.at("interests"), agents),
        "standing": np.array(STANDINGS, object)[classes],
        "user_class": np.array(NAMES, object)[classes],
        "activity": activity,
        "emotion": np.where(np.isin(agents, first), scenario.seed_emotion, 0),
        "attitude": attitude,
    }
    return Population.of("user", graph.nodes, own, **columns)


def seeds(scenario: SocialNetworkSimulation, graph: Network, random: Stream) -> Ints:
    """Who posts about the event at step 0: half official, those with most followers, half personal, anybody. Official ones come first."""
    order = np.argsort(-graph.in_degrees(), kind="stable")
    official = order[: (scenario.seeds + 1) // 2]
    others = order[(scenario.seeds + 1) // 2 :]
    personal = others[random.at("seeds").order(others)[: scenario.seeds // 2]]
    return np.concatenate([official, personal]).astype(np.int64)


def profiles(population: Population) -> list[str]:
    """A text a user, to which messages are more or less relevant."""
    table = population["user"]
    return [f"{work}. {likes}" for work, likes in zip(table["occupation"], table["interests"], strict=True)]


def _drawn(options: Any, random: Stream, agents: Ints) -> Array:
    return np.array(list(options), object)[random.integers(0, len(options) - 1, agents)]
