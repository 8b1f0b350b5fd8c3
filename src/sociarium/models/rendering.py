"""From blocks to the messages of a chat. Words of others stand inside a marked block with their author (law 7).

A block that an agent or the outside wrote is always part of a ``user`` message, whatever role it claims, and is set between
``<said by="AUTHOR">`` and ``</said>``; that mark inside the words is defused, so nobody can close their own block and go on
in the engine's name. The one exception is role ``assistant``: the model's own earlier words.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from sociarium.kernel.content import Block, Trust

_MARK = re.compile(r"<(?=\s*/?\s*said\b)", re.IGNORECASE)
_UNSAFE = re.compile(r"[\x00-\x1f\x7f\"<>]")


def messages(blocks: Iterable[Block]) -> list[tuple[str, str]]:
    """(role, text) pairs in the order of the blocks. Neighbours of one role are joined by an empty line."""
    joined: list[tuple[str, list[str]]] = []
    for block in blocks:
        own = block.trust is Trust.ENGINE or block.role == "assistant"
        role = block.role if own else "user"
        text = block.text if own else marked(block)
        if joined and joined[-1][0] == role:
            joined[-1][1].append(text)
        else:
            joined.append((role, [text]))
    return [(role, "\n\n".join(texts)) for role, texts in joined]


def marked(block: Block) -> str:
    """The words of another, with their author."""
    author = _UNSAFE.sub("?", block.origin)[:100]
    return f'<said by="{author}">\n{_MARK.sub("‹", block.text)}\n</said>'
