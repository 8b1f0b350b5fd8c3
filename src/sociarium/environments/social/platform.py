"""A social platform: users read a feed, write, share, judge, comment and follow; each accepted act is one event, its trace.

    platform = Platform(network, recommender=RecentPosts(5))
    Simulation(people, [platform], [mind], Activity([Phase("act", "platform")], 0.1, ...))

Users are the agents of the population, by id. In a turn each sees a feed and acts on what stood there as the turn began: actions are
carried out kind by kind, in the order in which the platform declares them, rows in the order of agents.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sociarium.environments.social.following import Following
from sociarium.environments.social.grouping import Grouping
from sociarium.environments.social.operating import Operating
from sociarium.environments.social.posting import Posting
from sociarium.environments.social.searching import Searching
from sociarium.environments.social.voting import Voting
from sociarium.kernel.actions import Actions, declared
from sociarium.kernel.environment import Outcome
from sociarium.kernel.turn import Observations, Turn, TurnKind

Array = NDArray[Any]


class Platform(Operating, Grouping, Searching, Following, Voting, Posting):
    """``follows``: an edge leads from the follower to the one followed. ``recommender``: what feeds show. ``vectors``: texts to rows of
    numbers, exact; ``interests``: (users, dimensions) of the same space. ``topics``: texts to whole numbers. ``products``: what is sold.
    """

    def observe(self, turn: Turn) -> Mapping[str, Array]:
        """feed: (rows, width) numbers of posts, the best first, -1 where there are no more."""
        return {"feed": self.feed(turn)}

    def apply(self, turn: Turn, seen: Observations, actions: Actions) -> Outcome:
        """A survey leaves nothing here: in one, nothing is shown and nothing done."""
        outcome, tables = Outcome(), actions.of(self.name)
        if turn.kind == TurnKind.PROBE:
            for name, table in tables.items():
                outcome.refuse(name, table.agents, "a survey changes nothing")
            return outcome
        self._known = len(self.posts)
        feed = np.asarray(seen[self.name]["feed"])
        self.expose(turn.agents, feed)
        for name in declared(type(self), "_action"):
            if name in tables and len(tables[name]):
                outcome.add(getattr(self, name)(turn, seen, tables[name]))
        self.recommender.applied(self, turn.agents, feed)
        return outcome

    def measures(self) -> Mapping[str, Array]:
        """How much there is of everything, all told."""
        kinds = np.bincount(self.posts.kind, minlength=4)
        names = ("posts", "reposts", "quotes", "comments")
        counted = {name: np.array([kinds[kind]], np.int64) for kind, name in enumerate(names)}
        sets = {"likes": len(self.liked), "dislikes": len(self.disliked), "follows": len(self.follows), "reports": len(self.reported)}
        return counted | {name: np.array([size], np.int64) for name, size in sets.items()}
