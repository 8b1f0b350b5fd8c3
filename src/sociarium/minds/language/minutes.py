"""The framework's own questions about a talk: a summary in one sentence, and the limit for each that was agreed on, or none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from sociarium.kernel.outcomes import Status
from sociarium.minds.language.asking import Asking
from sociarium.minds.language.component import Decider, Decision
from sociarium.minds.language.legality import problem
from sociarium.models.request import Sampling

ROUTE = "framework"


class Minutes(Decider):
    """For agents of kind ``moderator``: asked at the route ``framework``, not at any agent's. ``none`` is how the action says no limit."""

    def __init__(
        self,
        *,
        action: str = "conversation.minute",
        kinds: tuple[str, ...] = ("moderator",),
        none: int = -1,
        fallback: Mapping[str, Mapping[str, Any]] | None = None,
        sampling: Sampling | None = None,
        route: str = ROUTE,
        name: str = "minutes",
    ) -> None:
        self.name = name
        self.actions, self.kinds = (action,), kinds
        self.fallback = fallback or {}
        self.none = none
        self.sampling = sampling
        self.route = route

    async def decide(self, asking: Asking) -> Decision:
        shown = asking.described()
        given: dict[str, Any] = {}
        status = Status.OK
        for label in ("summary", "limit"):
            prompt = self.mind.prompts[label]
            blocks = (*shown, *prompt.render())
            reply = await asking.ask(label, blocks, schema=prompt.reply, sampling=self.sampling, route=self.route)
            value: Any = reply.value
            if not reply.good:
                return self.stood_in(asking, reply.status, f"{label}: {reply.error}")
            if not isinstance(value, dict) or label not in value:
                return self.stood_in(asking, Status.MALFORMED, f"{label}: the reply has no {label!r}")
            given[label] = cast("dict[str, Any]", value)[label]
            status = max(status, reply.status)
        if given["limit"] is None:
            given["limit"] = self.none
        elif isinstance(given["limit"], int) and given["limit"] < 0:
            return self.stood_in(asking, Status.ILLEGAL, "limit: below zero")
        spec = asking.turn.offer(self.actions[0])
        wrong = problem(spec, given)
        return Decision([(spec.full, given)], status) if wrong is None else self.stood_in(asking, wrong.status, wrong.reason)
