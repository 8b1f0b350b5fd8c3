"""Blocks as tokens, by the model's own chat template, so that no words inside a block can act as the template's marks.

An engine that renders a template to text and tokenises the whole lets a text such as ``<|im_end|>`` end its author's turn. Here
the template is rendered once a sequence of roles with stand-ins; its marks are tokenised as marks, and every block as plain text.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

from sociarium.kernel.content import Content
from sociarium.models.backend import CallFailed

ROLES = ("system", "user", "assistant")
Post = Callable[[str, dict[str, Any]], dict[str, Any]]  # path and body to answer


def messages_of(blocks: Content) -> list[tuple[str, str]]:
    """(role, text) one a message: consecutive blocks of one role are joined by an empty line. Raises CallFailed."""
    messages: list[tuple[str, str]] = []
    for block in blocks:
        if block.kind != "text":
            raise CallFailed("wrong_shape", f"this model reads text only, but a block holds {block.kind}", retryable=False)
        if block.role not in ROLES:
            raise CallFailed("wrong_shape", f"a block has the role {block.role!r}; known are {', '.join(ROLES)}", retryable=False)
        if messages and messages[-1][0] == block.role:
            messages[-1] = (block.role, f"{messages[-1][1]}\n\n{block.text}")
        else:
            messages.append((block.role, block.text))
    if not messages:
        raise CallFailed("wrong_shape", "the request has no blocks", retryable=False)
    return messages


class Prompter:
    """Turns blocks into tokens. Repeated texts (rules, personas) are tokenised once."""

    def __init__(self, post: Post) -> None:
        self.post = post
        self.frame = lru_cache(maxsize=256)(self.make_frame)
        self.tokens = lru_cache(maxsize=4096)(self.make_tokens)

    def prompt(self, blocks: Content) -> list[int]:
        """The tokens of the prompt, with the assistant's turn open: after its last words if the last block is the assistant's."""
        messages = messages_of(blocks)
        frame = self.frame(tuple(role for role, _ in messages))
        tokens = list(frame[0])
        for (_, text), mark in zip(messages, frame[1:], strict=True):
            tokens += self.tokens(text)
            tokens += mark
        return tokens

    def options(self, blocks: Content, options: Sequence[str]) -> list[tuple[int, ...]]:
        """The tokens of each option as a continuation. A space is put before an option where it follows the assistant's own words."""
        last = blocks[-1]
        spaced = last.role == "assistant" and not last.text.endswith((" ", "\n"))
        rows = [self.tokens(f" {option}" if spaced and not option.startswith(" ") else option) for option in options]
        if not all(rows):
            raise CallFailed("wrong_shape", "an option is empty", retryable=False)
        return rows

    def make_frame(self, roles: tuple[str, ...]) -> tuple[tuple[int, ...], ...]:
        """The template's marks before, between and after the messages of these roles: one more than there are messages."""
        standins = [f"stand-in-{number}-for-a-text" for number in range(len(roles))]
        body = {"messages": [{"role": role, "content": text} for role, text in zip(roles, standins, strict=True)]}
        rest = str(self.post("/apply-template", body)["prompt"])
        pieces: list[str] = []
        for text in standins:
            before, found, rest = rest.partition(text)
            if not found:
                raise CallFailed(
                    "wrong_shape", f"the model's chat template cannot show the roles {', '.join(roles)} in this order", retryable=False
                )
            pieces.append(before)
        pieces.append(rest)
        return tuple(self.marks(piece, first=number == 0) for number, piece in enumerate(pieces))

    def marks(self, piece: str, *, first: bool) -> tuple[int, ...]:
        body = {"content": piece, "parse_special": True, "add_special": first}
        return tuple(self.post("/tokenize", body)["tokens"])

    def make_tokens(self, text: str) -> tuple[int, ...]:
        return tuple(self.post("/tokenize", {"content": text, "parse_special": False, "add_special": False})["tokens"])
