"""The report: no gap without its null, and no replication by the paradox alone."""

import numpy as np
import pytest

from sociarium.kernel.errors import UsageError
from sociarium.kernel.network import Network
from sociarium.kernel.randomness import Randomness
from sociarium.lab.paradox.report import DEGREES, report
from sociarium.populations.networks.nulls import random_follows
from sociarium.populations.networks.preferential import barabasi_albert, cumulative_advantage


def stream(seed=0, name="test"):
    return Randomness(seed).stream(name)


def test_every_line_is_printed_with_its_null():
    network = random_follows(np.full(60, 4), stream())
    made = report(network, {"posts": stream().uniform(np.arange(60))}, random=stream(), draws=9)
    text = str(made).splitlines()
    for at, one in enumerate(made.lines):
        assert len(one.nulls) >= 3
        place = next(i for i, line in enumerate(text) if line.startswith(f"{one.x}, {one.measure}:"))
        assert all(str(null) in text[place + 1 + n] for n, null in enumerate(one.nulls)), at
    assert made.follow_null == pytest.approx(1 - 4 / 59)
    assert {row["null"] for row in made.rows()} == {"random graph", "random follows", "same degrees", "shuffled"}


def test_random_follows_show_the_paradox_and_replicate_nothing():
    """The gap is positive and most nodes have it: it is what the null has too."""
    for seed in range(2):
        network = random_follows(np.full(100, 5), stream(seed))
        made = report(network, {"posts": stream(seed, "x").uniform(np.arange(100))}, random=stream(seed), draws=99)
        gap = made.line(DEGREES, "gap by edge, followees' followers")
        assert gap.observed > 0.5 and gap.free and gap.strict is None
        assert made.line(DEGREES, "weak share").observed > 0.5
        assert not made.replicated


def test_the_paradox_of_a_heavy_tail_alone_is_no_replication():
    network = cumulative_advantage(100, 4, stream())
    made = report(network, random=stream(), draws=99)
    gap = made.line(DEGREES, "gap by edge, followees' followers")
    assert gap.observed > 5 * gap.nulls[1].high  # far beyond random follows
    assert gap.strict is None and not made.replicated


def test_followed_for_what_they_are_is_a_finding():
    network = cumulative_advantage(100, 4, stream())
    x = network.in_degrees() + stream(2).normal(np.arange(100))
    made = report(network, {"activity": x}, random=stream(), draws=99)
    assert made.replicated
    assert ("activity", "gap by edge") in {(one.x, one.measure) for one in made.findings}
    opposite = report(network, {"activity": -x}, random=stream(), draws=99)
    assert opposite.line("activity", "gap by edge").observed < 0 and not opposite.replicated


def test_an_undirected_network_has_one_gap_and_its_weights_are_judged():
    grown = barabasi_albert(80, 3, stream())
    made = report(grown, random=stream(), directed=False, draws=19)
    assert [one.measure for one in made.lines if one.free] == ["gap by edge", "gap by node"]
    assert made.line(DEGREES, "gap by edge").strict is None
    directed = cumulative_advantage(80, 3, stream())
    weight = 1 + np.arange(len(directed)) % 3
    judged = report(Network(directed.starts, directed.targets, {"weight": weight}), random=stream(), weight="weight", draws=19)
    assert judged.infrequent is not None and judged.infrequent.cut == 2
    assert "without as many by lot" in str(judged)


def test_unknown_lines_and_taken_names_are_told():
    network = random_follows(np.full(10, 2), stream())
    with pytest.raises(UsageError, match="another name"):
        report(network, {DEGREES: np.ones(10)}, random=stream(), draws=3)
    with pytest.raises(UsageError, match="has no line"):
        report(network, random=stream(), draws=3).line("posts", "gap by edge")
