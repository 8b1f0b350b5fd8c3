"""Direct messages: who knows whom is a directed network; what is sent in one tick is read in the next.

Nobody is shown what was not addressed to them. Some texts can be followed: who has had them, and what share that is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from sociarium.environments.columnar import Cells, ColumnarEnvironment, names_of, ranks
from sociarium.environments.wording import Wording
from sociarium.kernel.actions import ActionTable, Integer, Text, action, operation
from sociarium.kernel.content import Block, Content, Trust, said
from sociarium.kernel.environment import AgentIds, Events, Groups, Outcome, State
from sociarium.kernel.errors import UsageError
from sociarium.kernel.network import Network
from sociarium.kernel.turn import Observations, Turn

Array = NDArray[Any]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

LONGEST = 500  # characters of a message


@dataclass(frozen=True, slots=True)
class MessageWording(Wording):
    """How messages are shown to one who decides."""

    PLACES: ClassVar[Mapping[str, frozenset[str]]] = {
        "friends": frozenset({"name", "friends"}),
        "friend": frozenset({"number", "other"}),
        "message": frozenset({"other", "number", "text"}),
        "more": frozenset({"more"}),
        "known": frozenset({"name", "text"}),
    }

    friends: str = "People whom $name can write to, by number: $friends."
    friend: str = "$number $other"
    message: str = "$other (number $number) has written: $text"
    more: str = "There are $more older messages."
    known: str = "$name has heard: $text"


class Messages(ColumnarEnvironment):
    """``network``: an edge leads from who may write to whom. ``followed``: texts whose spread is measured; a message carries one that it
    contains. ``shown``: how many messages of a tick one reads, the newest; the others are lost to it, but counted.
    """

    name: ClassVar[str] = "messages"

    sent: Ints  # messages that each has sent, (agents,)
    got: Ints  # that have been delivered to each, (agents,)
    reached: Bools  # who has had each text that is followed, (agents, followed)
    violations: Ints  # an interceptor's counts of flagged messages by sender, (agents,)
    edge_violations: Ints  # and by edge of the network, (edges,)

    def __init__(self, network: Network, *, followed: Sequence[str] = (), shown: int = 8, wording: MessageWording | None = None) -> None:
        if shown < 1:
            raise UsageError(f"Messages: shown is {shown}; at least one message must be read")
        self.network = network
        self.followed = tuple(followed)
        self.shown = shown
        self.wording = wording or MessageWording()
        self.edge_violations = np.zeros(len(network), np.int64)
        self._box = _Box()  # what is read in this tick
        self._posted = _Box()  # what was sent in it
        self._carried: dict[str, Bools] = {}
        self.group_cells: Mapping[str, Cells] = {}
        self.agent_cells = {
            "sent": Cells(np.int64),
            "got": Cells(np.int64),
            "reached": Cells(np.bool_, False, (len(self.followed),)),
            "violations": Cells(np.int64),
        }

    def begin(self, groups: Groups) -> None:
        population = self.world.population
        if self.network.nodes > len(population):
            raise UsageError(f"the network of messages has {self.network.nodes} nodes for {len(population)} agents")
        if self.world.groups > 1:
            group = self.group_of(population.ids(present=False))
            if (group[self.network.sources()] != group[self.network.targets]).any():
                raise UsageError("an edge of the network of messages leads from one group to another; groups are worlds that never touch")
        self._make_room()
        mine = np.isin(self.network.sources(), self.agents_of(groups))
        self.edge_violations[mine] = 0
        for box in (self._box, self._posted):
            box.drop(self.agents_of(groups))

    def admit(self, agents: AgentIds) -> None:
        """Newcomers know nobody, and nobody knows them."""
        super().admit(agents)
        self._make_room()

    def observe(self, turn: Turn) -> Mapping[str, Array]:
        """messages (how many were delivered for this tick); senders, (rows, shown), -1 where none, and texts, the newest last; knows,
        (rows, followed)."""
        agents = turn.agents
        first, last = np.searchsorted(self._box.to, agents), np.searchsorted(self._box.to, agents, side="right")
        at = last[:, None] - self.shown + np.arange(self.shown)
        there = at >= first[:, None]
        at = np.maximum(at, 0)
        senders, texts = np.full(at.shape, -1, np.int64), np.full(at.shape, "", object)
        if len(self._box.to):
            senders[there], texts[there] = self._box.senders[at[there]], self._box.texts[at[there]]
        return {"messages": last - first, "senders": senders, "texts": texts, "knows": self.reached[agents]}

    def describe(self, seen: Observations, row: int) -> Content:
        columns, agent = seen[self.name], int(seen.turn.agents[row])
        friends = self.network.neighbours(agent).astype(np.int64)
        senders = columns["senders"][row]
        people = names_of(self.world.population, np.array([agent, *friends, *senders[senders >= 0]], np.int64))
        blocks: list[Block] = []
        more = int(columns["messages"][row]) - int((senders >= 0).sum())
        if more > 0:
            blocks.append(Block(self.wording.say("more", more=more), origin=self.name))
        named = people[1 + len(friends) :]
        for sender, other, text in zip(senders[senders >= 0].tolist(), named, columns["texts"][row][senders >= 0], strict=True):
            blocks.append(said(self.wording.say("message", other=other, number=sender, text=text), other))
        for text, knows in zip(self.followed, columns["knows"][row].tolist(), strict=True):
            if knows:
                words = self.wording.say("known", name=people[0], text=text)
                blocks.append(Block(words, origin=self.name, trust=Trust.OUTSIDE))
        if len(friends):
            each = zip(friends.tolist(), people[1 : 1 + len(friends)], strict=True)
            listed = "; ".join(self.wording.say("friend", number=number, other=other) for number, other in each)
            blocks.append(Block(self.wording.say("friends", name=people[0], friends=listed), origin=self.name))
        return tuple(block for block in blocks if block.text)

    @action(
        "Write to someone you know.",
        to=Integer(0, doc="the number of the person"),
        text=Text(longest=LONGEST, doc="what you write"),
    )
    def send(self, turn: Turn, seen: Observations, table: ActionTable) -> Outcome:
        """Read in the next tick. Several messages in one turn are several rows."""
        outcome = Outcome()
        stranger = ~self.knows(table.agents, table["to"])
        if stranger.any():
            outcome.refuse(f"{self.name}.send", table.agents[stranger], "you do not know anybody of that number")
            table = table.where(~stranger)
        if len(table):
            self._posted.add(table["to"], table.agents, table["text"])
            np.add.at(self.sent, table.agents, 1)
            outcome.events.append(Events("sent", table.agents, dict(table.columns), "own"))
        return outcome

    @operation("Let some agents have a text that is followed, as if they had read it.")
    def tell(self, agents: Sequence[int], text: str) -> Outcome:
        if text not in self.followed:
            raise UsageError(f"tell: no text {text!r} is followed; there are {', '.join(map(repr, self.followed)) or 'none'}")
        self.reached[np.asarray(agents, np.int64), self.followed.index(text)] = True
        return Outcome()

    @operation("Have an agent write to others, whether it knows them or not; they read it in the tick that comes.")
    def write(self, sender: int, to: Sequence[int], text: str) -> Outcome:
        size = len(self.world.population)
        targets = np.asarray(to, np.int64)
        if not 0 <= sender < size or (len(targets) and not (targets.min() >= 0 and targets.max() < size)):
            raise UsageError(f"write: agents are numbered 0 to {size - 1}, not {sender} or one of {list(to)[:5]}")
        if len(text) > LONGEST or not text.strip():
            raise UsageError(f"write: a message has 1 to {LONGEST} characters")
        texts = np.full(len(targets), text, object)
        senders = np.full(len(targets), sender, np.int64)
        self._posted.add(targets, senders, texts)
        self.sent[sender] += len(targets)
        return Outcome([Events("sent", senders, {"to": targets, "text": texts}, "own")])

    def advance(self, to: int) -> Outcome | None:
        """What was sent is delivered: to be read in the next tick."""
        self._box, self._posted = self._posted.sorted(), _Box()
        np.add.at(self.got, self._box.to, 1)
        if self.followed and len(self._box.to):
            carried = np.array([self.carries(text) for text in self._box.texts.tolist()])
            np.logical_or.at(self.reached, self._box.to, carried)
        self._carried.clear()
        return None

    def measures(self) -> Mapping[str, Array]:
        """messages: delivered with this tick, by group; reach and reach_2 and so on: shares that have had each text that is followed."""
        agents = self.world.awake()
        groups, size = self.group_of(agents), self.world.groups
        count = np.bincount(groups, minlength=size)
        found: dict[str, Array] = {"messages": np.bincount(self.group_of(self._box.to), minlength=size)}
        with np.errstate(invalid="ignore", divide="ignore"):
            for number in range(len(self.followed)):
                name = "reach" if number == 0 else f"reach_{number + 1}"
                found[name] = np.bincount(groups, self.reached[agents, number], size) / count
        return found

    def knows(self, agents: AgentIds, others: Ints) -> Bools:
        """Whether each of these agents can write to the one beside it."""
        return self.edges(agents, others) >= 0

    def edges(self, agents: AgentIds, others: Ints) -> Ints:
        """The edge from each agent to the one beside it, -1 for none."""
        inside = (others >= 0) & (others < self.network.nodes)
        return np.where(inside, self.network.find(agents, np.where(inside, others, 0)), -1)

    def carries(self, text: str) -> Bools:
        """Which of the texts that are followed a message contains."""
        if text not in self._carried:
            self._carried[text] = np.array([wanted in text for wanted in self.followed], np.bool_)
        return self._carried[text]

    def state(self, groups: Groups | None = None) -> State:
        agents = None if groups is None else self.agents_of(groups)
        mine = slice(None) if agents is None else np.isin(self.network.sources(), agents)
        boxes = {"box": self._box.state(agents), "posted": self._posted.state(agents)}
        return {**super().state(groups), **boxes, "edge_violations": self.edge_violations[mine].copy()}

    def load(self, state: State, groups: Groups | None = None) -> None:
        if not state:
            return
        super().load(state, groups)
        self._make_room()
        agents = None if groups is None else self.agents_of(groups)
        self.edge_violations[slice(None) if agents is None else np.isin(self.network.sources(), agents)] = state["edge_violations"]
        self._box.load(state["box"], agents)
        self._posted.load(state["posted"], agents)

    def _make_room(self) -> None:
        if self.network.nodes < len(self.world.population):
            self.network = self.network.grown(len(self.world.population))


class _Box:
    """Messages as columns; ``sorted`` by who gets them, then who sent them, then in the order of sending."""

    def __init__(self) -> None:
        self.to: Ints = np.empty(0, np.int64)
        self.senders: Ints = np.empty(0, np.int64)
        self.texts: Array = np.empty(0, object)

    def add(self, to: Ints, senders: Ints, texts: Array) -> None:
        self.to, self.senders = np.concatenate([self.to, to]), np.concatenate([self.senders, senders])
        self.texts = np.concatenate([self.texts, texts])

    def sorted(self) -> _Box:
        order = np.lexsort((ranks(self.senders), self.senders, self.to))
        return self.only(order)

    def only(self, rows: Any) -> _Box:
        out = _Box()
        out.to, out.senders, out.texts = self.to[rows], self.senders[rows], self.texts[rows]
        return out

    def drop(self, agents: AgentIds) -> None:
        kept = self.only(~np.isin(self.to, agents))
        self.to, self.senders, self.texts = kept.to, kept.senders, kept.texts

    def state(self, agents: AgentIds | None) -> State:
        """Sorted, so that it does not tell in which order lanes came."""
        part = (self if agents is None else self.only(np.isin(self.to, agents))).sorted()
        return {"to": part.to, "senders": part.senders, "texts": part.texts}

    def load(self, state: State, agents: AgentIds | None) -> None:
        self.drop(self.to if agents is None else agents)
        texts = np.empty(len(state["to"]), object)
        texts[:] = list(state["texts"])
        self.add(np.array(state["to"], np.int64), np.array(state["senders"], np.int64), texts)
        whole = self.sorted()
        self.to, self.senders, self.texts = whole.to, whole.senders, whole.texts
