"""A town in words, for one who decides."""

from __future__ import annotations

import numpy as np

from sociarium.environments.columnar import names_of
from sociarium.environments.town.body import places_of
from sociarium.environments.town.map import TownMap
from sociarium.environments.town.rules import TownWording
from sociarium.kernel.content import Block, Content, said
from sociarium.kernel.population import Population
from sociarium.kernel.turn import Observations
from sociarium.kernel.units import clock


def described(wording: TownWording, town: TownMap, population: Population, seen: Observations, row: int, origin: str) -> Content:
    """When and where one is, what one does, what is new in sight; and, where one must decide what to do next, the places one knows."""
    columns, agent = seen[origin], int(seen.turn.agents[row])
    others = [int(other) for other in columns["others"][row] if other >= 0]
    people = names_of(population, np.array([agent, *others]))
    name, named = people[0], dict(zip(others, people[1:], strict=True))
    words = [wording.say("here", name=name, clock=clock(seen.turn.time), place=town.address(int(columns["place"][row])))]
    activity, over = str(columns["activity"][row]), bool(columns["over"][row])
    if activity:
        left = int(columns["minutes_left"][row])
        busy = {"name": name, "activity": activity}
        words.append(wording.say("done", **busy) if over else wording.say("doing", left=left, **busy))
    blocks = [Block(text, origin=origin) for text in words if text]
    for at, other in enumerate(columns["others"][row].tolist()):
        if other < 0:
            continue
        doing = str(columns["others_activity"][row][at])
        entry = "talking" if columns["others_talk"][row][at] else "sees"
        places = {"name": name, "other": named[other], "number": other, "activity": doing}
        blocks.append(said(wording.say(entry, **{k: v for k, v in places.items() if entry == "sees" or k != "activity"}), origin))
    for thing, state in zip(columns["things"][row].tolist(), columns["things_state"][row].tolist(), strict=True):
        if thing >= 0 and state:
            blocks.append(said(wording.say("thing", thing=town.places.names[thing], state=state), origin))
    if not others:
        blocks.append(Block(wording.say("alone", name=name), origin=origin))
    if over:
        known = np.flatnonzero(places_of(columns["known"][row], len(town))).tolist()
        listed = "; ".join(wording.say("place", number=place, address=town.address(place)) for place in known)
        blocks.append(Block(wording.say("places", name=name, places=listed), origin=origin))
    return tuple(block for block in blocks if block.text)
