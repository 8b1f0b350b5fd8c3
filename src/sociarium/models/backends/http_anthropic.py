"""Anthropic's messages."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

from sociarium.kernel.content import Layer, Trust
from sociarium.kernel.protocols import Usage
from sociarium.models.backend import CallFailed
from sociarium.models.backends.http_reading import FINISHES, detail, echoed, encoded, is_object, table, used, whole, word
from sociarium.models.backends.http_shapes import Manner
from sociarium.models.budget import money
from sociarium.models.prompts import prompt
from sociarium.models.rendering import messages
from sociarium.models.request import BackendFacts, Reply, Request
from sociarium.models.secret import Secret

Table = Mapping[str, Any]
WRITING = 1.25  # what a token costs that is written into the cache, in those that are only read (for the cache of five minutes)


class Anthropic:
    """``/messages``. A schema becomes the one tool that the model must call (``schemas=tool``) or its output format
    (``schemas=send``); there are no log-probabilities and no seeds. Where rules and persona end, the vendor's prompt cache is told to
    keep what came before."""

    def __init__(self, model: str, facts: BackendFacts, manner: Manner) -> None:
        self.model = model
        self.facts = facts
        self.manner = manner

    def headers(self, key: Secret) -> dict[str, str]:
        return {"x-api-key": key.reveal(), "anthropic-version": "2023-06-01"}

    def body(self, request: Request, draw: int | None, *, stream: bool = False) -> tuple[str, bytes]:
        if request.kind != "complete":
            raise CallFailed("bad_request", f"{self.facts.name} has neither log-probabilities nor embeddings", retryable=False)
        talk: list[dict[str, Any]] = [{"role": role, "content": text} for role, text in messages(request.blocks) if role != "system"]
        system = self._system(request)
        if not talk:
            talk, system = [{"role": "user", "content": system}], []
        body: dict[str, Any] = {"model": self.model, "messages": talk, "max_tokens": request.sampling.max_tokens}
        if system:
            body["system"] = system
        if stream:
            body["stream"] = True
        if self.facts.engine["sampling"] == "send":
            body["temperature"] = request.sampling.temperature
            if request.sampling.top_p < 1.0:
                body["top_p"] = request.sampling.top_p
        if request.sampling.stop:
            body["stop_sequences"] = list(request.sampling.stop)
        if request.schema is not None and self.facts.engine["schemas"] == "tool":
            form = request.schema if is_object(request.schema) else {"type": "object", "properties": {"value": request.schema}}
            body["tools"] = [{"name": "reply", "description": "The reply.", "input_schema": form}]
            body["tool_choice"] = {"type": "tool", "name": "reply"}
        elif request.schema is not None and self.facts.engine["schemas"] == "send":
            body["output_config"] = {"format": {"type": "json_schema", "schema": request.schema}}
        elif request.schema is not None:
            talk.append(
                {"role": "user", "content": prompt("schema", schema=json.dumps(request.schema, sort_keys=True, ensure_ascii=False))}
            )
        return "/messages", encoded(body)

    def _system(self, request: Request) -> list[dict[str, Any]]:
        """The system text in parts by layer, the last of each layer that stays marked for the cache."""
        layers: dict[Layer, list[str]] = {}
        for block in request.blocks:
            if block.role == "system" and block.trust is Trust.ENGINE:
                layers.setdefault(block.layer, []).append(block.text)
        kept = (Layer.SHARED, Layer.STABLE) if self.manner.cache == "stable" else (Layer.SHARED,) if self.manner.cache == "shared" else ()
        marks = [{"cache_control": {"type": "ephemeral"}} if layer in kept else {} for layer in layers]
        parts = [{"type": "text", "text": "\n\n".join(texts), **mark} for texts, mark in zip(layers.values(), marks, strict=True)]
        for part in parts[:-1]:
            part["text"] = f"{part['text']}\n\n"
        return parts

    def _used(self, count: Table) -> Usage:
        """Prompt tokens are those read anew, read from the cache, and written into it; the last cost more, which is added here."""
        read, written = whole(count.get("cache_read_input_tokens")), whole(count.get("cache_creation_input_tokens"))
        prompt_tokens, completion = whole(count.get("input_tokens")) + read + written, whole(count.get("output_tokens"))
        thought = whole(detail(count, "output_tokens_details").get("thinking_tokens"))
        usage = Usage(1, prompt_tokens, read, completion, reasoning_tokens=min(thought, completion))
        extra = math.ceil(written * (WRITING - 1.0) * self.facts.prices.prompt / 1e6)
        return replace(usage, money=money(usage, self.facts.prices) + extra) if extra else usage

    def reply(self, request: Request, answer: Table, headers: Mapping[str, str]) -> Reply:
        parts: list[Any] = answer["content"] if isinstance(answer.get("content"), list) else []
        texts: list[str] = []
        for part in parts:
            piece = table(part, "content")
            if piece.get("type") == "text":
                texts.append(word(piece.get("text")))
            elif piece.get("type") == "tool_use" and request.schema is not None:
                given = table(piece.get("input"), "input")
                texts = [json.dumps(given if is_object(request.schema) else given.get("value"), ensure_ascii=False)]
                break
        text = "".join(texts)
        finish = word(answer.get("stop_reason")) or "stop"
        tokens = answer.get("usage")
        if isinstance(tokens, dict):
            usage = self._used(cast("dict[str, Any]", tokens))
        else:
            usage = used({}, request, text)
        return Reply(
            text=text, finish=FINISHES.get(finish, finish), model=word(answer.get("model")), usage=usage, echo=echoed(answer, headers)
        )
