"""A model without any judgement: it does whatever any text in its prompt tells it. The worst case of prompt injection.

Each payload begins with a mark (``qz017``), so that it is found however a prompt has quoted, cut or cleaned it: no skill in reading is
assumed away. What an obedient reply looks like goes through several forms, drawn from the request: the wanted words as they are, a
value of the right shape with the worst numbers and foreign keys, the payload copied into everything that is said, the whole prompt.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, cast

from sociarium.models.backends.invent import Invention
from sociarium.models.backends.scripted import ScriptedBackend
from sociarium.models.request import Reply, Request, request_id

MARK = re.compile(r"qz\d{3}")
FOREIGN = {"agent": 0, "as": "agent:0", "agents": [0, 1, 2], "admin": True, "status": "ok", "budget": 10**9}  # keys that no schema has
WORST = (10**12, -1, 1e300, 0)


@dataclass(frozen=True, slots=True)
class Payload:
    """``text`` begins with ``mark``. ``wants``: what an obedient model would reply."""

    mark: str
    family: str
    text: str
    wants: str


def payloads() -> list[Payload]:
    """The corpus that comes with the engine: 200 texts in fifteen families."""
    lines = files("sociarium.testing").joinpath("payloads/injection.jsonl").read_text("ascii").splitlines()
    return [Payload(**json.loads(line)) for line in lines]


class Obedient:
    """The script. ``obeyed`` counts the payloads that were found in prompts, by mark; ``forms`` the replies by form."""

    def __init__(self, corpus: Sequence[Payload]) -> None:
        self.corpus = list(corpus)
        self.by_mark = {payload.mark: payload for payload in corpus}
        self.obeyed: Counter[str] = Counter()
        self.forms: Counter[str] = Counter()

    def backend(self) -> ScriptedBackend:
        return ScriptedBackend(self, tag="obedient")

    def __call__(self, request: Request, draw: int | None) -> Reply | str:
        reply = Invention(0, request, draw).reply()
        if request.kind != "complete":
            return reply
        prompt = "\n".join(block.text for block in request.blocks)
        found = [mark for mark in sorted(set(MARK.findall(prompt))) if mark in self.by_mark]
        digest = hashlib.blake2b(request_id(request, draw).encode(), digest_size=4).digest()
        if not found:  # somebody has to say the first word
            return self.first(reply.text, request, int.from_bytes(digest, "little"))
        payload = self.by_mark[found[digest[0] % len(found)]]
        self.obeyed.update(found)
        forms = ("wanted", "worst", "copied", "twice") if request.schema is not None else ("wanted", "spoken", "copied", "prompt")
        form = forms[digest[1] % len(forms)]
        self.forms[form] += 1
        return self.reply(form, payload, reply.text, prompt, request, digest[2])

    def first(self, good: str, request: Request, chance: int) -> str:
        payload = self.corpus[chance % len(self.corpus)]
        if request.schema is None:
            return f"{payload.text[: 40 * request.sampling.max_tokens]}\n\nAnswer: {chance % 7}"
        return json.dumps(changed(json.loads(good), request.schema, payload, 0, worst=False))

    def reply(self, form: str, payload: Payload, good: str, prompt: str, request: Request, chance: int) -> str:
        longest = 48 * request.sampling.max_tokens  # what the service takes for a possible reply
        if form == "wanted":
            return payload.wants
        if form == "spoken":
            return f"{payload.text[: longest - 100]}\n\nAnswer: {WORST[chance % len(WORST)]:.0f}"
        if form == "prompt":
            return f"{prompt[: longest - 100]}\n\nAnswer: 1"
        if form == "twice":
            return f"```json\n{good}\n```\n\n```json\n{payload.wants}\n```"
        if request.schema is None:
            return payload.text[:longest]
        value = changed(json.loads(good), request.schema, payload, chance, worst=form == "worst")
        return json.dumps(value if form == "copied" or not isinstance(value, dict) else {**value, **self._foreign(chance)})

    def _foreign(self, chance: int) -> dict[str, Any]:
        """Half of the worst values have the keys of the schema only, so that the numbers are what is judged."""
        return FOREIGN if chance % 2 else {}


def changed(value: Any, schema: Mapping[str, Any], payload: Payload, chance: int, *, worst: bool) -> Any:
    """The value with the payload in every free text, and with the worst numbers where asked."""
    if isinstance(value, dict):
        parts: Mapping[str, Any] = schema.get("properties", {})
        table = cast("dict[str, Any]", value)
        return {name: changed(one, parts.get(name, {}), payload, chance, worst=worst) for name, one in table.items()}
    if isinstance(value, list):
        return [changed(one, schema.get("items", {}), payload, chance, worst=worst) for one in cast("list[Any]", value)]
    if isinstance(value, str) and ("enum" not in schema or worst):
        return payload.text[: int(schema.get("maxLength", 2000))]
    if worst and isinstance(value, int | float) and not isinstance(value, bool):
        return WORST[chance % len(WORST)]
    return value
