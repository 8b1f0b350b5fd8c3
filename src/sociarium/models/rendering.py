"""From blocks to the messages of a chat.

Words of agents come marked already: the mind that builds a prompt sets them between marks with their author (law 7), so that
what was marked is part of the request, its key and the journal. Here only the role is guarded: a block that an agent or the
outside wrote is never part of a ``system`` message, whatever role it claims.
"""

from __future__ import annotations

from collections.abc import Iterable

from sociarium.kernel.content import Block, Trust
from sociarium.models.backend import CallFailed

ROLES = ("system", "user", "assistant")


def messages(blocks: Iterable[Block]) -> list[tuple[str, str]]:
    """(role, text) pairs in the order of the blocks. Neighbours of one role are joined by an empty line. Raises ``CallFailed``."""
    joined: list[tuple[str, list[str]]] = []
    for block in blocks:
        if block.kind != "text" or block.attachment is not None:
            raise CallFailed("bad_request", f"this model takes text only, and a block holds {block.kind}", retryable=False)
        if block.role not in ROLES:
            raise CallFailed("bad_request", f"a block has the role {block.role!r}; known are {', '.join(ROLES)}", retryable=False)
        role = "user" if block.role == "system" and block.trust is not Trust.ENGINE else block.role
        if joined and joined[-1][0] == role:
            joined[-1][1].append(block.text)
        else:
            joined.append((role, [block.text]))
    return [(role, "\n\n".join(texts)) for role, texts in joined]
