"""Any reply ends in a recorded outcome: never an exception out of the service (S16). ``SOCIARIUM_REPLIES`` sets how many."""

from __future__ import annotations

import asyncio
import json
import math
import os
import random

import numpy as np
import pytest

from sociarium.kernel.content import Block
from sociarium.kernel.outcomes import Status
from sociarium.kernel.protocols import Address, Usage
from sociarium.models.backends.invent import Invention
from sociarium.models.backends.scripted import ScriptedBackend
from sociarium.models.request import Reply, Request, Sampling
from sociarium.models.retry import RetryPolicy
from sociarium.models.schema import faults
from sociarium.models.service import ModelService
from sociarium.record.run import RunRecord

COUNT = int(os.environ.get("SOCIARIUM_REPLIES", "2000"))
SCHEMA = {
    "type": "object",
    "properties": {
        "catch": {"type": "integer", "minimum": 0, "maximum": 100},
        "why": {"type": "string", "minLength": 1, "maxLength": 400},
        "mood": {"enum": ["calm", "angry", None, 1]},
        "to": {"type": "array", "items": {"anyOf": [{"type": "string"}, {"$ref": "#/$defs/Act"}]}, "maxItems": 5, "uniqueItems": True},
        "trust": {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1, "multipleOf": 0.25},
        "dose": {"type": "number", "multipleOf": 0.01},  # no bounds before it: what is far too large reaches the division
        "name": {"type": "string", "pattern": "^[A-Z][a-z]+$", "examples": ["Kate"]},
        "next": {"oneOf": [{"$ref": "#/$defs/Act"}, {"type": "null"}]},
    },
    "required": ["catch", "why"],
    "additionalProperties": False,
    "$defs": {"Act": {"type": "object", "properties": {"then": {"$ref": "#/$defs/Act"}, "act": {"const": "fish"}}, "required": ["act"]}},
}
TRAPS = (
    "\ud800", "\udfff\ud800", "\u202egnirts", "\ufeff", "\x00", "\u2028", "e\u0301" * 40, "👩‍👩‍👧‍👦" * 20, "\U0010ffff", "ﷺ" * 50, "İ", "ß",
    "\u200b", "１２", "\x1b]52;c;aGk=\x07", "\\ud83d", "\\u0000", "＂", "“catch”", "٣",
)  # fmt: skip


def random_bytes(dice):
    return dice.randbytes(dice.randrange(400)).decode(dice.choice(["latin-1", "utf-8"]), "surrogateescape")


def random_json(dice, depth=0):
    kind = dice.randrange(9 if depth < 5 else 6)
    if kind == 0:
        return dice.choice([None, True, False])
    if kind == 1:
        return dice.choice([0, -1, 2**63, 10**400, dice.randrange(-200, 200)])
    if kind == 2:
        return dice.choice([0.5, -0.0, 1e308, math.inf, -math.inf, math.nan, 5e-324, dice.random()])
    if kind < 6:
        return dice.choice(TRAPS) if kind == 3 else dice.choice(list(SCHEMA["properties"]))
    if kind == 6:
        return [random_json(dice, depth + 1) for _ in range(dice.randrange(4))]
    return {dice.choice([*SCHEMA["properties"], *TRAPS]): random_json(dice, depth + 1) for _ in range(dice.randrange(5))}


def valid(dice):
    request = Request((Block(str(dice.random())),), schema=SCHEMA)
    return json.loads(Invention(dice.randrange(1 << 30), request, None).reply().text)


def mutated(dice):
    """A valid reply with one thing wrong: a field replaced, taken away, added, or a slip in its text."""
    value = valid(dice)
    name = dice.choice(list(SCHEMA["properties"]))
    change = dice.randrange(6)
    if change == 0:
        value[name] = random_json(dice)
    elif change == 1:
        value.pop(name, None)
    elif change == 2:
        value[dice.choice(["admin", "__proto__", "Catch", "catch ", dice.choice(TRAPS)])] = random_json(dice)
    elif change == 3:
        value["next"] = {"act": "fish", "then": value}
        value["next"]["then"] = dict(list(value.items())[:2])
    text = json.dumps(value, ensure_ascii=dice.random() < 0.5)
    if change == 4:
        at = dice.randrange(len(text))
        text = text[:at] + dice.choice(["", *TRAPS, *'{}[]",:\\\n0']) + text[at + dice.randrange(2) :]
    if change == 5:
        text = text[: dice.randrange(len(text))]
    return dice.choice(["{}", "```json\n{}\n```", "Sure: {} Bye.", "{}{}"]).replace("{}", text)


