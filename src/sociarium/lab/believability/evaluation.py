"""Tables of an evaluation: shares right by rule, ratings and tests of ranks by judges, and how far judges agree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any

import numpy as np

from sociarium.kernel.errors import UsageError
from sociarium.lab.believability.answers import Asked
from sociarium.lab.believability.judges import Ranking
from sociarium.lab.rating import Compared, Skill, agreement_alpha, cohens_d, dunn, kruskal_wallis, ratings
from sociarium.lab.statistics import Interval, exact_share_interval


@dataclass(frozen=True, slots=True)
class ByRule:
    """What a rule could score. ``shares``: by condition and category, the share that was right; ``""`` is all categories."""

    shares: dict[str, dict[str, Interval]]


@dataclass(frozen=True, slots=True)
class ByJudges:
    """``skills``: of all rankings of all judges. ``h`` and ``p``: Kruskal-Wallis over ranks; ``pairs``: Dunn's comparisons, by Holm.
    ``effects``: Cohen's d of the ranks of two conditions (above 0: the first is the more believable). ``alpha``: Krippendorff's, ordinal,
    over ranks; nan with one judge. ``unread``: by judge, questions that it gave no order for."""

    skills: dict[str, Skill]
    h: float
    p: float
    pairs: list[Compared]
    effects: dict[str, float]
    alpha: float
    rankings: dict[str, int]
    unread: dict[str, int]


@dataclass(frozen=True, slots=True)
class Evaluation:
    by_rule: ByRule
    by_judges: ByJudges | None = None

    def plain(self) -> dict[str, Any]:
        """JSON-able."""
        return asdict(self)

    def lines(self) -> list[str]:
        """The tables as text, a line each."""
        found = ["condition: share right by rule"]
        for condition, shares in self.by_rule.shares.items():
            told = ", ".join(f"{category or 'all'} {share.estimate:.2f}" for category, share in shares.items())
            found.append(f"  {condition}: {told}")
        if (judged := self.by_judges) is not None:
            found.append("condition: TrueSkill mean (deviation)")
            found += [f"  {name}: {skill.mean:.2f} ({skill.deviation:.2f})" for name, skill in judged.skills.items()]
            found.append(f"Kruskal-Wallis H = {judged.h:.2f}, p = {judged.p:.3g}; Krippendorff's alpha = {judged.alpha:.2f}")
            found += [f"  {one.one} and {one.other}: z = {one.z:.2f}, p = {one.p:.3g}" for one in judged.pairs]
        return found


def evaluated(items: Sequence[Asked], rankings: Mapping[str, Sequence[Ranking | None]] | None = None) -> Evaluation:
    """The tables. ``rankings``: by judge, one for each of the items that no rule scores, in their order."""
    return Evaluation(by_rule(items), None if rankings is None else by_judges(rankings))


def by_rule(items: Sequence[Asked]) -> ByRule:
    scored = [one for one in items if one.by_rule]
    conditions = list(dict.fromkeys(condition for one in scored for condition in one.right))
    shares: dict[str, dict[str, Interval]] = {}
    groups = {**{name: [one for one in scored if one.category == name] for name in dict.fromkeys(o.category for o in scored)}, "": scored}
    for condition in conditions:
        shares[condition] = {
            category: exact_share_interval(sum(one.right[condition] for one in own), len(own)) for category, own in groups.items()
        }
    return ByRule(shares)


def by_judges(rankings: Mapping[str, Sequence[Ranking | None]]) -> ByJudges:
    """Raises UsageError where no judge gave an order."""
    read = {name: [one for one in own if one is not None] for name, own in rankings.items()}
    everything = [one for own in read.values() for one in own]
    if not everything:
        raise UsageError("no judge gave an order for any question: there is nothing to rate")
    conditions = sorted(everything[0])
    ranks = {c: np.array([one.index(c) + 1.0 for one in everything]) for c in conditions}
    table = [[np.nan if one is None else one.index(c) + 1.0 for one in own for c in conditions] for own in rankings.values()]
    skills, (h, p) = ratings(everything), kruskal_wallis(ranks)
    order = sorted(conditions, key=lambda condition: -skills[condition].mean)
    return ByJudges(
        {condition: skills[condition] for condition in order},
        h,
        p,
        dunn(ranks),
        {f"{one} over {other}": cohens_d(ranks[other], ranks[one]) for one, other in combinations(order, 2)},
        agreement_alpha(table, "ordinal"),
        {name: len(own) for name, own in read.items()},
        {name: sum(one is None for one in own) for name, own in rankings.items()},
    )
