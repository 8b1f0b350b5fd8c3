"""Any backend behind the OpenAI shape, over real HTTP on loopback."""

from __future__ import annotations

import aiohttp
import pytest

from sociarium.kernel.errors import UsageError
from sociarium.models.backend import CallFailed
from sociarium.models.backends.embed import HashingEmbedder
from sociarium.models.request import BackendFacts, Reply, Sampling, Usage
from sociarium.models.serving import serve


class Keeper:
    """Keeps what it was asked and answers what it was told to."""

    facts = BackendFacts("keeper", "digest-1", log_probabilities=True, schemas=True)

    def __init__(self, answer):
        self.answer, self.asked = answer, []

    async def complete(self, request, draw):
        self.asked.append((request, draw))
        if isinstance(self.answer, CallFailed):
            raise self.answer
        return self.answer

    async def close(self):
        pass


async def post(backend, path, body):
    async with await serve(backend) as server, aiohttp.ClientSession() as session, session.post(server.url + path, json=body) as response:
        return response.status, await response.json(), response.headers


async def test_a_chat_becomes_a_request_and_its_reply_the_usual_shape():
    backend = Keeper(Reply(text='{"a": 1}', finish="length", usage=Usage(prompt_tokens=7, cached_tokens=5, completion_tokens=2)))
    body = {
        "messages": [{"role": "system", "content": "rules"}, {"role": "user", "content": "go"}],
        "temperature": 0.5, "top_p": 0.9, "max_tokens": 9, "stop": "x", "seed": 2**40,
        "response_format": {"type": "json_schema", "json_schema": {"name": "r", "strict": True, "schema": {"type": "object"}}},
    }  # fmt: skip
    status, answer, _ = await post(backend, "/chat/completions", body)
    request, draw = backend.asked[0]
    assert status == 200 and draw == 2**40
    assert [(block.role, block.text) for block in request.blocks] == [("system", "rules"), ("user", "go")]
    assert request.schema == {"type": "object"}
    assert (request.sampling.temperature, request.sampling.top_p, request.sampling.max_tokens, request.sampling.stop) == (
        0.5,
        0.9,
        9,
        ("x",),
    )
    assert answer["choices"][0]["message"]["content"] == '{"a": 1}' and answer["choices"][0]["finish_reason"] == "length"
    assert answer["usage"]["prompt_tokens_details"]["cached_tokens"] == 5 and answer["usage"]["total_tokens"] == 9


async def test_options_are_scored_beyond_the_usual_shape():
    backend = Keeper(Reply(probabilities=(0.75, 0.25)))
    messages = [{"role": "user", "content": "go?"}]
    status, answer, _ = await post(backend, "/choose", {"messages": messages, "options": ["yes", "no"], "neutral": messages})
    assert (status, answer["probabilities"]) == (200, [0.75, 0.25])
    assert backend.asked[0][0].options == ("yes", "no") and backend.asked[0][0].neutral == backend.asked[0][0].blocks


async def test_the_list_of_models_announces_what_it_can():
    async with await serve(Keeper(Reply())) as server, aiohttp.ClientSession() as session, session.get(server.url + "/models") as response:
        row = (await response.json())["data"][0]
    assert row["id"] == "keeper" and row["sociarium"]["choose"] is True and row["sociarium"]["digest"] == "digest-1"


async def test_embeddings_travel_whole():
    embedder = HashingEmbedder(8)
    status, answer, _ = await post(embedder, "/embeddings", {"input": ["one", "two"]})
    assert status == 200
    assert [row["embedding"] for row in answer["data"]] == embedder.vectors(["one", "two"]).tolist()


@pytest.mark.parametrize(
    ("kind", "status"), [("rate_limited", 429), ("context_too_long", 400), ("server_error", 500), ("unavailable", 503)]
)
async def test_a_failed_call_is_a_status_and_never_a_text(kind, status):
    got, answer, headers = await post(Keeper(CallFailed(kind, "why", retryable=True, retry_after=2)), "/chat/completions",
                                      {"messages": [{"role": "user", "content": "x"}]})  # fmt: skip
    assert (got, answer["error"]["message"], headers["Retry-After"]) == (status, "why", "2")
    assert "choices" not in answer


