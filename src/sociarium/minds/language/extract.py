"""Deciding in two calls: the agent answers as it likes, and a second question reads its decision out of that answer.

As the participants of AgentScope do (arXiv 2407.17789): one call for the answer, one that takes the number out of it, and both again
after an answer that holds no legal one, ``attempts`` times in all. Then nothing is done: a failed agent is left out, and no stand-in
number ever enters a sum.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sociarium.kernel.content import Block, Trust
from sociarium.kernel.outcomes import Status
from sociarium.minds.language.asking import Asking
from sociarium.minds.language.component import Decider, Decision, Focus
from sociarium.minds.language.legality import Problem, problem, read_choice, schema_for
from sociarium.minds.language.transcript import Transcript
from sociarium.models.request import Sampling

if TYPE_CHECKING:
    from sociarium.kernel.actions import ActionSpec


class AnswerThenExtract(Decider):
    """``prompt`` asks; ``extract`` asks for the decision in the answer, in the schema of the one action on offer.

    ``transcript`` remembers what was shown and the raw answer that was used in the end.
    """

    def __init__(
        self,
        action: str,
        *,
        prompt: str,
        extract: str = "extract",
        attempts: int = 3,
        transcript: Transcript | None = None,
        sampling: Sampling | None = None,
        name: str = "act",
    ) -> None:
        self.name = name
        self.actions = (action,)
        self.prompt, self.extract = prompt, extract
        self.attempts = attempts
        self.transcript = transcript
        self.sampling = sampling

    async def decide(self, asking: Asking) -> Decision:
        spec = asking.turn.offer(self.actions[0])
        shown = asking.described()
        blocks = (*await asking.context(Focus(), self.uses), *shown, *self.mind.prompts[self.prompt].render())
        decision, raw = Decision(status=Status.MALFORMED, reason="no attempt was made"), ""
        for attempt in range(self.attempts):
            answer = await asking.ask(f"{self.name}:{attempt}", blocks, sampling=self.sampling)
            if not answer.good:
                decision = self.stood_in(asking, answer.status, answer.error)
                continue
            raw = answer.text
            decision = await self._read(asking, spec, raw, attempt)
            if not decision.fallback:
                break
        if self.transcript is not None and raw:
            self.transcript.keep(asking, shown, raw)
        return decision

    async def _read(self, asking: Asking, spec: ActionSpec, raw: str, attempt: int) -> Decision:
        """The decision in an answer: greedy, so that one answer is always read in one way."""
        said = Block(raw, origin=asking.name, trust=Trust.AGENT)
        blocks = self.mind.prompts[self.extract].render(answer=said)
        reply = await asking.ask(f"{self.name}:{attempt}:extract", blocks, schema=schema_for([spec]), sampling=Sampling(max_tokens=48))
        if not reply.good:
            return self.stood_in(asking, reply.status, reply.error)
        read = read_choice(reply.value, [spec])
        if isinstance(read, Problem):
            return self.stood_in(asking, read.status, read.reason)
        if (wrong := problem(*read)) is not None:
            return self.stood_in(asking, wrong.status, wrong.reason)
        return Decision([(spec.full, read[1])], Status.REPAIRED if attempt else reply.status)
