"""The whole mind of a resident, put together: all components in the order in which they need one another."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

from sociarium.kernel.errors import UsageError
from sociarium.minds.agenda import Agenda
from sociarium.minds.language.component import Component
from sociarium.minds.language.memory import Memory
from sociarium.minds.language.news import NewsRules
from sociarium.minds.language.reflect import Form, Importance
from sociarium.minds.language.reflection import Reflection
from sociarium.minds.language.relationships import Relationships
from sociarium.minds.language.retrieval import GENERATIVE_AGENTS, Kind, Retrieval
from sociarium.minds.language.town import NEWS
from sociarium.minds.language.town.dayplan import DayPlan
from sociarium.minds.language.town.days import PlanRules
from sociarium.minds.language.town.identity import Identity
from sociarium.minds.language.town.interviewed import AnswerRules, Interviewed
from sociarium.minds.language.town.live import Live
from sociarium.minds.language.town.perceive import Perceive
from sociarium.minds.language.town.picking import Style
from sociarium.minds.language.town.react import React, ReactRules
from sociarium.minds.language.town.talk import Aftertalk, Menu, Talk, TalkRules
from sociarium.minds.language.town.whereabouts import Whereabouts
from sociarium.minds.language.vectors import Embedder
from sociarium.models.request import Sampling

BY_KIND: Mapping[str, float] = {"event": 3.0, "thought": 6.0, "action": 2.0, "chat": 4.0, "plan": 5.0}
Part = Literal["perception", "reaction", "planning", "steps", "stock", "places", "relationships", "aftertalk", "importance", "reflection"]
PARTS: tuple[Part, ...] = get_args(Part)
"""What can be taken from a resident (``Residents.without``)."""


@dataclass(frozen=True, slots=True)
class ReflectionRules:
    """``trigger``: importance after which one reflects; ``recent``: the newest memories that questions are asked of; ``questions``, ``top``
    and ``insights``: how many, and how many memories for each question. ``counts``: kinds that bring it nearer."""

    trigger: float = 150.0
    recent: int = 100
    questions: int = 3
    top: int = 30
    insights: int = 5
    counts: tuple[Kind, ...] = (Kind.EVENT,)


@dataclass(frozen=True, slots=True)
class Residents:
    """How a town's residents think. The defaults are the paper's; what costs calls can be given up one by one.

    ``embedder``: exact, in this process; None asks the route ``embedder``. ``importance``: ``"model"``, a number, or one a kind
    (``BY_KIND``, no calls); ``together``: how many memories one question scores. ``style``: ``choose`` for models too small to name a
    choice; ``form``: ``text`` for those too small to fill a schema.
    ``habits``: days as rules, by agent and day; None asks for plans. ``stand_in``: a day where the model's own is no use.
    ``options``, ``menu``: what one may plan and say, where that is chosen.
    ``identity``: the prompt of who one is. ``acquaintance``: memories on another's name that say what the two are to each other.
    ``after``, ``at_once``: thoughts after a talk, and whether they are one question. ``levels``: how deep a place is chosen.

    ``without``: parts that are left out, of ``PARTS``: without ``perception`` nothing seen is remembered or reacted to, without
    ``planning`` days are ``habits``, without ``places`` one goes where these say, without ``stock`` one stays who one was.
    """

    embedder: Embedder | None = None
    retrieval: Retrieval = GENERATIVE_AGENTS
    importance: float | Mapping[str, float] | str = "model"
    together: int = 1
    reflection: ReflectionRules = field(default_factory=ReflectionRules)
    style: Style = "schema"
    form: Form = "schema"
    plan: PlanRules = field(default_factory=PlanRules)
    react: ReactRules = field(default_factory=ReactRules)
    habits: Callable[[int, int], Agenda] | None = None
    stand_in: Callable[[int, int], Agenda] | None = None
    options: Callable[[int], Sequence[str]] | None = None
    menu: Menu | None = None
    talk: TalkRules = field(default_factory=TalkRules)
    talk_sampling: Sampling | None = None
    after: tuple[str, ...] = ("talk_summary", "planning", "interesting")
    at_once: bool = False
    closeness: bool = True
    acquaintance: int = 50
    levels: int = 3
    identity: str = "identity"
    answers: AnswerRules = field(default_factory=AnswerRules)
    without: frozenset[Part] = frozenset()

    def __post_init__(self) -> None:
        if unknown := self.without - set(PARTS):
            raise UsageError(f"Residents: there is no part {sorted(unknown)[0]!r} to be without; there are {', '.join(PARTS)}")
        if "planning" in self.without and self.habits is None:
            raise UsageError("Residents: whoever is without planning needs habits to live by")


def components(how: Residents | None = None, *, news: NewsRules | Mapping[str, Any] | None = None, language: str = "en") -> list[Component]:
    """Components for ``LanguageMind(components(...), town.prompts())``. ``news``: beside a town's own; it replaces them."""
    how = how or Residents()
    rules = NewsRules.load(NEWS, language) if news is None else news
    scored = BY_KIND if "importance" in how.without and isinstance(how.importance, str) else how.importance
    parts: list[Component] = [
        Identity(how.identity),
        Memory(rules, embedder=how.embedder, importance=scored, rule=how.retrieval),
        *_seeing(how),
        *([] if "relationships" in how.without else [Relationships(top=how.acquaintance, form=how.form)]),
        *_planning(how),
    ]
    if "aftertalk" not in how.without:
        parts.append(Aftertalk(how.after, together=how.at_once, closeness=how.closeness, form=how.form))
    if isinstance(scored, str):
        parts.append(Importance(alike=True, together=how.together))
    if how.reflection.trigger > 0 and "reflection" not in how.without:
        own = how.reflection
        numbers: dict[str, Any] = {"recent": own.recent, "questions": own.questions, "top": own.top, "insights": own.insights}
        parts.append(Reflection(trigger=own.trigger, counts=own.counts, days=30.0, form=how.form, **numbers))
    return [*parts, Talk(how.talk, menu=how.menu, sampling=how.talk_sampling), Interviewed(how.answers, sampling=how.talk_sampling), Live()]


def _seeing(how: Residents) -> list[Component]:
    if "perception" in how.without:
        return []
    return [Perceive(days=None), *([] if "reaction" in how.without else [React(how.react, style=how.style)])]


def _planning(how: Residents) -> list[Component]:
    plan = replace(how.plan, steps=how.plan.steps and "steps" not in how.without, stock=how.plan.stock and "stock" not in how.without)
    habits = how.habits if "planning" in how.without else None
    return [
        DayPlan(plan, habits=habits or how.habits, stand_in=how.stand_in, options=how.options, style=how.style, form=how.form),
        Whereabouts(style=how.style, levels=0 if "places" in how.without else how.levels),
    ]
