"""An embedding depends on its text alone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sociarium.kernel.content import Block
from sociarium.models.backend import Backend, CallFailed
from sociarium.models.backends.embed import HashingEmbedder, WordLlamaEmbedder, open_embedder
from sociarium.models.request import Request


@pytest.fixture(scope="module", params=["wordllama", "hashing"])
def embedder(request):
    if request.param == "wordllama":
        pytest.importorskip("wordllama", reason="wordllama is not installed: pip install 'sociarium[local]'")
    return open_embedder(request.param)


@settings(max_examples=30)
@given(st.lists(st.text(max_size=80), min_size=1, max_size=12))
def test_a_row_does_not_depend_on_its_batch(embedder, texts):
    together = embedder.vectors(texts)
    alone = np.concatenate([embedder.vectors([text]) for text in texts])
    assert together.tobytes() == alone.tobytes()
    lengths = np.linalg.norm(together, axis=1)
    assert np.all((np.abs(lengths - 1) < 1e-5) | (lengths == 0))


def test_near_texts_are_nearer_than_far_ones(embedder):
    near, other, far = embedder.vectors(["A boat returns to harbour.", "A fishing boat in the harbour.", "Income tax law was reformed."])
    assert near @ other > near @ far + 0.1


async def test_it_answers_embeddings_and_nothing_else(embedder):
    assert isinstance(embedder, Backend)
    assert embedder.facts.exact
    reply = await embedder.complete(Request(kind="embed", texts=("one", "two")), None)
    assert np.array_equal(np.asarray(reply.vectors, np.float32), embedder.vectors(["one", "two"]))
    with pytest.raises(CallFailed, match="embeddings only"):
        await embedder.complete(Request((Block("hello"),)), None)


def test_wordllama_agrees_with_its_own_mean_pooling():
    wordllama = pytest.importorskip("wordllama", reason="wordllama is not installed")
    from pathlib import Path

    texts = ["The cat sat on the mat.", "Tax law"]
    theirs = wordllama.WordLlama.load(cache_dir=Path(wordllama.__file__).parent, disable_download=True).embed(texts, norm=True)
    assert np.allclose(WordLlamaEmbedder().vectors(texts), theirs, atol=1e-5)


def test_hashing_is_the_same_on_every_machine():
    row = HashingEmbedder(8).vectors(["a"])[0]
    assert HashingEmbedder(8).facts.digest == "sociarium-hashing-1"
    assert np.count_nonzero(row) in (1, 2)
    assert row.tobytes() == HashingEmbedder(8).vectors(["A!"])[0].tobytes()
