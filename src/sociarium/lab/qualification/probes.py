"""What a model is asked to be qualified: probes from ``probes.yaml``, worded by ``prompts/*.md``."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from sociarium.kernel.content import Content
from sociarium.kernel.errors import UsageError
from sociarium.minds.language.rendering import laid_out
from sociarium.minds.prompts import PromptPack, plain
from sociarium.models.request import Request, Sampling

HERE = Path(__file__).parent
LETTERS = "ABCDEFGH"


@dataclass(frozen=True, slots=True)
class Pair:
    """One question asked twice; the first option is expected more in the first asking. ``side`` says what differs: persona or context."""

    side: str
    question: str
    options: tuple[str, ...]
    high: str
    low: str


@dataclass(frozen=True, slots=True)
class Listed:
    """A question whose options are listed by letters, asked in every rotation."""

    question: str
    options: tuple[str, ...]

    def rotations(self) -> list[tuple[str, ...]]:
        return [self.options[at:] + self.options[:at] for at in range(len(self.options))]


@dataclass(frozen=True, slots=True)
class Worded:
    """One question in several wordings."""

    questions: tuple[str, ...]
    options: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Spread:
    """A question that is sampled. ``reference``: how people might spread over the options."""

    question: str
    options: tuple[str, ...]
    reference: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Form:
    """A question whose answer has to follow a schema."""

    name: str
    question: str
    schema: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Probes:
    """All of them. ``digest`` names their exact text and that of the prompts."""

    neutral: str
    pairs: tuple[Pair, ...]
    listed: tuple[Listed, ...]
    worded: tuple[Worded, ...]
    spread: tuple[Spread, ...]
    open: str
    forms: tuple[Form, ...]
    digest: str
    pack: PromptPack

    def pair(self, pair: Pair, words: str) -> Content:
        """One asking of a pair."""
        persona, context = (words, None) if pair.side == "persona" else (self.neutral, words)
        return laid_out(self.pack["probe"].render(persona=persona, context=context, question=pair.question))

    def wording(self, question: str) -> Content:
        return laid_out(self.pack["probe"].render(persona=self.neutral, context=None, question=question))

    def lettered(self, question: str, options: Sequence[str]) -> Content:
        lines = "\n".join(f"{LETTERS[at]}) {option}" for at, option in enumerate(options))
        return laid_out(self.pack["listed"].render(persona=self.neutral, question=question, options=lines))

    def sampled(self, spread: Spread) -> Content:
        words = "; ".join(spread.options)
        return laid_out(self.pack["sampled"].render(persona=self.neutral, question=spread.question, options=words))

    def free(self) -> Request:
        blocks = laid_out(self.pack["open"].render(persona=self.neutral, question=self.open))
        return Request(blocks, sampling=Sampling(1.0, max_tokens=40))

    def formed(self, form: Form) -> Request:
        words = json.dumps(form.schema, sort_keys=True)
        blocks = laid_out(self.pack["form"].render(persona=self.neutral, question=form.question, schema=words))
        return Request(blocks, schema=form.schema, sampling=Sampling(1.0, max_tokens=160))


def one_of(blocks: Content, options: Sequence[str]) -> Request:
    """A sampled answer that is one of the options."""
    answer = {"answer": {"type": "string", "enum": list(options)}}
    schema = {"type": "object", "properties": answer, "required": ["answer"], "additionalProperties": False}
    return Request(blocks, schema=schema, sampling=Sampling(1.0, max_tokens=40))


@cache
def probes(path: Path = HERE / "probes.yaml") -> Probes:
    """Read them. Raises UsageError for a file that is not one of probes."""
    text = path.read_text("utf-8")
    data: Any = plain(text)
    pack = PromptPack(HERE / "prompts")
    digest = hashlib.blake2b("/".join([text, *(pack[name].digest for name in pack.names())]).encode(), digest_size=16).hexdigest()
    try:
        pairs = [
            Pair(side, one["question"], tuple(one["options"]), one["high"], one["low"])
            for side in ("persona", "context")
            for one in data[side]
        ]
        return Probes(
            neutral=data["neutral"],
            pairs=tuple(pairs),
            listed=tuple(Listed(one["question"], tuple(one["options"])) for one in data["listed"]),
            worded=tuple(Worded(tuple(one["questions"]), tuple(one["options"])) for one in data["worded"]),
            spread=tuple(Spread(one["question"], tuple(one["options"]), tuple(one["reference"])) for one in data["spread"]),
            open=data["open"],
            forms=tuple(Form(one["name"], one["question"], one["schema"]) for one in data["forms"]),
            digest=digest,
            pack=pack,
        )
    except (KeyError, TypeError) as error:
        raise UsageError(f"{path} holds no probes: {error}") from None
