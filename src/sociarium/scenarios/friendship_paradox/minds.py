"""Users that follow rules: whom they follow, what they do with a feed, and what their posts say. One vectorised call for any number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from sociarium.kernel.actions import Actions
from sociarium.kernel.errors import UsageError
from sociarium.kernel.mind import Mind
from sociarium.kernel.randomness import Stream
from sociarium.kernel.turn import Observations, Turn
from sociarium.kernel.world import World
from sociarium.scenarios.friendship_paradox.world import COMMENT, DISLIKE, LIKE, NOTHING, PUBLISH, SHARE

Array = NDArray[Any]
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Taste = Literal["similar", "influential", "random"]

TASTES: tuple[Taste, ...] = ("similar", "influential", "random")


@dataclass(frozen=True, slots=True)
class Manners:
    """``follow``: whom a user picks of those suggested: the one most like it, the one with most followers, or anyone. ``follow_rate``: how
    often it picks at all. ``weights``: of publish, nothing, share, like, dislike, comment where there is a feed; publishing is scaled by a
    user's own activity. ``answers``: how often a comment is answered. ``words``: of a post."""

    follow: Taste = "similar"
    follow_rate: float = 1.0
    weights: tuple[float, ...] = (1.0, 0.5, 0.4, 1.0, 0.2, 0.4)
    answers: float = 0.5
    words: int = 10

    def __post_init__(self) -> None:
        if len(self.weights) != COMMENT or min(self.weights) < 0 or not sum(self.weights[1:]) > 0:
            raise UsageError(f"weights {self.weights}: six of 0 or more, for publish, nothing, share, like, dislike, comment")


class Users(Mind):
    """``vocabulary``: the words of each topic; ``interests``: (users, topics) shares of what a user writes about. ``activity`` is a column
    of the population: the chance to publish where there is nothing to read."""

    def __init__(self, manners: Manners, vocabulary: Sequence[Sequence[str]], interests: Floats) -> None:
        self.manners = manners
        self.vocabulary: list[tuple[str, ...]] = [tuple(words) for words in vocabulary]
        self.interests = interests

    def begin(self, world: World) -> None:
        self.population = world.population

    async def decide(self, turn: Turn, seen: Observations) -> Actions:
        part = seen["platform"]
        if turn.offered("follow"):
            return self._follow(turn, part)
        if turn.offered("choose"):
            return self._choose(turn, part)
        if turn.offered("create_post"):
            return Actions.one(turn, "create_post", text=self.texts(turn.agents, turn.random("text")))
        if "asked" in part:
            answers = turn.random("answer").uniform(turn.agents) < self.manners.answers
            who = turn.agents[answers]
            actions = Actions.one(turn, "create_comment", who, post=part["asked"][answers], text=self.texts(who, turn.random("text")))
            return actions.add(turn, "do_nothing", turn.agents[~answers])
        return self._react(turn, part)

    def _follow(self, turn: Turn, part: Mapping[str, Array]) -> Actions:
        suggested, stream = part["suggested"], turn.random("follow")
        ties = stream.uniform(turn.agents[:, None], np.arange(len(suggested[0]), dtype=np.int64))
        wanted = {"similar": part["likeness"], "influential": part["fame"], "random": np.zeros(suggested.shape)}[self.manners.follow]
        best = np.lexsort((ties, np.where(suggested >= 0, wanted, -np.inf)), axis=1)[:, -1]
        chosen = np.take_along_axis(suggested, best[:, None], 1)[:, 0]
        picks = (chosen >= 0) & (stream.at("rate").uniform(turn.agents) < self.manners.follow_rate)
        actions = Actions.one(turn, "follow", turn.agents[picks], user=chosen[picks])
        return actions.add(turn, "do_nothing", turn.agents[~picks])

    def _choose(self, turn: Turn, part: Mapping[str, Array]) -> Actions:
        agents = turn.agents
        activity = self.population.get(agents, "activity").astype(np.float64)
        some = (part["feed"] >= 0).any(axis=1)
        weights = np.tile(np.asarray(self.manners.weights), (len(agents), 1))
        weights[:, PUBLISH - 1] *= activity
        weights[~some] = 0.0
        weights[~some, PUBLISH - 1], weights[~some, NOTHING - 1] = activity[~some], 1 - activity[~some]
        chosen = turn.random("choose").choice(weights, agents) + 1
        return Actions.one(turn, "choose", choice=chosen, reason="")

    def _react(self, turn: Turn, part: Mapping[str, Array]) -> Actions:
        """Likes, shares and comments go to what is closest to the user's interests, dislikes to what is furthest from them."""
        name = next(spec.name for spec in turn.offers)
        sign = -1.0 if name == "dislike_post" else 1.0
        best = np.where(part["feed"] >= 0, sign * part["closeness"], -np.inf).argmax(axis=1)
        posts = np.take_along_axis(part["feed"], best[:, None], 1)[:, 0]
        if name == "create_comment":
            return Actions.one(turn, name, post=posts, text=self.texts(turn.agents, turn.random("text")))
        return Actions.one(turn, name, post=posts)

    def texts(self, users: Ints, random: Stream) -> NDArray[np.object_]:
        """Words drawn by the interests of each user."""
        out = np.empty(len(users), object)
        if not len(users):
            return out
        places = np.arange(self.manners.words)
        topics = np.stack([random.choice(self.interests[users], users, int(at)) for at in places], axis=1)
        drawn = random.at("word").uniform(users[:, None], places)
        for row, (about, place) in enumerate(zip(topics, drawn, strict=True)):
            words: list[tuple[str, ...]] = [self.vocabulary[int(topic)] for topic in about]
            out[row] = " ".join(known[int(u * len(known))] for known, u in zip(words, place, strict=True))
        return out


__all__ = ["COMMENT", "DISLIKE", "LIKE", "NOTHING", "PUBLISH", "SHARE", "Manners", "Taste", "Users"]
