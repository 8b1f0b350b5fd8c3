"""Threads of a community: posts and replies, each written by a member who was drawn for it, under the design of the day.

Everything begins with an operator: ``open`` some threads, ``edit`` the design, ask ``what_if`` somebody said something else, or see
``multiverse``, other draws of the same text. A thread is a lane of its own, so each goes at its own pace. Nothing that was written ever
changes: a question works on a copy of a thread's beginning, and draws what the thread itself drew.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sociarium.environments.columnar import first_rows, positions
from sociarium.environments.social.casting import ThreadRules
from sociarium.environments.social.design import rule_of
from sociarium.environments.social.thread_content import MEMBER, Slot, ThreadContent, ThreadWording, cleaned
from sociarium.environments.social.thread_table import Sort, numbers_of
from sociarium.kernel.actions import Actions, ActionSpec, ActionTable, Text, action, bounded, operation
from sociarium.kernel.content import Block, Content, said
from sociarium.kernel.environment import AgentIds, Events, Outcome
from sociarium.kernel.errors import UsageError
from sociarium.kernel.turn import Lanes, Moment, Observations, Phase, Turn

Array = NDArray[Any]
Ints = NDArray[np.int64]


class Threads(ThreadContent):
    """Members are agents of the kind ``member`` with the columns ``name`` and ``phrase``, and ``guest`` and ``behaviour`` for those whom
    an operator brings in. ``designs`` are dealt to the groups in turn."""

    @operation("Open threads: in each group so many, under its design of now.")
    def open(self, threads: int, groups: Sequence[int] | None = None) -> None:
        if threads < 0:
            raise UsageError(f"threads.open takes 0 threads or more, not {threads}")
        for group in self._groups(groups):
            version = self.designs[group].now
            roots = self.table.next_ids(group, threads)
            cast = self.casting.cast(roots, self.pool(group), len(version.design.breaches)) if threads else None
            if cast is not None:
                self.table.append(roots, version.number, cast)

    @operation("Make the next version of the design: another goal, rules taken away and added.")
    def edit(
        self,
        goal: str | None = None,
        add: Sequence[Any] = (),
        drop: Sequence[str] = (),
        people: str | None = None,
        words: Sequence[str] | None = None,
        groups: Sequence[int] | None = None,
    ) -> Outcome:
        where = self._groups(groups)
        rules = [rule_of(one) for one in add]
        for group in where:
            changed = self.designs[group].now.design.changed(goal=goal, add=rules, drop=drop, people=people, words=words)
            self.designs[group].append(changed)
        made = [self.designs[group].now for group in where]
        data = {
            "version": np.array([version.number for version in made], np.int64),
            "digest": np.array([version.digest for version in made], object),
            "goal": np.array([version.design.goal for version in made], object),
        }
        return _by_the_world("edited", where, data)

    @operation("Ask what would have followed, had somebody else answered an utterance: on a copy of the thread up to it.")
    def what_if(
        self,
        thread: int,
        after: int,
        name: str,
        phrase: str = "",
        behaviour: str = "",
        text: str = "",
        group: int = 0,
    ) -> Outcome:
        """``after``: the position of the utterance that is answered (0: the post). Without ``text`` it is written as ``behaviour`` says."""
        row = self._row(group, thread)
        at = after + 1
        if not 0 <= after < int(self.table.done[row]) or at >= self.rules.width:
            most = min(int(self.table.done[row]), self.rules.most) - 1
            raise UsageError(f"thread {thread} can be entered after positions 0 to {most}, not {after}")
        if len(text) > self.rules.longest or (text and not text.strip()):
            raise UsageError(f"what is inserted has 1 to {self.rules.longest} characters, and is not blank")
        speaker = self._persona(group, name, phrase, behaviour)
        copy = self.table.copy(row, at, Sort.WHAT_IF, 1, self.table.next_ids(group, 1))
        self.table.speaker[copy, at] = speaker
        self.table.parent[copy, at] = after
        self.table.breach[copy, at] = self.table.breach[row, at] if speaker == self.table.speaker[row, at] else -1
        self._go_on(np.array([copy]), at, group)
        if not text:
            return Outcome()
        told = self._written("inserted", np.array([copy]), np.array([at]), [cleaned(text)], None)
        self._write(copy, at, cleaned(text))
        return Outcome([told])

    @operation("Write an utterance again with other draws, as often as ``width`` says; each thread then goes on from there.")
    def multiverse(self, thread: int, position: int, width: int = 5, group: int = 0) -> None:
        row = self._row(group, thread)
        if not 0 <= position < int(self.table.done[row]) or width < 1:
            raise UsageError(f"thread {thread} has utterances 0 to {int(self.table.done[row]) - 1}, and a width is 1 or more")
        ids = self.table.next_ids(group, width)
        copies = np.array([self.table.copy(row, position, Sort.MULTIVERSE, a + 1, ids[a : a + 1]) for a in range(width)])
        for alternative, copy in enumerate(copies.tolist(), 1):
            self.table.draw[copy, position:] = self.casting.other_draws(self.table.draw[row, position:], alternative)
        self._go_on(copies, position, group)

    def _go_on(self, rows: Ints, at: int, group: int) -> None:
        """Copies that have an utterance at ``at``: who speaks after it, and how long they become."""
        table, roots = self.table, self.table.root[rows]
        speaker = table.speaker[rows]
        pool = self.pool(group)
        self.casting.recast(roots, speaker, table.parent[rows], np.full(len(rows), at + 1), pool)
        table.speaker[rows] = speaker
        coins = self.casting.lengths(roots, np.full(len(rows), at, np.int64))
        table.planned[rows] = coins if len(pool) > 1 else at + 1

    def lanes(self, phase: Phase, awake: AgentIds, moment: Moment) -> Lanes:
        """A thread that is not done is a lane, with all who may yet write in it."""
        self._forget()
        table = self.table
        due = np.flatnonzero(table.open)
        due = due[self.world.active[table.groups[due]]]
        due = due[np.argsort(table.ids[due], kind="stable")]
        if not len(due):
            return Lanes.by(moment, awake[:0], awake[:0])
        self._stand_in(due, awake)
        rows = np.repeat(due, self.rules.width)
        at = np.tile(self.casting.positions, len(due))
        wanted = (at >= table.done[rows]) & (at < table.planned[rows])
        pairs = np.unique(np.stack([table.ids[rows[wanted]], table.speaker[rows[wanted], at[wanted]]], axis=1), axis=0)
        return Lanes.by(moment, np.ascontiguousarray(pairs[:, 1]), np.ascontiguousarray(pairs[:, 0]))

    def _stand_in(self, due: Ints, awake: AgentIds) -> None:
        """Who was cast and is not there any more is replaced; a thread that nobody can go on with ends."""
        table = self.table
        for group in np.unique(table.groups[due]).tolist():
            mine = due[table.groups[due] == group]
            unsaid = (self.casting.positions >= table.done[mine, None]) & (self.casting.positions < table.planned[mine, None])
            mine = mine[(unsaid & ~np.isin(table.speaker[mine], awake)).any(axis=1)]
            pool = np.intersect1d(self.pool(group), awake)
            if len(mine) and len(pool) > 1:
                speaker = table.speaker[mine]
                self.casting.recast(table.root[mine], speaker, table.parent[mine], table.done[mine], pool)
                table.speaker[mine] = speaker
            else:
                table.broken[mine] = True

    def turn(self, phase: Phase, lanes: Lanes) -> Turn | None:
        """The next to write in each thread; one who is next in several writes in one after another."""
        rows = self.table.rows(lanes.ids)
        going = np.flatnonzero(self.table.open[rows])
        if not len(going):
            return None
        opening = self.table.done[rows[going]] == 0
        if opening.any():
            going = going[opening]
        speakers = self.table.speaker[rows[going], self.table.done[rows[going]]]
        first = np.sort(np.unique(speakers, return_index=True)[1])
        return lanes.turn(speakers[first], lanes.ids[going[first]], offers=("post" if opening.any() else "reply",))

    def observe(self, turn: Turn) -> Mapping[str, Array]:
        """thread, position, version, breach (-1: ordinary), draw, and ``answered``: the words that are replied to. In a phase that another
        environment leads nobody is about to write: all are -1."""
        if turn.phase.lead != self.name:
            nothing = np.broadcast_to(np.int64(-1), len(turn.agents))
            columns: dict[str, Array] = dict.fromkeys(("thread", "position", "version", "breach", "draw"), nothing)
            return columns | {"answered": np.full(len(turn.agents), "", object)}
        rows = self.table.rows(turn.lanes)
        at = np.minimum(self.table.done[rows], self.rules.most)
        above = self.table.parent[rows, at]
        answered = np.empty(len(rows), object)
        answered[:] = [self.text(row, up) if up >= 0 else "" for row, up in zip(rows.tolist(), above.tolist(), strict=True)]
        return {
            "thread": numbers_of(turn.lanes),
            "position": at,
            "version": self.table.version[rows],
            "breach": self.table.breach[rows, at],
            "draw": self.table.draw[rows, at],
            "answered": answered,
        }

    def describe(self, seen: Observations, row: int) -> Content:
        slot = self.slots(seen.turn.lanes[row : row + 1])[0] if seen.turn.phase.lead == self.name else None
        group = int(self.world.population.get(seen.turn.agents[row : row + 1], "group")[0])
        design, say = (self.designs[group].now.design if slot is None else slot.design), self.wording.say
        blocks = [Block(say("goal", goal=design.goal), origin=self.name)]
        blocks += [Block(say("allowed", text=rule.text), origin=self.name) for rule in design.allowed]
        blocks += [Block(say("forbidden", text=rule.text), origin=self.name) for rule in design.forbidden]
        if slot is None:
            return tuple(blocks)
        blocks += [said(text, self.name_of(author)) for author, text in slot.path]
        return (*blocks, Block(say("reply" if slot.path else "post", name=slot.name), origin=self.name))

    @action("Open a thread.", text=Text(doc="the post"))
    def post(self, turn: Turn, seen: Observations, table: ActionTable) -> Outcome:
        return self._say("post", "posted", turn, table)

    @action("Answer in a thread.", text=Text(doc="the reply"))
    def reply(self, turn: Turn, seen: Observations, table: ActionTable) -> Outcome:
        return self._say("reply", "replied", turn, table)

    def actions(self) -> tuple[ActionSpec, ...]:
        return tuple(bounded(spec, "text", longest=self.rules.longest) for spec in super().actions())

    def apply(self, turn: Turn, seen: Observations, actions: Actions) -> Outcome:
        """A thread in which the next to write has written nothing is broken off there."""
        if turn.phase.lead != self.name:
            return Outcome()
        rows = self.table.rows(turn.lanes)
        before = self.table.done[rows]
        outcome = super().apply(turn, seen, actions)
        self.table.broken[rows[self.table.done[rows] == before]] = True
        return outcome

    def _say(self, verb: str, kind: str, turn: Turn, table: ActionTable) -> Outcome:
        outcome = Outcome()
        first = first_rows(table.agents)
        blank = np.array([not cleaned(text) for text in table["text"]], np.bool_)
        if not first.all():
            outcome.refuse(verb, table.agents[~first], "one utterance a turn")
        if (first & blank).any():
            outcome.refuse(verb, table.agents[first & blank], "nothing was written")
        table = table.where(first & ~blank)
        if not len(table):
            return outcome
        lanes = turn.lanes[positions(turn.agents, table.agents)]
        rows = self.table.rows(lanes)
        at = self.table.done[rows]
        texts = [cleaned(text) for text in table["text"]]
        outcome.events.append(self._written(kind, rows, at, texts, lanes))
        for row, place, text in zip(rows.tolist(), at.tolist(), texts, strict=True):
            self._write(row, place, text)
        return outcome

    def _write(self, row: int, at: int, text: str) -> None:
        self.fresh.setdefault(row, {})[at] = text
        self.table.done[row] = at + 1

    def _written(self, kind: str, rows: Ints, at: Ints, texts: Sequence[str], lanes: Ints | None) -> Events:
        """The trace: all that a text can be made again from. Call it before the texts are there."""
        table = self.table
        words = np.empty(len(rows), object)
        words[:] = list(texts)
        slots = zip(rows.tolist(), at.tolist(), strict=True)
        data = {
            "thread": numbers_of(table.ids[rows]),
            "position": at,
            "parent": table.parent[rows, at],
            "breach": table.breach[rows, at],
            "version": table.version[rows],
            "draw": table.draw[rows, at],
            "key": np.array([self._slot(row, place).key for row, place in slots], object),
            "text": words,
        }
        return Events(kind, table.speaker[rows, at], data, groups=table.groups[rows], lanes=lanes)

    def advance(self, to: int) -> Outcome | None:
        """Texts of this tick become content, by thread and position; threads that are done are told."""
        rows = np.array(sorted(self.fresh, key=lambda row: int(self.table.ids[row])), np.int64)
        if len(rows):
            self._keep(rows)
            self.fresh.clear()
        self._forget()
        table = self.table
        closed = np.flatnonzero(~table.open & ~table.told)
        if not len(closed):
            return None
        closed = closed[np.argsort(table.ids[closed], kind="stable")]
        table.told[closed] = True
        data = {
            "thread": numbers_of(table.ids[closed]),
            "replies": np.maximum(table.done[closed] - 1, 0),
            "sort": np.array([Sort(sort).name.lower() for sort in table.sort[closed].tolist()], object),
            "origin": np.where(table.origin[closed] >= 0, numbers_of(table.origin[closed]), -1),
            "since": table.cut[closed],
            "version": table.version[closed],
            "broken": table.broken[closed].copy(),
        }
        return Outcome([Events("closed", np.full(len(closed), -1), data, groups=table.groups[closed])])

    def _persona(self, group: int, name: str, phrase: str, behaviour: str) -> int:
        """The member of this name and phrase, or else a guest who has them."""
        population = self.world.population
        table, wanted = population[MEMBER], {"name": name, "phrase": phrase, "behaviour": behaviour}
        if not name.strip() or not all(text.isprintable() and len(text) <= 300 for text in wanted.values()):
            raise UsageError("who is brought into a thread has a name, and name, phrase and behaviour in one printable line each")
        here = np.array(table["present"] & (table["group"] == group))
        for column, value in wanted.items():
            here &= (table[column] == value) if column in table else not value
        if here.any():
            return int(table.ids[np.flatnonzero(here)[0]])
        return int(
            self.world.admit(MEMBER, 1, group=group, guest=np.array([True]), **{k: np.array([v], object) for k, v in wanted.items()})[0]
        )


def _by_the_world(kind: str, groups: Sequence[int], data: dict[str, Array]) -> Outcome:
    return Outcome([Events(kind, np.full(len(groups), -1), data, groups=np.array(groups, np.int64))] if groups else [])


__all__ = ["MEMBER", "Slot", "ThreadRules", "ThreadWording", "Threads"]
