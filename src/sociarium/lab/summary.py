"""What a run came to: outcome shares, refusals, measures, models and cost. Shares are never hidden (law 4)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sociarium.kernel.outcomes import GOOD, Status
from sociarium.kernel.records import TickRecord
from sociarium.record.totals import Totals

MOST_REASONS = 100  # different ones that a summary keeps


@dataclass(slots=True)
class Summary:
    """Grows tick by tick."""

    ticks: int = 0
    turns: dict[str, int] = field(default_factory=dict[str, int])  # agent-turns by outcome
    fallbacks: int = 0
    applied: dict[str, int] = field(default_factory=dict[str, int])
    refused: dict[str, int] = field(default_factory=dict[str, int])
    events: dict[str, int] = field(default_factory=dict[str, int])
    reasons: dict[str, int] = field(default_factory=dict[str, int])  # why agent-turns did not end well, the first of them
    models: dict[str, Any] = field(default_factory=dict[str, Any])
    forecast: dict[str, Any] = field(default_factory=dict[str, Any])  # what was forecast, where it was, beside what came
    last: TickRecord | None = None
    invalid: str | None = None  # why the run is no result

    def add(self, record: TickRecord) -> None:
        self.ticks = record.tick + 1
        for name, count in record.shares().items():
            self.turns[name] = self.turns.get(name, 0) + count
        self.fallbacks += sum(rows.fallbacks for rows in record.outcomes)
        for name, count in record.applied.items():
            self.applied[name] = self.applied.get(name, 0) + count
        for refusal in record.refusals:
            self.refused[refusal.action] = self.refused.get(refusal.action, 0) + 1
        for name, count in record.counts.items():
            self.events[name] = self.events.get(name, 0) + count
        for reason in (reason for rows in record.outcomes for reason in rows.reasons if reason):
            if reason in self.reasons or len(self.reasons) < MOST_REASONS:
                self.reasons[reason] = self.reasons.get(reason, 0) + 1
        self.last = record

    def complete(self, found: Totals, *, used: bool) -> None:
        """Put the totals of the whole record in the place of what this session has seen, which may have begun at a snapshot;
        what models used only where asked."""
        self.ticks = 0 if found.last is None else found.last.tick + 1
        self.turns, self.fallbacks = dict(found.turns), found.fallbacks
        self.applied, self.refused, self.events = dict(found.applied), dict(found.refused), dict(found.events)
        self.reasons = dict(found.reasons.most_common(MOST_REASONS))
        self.last = self.last or found.last
        if used and self.models:
            spent = {"money_microdollars" if name == "money" else name: value for name, value in found.used.items()}
            self.models = {**self.models, **spent}

    def too_few(self, least_good: float) -> str | None:
        """Why the run is no result (law 4): too few of its agent-turns ended ok or repaired. None where it is valid."""
        if self.good_share >= least_good:
            return None
        return f"only {self.good_share:.0%} of the agent-turns that had a question ended ok or repaired; at least {least_good:.0%} must"

    @property
    def good_share(self) -> float:
        """Agent-turns that ended ok or repaired, as a share of those in which there was something to decide."""
        asked = sum(self.turns.values()) - self.turns.get(Status.SKIPPED.name.lower(), 0)
        good = sum(self.turns.get(status.name.lower(), 0) for status in GOOD)
        return good / asked if asked else 1.0

    def plain(self) -> dict[str, Any]:
        final = self.last.measures if self.last is not None else {}
        few = {name: [None if v != v else float(v) for v in values[:1000]] for name, values in final.items()}
        return {
            "ticks": self.ticks,
            "invalid": self.invalid,
            "agent_turns": self.turns,
            "fallbacks": self.fallbacks,
            "applied": self.applied,
            "refused": self.refused,
            "events": self.events,
            "reasons": self.reasons,
            "measures": few,
            "models": self.models,
            **({"forecast": self.forecast} if self.forecast else {}),
        }
