"""Who lives in the city: citizens with homes, workplaces, acquaintances and attitudes, and those who persuade them."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from ruamel.yaml import YAML

from sociarium.environments.mobility.city import City
from sociarium.kernel.network import Network
from sociarium.kernel.population import Column, Population, Visibility
from sociarium.kernel.randomness import Randomness, Stream
from sociarium.kernel.simulation import Intervention
from sociarium.populations.networks.acquaintances import acquaintances

if TYPE_CHECKING:
    from sociarium.scenarios.agentsociety.scenario import AgentSociety

Array = NDArray[Any]
CAMPS = (0.3, 0.7)  # attitudes 3 and 7 of 10
PERSUADERS = {"like": (0.1, 0.9), "opposing": (0.6, 0.4)}  # who speaks to each camp: attitudes of 10


@cache
def words() -> dict[str, Any]:
    """Names, occupations and sentences, from the file beside this one."""
    return YAML(typ="safe", pure=True).load(Path(__file__).with_name("people.yaml").read_text("utf-8"))  # pyright: ignore[reportUnknownMemberType]


def city(scenario: AgentSociety, random: Stream) -> City:
    return City.scattered(scenario.places, random.at("city"), radius=scenario.radius)


def citizens(scenario: AgentSociety, places: City, random: Stream) -> Population:
    """Citizens 0 .. n - 1, half of them of each camp, and behind them two who persuade, where there are any."""
    size = scenario.citizens
    agents = np.arange(size)
    employed = random.at("work").uniform(agents) < scenario.employed
    gender = random.at("gender").integers(0, 1, agents)
    homes, offices = places.of("home"), places.of("work")
    columns: dict[str, Array] = {
        "name": _drawn([words()["names"]["woman"], words()["names"]["man"]], gender, random.at("name"), agents),
        "age": np.where(employed, random.at("age").integers(20, 64, agents), random.at("age").integers(18, 85, agents)),
        "gender": np.array(["a woman", "a man"], object)[gender],
        "education": _drawn([words()["education"]] * 2, gender, random.at("education"), agents),
        "occupation": _drawn([words()["idle"], words()["occupations"]], employed.astype(np.int64), random.at("job"), agents),
        "works": employed,
        "home": homes[random.at("home").integers(0, len(homes) - 1, agents)],
        "work": np.where(employed, offices[random.at("office").integers(0, len(offices) - 1, agents)], -1),
        "opinion": np.array(CAMPS)[agents % 2],
        "attitude": 10 * np.array(CAMPS)[agents % 2],
    }
    hidden = Column("opinion", np.float64, 0.0, Visibility.HIDDEN)
    first = Column("attitude", np.float64, 5.0, Visibility.HIDDEN, doc="with which one in words begins, 0 to 10")
    population = Population.of("citizen", size, [hidden, first], **columns)
    if scenario.persuasion in PERSUADERS:
        population.declare("persuader", [hidden, Column("home", np.int64, -1), Column("work", np.int64, -1)])
        population.admit("persuader", 2, opinion=np.array(PERSUADERS[scenario.persuasion]))
    return population


def friends(scenario: AgentSociety, random: Stream) -> Network:
    """Whom each can write to."""
    return acquaintances(scenario.citizens, random.at("friends"), least=scenario.least_friends, most=scenario.most_friends)


def listeners(scenario: AgentSociety, network: Network) -> Network:
    """Whom each hears about the topic: its friends, where friends talk, and who persuades its camp. No persuader hears anybody."""
    size = scenario.citizens
    agents = np.arange(size)
    none = np.empty(0, np.int64)
    sources, targets = (network.sources(), network.targets) if scenario.friends_talk else (none, none)
    if scenario.persuasion not in PERSUADERS:
        return Network.from_edges(size, sources, targets)
    return Network.from_edges(size + 2, np.concatenate([sources, agents]), np.concatenate([targets, size + agents % 2]))


def persuasion(scenario: AgentSociety) -> list[Intervention]:
    """What persuaders write to those of their camp whom they persuade in words: at eight and at four o'clock, every day."""
    found: list[Intervention] = []
    for camp, attitude in enumerate(PERSUADERS.get(scenario.persuasion, ())):
        sort = ("" if abs(attitude - 0.5) > 0.25 else "mildly_") + ("for" if attitude > 0.5 else "against")
        to = [agent for agent in range(scenario.citizens) if agent % 2 == camp]
        for number in range(2 * scenario.days):
            tick = number // 2 * scenario.day + scenario.day * (1 + number % 2) // 3
            text = words()["persuasion"][sort][number % 2]
            found.append(Intervention(tick, "messages.write", {"sender": scenario.citizens + camp, "to": to, "text": text}))
    return found


def randomness(seed: int) -> Stream:
    return Randomness(seed).stream("agentsociety")


def _drawn(lists: list[list[str]], which: Array, random: Stream, agents: Array) -> Array:
    out = np.empty(len(agents), object)
    for number, listed in enumerate(lists):
        mine = which == number
        out[mine] = np.array(listed, object)[random.integers(0, len(listed) - 1, agents[mine])]
    return out
