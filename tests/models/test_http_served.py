"""Our own server behind our own client: what it announces is taken over, every kind of question travels whole, and a run over real
HTTP has the digest of the run in the process."""

from __future__ import annotations

import asyncio
import json
import os

import aiohttp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sociarium.cli.watch import cost_lines
from sociarium.kernel.content import Block, Layer, Trust, said
from sociarium.kernel.errors import ModelError
from sociarium.kernel.outcomes import Status
from sociarium.kernel.protocols import Usage
from sociarium.lab.running import Options, replay, resume, start
from sociarium.models import weights
from sociarium.models.backend import CallFailed
from sociarium.models.backends.http_served import announced
from sociarium.models.backends.scripted import ScriptedBackend
from sociarium.models.opening import open_backend, prepared, ready
from sociarium.models.request import BackendFacts, Prices, Reply, Request, Sampling, facts_digest, request_id
from sociarium.models.serving import serve
from sociarium.record.run import RunRecord
from sociarium.scenarios import catalogue
from sociarium.testing.backends import backend_test

RULES = Block("Rules.", role="system", layer=Layer.SHARED)
TALK = (RULES, Block("You fish.", layer=Layer.STABLE, role="system"), said("Take all!", "agent:2"))
SCHEMA = {"type": "object", "properties": {"catch": {"type": "integer"}}, "required": ["catch"], "additionalProperties": False}
KINDS = [
    Request(TALK),
    Request(TALK, schema=SCHEMA, sampling=Sampling(0.7, 0.9, 33, ("\n", "END"))),
    Request(TALK, "choose", options=("ten", "five"), neutral=(Block("Calm."),)),
    Request(kind="embed", texts=("one", "zwei\x00", "drei")),
]


class Keeper:
    """Keeps what it was asked, and answers as it was told."""

    def __init__(self, reply=None, facts=None):
        self.reply, self.asked = reply or Reply(text="ten"), []
        self.facts = facts or BackendFacts("lake", "sha256:1", {"engine": "none 1", "exact": True}, exact=True, parallel=3, context=99,
                                           log_probabilities=True, prices=Prices(1e6, 5e5, 2e6, "given"))  # fmt: skip

    async def complete(self, request, draw):
        self.asked.append((request, draw))
        return self.reply

    async def close(self):
        pass


async def client(server, model, options=""):
    return await ready(f"{server.url}#{model}{options}")


async def test_what_is_announced_is_taken_over_so_that_keys_are_those_of_the_process():
    keeper = Keeper()
    async with await serve(keeper) as server:
        backend = await client(server, "lake")
        assert facts_digest(backend.facts) == facts_digest(keeper.facts)
        assert (backend.facts.exact, backend.facts.log_probabilities, backend.facts.context, backend.facts.parallel) == (True, True, 99, 6)
        assert backend.facts.prices == keeper.facts.prices
        assert backend.facts.name == f"{server.url}#lake"
        await backend.prepare()
        assert facts_digest(backend.facts) == facts_digest(keeper.facts)
        await backend.close()
        shaped = await client(server, "lake", "?api=chat&parallel=7")
        assert facts_digest(shaped.facts) != facts_digest(keeper.facts)
        assert (shaped.facts.exact, shaped.facts.parallel, shaped.facts.context) == (False, 7, 99)
        await shaped.close()


@pytest.mark.parametrize("request_", KINDS, ids=["text", "schema", "choose", "embed"])
async def test_every_kind_of_question_travels_whole(request_):
    reply = Reply(text='{"catch": 1}', probabilities=(0.1, 0.9), vectors=((0.1, 1e-17),), finish="length", model="lake-3",
                  usage=Usage(1, 9, 8, 7, 6, reasoning_tokens=5))  # fmt: skip
    keeper = Keeper(reply)
    async with await serve(keeper) as server:
        backend = await client(server, "lake")
        got = await backend.complete(request_, 1 << 62)
        await backend.close()
    assert keeper.asked == [(request_, 1 << 62)]
    assert got.echo == request_id(request_, 1 << 62)
    assert (got.plain(), got.usage) == (reply.plain(), reply.usage)


