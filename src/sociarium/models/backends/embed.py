"""Embedders: texts to vectors. Both here are exact: a text's vector depends on that text alone, never on the batch it came in."""

from __future__ import annotations

import asyncio
import hashlib
import importlib
import re
import time
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sociarium.kernel.errors import ModelError
from sociarium.kernel.protocols import Usage
from sociarium.models.backend import CallFailed
from sociarium.models.request import BackendFacts, Reply, Request
from sociarium.models.spec import split

Vectors = NDArray[np.float32]  # (texts, dimensions), each row of length 1, or 0 for a text without any feature
WORD = re.compile(r"\w+", re.UNICODE)
MOST_WORDS = 50_000  # whose hashes are kept


class Embedder:
    """A backend that answers the kind ``embed`` only. Subclasses give ``facts`` and ``vectors``."""

    facts: BackendFacts

    def vectors(self, texts: Iterable[str]) -> Vectors:
        raise NotImplementedError

    async def complete(self, request: Request, draw: int | None) -> Reply:
        """The vectors of ``request.texts``; raises CallFailed for any other kind."""
        if request.kind != "embed":
            raise CallFailed("wrong_shape", f"{self.facts.name} gives embeddings only, not {request.kind}", retryable=False)
        began = time.perf_counter()
        rows = await asyncio.to_thread(self.vectors, request.texts)
        usage = Usage(calls=1, seconds=time.perf_counter() - began)
        return Reply(vectors=tuple(tuple(row) for row in rows.tolist()), model=self.facts.name, usage=usage)

    async def close(self) -> None:
        """Nothing is held open."""


class WordLlamaEmbedder(Embedder):
    """WordLlama (MIT, 256 dimensions): a mean of static word-piece vectors, about 30,000 sentences a CPU-second.

    We take its tokeniser and its table of vectors and add up ourselves, in float64 and in the order of the text, so that no row
    depends on padding or on its neighbours. Word order carries no meaning in it: "a hits b" and "b hits a" are alike.
    """

    def __init__(self) -> None:
        try:
            wordllama: Any = importlib.import_module("wordllama")
        except ImportError as error:
            raise ModelError(f"the embedder needs wordllama ({error}); install it by: pip install 'sociarium[local]'") from error
        # Its own search misses the tokeniser that it carries and would ask a hub.
        folder = Path(wordllama.__file__).parent
        model: Any = wordllama.WordLlama.load(cache_dir=folder, disable_download=True)
        self.tokenizer: Any = model.tokenizer
        self.tokenizer.no_padding()
        self.tokenizer.no_truncation()
        self.table: NDArray[np.float32] = np.ascontiguousarray(model.embedding, dtype=np.float32)
        digest = hashlib.sha256(self.table.tobytes()).hexdigest()
        self.facts = BackendFacts(
            name="embed:wordllama",
            digest=f"sha256:{digest}",
            engine={"wordllama": version("wordllama"), "tokenizers": version("tokenizers"), "sum": "float64 in text order"},
            exact=True,
            context=8192,
            parallel=1,
        )

    def vectors(self, texts: Iterable[str]) -> Vectors:
        """(texts, 256) float32, each row of length 1; an empty text is all zeros."""
        encodings = self.tokenizer.encode_batch(list(texts), add_special_tokens=False)
        rows = np.zeros((len(encodings), self.table.shape[1]), np.float64)
        for row, encoding in zip(rows, encodings, strict=True):
            if encoding.ids:
                # A sum along the first axis of a C-ordered array adds row by row, whatever the number of rows elsewhere.
                row[:] = self.table[np.asarray(encoding.ids)].sum(axis=0, dtype=np.float64)
        return unit(rows)


class HashingEmbedder(Embedder):
    """Words and character trigrams hashed (BLAKE2b) into ``dimensions`` signed bins. For tests and scripted models.

    It knows spelling, not meaning: texts are near when they share words or stems. Needs NumPy only.
    """

    def __init__(self, dimensions: int = 256) -> None:
        if not 8 <= dimensions <= 65536:
            raise ModelError(f"a hashing embedder has from 8 to 65536 dimensions, not {dimensions}")
        self.dimensions = dimensions
        self._known: dict[str, tuple[NDArray[np.int64], NDArray[np.float64]]] = {}
        self.facts = BackendFacts(
            name="embed:hashing",
            digest="sociarium-hashing-1",
            engine={"dimensions": dimensions, "words": 1.0, "trigrams": 0.5},
            exact=True,
            context=1 << 20,
            parallel=1,
        )

    def vectors(self, texts: Iterable[str]) -> Vectors:
        """(texts, dimensions) float32, each row of length 1; a text without a word is all zeros."""
        listed = list(texts)
        rows = np.zeros((len(listed), self.dimensions), np.float64)
        for row, text in zip(rows, listed, strict=True):
            parts = [self._word(word) for word in WORD.findall(text.casefold())]
            if parts:  # sums of halves: exact in any order
                bins = np.concatenate([bins for bins, _ in parts])
                row += np.bincount(bins, np.concatenate([values for _, values in parts]), self.dimensions)
        return unit(rows)

    def _word(self, word: str) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """The bins that a word and its trigrams fall into, and what they add there; words come again and again."""
        if (known := self._known.get(word)) is not None:
            return known
        marked = f"<{word}>"
        features = [(word, 1.0), *((f"#{marked[start : start + 3]}", 0.5) for start in range(len(marked) - 2))]
        hashed = [int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "little") for name, _ in features]
        bins = np.array([(number >> 1) % self.dimensions for number in hashed], np.int64)
        values = np.array([weight if number & 1 else -weight for number, (_, weight) in zip(hashed, features, strict=True)])
        if len(self._known) >= MOST_WORDS:
            self._known.clear()
        self._known[word] = bins, values
        return bins, values


def open_embedder(spec: str) -> Embedder:
    """``wordllama``, or ``hashing?dimensions=256``."""
    scheme, options = split(spec, spec)
    embedder = HashingEmbedder(options.take("dimensions", int, 256)) if scheme == "hashing" else WordLlamaEmbedder()
    options.done()
    return embedder


def unit(rows: NDArray[np.float64]) -> Vectors:
    """Each row scaled to length 1; a row of zeros stays. ``einsum`` and BLAS are avoided: their order of addition varies."""
    lengths = np.sqrt((rows * rows).sum(axis=1, keepdims=True))
    return (rows / np.where(lengths > 0.0, lengths, 1.0)).astype(np.float32)


__all__ = ["Embedder", "HashingEmbedder", "WordLlamaEmbedder", "open_embedder"]
