"""A group that talks. One agent speaks at a time; a report may open the talk, and a moderator may write its minutes.

Every group has a talk of its own, a lane each: scripted agents talk in a thousand groups at once, language agents at their own pace.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from enum import IntEnum
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from sociarium.environments.columnar import Cells, ColumnarEnvironment, first_rows, names_of
from sociarium.environments.conversation.roster import Roster
from sociarium.environments.conversation.rules import TalkRules, TalkWording
from sociarium.environments.conversation.speakers import Past, next_speakers
from sociarium.kernel.actions import Actions, ActionSpec, ActionTable, Flag, Integer, Number, Text, action, bounded
from sociarium.kernel.content import Block, Content, said
from sociarium.kernel.environment import AgentIds, Events, Groups, News, Outcome
from sociarium.kernel.errors import UsageError
from sociarium.kernel.turn import Lanes, Moment, Observations, Phase, Turn, TurnKind
from sociarium.kernel.world import World

Array = NDArray[Any]
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


class Stage(IntEnum):
    """What a talk waits for."""

    BID = 0
    TALK = 1
    MINUTE = 2
    DONE = 3


class Conversation(ColumnarEnvironment):
    """Talks side by side, one a group. The transcript is kept for the tick; what was said stays in the events."""

    name: ClassVar[str] = "conversation"

    stage: NDArray[np.int8]  # (groups,)
    speaker: Ints  # who speaks now, (groups,)
    turns: Ints  # statements made or missed in the last talk; -1 before the first, (groups,)
    missed: Ints  # turns in which nothing was said, (groups,)
    lines: Ints  # lines in the transcript, (groups,)
    speakers: Ints  # who said each line; -1 is the opening, (groups, max_turns)
    texts: Array  # (groups, max_turns) of str
    opened: Bools  # the opening has been told, (groups,)
    report: Array  # news for the next opening, (groups,) of str
    summary: Array  # the last minutes, (groups,) of str
    limit: Floats  # what was agreed last; nan where nothing was, (groups,)
    vote: Bools  # each agent's last word on ending the talk, (agents,)
    bidding: Floats  # each agent's last bid, (agents,)

    def __init__(self, rules: TalkRules | None = None, wording: TalkWording | None = None) -> None:
        self.rules = rules or TalkRules()
        self.wording = wording or TalkWording()
        width = (self.rules.max_turns,)
        self.group_cells = {
            "stage": Cells(np.int8, Stage.DONE),
            "speaker": Cells(np.int64, -1),
            "turns": Cells(np.int64, -1),
            "missed": Cells(np.int64),
            "lines": Cells(np.int64),
            "speakers": Cells(np.int64, -1, width),
            "texts": Cells(object, "", width),
            "opened": Cells(np.bool_, False),
            "report": Cells(object, ""),
            "summary": Cells(object, ""),
            "limit": Cells(np.float64, np.nan),
        }
        self.agent_cells = {"vote": Cells(np.bool_, False), "bidding": Cells(np.float64)}
        self.roster: Roster | None = None

    def reset(self, world: World, groups: Groups) -> None:
        super().reset(world, groups)
        if self.rules.moderator is not None and self.rules.moderator not in world.population.tables:
            raise UsageError(f"the talk is moderated by agents of kind {self.rules.moderator!r}, but there is no such kind")

    def actions(self) -> tuple[ActionSpec, ...]:
        """Only what these rules use: an argument that does nothing is not asked for."""
        specs = {spec.name: spec for spec in super().actions()}
        say = bounded(specs["say"], "text", longest=self.rules.longest)
        unused = {"end" if self.rules.end == "never" else "", "next" if self.rules.turn_taking != "named" else ""}
        offered = [replace(say, arguments={name: a for name, a in say.arguments.items() if name not in unused})]
        if self.rules.turn_taking == "bid":
            offered.append(specs["bid"])
        if self.rules.moderator is not None:
            offered.append(bounded(specs["minute"], "summary", longest=self.rules.longest))
        return tuple(offered)

    def lanes(self, phase: Phase, awake: AgentIds, moment: Moment) -> Lanes:
        """A group is a lane; here its talk begins."""
        if phase.kind != TurnKind.ACT:
            raise UsageError(f"phase {phase.name!r} is led by a talk, so it must be of kind 'act'; show the talk in it instead")
        lanes = super().lanes(phase, awake, moment)
        chairs = self.world.population.ids(self.rules.moderator) if self.rules.moderator else np.empty(0, np.int64)
        self.roster = Roster.of(lanes, chairs)
        self._start(lanes.ids, moment)
        return lanes

    def turn(self, phase: Phase, lanes: Lanes) -> Turn | None:
        stages = self.stage[lanes.ids]
        for stage in (Stage.BID, Stage.TALK, Stage.MINUTE):
            groups = lanes.ids[stages == stage]
            if len(groups):
                return self._turn(stage, groups, lanes)
        return None

    def observe(self, turn: Turn) -> Mapping[str, Array]:
        """lines, speakers and texts (rows, max_turns), turns_left, position among the participants (-1: not one), participants,
        summary, limit (nan: none)."""
        groups = self.group_of(turn.agents)
        sizes = np.zeros(self.world.groups, np.int64)
        position = np.full(len(self.world.population), -1, np.int64)
        if self.roster is not None:
            counts = np.diff(self.roster.starts)
            sizes[self.roster.groups] = counts
            position[self.roster.agents] = np.arange(len(self.roster.agents)) - np.repeat(self.roster.starts[:-1], counts)
        return {
            "lines": self.lines[groups],
            "speakers": self.speakers[groups],
            "texts": self.texts[groups],
            "turns_left": self._left(groups),
            "position": position[turn.agents],
            "participants": sizes[groups],
            "summary": self.summary[groups],
            "limit": self.limit[groups],
        }

    def describe(self, seen: Observations, row: int) -> Content:
        columns, agent = seen[self.name], int(seen.turn.agents[row])
        group = int(self.group_of(np.array([agent]))[0])
        members = self._members(group)
        names = dict(zip(members.tolist(), names_of(self.world.population, members), strict=True))
        places: dict[str, Any] = {
            "name": names[agent] if agent in names else names_of(self.world.population, np.array([agent]))[0],
            "people": ", ".join(names.values()),
            "numbered": ", ".join(f"{at} {name}" for at, name in enumerate(names.values())),
            "left": int(columns["turns_left"][row]),
        }
        lines = int(columns["lines"][row])
        blocks = [Block(self.wording.say("people", **places), origin=self.name)]
        if not lines:
            blocks.append(Block(self.wording.say("nothing", **places), origin=self.name))
        for speaker, text in zip(columns["speakers"][row][:lines].tolist(), columns["texts"][row][:lines].tolist(), strict=True):
            blocks.append(self._line(speaker, text, group, names))
        if agent in names:
            ask = ["left"] + (["named"] if self.rules.turn_taking == "named" else [])
            blocks += [Block(self.wording.say(part, **places), origin=self.name) for part in ask]
        return tuple(block for block in blocks if block.text)

    @action(
        "Say something to the group.",
        text=Text(doc="what you say"),
        end=Flag(doc="whether the talk may end now"),
        next=Integer(doc="the number of who speaks next"),
    )
    def say(self, turn: Turn, seen: Observations, table: ActionTable) -> Outcome:
        outcome = Outcome()
        first = first_rows(table.agents)
        if not first.all():
            outcome.refuse(f"{self.name}.say", table.agents[~first], "one statement a turn")
            table = table.where(first)
        if "next" in table.columns:
            far = table["next"] >= self._roster().sizes(self.group_of(table.agents))
            if far.any():
                outcome.refuse(f"{self.name}.say", table.agents[far], "next is not the number of anyone in this talk")
                table = table.where(~far)
        groups, at = np.asarray(turn.lanes), np.searchsorted(turn.lanes, self.group_of(table.agents))
        spoke = groups[at]
        self.speakers[spoke, self.lines[spoke]] = table.agents
        self.texts[spoke, self.lines[spoke]] = table["text"]
        self.lines[spoke] += 1
        self.turns[groups] += 1
        self.missed[groups] += 1
        self.missed[spoke] -= 1
        wish = np.full(len(groups), -1, np.int64)
        if "next" in table.columns:
            wish[at] = table["next"]
        if len(table):
            outcome.events.append(Events("said", table.agents, dict(table.columns), groups=spoke, lanes=spoke))
        self._go_on(groups, wish, self._ended(groups, table), turn.moment)
        return outcome

    @action("Say how much you want to speak next.", urgency=Number(0, 1, doc="from 0, not at all, to 1"))
    def bid(self, turn: Turn, seen: Observations, table: ActionTable) -> Outcome:
        self.bidding[turn.agents] = 0.0
        self.bidding[table.agents] = table["urgency"]
        groups = np.unique(turn.lanes)
        draw = turn.random("bid").uniform(turn.agents)
        order = np.lexsort((draw, self.bidding[turn.agents], turn.lanes))
        self.speaker[groups] = turn.agents[order][np.searchsorted(turn.lanes[order], groups, side="right") - 1]
        self.stage[groups] = Stage.TALK
        return Outcome()

    @action(
        "Sum up the talk.",
        summary=Text(doc="the talk in one sentence"),
        limit=Integer(-1, doc="the limit for each that was agreed on; -1 where none was"),
    )
    def minute(self, turn: Turn, seen: Observations, table: ActionTable) -> Outcome:
        groups = np.asarray(turn.lanes)
        self.stage[groups] = Stage.DONE
        outcome = Outcome()
        first = first_rows(table.agents)
        if not first.all():
            outcome.refuse(f"{self.name}.minute", table.agents[~first], "one summary a talk")
            table = table.where(first)
        written = self.group_of(table.agents)
        self.summary[written] = table["summary"]
        self.limit[written] = np.where(table["limit"] >= 0, table["limit"], np.nan)
        if len(table):
            outcome.events.append(Events("summarised", table.agents, {"text": table["summary"]}, groups=written, lanes=written))
        agreed = table["limit"] >= 0
        if agreed.any():
            limit = {"limit": table["limit"][agreed]}
            outcome.events.append(Events("agreed", table.agents[agreed], limit, groups=written[agreed], lanes=written[agreed]))
        return outcome

    def apply(self, turn: Turn, seen: Observations, actions: Actions) -> Outcome:
        """Every turn moves its talks on, also where nothing was said."""
        if turn.phase.lead != self.name:
            return Outcome()
        outcome = self._tell_opening(np.unique(turn.lanes))
        tables = actions.of(self.name)
        stage = Stage(int(self.stage[turn.lanes[0]]))
        called = {Stage.BID: "bid", Stage.TALK: "say", Stage.MINUTE: "minute"}[stage]
        spec = next(spec for spec in self.actions() if spec.name == called)
        nothing = {name: np.empty(0, argument.dtype) for name, argument in spec.arguments.items()}
        table = tables.get(called) or ActionTable(np.empty(0, np.int64), nothing)
        return outcome.add(getattr(self, called)(turn, seen, table))

    def advance(self, to: int) -> Outcome | None:
        """The tick is over: transcripts are forgotten."""
        talked = np.flatnonzero(self.lines > 0)
        self.lines[talked], self.speakers[talked], self.texts[talked] = 0, -1, ""
        return None

    def notice(self, events: Sequence[News]) -> None:
        """What the next talk is opened with."""
        opening = self.rules.opening
        for news in events:
            if opening is None or news.kind != opening.news:
                continue
            names = names_of(self.world.population, news.actors)
            for row, group in enumerate(news.groups.tolist()):
                line = opening.word(names[row], {column: values[row] for column, values in news.data.items()})
                before = str(self.report[group])
                self.report[group] = before + opening.between + line if before else line

    def measures(self) -> Mapping[str, Array]:
        """turns of the last talk (nan before the first), missed (turns in which nothing was said), limit (nan where none)."""
        began = self.turns >= 0
        return {
            "turns": np.where(began, self.turns, np.nan),
            "missed": np.where(began, self.missed, np.nan),
            "limit": self.limit.copy(),
        }

    def _start(self, groups: Groups, moment: Moment) -> None:
        roster = self._roster()
        self.lines[groups], self.speakers[groups], self.texts[groups] = 0, -1, ""
        self.turns[groups], self.missed[groups], self.opened[groups] = 0, 0, False
        people, _ = roster.of_groups(groups)
        self.vote[people] = False
        self.bidding[people] = 0.0
        if (opening := self.rules.opening) is not None:
            for group in groups[self.report[groups] != ""].tolist():
                self.texts[group, 0], self.lines[group] = opening.whole([str(self.report[group])]), 1
                self.report[group] = ""
        self._go_on(groups, np.full(len(groups), -1, np.int64), roster.sizes(groups) == 0, moment)

    def _go_on(self, groups: Groups, named: Ints, ended: Bools, moment: Moment) -> None:
        """From one statement to the next, or to the minutes, or to the end."""
        over = ended | (self._left(groups) <= 0)
        closing = groups[over]
        chaired = (self._roster().moderators[self._roster().at(closing)] >= 0) & (self.lines[closing] > 0)
        self.stage[closing] = np.where(chaired, Stage.MINUTE, Stage.DONE)
        going = groups[~over]
        if self.rules.turn_taking == "bid":
            self.stage[going] = Stage.BID
            return
        self.stage[going] = Stage.TALK
        draws = moment.randomness.stream("speaker", moment.tick, moment.phase.name)
        past = Past(self.speaker[going], self.turns[going], named[~over])
        self.speaker[going] = next_speakers(self.rules, self._roster(), going, past, draws)

    def _ended(self, groups: Groups, table: ActionTable) -> Bools:
        if "end" not in table.columns:
            return np.zeros(len(groups), np.bool_)
        self.vote[table.agents] = table["end"]
        if self.rules.end == "any":
            ended = np.zeros(len(groups), np.bool_)
            ended[np.searchsorted(groups, self.group_of(table.agents))] = table["end"]
            return ended
        people, of = self._roster().of_groups(groups)
        for_it = np.bincount(np.searchsorted(groups, of), self.vote[people], len(groups))
        return 2 * for_it > self._roster().sizes(groups)

    def _turn(self, stage: Stage, groups: Groups, lanes: Lanes) -> Turn:
        roster = self._roster()
        called = {Stage.BID: "bid", Stage.TALK: "say", Stage.MINUTE: "minute"}[stage]
        others = [spec.full for spec in lanes.moment.offers if spec.environment != self.name]
        agents, of = groups, groups
        if stage == Stage.BID:
            agents, of = roster.of_groups(groups)
        elif stage == Stage.TALK:
            agents = self.speaker[groups]
        else:
            agents = roster.moderators[roster.at(groups)]
        turn = lanes.turn(agents, of, offers=[f"{self.name}.{called}", *others])
        if stage != Stage.TALK or self.rules.turn_taking != "named":
            return turn
        high = max(0, roster.largest() - 1)  # of all talks, so that it does not show how lanes are shared out
        say = f"{self.name}.say"
        return replace(turn, offers=tuple(bounded(spec, "next", high=high) if spec.full == say else spec for spec in turn.offers))

    def _tell_opening(self, groups: Groups) -> Outcome:
        fresh = groups[~self.opened[groups] & (self.lines[groups] > 0)]
        self.opened[groups] = True
        if not len(fresh):
            return Outcome()
        reporters = self._roster().moderators[self._roster().at(fresh)]
        return Outcome([Events("opened", reporters, {"text": self.texts[fresh, 0].copy()}, groups=fresh, lanes=fresh)])

    def _line(self, speaker: int, text: str, group: int, names: Mapping[int, str]) -> Block:
        if speaker >= 0:
            name = names[speaker] if speaker in names else names_of(self.world.population, np.array([speaker]))[0]
            return said(self.wording.say("line", name=name, text=text), name)
        author = self.rules.opening.author if self.rules.opening is not None else self.name
        if self.roster is not None and (chair := int(self.roster.moderators[int(self.roster.at(np.array([group]))[0])])) >= 0:
            author = names_of(self.world.population, np.array([chair]))[0]
        return Block(self.wording.say("line", name=author, text=text), origin=author)

    def _left(self, groups: Groups) -> Ints:
        opening = (self.lines[groups] > 0) & (self.speakers[groups, 0] == -1)
        return self.rules.max_turns - np.maximum(self.turns[groups], 0) - opening

    def _members(self, group: int) -> AgentIds:
        if self.roster is not None and group in self.roster.groups:
            return self.roster.members(group)
        everyone = self.world.population.ids()
        here = everyone[self.group_of(everyone) == group]
        chairs = self.world.population.ids(self.rules.moderator) if self.rules.moderator else np.empty(0, np.int64)
        return np.setdiff1d(here, chairs)

    def _roster(self) -> Roster:
        assert self.roster is not None, "a talk has a roster once its lanes are known"
        return self.roster
