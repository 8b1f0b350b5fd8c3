"""A post that spreads in layers over a network of users, in many trials side by side: a tick is a layer, a group is a trial.

What is shown to whom follows the arithmetic of ``spread``; whether one passes it on is its mind's to decide. All trials share one
network: user k of a trial is the k-th agent of its group.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sociarium.environments.cascade.rules import CascadeRules, CascadeWording
from sociarium.environments.cascade.spread import Exposures as Shown
from sociarium.environments.cascade.spread import in_lots, out_edges
from sociarium.environments.columnar import Cells, ColumnarEnvironment, first_rows, names_of
from sociarium.kernel.actions import Actions, ActionTable, Text, action, operation
from sociarium.kernel.content import Block, Content, said
from sociarium.kernel.environment import AgentIds, Events, Groups, Outcome, State
from sociarium.kernel.errors import UsageError
from sociarium.kernel.network import Network
from sociarium.kernel.turn import Lanes, Moment, Observations, Phase, Turn

Array = NDArray[Any]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

NOBODY = -1
LONGEST = 500  # characters of a comment
MOST_LABELS = 16  # communities whose reach is a measure of its own
_STREAM = "cascade"


class Cascade(ColumnarEnvironment):
    """``network``: an edge leads from a user to one who sees what it shares (its follower). ``source`` has shared ``post`` when a trial
    begins. ``community``: a label a user, from 0; the reach within each is then a measure.

    A run without retry and with minds that draw as ``minds.sharing`` does is ``spread`` with the same stream, user for user.
    """

    name: ClassVar[str] = "cascade"

    layer: NDArray[np.int16]  # of each agent, NOBODY where it has not shared
    exposer: NDArray[np.int32]  # the user whom it had it from
    text: NDArray[np.int32]  # the text that it passed on
    exposures: NDArray[np.int16]  # how often it has decided
    mutated: Bools  # whether it added something of its own
    depth: NDArray[np.int32]  # the layer that shares now, by group
    fresh: Ints  # how many shared in the last tick, by group
    reach: Ints  # how many have shared in all, by group, and of each community
    reach_by: Ints
    commented: Ints
    decisions: Ints

    def __init__(
        self,
        network: Network,
        source: int,
        post: str,
        rules: CascadeRules | None = None,
        *,
        community: ArrayLike | None = None,
        wording: CascadeWording | None = None,
    ) -> None:
        if not 0 <= source < network.nodes:
            raise UsageError(f"Cascade: the source is user {source}; users are 0 to {network.nodes - 1}")
        self.network, self.source = network, source
        self.rules = rules or CascadeRules()
        self.wording = wording or CascadeWording()
        self.community = None if community is None else np.asarray(community, np.int64)
        if self.community is not None and (len(self.community) != network.nodes or self.community.min(initial=0) < 0):
            raise UsageError(f"Cascade: {len(self.community)} communities for {network.nodes} users; give one a user, numbered from 0")
        self.texts = [post]
        self.removed = np.zeros(network.nodes, np.bool_)
        self.slowed = np.ones(len(network))
        self.appeal = 1.0
        labels = 0 if self.community is None else min(int(self.community.max(initial=-1)) + 1, MOST_LABELS)
        counts = dict.fromkeys(("fresh", "reach", "commented", "decisions"), Cells(np.int64))
        self.group_cells: Mapping[str, Cells] = {"depth": Cells(np.int32), **counts, "reach_by": Cells(np.int64, 0, (labels,))}
        self.agent_cells = {
            "layer": Cells(np.int16, NOBODY),
            "exposer": Cells(np.int32, NOBODY),
            "text": Cells(np.int32, NOBODY),
            "exposures": Cells(np.int16),
            "mutated": Cells(np.bool_),
        }
        self._comments: dict[int, str] = {}  # of this tick, by agent
        self._front: AgentIds | None = None  # who shares in this tick; None: to be sought
        self._new: list[AgentIds] = []  # who has shared in this tick
        self._due: _Due | None = None  # what is shown in this tick, once it is known

    def begin(self, groups: Groups) -> None:
        self._place()
        agents = self._agent(groups, np.full(len(groups), self.source))
        agents, groups = agents[agents >= 0], groups[agents >= 0]
        self.layer[agents], self.text[agents] = 0, 0
        self.fresh[groups] = 1
        self._count(agents, groups)
        self._front = self._due = None

    def admit(self, agents: AgentIds) -> None:
        """Newcomers to a trial that goes on are not in its network: nobody shows them anything."""
        super().admit(agents)
        self._place()
        self._due = None

    def lanes(self, phase: Phase, awake: AgentIds, moment: Moment) -> Lanes:
        """Only those who are shown something."""
        agents = self._shown().agents
        if len(awake):
            agents = agents[awake[np.minimum(np.searchsorted(awake, agents), len(awake) - 1)] == agents]
        return Lanes.by(moment, agents, np.asarray(self.group_of(agents), np.int64))

    def turn(self, phase: Phase, lanes: Lanes) -> Turn | None:
        """Turn k: the k-th exposure of everyone who has not shared yet; without retry there is one."""
        due = self._shown()
        played = np.repeat(lanes.played, np.diff(lanes.starts))
        place = due.find(lanes.agents)
        count = due.ends[place] - due.starts[place]
        moves = (played < (count if self.rules.retry else np.minimum(count, 1))) & (self.layer[lanes.agents] < 0)
        return lanes.turn(lanes.agents[moves], lanes.lane_of()[moves]) if moves.any() else None

    def observe(self, turn: Turn) -> Mapping[str, Array]:
        """user; source (the user who shows it) and edge, -1 where nothing is shown; trial; text (its number); layer that it would be;
        times (exposures of this user, this one too); appeal (what a label leaves of the wish to share, 1 without)."""
        agents = turn.agents
        due, row = self._shown(), np.full(len(agents), NOBODY, np.int64)
        if turn.phase.lead == self.name:
            place = due.find(agents)
            row = np.where(place >= 0, np.minimum(due.starts[place] + turn.number, due.ends[place] - 1), NOBODY)
        shown, edge = row >= 0, np.full(len(agents), NOBODY, np.int64)
        source, text = edge.copy(), edge.copy()
        source[shown], edge[shown], text[shown] = due.source[row[shown]], due.edge[row[shown]], due.text[row[shown]]
        trial = np.asarray(self.group_of(agents), np.int64)
        return {
            "user": self._users(agents), "source": source, "edge": edge, "trial": trial, "text": text,
            "layer": self.depth[trial].astype(np.int64) + 1, "times": self.exposures[agents].astype(np.int64) + 1,
            "appeal": np.broadcast_to(np.float64(self.appeal), agents.shape),
        }  # fmt: skip

    def describe(self, seen: Observations, row: int) -> Content:
        columns = {name: column[row] for name, column in seen[self.name].items()}
        if columns["source"] < 0:
            return ()
        other = names_of(self.world.population, self._agent(np.array([columns["trial"]]), np.array([columns["source"]])))[0]
        blocks = [said(self.wording.say("shown", source=other, text=self.texts[columns["text"]]), other)]
        if self.appeal < 1:
            blocks.append(Block(self.wording.say("label"), origin=self.name))
        if columns["times"] > 1:
            blocks.append(Block(self.wording.say("again", times=columns["times"]), origin=self.name))
        return tuple(block for block in blocks if block.text)

    @action("Share the post as it is: your followers will see it.")
    def reshare(self, turn: Turn, seen: Observations, table: ActionTable) -> Outcome:
        return self._pass_on("reshare", seen, table)

    @action("Share the post with a comment of your own, which your followers will read after it.", comment=Text(longest=LONGEST))
    def quote(self, turn: Turn, seen: Observations, table: ActionTable) -> Outcome:
        return self._pass_on("quote", seen, table)

    @action("Do not share the post.")
    def ignore(self, turn: Turn, seen: Observations, table: ActionTable) -> Outcome:
        return Outcome()

    def apply(self, turn: Turn, seen: Observations, actions: Actions) -> Outcome:
        """Every exposure of a turn of ours is a decision, whatever comes of it."""
        shown = seen[self.name]["source"] >= 0
        self.exposures[turn.agents[shown]] += 1
        np.add.at(self.decisions, self.group_of(turn.agents[shown]), 1)
        return super().apply(turn, seen, actions)

    @operation("Take users off the network: they neither see nor share from now on.")
    def remove(self, users: Sequence[int]) -> Outcome:
        self.removed[self._checked(users)] = True
        self._due = None
        return Outcome()

    @operation("Slow sharing: what these users (all, when None) share reaches each follower with this chance only.")
    def slow(self, factor: float, users: Sequence[int] | None = None) -> Outcome:
        if not 0 <= factor <= 1:
            raise UsageError(f"slow: the factor is {factor}; it is a chance from 0 to 1")
        slower = np.arange(self.network.nodes) if users is None else self._checked(users)
        self.slowed[out_edges(self.network, slower)[1]] *= factor
        self._due = None
        return Outcome()

    @operation("Put a fact-check label on the post; rule minds share it with their chance times this factor.")
    def label(self, factor: float) -> Outcome:
        if not 0 <= factor < 1:
            raise UsageError(f"label: the factor is {factor}; it is from 0 to below 1")
        self.appeal = factor
        return Outcome()

    def advance(self, to: int) -> Outcome | None:
        """Comments become texts, and the next layer is up; a trial without one has ended."""
        going = np.flatnonzero(self.world.active)
        for agent in sorted(self._comments):
            if comment := " ".join(self._comments[agent].split()):
                self.texts.append(f"{self.texts[self.text[agent]]} {comment}")
                self.text[agent] = len(self.texts) - 1
        self._comments.clear()
        new = np.sort(np.concatenate(self._new)) if self._new else np.empty(0, np.int64)
        self._front, self._due = new, None
        self._new.clear()
        self.fresh[going] = np.bincount(self.group_of(new), minlength=self.world.groups)[going]
        self.depth[going] += 1
        over = going[(self.fresh[going] == 0) | (self.depth[going] >= self.rules.most_layers)]
        return Outcome(ended=over) if len(over) else None

    def measures(self) -> Mapping[str, Array]:
        """By trial: reach (users who have shared, the source too), fresh (in the last layer), depth, mutated (sharers who commented),
        exposures (decisions), and reach_0, reach_1 and so on by community."""
        found: dict[str, Array] = {
            "reach": self.reach.copy(), "fresh": self.fresh.copy(), "depth": np.where(self.fresh > 0, self.depth, self.depth - 1),
            "mutated": self.commented.copy(), "exposures": self.decisions.copy(),
        }  # fmt: skip
        return found | {f"reach_{label}": self.reach_by[:, label].copy() for label in range(self.reach_by.shape[1])}

    def state(self, groups: Groups | None = None) -> State:
        """Texts and counter-measures are those of all trials."""
        shared = {"texts": list(self.texts), "removed": self.removed.copy(), "slowed": self.slowed.copy(), "appeal": self.appeal}
        return {**super().state(groups), **(shared if groups is None else {})}

    def load(self, state: State, groups: Groups | None = None) -> None:
        if not state:
            return
        super().load(state, groups)
        self._place()
        if groups is None:
            self.texts, self.appeal = list(state["texts"]), float(state["appeal"])
            self.removed, self.slowed = np.array(state["removed"], np.bool_), np.array(state["slowed"], np.float64)
        self._comments.clear()
        self._new.clear()
        self._front = self._due = None

    def _pass_on(self, name: str, seen: Observations, table: ActionTable) -> Outcome:
        outcome, columns = Outcome(), seen[self.name]
        place = np.searchsorted(order := np.sort(seen.turn.agents), table.agents)
        row = np.argsort(seen.turn.agents, kind="stable")[np.minimum(place, len(order) - 1)]
        may = (columns["source"][row] >= 0) & (self.layer[table.agents] < 0) & first_rows(table.agents)
        if not may.all():
            outcome.refuse(name, table.agents[~may], "there is nothing that you could share now, or you have shared it")
            table, row = table.where(may), row[may]
        if not len(table):
            return outcome
        agents = table.agents
        self.layer[agents], self.exposer[agents], self.text[agents] = columns["layer"][row], columns["source"][row], columns["text"][row]
        self._new.append(agents)
        groups = np.asarray(self.group_of(agents), np.int64)
        self._count(agents, groups)
        told: dict[str, Array] = {"source": columns["source"][row], "layer": columns["layer"][row]}
        if name == "quote":
            self.mutated[agents] = True
            np.add.at(self.commented, groups, 1)
            self._comments.update(zip(agents.tolist(), table["comment"].tolist(), strict=True))
            told["comment"] = table["comment"]
        outcome.events.append(Events("reshared" if name == "reshare" else "quoted", agents, told, "own"))
        return outcome

    def _shown(self) -> _Due:
        """Who sees what the present layer has shared, found once a tick, before anybody has decided."""
        if self._due is None:
            front = self._sharing()
            trial, user = np.asarray(self.group_of(front), np.int64), self._users(front)
            stays = self.world.active[trial] & self.world.population.get(front, "present") & ~self.removed[user]
            front, trial, user = front[stays], trial[stays], user[stays]
            whose, edge = out_edges(self.network, user)
            target = self.network.targets[edge].astype(np.int64)
            agent = self._agent(trial[whose], target)
            self._due = self._sorted(agent, Shown(trial[whose], edge, user[whose], target, whose, self.text[front].astype(np.int64)[whose]))
        return self._due

    def _sorted(self, agent: Ints, shown: Shown) -> _Due:
        stream = self.world.randomness.stream(_STREAM)  # of the run, not of a tick: the same in every arm, whenever it comes to it
        there = agent >= 0
        there[there] &= (self.layer[agent[there]] < 0) & ~self.removed[shown.target[there]]
        if not self.rules.retry:
            there[there] &= self.exposures[agent[there]] == 0
        thinned = self.slowed[shown.edge] < 1
        if thinned.any():
            drawn = stream.at("slow").uniform(shown.trial[thinned] * len(self.network) + shown.edge[thinned])
            there[thinned] &= drawn < self.slowed[shown.edge[thinned]]
        kept = in_lots(shown.only(there), stream, len(self.network), self.network.nodes)
        agents = self._agent(kept.trial, kept.target)
        starts = np.flatnonzero(np.diff(agents, prepend=-1) != 0)
        ends = np.append(starts[1:], len(agents))[: len(starts)]
        return _Due(agents[starts], starts, ends, np.argsort(agents[starts], kind="stable"), kept.source, kept.edge, kept.text)

    def _sharing(self) -> AgentIds:
        """Who is in the layer that shares now, in order of id."""
        if self._front is None:
            everyone = np.flatnonzero(self.layer >= 0)
            self._front = everyone[self.layer[everyone] == self.depth[self.group_of(everyone)]]
        return self._front

    def _count(self, agents: AgentIds, groups: Groups) -> None:
        """New sharers, into the counts of their trials."""
        np.add.at(self.reach, groups, 1)
        if self.community is not None:
            label = self.community[self._users(agents)]
            counted = label < self.reach_by.shape[1]
            np.add.at(self.reach_by, (groups[counted], label[counted]), 1)

    def _agent(self, groups: Ints, users: Ints) -> AgentIds:
        """The agent of each user in each trial, NOBODY where there is none."""
        inside = users < self._size[groups]
        return np.where(inside, self._first[groups] + users, NOBODY)

    def _users(self, agents: AgentIds) -> Ints:
        """Which user of the network each agent is, NOBODY for newcomers."""
        groups = self.group_of(agents)
        rank = agents - self._first[groups]
        return np.where(rank < self._size[groups], rank, NOBODY)

    def _place(self) -> None:
        """The users of a trial are the first agents of its group that follow one another, as many as the network has nodes."""
        everyone = np.arange(len(self.world.population), dtype=np.int64)
        groups = np.asarray(self.group_of(everyone), np.int64)
        present, first = np.unique(groups, return_index=True)
        self._first: Ints = np.zeros(self.world.groups, np.int64)
        self._first[present] = first
        rank = everyone - self._first[groups]
        changes = np.cumsum(np.diff(groups, prepend=groups[:1]) != 0)
        inside = (rank < self.network.nodes) & (changes == changes[self._first[groups]])  # in the first stretch of its group
        self._size: Ints = np.bincount(groups[inside], minlength=self.world.groups).astype(np.int64)

    def _checked(self, users: Sequence[int]) -> Ints:
        who = np.asarray(users, np.int64)
        if len(who) and not 0 <= who.min() <= who.max() < self.network.nodes:
            raise UsageError(f"users {who.min()} to {who.max()} are not all in the network; users are 0 to {self.network.nodes - 1}")
        return who


@dataclass(frozen=True, slots=True)
class _Due:
    """Exposures of one tick: ``agents`` who have some; theirs are rows ``starts`` to ``ends``, in their lot; ``order`` sorts agents by id.
    By row: source, edge, text."""

    agents: AgentIds
    starts: Ints
    ends: Ints
    order: Ints
    source: Ints
    edge: Ints
    text: Ints

    def find(self, agents: AgentIds) -> Ints:
        """The place of each among ``agents``, NOBODY where it is shown nothing."""
        if not len(self.agents):
            return np.full(len(agents), NOBODY, np.int64)
        at = self.order[np.minimum(np.searchsorted(self.agents, agents, sorter=self.order), len(self.agents) - 1)]
        return np.where(self.agents[at] == agents, at, NOBODY)
