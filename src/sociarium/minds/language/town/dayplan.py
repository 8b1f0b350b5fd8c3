"""The plan of a day, top down: when to wake, a few things to do, the hours, and minutes when their time comes.

As in Generative Agents (arXiv 2304.03442, section 4.3 and its released code). On a new day one first takes stock of who one has become.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

from sociarium.kernel.content import Block, Content, Trust, said
from sociarium.kernel.environment import News
from sociarium.kernel.errors import UsageError
from sociarium.kernel.outcomes import Status
from sociarium.kernel.units import DAY
from sociarium.minds.agenda import Agenda, Entry
from sociarium.minds.language.asking import Asking
from sociarium.minds.language.component import Focus
from sociarium.minds.language.reflect import Thinker
from sociarium.minds.language.retrieval import Kind
from sociarium.minds.language.town.days import Day, PlanRules, agenda_of, dated, hours_from, items_in, minute_of, to_take_apart
from sociarium.minds.language.town.identity import Identity
from sociarium.minds.language.town.perceive import Perceive
from sociarium.minds.language.town.picking import Style, anybody, picked

EARLIEST, LATEST = 4, 11  # hours at which one may mean to wake
LONGEST = 120  # characters of an activity
MOST_ITEMS = 8  # of a daily plan
BEDTIME, PART = 22, 3  # hours: when a day of choices ends, and how long a part of it is
PLAN_IMPORTANCE = 5.0


class DayPlan(Thinker):
    """Days of a mind's agents. ``habits``: an agenda by agent and day, taken instead of asking for one. ``stand_in``: one for where the
    reply that should hold the day is no use; without it such a day has nothing in it. ``options``: for the rule ``choices``, what an
    agent may do, from which it chooses every three hours."""

    def __init__(
        self,
        rules: PlanRules | None = None,
        *,
        habits: Callable[[int, int], Agenda] | None = None,
        stand_in: Callable[[int, int], Agenda] | None = None,
        options: Callable[[int], Sequence[str]] | None = None,
        style: Style = "schema",
        chats: str = "chats",
        name: str = "dayplan",
        **settings: Any,
    ) -> None:
        settings.setdefault("days", 30.0)
        super().__init__(name=name, **settings)
        self.rules, self.habits, self.stand_in, self.chats = rules or PlanRules(), habits, stand_in, chats
        self.options = options
        if self.rules.hours == "choices" and options is None:
            raise UsageError("a day of choices needs options; give DayPlan(options=...), or other PlanRules(hours=...)")
        self.style: Style = style
        self.plans: dict[int, Day] = {}

    def hear(self, news: Sequence[News]) -> None:
        """A talk has taken its time: the agenda is mended around it."""
        for piece in news:
            if piece.kind != f"{self.chats}.ended":
                continue
            for row, agent in enumerate(piece.actors.tolist()):
                other, minutes = int(piece.data["other"][row]), int(piece.data["minutes"][row])
                words = self.mind.prompts["talking"].words(other=self.mind.name_of(other))
                self.between(agent, piece.time, words, minutes)

    def between(self, agent: int, time: int, activity: str, minutes: int) -> None:
        """Something comes between in the day of an agent; nothing where it has no plan of this day."""
        if (day := self.today(agent, time)) is not None:
            day.agenda.insert(minute_of(time), activity, minutes)

    def today(self, agent: int, time: int) -> Day | None:
        day = self.plans.get(agent)
        return day if day is not None and day.number == time // DAY else None

    def entry(self, asking: Asking) -> Entry | None:
        """What is on now by the agenda; None without one."""
        day = self.today(asking.agent, asking.turn.time)
        return None if day is None else day.agenda.entries[day.agenda.at(minute_of(asking.turn.time))]

    async def ready(self, asking: Asking) -> None:
        """A day's plan where there is none yet, and the parts of it that are due taken apart. A probe plans nothing."""
        if asking.probe:
            return
        time, agent = asking.turn.time, asking.agent
        if self.today(agent, time) is None:
            await self._begin(asking, self.plans.get(agent))
        if not self.rules.steps:
            return
        agenda = self.plans[agent].agenda
        for number, block in enumerate(to_take_apart(agenda, minute_of(time))):
            await self._take_apart(asking, agenda, block, f"{self.name}:steps:{number}")

    async def context(self, asking: Asking, focus: Focus) -> Content:
        day = self.today(asking.agent, asking.turn.time)
        if day is None:
            return ()
        now = day.agenda.entries[day.agenda.at(minute_of(asking.turn.time))].activity
        plan = said(_worded(day.items), asking.name) if day.items else None
        values = {"date": dated(asking.turn.time, self.rules.first), "plan": plan, "now": said(now, asking.name)}
        return self.mind.prompts["today"].render(values)

    async def _begin(self, asking: Asking, before: Day | None) -> None:
        number, sleeping = int(asking.turn.time // DAY), self.mind.prompts["sleeping"].words()
        if before is not None and self.rules.stock:
            await self._take_stock(asking)
        if self.habits is not None:
            self.plans[asking.agent] = self._of_habits(self.habits(asking.agent, number), number)
        else:
            wake = await self._wake(asking)
            stale = self.rules.quirks.stale_daily and before is not None
            items = before.items if stale and before is not None else await self._items(asking, wake)
            if not items and self.stand_in is not None:
                self.plans[asking.agent] = self._of_habits(self.stand_in(asking.agent, number), number)
            else:
                hours = await self._hours(asking, wake, items, sleeping)
                self.plans[asking.agent] = Day(number, agenda_of(hours, (*self.rules.sleeps, sleeping.casefold())), wake, items)
        self._note(asking)

    def _of_habits(self, agenda: Agenda, number: int) -> Day:
        items = [(agenda.begin(at) // 60, e.activity) for at, e in enumerate(agenda.entries) if not e.asleep]
        own = Agenda(agenda.entries)  # a day of one's own: what comes between is put into it
        return Day(number, own, items[0][0] if items else 7, items[:MOST_ITEMS])

    def _note(self, asking: Asking) -> None:
        """The plan is remembered as a thought."""
        day = self.plans[asking.agent]
        values = {"name": asking.name, "date": dated(asking.turn.time, self.rules.first), "plan": _worded(day.items)}
        row = self.think_that(asking, self.mind.prompts["plan_thought"].words(values), PLAN_IMPORTANCE, kind=Kind.PLAN)
        for component in self.mind.components:
            if isinstance(component, Perceive):
                component.tag(asking.agent, row, asking.name, "plan")

    async def _take_stock(self, asking: Asking) -> None:
        """What comes to mind on today's plan and on what has happened makes a new ``currently`` and a new daily requirement."""
        identity = next((one for one in self.mind.components if isinstance(one, Identity)), None)
        if identity is None:
            return
        day, whose = dated(asking.turn.time, self.rules.first), self.rules.quirks.one_identity or asking.name
        queries = tuple(self.mind.prompts[name].words(name=whose, date=day) for name in ("plan_query", "events_query"))
        rows = await self.memory.recall(asking, Focus(queries, self.rules.top), f"{self.name}:stock:recall")
        if not len(rows):
            return
        for column in ("currently", "requirement"):
            asked = self.mind.prompts[column].render(name=whose, date=day, memories=self.memory.shown(rows))
            words = await self.question(asking, f"{self.name}:{column}", asked, column)
            identity.revise(asking, column, words if isinstance(words, str) else "")

    async def _wake(self, asking: Asking) -> int:
        hours = list(range(EARLIEST, LATEST + 1))
        head = await asking.context(Focus(top=0), self.uses)
        asked = self.mind.prompts["wake"].render(date=dated(asking.turn.time, self.rules.first))
        options = [f"{hour}:00" for hour in hours]
        chosen = await picked(asking, f"{self.name}:wake", (*head, *asked), options, style=self.style, sampling=self.sampling)
        return hours[chosen] if chosen >= 0 else 7

    async def _items(self, asking: Asking, wake: int) -> list[tuple[int, str]]:
        asked = self.mind.prompts["daily_plan"].render(wake=f"{wake}:00", date=dated(asking.turn.time, self.rules.first))
        if self.rules.hours == "choices" and self.options is not None:
            return await self._items_chosen(asking, wake, list(self.options(asking.agent)))
        if self.form == "text":
            return await self._items_in_text(asking, wake)
        found = await self.question(asking, f"{self.name}:daily", asked, "daily_plan")
        items: list[tuple[int, str]] = []
        for one in cast("list[Any]", found) if isinstance(found, list) else []:
            item = cast("dict[str, Any]", one) if isinstance(one, dict) else {}
            hour, what = item.get("hour"), item.get("activity")
            if isinstance(hour, int) and 0 <= hour < 24 and isinstance(what, str) and what.strip():
                items.append((hour, what.strip()[:LONGEST]))
        return sorted(items, key=lambda item: item[0])

    async def _items_chosen(self, asking: Asking, wake: int, options: list[str]) -> list[tuple[int, str]]:
        """A plan that is chosen, part by part, in view of what was chosen before."""
        items: list[tuple[int, str]] = []
        head = await asking.context(Focus(top=0), self.uses)
        prompt, date = self.mind.prompts["plan_choice"], dated(asking.turn.time, self.rules.first)
        prior = anybody(asking, prompt.render(date=None, hour=f"{wake}:00", before=None))  # the same for all parts: it is scored once
        for hour in range(wake, BEDTIME, PART):
            before = said(_worded(items), asking.name) if items else None
            blocks = (*head, *prompt.render(date=date, hour=f"{hour}:00", before=before))
            label = f"{self.name}:part:{hour}"
            chosen = await picked(asking, label, blocks, options, style=self.style, sampling=self.sampling, prior=prior)
            if chosen >= 0 and (not items or items[-1][1] != options[chosen]):
                items.append((hour, options[chosen]))
        return items if not items else [*items, (BEDTIME, self.mind.prompts["sleeping"].words())]

    async def _items_in_text(self, asking: Asking, wake: int) -> list[tuple[int, str]]:
        """A plan that is written in lines."""
        label = f"{self.name}:daily"
        asked = self.mind.prompts["daily_plan_text"].render(wake=f"{wake}:00", date=dated(asking.turn.time, self.rules.first))
        head = await asking.context(Focus(top=0), self.uses)
        reply = await asking.ask(label, (*head, *asked), sampling=self.sampling)
        items = items_in(reply.text, longest=LONGEST, most=MOST_ITEMS)
        if not reply.good or not items:
            asking.trouble(reply if not reply.good else replace(reply, status=Status.MALFORMED, error="no line has an hour"), label)
        return items

    async def _hours(self, asking: Asking, wake: int, items: list[tuple[int, str]], sleeping: str) -> list[str]:
        """24 activities. Where hours are asked for and the replies are no use, the items' own hours stand in."""
        stand_in = hours_from(items, wake, sleeping, self.mind.prompts["nothing"].words())
        if self.rules.hours in ("items", "choices"):
            return stand_in
        drawn = (self.sampling or self.mind.sampling).temperature > 0
        best: list[str] = []
        for attempt in range(self.rules.tries if drawn else 1):
            first = 0 if attempt and self.rules.quirks.sleepless_retry else wake
            asked = await (self._each if self.rules.hours == "each" else self._list)(asking, first, items, attempt)
            hours = [sleeping] * first + asked
            if len(hours) == 24 and len(set(hours)) > len(set(best)):
                best = hours
            if len(set(best)) >= self.rules.distinct:
                break
        return best or stand_in

    async def _list(self, asking: Asking, first: int, items: list[tuple[int, str]], attempt: int) -> list[str]:
        label, count = f"{self.name}:hours:{attempt}", 24 - first
        activity = {"type": "string", "minLength": 1, "maxLength": LONGEST}
        hours = {"type": "array", "items": activity, "minItems": count, "maxItems": count}
        schema = {"type": "object", "properties": {"hours": hours}, "required": ["hours"], "additionalProperties": False}
        head = await asking.context(Focus(top=0), self.uses)
        asked = self.mind.prompts["hours"].render(first=f"{first}:00", count=count, plan=self._shown(asking, items))
        reply = await asking.ask(label, (*head, *asked), schema=schema, sampling=self.sampling)
        given = reply.fields.get("hours")
        texts = [text.strip() for text in cast("list[Any]", given) if isinstance(text, str)] if isinstance(given, list) else []
        if len(texts) != count or not all(texts):
            asking.trouble(reply, label)
            return []
        return texts

    async def _each(self, asking: Asking, first: int, items: list[tuple[int, str]], attempt: int) -> list[str]:
        found: list[str] = []
        for hour in range(first, 24):
            before = said("\n".join(f"{first + at}:00 {what}" for at, what in enumerate(found)), asking.name) if found else None
            asked = self.mind.prompts["hour"].render(hour=f"{hour}:00", before=before, plan=self._shown(asking, items))
            what = await self.question(asking, f"{self.name}:hour:{attempt}:{hour}", asked, "hour")
            if not isinstance(what, str) or not what.strip():
                return []
            found.append(what.strip()[:LONGEST])
        return found

    async def _take_apart(self, asking: Asking, agenda: Agenda, block: int, label: str) -> None:
        entry = next(one for one in agenda.entries if one.block == block)
        activity = Block(entry.activity, origin=asking.name, trust=Trust.AGENT)
        steps = await self.question(asking, label, self.mind.prompts["steps"].render(activity=activity, minutes=entry.minutes), "steps")
        parts: list[tuple[str, int]] = []
        for one in cast("list[Any]", steps) if isinstance(steps, list) else []:
            step = cast("dict[str, Any]", one) if isinstance(one, dict) else {}
            what, minutes = step.get("step"), step.get("minutes")
            if isinstance(what, str) and what.strip() and isinstance(minutes, int) and minutes > 0:
                parts.append((what.strip()[:LONGEST], minutes))
        agenda.take_apart(block, parts)

    def _shown(self, asking: Asking, items: list[tuple[int, str]]) -> Block | None:
        return said(_worded(items), asking.name) if items else None

    def state(self) -> dict[str, Any]:
        return {str(agent): self.plans[agent].plain() for agent in sorted(self.plans)}

    def load(self, state: Mapping[str, Any]) -> None:
        self.plans = {int(agent): Day.of(plain) for agent, plain in state.items()}


def _worded(items: Sequence[tuple[int, str]]) -> str:
    return "; ".join(f"{hour}:00 {what}" for hour, what in items)
