"""What a user writes to name a model behind HTTP, read into plain data."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, cast

from sociarium.kernel.errors import UsageError
from sociarium.models.backends.http_anthropic import Anthropic
from sociarium.models.backends.http_guard import checked
from sociarium.models.backends.http_shapes import Chat, Completions, Manner, Shape
from sociarium.models.backends.http_stream import Pacing
from sociarium.models.backends.http_wire import CONNECT
from sociarium.models.prices import UNKNOWN, known_prices
from sociarium.models.request import BackendFacts, Prices
from sociarium.models.secret import Secret, from_environment
from sociarium.models.spec import Options, split, yes_or_no

VENDORS = {
    "openai": ("https://api.openai.com/v1", "OPENAI_API_KEY"),
    "anthropic": ("https://api.anthropic.com/v1", "ANTHROPIC_API_KEY"),
}
SHAPES: dict[str, type[Shape]] = {"chat": Chat, "completions": Completions, "messages": Anthropic}
SCHEMAS = {  # how a schema can be sent in each shape, the first by default
    "chat": ("send", "object", "prompt"),
    "completions": ("prompt", "send"),
    "messages": ("tool", "send", "prompt"),
}
PATHS = ("/chat/completions", "/completions", "/messages", "/embeddings")  # what users copy from a page beside the address
MOST = 64  # endpoints of one model
UNSAMPLED = re.compile(r"(o\d|gpt-5(?!.*chat)).*")  # OpenAI's models that reason: they refuse a request that gives a temperature


@dataclass(frozen=True, slots=True)
class Named:
    """A model behind HTTP as it was named. ``given`` are the options that were written; ``adopts``: whether what our own server
    announces is taken over, which a wish for a certain shape rules out."""

    model: str
    bases: tuple[str, ...]
    weights: tuple[float, ...]
    key: Secret
    api: str
    facts: BackendFacts
    manner: Manner
    probe: bool
    wait: float  # seconds
    pacing: Pacing | None
    connect: float  # seconds that a connection may take to be made
    given: frozenset[str] = field(default_factory=frozenset[str])

    @property
    def adopts(self) -> bool:
        return not self.given & {"api", "digest", "schemas", "sampling", "seeds"}


def named_by(spec: str) -> Named:
    """Raises ``UsageError``."""
    scheme, rest = spec.split(":", 1) if ":" in spec else (spec, "")
    vendor = scheme if scheme in VENDORS else ""
    if vendor:
        model, options = split(spec, rest)
        bases, variable = (VENDORS[vendor][0],), VENDORS[vendor][1]
    else:
        addresses, _, fragment = spec.partition("#")
        model, options = split(spec, fragment)
        bases, variable = tuple(checked(one.strip()) for one in addresses.split(",")), ""
        for base in bases:
            if ending := next((path for path in PATHS if base.endswith(path)), ""):
                raise UsageError(f"Model {spec!r}: give the address without {ending}, which is added for each question.")
    if not model:
        raise UsageError(f"Model {spec!r} names no model: write {'openai:MODEL' if vendor else 'http://HOST:PORT/v1#MODEL'}.")
    if len(set(bases)) < len(bases) or len(bases) > MOST:
        raise UsageError(f"Model {spec!r}: each server is named once, and at most {MOST} of them.")
    given = frozenset(options.values)
    variable = options.take("key", str, variable)
    api = choice_of(options, "api", tuple(SHAPES), "messages" if vendor == "anthropic" else "chat")
    weights = options.take("weights", _weights, (1.0,) * len(bases))
    if len(weights) != len(bases):
        raise UsageError(f"Model {spec!r}: {len(weights)} weights for {len(bases)} servers.")
    cache = cast("Literal['stable', 'shared', 'off']", choice_of(options, "cache", ("stable", "shared", "off"), "stable"))
    probe = options.take("probe", yes_or_no, not vendor) and not vendor
    wait, pacing = options.take("wait", float, 0.0, least=0.0), _pacing(options)
    connect = options.take("connect", float, CONNECT, least=0.001)
    facts = _facts(vendor, bases, model, api, options)
    options.done()
    key = from_environment(variable, f"Model {model!r}") if variable else Secret("")
    return Named(model, bases, weights, key, api, facts, Manner(vendor, cache), probe, wait, pacing, connect, given)


def _weights(text: str) -> tuple[float, ...]:
    values = tuple(float(part) for part in text.split(","))
    if not all(0.0 < one < float("inf") for one in values):
        raise ValueError(text)
    return values


def _pacing(options: Options) -> Pacing | None:
    """How long a stream may be silent, in seconds; None for an answer in one piece."""
    on = options.take("stream", yes_or_no, False)
    first = options.take("first", float, 60.0, least=0.001)
    idle = options.take("idle", float, 20.0, least=0.001)
    return Pacing(first, idle) if on else None


def _facts(vendor: str, bases: tuple[str, ...], model: str, api: str, options: Options) -> BackendFacts:
    name = f"{vendor}:{model}" if vendor else f"{','.join(bases)}#{model}"
    engine: dict[str, Any] = {
        "api": api,
        "schemas": choice_of(options, "schemas", SCHEMAS[api], SCHEMAS[api][0]),
        "sampling": choice_of(options, "sampling", ("send", "off"), "off" if vendor == "openai" and UNSAMPLED.fullmatch(model) else "send"),
        "seeds": choice_of(options, "seeds", ("send", "off"), "off" if api == "messages" else "send"),
    }
    if choice_of(options, "thoughts", ("drop", "keep"), "drop") == "keep":  # the usual way is no part of a key
        engine["thoughts"] = "keep"
    # The key of a reply names the model, never the servers that share its work.
    digest = options.take("digest", str, name if len(bases) == 1 else f"{bases[0]}#{model}")
    return BackendFacts(
        name=name,
        digest=digest,
        engine=engine,
        exact=False,
        log_probabilities=api != "messages",
        schemas=engine["schemas"] not in ("prompt", "object"),
        seeds=engine["seeds"] == "send",
        context=options.take("context", int, 128_000, least=1),
        parallel=options.take("parallel", int, 64 * len(bases), least=1),
        prices=prices_of(options, name, vendor),
    )


def prices_of(options: Options, name: str, vendor: str) -> Prices:
    """What was given, else what the table knows; of a vendor that it does not know, the price is unknown."""
    listed = known_prices(name) or (Prices(dated=UNKNOWN) if vendor else Prices())
    given: Mapping[str, str] = dict(options.values)
    own = Prices(
        1e6 * options.take("price", float, 0.0, least=0.0),
        1e6 * options.take("price_cached", float, 0.0, least=0.0),
        1e6 * options.take("price_completion", float, 0.0, least=0.0),
        "given",
    )
    return own if "price" in given or "price_completion" in given else listed


def choice_of(options: Options, name: str, choices: tuple[str, ...], default: str) -> str:
    """An option that is one of a few words."""
    value = options.take(name, str, default)
    if value not in choices:
        raise UsageError(f"Model {options.spec!r}: {name}={value!r} is not one of {', '.join(choices)}.")
    return value
