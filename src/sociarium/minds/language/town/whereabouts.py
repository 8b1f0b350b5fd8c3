"""Where to do something: sector, then arena, then object, each by the names that one knows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from sociarium.kernel.content import said
from sociarium.kernel.environment import News
from sociarium.kernel.units import MINUTE
from sociarium.minds.agenda import Entry
from sociarium.minds.language.asking import Asking
from sociarium.minds.language.component import Focus
from sociarium.minds.language.reflect import Thinker
from sociarium.minds.language.town.atlas import Atlas, Bools
from sociarium.minds.language.town.picking import Style, anybody, picked

REFUSED = ("do", "sleep")
LEVELS = ("sector", "arena", "object")


class Whereabouts(Thinker):
    """``habits``: the same activity goes to the same place again, without a question. ``most``: names to choose from at each level, of more
    one's home and the nearest.
    ``levels``: how deep one chooses: a building, a room, an object. 0 asks nothing: one goes where the agenda says, else home.

    ``patience``: minutes for which a place that was refused (a closed door, a seat that is taken) is not tried again.
    """

    def __init__(
        self,
        *,
        town: str = "town",
        style: Style = "schema",
        habits: bool = True,
        most: int = 24,
        levels: int = 3,
        beds: tuple[str, ...] = ("bed",),
        patience: float = 30.0,
        name: str = "whereabouts",
        **settings: Any,
    ) -> None:
        super().__init__(name=name, **settings)
        self.town, self.habits, self.most, self.levels, self.beds = town, habits, most, levels, beds
        self.style: Style = style
        self.patience = round(patience * MINUTE)
        self.kept: dict[tuple[int, str], int] = {}  # (agent, activity) -> place
        self.tried: dict[int, int] = {}  # where the agent last set out to
        self.avoided: dict[tuple[int, int], int] = {}  # (agent, place) -> when it was refused

    def hear(self, news: Sequence[News]) -> None:
        for piece in news:
            if piece.kind != "engine.refused":
                continue
            for agent, action in zip(piece.actors.tolist(), piece.data["action"], strict=True):
                if action in {f"{self.town}.{name}" for name in REFUSED} and agent in self.tried:
                    place = self.tried[agent]
                    self.avoided[agent, place] = piece.time
                    self.kept = {key: value for key, value in self.kept.items() if key[0] != agent or value != place}

    async def place(self, asking: Asking, entry: Entry) -> int:
        """The number of the place for what is on; where nothing was chosen, home, else where one stands."""
        atlas = Atlas(self.mind, self.town)
        known = atlas.known(asking) & ~self._avoided(asking, len(atlas.known(asking)))
        agent, here = asking.agent, int(asking.value(self.town, "place"))
        key = (agent, entry.activity)
        wanted = [entry.place, atlas.bed(agent, known, self.beds) if entry.asleep else -1, self.kept.get(key, -1) if self.habits else -1]
        found = next((place for place in wanted if 0 <= place < len(known) and self._may(asking, place)), -1)
        if found < 0:
            found = await self._chosen(asking, atlas, known, entry)
            if found >= 0 and self.habits and not asking.probe:
                self.kept[key] = found
        if found < 0:
            home = atlas.home(agent)
            found = home if self._may(asking, home) else here
        if not asking.probe:
            self.tried[agent] = found
        return found

    async def _chosen(self, asking: Asking, atlas: Atlas, known: Bools, entry: Entry) -> int:
        """Down the tree, a question a level; a level with one name asks nothing. -1 where nothing is known, or a reply was no use."""
        place = -1
        for level in LEVELS[: self.levels]:
            within = atlas.within(known, place)
            x, y = (int(asking.value(self.town, axis)) for axis in ("x", "y"))
            names = atlas.nearest(within, x, y, atlas.home(asking.agent), self.most)
            if not names:
                return place
            chosen = await self._one(asking, atlas, level, place, names, entry)
            if chosen < 0:
                return -1
            place = within[names[chosen]]
        return place

    async def _one(self, asking: Asking, atlas: Atlas, level: str, within: int, names: list[str], entry: Entry) -> int:
        if len(names) == 1:
            return 0
        values = {
            "name": asking.name,
            "activity": said(entry.activity, asking.name),
            "here": atlas.address(int(asking.value(self.town, "place"))),
            "home": atlas.address(atlas.home(asking.agent)),
            "within": None if within < 0 else atlas.address(within),
            "names": "; ".join(names),
        }
        head = await asking.context(Focus(top=0), self.uses)
        blocks = (*head, *self.mind.prompts["whereto"].render(values))
        plain = {**dict.fromkeys(values), "names": values["names"], "within": values["within"]}
        prior = anybody(asking, self.mind.prompts["whereto"].render(plain))
        return await picked(asking, f"{self.name}:{level}", blocks, names, style=self.style, sampling=self.sampling, prior=prior)

    def _may(self, asking: Asking, place: int) -> bool:
        refused = self.avoided.get((asking.agent, place))
        return refused is None or asking.turn.time - refused >= self.patience

    def _avoided(self, asking: Asking, count: int) -> Bools:
        out = np.zeros(count, np.bool_)
        for agent, place in self.avoided:
            if agent == asking.agent and not self._may(asking, place):
                out[place] = True
        return out

    def state(self) -> dict[str, Any]:
        return {
            "kept": [[agent, what, place] for (agent, what), place in sorted(self.kept.items())],
            "tried": [list(pair) for pair in sorted(self.tried.items())],
            "avoided": [[*key, time] for key, time in sorted(self.avoided.items())],
        }

    def load(self, state: Mapping[str, Any]) -> None:
        self.kept = {(int(agent), str(what)): int(place) for agent, what, place in state.get("kept", ())}
        self.tried = {int(agent): int(place) for agent, place in state.get("tried", ())}
        self.avoided = {(int(agent), int(place)): int(time) for agent, place, time in state.get("avoided", ())}
