"""The matrix of faults: fourteen kinds at four rates over three scenarios, 168 cases, each over real HTTP.

``python tests/faults/matrix.py`` (``make faults``) plays all of them with 200 agents and prints the table; the tests play a spread.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sociarium.kernel.outcomes import STATUS_NAMES
from sociarium.lab import running
from sociarium.lab.running import Finished, Options
from sociarium.models.backends.faulty import FAULTS
from sociarium.models.backends.invent import Invention
from sociarium.models.backends.scripted import ScriptedBackend
from sociarium.models.request import Reply, Request, facts_digest, key_from
from sociarium.models.retry import RetryPolicy
from sociarium.record.frames import frames
from sociarium.record.run import RunRecord
from sociarium.scenarios import catalogue
from sociarium.testing.faulty_server import MARK, FaultyServer, Injected

RATES = (0.01, 0.1, 0.5, 1.0)
SCENARIOS = ("govsim", "donor-game", "agentscope")
AGENTS = 200
SOON = RetryPolicy(attempts=3, turned_away=4, first_wait=0.001, longest_wait=0.002, longest_wish=0.05)  # seconds
PATIENT, HURRIED, CONNECT = 60.0, 0.5, 0.1  # seconds: of an attempt, of one where answers may stay away, of a connection
NOTED = {  # how the attempt log names a fault whose answer is no answer
    "rate_limited_silent": "rate_limited",
    "wrong_schema": "wrong_shape",
}
TELLING = frozenset({"act", "harvest", "gift"})  # questions whose free text must hold a decision


@dataclass(frozen=True, slots=True)
class Case:
    kind: str
    rate: float
    slug: str
    agents: int = AGENTS

    def __str__(self) -> str:
        return f"{self.kind}-{self.rate:g}-{self.slug}-{self.agents}"


@dataclass(slots=True)
class Played:
    """What a case came to. ``turns``: agent-turns by outcome; ``injected``: by the server's log; ``attempts``: calls on the record."""

    case: Case
    turns: dict[str, int]
    fallbacks: int
    refused: int
    injected: int
    failed: dict[str, int]
    attempts: int
    most_retries: int
    seconds: float
    wrong: list[str] = field(default_factory=list[str])


class Counting:
    """A gate that changes nothing and counts the agent-turns that are due."""

    def __init__(self) -> None:
        self.due = 0

    async def review(self, turn: Any, seen: Any, actions: Any) -> Any:
        self.due += len(turn.agents)
        return actions


