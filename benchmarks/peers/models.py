"""Clients and simulators beside one another: the same turns against the same server, each in an environment of its own.

Prints one JSON line: turns a second and CPU milliseconds a turn, or why there is no figure. Environments are made once, in the folder
given (default: ``benchmarks/peers/environments``), by pip from the package index. ``python benchmarks/peers/models.py --turns 500``.
An agent of AgentScope answers one message; of mesa-llm it is the client that all its agents ask by; Concordia's is its minimal
entity, which acts by one call, in threads; OASIS's is a whole turn by its language action, with random feeds. TinyTroupe has only a
placeholder on the package index.
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
    "gdm-concordia": """
from concurrent.futures import ThreadPoolExecutor
import numpy as np
from openai import OpenAI
from concordia.associative_memory.basic_associative_memory import AssociativeMemoryBank
from concordia.language_model.language_model import LanguageModel
from concordia.prefabs.entity import minimal
from concordia.typing import entity

class Model(LanguageModel):
    client = OpenAI(base_url=base, api_key="none", max_retries=0)
    def sample_text(self, prompt, **given):
        body = [{"role": "user", "content": prompt}]
        return self.client.chat.completions.create(model="m", messages=body).choices[0].message.content
    def sample_choice(self, prompt, responses, **given):
        return 0, responses[0], {}

model = Model()
def made(number):
    prefab = minimal.Entity(params={"name": f"Player {number}", "goal": "win", "custom_instructions": "You play a guessing game."})
    return prefab.build(model, AssociativeMemoryBank(lambda text: np.full(8, float(len(text)))))
entities = [made(number) for number in range(turns)]
asked = entity.ActionSpec(call_to_action=TEXT, output_type=entity.OutputType.FREE)
with ThreadPoolExecutor(flight) as pool:
    list(pool.map(lambda one: one.act(asked), entities[:flight]))
    wall, cpu = time.perf_counter(), time.process_time()
    said = list(pool.map(lambda one: one.act(asked), entities))
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
assert all("33.5" in one for one in said)
sys.stdout.write("RESULT" + json.dumps({"turns_per_second": round(turns / wall, 1), "cpu_ms": round(1e3 * cpu / turns, 3)}) + "\\n")
""",
    "camel-oasis": """
import os, tempfile
os.chdir(tempfile.mkdtemp())  # it writes log files where it stands
import oasis
from camel.models import ModelFactory
from camel.types import ModelPlatformType
from camel.utils import BaseTokenCounter
from oasis.social_platform import Channel
from oasis.social_platform.platform import Platform

class Counter(BaseTokenCounter):  # its own downloads a table when it is made
    def count_tokens_from_messages(self, messages):
        return sum(len(str(one.get("content"))) // 4 for one in messages)
    def encode(self, text):
        return list(text.encode())
    def decode(self, numbers):
        return bytes(numbers).decode()

kind = ModelPlatformType.OPENAI_COMPATIBLE_MODEL
model = ModelFactory.create(model_platform=kind, model_type="m", url=base, api_key="none", token_counter=Counter())

async def main():
    graph = oasis.AgentGraph()
    for number in range(flight):
        about = oasis.UserInfo(user_name=f"u{number}", name=f"U{number}", description=TEXT, profile=None, recsys_type="reddit")
        graph.add_agent(oasis.SocialAgent(agent_id=number, user_info=about, agent_graph=graph, model=model))
    platform = Platform(db_path=os.path.abspath("platform.db"), channel=Channel(), recsys_type="random", refresh_rec_post_count=2)
    env = oasis.make(agent_graph=graph, platform=platform, database_path=os.path.abspath("platform.db"), semaphore=flight)
    await env.reset()
    agents = [agent for _, agent in env.agent_graph.get_agents()]
    await env.step({agents[0]: oasis.ManualAction(oasis.ActionType.CREATE_POST, {"content": "Good morning."})})
    rounds = max(1, turns // flight)
    wall, cpu = time.perf_counter(), time.process_time()
    for _ in range(rounds):
        await env.step({agent: oasis.LLMAction() for agent in agents})
    wall, cpu, done = time.perf_counter() - wall, time.process_time() - cpu, rounds * flight
    sys.stdout.write("RESULT" + json.dumps({"turns_per_second": round(done / wall, 1), "cpu_ms": round(1e3 * cpu / done, 3)}) + "\\n")
    sys.stdout.flush()
    os._exit(0)
asyncio.run(main())
""",
}
PINNED = {  # interfaces change between versions
    "edsl": "edsl==1.0.9",
    "agentscope": "agentscope==2.0.10",
    "mesa-llm": "mesa-llm==0.2.0",
    "gdm-concordia": "gdm-concordia==2.1.0",
    "camel-oasis": "camel-oasis==0.2.5",
}
FIRST = {"camel-oasis": ["torch==2.13.0"]}  # installed before, so that the peer's own wish does not bring a build for graphics cards
NEEDS = {"edsl": ["openai"], "camel-oasis": ["mcp<2"]}  # what a peer needs for this and does not install by itself


def measured(peer: str, folder: Path, base: str, turns: int, flight: int) -> dict[str, object]:
    """One peer's figures, or its error."""
    place = folder / peer
    python = place / "bin" / "python"
    if not python.exists():
        venv.create(place, with_pip=True)
        for wanted in (FIRST.get(peer, []), [PINNED.get(peer, peer), *NEEDS.get(peer, [])]):
            command = [str(python), "-m", "pip", "install", "-q", *wanted]
            installed = subprocess.run(command, capture_output=True, text=True, check=False) if wanted else None
            if installed is not None and installed.returncode:
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
    parser.add_argument("--peer", action="append", help="only this one; may be given again")
    parser.add_argument("--folder", type=Path, default=Path(__file__).parent / "environments")
    given = parser.parse_args()
    with delayed_server("33.5", given.delay) as base:
        found = {peer: measured(peer, given.folder, base, given.turns, given.flight) for peer in given.peer or (*PEERS, *ALONE)}
    sys.stdout.write(json.dumps({"bench": "peers_models", "in_flight": given.flight, "turns": given.turns, "peers": found}) + "\n")


if __name__ == "__main__":
    main()
