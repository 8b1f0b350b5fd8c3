"""The platform and the minds of an experiment, from its parameters."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sociarium.environments.social.platform import Platform
from sociarium.environments.social.recommenders.base import Choosing
from sociarium.environments.social.recommenders.presets import in_network, oasis_random, oasis_reddit, oasis_similar, oasis_x
from sociarium.environments.social.recommenders.ranked import Mixed
from sociarium.environments.social.recommenders.vectors import Interests, TextInterests, TopicInterests
from sociarium.environments.social.rules import PlatformRules
from sociarium.kernel.mind import Mind
from sociarium.kernel.network import Network
from sociarium.kernel.randomness import Randomness
from sociarium.scenarios.oasis.data import read_counterfactual
from sociarium.scenarios.oasis.minds import Debaters, Raters, Resharers
from sociarium.scenarios.oasis.people import Society, tables, words
from sociarium.scenarios.oasis.trials import Staff

if TYPE_CHECKING:
    from sociarium.scenarios.oasis.scenario import Oasis

Array = NDArray[Any]

HOT_START = 1_400_000_000.0  # seconds after 1970 at time 0: any moment does, as all posts are as much younger
PAIRS = "counterfactual_36.json"


def platform_of(scenario: Oasis, people: Society) -> Platform:
    """The follow network with those behind it who only post and rate."""
    behind = 2 if scenario.experiment == "herd" else 0
    network: Network = people.network.grown(people.users + behind) if behind else people.network
    rules = PlatformRules(self_votes=scenario.allow_self_rating, show_score=scenario.show_score and not scenario.is_x, exposures="pairs")
    topics = _topic_of(scenario, people)
    return Platform(network, recommender=recommender_of(scenario, people), rules=rules, topics=topics)


def recommender_of(scenario: Oasis, people: Society) -> Choosing:
    name = scenario.recommender or ("x" if scenario.is_x else "reddit")
    following = scenario.following_post_count
    if name == "none":
        return in_network(following, again=False)
    interests = None if name in ("reddit", "reddit-code", "random") else interests_of(scenario, people)
    small = name in ("x", "x-code")
    kept, shown = scenario.max_rec_post_len or (2 if small else 100), scenario.refresh_rec_post_count or (2 if small else 5)
    if small:
        form = "code" if name == "x-code" else "paper"
        reposts = not scenario.recorded if scenario.recommend_reposts is None else scenario.recommend_reposts
        return oasis_x(interests, kept=kept, shown=shown, following=following, form=form, reposts=reposts)
    near = [in_network(following)] if scenario.is_x and following else []
    if name == "random":
        return Mixed([*near, oasis_random(shown=shown)])
    if interests is not None:
        return Mixed([*near, oasis_similar(interests, kept=kept, shown=shown)])
    hot = oasis_reddit(kept=kept, shown=shown, epoch=HOT_START, form="code" if name == "reddit-code" else "paper")
    return Mixed([*near, hot]) if near else hot


def interests_of(scenario: Oasis, people: Society) -> Interests:
    """By topics: a user cares for its two equally, a post is about one. By texts: descriptions (topics where there is none) and posts."""
    names = tables()["topic"].categories
    if scenario.embedder == "topics":
        chosen = np.zeros((people.users, len(names)))
        np.put_along_axis(chosen, people.topics, 1.0, axis=1)
        return TopicInterests(chosen, np.eye(len(names)))
    from sociarium.models.backends.embed import HashingEmbedder, WordLlamaEmbedder

    embedder = HashingEmbedder() if scenario.embedder == "hash" else WordLlamaEmbedder()
    described = people.profiles.get("description")
    texts = (
        [f"{names[a]} {names[b]}" for a, b in people.topics.tolist()] if described is None else [str(text) for text in described.tolist()]
    )
    return TextInterests(embedder.vectors, texts)


def minds_of(scenario: Oasis, people: Society, platform: Platform, seed: int) -> list[Mind]:
    """The mind of users, and behind it that of the poster and the rater where there are any."""
    staff: list[Mind] = [Staff(platform, statements(scenario), scenario.round_post_num)] if scenario.experiment == "herd" else []
    if scenario.model is not None:
        from sociarium.scenarios.oasis.thinking import language_mind

        return [language_mind(scenario, platform), *staff]
    return [rule_mind(scenario, people, platform, seed), *staff]


def rule_mind(scenario: Oasis, people: Society, platform: Platform, seed: int) -> Mind:
    if scenario.experiment == "herd":
        votes = {"copy": scenario.copy_vote, "likes": scenario.likes, "dislikes": scenario.dislikes}
        return Raters(platform, **votes, shown=scenario.show_score)
    if scenario.experiment == "polarisation":
        drawn = Randomness(seed).stream("oasis.leaning").normal(np.arange(people.users))
        return Debaters(platform, words()["stances"], np.clip(0.1 + 0.3 * drawn, -1, 1), persuasion=scenario.persuasion)
    share = scenario.timing().share
    chance: Any = share
    if scenario.experiment == "misinformation":
        chance = [min(1.0, share * (scenario.appeal if one == "rumour" else 1.0)) for one in people.classes]
    return Resharers(platform, chance, once=scenario.recorded if scenario.once is None else scenario.once)


def statements(scenario: Oasis) -> tuple[str, ...]:
    """What the neutral poster posts in turn: those of the release where there is a folder of data, else our own."""
    if scenario.posts == "ordinary":
        return tuple(str(one) for one in words()["ordinary"])
    if scenario.data is not None:
        return read_counterfactual(Path(scenario.data) / PAIRS)
    facts = words()["counterfactual"]
    return tuple(f"{what} is {wrong}." for what, wrong in facts)


def _topic_of(scenario: Oasis, people: Society) -> Callable[[Sequence[str]], NDArray[np.int64]]:
    """The topic of a text: of a source its story's, or that of its author; of what others write, none."""
    names = tables()["topic"].categories
    if scenario.experiment == "misinformation":
        known = {str(story[kind]): names.index(story["topic"]) for story in words()["stories"] for kind in ("truth", "rumour")}
    else:
        known = {text: int(people.topics[source, 0]) for text, source in zip(people.texts, people.sources, strict=True)}

    def topics_of(texts: Sequence[str]) -> NDArray[np.int64]:
        return np.array([known.get(text, -1) for text in texts], np.int64)

    return topics_of
