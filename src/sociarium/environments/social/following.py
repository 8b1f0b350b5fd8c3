"""Ties: follow, mute; and what changes nothing: refresh, do nothing."""

from __future__ import annotations

import numpy as np

from sociarium.environments.social.checks import Checks
from sociarium.environments.social.site import MOST
from sociarium.kernel.actions import ActionTable, Integer, action
from sociarium.kernel.environment import Outcome
from sociarium.kernel.turn import Observations, Turn

USER = Integer(0, MOST, doc="the number of a user")


class Following(Checks):
    """Edges between users."""

    @action("Follow a user: what they post may come into your feed.", user=USER)
    def follow(self, turn: Turn, seen: Observations, table: ActionTable) -> Outcome:
        sieve = self.enter("follow", table)
        self.need_user(sieve)
        sieve.drop_kept(~self.follows.follow(sieve.agents, sieve.column("user")), "you follow them already")
        return sieve.done("followed", sieve.agents, user=sieve.column("user"))

    @action("No longer follow a user.", user=USER)
    def unfollow(self, turn: Turn, seen: Observations, table: ActionTable) -> Outcome:
        sieve = self.enter("unfollow", table)
        sieve.drop(sieve.table["user"] >= self.users, "you do not follow them")
        sieve.drop_kept(~self.follows.unfollow(sieve.agents, sieve.column("user")), "you do not follow them")
        return sieve.done("unfollowed", sieve.agents, user=sieve.column("user"))

    @action("Mute a user: nothing of theirs is shown to you.", user=USER)
    def mute(self, turn: Turn, seen: Observations, table: ActionTable) -> Outcome:
        sieve = self.enter("mute", table)
        self.need_user(sieve)
        sieve.drop_kept(~self.muted.add(sieve.agents, sieve.column("user")), "you have muted them already")
        return sieve.done("muted", sieve.agents, user=sieve.column("user"))

    @action("No longer mute a user.", user=USER)
    def unmute(self, turn: Turn, seen: Observations, table: ActionTable) -> Outcome:
        sieve = self.enter("unmute", table)
        sieve.drop_kept(~self.muted.remove(sieve.agents, sieve.column("user")), "you have not muted them")
        return sieve.done("unmuted", sieve.agents, user=sieve.column("user"))

    @action("Look at your feed, and leave it at that.")
    def refresh(self, turn: Turn, seen: Observations, table: ActionTable) -> Outcome:
        """The feed is part of every turn that shows the platform; the row says how many posts it had."""
        sieve = self.enter("refresh", table)
        feed = seen[self.name]["feed"]
        order = np.argsort(turn.agents, kind="stable")
        at = order[np.searchsorted(turn.agents, sieve.agents, sorter=order)]
        return sieve.done("refreshed", sieve.agents, posts=(feed[at] >= 0).sum(axis=1))

    @action("Do nothing.")
    def do_nothing(self, turn: Turn, seen: Observations, table: ActionTable) -> Outcome:
        sieve = self.enter("do_nothing", table)
        return sieve.done("did_nothing", sieve.agents)
