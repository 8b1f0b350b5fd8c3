"""The plainest memory: a list of messages. What was announced to an agent and what it said itself, in order, whole.

It holds the last ``longest`` exchanges of each agent; each is what was shown to it and its own raw answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from sociarium.kernel.content import Block, Content, Layer, Trust
from sociarium.minds.language.asking import Asking
from sociarium.minds.language.component import Component, Focus
from sociarium.minds.language.rendering import marked


class Transcript(Component):
    """Deciders write into it by ``keep``; every question of the agent then begins with it."""

    def __init__(self, *, longest: int = 20, name: str = "transcript") -> None:
        self.name = name
        self.longest = longest
        self.exchanges: dict[int, list[tuple[str, str]]] = {}

    def keep(self, asking: Asking, shown: Content, answer: str) -> None:
        """One exchange of the agent whose turn it is. A probe leaves none."""
        if asking.probe:
            return
        text = "\n".join(block.text for block in marked(shown) if block.layer is Layer.MOVING)  # others' words stay marked as such
        own = self.exchanges.setdefault(asking.agent, [])
        own.append((text, answer))
        del own[: -self.longest]

    async def context(self, asking: Asking, focus: Focus) -> Content:
        blocks: list[Block] = []
        for shown, answer in self.exchanges.get(asking.agent, []):
            if shown:
                blocks.append(Block(shown, origin=self.name))
            blocks.append(Block(answer, origin=asking.name, trust=Trust.AGENT, role="assistant"))
        return tuple(blocks)

    def state(self) -> dict[str, Any]:
        rows = [(agent, *exchange) for agent in sorted(self.exchanges) for exchange in self.exchanges[agent]]
        return {
            "agent": np.array([row[0] for row in rows], np.int64),
            "shown": _texts([row[1] for row in rows]),
            "answer": _texts([row[2] for row in rows]),
        }

    def load(self, state: Mapping[str, Any]) -> None:
        self.exchanges = {}
        if state:
            for agent, shown, answer in zip(state["agent"].tolist(), state["shown"], state["answer"], strict=True):
                self.exchanges.setdefault(agent, []).append((str(shown), str(answer)))


def _texts(values: list[str]) -> Any:
    column = np.empty(len(values), object)
    column[:] = values
    return column
