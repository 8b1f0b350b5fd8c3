"""Minds that are functions: vectorised rules, and scripted mixes of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sociarium.kernel.actions import Actions
from sociarium.kernel.mind import Mind
from sociarium.kernel.turn import Observations, Turn

Rule = Callable[[Turn, Observations], Actions]


class RuleMind(Mind):
    """One vectorised function for all agents: ``rule(turn, seen) -> Actions``. Where nothing is offered it does nothing."""

    def __init__(self, rule: Rule, **rules: Rule) -> None:
        """``rules`` by phase name take precedence over ``rule``."""
        self.rule = rule
        self.rules = rules

    async def decide(self, turn: Turn, seen: Observations) -> Actions:
        if not turn.offers:
            return Actions()
        return self.rules.get(turn.phase.name, self.rule)(turn, seen)


def always(name: str, **columns: Any) -> Rule:
    """The same action with the same arguments for everyone, whenever it is on offer."""

    def rule(turn: Turn, seen: Observations) -> Actions:
        return Actions.one(turn, name, **columns) if turn.offered(name) else Actions()

    return rule


def nothing(turn: Turn, seen: Observations) -> Actions:
    """No action."""
    return Actions()
