"""What one does about what one sees: talk with a person, wait, or go on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from sociarium.kernel.content import said
from sociarium.kernel.environment import News
from sociarium.kernel.units import DAY, HOUR, SECOND
from sociarium.minds.language.asking import Asking
from sociarium.minds.language.component import Focus
from sociarium.minds.language.reflect import Thinker
from sociarium.minds.language.relationships import Relationships
from sociarium.minds.language.town.perceive import Perceive, Sight
from sociarium.minds.language.town.picking import Style, anybody, picked

Reaction = Literal["talk", "wait", "on"]


@dataclass(frozen=True, slots=True)
class ReactRules:
    """``heed``: the chance that a sight is considered at all. ``waits``, ``things``: whether waiting is a choice, and whether things are
    considered. ``separate``: first whether to talk, then whether to wait, as the released code asks; else one question. ``cooldown``:
    seconds after a talk, or after a refused one, in which the same person is not addressed. ``quiet``: hours without talk."""

    heed: float = 1.0
    waits: bool = True
    things: bool = False
    separate: bool = False
    cooldown: float = 8000.0
    quiet: tuple[int, ...] = (23,)


class React(Thinker):
    """One sight a turn is considered: a person before a thing, drawn among those there are."""

    def __init__(
        self,
        rules: ReactRules | None = None,
        *,
        style: Style = "schema",
        town: str = "town",
        chats: str = "chats",
        name: str = "react",
        **settings: Any,
    ) -> None:
        super().__init__(name=name, **settings)
        self.rules = rules or ReactRules()
        self.style: Style = style
        self.town, self.chats = town, chats
        self.addressed: dict[int, int] = {}  # whom an agent last began to talk with
        self.last: dict[tuple[int, int], int] = {}  # (agent, other) -> when they last talked, or could not

    def hear(self, news: Sequence[News]) -> None:
        for piece in news:
            if piece.kind == f"{self.chats}.ended":
                for agent, other in zip(piece.actors.tolist(), piece.data["other"].tolist(), strict=True):
                    self.last[agent, other] = piece.time
            elif piece.kind == "engine.refused":
                for agent, action in zip(piece.actors.tolist(), piece.data["action"], strict=True):
                    if action == f"{self.town}.talk" and agent in self.addressed:
                        self.last[agent, self.addressed[agent]] = piece.time

    async def consider(self, asking: Asking, sights: Sequence[Sight], now: str) -> tuple[Reaction, int]:
        """What to do about what is newly seen, and about whom. ``now``: what the agent is busy with."""
        sight = self._one(asking, sights)
        choices = self.choices(asking, sight) if sight is not None else []
        if sight is None or choices == ["on"]:
            return "on", -1
        stages: list[list[Reaction]] = [choices]
        if self.rules.separate and len(choices) > 2:
            stages = [["talk", "on"], ["wait", "on"]]
        for number, stage in enumerate(stages):
            chosen = await self._ask(asking, sight, stage, now, f"{self.name}:{number}")
            if chosen != "on":
                if chosen == "talk" and not asking.probe:
                    self.addressed[asking.agent] = sight.other
                return chosen, sight.other
        return "on", -1

    def choices(self, asking: Asking, sight: Sight) -> list[Reaction]:
        """What may be done about a sight, as far as the agent can tell; nothing is asked where it is to go on only."""
        time, found = asking.turn.time, list[Reaction]()
        lately = time - self.last.get((asking.agent, sight.other), -(1 << 62)) < round(self.rules.cooldown * SECOND)
        if (
            sight.other >= 0
            and not sight.talking
            and not lately
            and time % DAY // HOUR not in self.rules.quiet
            and sight.doing != self._sleeping()
        ):
            found.append("talk")
        if self.rules.waits and (found or sight.place >= 0):  # nobody waits for one whom it would not talk with
            found.append("wait")
        return [*found, "on"]

    def _one(self, asking: Asking, sights: Sequence[Sight]) -> Sight | None:
        people = [sight for sight in sights if sight.other >= 0]
        pool = people or [sight for sight in sights if self.rules.things and not self._perceive().is_idle(sight)]
        stream = asking.turn.random("react")
        if not pool or (self.rules.heed < 1 and float(stream.uniform([asking.agent])[0]) >= self.rules.heed):
            return None
        return pool[int(stream.integers(0, len(pool) - 1, [asking.agent], 1)[0])]

    async def _ask(self, asking: Asking, sight: Sight, choices: list[Reaction], now: str, label: str) -> Reaction:
        rows = self._perceive().about(asking, sight.name)
        values = {
            "other": sight.name,
            "doing": said(sight.doing, sight.name) if sight.doing else None,
            "now": said(now, asking.name) if now else None,
            "memories": self.memory.shown(rows) or None,
        }
        head = await asking.context(Focus(top=0), self.uses)
        relation = next((c.shown(asking, sight.other) for c in self.mind.components if isinstance(c, Relationships)), ())
        blocks = (*head, *relation, *self.mind.prompts["react"].render(values))
        options = [self.mind.prompts[f"react_{choice}"].words(name=asking.name, other=sight.name) for choice in choices]
        plain = self.mind.prompts["react"].render(other=sight.name, doing=None, now=None, memories=None)
        prior = anybody(asking, plain)
        chosen = await picked(asking, label, blocks, options, style=self.style, sampling=self.sampling, prior=prior)
        return choices[chosen] if chosen >= 0 else "on"

    def _perceive(self) -> Perceive:
        return next(one for one in self.mind.components if isinstance(one, Perceive))

    def _sleeping(self) -> str:
        return self.mind.prompts["sleeping"].words()

    def state(self) -> dict[str, Any]:
        return {
            "addressed": np.array(sorted(self.addressed.items()), np.int64).reshape(-1, 2),
            "last": np.array([(*pair, self.last[pair]) for pair in sorted(self.last)], np.int64).reshape(-1, 3),
        }

    def load(self, state: Mapping[str, Any]) -> None:
        self.addressed = {int(a): int(o) for a, o in np.asarray(state["addressed"]).tolist()} if state else {}
        self.last = {(int(a), int(o)): int(t) for a, o, t in np.asarray(state["last"]).tolist()} if state else {}
