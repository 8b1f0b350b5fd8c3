"""Questions whose answers are known from the town itself, not from anybody's memory: they tell which kind of memory is needed.

``observation``: whom one saw do something; ``plan``: what one means to do at a time; ``inference``: at which two places one has
seen somebody, which no single thing seen tells. ``awareness: FACT``: whether one knows of it. Or the five areas of the paper
(``areas``), some of whose questions have no known answer and are for judges.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sociarium.environments.columnar import names_of
from sociarium.environments.conversation.grapevine import Fact, Grapevine
from sociarium.environments.interview import Interview, Question
from sociarium.environments.town.body import CODE, THINGS
from sociarium.environments.town.town import Town
from sociarium.kernel.actions import ActionTable, Text, action
from sociarium.kernel.environment import AgentIds, Groups, News, Outcome, State
from sociarium.kernel.turn import Observations, Turn
from sociarium.kernel.world import World
from sociarium.scenarios.generative_agents import areas

LONGEST = 2_000
DENIED = re.compile(r"^no\b|\b(do not|don't|did not|didn't|never) (know|knew|hear|heard)\b|\b(not|n't) (aware|sure)\b|\bno idea\b")
CLASSES = ("observation", "plan", "inference")
Planned = Callable[[int, int], list[tuple[str, str]]]  # (agent, time) -> (clock, activity) of the day's plan


def claims(fact: Fact, answer: str) -> bool:
    """Whether one who was asked about a fact says that it knows: it says yes, or tells the fact and does not deny that it knows."""
    said = answer.strip().casefold().replace("\u2019", "'")
    return said.startswith("yes") or (fact.said_in(said) and not DENIED.search(said))


def measured(classes: Sequence[str], conditions: Sequence[str], facts: Sequence[Fact]) -> list[str]:
    """Names of what is measured of an interview."""
    each = [f"{one} ({condition})" if len(conditions) > 1 else one for condition in conditions for one in classes]
    return [f"interview.{name}" for name in (*each, *(f"known_{fact.name}" for fact in facts), "hallucination")]


class TownInterview(Interview):
    """Keeps, apart from all minds, who has noticed whom in which room, and asks by that.

    ``portraits``: what is true of each resident of a town (``areas.portraits``): then the five areas are asked, and else ``each``
    questions a class. Claims to know a fact are counted under the first condition.
    """

    def __init__(
        self, town: Town, grapevine: Grapevine, planned: Planned, each: int = 3, *,
        portraits: Sequence[Mapping[str, str]] = (), conditions: Sequence[str] = ("",),
    ) -> None:  # fmt: skip
        super().__init__((), conditions)
        self.town, self.grapevine, self.planned, self.each = town, grapevine, planned, each
        self.portraits = tuple(portraits)
        self.met: dict[tuple[int, int], list[int]] = {}  # (who, whom) -> rooms
        self.did: dict[tuple[int, str], list[int]] = {}  # (who, activity) -> whom one saw do it
        self.partner: dict[int, int] = {}  # with whom each last talked
        self.claims: dict[str, NDArray[np.int64]] = {}  # by fact: (groups, 3) asked, claimed to know, claimed and had heard of it
        self._own: dict[int, list[Question]] = {}  # of this tick: a probe changes nothing, so they stay the same while it is asked

    def categories(self) -> list[str]:
        return areas.areas() if self.portraits else list(CLASSES)

    def reset(self, world: World, groups: Groups) -> None:
        super().reset(world, groups)
        self.names = self._named()
        for fact in self.grapevine.facts:
            rows = self.claims.get(fact.name, np.zeros((0, 3), np.int64))
            self.claims[fact.name] = np.concatenate([rows, np.zeros((world.groups - len(rows), 3), np.int64)])
            self.claims[fact.name][groups] = 0
        inside = set(np.flatnonzero(np.isin(world.population.get(world.population.ids(present=False), "group"), groups)).tolist())
        self.met = {pair: rooms for pair, rooms in self.met.items() if pair[0] not in inside}
        self.did = {pair: doers for pair, doers in self.did.items() if pair[0] not in inside}
        self.partner = {who: whom for who, whom in self.partner.items() if who not in inside}
        self._own = {}

    def admit(self, agents: AgentIds) -> None:
        super().admit(agents)
        self.names = self._named()

    def _named(self) -> list[str]:
        return names_of(self.world.population, np.arange(len(self.world.population)))

    def notice(self, events: Sequence[News]) -> None:
        """With whom one has talked."""
        for news in events:
            if self.town.chats is not None and news.kind == f"{self.town.chats.name}.ended":
                self.partner.update(zip(news.actors.tolist(), news.data["other"].tolist(), strict=True))

    def advance(self, to: int) -> Outcome | None:
        """After the town's own step: whom everybody newly notices."""
        self._own = {}
        who, which = np.nonzero(self.town.fresh >= 0)
        subjects = self.town.fresh[who, which] // CODE
        for agent, other in zip(who[subjects < THINGS].tolist(), subjects[subjects < THINGS].tolist(), strict=True):
            rooms = self.met.setdefault((agent, other), [])
            room = int(self.town.map.arena[self.town.tile[agent]])
            if room not in rooms:
                rooms.append(room)
            doers = self.did.setdefault((agent, str(self.town.activity[other])), [])
            if other not in doers:
                doers.append(other)
        return None

    def questions(self, agents: AgentIds) -> list[list[Question]]:
        for agent in agents.tolist():
            if agent not in self._own:
                own = areas.questions(self._life(agent)) if self.portraits else self._probes(agent)
                self._own[agent] = [*own, *(Question(f"awareness: {fact.name}", fact.question) for fact in self.grapevine.facts)]
        return [self._own[agent] for agent in agents.tolist()]

    def _probes(self, agent: int) -> list[Question]:
        """Fewer where there is nothing to ask about. What was seen is nothing that was planned too, and the other way about."""
        names, alone, own, several = self.names, *self._known(agent)
        first = [Question("observation", f"I saw whom, who was {activity}?", (names[whom],)) for activity, whom in alone[: self.each]]
        step = max(1, len(own) // self.each)
        second = [Question("plan", f"What is my plan for {clock}?", (activity,)) for clock, activity in own[::step][: self.each]]
        third = [
            Question("inference", f"{names[whom]} can be met at which different places?", tuple(map(self.town.map.address, rooms[:2])))
            for whom, rooms in several[: self.each]
        ]
        return [*first, *second, *third]

    def _known(self, agent: int) -> tuple[list[tuple[str, int]], list[tuple[str, str]], list[tuple[int, list[int]]]]:
        """What one saw just one other do, and meant to do itself in nobody's likeness; whom it saw in several rooms."""
        plans = self.planned(agent, self.world.clock.time)
        meant = {activity for _, activity in plans}
        did = {activity: doers for (who, activity), doers in sorted(self.did.items()) if who == agent}
        alone = [(activity, doers[0]) for activity, doers in did.items() if len(doers) == 1 and activity not in meant]
        own = [(clock, activity) for clock, activity in plans[1:] if activity not in did]
        return alone, own, [(whom, rooms) for (who, whom), rooms in sorted(self.met.items()) if who == agent and len(rooms) > 1]

    def _life(self, agent: int) -> dict[str, str]:
        """What questions on one's own life are put together from, by name."""
        life, names = dict(self._portrait(agent)), self.names
        alone, plans, several = self._known(agent)
        for key, (activity, whom) in zip(("seen", "also_seen"), alone, strict=False):
            life |= {key: names[whom].split()[0], f"{key}_doing": activity}
        step = max(1, len(plans) // 3)
        for key, (clock, activity) in zip(("", "later_", "last_"), plans[::step], strict=False):
            life |= {f"{key}clock": clock, f"{key}plan": activity}
        if several:
            whom, rooms = several[0]
            first, second = (self.town.map.places.names[int(self.town.map.parents[room])] for room in rooms[:2])
            life |= {"well_seen": names[whom], "place": first, "other_place": second}
        met = [whom for who, whom in sorted(self.met) if who == agent]
        if met:
            life["met"] = names[met[agent % len(met)]]
        if agent in self.partner:
            life["partner"] = names[self.partner[agent]].split()[0]
        return life

    def _portrait(self, agent: int) -> Mapping[str, str]:
        """What is true of an agent from the start; nothing of one who came later."""
        return self.portraits[agent % len(self.portraits)] if agent < len(self.portraits) * self.world.groups else {}

    @action("Answer the question.", text=Text(longest=LONGEST, doc="the answer"))
    def answer(self, turn: Turn, seen: Observations, table: ActionTable) -> Outcome:
        """As any interview does; and claims to know a fact are held against what has reached the agent."""
        groups = self.world.population.get(table.agents, "group")
        rows = {int(agent): row for row, agent in enumerate(turn.agents.tolist())}
        for agent, text, group in zip(table.agents.tolist(), table["text"].tolist(), groups.tolist(), strict=True):
            category, condition = (str(seen[self.name][name][rows[agent]]) for name in ("category", "condition"))
            if condition != self.conditions[0]:
                continue
            for at, fact in enumerate(self.grapevine.facts):
                if category == f"awareness: {fact.name}":
                    says = claims(fact, str(text))
                    self.claims[fact.name][group] += (1, says, says and self.grapevine.knows[agent, at])
        return super().answer(turn, seen, table)

    def measures(self) -> Mapping[str, Any]:
        """Shares of right answers by class; ``hallucination``: claims to know of what never reached one, as a share of all asked;
        ``known_FACT``: the share that says it knows, and was told."""
        rows = np.sum(list(self.claims.values()), axis=0)
        with np.errstate(invalid="ignore", divide="ignore"):
            shares = {f"known_{name}": claims[:, 2] / claims[:, 0] for name, claims in self.claims.items()}
            return {**super().measures(), "hallucination": (rows[:, 1] - rows[:, 2]) / rows[:, 0], **shares}

    def state(self, groups: Groups | None = None) -> State:
        kept = [(who, whom, room) for (who, whom), rooms in sorted(self.met.items()) for room in rooms if self._in(who, groups)]
        doing = [(who, activity, whom) for (who, activity), doers in sorted(self.did.items()) for whom in doers if self._in(who, groups)]
        part = slice(None) if groups is None else groups
        claims = {name: rows[part].copy() for name, rows in self.claims.items()}
        partners = [(who, whom) for who, whom in sorted(self.partner.items()) if self._in(who, groups)]
        partner = np.array(partners, np.int64).reshape(-1, 2)
        return {**super().state(groups), "partner": partner, "met": np.array(kept, np.int64).reshape(-1, 3), "did": doing, "claims": claims}

    def load(self, state: State, groups: Groups | None = None) -> None:
        super().load(state, groups)
        if not state:
            return
        self.names = self._named()
        self.met = {pair: rooms for pair, rooms in self.met.items() if not self._in(pair[0], groups)}
        for who, whom, room in np.asarray(state["met"]).tolist():
            self.met.setdefault((who, whom), []).append(room)
        self.did = {pair: doers for pair, doers in self.did.items() if not self._in(pair[0], groups)}
        self._own = {}
        self.partner = {who: whom for who, whom in self.partner.items() if not self._in(who, groups)}
        self.partner.update((who, whom) for who, whom in np.asarray(state["partner"]).tolist())
        for who, activity, whom in state["did"]:
            self.did.setdefault((int(who), str(activity)), []).append(int(whom))
        for name, rows in state["claims"].items():
            self.claims[name][slice(None) if groups is None else groups] = rows

    def _in(self, agent: int, groups: Groups | None) -> bool:
        return groups is None or int(self.world.population.get(np.array([agent]), "group")[0]) in groups
