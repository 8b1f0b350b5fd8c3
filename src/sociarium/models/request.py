"""What is asked of a model and what comes back, as plain typed data."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal, cast

from sociarium.kernel.content import Block, Content, Layer, Trust
from sociarium.kernel.identity import ByIdentity
from sociarium.kernel.outcomes import Status
from sociarium.kernel.protocols import Address, Usage


@dataclass(frozen=True, slots=True)
class Sampling:
    """How a reply is drawn. ``temperature`` 0 is greedy: the reply is *fixed*, and equal requests may share one."""

    temperature: float = 0.0
    top_p: float = 1.0
    max_tokens: int = 256
    stop: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Request:
    """One question to a model.

    ``kind`` is ``complete`` (text, or JSON by ``schema``), ``choose`` (probabilities over ``options``, scored as
    continuations of the prompt) or ``embed`` (a vector a text, in ``texts``). ``neutral`` is a second prompt whose option
    log-likelihoods are subtracted in ``choose`` (MODELS.md: a prior under a neutral persona).
    """

    blocks: Content = ()
    kind: Literal["complete", "choose", "embed"] = "complete"
    schema: Mapping[str, Any] | None = None
    sampling: Sampling = Sampling()
    options: tuple[str, ...] = ()
    neutral: Content | None = None
    texts: tuple[str, ...] = ()
    _id: tuple[int | None, str] | None = field(default=None, init=False, repr=False, compare=False)  # draw and ``request_id``, once known

    @property
    def fixed(self) -> bool:
        """Whether the reply is a function of the request alone (greedy, log-probabilities, embeddings)."""
        return self.kind != "complete" or self.sampling.temperature == 0.0

    def plain(self) -> dict[str, Any]:
        """JSON-able form, as journalled. Block dicts are shared between requests: read them, never change them."""
        data: dict[str, Any] = {"kind": self.kind, "blocks": [plain_block(block) for block in self.blocks]}
        if self.kind == "complete":
            data["sampling"] = _plain_sampling(self.sampling)
        if self.schema is not None:
            data["schema"] = self.schema
        if self.options:
            data["options"] = list(self.options)
        if self.neutral is not None:
            data["neutral"] = [plain_block(block) for block in self.neutral]
        if self.texts:
            data["texts"] = list(self.texts)
        return data

    @classmethod
    def from_plain(cls, data: Mapping[str, Any]) -> Request:
        """What ``plain`` gave. Raises ``ValueError``, ``KeyError`` or ``TypeError`` for anything else."""
        kind, neutral = data["kind"], data.get("neutral")
        if kind not in ("complete", "choose", "embed"):
            raise ValueError(f"there is no kind of request {kind!r}")
        if not isinstance(data.get("schema", {}), Mapping | None):
            raise TypeError("the schema is not an object")
        return cls(
            blocks=_blocks(data["blocks"]),
            kind=kind,
            schema=data.get("schema"),
            sampling=_sampling(data.get("sampling", {})),
            options=_texts(data.get("options", ())),
            neutral=None if neutral is None else _blocks(neutral),
            texts=_texts(data.get("texts", ())),
        )


def _sampling(data: Mapping[str, Any]) -> Sampling:
    fields: dict[str, Any] = {**data, "stop": _texts(data.get("stop", ()))}
    sampling = Sampling(**fields)
    amounts: tuple[Any, ...] = (sampling.temperature, sampling.top_p, sampling.max_tokens)
    if not all(isinstance(one, int | float) and not isinstance(one, bool) for one in amounts) or not isinstance(amounts[2], int):
        raise TypeError("a sampling parameter is not a number")
    return sampling


def _blocks(rows: Sequence[Mapping[str, Any]]) -> Content:
    blocks: list[Block] = []
    for row in rows:
        texts = _texts([row[name] for name in ("text", "origin", "role", "kind")])
        blocks.append(Block(texts[0], texts[1], Trust(row["trust"]), Layer(row["layer"]), *texts[2:], attachment=row["attachment"]))
    return tuple(blocks)


def _texts(texts: Any) -> tuple[str, ...]:
    if not isinstance(texts, list | tuple) or not all(isinstance(text, str) for text in cast("list[Any]", texts)):
        raise TypeError("a list of texts is wanted")
    return tuple(cast("list[str]", texts))


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back, or how it failed for good. ``text`` of a failed reply is empty: an error never becomes an agent's words."""

    status: Status = Status.OK
    text: str = ""
    value: Any = None  # the parsed value where the request had a schema
    probabilities: tuple[float, ...] = ()  # kind "choose": one an option, summing to 1
    vectors: tuple[tuple[float, ...], ...] = ()  # kind "embed"
    finish: str = "stop"
    error: str = ""
    model: str = ""  # what the backend says it is
    usage: Usage = field(default_factory=Usage)
    echo: str = ""  # the id (``request_id``) of the request this answers, where the backend can tell; checked, not journalled
    endpoint: str = ""  # the server that answered, where there are several; noted with the attempts, never part of the reply

    @property
    def good(self) -> bool:
        return self.status in (Status.OK, Status.REPAIRED)

    @property
    def fields(self) -> dict[str, Any]:
        """The value where it is an object and the reply is good; empty otherwise."""
        value: Any = self.value
        return cast("dict[str, Any]", value) if self.good and isinstance(value, dict) else {}

    def plain(self) -> dict[str, Any]:
        data: dict[str, Any] = {"status": self.status.name.lower(), "finish": self.finish}
        for name in ("text", "error", "model"):
            if getattr(self, name):
                data[name] = getattr(self, name)
        if self.value is not None:
            data["value"] = self.value
        if self.probabilities:
            data["probabilities"] = list(self.probabilities)
        if self.vectors:
            data["vectors"] = [list(vector) for vector in self.vectors]
        return data

    @classmethod
    def from_plain(cls, data: Mapping[str, Any], usage: Usage | None = None) -> Reply:
        return cls(
            status=Status[str(data["status"]).upper()],
            text=data.get("text", ""),
            value=data.get("value"),
            probabilities=tuple(data.get("probabilities", ())),
            vectors=tuple(tuple(vector) for vector in data.get("vectors", ())),
            finish=data.get("finish", "stop"),
            error=data.get("error", ""),
            model=data.get("model", ""),
            usage=usage or Usage(),
        )


