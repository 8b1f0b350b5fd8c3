"""Words of agents are data (law 7): each block of them goes to a model quoted, between marks that name its author.

    [[Kate]]
    > I propose ten tons each.
    [[/Kate]]

Nothing inside can close the mark, open another, forge a chat template's control words, or begin a line of its own: marks and
control words are broken by a space, every line is quoted, and characters that hide or turn text are taken out.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import replace

from sociarium.kernel.content import Block, Content, Layer, Trust, in_layout

LONGEST_NAME = 80  # characters of an author's name in a mark

_MARK = re.compile(r"([\[［⟦〚])(?=[\[［⟦〚])|([\]］⟧〛])(?=[\]］⟧〛])")
_CONTROL = re.compile(r"([<＜])(?=[|｜/<＜A-Za-z_])|([|｜])(?=[>＞])|(\[)(?=/?[A-Z_]{2,}\])")
_UNSEEN = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u3164\uffa0")  # drawn as nothing, though letters by category
_LINES = re.compile(r"\r\n|[\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029]")


def laid_out(blocks: Iterable[Block]) -> Content:
    """Blocks as they go to a model: in prefix-cache order, words of agents and outsiders marked.

    What is shared or stable and the engine's goes into the one system message, which comes first; foreign words never do.
    """
    laid: list[Block] = []
    for block in marked(in_layout(blocks)):
        if block.trust is not Trust.ENGINE:
            laid.append(replace(block, role="user") if block.role == "system" else block)
        else:
            laid.append(replace(block, role="system") if block.layer is not Layer.MOVING and block.role == "user" else block)
    return tuple(sorted(laid, key=lambda block: block.role != "system"))


def marked(blocks: Iterable[Block]) -> Content:
    """The same blocks, those of agents and outsiders quoted between marks. To be applied once."""
    return tuple(block if block.trust is Trust.ENGINE or block.kind != "text" else replace(block, text=_foreign(block)) for block in blocks)


def _foreign(block: Block) -> str:
    """A model's own earlier words stand in its own message and need no mark."""
    return harmless(block.text) if block.role == "assistant" else quoted(block)


def quoted(block: Block) -> str:
    """The text of a block of foreign words, between the marks of its author."""
    name = author(block.origin)
    lines = "\n".join(f"> {line}" for line in harmless(block.text).split("\n"))
    return f"[[{name}]]\n{lines}\n[[/{name}]]"


def harmless(text: str) -> str:
    """``text`` without hidden characters, and with marks and control words of chat templates broken by a space."""
    text = _LINES.sub("\n", text)
    text = "".join(c for c in text if c in "\n\t" or (unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Co") and c not in _UNSEEN))
    text = _MARK.sub(lambda found: found[0] + " ", text)
    return _CONTROL.sub(lambda found: found[0] + " ", text)


def author(name: str) -> str:
    """A name fit for a mark: one line, no brackets."""
    plain = " ".join(harmless(name).split())
    return re.sub(r"[\[\]［］⟦⟧〚〛<>＜＞|｜/]", "", plain)[:LONGEST_NAME].strip() or "somebody"
