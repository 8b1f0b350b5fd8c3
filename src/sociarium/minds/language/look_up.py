"""Looking things up before deciding: a bounded loop of queries within one turn.

Each step asks the model what it wants to look up, if anything; the world answers as it was when the turn began, and nothing changes. Every
question of the loop is journalled like any other, so a replay takes the same steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sociarium.kernel.actions import ActionSpec
from sociarium.kernel.content import Block, Content
from sociarium.kernel.errors import UsageError
from sociarium.kernel.turn import MOST_LOOK_UPS
from sociarium.minds.language.act import Act, ActRules
from sociarium.minds.language.asking import Asking
from sociarium.minds.language.legality import Problem, problem, read_choice, schema_for, short_names

DECIDE = "decide"  # what the model says when it has seen enough


class LookUp(Act):
    """``Act`` that may look up to ``most`` things first. ``queries``: which of the phase's queries (all, when empty)."""

    def __init__(self, rules: ActRules, *, most: int = 4, queries: Sequence[str] = (), name: str = "act", route: str = "") -> None:
        super().__init__(rules, name=name, route=route)
        if not 1 <= most <= MOST_LOOK_UPS:
            raise UsageError(f"{name}: a turn may look up 1 to {MOST_LOOK_UPS} things, not {most}")
        self.most, self.queries = most, tuple(queries)

    def available(self, asking: Asking) -> list[ActionSpec]:
        """The queries of this phase, in the form of actions, so that the same schemas and checks serve."""
        world, found = self.mind.world, list[ActionSpec]()
        for environment in asking.turn.phase.environments:
            for spec in world[environment].queries():
                if not self.queries or spec.name in self.queries or spec.full in self.queries:
                    found.append(ActionSpec(spec.environment, spec.name, spec.doc, spec.arguments))
        return found

    async def _blocks(self, asking: Asking) -> Content:
        shown = await super()._blocks(asking)
        ahead, question = shown[: len(shown) - len(self.question())], self.question()
        queries = self.available(asking)
        if not queries:
            return shown
        enough = ActionSpec("", DECIDE, "Look up nothing more.", {})
        specs = [*queries, enough]
        listed = "\n".join(f"- {name}: {spec.doc}" for name, spec in short_names(specs).items())
        schema = _optional(schema_for(specs))
        answers: list[Block] = []
        for step in range(self.most):
            asked = self.mind.prompts["look_up"].render(queries=listed, left=self.most - step)
            reply = await asking.ask(f"{self.name}:look_up:{step}", (*ahead, *answers, *asked), schema=schema, route=self.route)
            read = read_choice(reply.value, specs) if reply.good else Problem(reply.status, reply.error)
            if isinstance(read, Problem):
                asking.trouble(reply, f"{self.name}:look_up")
                break
            spec, arguments = read
            if spec.name == DECIDE:
                break
            answers += self._answer_to(asking, spec, arguments)
        return (*ahead, *answers, *question)

    def _answer_to(self, asking: Asking, spec: ActionSpec, arguments: dict[str, Any]) -> Content:
        """What the world says; a query with wrong arguments is answered with what is wrong."""
        wrong = problem(spec, arguments)
        if wrong is not None:
            return self.mind.prompts["looked_up"].render(query=spec.name, answer=Block(wrong.reason, origin=self.name))
        found = asking.turn.look_up(asking.row, spec.full, **arguments)
        return self.mind.prompts["looked_up"].render(query=spec.name, answer=found)


def _optional(schema: dict[str, Any]) -> dict[str, Any]:
    """Only the choice itself is required: to look up nothing takes no arguments."""
    return {**schema, "required": ["action"]}