async def test_a_declined_reply_stays_declined_and_a_failure_a_failure():
    async with await serve(Keeper(Reply(Status.DECLINED, error="no"))) as server:
        backend = await client(server, "lake")
        assert (await backend.complete(Request(TALK), None)).status is Status.DECLINED
        await backend.close()
    async with await serve(Keeper(Reply(Status.FAILED, error="no"))) as server:
        backend = await client(server, "lake")
        with pytest.raises(CallFailed, match="no"):
            await backend.complete(Request(TALK), None)
        await backend.close()


async def test_a_served_scripted_model_is_exact_at_any_concurrency():
    async with await serve(open_backend("scripted:schema?delay=0.001")) as server:
        backend = await client(server, "scripted:schema")
        assert backend.facts.exact
        await backend_test(backend, [*KINDS, Request((Block("Another."),), sampling=Sampling(1.0))], in_flight=(1, 16))
        await backend.close()


async def test_another_model_at_the_address_is_one_clear_error():
    async with await serve(Keeper()) as server:
        with pytest.raises(ModelError, match="the server has lake, not sea"):
            await client(server, "sea")


async def test_a_server_that_changes_its_model_is_caught_at_its_next_answer():
    keeper = Keeper()
    async with await serve(keeper) as server:
        backend = await client(server, "lake")
        keeper.facts = BackendFacts("lake", "sha256:2")
        with pytest.raises(CallFailed, match="another model") as caught:
            await backend.complete(Request(TALK), None)
        await backend.close()
    assert caught.value.kind == "misaligned"


async def test_a_server_that_is_not_up_is_one_clear_error_and_one_that_starts_is_waited_for():
    async with await serve(Keeper()) as server:
        spec, port = f"{server.url}#lake", int(server.url.split(":")[2].split("/")[0])
    with pytest.raises(ModelError, match="No model server answers at") as caught:
        await ready(spec)
    assert "Start it, or correct the address" in str(caught.value)
    waiting = asyncio.create_task(ready(f"{spec}?wait=20"))
    await asyncio.sleep(0.01)
    async with await serve(Keeper(), port=port):
        backend = await waiting
        assert backend.facts.digest == "sha256:1"
        await backend.close()


async def test_a_wrapper_hands_the_facts_on():
    async with await serve(open_backend("scripted:schema")) as server:
        served = await ready(f"faulty:0.1:{server.url}#scripted:schema")
        assert facts_digest(served.facts) == facts_digest(open_backend("faulty:0.1:scripted:schema").facts)
        await served.close()
    assert await prepared(ScriptedBackend(lambda r, d: "x")) is not None


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{}", b'{"data": 7}', b'{"data": [7, {}]}', b'{"data": [{"id": "m", "sociarium": 4}]}', b"[" * 100_000, b"\xff",
     b'{"data": [{"id": "m", "sociarium": {"ask": 2, "digest": "d", "engine": {}}}]}',
     b'{"data": [{"id": "m", "sociarium": {"ask": 1, "digest": 5, "engine": {}}}]}',
     b'{"data": [{"id": "m", "sociarium": {"ask": 1, "digest": "d", "engine": []}}]}'],
)  # fmt: skip
def test_what_is_no_announcement_announces_nothing(body):
    assert announced(body, "m").facts is None


def test_how_long_a_prompt_may_be_is_read_from_any_server():
    assert announced(b'{"data": [{"id": "m", "max_model_len": 8192}]}', "m").context == 8192


texts = st.text(max_size=20)
blocks = st.builds(Block, texts, texts, st.sampled_from(Trust), st.sampled_from(Layer), texts, texts, st.none() | texts)


@settings(max_examples=60, deadline=None)
@given(
    st.builds(
        Request,
        blocks=st.lists(blocks, max_size=4).map(tuple),
        kind=st.sampled_from(["complete", "choose", "embed"]),
        sampling=st.builds(Sampling, st.floats(0, 2), st.floats(0.1, 1), st.integers(1, 999), st.lists(texts, max_size=2).map(tuple)),
        options=st.lists(texts, max_size=3).map(tuple),
        neutral=st.none() | st.lists(blocks, max_size=2).map(tuple),
        texts=st.lists(texts, max_size=3).map(tuple),
    )
)
def test_a_request_is_the_same_after_it_was_written_and_read(request_):
    back = Request.from_plain(json.loads(json.dumps(request_.plain())))
    assert request_id(back, 5) == request_id(request_, 5)


