"""Histories, features, windows and trees of share classifiers: what they may see, and that they see nothing else."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sociarium.kernel.errors import UsageError
from sociarium.kernel.network import Network
from sociarium.kernel.randomness import Randomness
from sociarium.minds.sharing.classifier import ShareClassifier, TrainingRules, sampled
from sociarium.minds.sharing.features import FeatureRules, PairFeatures, cosine
from sociarium.minds.sharing.histories import Histories
from sociarium.minds.sharing.logs import ExposureLog, Windows
from sociarium.minds.sharing.trees import BoostedTrees, TreeRules
from sociarium.record.tree import survey

STREAM = Randomness(2).stream("sharing")


def normal(name, *shape):
    return STREAM.at(name).normal(np.arange(int(np.prod(shape)))).reshape(shape)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 5)), max_size=20), st.integers(0, 3), st.integers(-1, 7))
def test_a_summary_is_the_mean_of_what_was_strictly_before(events, user, time):
    vectors = normal("events", len(events), 3)
    histories = Histories(4, [u for u, _ in events], [t for _, t in events], vectors)
    mine = np.array([vectors[k] for k, (u, t) in enumerate(events) if u == user and t < time]).reshape(-1, 3)
    assert histories.counts([user], [time]).tolist() == [len(mine)]
    np.testing.assert_allclose(histories.summaries([user], [time])[0], mine.mean(axis=0) if len(mine) else 0.0)


def test_what_others_did_and_what_comes_later_changes_no_bit_of_a_summary():
    who, when = np.repeat(np.arange(20), 10), np.tile(np.arange(10), 20)
    vectors = normal("past", 200, 8)
    past = Histories(20, who, when, vectors)
    more = Histories(20, [*who, *range(20)], [*when, *[9] * 20], np.concatenate([vectors, 1e6 * np.ones((20, 8))]))
    users, times = np.arange(20), np.full(20, 9)
    assert past.summaries(users, times).tobytes() == more.summaries(users, times).tobytes()
    assert past.counts(users, times).tolist() == more.counts(users, times).tolist()


def test_features_are_named_and_parts_can_be_left_out():
    network = Network.from_edges(3, [0, 0, 1], [1, 2, 2])
    written, passed_on = Histories(3, [0], [1.0], [[3.0, 0.0]]), Histories(3, [2, 2], [1.0, 2.0], [[0.0, 2.0], [4.0, 0.0]])
    whole = PairFeatures(written, passed_on, network)
    row = dict(zip(whole.names, whole.rows([0], [2], np.array([[0.0, 1.0]]), 2.0)[0], strict=True))
    assert row["source_followers"] == pytest.approx(np.log(3)) and row["target_followed"] == pytest.approx(np.log(3))
    assert row["source_written"] == pytest.approx(np.log(2)) and row["target_passed_on"] == pytest.approx(np.log(2))
    assert (row["post_source"], row["post_target"], row["source_target"]) == (0.0, 1.0, 0.0)
    assert (row["source_0"], row["target_1"], row["post_1"]) == (3.0, 2.0, 1.0)
    bare = PairFeatures(written, passed_on, network, FeatureRules.without_text())
    rows = [bare.rows([0], [2], np.array([post]), 2.0).tolist() for post in ([0.0, 1.0], [1.0, 0.0])]
    assert rows[0] == rows[1], "without text nothing depends on the post"
    assert len(bare.names) == 10 == len(rows[0][0])


def test_cosine_of_nothing_is_0():
    assert cosine([[0.0, 0.0], [1.0, 1.0]], [[1.0, 0.0], [2.0, 2.0]]).tolist() == [0.0, pytest.approx(1.0)]


def test_windows_that_overlap_are_refused():
    with pytest.raises(UsageError, match="'test' begins at 7, before 'training' ends at 8"):
        Windows({"training": (4, 8), "test": (7, 9)})
    with pytest.raises(UsageError, match="is empty"):
        Windows({"training": (4, 4)})
    touching = Windows({"test": (8, 9), "training": (4, 8)})
    assert touching.inside("training", np.array([3.9, 4, 7.9, 8])).tolist() == [False, True, True, False]
    with pytest.raises(UsageError, match="no window 'tset'"):
        touching["tset"]


def log_of(rows=4000):
    posts = normal("posts", 500, 4)
    user = STREAM.integers(0, 49, np.arange(rows))
    post = STREAM.at("p").integers(0, 499, np.arange(rows))
    log_odds = -2 + 2 * posts[post, 0]
    shared = STREAM.at("s").uniform(np.arange(rows)) < 1 / (1 + np.exp(-log_odds))
    return ExposureLog(np.linspace(0, 10, rows), user, (user + 1) % 50, post, shared), posts, log_odds


def test_a_log_is_cut_by_windows_and_read_from_a_file(tmp_path):
    log, _, _ = log_of(100)
    assert len(Windows({"a": (0, 5), "b": (6, 7)}).cut(log, "a", "b")) == 60
    pl.DataFrame({name: getattr(log, name) for name in ExposureLog.__slots__}).write_parquet(tmp_path / "log.parquet")
    read = ExposureLog.read(tmp_path / "log.parquet")
    assert read.shared.dtype == bool and read.source.tolist() == log.source.tolist()
    pl.DataFrame({"time": [1.0]}).write_csv(tmp_path / "bad.csv")
    with pytest.raises(UsageError, match="no column 'source'"):
        ExposureLog.read(tmp_path / "bad.csv")
    with pytest.raises(UsageError, match="cannot be read"):
        ExposureLog.read(tmp_path / "none.csv")


def test_sampling_keeps_all_that_was_shared_and_says_what_the_odds_lack():
    log, _, _ = log_of()
    chosen, offset = sampled(log, STREAM, 1.0)
    assert chosen.shared.sum() == log.shared.sum() == (~chosen.shared).sum()
    assert offset == pytest.approx(np.log(log.shared.sum() / (~log.shared).sum())) and (np.diff(chosen.time) > 0).all()
    assert sampled(log, STREAM, None) == (log, 0.0)
    with pytest.raises(UsageError, match="0 were shared"):
        sampled(log.only(~log.shared), STREAM, 1.0)


def test_trees_are_those_of_scikit_learn_and_survive_as_arrays():
    from sklearn.ensemble import HistGradientBoostingClassifier
    from threadpoolctl import threadpool_limits

    features = normal("features", 3000, 5)
    outcome = STREAM.at("o").uniform(np.arange(3000)) < 1 / (1 + np.exp(-features[:, 0] * features[:, 1]))
    rules = TreeRules(iterations=20)
    trees = BoostedTrees.fit(features, outcome, rules)
    theirs = HistGradientBoostingClassifier(
        max_iter=20, learning_rate=rules.rate, max_leaf_nodes=rules.leaves, min_samples_leaf=rules.least,
        l2_regularization=rules.ridge, early_stopping=False, random_state=0,
    )  # fmt: skip
    with threadpool_limits(1):
        theirs.fit(features, outcome)
    fresh = normal("fresh", 2000, 5)
    np.testing.assert_allclose(trees.log_odds(fresh), theirs.decision_function(fresh), rtol=1e-9, atol=1e-12)
    assert trees.log_odds(fresh[7:90]).tobytes() == trees.log_odds(fresh)[7:90].tobytes(), "a row does not depend on the others"
    survey(state := trees.state())  # raises where anything is neither array nor plain data
    assert BoostedTrees.load(state).log_odds(fresh).tobytes() == trees.log_odds(fresh).tobytes()


@pytest.mark.parametrize("outcome", [np.ones(60, bool), np.zeros(60, bool), np.ones(3, bool)])
def test_trees_need_rows_of_both_kinds(outcome):
    with pytest.raises(UsageError, match="of both kinds"):
        BoostedTrees.fit(normal("few", 60, 2), outcome)


def test_a_classifier_of_sampled_pairs_states_the_chances_of_the_whole_log():
    log, posts, log_odds = log_of(20_000)
    nothing = Histories(50, [], [], np.zeros((0, 4)))
    features = PairFeatures(nothing, nothing, Network.from_edges(50, [0], [1]), FeatureRules(summaries=False, cosines=False))
    found = ShareClassifier.fit(features, log, posts, STREAM, TrainingRules(trees=TreeRules(iterations=40)), at=20.0)
    stated = found.of(log, posts)
    assert stated.mean() == pytest.approx(log.shared.mean(), abs=0.02)
    assert np.corrcoef(stated, 1 / (1 + np.exp(-log_odds)))[0, 1] > 0.95
    other = ShareClassifier(features, found.trees, 0.0, 0.0)
    other.load(found.state())
    assert other.of(log, posts).tobytes() == stated.tobytes() and other.at == 20.0
