"""Spread in layers: hand values, exact chances on small graphs, and what arms with common draws may differ by."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sociarium.environments.cascade.spread import Exposures, SpreadRules, spread
from sociarium.kernel.errors import UsageError
from sociarium.kernel.network import Network
from sociarium.kernel.randomness import Randomness
from sociarium.populations.networks.uniform import erdos_renyi

RANDOM = Randomness(5).stream("spread")
RETRY = SpreadRules(retry=True)
DIAMOND = Network.from_edges(5, [0, 0, 1, 2, 3], [1, 2, 3, 3, 4])  # 0 to 1 and 2, both to 3, 3 to 4


def test_where_everyone_passes_on_layers_are_distances():
    found = spread(DIAMOND, [0, 2], 1.0, RANDOM)
    assert found.layers(5).tolist() == [[1, 2, 1, 1, 0], [1, 1, 1, 0, 0]]
    assert found.reach().tolist() == [5, 3]
    assert [(int(found.user[p]) if p >= 0 else -1) for p in found.parent[found.trial == 1]] == [-1, 2, 3]


def test_where_nobody_does_there_is_the_source_alone():
    found = spread(DIAMOND, [0] * 3, 0.0, RANDOM)
    assert found.reach().tolist() == [1, 1, 1] and len(found.decided) == 6


@pytest.mark.parametrize(("retry", "third"), [(True, 1 - (1 - 0.25) ** 2), (False, None)])
def test_reach_of_the_diamond_has_its_exact_distribution(retry, third):
    """With retry user 3 decides once for each neighbour that has it; without, once in all."""
    p, trials = 0.5, 40_000
    found = spread(DIAMOND, [0] * trials, p, RANDOM.at(retry), SpreadRules(retry=retry))
    has = np.zeros((trials, 5), bool)
    has[found.trial, found.user] = True
    by_neighbours = (1 - (1 - p) ** 2 if retry else p) * p * p + 2 * p * (1 - p) * p
    for user, exact in ((1, p), (3, by_neighbours), (4, by_neighbours * p)):
        assert abs(has[:, user].mean() - exact) < 4 * np.sqrt(exact * (1 - exact) / trials)
    if third is not None:
        assert by_neighbours == pytest.approx(third)


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 9), st.floats(0.05, 0.5), st.floats(0.1, 0.9), st.integers(0, 99))
def test_with_retry_a_trial_is_what_can_be_reached_over_the_open_edges(nodes, density, p, seed):
    """One uniform an edge: the spread is a search from the source through edges whose number is below p, nothing else."""
    stream = Randomness(seed).stream("law")
    network = erdos_renyi(nodes, density, stream.at("graph"), directed=True)
    found = spread(network, [0] * 5, p, stream, RETRY)
    for trial in range(5):
        drawn = stream.at("share").uniform(trial * len(network) + np.arange(len(network)))
        edges = {(int(a), int(b)) for a, b, u in zip(network.sources(), network.targets, drawn, strict=True) if u < p}
        reached, front = {0}, {0}
        while front := {b for a, b in edges if a in front} - reached:
            reached |= front
        assert set(found.user[found.trial == trial].tolist()) == reached


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 12), st.booleans(), st.integers(0, 99))
def test_everyone_is_one_layer_below_a_neighbour_and_there_once(nodes, retry, seed):
    stream = Randomness(seed).stream("law")
    network = erdos_renyi(nodes, 0.4, stream.at("graph"), directed=True)
    found = spread(network, [0] * 8, 0.5, stream, SpreadRules(retry=retry))
    assert len(set(zip(found.trial.tolist(), found.user.tolist(), strict=True))) == len(found.user)
    below = found.parent >= 0
    above = found.parent[below]
    assert (found.trial[below] == found.trial[above]).all() and (found.layer[below] == found.layer[above] + 1).all()
    assert network.has(found.user[above], found.user[below]).all()
    pairs = list(zip(found.decided.trial.tolist(), found.decided.edge.tolist(), strict=True))
    assert len(set(pairs)) == len(pairs), "an edge shows once"
    users = list(zip(found.decided.trial.tolist(), found.decided.target.tolist(), strict=True))
    if not retry:
        assert len(set(users)) == len(users), "without retry everyone decides once"
    last = {pair: number for number, pair in enumerate(users)}
    passed = set(zip(found.trial[below].tolist(), found.user[below].tolist(), strict=True))
    assert passed <= set(last)


def test_a_trial_is_the_same_alone_as_among_others():
    network = erdos_renyi(40, 0.1, RANDOM.at("graph"), directed=True)
    many = spread(network, [3] * 20, 0.4, RANDOM, SpreadRules(mutation=0.2))
    some = spread(network, [3] * 7, 0.4, RANDOM, SpreadRules(mutation=0.2))
    assert many.user[many.trial < 7].tolist() == some.user.tolist()
    assert many.mutated[many.trial < 7].tolist() == some.mutated.tolist()


def test_one_draw_a_user_makes_it_a_search_through_willing_users():
    network = erdos_renyi(60, 0.08, RANDOM.at("graph"), directed=True)
    found = spread(network, [1] * 10, 0.5, RANDOM, SpreadRules(draws="user"))
    for trial in range(10):
        willing = RANDOM.at("share").uniform(trial * 60 + np.arange(60)) < 0.5
        reached, front = {1}, {1}
        while front := {int(b) for a in front for b in network.neighbours(a) if willing[b]} - reached:
            reached |= front
        assert set(found.user[found.trial == trial].tolist()) == reached


def test_chances_by_edge_and_by_exposure_agree():
    network = erdos_renyi(50, 0.1, RANDOM.at("graph"), directed=True)
    by_edge = RANDOM.at("chances").uniform(np.arange(len(network)))

    def by_exposure(shown: Exposures):
        assert (network.targets[shown.edge] == shown.target).all() and (network.sources()[shown.edge] == shown.source).all()
        return by_edge[shown.edge]

    one, other = (spread(network, [0] * 30, chance, RANDOM, RETRY) for chance in (by_edge, by_exposure))
    assert one.user.tolist() == other.user.tolist() and one.parent.tolist() == other.parent.tolist()


def test_a_rewritten_text_goes_on_to_the_whole_subtree_and_to_nobody_else():
    chain = Network.from_edges(7, [0, 1, 2, 0, 4, 5], [1, 2, 3, 4, 5, 6])
    texts = ["source"]

    def rewriting(trial, user, text):
        texts.extend(f"{texts[t]}+{u}" for u, t in zip(user, text, strict=True))
        return np.arange(len(texts) - len(user), len(texts))

    found = spread(chain, [0] * 50, 1.0, RANDOM, SpreadRules(mutation=0.4), rewriting=rewriting)
    said = {(t, u): texts[k] for t, u, k in zip(found.trial.tolist(), found.user.tolist(), found.text.tolist(), strict=True)}
    changed = {(t, u) for t, u, m in zip(found.trial.tolist(), found.user.tolist(), found.mutated.tolist(), strict=True) if m}
    assert changed and not any(user == 0 for _, user in changed)
    for trial, way in itertools.product(range(50), ([0, 1, 2, 3], [0, 4, 5, 6])):
        expected = "source"
        for user in way:
            expected += f"+{user}" if (trial, user) in changed else ""
            assert said[trial, user] == expected


def test_who_is_removed_neither_gets_nor_gives():
    removed = np.arange(5) == 3
    assert spread(DIAMOND, [0, 3], 1.0, RANDOM, removed=removed).reach().tolist() == [3, 0]


def test_a_layer_limit_ends_it_and_several_sources_share_a_trial():
    assert spread(DIAMOND, [0], 1.0, RANDOM, SpreadRules(most_layers=1)).reach().tolist() == [3]
    assert spread(DIAMOND, [0, 3, 3], 1.0, RANDOM, trials=[0, 0, 1]).reach().tolist() == [5, 2]


@pytest.mark.parametrize(
    "make",
    [lambda: SpreadRules(mutation=1.5), lambda: SpreadRules(most_layers=-1), lambda: SpreadRules(retry=True, draws="user")],
)
def test_rules_that_make_no_sense_are_refused(make):
    with pytest.raises(UsageError, match="SpreadRules"):
        make()