async def test_what_clients_send_without_meaning_anything_by_it_is_understood():
    """Words as a list of parts (AgentScope sends all so), nothing in the place of a number, a JSON object of any form."""
    backend = Keeper(Reply(text="{}"))
    body = {
        "messages": [{"role": "user", "content": [{"type": "text", "text": "go "}, {"type": "text", "text": "on"}]}],
        "n": None, "temperature": None, "top_p": None, "stop": None, "tools": [], "response_format": {"type": "json_object"},
    }  # fmt: skip
    status, answer, _ = await post(backend, "/chat/completions", body)
    assert status == 200, answer
    request, _ = backend.asked[0]
    assert [block.text for block in request.blocks] == ["go on"]
    assert (request.schema, request.sampling) == ({"type": "object"}, Sampling(1.0, 1.0, 256))


WORDS = [{"role": "user", "content": "x"}]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"messages": "x"},
        {"messages": [{"role": "user"}]},
        {"messages": [{"role": "user", "content": []}]},
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]},
        {"messages": [{"role": "user", "content": ["x"]}]},
        *({"messages": WORDS, "top_p": wrong} for wrong in ("hot", 0, 1.1, -1)),
        *({"messages": WORDS, "temperature": wrong} for wrong in (-0.1, "1e999", [])),
        *({"messages": WORDS, "max_tokens": wrong} for wrong in (-4, 1 << 30, "many")),
        *({"messages": WORDS, "stop": wrong} for wrong in ([1], 7, {"a": 1})),
        {"messages": WORDS, "n": 2},
        [],
    ],
)
async def test_a_wrong_body_is_refused_and_asks_nothing(body):
    backend = Keeper(Reply())
    status, answer, _ = await post(backend, "/chat/completions", body)
    assert status == 400 and answer["error"]["type"] == "wrong_shape" and backend.asked == []


async def test_only_loopback_unless_allowed():
    with pytest.raises(UsageError, match="other machines"):
        await serve(Keeper(Reply()), "0.0.0.0")


async def test_a_port_in_use_is_one_clear_error():
    async with await serve(Keeper(Reply())) as server:
        with pytest.raises(UsageError, match="cannot serve"):
            await serve(Keeper(Reply()), port=int(server.url.split(":")[2].split("/")[0]))


@pytest.mark.parametrize("headers", [{"Host": "evil.example"}, {"Host": "127.0.0.1.evil.example:80"}, {"Origin": "http://evil.example"},
                                     {"Origin": "null"}, {"Host": "[::1"}])  # fmt: skip
async def test_a_page_in_a_browser_is_not_answered(headers):
    backend = Keeper(Reply(text="words"))
    async with await serve(backend) as server, aiohttp.ClientSession(headers=headers) as session:
        response = await session.post(server.url + "/chat/completions", json={"messages": WORDS})
        assert response.status in (400, 403)
        assert "words" not in await response.text()
    assert backend.asked == []


async def test_programs_of_this_machine_are_answered_by_any_of_its_names():
    async with await serve(Keeper(Reply(text="words"))) as server, aiohttp.ClientSession() as session:
        for headers in ({"Host": "localhost:1"}, {"Host": "127.0.0.1"}, {"Host": "[::1]:80"}, {"Origin": "http://localhost:3000"}):
            async with session.post(server.url + "/chat/completions", json={"messages": WORDS}, headers=headers) as response:
                assert response.status == 200, headers


@pytest.mark.parametrize(
    "schema",
    [5, [], "x", {"type": "thing"}, {"type": "string", "pattern": "("}, {"$ref": "#/nope"}, {"anyOf": 7}, {"properties": [1]},
     {"multipleOf": 0}, {"enum": "x"}, {"maxLength": "many"}, {"items": 3}, {"patternProperties": {}}],
)  # fmt: skip
async def test_a_schema_that_is_none_is_refused_with_a_reason(schema):
    backend = Keeper(Reply(text="{}"))
    form = {"type": "json_schema", "json_schema": {"name": "r", "schema": schema}}
    status, answer, _ = await post(backend, "/chat/completions", {"messages": WORDS, "response_format": form})
    assert (status, answer["error"]["type"], backend.asked) == (400, "wrong_shape", [])
    assert "chema" in answer["error"]["message"]


@pytest.mark.parametrize(
    ("path", "body"),
    [("/choose", {"messages": WORDS, "options": []}), ("/ask", {"request": {"kind": "choose", "blocks": [], "options": []}}),
     ("/ask", {"request": {"kind": "complete", "blocks": [], "schema": 7}}), ("/ask", {"request": 5})],
)  # fmt: skip
async def test_a_question_that_is_none_is_refused(path, body):
    backend = Keeper(Reply(probabilities=()))
    status, answer, _ = await post(backend, path, body)
    assert (status, answer["error"]["type"], backend.asked) == (400, "wrong_shape", [])
