"""What of the local backend needs no weights: the option tree, slots, prompts, errors."""

from __future__ import annotations

import json
import math
import threading
from concurrent.futures import Future
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sociarium.kernel.content import Block
from sociarium.kernel.errors import ModelError
from sociarium.kernel.protocols import Usage
from sociarium.models.backend import CallFailed
from sociarium.models.backends.ctranslate import Scoring, Writing, fitting
from sociarium.models.backends.fields import by_fields, picked, plan
from sociarium.models.backends.llama import EngineOptions
from sociarium.models.backends.local import file_of, softmax
from sociarium.models.backends.option_tree import log_likelihoods
from sociarium.models.backends.prompt import messages_of
from sociarium.models.backends.slots import Slots
from sociarium.models.channel import Channel
from sociarium.models.request import BackendFacts, Reply, Request, Sampling
from sociarium.models.schema import faults


def step(prefix: tuple[int, ...], token: int) -> float:
    """A made-up log-probability that depends on the whole prefix."""
    return -((hash((prefix, token)) % 1000) / 100)


rows = st.lists(st.lists(st.integers(0, 3), min_size=1, max_size=5).map(tuple), min_size=1, max_size=8)


@given(rows, st.sets(st.integers(0, 3)))
def test_a_tree_gives_each_option_the_sum_of_its_own_steps(options, likely):
    asked: list[tuple[int, ...]] = []

    def force(prefix, chain, alternatives):
        asked.extend(prefix + chain[: length + 1] for length in range(len(chain)))
        steps = [step(prefix + chain[:length], token) for length, token in enumerate(chain)]
        return steps, {token: step(prefix, token) for token in likely} if alternatives else {}

    scores = log_likelihoods(options, force)
    for option, score in zip(options, scores, strict=True):
        assert score == pytest.approx(math.fsum(step(option[:at], token) for at, token in enumerate(option)))
    assert len(asked) == len(set(asked))  # no token is scored twice


@given(st.lists(st.floats(-1e4, 1e4), min_size=1, max_size=9))
def test_shares_sum_to_one_and_keep_the_order(scores):
    shares = softmax(scores)
    assert math.fsum(shares) == pytest.approx(1)
    assert shares.index(max(shares)) == scores.index(max(scores)) or len(set(shares)) < len(shares)


def test_a_prompt_gets_the_free_slot_that_shares_most_of_it():
    slots = Slots(3)
    with slots.taken([1, 2, 3]) as first, slots.taken([7, 8]) as second:
        assert first != second
    with slots.taken([1, 2, 9]) as again:
        assert again == first
        with slots.taken([1, 2, 9]) as other:
            assert other != first
    with slots.taken([7, 8, 9]) as same:
        assert same in (second, other)


def test_a_slot_is_never_given_twice():
    slots, held, most = Slots(2), [], []

    def work(number):
        for _ in range(50):
            with slots.taken([number]) as slot:
                held.append(slot)
                most.append(len(held) == len(set(held)))
                held.remove(slot)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(most) and sorted(slots.free) == [0, 1]


def test_blocks_of_one_role_in_a_row_are_one_message():
    blocks = (Block("rules", role="system"), Block("persona", role="system"), Block("what now?"))
    assert messages_of(blocks) == [("system", "rules\n\npersona"), ("user", "what now?")]


@pytest.mark.parametrize("blocks", [(), (Block("x", role="tool"),), (Block("", kind="image"),)])
def test_what_the_model_cannot_read_is_refused(blocks):
    with pytest.raises(CallFailed) as failed:
        messages_of(blocks)
    assert not failed.value.retryable


def test_weights_that_are_not_here_say_how_to_get_them(tmp_path, monkeypatch):
    monkeypatch.setenv("SOCIARIUM_CACHE", str(tmp_path))
    with pytest.raises(ModelError, match="sociarium models pull smollm2"):
        file_of("smollm2")
    with pytest.raises(ModelError, match="no weight file"):
        file_of(str(tmp_path / "none.gguf"))


def test_exact_replies_take_one_slot():
    with pytest.raises(ModelError, match="slots=1"):
        EngineOptions(slots=4, exact=True)
    with pytest.raises(ModelError, match="threads"):
        EngineOptions(threads=0)


def flat(**properties):
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


