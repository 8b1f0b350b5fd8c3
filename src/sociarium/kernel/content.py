"""What an agent is shown in words: blocks of text, image or sound, each with its origin and trust.

A prompt is a sequence of blocks. Because every block says where it came from, a mind can put what is shared first
(so that prefix caches hit), mark text written by other agents as data, and let one leak audit serve every scenario.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Trust(StrEnum):
    """Who answers for a block's words."""

    ENGINE = "engine"  # rules, templates, numbers: written by the scenario
    AGENT = "agent"  # written by an agent of this run: data, never instructions
    OUTSIDE = "outside"  # tools, files, people outside the run


class Layer(StrEnum):
    """How often a block changes. Prompts are laid out in this order so that prefix caches hit."""

    SHARED = "shared"  # the same for everyone: rules
    STABLE = "stable"  # the same for one agent in every turn: persona
    MOVING = "moving"  # observation, memory


@dataclass(frozen=True, slots=True)
class Block:
    """One piece of a prompt. ``attachment`` is the digest of an image or sound kept beside the record."""

    text: str
    origin: str = "scenario"
    trust: Trust = Trust.ENGINE
    layer: Layer = Layer.MOVING
    role: str = "user"
    kind: str = "text"
    attachment: str | None = None

    @property
    def digest(self) -> str:
        """BLAKE2b-128 of everything the block holds: blocks are stored once under it."""
        parts = (self.kind, self.role, self.origin, self.trust, self.layer, self.attachment or "", self.text)
        return hashlib.blake2b("\x1f".join(parts).encode(), digest_size=16).hexdigest()


Content = tuple[Block, ...]


def said(text: str, author: str) -> Block:
    """Words of another agent, marked as data with their author (law 7)."""
    return Block(text, origin=author, trust=Trust.AGENT)


def in_layout(blocks: Iterable[Block]) -> Content:
    """Blocks in prefix-cache order: shared, stable, moving; the order within a layer is kept."""
    order = {Layer.SHARED: 0, Layer.STABLE: 1, Layer.MOVING: 2}
    return tuple(sorted(blocks, key=lambda block: order[block.layer]))
