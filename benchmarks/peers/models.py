"""Clients and simulators beside one another: the same turns against the same server, each in an environment of its own.

Prints one JSON line: turns a second and CPU milliseconds a turn, or why there is no figure. Environments are made once, in the folder
given (default: ``benchmarks/peers/environments``), by pip from the package index. ``python benchmarks/peers/models.py --turns 500``.
An agent of AgentScope answers one message; of mesa-llm it is the client that all its agents ask by. Peers that ask nothing before they have
written code, or that make several calls a turn, are left out: their turns are other turns.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import venv
from pathlib import Path

from sociarium.testing.delayed_server import delayed_server

HEAD = """
import asyncio, json, sys, time
base, turns, flight = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
TEXT = "Guess two thirds of the mean of all guesses, between 0 and 100. " * 9
"""
TAIL = """
async def main():
    async def worker(left):
        while left:
            left.pop()
            await ask()
    await asyncio.gather(*(worker([0]) for _ in range(flight)))
    left = list(range(turns))
    wall, cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(*(worker(left) for _ in range(flight)))
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    sys.stdout.write("RESULT" + json.dumps({"turns_per_second": round(turns / wall, 1), "cpu_ms": round(1e3 * cpu / turns, 3)}) + "\\n")
asyncio.run(main())
"""
PEERS = {
    "httpx": """
import httpx
client = httpx.AsyncClient(limits=httpx.Limits(max_connections=None), timeout=60)
async def ask():
    body = {"model": "m", "messages": [{"role": "user", "content": TEXT}]}
    (await client.post(base + "/chat/completions", json=body)).json()
""",
    "openai": """
from openai import AsyncOpenAI
client = AsyncOpenAI(base_url=base, api_key="none", max_retries=0)
async def ask():
    await client.chat.completions.create(model="m", messages=[{"role": "user", "content": TEXT}])
""",
    "aiohttp": """
import aiohttp
session = None
async def ask():
    global session
    if session is None:
        session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
    async with session.post(base + "/chat/completions", json={"model": "m", "messages": [{"role": "user", "content": TEXT}]}) as answer:
        await answer.json()
""",
    "agentscope": """
from agentscope.agent import Agent
from agentscope.credential import OpenAICredential
from agentscope.message import Msg, TextBlock
from agentscope.model import OpenAIChatModel
model = OpenAIChatModel(OpenAICredential(api_key="none", base_url=base), "m", stream=False)
made = 0
async def ask():
    global made
    made += 1
    agent = Agent(f"guesser {made}", "You play a guessing game.", model)
    await agent.reply(Msg(name="world", content=[TextBlock(text=TEXT)], role="user"))
""",
    "mesa-llm": """
import os
os.environ |= {"OPENAI_API_KEY": "none", "OPENAI_API_BASE": base}
from mesa_llm.module_llm import ModuleLLM
guesser = ModuleLLM("openai/m", system_prompt="You play a guessing game.")
async def ask():
    await guesser.agenerate(TEXT)
""",
}
ALONE = {  # peers that share their calls out by themselves
    "edsl": """
import os
os.environ |= {"OPENAI_API_KEY": "none", "OPENAI_COMPATIBLE_API_KEY": "none"}
from edsl import Agent, AgentList, Model, QuestionFreeText
agents = AgentList([Agent(traits={"number": number}) for number in range(turns)])
model = Model("m", service_name="openai_compatible", base_url=base)
question = QuestionFreeText(question_name="guess", question_text=TEXT).by(agents).by(model)
wall, cpu = time.perf_counter(), time.process_time()
found = question.run(disable_remote_inference=True, disable_remote_cache=True, cache=False, progress_bar=False)
wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
assert all(answer == "33.5" for answer in found.select("answer.guess").to_list())
sys.stdout.write("RESULT" + json.dumps({"turns_per_second": round(turns / wall, 1), "cpu_ms": round(1e3 * cpu / turns, 3)}) + "\\n")
""",
}
PINNED = {  # interfaces change between versions
    "edsl": "edsl==1.0.9",
    "agentscope": "agentscope==2.0.10",
    "mesa-llm": "mesa-llm==0.2.0",
}
NEEDS = {"edsl": ["openai"]}  # what a peer needs for this and does not install by itself


def measured(peer: str, folder: Path, base: str, turns: int, flight: int) -> dict[str, object]:
    """One peer's figures, or its error."""
    place = folder / peer
    python = place / "bin" / "python"
    if not python.exists():
        venv.create(place, with_pip=True)
        command = [str(python), "-m", "pip", "install", "-q", PINNED.get(peer, peer), *NEEDS.get(peer, [])]
        installed = subprocess.run(command, capture_output=True, text=True, check=False)
        if installed.returncode:
            return {"error": f"does not install: {installed.stderr[-300:]}"}
    script = HEAD + (ALONE[peer] if peer in ALONE else PEERS[peer] + TAIL)
    command = [str(python), "-c", script, base, str(turns), str(flight)]
    try:
        ran = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    except subprocess.TimeoutExpired:
        return {"error": "not done within 300 s"}
    lines = [line for line in ran.stdout.splitlines() if line.startswith("RESULT")]
    return json.loads(lines[0][6:]) if lines else {"error": (ran.stderr or ran.stdout)[-300:]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=1000)
    parser.add_argument("--flight", type=int, default=64, help="calls in flight")
    parser.add_argument("--delay", type=float, default=0.05, help="seconds")
    parser.add_argument("--folder", type=Path, default=Path(__file__).parent / "environments")
    given = parser.parse_args()
    with delayed_server("33.5", given.delay) as base:
        found = {peer: measured(peer, given.folder, base, given.turns, given.flight) for peer in (*PEERS, *ALONE)}
    sys.stdout.write(json.dumps({"bench": "peers_models", "in_flight": given.flight, "turns": given.turns, "peers": found}) + "\n")


if __name__ == "__main__":
    main()