@pytest.mark.parametrize(
    "body",
    [[], {}, {"request": 5}, {"request": {"kind": "sing", "blocks": []}}, {"request": {"kind": "complete", "blocks": [{}]}},
     {"request": {**Request(TALK).plain(), "sampling": {"temperature": "hot"}}},
     {"request": {**Request(TALK).plain(), "sampling": {"heat": 1}}},
     {"request": {**Request(TALK).plain(), "options": "ab"}}, {"request": Request(TALK).plain(), "draw": "x"}],
)  # fmt: skip
async def test_what_is_no_request_is_refused_and_asks_nothing(body):
    keeper = Keeper()
    async with await serve(keeper) as server, aiohttp.ClientSession() as session, session.post(server.url + "/ask", json=body) as answer:
        assert (answer.status, keeper.asked) == (400, [])


# --- whole runs ------------------------------------------------------------------------------------------------------


async def test_a_run_over_http_has_the_digest_of_the_run_in_the_process(tmp_path):
    setting = {"pace": "brief", "max_rounds": 2, "embedder": "hashing", "temperature": 0.8}
    game = catalogue.scenario("govsim").of({**setting, "model": "scripted:schema"})
    inside = await start(game, 3, tmp_path / "inside")
    async with await serve(open_backend("scripted:schema?delay=0.001")) as server:
        options = Options()
        served = game.changed({"model": f"{server.url}#scripted:schema"})
        outside = await start(served, 3, tmp_path / "outside", options)
        again = await resume(tmp_path / "outside", catalogue.scenario, options)
        for backend in options.backends.values():
            await backend.close()
    assert outside.digest == inside.digest == again.digest
    assert outside.summary.models["calls"] == inside.summary.models["calls"] > 10
    with RunRecord.open(tmp_path / "outside", mode="read") as record:
        assert record.manifest["models"]["default"]["facts"]["exact"] is True
    assert (await replay(tmp_path / "outside", catalogue.scenario)).digest == inside.digest


@pytest.mark.skipif(weights.located("smollm2") is None, reason="needs weights: sociarium models pull smollm2")
async def test_a_run_on_the_served_real_model_has_the_digest_of_the_run_in_the_process(tmp_path):
    setting = {"model": "local:smollm2?exact=yes&context=2048", "pace": "choices", "choose_step": 10, "choose_most": 10}
    setting |= {"max_rounds": 1, "num_agents": 2}
    if not os.environ.get("SOCIARIUM_LONG"):
        setting["language"] = "none"
    game = catalogue.scenario("govsim").of(setting)
    options = Options()
    inside = await start(game, 3, tmp_path / "inside", options)
    (engine,) = options.backends.values()
    async with await serve(engine) as server:
        outer = Options()
        served = game.changed({"model": f"{server.url}#local:smollm2"})
        outside = await start(served, 3, tmp_path / "outside", outer)
        for backend in (*outer.backends.values(), engine):
            await backend.close()
    assert outside.digest == inside.digest
    assert outside.summary.models["calls"] == inside.summary.models["calls"] > 0


async def test_a_run_says_which_of_its_models_are_not_exact(tmp_path):
    setting = {"pace": "brief", "max_rounds": 1, "embedder": "hashing"}
    keeper = ScriptedBackend(lambda request, drawn: Reply(text="Ten."), exact=False)
    async with await serve(keeper) as server:
        options = Options()
        game = catalogue.scenario("govsim").of(
            {**setting, "model": f"{server.url}#scripted:scripted", "framework_model": "scripted:schema"}
        )
        finished = await start(game, 1, tmp_path / "run", options)
        for backend in options.backends.values():
            await backend.close()
    assert finished.summary.models["inexact"] == [f"{server.url}#scripted:scripted"]
    assert any("not exact" in line for line in cost_lines([finished]))
