"""Groups that users found, join, leave, write to and listen to."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sociarium.environments.social.checks import Checks
from sociarium.environments.social.posts import Kind
from sociarium.environments.social.site import MOST, Sieve
from sociarium.kernel.actions import ActionTable, Integer, Text, action
from sociarium.kernel.environment import Events, Outcome
from sociarium.kernel.turn import Observations, Turn

Ints = NDArray[np.int64]

GROUP = Integer(0, MOST, doc="the number of a group")
NOT_IN = "you are not in that group"


class Grouping(Checks):
    """Groups are numbered in the order in which they were made. Who makes one is in it."""

    @action("Make a group.", name=Text(longest=100, doc="what it is called"))
    def create_group(self, turn: Turn, seen: Observations, table: ActionTable) -> Outcome:
        sieve = self.enter("create_group", table)
        sieve.drop(np.array([not text.strip() for text in table["name"].tolist()], np.bool_), "a group has a name")
        names = sieve.column("name")
        groups = self.groups.append(names.tolist())
        self._join(groups, sieve.agents)
        return sieve.done("group_created", sieve.agents, group=groups, name=names)

    @action("Join a group.", group=GROUP)
    def join_group(self, turn: Turn, seen: Observations, table: ActionTable) -> Outcome:
        sieve = self.enter("join_group", table)
        sieve.drop(table["group"] >= len(self.groups), "there is no such group")
        sieve.drop_kept(~self._join(sieve.column("group"), sieve.agents), "you are in that group already")
        return sieve.done("group_joined", sieve.agents, group=sieve.column("group"))

    @action("Leave a group.", group=GROUP)
    def leave_group(self, turn: Turn, seen: Observations, table: ActionTable) -> Outcome:
        sieve = self.enter("leave_group", table)
        gone = self.members.remove(sieve.column("group"), sieve.agents)
        self.joined.remove(sieve.agents, sieve.column("group"))
        sieve.drop_kept(~gone, NOT_IN)
        return sieve.done("group_left", sieve.agents, group=sieve.column("group"))

    @action("Write to a group you are in.", group=GROUP, text=Text(longest=2000, doc="what you say"))
    def send_to_group(self, turn: Turn, seen: Observations, table: ActionTable) -> Outcome:
        sieve = self.enter("send_to_group", table)
        self._need_membership(sieve)
        groups, texts = sieve.column("group"), sieve.column("text")
        self.talk.append(sieve.agents, turn.time, Kind.POST, texts.tolist(), parent=groups)
        starts, members = self.members.of(groups)
        recipients = np.split(members, starts[1:-1]) if len(groups) else []
        events = Events("group_message", sieve.agents, {"group": groups, "text": texts}, "some", recipients)
        return sieve.outcome.add(Outcome([events]))

    @action("Listen to a group you are in.", group=GROUP)
    def listen_from_group(self, turn: Turn, seen: Observations, table: ActionTable) -> Outcome:
        """What is said in one's groups is part of every turn in words; the row says how many messages there are."""
        sieve = self.enter("listen_from_group", table)
        self._need_membership(sieve)
        groups = sieve.column("group")
        counts = np.bincount(self.talk.parent, minlength=len(self.groups) + 1)[groups]
        return sieve.done("group_heard", sieve.agents, group=groups, messages=counts)

    def _join(self, groups: Ints, users: Ints) -> NDArray[np.bool_]:
        self.joined.add(users, groups)
        return self.members.add(groups, users)

    def _need_membership(self, sieve: Sieve) -> None:
        sieve.drop(~self.members.has(sieve.table["group"], sieve.table.agents), NOT_IN)
