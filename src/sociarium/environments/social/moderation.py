"""Moderation: a detector that errs at two rates, and what is done with what it flags.

It is a part of the platform and no gate between deciding and doing, for a label or a demotion is put on the row that was made.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sociarium.kernel.errors import UsageError

Judge = Callable[[str], bool]  # whether a text is what moderation looks for


@dataclass(frozen=True, slots=True)
class Moderation:
    """``judge``: what is looked for. ``miss``: chance that it is not flagged; ``false_alarm``: chance that anything else is.

    What is flagged is held back (``block``; recorded, and published nowhere), or stays with a ``label``, a lower score for recommenders
    (``factor`` below 1), or both. ``warn``: whether its author is told. ``ban``: after so many flags an author's account is closed; None
    for never. Two platforms with the same seed err alike, whatever they do about it: one draw an author, step, action and row.
    """

    judge: Judge
    miss: float = 0.0
    false_alarm: float = 0.0
    block: bool = False
    label: str = ""
    factor: float = 1.0
    warn: bool = False
    ban: int | None = None

    def __post_init__(self) -> None:
        for name in ("miss", "false_alarm"):
            if not 0 <= getattr(self, name) <= 1:
                raise UsageError(f"Moderation: {name} is {getattr(self, name)}; it is a probability")
        if not 0 <= self.factor <= 1:
            raise UsageError(f"Moderation: factor is {self.factor}; recommenders multiply a score by it, so it lies from 0 to 1")
        if self.ban is not None and self.ban < 1:
            raise UsageError(f"Moderation: ban is {self.ban}; it is a number of flags, 1 or more, or None")
