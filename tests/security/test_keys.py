"""S8: a key reaches the server it is for and nothing else, whatever the server does with it."""

from __future__ import annotations

import io
import json
import logging
import os
import resource
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from sociarium.kernel.content import Block
from sociarium.kernel.errors import ModelError, UsageError
from sociarium.kernel.outcomes import Status
from sociarium.kernel.protocols import Address
from sociarium.lab import running
from sociarium.lab.running import Options
from sociarium.models.backends.faulty import FAULTS
from sociarium.models.opening import open_backend, prepared
from sociarium.models.request import Request
from sociarium.models.retry import RetryPolicy
from sociarium.models.secret import no_core_dumps, without_keys
from sociarium.models.service import ModelService
from sociarium.record.frames import frames
from sociarium.scenarios import catalogue
from sociarium.testing.faulty_server import FaultyServer
from sociarium.testing.memory_journal import MemoryJournal
from sociarium.testing.wire import Call, RawServer, Wire

CANARY = "sk-canary-91b7c3e5f0a2"
SOON = RetryPolicy(attempts=2, turned_away=2, first_wait=0.001, longest_wait=0.002, longest_wish=0.05)
WHERE = Address(0, "act", 0, 0, "agent:1", "act")


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POND_KEY", CANARY)


@pytest.fixture
def log() -> Any:
    """Everything that anybody logs, at the level of debugging."""
    text = io.StringIO()
    handler, root = logging.StreamHandler(text), logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield text
    root.removeHandler(handler)
    root.setLevel(level)


@pytest.mark.parametrize("kind", FAULTS)
async def test_under_every_fault_of_an_indiscreet_server_no_key_is_kept(kind: str, tmp_path: Path, log: Any, capfd: Any) -> None:
    async with FaultyServer({kind: 0.6}, seed=3, indiscreet=True) as server:
        spec = f"{server.url}#tiny?key=POND_KEY&connect=0.1&probe=no"
        scenario = catalogue.scenario("agentscope").of({"participants": 8, "rounds": 1, "attempts": 1, "model": spec})
        options = Options(retry=SOON, timeout=0.3 if kind == "read_timeout" else 30.0)
        finished = await running.start(scenario, 1, tmp_path / "run", options)
        for backend in options.backends.values():
            assert CANARY not in repr(vars(backend))
            await backend.close()
    await running.replay(tmp_path / "run", catalogue.scenario)
    with closing(frames(tmp_path / "run")) as found:
        tables = [found.calls(), found.outcome_rows(), found.refusals(), found.events().collect(), found.agents(), found.measures()]
    out, err = capfd.readouterr()
    said = [json.dumps(finished.summary.plain()), log.getvalue(), out, err, *(str(table.rows()) for table in tables)]
    assert kind == "connect_timeout" or server.injected().get(kind), "nothing was injected: nothing was tested"
    assert not any(CANARY in text for text in said)
    kept = [file for file in tmp_path.rglob("*") if file.is_file() and CANARY.encode() in file.read_bytes()]
    assert not kept


def speaking(**told: Any) -> Any:
    """A handler that repeats the key wherever ``told`` says: the text, the model's name, the reason for the end."""

    async def handler(call: Call, wire: Wire) -> None:
        key = call.headers.get("authorization", "").removeprefix("Bearer ")
        filled = {name: text.replace("KEY", key) for name, text in told.items()}
        body = json.dumps(
            {
                "model": filled.get("model", "m"),
                "choices": [{"message": {"content": filled.get("text", "NUMBER")}, "finish_reason": filled.get("finish", "stop")}],
                "usage": {"prompt_tokens": 3, "completion_tokens": 2},
            }
        )
        if "escaped" in told:
            body = body.replace("NUMBER", "".join(f"\\u{ord(letter):04x}" for letter in key))
        await wire.respond(200, body.encode())

    return handler


@pytest.mark.parametrize(
    "told", [{"text": "Your key is KEY, is it not?"}, {"model": "KEY"}, {"finish": "KEY"}, {"escaped": "yes"}], ids=str
)
async def test_an_answer_that_holds_the_key_is_no_models_answer(told: dict[str, str]) -> None:
    journal = MemoryJournal()
    async with RawServer(speaking(**told)) as server:
        backend = open_backend(f"http://127.0.0.1:{server.port}/v1#tiny?key=POND_KEY&probe=no")
        door = ModelService({"default": backend}, journal=journal, seed=0, retry=SOON)
        reply = await door.ask(Request((Block("How much?"),)), WHERE)
        await door.close()
    assert reply.status is Status.FAILED
    assert "holds the key" in reply.error
    assert CANARY not in journal.text + repr(reply)
    assert reply.usage.completion_tokens > 0, "what came was billed"


