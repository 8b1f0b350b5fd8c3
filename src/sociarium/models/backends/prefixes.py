"""The beginnings that prompts share, as a tree of segments: each is read once, kept while it is used, and attended to by all below it.

A radix tree over token numbers (as in SGLang's RadixAttention, Zheng et al. 2024), with one change: a segment is made only where it spares
more reading than a segment of its own costs, so that a digit in which two agents differ does not cut the tree to pieces.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sociarium.models.backends.slots import shared_prefix

Ids = NDArray[np.int64]
Cut = Callable[[Any, int], tuple[Any, Any]]  # what a segment keeps, cut after so many tokens

SPARED = 64  # tokens that are not read again, from which on a segment is made
SHORTEST = 4  # tokens of a segment
CUTTABLE = 16  # tokens that a prompt must share with a segment for the segment to be cut there
OWN = 64  # tokens of one prompt alone from which on they are kept: an agent's history is asked after again


@dataclass(slots=True, eq=False)
class Segment:
    """Some tokens after those of ``parent``; ``kept`` is what a reader made of them, None while they are unread."""

    tokens: Ids
    parent: Segment | None
    kept: Any = None
    used: int = 0
    children: list[Segment] = field(default_factory=lambda: list[Segment]())

    @property
    def begin(self) -> int:
        return self.end - len(self.tokens)

    @property
    def end(self) -> int:
        """Tokens from the start of the prompt to the end of this segment."""
        return sum(len(one.tokens) for one in self.path())

    def path(self) -> list[Segment]:
        """The segments from the start of the prompt to this one; the root, which is empty, is left out."""
        path: list[Segment] = []
        node = self
        while (parent := node.parent) is not None:
            path.append(node)
            node = parent
        return path[::-1]

    def below(self) -> Iterator[Segment]:
        """This segment and all under it; each comes right before those under it."""
        yield self
        for child in self.children:
            yield from child.below()


class Prefixes:
    """Segments of at most ``most`` tokens in all, least recently used out first. Not safe for several threads at once."""

    def __init__(self, most: int, cut: Cut) -> None:
        self.most = most
        self.cut = cut
        self.root = Segment(np.zeros(0, np.int64), None)
        self.time = 0

    def place(self, prompts: Sequence[Ids]) -> list[Segment]:
        """The segment under which each prompt goes on by itself, made where it is not there.

        At least the last token of a prompt is left to it. Segments that nothing has been kept for must be read, parents first.
        """
        self.time += 1
        placed = [self.known(prompt) for prompt in prompts]
        groups: dict[int, list[int]] = {}
        for number, node in enumerate(placed):
            groups.setdefault(id(node), []).append(number)
        for numbers in groups.values():
            self.grow(placed[numbers[0]], prompts, numbers, placed)
        for node in placed:
            for one in node.path():
                one.used = self.time
        return placed

    def known(self, prompt: Ids) -> Segment:
        """The deepest segment that the prompt goes through; one that it leaves half way is cut."""
        node, depth, last = self.root, 0, len(prompt) - 1
        while True:
            rest = prompt[depth:last]
            shared, child = max(((shared_prefix(one.tokens, rest), one) for one in node.children), key=first, default=(0, node))
            if not shared or (shared < len(child.tokens) and shared < CUTTABLE):
                return node
            node = child if shared == len(child.tokens) else self.split(child, shared)
            depth += shared

    def grow(self, node: Segment, prompts: Sequence[Ids], numbers: Sequence[int], placed: list[Segment]) -> None:
        """Make the segments under ``node`` that these prompts, which all go through it, have in common or want to keep."""
        begin, one = node.end, prompts[numbers[0]]
        common = min(len(one) - 1, *(min(shared_prefix(one, prompts[other]), len(prompts[other]) - 1) for other in numbers))
        length = common - begin
        if (length >= SHORTEST and length * (len(numbers) - 1) >= SPARED) or (len(numbers) == 1 and length >= OWN):
            node = self.add(node, one[begin:common])
        forks: dict[int, list[int]] = {}
        for number in numbers:
            if len(prompts[number]) - 1 == common:
                placed[number] = node
            else:
                forks.setdefault(int(prompts[number][common]), []).append(number)
        for fork in forks.values():
            self.grow(node, prompts, fork, placed)

    def add(self, parent: Segment, tokens: Ids) -> Segment:
        made = Segment(tokens.copy(), parent, used=self.time)
        parent.children.append(made)
        return made

    def split(self, node: Segment, length: int) -> Segment:
        """Cut ``node`` in two; the upper half is returned."""
        assert node.parent is not None
        upper = Segment(node.tokens[:length].copy(), node.parent, used=node.used, children=[node])
        node.parent.children[node.parent.children.index(node)] = upper
        node.parent, node.tokens = upper, node.tokens[length:].copy()
        if node.kept is not None:
            upper.kept, node.kept = self.cut(node.kept, length)
        return upper

    def trim(self) -> None:
        """Drop what is over the bound, and whatever was never read."""
        total = 0
        for node in list(self.root.below()):
            if node.parent is not None and node.kept is None:
                if node in node.parent.children:
                    node.parent.children.remove(node)
            else:
                total += len(node.tokens)
        while total > self.most:
            oldest = min((node for node in self.root.below() if not node.children and node.parent is not None), key=lambda node: node.used)
            assert oldest.parent is not None
            oldest.parent.children.remove(oldest)
            total -= len(oldest.tokens)


def first(pair: tuple[int, Segment]) -> int:
    return pair[0]