@dataclass(frozen=True, slots=True)
class Prices:
    """Millionths of a US dollar per 1,000,000 tokens, and the day the table was read."""

    prompt: float = 0.0
    cached: float = 0.0
    completion: float = 0.0
    dated: str = ""


@dataclass(frozen=True, slots=True)
class BackendFacts:
    """What a backend is. ``digest`` names the weights (or what the vendor reports); ``engine`` the parameters that change replies."""

    name: str
    digest: str
    engine: Mapping[str, Any] = field(default_factory=dict[str, Any])
    exact: bool = False  # equal requests give equal replies at any concurrency; tested by ``sociarium.testing.backend_test``
    log_probabilities: bool = False
    schemas: bool = False
    seeds: bool = False
    context: int = 4096  # tokens
    parallel: int = 8  # calls in flight that it can use
    gathers: bool = False  # it batches by itself what is in flight: all of ``parallel`` may go out at once, whatever a single one takes
    prices: Prices = Prices()


def draw(seed: int, address: Address) -> int:
    """The draw of a sampled request: 63 bits hashed from seed and address, so that askers and replicates stay apart."""
    a = address
    text = json.dumps([seed, a.tick, a.phase, a.lane, a.turn, a.asker, a.label, a.number, a.repair])
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little") >> 1


def request_id(request: Request, drawn: int | None) -> str:
    """Which question this is, whoever answers it: hex. A backend that echoes it lets a misaligned answer be caught."""
    drawn = None if request.fixed else drawn
    if (known := request._id) is not None and known[0] == drawn:  # pyright: ignore[reportPrivateUsage]
        return known[1]
    made = hashlib.blake2b(_question(request, drawn).encode(), digest_size=16).hexdigest()
    object.__setattr__(request, "_id", (drawn, made))
    return made


def _question(request: Request, drawn: int | None) -> str:
    """The JSON list of what is asked, put together from parts, of which the schema's comes back again and again."""
    body: list[Any] = [request.kind, [block_digest(block) for block in request.blocks], drawn]
    if request.kind == "complete":
        sampling = request.sampling
        body.append([sampling.temperature, sampling.top_p, sampling.max_tokens, sampling.stop])
    parts = [_SORTED(body)[1:-1]]
    parts.append("null" if request.schema is None else _schema_text(request.schema))
    if request.options or request.neutral is not None:
        neutral = None if request.neutral is None else [block_digest(block) for block in request.neutral]
        parts.append(_SORTED([request.options, neutral]))
    if request.texts:
        parts.append(_SORTED([request.texts]))
    return f"[{', '.join(parts)}]"


def facts_digest(facts: BackendFacts) -> str:
    """What answers: a hash of model digest and engine parameters."""
    text = json.dumps([facts.digest, dict(facts.engine)], sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def key_from(model: str, question: str) -> str:
    """The key, from ``facts_digest`` and ``request_id``."""
    return hashlib.blake2b(f"{model}/{question}".encode(), digest_size=20).hexdigest()


def key_of(request: Request, facts: BackendFacts, drawn: int | None) -> str:
    """What is asked, as a hash of model digest, engine parameters, rendered blocks, schema, sampling, and draw (empty when fixed)."""
    return key_from(facts_digest(facts), request_id(request, drawn))


_SORTED = json.JSONEncoder(sort_keys=True).encode
_schema_text: ByIdentity[Mapping[str, Any], str] = ByIdentity(_SORTED, 4_096)


@lru_cache(maxsize=16_384)
def block_digest(block: Block) -> str:
    """``block.digest``, remembered: rules and personas come back in every prompt."""
    return block.digest


@lru_cache(maxsize=16_384)
def plain_block(block: Block) -> dict[str, Any]:
    """What ``dataclasses.asdict(block)`` gives, remembered."""
    return {
        "text": block.text,
        "origin": block.origin,
        "trust": str(block.trust),
        "layer": str(block.layer),
        "role": block.role,
        "kind": block.kind,
        "attachment": block.attachment,
    }


@lru_cache(maxsize=256)
def _plain_sampling(sampling: Sampling) -> dict[str, Any]:
    return {
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "max_tokens": sampling.max_tokens,
        "stop": list(sampling.stop),
    }


__all__ = [
    "BackendFacts",
    "Block",
    "Content",
    "Prices",
    "Reply",
    "Request",
    "Sampling",
    "block_digest",
    "draw",
    "facts_digest",
    "key_from",
    "key_of",
    "plain_block",
    "request_id",
]
