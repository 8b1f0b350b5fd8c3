"""A model server that says the same after a fixed delay, and takes as little of the machine as it can: for timings of clients.

``python -m sociarium.testing.delayed_server --delay 0.05 --text '{"number": 33}'`` writes the port that it listens at, and ends with
its standard input. It reads HTTP/1.1 with a ``Content-Length``, and answers every ``POST`` in the shape of ``/v1/chat/completions``.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager

LARGEST = 16 << 20  # bytes of a request


class Answering(asyncio.Protocol):
    """One connection. Requests on it are answered in order, each ``delay`` seconds after it has come in."""

    def __init__(self, answer: bytes, delay: float) -> None:
        self.answer = answer
        self.delay = delay
        self.data = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.loop = asyncio.get_running_loop()

    def data_received(self, data: bytes) -> None:
        self.data += data
        while (head := self.data.find(b"\r\n\r\n")) >= 0:
            end = head + 4 + length_of(bytes(self.data[:head]).lower())
            if len(self.data) < end:
                break
            del self.data[:end]
            self.loop.call_later(self.delay, self.transport.write, self.answer)
        if len(self.data) > LARGEST:
            self.transport.abort()


def length_of(head: bytes) -> int:
    """The length of the body that follows a head in lower case."""
    at = head.find(b"\r\ncontent-length:")
    return 0 if at < 0 else int(head[at + 17 :].split(b"\r\n", 1)[0])


def answer_of(text: str) -> bytes:
    """A whole HTTP answer that holds ``text`` as the words of a model."""
    message = {"role": "assistant", "content": text}
    body = json.dumps(
        {
            "id": "delayed",
            "object": "chat.completion",
            "created": 0,
            "model": "delayed",
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
            "usage": {
                "prompt_tokens": 160,
                "completion_tokens": 8,
                "total_tokens": 168,
                "prompt_tokens_details": {"cached_tokens": 128},
            },
        }
    ).encode()
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


@contextmanager
def delayed_server(text: str, delay: float) -> Generator[str]:
    """The server in a process of its own; gives its base address, which ends in ``/v1``."""
    command = [sys.executable, __file__, "--delay", str(delay), "--text", text]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}/v1"
        finally:
            process.stdin.close()  # which ends it


async def serve(text: str, delay: float) -> None:
    """Answer until the standard input ends."""
    loop = asyncio.get_running_loop()
    answer = answer_of(text)
    server = await loop.create_server(lambda: Answering(answer, delay), "127.0.0.1", 0, backlog=4096)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--delay", type=float, default=0.05, help="seconds")
    parser.add_argument("--text", default="Yes.", help="what it says")
    given = parser.parse_args()
    asyncio.run(serve(given.text, given.delay))


if __name__ == "__main__":
    main()
