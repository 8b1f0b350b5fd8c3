"""A reply that comes word by word (server-sent events), put together into the answer that an unstreamed call gets.

What is gained: a server that has stalled is noticed within ``idle`` seconds, however long a whole answer may take, and a reply that
has begun to repeat itself without end is cut off there and not paid for to its last token.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, cast

import aiohttp

from sociarium.models.backend import CallFailed
from sociarium.models.backends.http_reading import table, used, word
from sociarium.models.backends.http_wire import LARGEST, whole
from sociarium.models.request import Request
from sociarium.models.structured import repeats

RUNAWAY = 1_024  # characters of one repeated unit: less may be a refrain, and a reply that ends by itself is never judged here
LOOK = 256  # characters between two looks for endless repetition
Table = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Pacing:
    """Seconds until the first word, and between words."""

    first: float
    idle: float


class Gathering(Protocol):
    """Puts the events of one kind of server together."""

    text: str
    done: bool

    @property
    def finish(self) -> str:
        """Why the model stopped, once it has said so; some servers say nothing after it."""
        ...

    def take(self, event: Table) -> bool:
        """Whether the event brought the reply on."""
        ...

    def answer(self) -> dict[str, Any]:
        """The answer as it would have come in one piece."""
        ...


async def streamed(answer: aiohttp.ClientResponse, gathering: Gathering, pacing: Pacing, request: Request) -> bytes:
    """The body of the whole answer. What is no stream is read as it is. Raises ``CallFailed``."""
    if answer.status != 200 or answer.content_type != "text/event-stream":
        return await whole(answer)
    loop = asyncio.get_running_loop()
    parser, looked = Events(), 0
    try:
        async with asyncio.timeout(pacing.first) as limit:
            async for chunk in answer.content.iter_any():
                for event in parser.feed(chunk):
                    if gathering.take(event):
                        limit.reschedule(loop.time() + pacing.idle)
                if gathering.done:
                    break
                if len(gathering.text) - looked >= LOOK:
                    looked = len(gathering.text)
                    if len(gathering.text) >= RUNAWAY and repeats(gathering.text, RUNAWAY):
                        answer.close()  # the server stops when nobody listens
                        return _cut(gathering, request)
    except TimeoutError:
        answer.close()
        fault = f"the stream said nothing for {pacing.idle if gathering.text else pacing.first:g} s after {len(gathering.text)} characters"
        raise CallFailed("read_timeout", fault, retryable=True, usage=used({}, request, gathering.text)) from None
    if not (gathering.done or gathering.finish):
        spent = used({}, request, gathering.text)
        raise CallFailed("truncated", f"the stream ended after {len(gathering.text)} characters", retryable=True, usage=spent)
    return json.dumps(gathering.answer()).encode()


def _cut(gathering: Gathering, request: Request) -> bytes:
    """An answer cut off: its tokens were not told, so they are counted at the most they can be."""
    body = gathering.answer()
    body.pop("usage", None)
    for choice in body.get("choices", []):
        choice["finish_reason"] = "length"
    if "stop_reason" in body:
        body["stop_reason"] = "max_tokens"
    return json.dumps(body).encode()


class Events:
    """Bytes to the data of events, however they are cut into pieces. Comments and other fields are passed over."""

    def __init__(self) -> None:
        self._line = bytearray()
        self._data: list[bytes] = []
        self._size = 0
        self._returned = False  # the last byte was a carriage return: a line feed after it ends no other line

    def feed(self, chunk: bytes) -> Iterator[Table]:
        self._size += len(chunk)
        if self._size > LARGEST:
            raise CallFailed("wrong_shape", f"the answer has more than {LARGEST:,} bytes", retryable=False)
        if self._returned and chunk[:1] == b"\n":
            chunk = chunk[1:]
            self._returned = False
        if not chunk:
            return
        self._returned = chunk.endswith(b"\r")
        lines = chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        self._line += lines[0]
        for line in lines[1:]:
            yield from self._ended(bytes(self._line))
            self._line = bytearray(line)

    def _ended(self, line: bytes) -> Iterator[Table]:
        if line.startswith(b"data:"):
            self._data.append(line[5:].removeprefix(b" "))
        if line or not self._data:
            return
        data, self._data = b"\n".join(self._data), []
        if data.strip() == b"[DONE]":
            yield {"done": True}
            return
        try:
            event: Any = json.loads(data)
        except (ValueError, RecursionError):
            raise CallFailed("truncated", "an event of the stream is not JSON", retryable=True) from None
        if isinstance(event, dict) and cast("Table", event).get("error"):
            raise CallFailed("server_error", "an error in the middle of the stream", retryable=True)
        yield table(event, "an event")


@dataclass(slots=True)
class Chunks:
    """``chat.completion.chunk`` and the chunks of ``/completions``."""

    chat: bool
    text: str = ""
    done: bool = False
    refusal: str = ""
    stopped: str = ""
    known: dict[str, Any] = field(default_factory=dict[str, Any])
    tokens: list[Any] = field(default_factory=list[Any])  # their log-probabilities, where they are told

    @property
    def finish(self) -> str:
        return self.stopped

    def take(self, event: Table) -> bool:
        if event.get("done"):
            self.done = True
            return True
        for name in ("model", "usage", "request_id", "metadata"):
            if event.get(name):
                self.known[name] = event[name]
        choices = event.get("choices")
        if not isinstance(choices, list) or not choices:
            return bool(event.get("usage"))
        choice = table(choices[0], "choices[0]")
        delta = table(choice.get("delta") or {}, "delta") if self.chat else choice
        piece, refusal = word(delta.get("content" if self.chat else "text")), word(delta.get("refusal"))
        self.text += piece
        self.refusal += refusal
        self.stopped = word(choice.get("finish_reason")) or self.stopped
        content = table(choice.get("logprobs") or {}, "logprobs").get("content")
        self.tokens += cast("list[Any]", content) if isinstance(content, list) else []
        thought = delta.get("reasoning_content") or delta.get("reasoning")
        return bool(piece or refusal or thought or choice.get("finish_reason"))

    def answer(self) -> dict[str, Any]:
        choice: dict[str, Any] = {"index": 0, "finish_reason": self.stopped or "stop"}
        if self.chat:
            choice["message"] = {"role": "assistant", "content": self.text, **({"refusal": self.refusal} if self.refusal else {})}
            if self.tokens:
                choice["logprobs"] = {"content": self.tokens}
        else:
            choice["text"] = self.text
        return {**self.known, "choices": [choice]}


@dataclass(slots=True)
class Parts:
    """The events of Anthropic's messages."""

    text: str = ""
    done: bool = False
    message: dict[str, Any] = field(default_factory=dict[str, Any])
    parts: dict[int, dict[str, Any]] = field(default_factory=dict[int, dict[str, Any]])
    json: dict[int, str] = field(default_factory=dict[int, str])

    @property
    def finish(self) -> str:
        return word(self.message.get("stop_reason"))

    def take(self, event: Table) -> bool:
        kind, at = event.get("type"), event.get("index")
        place = at if isinstance(at, int) else 0
        if kind == "message_start":
            self.message = dict(table(event.get("message"), "message"))
        elif kind == "content_block_start":
            self.parts[place] = dict(table(event.get("content_block"), "content_block"))
        elif kind == "content_block_delta":
            self._grow(place, table(event.get("delta"), "delta"))
        elif kind == "message_delta":
            self.message |= table(event.get("delta"), "delta")
            before = self.message.get("usage")
            told = cast("dict[str, Any]", before) if isinstance(before, dict) else {}
            self.message["usage"] = {**told, **{name: n for name, n in table(event.get("usage") or {}, "usage").items() if n is not None}}
        elif kind == "message_stop":
            self.done = True
        return kind in ("content_block_delta", "message_delta", "message_stop")

    def _grow(self, place: int, delta: Table) -> None:
        piece = word(delta.get("text"))
        if piece:
            part = self.parts.setdefault(place, {"type": "text"})
            part["text"] = word(part.get("text")) + piece
        pressed = word(delta.get("partial_json"))
        self.json[place] = self.json.get(place, "") + pressed
        self.text += piece + pressed

    def answer(self) -> dict[str, Any]:
        for place, text in self.json.items():
            if text and self.parts.get(place, {}).get("type") == "tool_use":
                try:
                    self.parts[place]["input"] = json.loads(text)
                except (ValueError, RecursionError):
                    self.parts[place] = {"type": "text", "text": text}  # cut off: the words as they are, for the check to name
        content = [part for _, part in sorted(self.parts.items())]
        return {**self.message, "content": content}
