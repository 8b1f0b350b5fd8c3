"""One resident's turn: perceive, think about what is over, plan, react, reflect, act. Most turns ask no model at all."""

from __future__ import annotations

from typing import Any, TypeVar

from sociarium.kernel.errors import UsageError
from sociarium.kernel.outcomes import Status
from sociarium.minds.agenda import Entry
from sociarium.minds.language.asking import Asking
from sociarium.minds.language.component import Component, Decider, Decision
from sociarium.minds.language.legality import problem
from sociarium.minds.language.reflect import Importance
from sociarium.minds.language.reflection import Reflection
from sociarium.minds.language.town.dayplan import DayPlan
from sociarium.minds.language.town.days import minute_of
from sociarium.minds.language.town.perceive import Perceive, Sight
from sociarium.minds.language.town.react import React
from sociarium.minds.language.town.talk import Aftertalk
from sociarium.minds.language.town.whereabouts import Whereabouts

Part = TypeVar("Part", bound=Component)


class Live(Decider):
    """The decider of the town's own phase. It puts together the components that its mind has: a mind without ``React`` never begins a talk,
    one without ``Reflection`` never reflects, and so on; ``DayPlan`` and ``Whereabouts`` it must have.

    ``wait``: minutes that one waits for another. ``states``: whether what is done at an object is what the object is then like.
    In a probe the agent goes on with what it does: to plan would change it.
    """

    def __init__(
        self, *, town: str = "town", phases: tuple[str, ...] = (), wait: int = 10, states: bool = True, name: str = "live"
    ) -> None:
        self.name, self.town, self.phases = name, town, phases
        self.actions = (f"{town}.do", f"{town}.carry_on")
        self.fallback = {f"{town}.carry_on": {}}
        self.wait, self.states = wait, states

    async def decide(self, asking: Asking) -> Decision:
        if asking.probe:
            return self._on(asking)
        perceive = self.part(Perceive)
        sights = perceive.take(asking) if perceive is not None else []
        for kind in (Aftertalk, Importance):
            await self._thought(asking, kind)
        plan, before = self._needed(DayPlan), len(asking.troubles)
        await plan.ready(asking)
        planned = len(asking.troubles) == before
        reaction = await self._reacted(asking, plan, sights)
        await self._thought(asking, Reflection)
        if reaction is not None:
            return self._ended(asking, reaction)
        if not bool(asking.value(self.town, "over")):
            return self._ended(asking, self._on(asking))
        entry = plan.entry(asking)
        if entry is None:
            return self.stood_in(asking, Status.MALFORMED, "there is no plan of this day")
        decision = await self._do(asking, plan, entry)
        decision.fallback |= not planned
        return self._ended(asking, decision)

    def part(self, kind: type[Part]) -> Part | None:
        """The mind's component of a kind, the first where there are several."""
        return next((one for one in self.mind.components if isinstance(one, kind)), None)

    async def _thought(self, asking: Asking, kind: type[Importance] | type[Aftertalk] | type[Reflection]) -> None:
        part = self.part(kind)
        if isinstance(part, Importance):
            await part.score(asking)
        elif part is not None:
            await part.think(asking)

    async def _reacted(self, asking: Asking, plan: DayPlan, sights: list[Sight]) -> Decision | None:
        react, entry = self.part(React), plan.entry(asking)
        if react is None or not sights or (entry is not None and entry.asleep) or bool(asking.value(self.town, "asleep")):
            return None
        chosen, other = await react.consider(asking, sights, str(asking.value(self.town, "activity")))
        if chosen == "talk" and asking.turn.offered(f"{self.town}.talk"):
            return Decision([(f"{self.town}.talk", {"to": other, "about": ""})])
        if chosen == "wait" and asking.turn.offered(f"{self.town}.wait"):
            plan.between(asking.agent, asking.turn.time, self.mind.prompts["waiting"].words(), self.wait)
            return Decision([(f"{self.town}.wait", {"minutes": self.wait})])
        return None

    async def _do(self, asking: Asking, plan: DayPlan, entry: Entry) -> Decision:
        where = self._needed(Whereabouts)
        before = len(asking.troubles)
        place = await where.place(asking, entry)
        day = plan.plans[asking.agent]
        minutes = day.agenda.left(minute_of(asking.turn.time))
        arguments: dict[str, Any] = {"place": place, "minutes": minutes}
        name = f"{self.town}.sleep" if entry.asleep else f"{self.town}.do"
        if not entry.asleep:
            arguments |= {"activity": entry.activity, "state": entry.activity if self.states else ""}
        wrong = problem(asking.turn.offer(name), arguments)
        if wrong is not None:
            return self.stood_in(asking, wrong.status, wrong.reason)
        return Decision([(name, arguments)], fallback=len(asking.troubles) > before)

    def _on(self, asking: Asking) -> Decision:
        return Decision([(f"{self.town}.carry_on", {})], Status.SKIPPED, "nothing to decide")

    def _ended(self, asking: Asking, decision: Decision) -> Decision:
        """How the turn ended: by the worst of its questions; skipped where there were none."""
        if asking.troubles:
            decision.status, decision.reason = max(asking.troubles)
        elif not asking.labels:
            decision.status, decision.reason = Status.SKIPPED, "nothing to ask"
        elif decision.status == Status.SKIPPED:
            decision.status, decision.reason = Status.OK, ""
        return decision

    def _needed(self, kind: type[Part]) -> Part:
        found = self.part(kind)
        if found is None:
            raise UsageError(f"the decider {self.name!r} needs a component {kind.__name__}; give the language mind one")
        return found
