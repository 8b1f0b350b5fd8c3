"""Optional OpenTelemetry spans: one span an attempt, named and filled by the semantic conventions for generative AI.

Off unless ``SOCIARIUM_TRACE`` is ``yes`` (no text of prompts or replies) or ``content`` (with it). Spans go to the tracer provider
that the program has set up; this module brings no exporter and sends nothing by itself. The journal stays the truth: a span is
for watching a run beside other services, and no result ever depends on one. A span begins when the call goes out, so that waiting
for a place is not in it, and holds what the journal's address says of the question as ``sociarium.*``.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Any, Literal, Protocol
from urllib.parse import urlsplit

from sociarium.kernel.content import Content
from sociarium.kernel.errors import UsageError
from sociarium.kernel.protocols import Address, Usage
from sociarium.models.backend import CallFailed
from sociarium.models.request import BackendFacts, Reply, Request

VARIABLE = "SOCIARIUM_TRACE"
OPERATIONS = {"complete": "chat", "choose": "choose", "embed": "embeddings"}


class Attempt(Protocol):
    """One attempt under way: a context, told of its answer before it ends."""

    def __enter__(self) -> Attempt: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> Literal[False]: ...

    def answered(self, reply: Reply, usage: Usage) -> None: ...


class Spans(Protocol):
    """What makes the span of an attempt. ``number`` counts the attempts of one question from 1."""

    def attempt(self, request: Request, drawn: int | None, address: Address, facts: BackendFacts, number: int) -> Attempt: ...


class Untraced:
    """Tracing that is off: one shared object that does nothing."""

    def attempt(self, request: Request, drawn: int | None, address: Address, facts: BackendFacts, number: int) -> Untraced:
        return self

    def __enter__(self) -> Untraced:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> Literal[False]:
        return False

    def answered(self, reply: Reply, usage: Usage) -> None:
        return None


UNTRACED = Untraced()


class Traced:
    """Spans by ``opentelemetry-api``. ``content``: whether prompts and replies go into them. ``provider``: the program's own if None."""

    def __init__(self, *, content: bool = False, provider: Any = None) -> None:
        try:
            from opentelemetry import trace
        except ImportError:
            raise UsageError("Tracing needs the package opentelemetry-api; install it by: pip install 'sociarium[trace]'") from None
        self.content = content
        self._tracer: Any = trace.get_tracer("sociarium", tracer_provider=provider)
        self._client: Any = trace.SpanKind.CLIENT

    def attempt(self, request: Request, drawn: int | None, address: Address, facts: BackendFacts, number: int) -> Attempt:
        operation = OPERATIONS[request.kind]
        model = facts.name.rpartition("#")[2] if "#" in facts.name else facts.name.partition(":")[2] or facts.name
        told = {**_of_request(request, drawn, facts), **_of_address(address, number), "gen_ai.request.model": model}
        if self.content:
            told["gen_ai.input.messages"] = _messages(request.blocks)
        return _Span(
            self._tracer.start_as_current_span(
                f"{operation} {model}", kind=self._client, attributes=told, record_exception=False, set_status_on_exception=False
            ),
            self.content,
        )


class _Span:
    """Ends with the attempt. Of an error its kind is told, never its words: a server may write the prompt into them."""

    def __init__(self, context: Any, content: bool) -> None:
        self._context = context
        self._content = content
        self._span: Any = None

    def __enter__(self) -> _Span:
        self._span = self._context.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> Literal[False]:
        if error is not None:
            from opentelemetry.trace import StatusCode

            self._span.set_status(StatusCode.ERROR)
            self._span.set_attribute("error.type", error.kind if isinstance(error, CallFailed) else type(error).__name__)
            if isinstance(error, CallFailed) and error.endpoint:
                self._span.set_attributes(_of_endpoint(error.endpoint))
        self._context.__exit__(None, None, None)
        return False

    def answered(self, reply: Reply, usage: Usage) -> None:
        told: dict[str, Any] = {
            "gen_ai.response.finish_reasons": [reply.finish],
            "gen_ai.usage.input_tokens": usage.prompt_tokens,
            "gen_ai.usage.output_tokens": usage.completion_tokens,
            "gen_ai.usage.cache_read.input_tokens": usage.cached_tokens,
            "gen_ai.usage.reasoning.output_tokens": usage.reasoning_tokens,
            "sociarium.money_microdollars": usage.money,
        }
        if reply.model:
            told["gen_ai.response.model"] = reply.model
        if reply.endpoint:
            told |= _of_endpoint(reply.endpoint)
        if self._content:
            part = {"role": "assistant", "parts": [{"type": "text", "content": reply.text}], "finish_reason": reply.finish}
            told["gen_ai.output.messages"] = json.dumps([part], ensure_ascii=False)
        self._span.set_attributes(told)


def spans_by_environment(environment: Mapping[str, str] | None = None) -> Spans:
    """The spans that ``SOCIARIUM_TRACE`` asks for. Raises ``UsageError`` for a word that it does not know."""
    wish = (os.environ if environment is None else environment).get(VARIABLE, "").strip().lower()
    if wish in ("", "no", "off", "0"):
        return UNTRACED
    if wish not in ("yes", "on", "1", "content"):
        raise UsageError(f"{VARIABLE}={wish!r} is not known: write yes, content (with the text of prompts and replies) or no.")
    return Traced(content=wish == "content")


def _of_request(request: Request, drawn: int | None, facts: BackendFacts) -> dict[str, Any]:
    at = urlsplit(facts.name.partition(",")[0]) if facts.name.startswith("http") else None
    told: dict[str, Any] = {
        "gen_ai.operation.name": OPERATIONS[request.kind],
        "gen_ai.provider.name": "sociarium.http" if at else facts.name.partition(":")[0],
    }
    if at:
        told |= _of_endpoint(facts.name.partition(",")[0].partition("#")[0])
    if request.kind == "complete":
        told["gen_ai.request.temperature"] = request.sampling.temperature
        told["gen_ai.request.top_p"] = request.sampling.top_p
        told["gen_ai.request.max_tokens"] = request.sampling.max_tokens
        told["gen_ai.output.type"] = "text" if request.schema is None else "json"
        if request.sampling.stop:
            told["gen_ai.request.stop_sequences"] = list(request.sampling.stop)
        if drawn is not None and facts.seeds:
            told["gen_ai.request.seed"] = drawn
    return told


def _of_address(address: Address, number: int) -> dict[str, Any]:
    names = ("tick", "phase", "lane", "turn", "asker", "label", "number", "repair")
    return {**{f"sociarium.{name}": getattr(address, name) for name in names}, "sociarium.attempt": number}


def _of_endpoint(base: str) -> dict[str, Any]:
    parts = urlsplit(base)
    port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    return {"server.address": parts.hostname or base, **({"server.port": port} if port else {})}


def _messages(blocks: Content | Iterable[Any]) -> str:
    rows = [{"role": block.role, "parts": [{"type": block.kind, "content": block.text}]} for block in blocks]
    return json.dumps(rows, ensure_ascii=False)
