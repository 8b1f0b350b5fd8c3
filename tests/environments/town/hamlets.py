"""A small town, and residents who do by rule what comes to them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from sociarium.environments.conversation.chats import ChatRules, Chats
from sociarium.environments.town.map import TownMap
from sociarium.environments.town.rules import TownRules
from sociarium.environments.town.town import Town
from sociarium.kernel.actions import Actions
from sociarium.kernel.population import Column, Population, Visibility
from sociarium.kernel.schedule import Calendar
from sociarium.kernel.simulation import Simulation
from sociarium.kernel.turn import Observations, Phase, Turn
from sociarium.kernel.units import HOUR, seconds
from sociarium.minds.rule import RuleMind

HAMLET = TownMap.read(Path(__file__).parent / "hamlet.yaml")


def restless(turn: Turn, seen: Observations) -> Actions:
    """Go anywhere and stay there a while; talk with whoever comes into sight; say a little, and end at the third line."""
    actions = Actions()
    if turn.phase.lead == "chats":
        lines = seen["chats"]["lines"]
        texts = np.array([f"line {line}" for line in lines], object)
        return actions.add(turn, "say", turn.agents, text=texts, end=lines >= 2)
    town = seen["town"]
    draw = turn.random("restless")
    over, other = town["over"], town["others"][:, 0]
    going = turn.agents[over]
    if len(going):
        places = draw.integers(0, len(HAMLET) - 1, going)
        minutes = draw.integers(1, 20, going, 1)
        activity = np.array([f"thing {number}" for number in draw.integers(0, 5, going, 2)], object)
        state = np.array([f"used {number}" for number in draw.integers(0, 2, going, 3)], object)
        actions.add(turn, "do", going, place=places, activity=activity, minutes=minutes, state=state)
    meets = ~over & (other >= 0)
    if meets.any():
        actions.add(turn, "talk", turn.agents[meets], to=other[meets], about="the weather")
    rest = turn.agents[~over & ~meets]
    return actions.add(turn, "carry_on", rest) if len(rest) else actions


def hamlet(seed: int = 1, groups: int = 2, size: int = 6, hours: float = 3.0, rules: TownRules | None = None, **chats: Any) -> Simulation:
    """``groups`` hamlets of ``size`` residents each, from eight in the morning."""
    talks = Chats(ChatRules(**chats))
    town = Town(HAMLET, rules or TownRules(), chats=talks)
    homes = np.array([HAMLET.find("Alder House/room"), HAMLET.find("Birch House/room")])
    secret = Column("secret", str, "", Visibility.HIDDEN)
    places = {"group": np.repeat(np.arange(groups), size), "home": np.resize(homes, groups * size)}
    people = Population.of("resident", groups * size, [secret], **places)
    phases = [Phase("live", lead="town"), Phase("talk", lead="chats", shows=("town",), offers=("say", "leave"))]
    schedule = Calendar(phases, step=seconds(10), duration=seconds(hours * 3600), start=8 * HOUR)
    return Simulation(people, [town, talks], [RuleMind(restless)], schedule, seed=seed)