@pytest.mark.parametrize(
    "schema, planned",
    [
        (flat(a={"enum": ["x", 2]}, b={"type": "boolean"}, c={"type": "integer", "minimum": 1, "maximum": 3}), [2, 2, 3]),
        (flat(a={"type": "string", "maxLength": 20}, b={"const": "k"}), [0, 1]),
        (flat(a={"type": "integer", "minimum": 0, "maximum": 20, "multipleOf": 5}), [5]),
        (flat(a={"type": "integer", "minimum": 0, "maximum": 10_000}), None),
        (flat(a={"type": "number"}), None),
        (flat(a={"type": "string", "pattern": "x"}), None),
        (flat(a={"type": "array"}), None),
        ({**flat(a={"type": "boolean"}), "required": []}, None),
        ({"enum": ["x"]}, None),
    ],
)
def test_only_simple_schemas_are_asked_field_by_field(schema, planned):
    fields = plan(Request((Block("What now?"),), schema=schema))
    assert (None if fields is None else [len(field.values) for field in fields]) == planned


words = st.text(st.characters(codec="utf-8"), max_size=12)
parts = st.one_of(
    st.lists(words, min_size=1, max_size=4, unique=True).map(lambda values: {"enum": values}),
    st.just({"type": "boolean"}),
    st.integers(-20, 20).map(lambda low: {"type": "integer", "minimum": low, "maximum": low + 9}),
    st.integers(1, 30).map(lambda longest: {"type": "string", "maxLength": longest, "minLength": 1}),
)


@given(st.dictionaries(words, parts, min_size=1, max_size=4), st.text(max_size=60), st.sampled_from([0.0, 0.7, 5.0]), st.integers(0, 2**63))
async def test_a_reply_by_fields_is_valid_whatever_the_model_says(properties, said, heat, draw):
    schema = flat(**properties)
    asked: list[Request] = []

    async def ask(request, _):
        asked.append(request)
        assert request.blocks[-1].role == "assistant" and request.schema is None
        count = len(request.options)
        return Reply(text=said, probabilities=(1 / count,) * count if count else (), usage=Usage(calls=1, prompt_tokens=9))

    request = Request((Block("What now?"),), schema=schema, sampling=Sampling(heat, max_tokens=50))
    fields = plan(request)
    assert fields is not None
    reply = await by_fields(ask, request, draw, fields)
    if reply is None:
        assert any(not field.values for field in fields)  # only a text can come back empty
        return
    assert faults(reply.value, schema) == "" and json.loads(reply.text) == reply.value and reply.usage.calls == 1
    again = await by_fields(ask, request, draw, fields)
    assert again is not None and again.value == reply.value
    for one in asked:
        assert all(not other.startswith(option) for option in one.options for other in one.options if other != option)


def test_values_are_drawn_by_their_shares():
    counts = [0, 0, 0]
    for draw in range(3000):
        counts[picked((0.2, 0.5, 0.3), 1.0, draw, 0)] += 1
    assert [count / 3000 for count in counts] == pytest.approx([0.2, 0.5, 0.3], abs=0.04)
    assert picked((0.2, 0.5, 0.3), 0.0, 7, 0) == 1
    assert {picked((0.2, 0.5, 0.3), 0.01, draw, 0) for draw in range(50)} == {1}


def writing(length, most=10):
    return Writing((1,) * length, most, (), threading.Event(), Future())


def test_texts_of_near_lengths_share_a_batch_within_memory_and_choices_go_alone():
    queue = [writing(20), writing(60), writing(24), Scoring((1,), ((2,),), threading.Event(), Future()), writing(30), writing(14)]
    assert fitting(queue, 12, 10_000) == [queue[0], queue[2], queue[4]]  # 14 is too far from 30
    assert fitting(queue, 0, 10_000) == [queue[0]]
    assert fitting(queue, 12, 2 * 34) == [queue[0], queue[2]]
    assert fitting(queue[3:], 12, 10_000) == [queue[3]]
    assert len(fitting([writing(20) for _ in range(50)], 0, 10_000)) == 32


@given(st.lists(st.binary(min_size=1, max_size=4), min_size=1, max_size=20), st.binary(min_size=1, max_size=3), st.integers(1, 25))
def test_a_text_ends_before_its_stop_word_or_at_its_limit(pieces, stop, most):
    job = Writing((1,), most, (stop,), threading.Event(), Future())
    for piece in pieces:
        if job.take(piece):
            break
    assert stop not in job.written and job.tokens <= most
    whole = b"".join(pieces[: job.tokens])
    assert bytes(job.written) == (whole.partition(stop)[0] if job.finish == "stop" else whole)
    assert (job.finish == "length") == (stop not in whole and job.tokens == most)


@pytest.mark.parametrize("gathers", [True, False])
def test_an_engine_that_gathers_by_itself_gets_all_its_places_at_once(gathers):
    facts = BackendFacts("x", "digest", parallel=64, gathers=gathers)
    assert (Channel(SimpleNamespace(facts=facts), None).limiter.places == 64) is gathers
