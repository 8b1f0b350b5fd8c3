"""Ask a populated community: what if somebody had said something else, and what else could have been said.

Each question is asked of a fork in memory, so the community stays as it is. For a question that is kept, with its own record, branch
the run: ``sociarium branch RUN --at TICKS --set 'what_if=[...]'``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

from sociarium.environments.social.thread_table import SHIFT, numbers_of
from sociarium.environments.social.threads import Threads
from sociarium.kernel.errors import ModelError, UsageError
from sociarium.kernel.protocols import Address
from sociarium.kernel.schedule import Rounds
from sociarium.kernel.simulation import Simulation
from sociarium.minds.language.mind import LanguageMind
from sociarium.scenarios.social_simulacra.members import Members
from sociarium.scenarios.social_simulacra.thinking import Writer, drawn_at, read, request_for


@dataclass(frozen=True, slots=True)
class Line:
    """One utterance: who, which persona, what, and in answer to which position (-1: a post)."""

    name: str
    phrase: str
    text: str
    parent: int


@dataclass(frozen=True, slots=True)
class Branch:
    """A thread as it came out. ``since``: the first line that is its own, those before are the original's. ``alternative``: 0, or which
    universe."""

    lines: tuple[Line, ...]
    since: int
    alternative: int

    @property
    def text(self) -> str:
        """The line at which it parts from the original."""
        return self.lines[self.since].text


def thread(simulation: Simulation, number: int, group: int = 0) -> Branch:
    """A thread as it stands."""
    threads = _threads(simulation)
    return _branch(threads, threads.table.row(group, number))


async def what_if(
    simulation: Simulation,
    number: int,
    after: int,
    name: str,
    phrase: str = "",
    *,
    behaviour: str = "",
    text: str = "",
    group: int = 0,
) -> Branch:
    """What follows where this persona answers the utterance at ``after``: with ``text``, or as ``behaviour`` says, or as itself."""
    given = {"thread": number, "after": after, "name": name, "phrase": phrase, "behaviour": behaviour, "text": text, "group": group}
    return (await _asked(simulation, "threads.what_if", given))[0]


async def multiverse(simulation: Simulation, number: int, position: int, width: int = 5, *, group: int = 0) -> list[Branch]:
    """``width`` other draws of an utterance, each with the thread that follows."""
    return await _asked(simulation, "threads.multiverse", {"thread": number, "position": position, "width": width, "group": group})


async def regenerated(simulation: Simulation, number: int, position: int, group: int = 0) -> str:
    """An utterance made again from what it is stored with: design version, persona, form, thread so far, setting and draw."""
    threads, mind = _threads(simulation), simulation.minds.all[0]
    slot = threads.written(number, position, group)
    if isinstance(mind, Members):
        return mind.words([slot])[0]
    if not isinstance(mind, LanguageMind) or simulation.door is None:
        raise UsageError("a text can be made again by the minds of this scenario, with the model that wrote it")
    writer = cast("Writer", mind.component(Writer.name))
    names = [threads.name_of(author) for author, _ in slot.path]
    request = request_for(slot, writer.manner, mind.prompts, names, writer.sampling)
    address = Address(simulation.world.clock.tick, "regenerated", (group << SHIFT) + number, position, "operator", "regenerated")
    reply = await simulation.door.ask(request, address, route=mind.route("", slot.author), drawn_at=drawn_at(slot))
    if not reply.good:
        raise ModelError(f"the utterance could not be made again: {reply.error}")
    return read(reply.text)[: writer.longest]


async def _asked(simulation: Simulation, operation: str, arguments: dict[str, Any]) -> list[Branch]:
    fork = simulation.fork()
    if not isinstance(fork.schedule, Rounds):
        raise UsageError("questions are asked of a community whose schedule counts rounds")
    fork.schedule.rounds = fork.world.clock.tick + 1
    fork.interventions.clear()
    before = len(_threads(fork).table)
    fork.inject(operation, **arguments)
    await fork.step()
    threads = _threads(fork)
    return [_branch(threads, row) for row in range(before, len(threads.table))]


def _threads(simulation: Simulation) -> Threads:
    return cast("Threads", simulation.world["threads"])


def _branch(threads: Threads, row: int) -> Branch:
    table = threads.table
    number, group = int(numbers_of(table.ids[row : row + 1])[0]), int(table.groups[row])
    lines: list[Line] = []
    for at in range(int(table.done[row])):
        slot = threads.written(number, at, group)
        lines.append(Line(slot.name, slot.phrase, threads.text(row, at), int(table.parent[row, at])))
    return Branch(tuple(lines), int(table.cut[row]), int(table.alternative[row]))
