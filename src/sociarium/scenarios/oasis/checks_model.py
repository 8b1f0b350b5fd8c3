"""What the paper found of language agents: these need a model of its class, and are small runs of the experiments on it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sociarium.environments.social.platform import Platform
from sociarium.environments.social.posts import Kind
from sociarium.kernel.errors import UsageError
from sociarium.kernel.records import TickRecord
from sociarium.lab import running
from sociarium.lab.claims import ClaimContext, Measured, claim
from sociarium.lab.running import Finished, Options
from sociarium.lab.statistics import independent_difference, mean_interval
from sociarium.scenarios.oasis.history import curves_of
from sociarium.scenarios.oasis.judging import disagreement, more_extreme
from sociarium.scenarios.oasis.people import words
from sociarium.scenarios.oasis.scenario import Oasis
from sociarium.scenarios.oasis.trials import Trials

Floats = NDArray[np.float64]


@claim("language-polarises")
async def language_polarises(context: ClaimContext) -> Measured:
    """Share of pairs in which the last answer is judged more extreme than the first: 196 users, 30 steps, ten interviewed."""
    shares: list[float] = []
    for seed in context.seeds[:3]:
        finished, records = await _played(context, seed, experiment="polarisation", steps=31)
        answers = _answers(records)
        asked = sorted(set(answers[0]) & set(answers[30]))
        found = await more_extreme(
            finished.simulation, str(words()["question"]), [answers[0][a] for a in asked], [answers[30][a] for a in asked]
        )
        shares.append(float(found.mean()))
    return Measured.estimated(mean_interval(shares), holds=float(np.mean(shares)) > 0.5)


@claim("language-down-votes")
async def disagreement_by_vote(context: ClaimContext) -> Measured:
    """Mean grade of disagreement of comments on down-treated posts, less those on up-treated ones: 100 users, 40 steps."""
    finished, _ = await _played(context, context.seeds[0], experiment="herd")
    platform, herd = finished.simulation.world["platform"], finished.simulation.world["herd"]
    assert isinstance(platform, Platform) and isinstance(herd, Trials)
    posts = platform.posts
    rows = np.flatnonzero((posts.author == herd.poster) & (posts.kind == Kind.POST))
    given, _net = herd.outcomes()
    grades: dict[int, Floats] = {}
    for vote in (1, -1):
        comments = [(post, comment) for post in rows[given == vote].tolist() for comment in posts.made_from([post])[1].tolist()]
        comments = [(post, comment) for post, comment in comments if posts.kind[comment] == Kind.COMMENT]
        if len(comments) < 2:
            raise UsageError("too few comments to compare: take more steps or users")
        above, below = (posts.words(np.array(side)).tolist() for side in zip(*comments, strict=True))
        grades[vote] = await disagreement(finished.simulation, above, below)
    found = independent_difference(grades[-1], grades[1])
    return Measured.estimated(found, holds=found.low > 0)


@claim("language-rumours")
async def rumours_in_words(context: ClaimContext) -> Measured:
    """Log of the users reached by a rumour over those reached by a truth, four pairs, 1,000 users."""
    ratios: list[float] = []
    for seed in context.seeds[:3]:
        finished, _ = await _played(context, seed, experiment="misinformation", users=1000)
        last = finished.last.measures if finished.last else {}
        ratios.append(float(np.log(last["cascade.rumour"][0] / last["cascade.truth"][0])))
    found = mean_interval(ratios)
    return Measured.estimated(found, holds=found.estimate > 0)


@claim("language-depth")
async def language_reach(context: ClaimContext) -> Measured:
    """Depth of the recorded cascade simulated in words, at minute 150; the data folder is ``--data``, else a synthetic network."""
    settings: dict[str, Any] = {} if context.data is None else {"data": str(context.data)}
    depths: list[float] = []
    for seed in context.seeds[:3]:
        _, records = await _played(context, seed, experiment="spreading", **settings)
        depths.append(float(curves_of(records, np.array([150]), 3).depth[0]))
    return Measured.estimated(mean_interval(depths), holds=float(np.mean(depths)) <= 3)


async def _played(context: ClaimContext, seed: int, **settings: Any) -> tuple[Finished, list[TickRecord]]:
    records: list[TickRecord] = []
    scenario = Oasis.of({**settings, "model": context.model})
    return await running.in_memory(scenario, seed, Options(on_tick=[records.append])), records


def _answers(records: list[TickRecord]) -> dict[int, dict[int, str]]:
    """By step, the answer of each user."""
    found: dict[int, dict[int, str]] = {}
    for record in records:
        for rows in record.events:
            if rows.kind == "interview.answered":
                texts = rows.data["text"].tolist()
                found[record.tick] = {int(actor): str(text) for actor, text in zip(rows.actors.tolist(), texts, strict=True)}
    return found
