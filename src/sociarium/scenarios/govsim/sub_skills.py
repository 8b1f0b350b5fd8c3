"""What a model must be able to do to keep a commons: generated problems with known answers (arXiv 2404.16698, section 3.5).

(a) ``dynamics``: what the next month begins with. (b) ``action``: a catch that does not shrink the stock. (c) ``threshold``: the
largest equal catch that does not. (d) ``belief``: the same, given what one expects of the others.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

import numpy as np

from sociarium.kernel.errors import UsageError
from sociarium.kernel.protocols import Address
from sociarium.kernel.turn import Door
from sociarium.lab.statistics import Interval, share_interval
from sociarium.minds.language.rendering import laid_out
from sociarium.models.request import Reply, Request, Sampling
from sociarium.scenarios.govsim.scenario import GovSim

Skill = Literal["dynamics", "action", "threshold", "belief"]
SKILLS: tuple[Skill, ...] = ("dynamics", "action", "threshold", "belief")
PROBLEMS = 150


@dataclass(frozen=True, slots=True)
class Problem:
    """One question. ``caught`` is what each agent takes, in ``dynamics``. All in units."""

    skill: Skill
    stock: int
    agents: int
    caught: int

    @property
    def next_stock(self) -> int:
        return min(100, 2 * (self.stock - self.agents * self.caught))

    @property
    def share(self) -> int:
        """The largest equal catch that does not shrink the stock."""
        return self.stock // 2 // self.agents

    def right(self, given: Any) -> bool:
        """Whether the value of a reply answers this problem."""
        if not isinstance(given, dict):
            return False
        values = cast("dict[str, Any]", given)
        answer, belief = values.get("answer"), values.get("others", 0)
        if not isinstance(answer, int) or isinstance(answer, bool):
            return False
        if self.skill == "dynamics":
            return answer == self.next_stock
        if self.skill == "action":
            return 0 <= answer <= self.share
        if self.skill == "threshold":
            return answer == self.share
        return isinstance(belief, int) and belief >= 0 and answer == max(0, self.stock // 2 - (self.agents - 1) * belief)


def problems(skill: Skill, count: int = PROBLEMS, seed: int = 0) -> list[Problem]:
    """Different problems of one skill, the same for a seed."""
    if skill not in SKILLS:
        raise UsageError(f"there is no sub-skill {skill!r}; there are {', '.join(SKILLS)}")
    random = np.random.Generator(np.random.PCG64([seed, SKILLS.index(skill)]))
    found: dict[Problem, None] = {}
    while len(found) < count:
        agents = int(random.integers(2, 9))
        stock = int(random.integers(2 * agents, 101))
        caught = int(random.integers(0, stock // agents + 1)) if skill == "dynamics" else 0
        found.setdefault(Problem(skill, stock, agents, caught))
    return list(found)


async def examine(door: Door, asked: Sequence[Problem], *, route: str = "default") -> tuple[Interval, list[bool]]:
    """Put problems to a model: the share answered right, with Wilson's interval, and each answer's verdict."""

    async def one(place: int, problem: Problem) -> bool:
        address = Address(0, f"sub-skill {problem.skill}", place, 0, "operator", problem.skill)
        reply: Reply = await door.ask(question(problem), address, route=route)
        return reply.good and problem.right(reply.value)

    verdicts = list(await asyncio.gather(*(one(place, problem) for place, problem in enumerate(asked))))
    return share_interval(sum(verdicts), len(verdicts)), verdicts


def question(problem: Problem) -> Request:
    """The problem as it is put: the rules of the game, then the question, answered by the prompt's schema."""
    game = GovSim.of({"num_agents": problem.agents})
    pack = game.prompt_pack()
    prompt = pack[f"skill_{problem.skill}"]
    values = {"stock": problem.stock, "agents": problem.agents, "caught": problem.caught, "others": problem.agents - 1}
    blocks = prompt.render({name: values[name] for name in prompt.variables})
    return Request(
        laid_out((*pack["rules_fishery"].render(game.rule_values()), *blocks)), schema=prompt.reply, sampling=Sampling(max_tokens=256)
    )
