"""A key in the environment reaches the server and nothing else: no record, no output, whatever goes wrong."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from .conftest import begin

CANARY = "sk-canary-7f3a91c2d4e5"
VALUE = json.dumps({"quantity": 1, "words": "fine"})


def _reply(text: str) -> web.Response:
    usage = {"prompt_tokens": 5, "completion_tokens": 3, "total_tokens": 8}
    return web.json_response({"model": "m", "choices": [{"message": {"content": text}, "finish_reason": "stop"}], "usage": usage})


FAULTS: dict[str, Callable[[str], web.Response]] = {
    "well": lambda key: _reply(VALUE),
    "refused": lambda key: web.json_response({"error": {"message": f"Incorrect API key provided: {key}"}}, status=401),
    "limited": lambda key: web.json_response({"error": {"message": f"{key} is over its limit"}}, status=429, headers={"Retry-After": "0"}),
    "broken": lambda key: web.Response(text=f"<html>{key}", status=500, content_type="text/html"),
    "no JSON": lambda key: web.Response(text=f"Authorization: Bearer {key}", content_type="application/json"),
    "malformed": lambda key: _reply("not what was asked"),
    "moved": lambda key: web.Response(status=302, headers={"Location": f"http://127.0.0.1:9/?key={key}"}),
}


@asynccontextmanager
async def server(fault: str, keys: list[str]) -> AsyncIterator[int]:
    async def answer(request: web.Request) -> web.Response:
        key = request.headers.get("Authorization", "").removeprefix("Bearer ")
        keys.append(key)
        return FAULTS[fault](key)

    application = web.Application()
    application.router.add_route("*", "/{rest:.*}", answer)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    assert site._server is not None
    yield site._server.sockets[0].getsockname()[1]  # type: ignore[attr-defined]
    await runner.cleanup()


@pytest.mark.parametrize("fault", [pytest.param(name, marks=pytest.mark.slow) if name == "limited" else name for name in FAULTS])
async def test_the_key_is_nowhere_but_in_the_request(fault: str, tmp_path: Path) -> None:
    keys: list[str] = []
    async with server(fault, keys) as port:
        spec = f"http://127.0.0.1:{port}/v1#m?key=POND_KEY"
        tokens: list[Any] = ["run", "pond", "--set", "months=1", "--set", "fishers=1", "--model", spec, "--out", "run"]
        process = await asyncio.to_thread(begin, *tokens, folder=tmp_path, POND_KEY=CANARY)
        out, err = await asyncio.to_thread(process.communicate)
    assert CANARY in keys, (out, err)
    assert process.returncode == (0 if fault == "well" else 4), (out, err)
    assert CANARY not in out + err
    assert err.count("\n") <= 1
    for file in tmp_path.rglob("*"):
        if file.is_file():
            assert CANARY.encode() not in file.read_bytes(), file
