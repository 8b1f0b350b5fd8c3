"""Looking things up: searches and trends, as actions that leave a trace and as queries inside a turn; signing up; buying."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sociarium.environments.social.posts import Kind
from sociarium.environments.social.reading import Reading
from sociarium.environments.social.site import MOST
from sociarium.kernel.actions import ActionTable, Integer, Text, action, query
from sociarium.kernel.content import Content
from sociarium.kernel.environment import Outcome
from sociarium.kernel.turn import Observations, Turn

Ints = NDArray[np.int64]

WORDS = Text(longest=200, doc="the words to look for")
NAME = Text(longest=60, doc="the name you want to be called")
NOTHING = "say what to look for"


class Searching(Reading):
    """What was found is a column of the trace: (rows, found) numbers, -1 where there are no more."""

    @action("Look for posts.", words=WORDS)
    def search_posts(self, turn: Turn, seen: Observations, table: ActionTable) -> Outcome:
        sieve = self.enter("search_posts", table)
        sieve.drop(np.array([not text.strip() for text in table["words"].tolist()], np.bool_), NOTHING)
        words = sieve.column("words").tolist()
        known = {text: self.posts_with(text) for text in sorted(set(words))}
        found = self._rows([known[text] for text in words])
        return sieve.done("searched_posts", sieve.agents, words=sieve.column("words"), found=found)

    @action("Look for users.", words=WORDS)
    def search_user(self, turn: Turn, seen: Observations, table: ActionTable) -> Outcome:
        sieve = self.enter("search_user", table)
        sieve.drop(np.array([not text.strip() for text in table["words"].tolist()], np.bool_), NOTHING)
        words = sieve.column("words").tolist()
        known = {text: self.users_with(text) for text in sorted(set(words))}
        found = self._rows([known[text] for text in words])
        return sieve.done("searched_user", sieve.agents, words=sieve.column("words"), found=found)

    @action("Look at what is liked most now.")
    def trend(self, turn: Turn, seen: Observations, table: ActionTable) -> Outcome:
        sieve = self.enter("trend", table)
        top = self.trending(turn.time)
        wide = np.full(self.rules.trend_count, -1, np.int64)
        wide[: len(top)] = top
        return sieve.done("looked_at_trend", sieve.agents, found=np.broadcast_to(wide, (len(sieve.agents), len(wide))))

    @action("Sign up under a name, with a few words about yourself.", name=NAME, about=Text(longest=500, doc="about yourself"))
    def sign_up(self, turn: Turn, seen: Observations, table: ActionTable) -> Outcome:
        sieve = self.enter_unregistered("sign_up", table)
        names = [" ".join(text.split()) for text in table["name"].tolist()]
        sieve.drop(np.array([not text for text in names], np.bool_), "a name has at least one letter")
        sieve.drop(self.registered[table.agents], "you have signed up already")
        first = np.zeros(len(table), np.bool_)
        first[np.unique(table.agents, return_index=True)[1]] = True
        sieve.drop(~first, "you have signed up already")
        kept = np.flatnonzero(sieve.keep).tolist()
        about = sieve.column("about")
        pairs = [text for at, row in enumerate(kept) for text in (names[row], about[at])]
        self.profile[sieve.agents] = self.profiles.append(pairs)[::2]
        self.registered[sieve.agents] = True
        called = np.array([names[row] for row in kept], object)
        return sieve.done("signed_up", sieve.agents, name=called, about=about)

    @action("Buy a product.", product=Integer(0, MOST, doc="the number of a product"), quantity=Integer(1, 1000, doc="how many"))
    def purchase_product(self, turn: Turn, seen: Observations, table: ActionTable) -> Outcome:
        sieve = self.enter("purchase_product", table)
        sieve.drop(table["product"] >= len(self.products), "there is no such product")
        products, quantity = sieve.column("product"), sieve.column("quantity")
        np.add.at(self.sold, products, quantity)
        return sieve.done("purchased", sieve.agents, product=products, quantity=quantity)

    @query("Look for posts, without a trace.", words=WORDS)
    def find_posts(self, agent: int, words: str) -> Content:
        rows = self.posts_with(words)
        return self.told(rows[self._unmuted(agent, self.posts.author[rows])], self.world.clock.time, agent)

    @query("Look for users, without a trace.", words=WORDS)
    def find_users(self, agent: int, words: str) -> Content:
        found = self.users_with(words)
        return self.introduced(found[self._unmuted(agent, found)])

    @query("What is liked most now, without a trace.")
    def find_trend(self, agent: int) -> Content:
        rows = self.trending(self.world.clock.time)
        return self.told(rows[self._unmuted(agent, self.posts.author[rows])], self.world.clock.time, agent)

    def posts_with(self, words: str) -> Ints:
        """The newest posts and quotes in which these words stand."""
        if not words.strip() or not len(self.posts):
            return np.empty(0, np.int64)
        own = np.isin(self.posts.text, self.posts.texts.containing(words.strip())) & np.isin(self.posts.kind, (Kind.POST, Kind.QUOTE))
        return np.flatnonzero(own & ~self.posts.removed)[::-1][: self.rules.found]

    def users_with(self, words: str) -> Ints:
        """Users whose name has these words in it, letters large or small, or whose number it is; those with most followers first."""
        wanted = words.strip().casefold()
        everyone = np.arange(self.users)
        here = everyone[self.exists(everyone)] if wanted else everyone[:0]
        named = [wanted in name.casefold() or wanted == str(user) for user, name in zip(here.tolist(), self.names(here), strict=True)]
        found = here[np.array(named, np.bool_)]
        order = np.lexsort((found, -self.follows.followers[found]))
        return found[order][: self.rules.found]

    def trending(self, time: int) -> Ints:
        """The most liked posts and quotes of the window; of equals the newest."""
        rows = self.posts.since(time - self.rules.trend_window)
        rows = rows[self.showable(rows)]
        rows = rows[self.posts.kind[rows] != Kind.REPOST]
        order = np.lexsort((-rows, -self.posts.likes[rows].astype(np.int64)))
        return rows[order][: self.rules.trend_count]

    def _rows(self, found: list[Ints]) -> Ints:
        wide = np.full((len(found), self.rules.found), -1, np.int64)
        for row, some in enumerate(found):
            wide[row, : len(some)] = some
        return wide

    def _unmuted(self, agent: int, users: NDArray[np.integer]) -> NDArray[np.bool_]:
        return ~self.muted.has(np.full(len(users), agent, np.int64), users) if len(users) else np.empty(0, np.bool_)
