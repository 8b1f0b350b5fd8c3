"""What a platform allows and shows, and its words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

from sociarium.environments.wording import Wording
from sociarium.kernel.errors import UsageError
from sociarium.kernel.units import WEEK, Microseconds

Exposures = Literal["none", "counts", "pairs"]


@dataclass(frozen=True, slots=True)
class PlatformRules:
    """What a platform allows, and how much it shows.

    ``report_threshold``: reports from which a post carries a warning; ``removal_threshold``: at which it is taken down, None for never.
    ``self_votes``: whether one may like what one wrote oneself. ``show_score``: one number, likes less dislikes, instead of both.
    ``comments_shown``: comments shown under a post in words, those with the best score. ``groups_shown``: messages shown of each group
    one is in. ``found``: the most that a search finds. ``trend_count``, ``trend_window``: so many most liked posts of that window.
    ``sign_up``: whether agents must sign up before anything else. ``exposures``: what is kept of what feeds have shown: nothing, how
    often each post was shown (``views``), or also to whom (``shown``).
    """

    report_threshold: int = 2
    removal_threshold: int | None = None
    self_votes: bool = True
    show_score: bool = False
    comments_shown: int = 3
    groups_shown: int = 5
    found: int = 5
    trend_count: int = 1
    trend_window: Microseconds = WEEK
    sign_up: bool = False
    exposures: Exposures = "none"

    def __post_init__(self) -> None:
        for name in ("report_threshold", "found", "trend_count", "trend_window"):
            if getattr(self, name) < 1:
                raise UsageError(f"PlatformRules: {name} is {getattr(self, name)}; it must be 1 or more")
        for name in ("comments_shown", "groups_shown"):
            if getattr(self, name) < 0:
                raise UsageError(f"PlatformRules: {name} is {getattr(self, name)}; it must be 0 or more")
        if self.removal_threshold is not None and self.removal_threshold < 1:
            raise UsageError(f"PlatformRules: removal_threshold is {self.removal_threshold}; it is a number of reports, 1 or more, or None")
        if self.exposures not in ("none", "counts", "pairs"):
            raise UsageError(f"PlatformRules: exposures is {self.exposures!r}; it is 'none', 'counts' or 'pairs'")


@dataclass(frozen=True, slots=True)
class PlatformWording(Wording):
    """How a feed reads. The words of users are never part of a template: they follow as blocks of their own, marked with their author."""

    PLACES: ClassVar[Mapping[str, frozenset[str]]] = {
        "you": frozenset({"name", "number", "followers", "followees"}),
        "empty": frozenset(),
        "post": frozenset({"post", "author", "number", "votes", "shares", "comments", "age"}),
        "repost": frozenset({"post", "author", "number", "sharer", "sharer_number", "votes", "shares", "comments", "age"}),
        "quote": frozenset({"post", "author", "number", "quoted", "votes", "shares", "comments", "age"}),
        "comment": frozenset({"comment", "post", "author", "number", "votes"}),
        "votes": frozenset({"likes", "dislikes"}),
        "score": frozenset({"score"}),
        "warning": frozenset({"post", "reports"}),
        "label": frozenset({"post", "label"}),
        "user": frozenset({"name", "number", "followers"}),
        "products": frozenset({"products"}),
        "product": frozenset({"number", "product"}),
        "group": frozenset({"group"}),
        "group_message": frozenset({"group", "author", "number"}),
    }

    you: str = "You are $name (user $number). $followers follow you; you follow $followees."
    empty: str = "Your feed is empty."
    post: str = "Post $post by $author (user $number), $age minutes ago: $votes, $shares shares, $comments comments. It says:"
    repost: str = (
        "$sharer (user $sharer_number) shared post $post by $author (user $number), $age minutes ago: $votes, $shares shares, "
        "$comments comments. It says:"
    )
    quote: str = (
        "Post $post by $author (user $number), $age minutes ago: $votes, $shares shares, $comments comments. It quotes post $quoted, which "
        "follows. It says:"
    )
    comment: str = "Comment $comment on post $post by $author (user $number): $votes. It says:"
    votes: str = "$likes likes, $dislikes dislikes"
    score: str = "score $score"
    warning: str = "Warning: post $post was reported by $reports users."
    label: str = "Post $post carries a notice: $label"
    user: str = "$name is user $number, with $followers followers."
    products: str = "On sale, by number: $products."
    product: str = "$number $product"
    group: str = "You are in group $group, which is called:"
    group_message: str = "In group $group, $author (user $number) has written:"