def settings(case: Case) -> dict[str, Any]:
    """Parameters with which the scenario has so many agents, and few rounds."""
    if case.slug == "govsim":
        # "answer": a schema that states the legal set leaves nothing illegal to say
        small = {
            "max_conversation_steps": 4,
            "max_rounds": 2,
            "pace": "brief",
            "embedder": "hashing",
            "answer": "answer",
            "temperature": 0.8,
        }
        return {"lakes": case.agents // 5, **small}
    if case.slug == "donor-game":
        return {"agents": case.agents, "generations": 1, "rounds": 2, "answer": "answer", "retries": 1}
    return {"participants": case.agents, "rounds": 1, "attempts": 2}


def speaker() -> ScriptedBackend:
    """Valid values where a schema is given; in free words a strategy and a small number, as the prompts ask for."""

    def script(request: Request, draw: int | None) -> Reply | str:
        reply = Invention(0, request, draw).reply()
        if request.kind != "complete" or request.schema is not None:
            return reply
        return f"{reply.text}\n\nMy strategy will be to give a part of what I have.\n\nAnswer: {len(reply.text) % 3 + 1}"

    return ScriptedBackend(script, tag="speaker")


async def play(case: Case, folder: Path, seed: int = 7) -> Played:
    """Run the case, look at the record, and replay it without a server."""
    began = time.perf_counter()
    gate = Counting()
    async with FaultyServer({case.kind: case.rate}, backend=speaker(), seed=seed) as server:
        connect = f"&connect={CONNECT}" if case.kind == "connect_timeout" else ""
        spec = f"{server.url}#tiny?parallel=256&probe=no{connect}"  # the question what it serves is none of the run's calls
        scenario = catalogue.scenario(case.slug).of({**settings(case), "model": spec})
        timeout = PATIENT if case.kind != "read_timeout" else HURRIED if case.rate == 1.0 else 6 * HURRIED  # good answers need their time
        options = Options(retry=SOON, timeout=timeout, on_built=[lambda _, simulation: simulation.gates.append(gate)])
        finished = await running.start(scenario, seed, folder, options)
        for backend in options.backends.values():
            await backend.close()
    replayed = await running.replay(folder, catalogue.scenario)
    record = Record.read(folder)
    said = finished.summary
    notes = [len(entry["attempts"]) for entry in record.journal]
    played = Played(
        case,
        dict(said.turns),
        said.fallbacks,
        sum(said.refused.values()),
        len(server.log),
        dict(Counter(note["kind"] for entry in record.journal for note in entry["attempts"])),
        sum(entry["calls"] for entry in record.journal),
        max(notes, default=0),
        0.0,
    )
    played.wrong += [
        *outcomes(finished, record, gate.due),
        *caps(record),
        *visible(case, record, server.log),
        *counted(server, played),
        *hidden(folder, record),
        *(["the replay has another digest"] if replayed.digest != finished.digest else []),
        *(["the replay sums up otherwise"] if replayed.summary.turns != said.turns else []),
    ]
    played.seconds = time.perf_counter() - began
    return played


@dataclass(slots=True)
class Record:
    """What the record holds, as plain rows."""

    journal: list[dict[str, Any]]
    outcomes: dict[str, int]
    rows: list[dict[str, Any]]
    refusals: list[dict[str, Any]]
    model: str  # the part of a key that names it

    @classmethod
    def read(cls, folder: Path) -> Record:
        with closing(frames(folder)) as found:
            counts = found.outcomes()
            shares = {name: int(counts.filter(counts["status"] == name)["count"].sum()) for name in STATUS_NAMES}
            rows, refusals = found.outcome_rows().to_dicts(), found.refusals().to_dicts()
        with RunRecord.open(folder, mode="read") as record:
            facts = running.facts_of(record.manifest["models"]["default"]["facts"])
            journal = [dict(entry) for entry in entries(folder)]
        return cls(journal, {name: n for name, n in shares.items() if n}, rows, refusals, facts_digest(facts))


def entries(folder: Path) -> Iterator[dict[str, Any]]:
    with closing(sqlite3.connect(f"file:{folder / 'run.sqlite'}?mode=ro", uri=True)) as connection:
        connection.row_factory = sqlite3.Row
        for row in connection.execute("SELECT * FROM journal WHERE source = 'live' ORDER BY id"):
            yield {**dict(row), "attempts": json.loads(row["attempts"]), "reply": json.loads(row["reply"])}


def outcomes(finished: Finished, record: Record, due: int) -> Iterator[str]:
    """Each agent-turn that was due ends in one recorded outcome; what stood in is marked, and the summary shows it."""
    counted = sum(record.outcomes.values())
    if not counted == sum(finished.summary.turns.values()) == due > 0:
        yield f"{due} agent-turns were due, {counted} outcomes are recorded, {sum(finished.summary.turns.values())} are in the summary"
    if record.outcomes != {name: n for name, n in finished.summary.turns.items() if n}:
        yield "the summary has other outcomes than the record"
    places = Counter((row["tick"], row["phase"], row["lane"], row["turn"], row["agent"]) for row in record.rows)
    if places and max(places.values()) > 1:
        yield f"an agent-turn has two outcomes: {places.most_common(1)}"
    marked = sum(bool(row["fallback"]) for row in record.rows)
    if marked != finished.summary.fallbacks:
        yield f"{marked} agent-turns are marked as fallbacks, the summary has {finished.summary.fallbacks}"
    for row in record.rows:
        if row["status"] not in ("ok", "repaired") and not row["reason"]:
            yield f"no reason is given for {row}"
            return


def caps(record: Record) -> Iterator[str]:
    """No question is asked more often than the retry policy allows."""
    for entry in record.journal:
        kinds = Counter(note["kind"] for note in entry["attempts"])
        refusals = kinds.pop("rate_limited", 0)
        if refusals > SOON.turned_away or kinds.total() > SOON.attempts:
            yield f"{refusals} refusals and {kinds.total()} failures at one address"
            return
        if entry["calls"] > SOON.attempts + SOON.turned_away:
            yield f"{entry['calls']} calls at one address"
            return


def visible(case: Case, record: Record, log: list[Injected]) -> Iterator[str]:
    """Every fault that the server injected is in the attempt log, or in the outcome of its reply."""
    by_key: dict[str, list[dict[str, Any]]] = {}
    for entry in record.journal:
        by_key.setdefault(entry["key"], []).append(entry)
    kept = {(row["tick"], row["phase"], row["turn"], f"agent:{row['agent']}"): row["status"] for row in record.rows}
    injected = Counter((key_from(record.model, one.question), one.kind, one.form) for one in log)
    for (key, kind, form), times in injected.items():
        found = by_key.get(key, [])
        if form != "text" or kind == "misaligned":
            name = NOTED.get(kind, kind)
            noted = sum(note["kind"] == name for entry in found for note in entry["attempts"])
        else:
            noted = sum(shown(kind, entry, kept) for entry in found)
        if noted < times:
            status = [(entry["label"], entry["reply"]["status"], entry["attempts"]) for entry in found]
            yield f"{kind} ({form}) was injected {times} times, the record shows {noted}: {status}"[:600]
            return
    if (
        case.rate == 1.0
        and case.kind not in ("illegal", "wrong_schema", "endless")
        and record.outcomes.get("ok", 0) == sum(record.outcomes.values())
    ):
        yield "every answer was a fault, and every agent-turn is ok"


def shown(kind: str, entry: dict[str, Any], kept: dict[tuple[Any, ...], str]) -> int:
    """How many faults in the words of an answer this entry shows: bad words make one, empty ones are failed attempts."""
    if kind == "endless":
        return sum(note["kind"] == "empty" for note in entry["attempts"]) + (entry["reply"]["status"] == "malformed")
    if entry["reply"]["status"] == "malformed":
        return 1
    request = json.loads(entry["request"])
    if kind in ("illegal", "wrong_schema") and (request.get("schema") is not None or entry["label"].split(":")[0] not in TELLING):
        return 1  # the schema leaves nothing illegal to say, or any words are legal: the answer stands as the model's own
    status = kept.get((entry["tick"], entry["phase"], entry["turn"], entry["asker"]), "ok")
    return int(status != "ok")


def counted(server: FaultyServer, played: Played) -> Iterator[str]:
    """Calls on the record are those that came to the server, and those that could not."""
    never = played.failed.get("connect_timeout", 0)
    # On a busy machine a time limit may pass before the question has come to the server: more time-outs than were injected.
    late = max(0, played.failed.get("read_timeout", 0) - server.injected().get("read_timeout", 0))
    if not server.arrived + never <= played.attempts <= server.arrived + never + late:
        yield f"{played.attempts} calls are recorded; {server.arrived} came to the server, {never} got no connection, {late} came late"
    if played.case.rate == 1.0 and played.case.kind == "connect_timeout" and (server.arrived or not never):
        yield "a server that is away was reached"
    if played.case.rate >= 0.1 and not played.injected and not never:
        yield "nothing was injected: nothing was tested"


def hidden(folder: Path, record: Record) -> Iterator[str]:
    """A server's error text became nobody's words: it is in no event, no column of an agent, no prompt and no reply's text."""
    with closing(frames(folder)) as found:
        texts = [str(text) for text in found.events().collect()["data"]]
        texts += [str(row) for row in found.agents().rows()]
    texts += [entry["request"] for entry in record.journal]
    texts += [str({name: value for name, value in entry["reply"].items() if name != "error"}) for entry in record.journal]
    if any(MARK in text for text in texts):
        yield "the text of an error stands in an event, a column, a prompt or a reply"


def cases(agents: int = AGENTS) -> list[Case]:
    return [Case(kind, rate, slug, agents) for kind in FAULTS for rate in RATES for slug in SCENARIOS]


def spread(agents: int) -> list[Case]:
    """One case a kind, rates and scenarios in turn."""
    return [Case(kind, RATES[(at + 1) % 4], SCENARIOS[at % 3], agents) for at, kind in enumerate(FAULTS)]


def row(played: Played) -> str:
    case = played.case
    turns = " ".join(f"{name}={n}" for name, n in sorted(played.turns.items()) if n)
    failed = " ".join(f"{name}={n}" for name, n in sorted(played.failed.items())) or "-"
    told = f"{played.injected} | {played.attempts} | {failed} | {played.most_retries} | {turns} | {played.fallbacks}"
    return f"| {case.kind} | {100 * case.rate:g} | {case.slug} | {told} | {played.seconds:.1f} | {'; '.join(played.wrong) or 'held'} |"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--agents", type=int, default=AGENTS)
    parser.add_argument("--only", default="", help="part of a case's name")
    asked = parser.parse_args()
    print("| fault | % | scenario | injected | calls | failed attempts | most at one address | agent-turns | fallbacks | s | verdict |")
    print("|---|---|---|---|---|---|---|---|---|---|---|")
    broken = done = 0
    for case in cases(asked.agents):
        if asked.only in str(case):
            with tempfile.TemporaryDirectory() as folder:
                played = asyncio.run(play(case, Path(folder) / "run"))
            print(row(played), flush=True)
            broken, done = broken + bool(played.wrong), done + 1
    print(f"\n{done} cases, {broken} broken")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
