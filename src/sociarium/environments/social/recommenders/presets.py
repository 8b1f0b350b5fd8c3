"""Recommenders as published: OASIS's for X and for Reddit, random, by similarity; nearest first. POSIM's is a module of its own."""

from __future__ import annotations

from sociarium.environments.social.posts import Kind
from sociarium.environments.social.recommenders.base import Choosing
from sociarium.environments.social.recommenders.candidates import SHOWN, Eligible, Pool
from sociarium.environments.social.recommenders.followed import Followed
from sociarium.environments.social.recommenders.ranked import Drawn, Mixed, Ranked
from sociarium.environments.social.recommenders.score import Score
from sociarium.environments.social.recommenders.scores import HORIZON
from sociarium.environments.social.recommenders.taste import Taste
from sociarium.environments.social.recommenders.terms import Fame, Hot, Interest, Likes, Recency, Term
from sociarium.environments.social.recommenders.vectors import Interests
from sociarium.kernel.errors import UsageError

ORIGINAL = (Kind.POST, Kind.QUOTE)
RANKED = 4_000  # posts that OASIS ranks at most


def in_network(count: int = 3, *, again: bool = True) -> Choosing:
    """The ``count`` most liked posts, reposts among them, of those whom a reader follows (OASIS: 3, shown again whenever they are among
    them)."""
    return Followed(Score((Likes(),)), count, again=again)


def oasis_x(
    interests: Interests | None, *, kept: int = 2, shown: int = 2, following: int = 3, form: str = "paper", reposts: bool = True
) -> Choosing:
    """OASIS's X: in-network posts, then ``shown`` of the ``kept`` posts with the highest R x F x S among at most 4,000 random ones.

    ``form`` "code": as released, F is never applied, R is taken when a post is first ranked, so that nothing ages, and readers may be
    shown their own posts. ``reposts``: whether they are ranked too, as rows of their own with their own age, as released. ``interests``
    None: out-of-network posts are switched off. ``following`` 0: in-network ones are.
    """
    if form not in ("paper", "code"):
        raise UsageError(f"the form of OASIS's recommender is 'paper' or 'code', not {form!r}")
    parts: list[Choosing] = [in_network(following)] if following else []
    if interests is not None:
        paper = form == "paper"
        terms: tuple[Term, ...] = (Recency(ages=paper), *((Fame(),) if paper else ()), Interest(interests))
        pool = Pool(Eligible(SHOWN if reposts else ORIGINAL, HORIZON if paper else None), RANKED)
        parts.append(Ranked(Score(terms), kept, shown, pool=pool, own=not paper))
    return Mixed(parts)


def oasis_reddit(*, kept: int = 100, shown: int = 5, epoch: float = 0.0, form: str = "paper") -> Choosing:
    """OASIS's Reddit: ``shown`` of the ``kept`` hottest posts, drawn for each reader. ``epoch``: seconds from 1970 to time 0.

    ``form`` "code": the hot score is rounded to 7 decimals.
    """
    if form not in ("paper", "code"):
        raise UsageError(f"the form of OASIS's recommender is 'paper' or 'code', not {form!r}")
    return Ranked(Score((Hot(epoch, 7 if form == "code" else None),)), kept, shown, own=True)


def oasis_random(*, shown: int = 5) -> Choosing:
    """OASIS's control: posts drawn at random."""
    return Drawn(shown, own=True)


def oasis_similar(interests: Interests, *, kept: int = 50, shown: int = 5, swap: float = 0.1) -> Choosing:
    """OASIS's similarity to the reader's description, moved towards what it liked and away from what it disliked; of the posts kept, a
    tenth are swapped for random ones."""
    return Ranked(Score((Taste(interests),)), kept, shown, pool=Pool(Eligible(ORIGINAL)), swap=swap)


def nearest_first(interests: Interests, *, count: int = 10, farthest: bool = False, again: bool = True) -> Choosing:
    """The posts of those whom a reader follows that are most like its interests; ``farthest``: least like them, as the code of the
    friendship-paradox study orders them."""
    return Followed(Score((Interest(interests, sign=-1 if farthest else 1),)), count, again=again)
