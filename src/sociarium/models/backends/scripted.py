"""A controlled backend: replies come from a function, with delays drawn from a seed. For tests, demos and dry runs.

Spec: ``scripted:NAME?delay=0.005&seed=1&...``. Scripts that come with the engine: ``schema`` answers every kind of request
with a valid value drawn from the request (and its draw where it is sampled), free text included; ``echo`` says the last
block. ``register_script`` adds others.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from sociarium.kernel.errors import UsageError
from sociarium.kernel.protocols import Usage
from sociarium.models.backends.invent import Invention
from sociarium.models.request import BackendFacts, Prices, Reply, Request, facts_digest, key_from, request_id
from sociarium.models.spec import Options, split

Script = Callable[[Request, int | None], Reply | str]
Delay = Callable[[Request, int | None], float]

_SCRIPTS: dict[str, Callable[[Options], Script]] = {}


class ScriptedBackend:
    """Answers by ``reply(request, draw)``: a text, or a whole ``Reply``; it may raise ``CallFailed``.

    ``delay`` gives seconds to wait before each reply. ``tag`` is part of the model digest: another tag is another model.
    ``exact`` says that the script is a pure function. ``calls`` counts requests that arrived, ``flying`` those not yet
    answered, ``most`` the largest number of those at any time.
    """

    def __init__(
        self,
        reply: Script,
        *,
        delay: Delay | None = None,
        exact: bool = True,
        tag: str = "scripted",
        parallel: int = 4096,
        context: int = 1 << 20,
        prices: Prices | None = None,
    ) -> None:
        self.script = reply
        self._delay = delay
        self._facts = BackendFacts(
            name=f"scripted:{tag}",
            digest=f"scripted:{tag}",
            exact=exact,
            log_probabilities=True,
            schemas=True,
            seeds=True,
            context=context,
            parallel=parallel,
            prices=prices or Prices(),
        )
        self.calls = 0
        self.flying = 0
        self.most = 0
        self.log: Path | None = None  # the key of every request that arrives is written here, one a line

    @property
    def facts(self) -> BackendFacts:
        return self._facts

    async def complete(self, request: Request, draw: int | None) -> Reply:
        self.calls += 1
        self.flying += 1
        if self.log is not None:
            with self.log.open("a", encoding="ascii") as book:
                book.write(key_from(facts_digest(self._facts), request_id(request, draw)) + "\n")
        self.most = max(self.most, self.flying)
        try:
            if self._delay is not None:
                await asyncio.sleep(self._delay(request, draw))
            made = self.script(request, draw)
        finally:
            self.flying -= 1
        reply = Reply(text=made) if isinstance(made, str) else made
        usage = reply.usage if reply.usage != Usage() else _count(request, reply)
        return replace(reply, model=reply.model or self._facts.digest, usage=usage, echo=reply.echo or request_id(request, draw))

    async def close(self) -> None:
        return None


def register_script(name: str, make: Callable[[Options], Script]) -> None:
    """Make ``scripted:NAME`` known. ``make`` takes the spec's options and returns the script; a second use of a name is an error."""
    if name in _SCRIPTS:
        raise UsageError(f"A script named {name!r} is registered already.")
    _SCRIPTS[name] = make


def open_scripted(spec: str) -> ScriptedBackend:
    """The backend of ``scripted:NAME?delay=SECONDS&spread=S&seed=N&parallel=N&...``.

    ``delay`` is the mean of an exponential distribution (``spread=0``: always the mean), drawn from ``seed`` and the request,
    so replies come back shuffled, in the same order each time. ``price`` and ``price_completion``: US dollars a million tokens.
    ``log=FILE`` writes the key of every request that arrives.
    """
    name, options = split(spec, spec.removeprefix("scripted:"))
    make = _SCRIPTS.get(name or "schema")
    if make is None:
        raise UsageError(f"Model {spec!r}: there is no script {name!r}. Scripts: {', '.join(sorted(_SCRIPTS))}.")
    tag = f"{name or 'schema'}?" + "&".join(f"{key}={value}" for key, value in sorted(options.values.items()) if key not in _TIMING)
    mean = options.take("delay", float, 0.0, least=0.0)
    spread = options.take("spread", float, 1.0, least=0.0)
    seed = options.peek("seed", int, 0)
    parallel = options.take("parallel", int, 4096, least=1)
    price, completion = (1e6 * options.take(name, float, 0.0, least=0.0) for name in ("price", "price_completion"))
    prices = Prices(price, 0.0, completion, "given" if price or completion else "")
    log = options.take("log", str, "")
    script = make(options)
    options.take("seed", int, 0)  # of the delays, where the script has no use for it
    options.done()
    delay = None if mean == 0.0 else random_delay(mean, seed, spread)
    backend = ScriptedBackend(script, delay=delay, tag=tag.removesuffix("?"), parallel=parallel, prices=prices)
    backend.log = Path(log) if log else None
    return backend


_TIMING = ("delay", "spread", "parallel", "log", "price", "price_completion")  # what changes no reply is no part of the model's digest


def random_delay(mean: float, seed: int, spread: float = 1.0) -> Delay:
    """Delays in seconds: ``mean * (1 + spread * (e - 1))`` with e exponential of mean 1, never under 0, hashed from seed and request."""

    def delay(request: Request, draw: int | None) -> float:
        text = f"{seed}/{request_id(request, draw)}"
        share = int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little") / 2.0**64
        return max(0.0, mean * (1.0 + spread * (-math.log1p(-share) - 1.0)))

    return delay


def _echo(options: Options) -> Script:
    def script(request: Request, draw: int | None) -> Reply | str:
        if request.kind != "complete":
            return Invention(0, request, draw).reply()
        return request.blocks[-1].text if request.blocks else "nothing was said"

    return script


def _schema(options: Options) -> Script:
    seed = options.take("seed", int, 0)
    words = options.take("words", int, 12, least=1)

    def script(request: Request, draw: int | None) -> Reply | str:
        return Invention(seed, request, draw, words=words).reply()

    return script


def _fixed(options: Options) -> Script:
    text = options.take("text", str, "Yes.")

    def script(request: Request, draw: int | None) -> Reply | str:
        return text if request.kind == "complete" else Invention(0, request, draw).reply()

    return script


register_script("echo", _echo)
register_script("schema", _schema)
register_script("fixed", _fixed)


def _count(request: Request, reply: Reply) -> Usage:
    """Tokens as a server would count them, at four bytes a token."""
    said = sum(len(block.text.encode()) for block in request.blocks) + sum(len(text.encode()) for text in request.texts)
    answer = reply.text or (json.dumps(reply.value) if reply.value is not None else "")
    return Usage(1, 1 + said // 4, 0, min(len(answer.encode("utf-8", "replace")) // 4 + 1, request.sampling.max_tokens))
