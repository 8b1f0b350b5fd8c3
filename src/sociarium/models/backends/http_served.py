"""Our own server as a model: what it announces, and the one shape in which a request reaches it whole.

``GET /v1/models`` of ``sociarium serve-model`` says under ``sociarium`` what answers: digest, engine, whether equal requests get equal
replies. A run that asks such a server has the same keys as one with the model inside its process; where the engine is exact, the
same replies and the same digest. ``POST /v1/ask`` takes {request, draw} in the form of the journal, and gives {reply, usage,
request_id, answered_by}: nothing is lost on the way, whatever the kind of question, and an answer of another model is caught.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

from sociarium.kernel.outcomes import Status
from sociarium.kernel.protocols import Usage
from sociarium.models.backend import CallFailed
from sociarium.models.backends.http_reading import encoded, real, table, whole, word
from sociarium.models.backends.http_shapes import Manner
from sociarium.models.request import BackendFacts, Prices, Reply, Request, facts_digest
from sociarium.models.secret import Secret

MOST_ENGINE = 4_000  # characters of the engine's parameters that are taken over
Table = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Announced:
    """What a server says of one model. ``facts`` is None for a server that is not ours; ``context`` in tokens, 0 if not said."""

    facts: BackendFacts | None = None
    context: int = 0


def announced(data: bytes, model: str) -> Announced:
    """What the list of models of a server says of ``model``. Raises ``ValueError`` where it is our server with another model."""
    try:
        body: Any = json.loads(data)
    except (ValueError, RecursionError):
        return Announced()
    listed = cast("Table", body).get("data") if isinstance(body, dict) else None
    rows = [cast("Table", row) for row in cast("list[Any]", listed) if isinstance(row, dict)] if isinstance(listed, list) else []
    ours = [row for row in rows if isinstance(row.get("sociarium"), dict)]
    for row in rows:
        if row.get("id") == model:
            context = whole(row.get("max_model_len"))
            return Announced(_facts(row, cast("Table", row["sociarium"]), context) if row in ours else None, context)
    if ours:
        raise ValueError(f"the server has {', '.join(word(row.get('id')) for row in ours)}, not {model}")
    return Announced()


def announcement(facts: BackendFacts) -> dict[str, Any]:
    """What our server says of the model behind it."""
    names = ("digest", "exact", "log_probabilities", "schemas", "seeds", "parallel")
    prices = {name: getattr(facts.prices, name) for name in ("prompt", "cached", "completion", "dated")}
    told = {name: getattr(facts, name) for name in names}
    return {"ask": 1, "choose": facts.log_probabilities, "engine": dict(facts.engine), "prices": prices, **told}


class Served:
    """``/ask`` of our own server."""

    def __init__(self, model: str, facts: BackendFacts, manner: Manner) -> None:
        self.model = model
        self.facts = facts
        self.answers = facts_digest(facts)

    def headers(self, key: Secret) -> dict[str, str]:
        return {"Authorization": f"Bearer {key.reveal()}"} if key else {}

    def body(self, request: Request, draw: int | None, *, stream: bool = False) -> tuple[str, bytes]:
        return "/ask", encoded({"model": self.model, "request": request.plain(), "draw": draw})

    def reply(self, request: Request, answer: Table, headers: Mapping[str, str]) -> Reply:
        if word(answer.get("answered_by")) != self.answers:
            raise CallFailed("misaligned", "the server now answers by another model than when it was first asked", retryable=True)
        given = dict(table(answer.get("reply"), "reply"))
        try:
            reply = Reply.from_plain(given)
        except (KeyError, TypeError, ValueError, AttributeError):
            raise CallFailed("wrong_shape", "the reply is not one of ours", retryable=True) from None
        if not all(_number(one) for one in reply.probabilities) or not all(_number(one) for row in reply.vectors for one in row):
            raise CallFailed("wrong_shape", "the reply holds something that is no number", retryable=True)
        words: tuple[Any, ...] = (reply.text, reply.finish, reply.model)
        if reply.status not in (Status.OK, Status.DECLINED) or not all(isinstance(one, str) for one in words):
            raise CallFailed("wrong_shape", "the reply is not one of ours", retryable=True)
        return replace(reply, usage=usage_of(table(answer.get("usage"), "usage")), echo=word(answer.get("request_id")))


def usage_of(told: Table) -> Usage:
    prompt, completion = whole(told.get("prompt_tokens")), whole(told.get("completion_tokens"))
    cached, reasoning = min(prompt, whole(told.get("cached_tokens"))), min(completion, whole(told.get("reasoning_tokens")))
    return Usage(1, prompt, cached, completion, whole(told.get("money")), reasoning_tokens=reasoning)


def _facts(row: Table, told: Table, context: int) -> BackendFacts | None:
    """The facts of an announcement, or None where it is not in a form that we know."""
    engine, prices = told.get("engine"), told.get("prices")
    if told.get("ask") != 1 or not word(told.get("digest")) or not isinstance(engine, dict):
        return None
    if len(json.dumps(engine)) > MOST_ENGINE:
        return None
    price: Table = cast("Table", prices) if isinstance(prices, dict) else {}
    amounts = [float(price[name]) if _number(price.get(name)) and price[name] >= 0 else 0.0 for name in ("prompt", "cached", "completion")]
    return BackendFacts(
        name=word(row.get("id")),
        digest=word(told.get("digest")),
        engine=cast("dict[str, Any]", engine),
        exact=told.get("exact") is True,
        log_probabilities=told.get("log_probabilities") is True,
        schemas=told.get("schemas") is True,
        seeds=told.get("seeds") is True,
        context=context or 4096,
        parallel=max(1, whole(told.get("parallel"))),
        prices=Prices(amounts[0], amounts[1], amounts[2], word(price.get("dated"))[:40]),
    )


def _number(value: Any) -> bool:
    return real(value) is not None
