"""What the local backend asks of an engine."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Protocol

from sociarium.models.request import Sampling

Tokens = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """What an engine gave. Counts are tokens."""

    text: str
    finish: str
    prompt: int
    cached: int
    completion: int
    log_probabilities: tuple[float, ...] = ()  # of the tokens given, where asked for
    alternatives: Mapping[int, float] | None = None  # to the first token, where asked for


@dataclass(frozen=True, slots=True)
class Scored:
    """The log-likelihood in nats of each option's tokens after a prompt, and the tokens that were read and forced for it."""

    scores: tuple[float, ...]
    prompt: int
    cached: int
    forced: int


class Engine(Protocol):
    """A loaded model that takes prompts as tokens. Once ``stopped`` is set, the work ends soon; failures are ``CallFailed``."""

    def write(self, prompt: Sequence[int], sampling: Sampling, seed: int, stopped: threading.Event) -> Future[Answer]:
        """Text after the prompt."""
        ...

    def score(self, prompt: Sequence[int], options: Sequence[Tokens], stopped: threading.Event) -> Future[Scored]:
        """How likely each option is to follow the prompt."""
        ...

    def close(self) -> None:
        """Wait for what is under way, then free the model."""
        ...