async def test_a_short_key_is_a_word_that_a_model_may_say(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POND_KEY", "EMPTY")
    async with RawServer(speaking(text="The lake is EMPTY.")) as server:
        backend = open_backend(f"http://127.0.0.1:{server.port}/v1#tiny?key=POND_KEY&probe=no")
        reply = await backend.complete(Request((Block("How is the lake?"),)), None)
        await backend.close()
    assert reply.text == "The lake is EMPTY."


@pytest.mark.parametrize("before", [280, 290, 295, 299, 19_990])
async def test_a_message_that_is_cut_leaves_no_part_of_the_key(before: int) -> None:
    async def handler(call: Call, wire: Wire) -> None:
        await wire.respond(500, ("x" * before + call.headers["authorization"]).encode())

    journal = MemoryJournal()
    async with RawServer(handler) as server:
        backend = open_backend(f"http://127.0.0.1:{server.port}/v1#tiny?key=POND_KEY&probe=no")
        door = ModelService({"default": backend}, journal=journal, seed=0, retry=SOON)
        await door.ask(Request((Block("How much?"),)), WHERE)
        await door.close()
    assert CANARY[:6] not in journal.text


async def test_an_announcement_that_holds_the_key_is_refused() -> None:
    async def handler(call: Call, wire: Wire) -> None:
        key = call.headers["authorization"].removeprefix("Bearer ")
        row = {"id": "tiny", "sociarium": {"ask": 1, "digest": key, "engine": {}, "exact": True, "parallel": 4, "prices": {}}}
        await wire.respond(200, {"data": [row]})

    async with RawServer(handler) as server:
        with pytest.raises(ModelError) as error:
            await prepared(open_backend(f"http://127.0.0.1:{server.port}/v1#tiny?key=POND_KEY"))
    assert CANARY not in str(error.value)


@pytest.mark.parametrize(
    "spec",
    [
        "http://127.0.0.1:9/v1#tiny?key={key}",
        "http://127.0.0.1:9/v1#tiny?parallel=many&key={key}",
        "http://127.0.0.1:9/v1#tiny?key={key}&nonsense=1",
        "http://user:{key}@127.0.0.1:9/v1#tiny",
        "http://{key}@127.0.0.1:9/v1#tiny?parallel=many",
        "http://127.0.0.1:9/v1?api_key={key}#tiny",
        "http://127.0.0.1:9/v1#tiny?api_key={key}",
        "http://127.0.0.1:9/v1#tiny?token={key}",
        "openai:gpt-4o?key={key}",
        "anthropic:claude?api-key={key}",
        "http://127.0.0.1:9/v1#tiny?x-api-key={key}",
        "http://127.0.0.1:9/v1#tiny?parallel=2&OPENAI_API_KEY={key}",
        "http://127.0.0.1:9/v1#tiny?access_token={key}",
        "faulty:often:http://127.0.0.1:9/v1#tiny?key={key}",
        "nothing:known?key={key}",
    ],
)
def test_a_key_in_a_models_name_is_refused_and_not_shown(spec: str) -> None:
    with pytest.raises(UsageError) as error:
        open_backend(spec.format(key=CANARY))
    told = f"{error.value} {error.value!r} {error.getrepr(style='long', showlocals=False)}".replace(spec.format(key=CANARY), "")
    assert CANARY not in str(error.value)
    assert CANARY not in repr(error.value.__cause__) + repr(error.value.__context__)
    assert "key" in str(error.value), told


def test_children_that_ask_no_model_get_no_key() -> None:
    told = without_keys({**os.environ, "OPENAI_API_KEY": CANARY, "HF_TOKEN": CANARY, "MY_SECRET": CANARY, "PLACE": "here"})
    assert CANARY not in str(told)
    assert told["PLACE"] == "here"


def test_a_worker_of_a_cluster_is_started_without_keys() -> None:
    code = (
        "import os, pathlib\n"
        "from sociarium.cluster.actors import Cluster\n"
        "with Cluster(1) as cluster:\n"
        "    print(pathlib.Path(f'/proc/{cluster.pids()[0]}/environ').read_bytes().decode())\n"
    )
    if not Path("/proc/self/environ").exists():
        pytest.skip("no /proc here")
    source = str(Path(__file__).parents[2] / "src")
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ, "PYTHONPATH": source}, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "PATH" in done.stdout
    assert CANARY not in done.stdout


def test_the_command_line_leaves_no_core_dumps() -> None:
    before = resource.getrlimit(resource.RLIMIT_CORE)
    no_core_dumps()
    assert resource.getrlimit(resource.RLIMIT_CORE) == (0, before[1])
    resource.setrlimit(resource.RLIMIT_CORE, before)
