"""The whole mind of a resident, put together: all components in the order in which they need one another."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sociarium.minds.agenda import Agenda
from sociarium.minds.language.component import Component
from sociarium.minds.language.memory import Memory
from sociarium.minds.language.news import NewsRules
from sociarium.minds.language.reflect import Importance
from sociarium.minds.language.reflection import Reflection
from sociarium.minds.language.relationships import Relationships
from sociarium.minds.language.retrieval import GENERATIVE_AGENTS, Kind, Retrieval
from sociarium.minds.language.town import NEWS
from sociarium.minds.language.town.dayplan import DayPlan
from sociarium.minds.language.town.days import PlanRules
from sociarium.minds.language.town.identity import Identity
from sociarium.minds.language.town.live import Live
from sociarium.minds.language.town.perceive import Perceive
from sociarium.minds.language.town.picking import Style
from sociarium.minds.language.town.react import React, ReactRules
from sociarium.minds.language.town.talk import Aftertalk, Talk, TalkRules
from sociarium.minds.language.town.whereabouts import Whereabouts
from sociarium.minds.language.vectors import Embedder

BY_KIND: Mapping[str, float] = {"event": 3.0, "thought": 6.0, "action": 2.0, "chat": 4.0}


@dataclass(frozen=True, slots=True)
class Residents:
    """How a town's residents think. The defaults are the paper's; what costs calls can be given up one by one.

    ``embedder``: exact, in this process; None asks the route ``embedder``. ``importance``: ``"model"``, a number, or one a kind
    (``BY_KIND``, no calls). ``trigger`` 0: nobody reflects. ``counts``: kinds of memories that bring reflection nearer. ``style``:
    ``choose`` for models too small to name a choice. ``habits``: days as rules, by agent and day; None asks for plans.
    """

    embedder: Embedder | None = None
    retrieval: Retrieval = GENERATIVE_AGENTS
    importance: float | Mapping[str, float] | str = "model"
    trigger: float = 150.0
    counts: tuple[Kind, ...] = (Kind.EVENT,)
    style: Style = "schema"
    plan: PlanRules = field(default_factory=PlanRules)
    react: ReactRules = field(default_factory=ReactRules)
    habits: Callable[[int, int], Agenda] | None = None
    talk: TalkRules = field(default_factory=TalkRules)
    after: tuple[str, ...] = ("talk_summary", "planning", "interesting")
    closeness: bool = True


def components(how: Residents | None = None, *, news: NewsRules | Mapping[str, Any] | None = None, language: str = "en") -> list[Component]:
    """Components for ``LanguageMind(components(...), town.prompts())``. ``news``: beside a town's own; it replaces them."""
    how = how or Residents()
    rules = NewsRules.load(NEWS, language) if news is None else news
    parts: list[Component] = [
        Identity(),
        Memory(rules, embedder=how.embedder, importance=how.importance, rule=how.retrieval),
        Perceive(days=None),
        Relationships(),
        DayPlan(how.plan, habits=how.habits, style=how.style),
        Whereabouts(style=how.style),
        React(how.react, style=how.style),
        Aftertalk(how.after, closeness=how.closeness),
    ]
    if isinstance(how.importance, str):
        parts.append(Importance(alike=True))
    if how.trigger > 0:
        parts.append(Reflection(trigger=how.trigger, counts=how.counts, days=30.0))
    return [*parts, Talk(how.talk), Live()]
