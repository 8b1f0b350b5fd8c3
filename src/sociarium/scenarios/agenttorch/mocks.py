"""A stand-in for a language model whose chances are known: what it says depends on what the prompt tells, and on nothing else.

It answers for archetypes (a share), for single persons (yes or no, drawn by the number of the call), and about work. The claims use it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping

import numpy as np

from sociarium.kernel.randomness import key_of
from sociarium.models.backends.scripted import ScriptedBackend
from sociarium.models.request import Request

Chance = Callable[[str], float]  # the words of a prompt -> the share of such people who stay at home

_CASES = re.compile(r"Yesterday ([0-9.e+-]+) new infections")
_WORK = {"work": 0.9, "spend": 0.3}


def cases_told(words: str) -> float:
    """Cases in 100,000 that a prompt tells, the last where it remembers others; 0 where it tells none."""
    found = _CASES.findall(words)
    return float(found[-1]) if found else 0.0


def cautious(kappa: float, isolate: float = 0.05) -> Chance:
    """The heuristic of the scenario, from what is told."""
    return lambda words: float(1 - (1 - isolate) * np.exp(-kappa * cases_told(words) / 1e5))


def by_age(shares: Mapping[str, float]) -> Chance:
    """The share of the first of these words that the prompt has."""
    return lambda words: next(share for word, share in shares.items() if word in words)


def mock(chance: Chance, work: Mapping[str, float] | None = None) -> ScriptedBackend:
    """A backend that answers all questions of the scenario."""

    def reply(request: Request, draw: int | None) -> str:
        words = "\n".join(block.text for block in request.blocks)
        wanted = json.dumps(request.schema)
        if '"stay"' in wanted:
            return json.dumps({"stay": chance(words)})
        if '"consume"' in wanted:
            said = work or _WORK
            yes = _uniform(words, draw) < said["work"]
            return json.dumps({"work": yes, "consume": said["spend"]})
        if '"work"' in wanted:
            return json.dumps(dict(work or _WORK))
        return json.dumps({"on": _uniform(words, draw) < chance(words)})

    return ScriptedBackend(reply)


def _uniform(words: str, draw: int | None) -> float:
    return (key_of("mock", words, draw or 0) >> 11) / 2**53