def deep(dice):
    depth = dice.choice([10, 63, 64, 65, 1_000, 100_000])
    return dice.choice(["[", '{"catch":', '{"next":{"then":', '[{"a":[']) * depth + dice.choice(["", "1", "]" * depth, "}" * depth])


def huge(dice):
    size = dice.choice([1 << 20, (1 << 20) - 40, (1 << 20) + 1])
    return dice.choice([
        lambda: "x" * size,
        lambda: '{"catch": 1, "why": "' + "é" * size + '"}',
        lambda: '{"catch": ' + "9" * size + ', "why": "x"}',
        lambda: "[" + "1," * (size // 2) + "1]",
        lambda: '"\\' * (size // 2),
        lambda: "```\n" * (size // 4),
        lambda: " " * size + '{"catch": 1, "why": "x"}',
    ])()  # fmt: skip


def text_of(dice):
    kinds = (random_bytes, mutated, valid, deep, huge, lambda dice: random_json(dice), lambda dice: dice.choice(TRAPS) * dice.randrange(9))
    made = dice.choices(kinds, (20, 45, 5, 6, 0.4, 18, 5))[0](dice)
    return made if isinstance(made, str) else json.dumps(made, ensure_ascii=dice.random() < 0.5)


def reply_of(dice):
    """A reply as a backend may hand it over, in every field of it."""
    return Reply(
        text=text_of(dice),
        value=random_json(dice) if dice.random() < 0.05 else None,
        finish=dice.choice(["stop", "length", "content_filter", "tool_calls", "", "\ud800"]) if dice.random() < 0.3 else "stop",
        error=dice.choice(TRAPS) if dice.random() < 0.05 else "",
        model=dice.choice(TRAPS) if dice.random() < 0.1 else "m",
        usage=Usage(1, dice.randrange(100), 0, dice.randrange(100)),
        probabilities=tuple(dice.choice([0.5, math.nan, -1.0, 2.0]) for _ in range(dice.randrange(3))) if dice.random() < 0.1 else (),
    )


def asked(dice, number):
    block, sampling = (Block(f"Question {number}."),), Sampling(1.0, max_tokens=1 << 16)
    kind = dice.random()
    if kind < 0.9:
        return Request(block, schema=SCHEMA, sampling=sampling)
    if kind < 0.96:
        return Request(block, sampling=sampling)
    return Request(block, "choose", options=("yes", "no")) if kind < 0.98 else Request(kind="embed", texts=("a", "b"))


@pytest.mark.parametrize("seed", range(max(1, COUNT // 2000)))
def test_a_reply_of_any_kind_ends_in_a_recorded_outcome(seed, tmp_path):
    dice, count = random.Random(seed), min(COUNT, 2000)
    requests = [asked(dice, number) for number in range(count)]
    said = random.Random(seed + 1_000_000)
    none = RetryPolicy(attempts=2, first_wait=0.0)

    async def work():
        backend = ScriptedBackend(lambda request, draw: reply_of(said))
        with RunRecord.create(tmp_path / "run", {}) as record:
            async with ModelService({"default": backend}, journal=record.journal, seed=seed, retry=none) as door:
                where = [Address(0, "p", 0, 0, f"agent:{number}", "act") for number in range(count)]
                replies = await asyncio.gather(*map(door.ask, requests, where), return_exceptions=True)
        with RunRecord.open(tmp_path / "run", mode="replay") as record:
            return replies, [record.journal.find(address) for address in where]

    replies, entries = asyncio.run(work())
    statuses = {Status.OK: 0, Status.REPAIRED: 0, Status.MALFORMED: 0, Status.FAILED: 0, Status.DECLINED: 0}
    for request, reply, entry in zip(requests, replies, entries, strict=True):
        assert isinstance(reply, Reply), f"seed {seed}: {reply!r}"
        assert entry is not None
        statuses[reply.status] += 1
        if reply.good and request.schema is not None:
            assert faults(reply.value, request.schema) == ""
        if not reply.good:
            assert reply.text == ""
            assert reply.error
    assert all(statuses.values()), statuses
    assert np.sum(list(statuses.values())) == count
