"""Claims about who the users are, and about what the experiments show."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sociarium.kernel.errors import UsageError
from sociarium.kernel.extras import optional
from sociarium.kernel.randomness import Randomness
from sociarium.kernel.records import TickRecord
from sociarium.lab.cascades import Curves
from sociarium.lab.claims import ClaimContext, Measured, claim
from sociarium.lab.statistics import chi_square, holm, mean_interval
from sociarium.populations.networks.core_ordinary import core_ordinary
from sociarium.populations.tables import drawn
from sociarium.scenarios.oasis.data import read_series, read_topics, summary
from sociarium.scenarios.oasis.history import curves_of, played, series
from sociarium.scenarios.oasis.people import TOPICS, core_of, interests_of, tables
from sociarium.scenarios.oasis.scenario import Oasis
from sociarium.scenarios.oasis.showing import SERIES
from sociarium.scenarios.oasis.timing import fitted
from sociarium.scenarios.oasis.trials import Trials

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

MINUTES = np.arange(1, 151)
HERD: dict[str, Any] = {"experiment": "herd", "steps": 6, "round_post_num": 9, "activity": 0.4, "max_rec_post_len": 10}
REPLICATES = range(50)


@claim("population-tables")
def population_tables(context: ClaimContext) -> Measured:
    """The smallest p over all tables, of chi-square tests of 100,000 sampled users."""
    random = Randomness(context.seeds[0]).stream("oasis.people").at("profiles")
    codes = drawn(tables(), 100_000, random)
    found = {name: chi_square(np.bincount(codes[name], minlength=len(t.categories)), t.shares) for name, t in tables().items()}
    return Measured.exactly(min(found.values()), holds=min(found.values()) > 0.001)


@claim("core-follows")
def core_follows(context: ClaimContext) -> Measured:
    """The smallest adjusted p of chi-square tests of how many core users one follows, against the binomial, by how many match."""
    users, chance = 20_000, 0.1
    random = Randomness(context.seeds[0]).stream("oasis.core")
    topics, core = interests_of(users, random.at("topics")), core_of(users, 0.005)
    network = core_ordinary(topics, core, random.at("network"), probability=chance)
    known = np.zeros((users, len(tables()["topic"].categories)), np.bool_)
    known[np.arange(users)[:, None], topics] = True
    matching = (known.astype(np.int64) @ known[core].T.astype(np.int64) > 0).sum(axis=1)
    follows, binom = network.degrees(), optional("scipy.stats", "lab", "the binomial law").binom
    values: list[float] = []
    for count in np.unique(matching[~core]):
        own = follows[~core & (matching == count)]
        if len(own) >= 100:
            values.append(chi_square(np.bincount(own, minlength=count + 1), binom.pmf(np.arange(count + 1), count, chance)))
    least = float(holm(np.array(values)).min())
    return Measured.exactly(least, holds=least > 0.001)


@claim("herd-null")
def herd_null(context: ClaimContext) -> Measured:
    """p of a permutation test that up, control and down end alike: random recommender, score hidden, 50 runs."""
    runs = [_outcomes(seed, recommender="random", show_score=False, copy_vote=0.7) for seed in REPLICATES]
    value = _permuted(runs, context.seeds[0])
    return Measured.exactly(value, holds=value > 0.005)


@claim("herd-dose")
def herd_dose(context: ClaimContext) -> Measured:
    """Mean gap between up and down for minds that copy the sign shown with chance 0, 0.3, 0.7; at 0 its 99.9 % interval holds 0."""
    gaps = [_gaps(recommender="random", show_score=True, copy_vote=copy) for copy in (0.0, 0.3, 0.7)]
    null = mean_interval(gaps[0], 0.999)
    means = [float(one.mean()) for one in gaps]
    told = ", ".join(f"{one:+.2f}" for one in means)
    return Measured.exactly(told, holds=null.low <= 0 <= null.high and means[0] < means[1] < means[2] and means[2] > means[0] + 0.1)


@claim("herd-by-rank")
def herd_by_rank(context: ClaimContext) -> Measured:
    """Gap between up and down under the hot recommender, the score hidden."""
    found = mean_interval(_gaps(recommender="reddit", show_score=False, copy_vote=0.0, round_post_num=15, max_rec_post_len=20), 0.999)
    return Measured.estimated(found, holds=found.low > 0)


def _outcomes(seed: int, **settings: Any) -> tuple[Ints, Ints]:
    """The first vote of each post of a run, and the net votes of others."""
    simulation = Oasis.of({**HERD, **settings}).build(seed)
    played(simulation)
    herd = simulation.world["herd"]
    assert isinstance(herd, Trials)
    return herd.outcomes()


def _gaps(**settings: Any) -> Floats:
    runs = [_outcomes(seed, **settings) for seed in REPLICATES]
    return np.array([net[given == 1].mean() - net[given == -1].mean() for given, net in runs])


def _permuted(runs: list[tuple[Ints, Ints]], seed: int, permutations: int = 2_000) -> float:
    """First votes dealt anew among the posts of each run; the statistic is the spread of the three means."""
    given, net = (np.concatenate(side) for side in zip(*runs, strict=True))
    run = np.repeat(np.arange(len(runs)), [len(one) for one, _ in runs])
    counts = np.array([(given == vote).sum() for vote in (-1, 0, 1)])

    def spread(votes: Ints) -> float:
        return float(np.var(np.bincount(votes + 1, net, 3) / counts))

    random, observed = Randomness(seed).stream("oasis.permutations"), spread(given)
    rows = np.arange(len(given))
    above = sum(spread(given[np.lexsort((random.uniform(rows, number), run))]) >= observed for number in range(permutations))
    return (1 + above) / (1 + permutations)


@claim("polarisation-grows")
def polarisation_grows(context: ClaimContext) -> Measured:
    """Share of all 196 whose answer is more extreme than at first, at the interviews of steps 10, 20 and 29; 0 without persuasion."""
    base = {"experiment": "polarisation", "interviewed": 196, "interview_every": 10, "steps": 31}
    shares = np.array([_steps(base, seed, "interview.more_extreme")[[10, 20, 30]] for seed in context.seeds[:8]])
    still = _steps({**base, "persuasion": 0.0}, context.seeds[0], "interview.more_extreme")[30]
    found = mean_interval(shares[:, 2])
    means = shares.mean(axis=0)
    return Measured.estimated(found, holds=bool((np.diff(means) > 0).all() and found.low > 0 and still == 0))


@claim("rumours-reach-further")
def rumours_reach_further(context: ClaimContext) -> Measured:
    """Users reached by a rumour over those reached by a truth of its topic, where rumours are passed on half as likely again."""
    settings = {"experiment": "misinformation", "users": 1000, "share": 0.2, "steps": 30, "core_share": 0.04}
    ratios = np.array([_ratio(settings, seed) for seed in context.seeds[:10]])
    alike = np.array([_ratio({**settings, "appeal": 1.0}, seed) for seed in context.seeds[:10]])
    found = mean_interval(np.log(ratios) - np.log(alike))
    return Measured.estimated(found, holds=found.low > 0)


def _ratio(settings: dict[str, Any], seed: int) -> float:
    last = _records(settings, seed)[-1].measures
    return float(last["cascade.rumour"][0] / last["cascade.truth"][0])


@claim("recommender-carries")
def recommender_carries(context: ClaimContext) -> Measured:
    """Users reached with the recommender over those reached without it."""
    settings = {"users": 500, "share": 0.3, "steps": 30}
    with_it, without = (
        np.array([_steps({**settings, **more}, seed, "cascade.scale")[-1] for seed in context.seeds[:8]])
        for more in ({}, {"recommender": "none"})
    )
    found = mean_interval(np.log(with_it / without))
    return Measured.estimated(found, holds=found.low > 0)


@claim("recorded-scale")
def recorded_scale(context: ClaimContext) -> Measured:
    """Normalised error of scale over minutes 1 to 150."""
    return _recorded(context, "scale")


@claim("recorded-depth")
def recorded_depth(context: ClaimContext) -> Measured:
    """Normalised error of depth."""
    return _recorded(context, "depth")


@claim("recorded-breadth")
def recorded_breadth(context: ClaimContext) -> Measured:
    """Normalised error of the largest layer."""
    return _recorded(context, "breadth")


@claim("recorded-forecast")
def recorded_forecast(context: ClaimContext) -> Measured:
    """Normalised error of scale in minutes 61 to 150, of minds fitted to the first hour only."""
    folder = _folder(context)
    real = read_series(folder / SERIES)
    timing = fitted(real.scale[:61], 110)
    settings = {"share": timing.share, "activity": timing.activity, "concentration": timing.concentration}
    later = slice(60, 150)
    errors = [_cut(_curves(folder, seed, **settings), later).errors(_cut(_real(folder), later))["scale"].item() for seed in context.seeds]
    found = mean_interval(errors)
    return Measured.estimated(found, holds=found.high < 0.3)


@claim("table-of-cascades")
def table_of_cascades(context: ClaimContext) -> Measured:
    """Cascades, true ones among them, mean users."""
    found = summary(read_topics(_folder(context) / TOPICS))
    told = f"{found['cascades']:.0f}, {found['true']:.0f} true, {found['users']:.0f} users"
    return Measured.exactly(told, holds=told == context.claim.published)


def _recorded(context: ClaimContext, name: str) -> Measured:
    folder = _folder(context)
    errors = [_curves(folder, seed).errors(_real(folder))[name].item() for seed in context.seeds]
    found = mean_interval(errors)
    return Measured.estimated(found, holds=found.high < 0.3)


def _curves(folder: Path, seed: int, **settings: float | None) -> Curves:
    return _played_once(folder, seed, tuple(settings.items()))


@cache
def _played_once(folder: Path, seed: int, settings: tuple[tuple[str, float | None], ...]) -> Curves:
    """Three claims look at the same runs."""
    return curves_of(_records({"data": str(folder), **dict(settings)}, seed), MINUTES, 3)


def _real(folder: Path) -> Curves:
    real = read_series(folder / SERIES)
    return Curves(real.scale[1:151], real.depth[1:151], real.breadth[1:151])


def _cut(curves: Curves, part: slice) -> Curves:
    return Curves(curves.scale[part], curves.depth[part], curves.breadth[part])


def _folder(context: ClaimContext) -> Path:
    if context.data is None:
        raise UsageError("this claim needs the folder of the release's data")
    return context.data


def _records(settings: dict[str, Any], seed: int) -> list[TickRecord]:
    return played(Oasis.of(settings).build(seed))


def _steps(settings: dict[str, Any], seed: int, name: str) -> Floats:
    return series(_records(settings, seed), name)
