"""The controlled backend: valid replies to anything, the same ones each time, in any order."""

from __future__ import annotations

import asyncio
import subprocess
import sys

import pytest

from sociarium.kernel.content import Block
from sociarium.kernel.errors import UsageError
from sociarium.kernel.protocols import Address
from sociarium.models.backend import Backend
from sociarium.models.backends.scripted import register_script
from sociarium.models.opening import open_backend
from sociarium.models.request import Request, Sampling, request_id
from sociarium.models.service import ModelService
from sociarium.models.structured import parse
from sociarium.testing.memory_journal import MemoryJournal
from sociarium.testing.virtual_time import run_virtual

SCHEMA = {
    "type": "object",
    "properties": {"catch": {"type": "integer", "minimum": 3, "maximum": 5}, "why": {"type": "string", "maxLength": 30}},
    "required": ["catch", "why"],
}


def ask(text="?", temperature=1.0, **more):
    return Request((Block(text),), sampling=Sampling(temperature), **more)


async def test_a_schema_is_answered_with_a_valid_value_drawn_from_the_draw():
    backend = open_backend("scripted:schema")
    texts = [(await backend.complete(ask(schema=SCHEMA), draw)).text for draw in range(50)]
    assert all(not parse(text, SCHEMA).error for text in texts)
    assert {parse(text, SCHEMA).value["catch"] for text in texts} == {3, 4, 5}
    assert texts == [(await backend.complete(ask(schema=SCHEMA), draw)).text for draw in range(50)]


async def test_fixed_requests_do_not_look_at_the_draw():
    backend = open_backend("scripted:schema")
    assert (await backend.complete(ask(temperature=0.0), 1)).text == (await backend.complete(ask(temperature=0.0), 2)).text


async def test_seeds_and_tags_are_other_models():
    one, two = open_backend("scripted:schema?seed=1"), open_backend("scripted:schema?seed=2")
    assert one.facts.digest != two.facts.digest
    assert (await one.complete(ask(), 1)).text != (await two.complete(ask(), 1)).text
    assert open_backend("scripted:schema?delay=1&parallel=3").facts.digest == open_backend("scripted:schema").facts.digest


async def test_choices_and_vectors_fit_their_request():
    backend = open_backend("scripted:echo")
    chosen = await backend.complete(Request((Block("?"),), "choose", options=("a", "b", "c")), None)
    assert sum(chosen.probabilities) == pytest.approx(1.0)
    embedded = await backend.complete(Request(kind="embed", texts=("a", "b", "a")), None)
    assert embedded.vectors[0] == embedded.vectors[2] != embedded.vectors[1]
    assert sum(one * one for one in embedded.vectors[0]) == pytest.approx(1.0)


async def test_each_reply_says_what_it_answers_and_what_it_cost():
    reply = await open_backend("scripted:echo").complete(ask("hello " * 40), 7)
    assert reply.echo == request_id(ask("hello " * 40), 7)
    assert reply.usage.prompt_tokens == 61
    assert reply.text == "hello " * 40


def test_random_delays_shuffle_the_order_and_nothing_else():
    def run(spec):
        async def work():
            journal = MemoryJournal()
            door = ModelService({"default": open_backend(spec)}, journal=journal, seed=4)
            asked = (door.ask(ask(schema=SCHEMA), Address(0, "p", 0, 0, f"agent:{number}", "act")) for number in range(40))
            replies = await asyncio.gather(*asked)
            return [address.asker for what, address in journal.log if what == "append"], replies, asyncio.get_running_loop().time()

        order, replies, seconds = run_virtual(work())
        return order, [reply.value for reply in replies], seconds

    still = run("scripted:schema?delay=0.5&spread=0")
    shuffled = run("scripted:schema?delay=0.5")
    assert sorted(shuffled[0]) == sorted(still[0])
    assert shuffled[0] != still[0]
    assert shuffled[1] == still[1]
    assert still[2] == pytest.approx(0.5 * 3)  # the limiter starts with 16 places
    assert run("scripted:schema?delay=0.5")[0] == shuffled[0]


async def test_scripts_can_be_added_once():
    def backwards(options):
        step = options.take("step", int, -1)
        return lambda request, draw: request.blocks[-1].text[::step]

    register_script("backwards", backwards)
    assert (await open_backend("scripted:backwards").complete(ask("abc"), None)).text == "cba"
    assert (await open_backend("scripted:backwards?step=2").complete(ask("abc"), None)).text == "ac"
    with pytest.raises(UsageError, match="already"):
        register_script("backwards", backwards)


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("scripted:nobody", "Scripts: .*echo"),
        ("scripted:echo?colour=red", "unknown option colour"),
        ("scripted:schema?delay=soon", "not a valid float"),
        ("scripted:schema?delay=-1", "at least 0"),
        ("scripted:schema?delay=nan", "at least 0"),
        ("gpt-5", "openai:MODEL"),
        ("", "scripted:NAME"),
    ],
)
def test_what_cannot_be_opened_is_one_clear_error(spec, words):
    with pytest.raises(UsageError, match=words):
        open_backend(spec)


def test_a_pattern_needs_an_example():
    schema = {"type": "string", "pattern": "^[A-Z]{3}$", "examples": ["abc", "ABC"]}

    async def work(schema):
        return (await open_backend("scripted:schema").complete(ask(schema=schema), 1)).text

    assert run_virtual(work(schema)) == '"ABC"'
    with pytest.raises(UsageError, match="example"):
        run_virtual(work({"type": "string", "pattern": "^[A-Z]{3}$"}))


def test_it_keeps_the_contract():
    assert isinstance(open_backend("scripted:echo"), Backend)


def test_opening_a_script_imports_nothing_heavy():
    code = (
        "import sys; from sociarium.models.opening import open_backend; from sociarium.models.service import ModelService;"
        "open_backend('scripted:schema'); heavy = {'aiohttp', 'pydantic', 'polars', 'wordllama', 'xllamacpp', 'numba'} & set(sys.modules);"
        "assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": "src"}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
