"""What an agent holds true, in layers from stiff to fluid (POSIM, arXiv 2603.23884).

Identity is the persona and never changes. Here are the two layers between: sentences on how the agent is, which change slowly, and one
opinion a subject, which the next overwrites. The most fluid layer, emotion, is state of the world (``environments.emotions``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from sociarium.kernel.content import Content, said
from sociarium.kernel.units import clock
from sociarium.minds.language.asking import Asking
from sociarium.minds.language.component import AgentIds, Component, Focus

MOST_SENTENCES = 6  # of psychology; of more the last are kept
MOST_SUBJECTS = 24  # an agent has an opinion on; of more the oldest are forgotten


@dataclass(frozen=True, slots=True)
class EventOpinion:
    """What one thinks of a subject, why, and since when (microseconds)."""

    time: int
    subject: str
    opinion: str
    reason: str


class BeliefLayers(Component):
    """``start``: a population column with the first sentence of each agent's psychology; none where the table has no such column."""

    def __init__(self, start: str = "psychology", *, prompt: str = "bdi_layers", name: str = "belief_layers") -> None:
        self.name, self.start, self.prompt = name, start, prompt
        self.psychology: dict[int, tuple[str, ...]] = {}
        self.opinions: dict[int, dict[str, EventOpinion]] = {}

    def admit(self, agents: AgentIds) -> None:
        for agent in agents.tolist():
            if sentence := self.mind.text_of(agent, self.start):
                self.psychology.setdefault(agent, (sentence,))

    async def context(self, asking: Asking, focus: Focus) -> Content:
        own = self.psychology.get(asking.agent, ())
        held = sorted(self.opinions.get(asking.agent, {}).values(), key=lambda one: (one.time, one.subject))
        if not own and not held:
            return ()
        opinions = tuple(said(f"{clock(one.time)}, {one.subject}: {one.opinion} ({one.reason})", asking.name) for one in held)
        psychology = tuple(said(sentence, asking.name) for sentence in own)
        return self.mind.prompts[self.prompt].render(
            about="How you are:" if own else None,
            psychology=psychology or None,
            on="What you think of what happens:" if held else None,
            opinions=opinions or None,
        )

    def believe(self, asking: Asking, psychology: Sequence[Any], opinions: Sequence[Any]) -> None:
        """Take over what a belief call returned; empty texts and a subject without an opinion change nothing. A probe changes nothing."""
        if asking.probe:
            return
        sentences = tuple(dict.fromkeys(one.strip() for one in psychology if isinstance(one, str) and one.strip()))
        if sentences:
            self.psychology[asking.agent] = sentences[-MOST_SENTENCES:]
        held = self.opinions.setdefault(asking.agent, {})
        for one in opinions:
            given: Mapping[str, Any] = cast("Mapping[str, Any]", one) if isinstance(one, dict) else {}
            subject, opinion, reason = (str(given.get(key, "")).strip() for key in ("subject", "opinion", "reason"))
            if subject and opinion:
                held.pop(subject, None)  # the newest comes last
                held[subject] = EventOpinion(asking.turn.time, subject, opinion, reason)
        while len(held) > MOST_SUBJECTS:
            held.pop(next(iter(held)))

    def state(self) -> dict[str, Any]:
        who = sorted(self.psychology)
        sentences = [(agent, text) for agent in who for text in self.psychology[agent]]
        held = [(agent, one) for agent in sorted(self.opinions) for one in self.opinions[agent].values()]
        return {
            "agents": np.array([agent for agent, _ in sentences], np.int64),
            "psychology": _texts([text for _, text in sentences]),
            "holders": np.array([agent for agent, _ in held], np.int64),
            "times": np.array([one.time for _, one in held], np.int64),
            "opinions": _texts([text for _, one in held for text in (one.subject, one.opinion, one.reason)]),
        }

    def load(self, state: Mapping[str, Any]) -> None:
        if not state:
            return
        self.psychology, self.opinions = {}, {}
        for agent, text in zip(np.asarray(state["agents"]).tolist(), state["psychology"], strict=True):
            self.psychology[agent] = (*self.psychology.get(agent, ()), str(text))
        texts = [str(text) for text in state["opinions"]]
        triples = zip(texts[::3], texts[1::3], texts[2::3], strict=True)
        holders, times = np.asarray(state["holders"]).tolist(), np.asarray(state["times"]).tolist()
        for agent, time, (subject, opinion, reason) in zip(holders, times, triples, strict=True):
            self.opinions.setdefault(agent, {})[subject] = EventOpinion(time, subject, opinion, reason)


def _texts(values: Sequence[str]) -> Any:
    out = np.empty(len(values), object)
    out[:] = list(values)
    return out
