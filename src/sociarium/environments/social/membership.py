"""How a community gets its members: designers propose personas until there are enough, and whoever is new is let in.

A proposal that is known already is refused with the reason. Those let in are agents from the next tick on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from sociarium.environments.columnar import names_of
from sociarium.environments.social.threads import MEMBER
from sociarium.kernel.actions import Actions, ActionTable, Text, action
from sociarium.kernel.content import Content, said
from sociarium.kernel.environment import AgentIds, Environment, Events, Groups, Outcome, State
from sociarium.kernel.errors import UsageError
from sociarium.kernel.turn import Lanes, Moment, Observations, Phase, Turn
from sociarium.kernel.world import World
from sociarium.populations.expansion import LONGEST_NAME, LONGEST_PHRASE, Distinct, Expansion, Sketch

Array = NDArray[Any]

DESIGNER = "designer"  # the kind of agents who propose; one a group


class Membership(Environment):
    """``wanted`` personas beside the seeds of each group (members whose column ``seed`` is true). ``wave``: proposals in one turn at most.
    Who is asked for a proposal and gives none that can be used still counts as called: propose an empty name."""

    name: ClassVar[str] = "membership"

    def __init__(self, wanted: int, *, distinct: Distinct = "persona", patience: int = 100, wave: int = 64) -> None:
        if wave < 1:
            raise UsageError(f"a wave has 1 proposal or more, not {wave}")
        self.wanted, self.patience, self.wave = wanted, patience, wave
        self.distinct: Distinct = distinct
        self.expansions: list[Expansion] = []
        self.fresh: dict[int, list[Sketch]] = {}  # let in this tick, by group

    def reset(self, world: World, groups: Groups) -> None:
        super().reset(world, groups)
        self.expansions.extend(self._begun(group) for group in range(len(self.expansions), world.groups))
        for group in groups.tolist():
            self.expansions[group] = self._begun(group)

    def seeds(self, group: int) -> list[Sketch]:
        """Who was there first."""
        table = self.world.population[MEMBER]
        if "seed" not in table:
            return []
        mine = np.flatnonzero((table["group"] == group) & table["seed"].astype(np.bool_)).tolist()
        return [Sketch(str(table["name"][row]), str(table["phrase"][row])) for row in mine]

    def _begun(self, group: int) -> Expansion:
        return Expansion(self.seeds(group), self.wanted, self.distinct, self.patience)

    def missing(self, group: int) -> int:
        """How many a group still lacks; a group in which nobody was there first is not expanded."""
        expansion = self.expansions[group]
        return expansion.missing if expansion.seeds else 0

    def lanes(self, phase: Phase, awake: AgentIds, moment: Moment) -> Lanes:
        """A designer whose group lacks members is a lane."""
        population = self.world.population
        groups = population.get(awake, "group")
        kind = np.array([population.kind_of(agent) == DESIGNER for agent in awake.tolist()], np.bool_)
        lacking = np.array([self.missing(group) > 0 for group in groups.tolist()], np.bool_)
        at = np.flatnonzero(kind & lacking)
        at = at[np.unique(groups[at], return_index=True)[1]]
        return Lanes.by(moment, awake[at], groups[at])

    def turn(self, phase: Phase, lanes: Lanes) -> Turn | None:
        lacking = np.array([self.missing(group) > 0 for group in lanes.ids.tolist()], np.bool_)
        return lanes.turn(lanes.agents[lacking], lanes.ids[lacking]) if lacking.any() else None

    def observe(self, turn: Turn) -> Mapping[str, Array]:
        """missing: members still lacking; asked: proposals wanted in this turn; calls: proposals so far."""
        groups = self.world.population.get(turn.agents, "group").tolist()
        missing = np.array([self.missing(group) for group in groups], np.int64)
        calls = np.array([self.expansions[int(group)].calls for group in groups], np.int64)
        return {"missing": missing, "asked": np.minimum(missing, self.wave), "calls": calls}

    def describe(self, seen: Observations, row: int) -> Content:
        group = int(self.world.population.get(seen.turn.agents[row : row + 1], "group")[0])
        return tuple(said(f"{one.name}: {one.phrase}", "the designer") for one in self.expansions[group].seeds)

    def apply(self, turn: Turn, seen: Observations, actions: Actions) -> Outcome:
        """What was asked for and not given counts as asked for in vain, so that who never answers does not go on for ever."""
        outcome = super().apply(turn, seen, actions)
        table = actions.of(self.name).get("propose")
        given = np.zeros(0, np.int64) if table is None else table.agents
        for agent, group, asked in zip(turn.agents.tolist(), turn.lanes.tolist(), seen[self.name]["asked"].tolist(), strict=True):
            self.expansions[int(group)].add([None] * max(0, asked - int((given == agent).sum())))
        return outcome

    @action(
        "Propose a member for the community.",
        name=Text(doc="the name", longest=LONGEST_NAME),
        phrase=Text(doc="a short phrase that tells who it is", longest=LONGEST_PHRASE),
    )
    def propose(self, turn: Turn, seen: Observations, table: ActionTable) -> Outcome:
        outcome = Outcome()
        lanes = dict(zip(turn.agents.tolist(), turn.lanes.tolist(), strict=True))
        told: list[tuple[int, int, str, str]] = []
        for agent in np.unique(table.agents).tolist():
            rows, group = np.flatnonzero(table.agents == agent), lanes[agent]
            sketches = [Sketch.of(str(table["name"][row]), str(table["phrase"][row])) for row in rows.tolist()]
            expansion = self.expansions[int(group)]
            allowed = sketches[: max(0, min(self.wave, expansion.missing))]
            new = expansion.add(allowed)
            self.fresh.setdefault(group, []).extend(new)
            told += [(agent, group, one.name, one.phrase) for one in new]
            if len(new) < len(sketches):
                outcome.refuse(
                    "propose", np.full(len(sketches) - len(new), agent), "known already, without use, or more than was asked for"
                )
        if told:
            data = {
                "proposed": np.array([name for _, _, name, _ in told], object),
                "phrase": np.array([phrase for *_, phrase in told], object),
            }
            groups = np.array([group for _, group, _, _ in told], np.int64)
            outcome.events.append(Events("proposed", np.array([agent for agent, *_ in told], np.int64), data, groups=groups, lanes=groups))
        return outcome

    def advance(self, to: int) -> Outcome | None:
        """Whoever was let in becomes a member."""
        told: list[tuple[AgentIds, int]] = []
        for group in sorted(self.fresh):
            new = self.fresh[group]
            if new:
                names = np.array([one.name for one in new], object)
                phrases = np.array([one.phrase for one in new], object)
                ids = self.world.admit(MEMBER, len(new), group=group, name=names, phrase=phrases, seed=np.zeros(len(new), np.bool_))
                told.append((ids, group))
        self.fresh = {}
        if not told:
            return None
        ids = np.concatenate([one for one, _ in told])
        groups = np.concatenate([np.full(len(one), group) for one, group in told])
        return Outcome([Events("joined", ids, {"member": np.array(names_of(self.world.population, ids), object)}, groups=groups)])

    def measures(self) -> Mapping[str, Array]:
        """members, seeds too; calls, repeats and unusable proposals; distinct_names and distinct_phrases, as shares of the members."""
        table, groups = self.world.population[MEMBER], self.world.groups
        here = table["present"] & ~(table["guest"].astype(np.bool_) if "guest" in table else np.zeros(len(table), np.bool_))
        sizes = np.bincount(table["group"][here], minlength=groups).astype(np.float64)
        some = np.where(sizes > 0, sizes, np.nan)
        found = {"members": sizes}
        for name in ("calls", "repeats", "unusable"):
            found[name] = np.array([getattr(one, name) for one in self.expansions], np.float64)
        for name in ("name", "phrase"):
            pairs = {(int(g), str(w).casefold()) for g, w in zip(table["group"][here], table[name][here], strict=True)}
            found[f"distinct_{name}s"] = np.bincount(np.array([g for g, _ in pairs], np.int64), minlength=groups) / some
        return found

    def state(self, groups: Groups | None = None) -> State:
        return {"expansions": {str(group): one.state() for group, one in enumerate(self.expansions)}}

    def load(self, state: State, groups: Groups | None = None) -> None:
        if not state:
            return
        self.expansions = [self._begun(group) for group in range(len(state["expansions"]))]
        for group, one in enumerate(self.expansions):
            one.load(state["expansions"][str(group)])
        self.fresh = {}


def proposals_of(people: Sequence[Mapping[str, str]]) -> list[Sketch]:
    """Seed personas from plain data; an error names one that cannot stand in a prompt."""
    found: list[Sketch] = []
    for one in people:
        sketch = Sketch.of(one["name"], one["phrase"])
        if sketch is None:
            raise UsageError(
                f"the persona {one['name']!r:.60} needs a name of 1 to {LONGEST_NAME} and a phrase of 1 to {LONGEST_PHRASE} characters"
            )
        found.append(sketch)
    return found
