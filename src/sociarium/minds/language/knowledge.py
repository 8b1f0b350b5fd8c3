"""Who knows what: claims of knowledge set against memories.

Nobody knows without a memory of it. Diffusion counts those who say that they know and have a memory that says so; a claim without one is
a hallucination (Generative Agents, arXiv 2304.03442, section 7.1).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sociarium.minds.language.stream import MemoryStream

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Fact:
    """What a memory must speak of to be a memory of it: all of ``words``, in any case. ``without``: words that none may hold."""

    words: tuple[str, ...]
    without: tuple[str, ...] = ()

    def said_in(self, text: str) -> bool:
        plain = text.casefold()
        return all(word.casefold() in plain for word in self.words) and not any(word.casefold() in plain for word in self.without)


@dataclass(frozen=True, slots=True)
class Awareness:
    """``diffusion``: the share that claims and has a memory; ``hallucinated``: the share of claims without one (nan without claims)."""

    claims: int
    grounded: int
    diffusion: float
    hallucinated: float


def supporting(stream: MemoryStream, agent: int, fact: Fact) -> Ints:
    """The agent's memories of a fact, oldest first; expired ones too, as they have been known."""
    rows = stream.of(agent)
    told = [fact.said_in(str(text)) for text in stream["text"][rows]]
    return rows[np.array(told, np.bool_)]


def knowing(stream: MemoryStream, agents: Sequence[int], fact: Fact) -> Bools:
    """Who has a memory of a fact, (agents,)."""
    return np.array([len(supporting(stream, int(agent), fact)) > 0 for agent in agents], np.bool_)


def awareness(stream: MemoryStream, agents: Sequence[int], claims: ArrayLike, fact: Fact) -> Awareness:
    """Claims to know a fact, one an agent, set against memories."""
    said, known = np.asarray(claims, np.bool_), knowing(stream, agents, fact)
    count, grounded = int(said.sum()), int((said & known).sum())
    return Awareness(
        count, grounded, grounded / len(said) if len(said) else float("nan"), (count - grounded) / count if count else float("nan")
    )
