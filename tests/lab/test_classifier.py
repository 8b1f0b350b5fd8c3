"""Naive Bayes by hand, against scikit-free arithmetic, and accuracy on texts kept apart."""

import math

import numpy as np
import pytest

from sociarium.kernel.errors import UsageError
from sociarium.lab.classifier import NaiveBayes, held_out, words_of


def test_words_and_weights_are_those_worked_out_by_hand():
    model = NaiveBayes.fit(["Bread, bread oven", "wire", "wire fuse"], [0, 1, 1])
    assert words_of("Bread, it's_ok 2!") == ["bread", "it", "s", "ok", "2"]
    assert list(model.vocabulary) == ["bread", "fuse", "oven", "wire"]
    assert pytest.approx(np.array([[3, 1, 2, 1], [1, 2, 1, 3]]) / 7) == np.exp(model.weights).T
    assert model.scores(["bread unknown"])[0, 0] == pytest.approx(math.log(1 / 3) + math.log(3 / 7))
    assert model.predict(["bread", "wire", "nothing"]).tolist() == [0, 1, 1]


def test_words_without_a_side_give_chance_and_disjoint_ones_certainty():
    random = np.random.default_rng(1)
    same = [" ".join(random.choice(["a", "b", "c"], 8)) for _ in range(600)]
    labels = [n % 2 for n in range(600)]
    chance = held_out(same, labels, seed=3)
    assert abs(chance.sensitivity) <= 3.5 * chance.error and chance.trials == 300 and chance.error == pytest.approx(0.5 / 300**0.5)
    apart = held_out([f"{word} {label}" for word, label in zip(same, labels, strict=True)], labels)
    assert apart.share == 1 and apart.sensitivity == 0.5
    assert held_out(same, labels, seed=3) == chance


def test_classes_of_unequal_size_are_kept_apart_in_equal_numbers():
    found = held_out(["a"] * 10 + ["b"] * 90, [0] * 10 + [1] * 90)
    assert found.trials == 10 and found.share == 1


@pytest.mark.parametrize(("texts", "labels"), [([], []), (["a"], [0]), (["a", "b"], [0, 2]), (["a"], [0, 1])])
def test_too_few_texts_or_classes_are_refused(texts, labels):
    with pytest.raises(UsageError):
        NaiveBayes.fit(texts, labels)
