"""How one who is interviewed answers: from who it is, its plan of the day, and what comes to mind, or from less of these.

Generative Agents (arXiv 2304.03442, section 6.1) puts the same questions under four conditions to the same memory; ``ABLATIONS`` names
them. A condition takes away kinds of memories, and the parts of the mind that rest on them: without plans the plan of the day is not
shown, and without any memory one is who one was in the beginning, whatever one has written about oneself since.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from sociarium.kernel.content import Content
from sociarium.kernel.errors import UsageError
from sociarium.minds.language.asking import Asking
from sociarium.minds.language.component import Decider, Decision, Focus
from sociarium.minds.language.legality import problem
from sociarium.minds.language.memory import Memory
from sociarium.minds.language.retrieval import ABLATIONS, Kind
from sociarium.minds.language.town.dayplan import DayPlan
from sociarium.minds.language.town.identity import Identity
from sociarium.minds.language.town.talk import spoken
from sociarium.models.request import Sampling


@dataclass(frozen=True, slots=True)
class AnswerRules:
    """``top``: memories that come to mind on the question. ``longest``: characters of an answer. ``form``: a ``schema`` with the answer as
    its field, or plain ``text`` for models too small for that. ``rules``: the component whose words come first."""

    top: int = 15
    longest: int = 400
    form: Literal["schema", "text"] = "schema"
    rules: str = "rules"

    def __post_init__(self) -> None:
        if self.top < 0 or self.longest < 1:
            raise UsageError("AnswerRules: top is 0 or more, longest 1 or more")


class Interviewed(Decider):
    """Answers ``interview.answer``. Where the model says nothing usable, there is no answer, and the turn says so."""

    def __init__(
        self,
        rules: AnswerRules | None = None,
        *,
        interview: str = "interview",
        memory: str = "memory",
        sampling: Sampling | None = None,
        name: str = "interviewed",
    ) -> None:
        self.name, self.rules, self.interview, self.memory_name, self.sampling = name, rules or AnswerRules(), interview, memory, sampling
        self.actions = (f"{interview}.answer",)
        text = {"type": "string", "minLength": 1, "maxLength": self.rules.longest}
        self._schema = {"type": "object", "properties": {"text": text}, "required": ["text"], "additionalProperties": False}

    async def decide(self, asking: Asking) -> Decision:
        free = self.rules.form == "text"
        blocks = (*await self._known(asking), *self._question(asking), *self.mind.prompts["answer"].render(name=asking.name))
        reply = await asking.ask(self.name, blocks, schema=None if free else self._schema, sampling=self.sampling)
        if not reply.good:
            return self.stood_in(asking, reply.status, reply.error)
        arguments: dict[str, Any] = {"text": spoken(reply.text, asking.name)[: self.rules.longest] if free else reply.fields.get("text")}
        spec = asking.turn.offer(self.actions[0])
        wrong = problem(spec, arguments)
        if wrong is not None:
            return self.stood_in(asking, wrong.status, wrong.reason)
        return Decision([(spec.full, arguments)], reply.status)

    async def _known(self, asking: Asking) -> Content:
        """What the condition leaves: who one is, the plan of the day, memories."""
        condition = str(asking.value(self.interview, "condition")) or "full"
        if condition not in ABLATIONS:
            raise UsageError(f"there is no condition {condition!r}; there are {', '.join(ABLATIONS)}")
        kinds = ABLATIONS[condition]
        question = str(asking.value(self.interview, "question"))
        blocks = list(await asking.context(Focus(top=0), (self.rules.rules,)))
        for part in self.mind.components:
            if isinstance(part, Identity):
                blocks += await (part.context(asking, Focus(top=0)) if kinds else part.first(asking))
            elif isinstance(part, DayPlan) and Kind.PLAN in kinds:
                blocks += await part.context(asking, Focus(top=0))
        memory = self.mind.component(self.memory_name)
        if isinstance(memory, Memory) and kinds and self.rules.top:
            rows = await memory.recall(asking, Focus((question,), self.rules.top, kinds), f"{self.name}:recall")
            if len(rows):
                blocks += self.mind.prompts["memories"].render(memories=memory.shown(rows))
        return tuple(blocks)

    def _question(self, asking: Asking) -> Content:
        return self.mind.world[self.interview].describe(asking.seen, asking.row)
