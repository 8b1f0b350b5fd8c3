"""A calculator in the place of a model: it reads the numbers of a sub-skill problem and answers by arithmetic."""

from __future__ import annotations

import json
import re

from sociarium.models.backends.scripted import ScriptedBackend
from sociarium.models.request import Request

_DYNAMICS = re.compile(r"holds (\d+) tons\. Each of the (\d+) fishers catches (\d+) tons")
_THRESHOLD = re.compile(r"holds (\d+) tons\. All of the (\d+) fishers")
_ACTION = re.compile(r"one of the (\d+) fishers\. At the start of this month the lake holds (\d+) tons")


def calculate(request: Request, draw: int | None) -> str:
    """Right for dynamics and threshold; in the other two it takes the equal share, and expects the others to."""
    text = request.blocks[-1].text
    if found := _DYNAMICS.search(text):
        stock, agents, caught = map(int, found.groups())
        return json.dumps({"reasoning": "", "answer": min(100, 2 * (stock - agents * caught))})
    if found := _THRESHOLD.search(text):
        stock, agents = map(int, found.groups())
        return json.dumps({"reasoning": "", "answer": stock // 2 // agents})
    if found := _ACTION.search(text):
        agents, stock = map(int, found.groups())
        share = stock // 2 // agents
        reply = {"reasoning": "", "answer": stock // 2 - (agents - 1) * share} | ({"others": share} if "expect" in text else {})
        return json.dumps(reply if "expect" in text else {"reasoning": "", "answer": share})
    return json.dumps({"reasoning": "not a problem of arithmetic", "answer": 0})


def calculator() -> ScriptedBackend:
    """The backend."""
    return ScriptedBackend(calculate, tag="calculator")
