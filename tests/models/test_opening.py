"""A model is opened by what a user writes; anything else is one clear error that lists what there is."""

from __future__ import annotations

import pytest

from sociarium.kernel.errors import UsageError
from sociarium.models.opening import open_backend
from sociarium.models.request import Request


async def test_an_embedder_is_opened_with_its_options():
    backend = open_backend("hashing?dimensions=32")
    reply = await backend.complete(Request(kind="embed", texts=("fish",)), None)
    assert len(reply.vectors[0]) == 32
    await backend.close()


@pytest.mark.parametrize(
    "spec",
    ["gpt-5", "", ":", "hashing:x", "wordllama:x", "hashing?colour=red", "local:", "local", "local:smollm2?exact=perhaps",
     "local:smollm2?slots=0",
     "faulty", "scripted:nobody", "openai", "http:", "HTTP://host#m"],
)  # fmt: skip
def test_anything_else_is_refused(spec):
    with pytest.raises(UsageError):
        open_backend(spec)


def test_the_error_lists_what_there_is():
    with pytest.raises(UsageError) as caught:
        open_backend("gpt-5")
    for form in (
        "local:NAME",
        "http://HOST",
        "openai:MODEL",
        "anthropic:MODEL",
        "wordllama",
        "hashing",
        "scripted:NAME",
        "faulty:RATE:SPEC",
    ):
        assert form in str(caught.value)
