"""What citizens in words keep: the events of their day in the memory stream, and how things stand in the status store, each linked."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Any

import numpy as np

from sociarium.environments.messages.messages import Messages
from sociarium.environments.mobility.mobility import Mobility
from sociarium.kernel.environment import News
from sociarium.kernel.units import clock
from sociarium.minds.language.asking import Asking
from sociarium.minds.language.component import Component
from sociarium.minds.language.emotion import Emotion
from sociarium.minds.language.memory import Memory
from sociarium.minds.language.retrieval import Kind
from sociarium.minds.language.status import StatusStore
from sociarium.minds.language.stream import Memory as Remembered
from sociarium.minds.plans import Plans, StepType

REMEMBER, FEEL = "remember", "feel"  # inner phases


class Node(StrEnum):
    """The types of the event stream's nodes; each memory's text begins with its own."""

    MOBILITY = "mobility"
    SOCIAL = "social"
    ECONOMY = "economy"
    COGNITION = "cognition"
    OTHER = "other"


KINDS = {Node.COGNITION: Kind.THOUGHT, Node.MOBILITY: Kind.EVENT}  # what is not here is something done
OF_STEP = {StepType.SOCIAL: Node.SOCIAL, StepType.ECONOMY: Node.ECONOMY, StepType.MOBILITY: Node.MOBILITY}


class Chronicle(Component):
    """Writes down what a citizen does, reads, plans and feels. It asks nothing."""

    name = "chronicle"

    def __init__(self, plans: Plans, memory: Memory, status: StatusStore, emotion: Emotion | None) -> None:
        self.plans, self.memory, self.status, self.emotion = plans, memory, status, emotion

    def note(self, agent: int, node: Node, text: str, *, time: int, tick: int, author: int = -1) -> int:
        """A node of the event stream; its place among the agent's own memories. Others' words are kept as a talk is."""
        place = len(self.memory.stream.of(agent))
        kind = Kind.CHAT if author not in (-1, agent) else KINDS.get(node, Kind.ACTION)
        kept = Remembered(kind, f"{node}, {clock(time)}: {text}", 5.0, author=author)
        self.memory.stream.append(np.array([agent], np.int64), kept, time=time, tick=tick)
        return place

    def hear(self, news: Sequence[News]) -> None:
        """One's own ways, and what one does where one stays."""
        for piece in news:
            if piece.kind not in (f"{Mobility.name}.left", f"{Mobility.name}.stayed"):
                continue
            for row, agent in enumerate(piece.actors.tolist()):
                if piece.recipients is None or agent in piece.recipients[row]:
                    self._moved(agent, piece, {name: column[row] for name, column in piece.data.items()})

    def _moved(self, agent: int, piece: News, data: dict[str, Any]) -> None:
        at: dict[str, int] = {"time": piece.time, "tick": piece.tick}
        if piece.kind.endswith(".left"):
            where = self._kind(int(data["to"]))
            place = self.note(agent, Node.MOBILITY, f"set out for {where}, {data['minutes']} minutes away", **at)
            self.status.put(agent, "place", f"{where} (place {data['to']})", time=piece.time, memory=place)
            self.status.put(agent, "activity", "", time=piece.time)
            return
        activity = str(data["activity"])
        me = np.array([agent])
        node = OF_STEP.get(StepType(int(self.plans.now(me, "types")[0])), Node.OTHER) if self.plans.active(me)[0] else Node.OTHER
        place = self.note(agent, node, f"{activity}, {data['minutes']} minutes", author=agent, **at)
        self.status.put(agent, "activity", activity, time=piece.time, own=True, memory=place)

    def planned(self, asking: Asking, option: str, steps: Sequence[str]) -> None:
        """A plan has been made."""
        time, tick = asking.turn.time, asking.turn.tick
        words = f"{option}: {'; '.join(steps)}"
        place = self.note(asking.agent, Node.COGNITION, f"planned to {words}", time=time, tick=tick, author=asking.agent)
        self.status.put(asking.agent, "plan", words, time=time, own=True, memory=place)

    def ended(self, asking: Asking, what: str, level: float) -> None:
        """A plan is over, and how well what it was for is provided for now."""
        time, tick = asking.turn.time, asking.turn.tick
        place = self.note(asking.agent, Node.OTHER, f"done: {what}", time=time, tick=tick, author=asking.agent)
        self.status.put(asking.agent, "plan", "", time=time)
        self.status.put(asking.agent, "last done", f"{what} (satisfied to {level:.2f})", time=time, own=True, memory=place)

    async def think(self, asking: Asking) -> None:
        """In the phase ``remember``: messages of this tick. In the phase ``feel``, after the emotion was asked: what was thought."""
        if asking.probe:
            return
        if asking.turn.phase.name == REMEMBER:
            self._read(asking)
        elif asking.turn.phase.name == FEEL and self.emotion is not None:
            self._felt(asking, self.emotion)

    def _read(self, asking: Asking) -> None:
        time, tick, columns = asking.turn.time, asking.turn.tick, asking.seen[Messages.name]
        for sender, text in zip(columns["senders"][asking.row].tolist(), columns["texts"][asking.row], strict=True):
            if sender >= 0:
                place = self.note(asking.agent, Node.SOCIAL, str(text), time=time, tick=tick, author=int(sender))
                words = f"heard from {self.mind.name_of(int(sender))}"
                self.status.put(asking.agent, "last message", words, time=time, memory=place)

    def _felt(self, asking: Asking, emotion: Emotion) -> None:
        agent, time, tick = asking.agent, asking.turn.time, asking.turn.tick
        thought, before = emotion.thoughts.get(agent, ""), self.status.now(agent).get("thought")
        if thought and (before is None or before.text != thought):
            place = self.note(agent, Node.COGNITION, thought, time=time, tick=tick, author=agent)
            self.status.put(agent, "thought", thought, time=time, own=True, memory=place)
        self.status.put(agent, "feeling", emotion.words.get(agent, emotion.rules.word), time=time)

    def _kind(self, place: int) -> str:
        mobility = self.mind.world[Mobility.name]
        assert isinstance(mobility, Mobility)
        return str(mobility.city.kinds[int(mobility.city.kind[place])])
