"""Climbing over wordings: what an exact score guarantees, and what a noisy one does not."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from sociarium.kernel.errors import UsageError
from sociarium.kernel.randomness import Randomness
from sociarium.training.rewording import climb

STREAM = Randomness(4).stream("climb")
WORDS = ["one", "two", "three", "four", "five"]


def length(text):
    return float(len(text))


def test_an_exact_score_rises_to_the_top_a_word_at_a_time():
    found = climb("one two one", WORDS, length, STREAM, steps=200)
    assert found.best == "three three three" and found.gain == length(found.best) - length("one two one")
    assert (np.diff(found.scores) > 0).all() and found.tried == 201
    for before, after in zip(found.texts, found.texts[1:], strict=False):
        assert sum(a != b for a, b in zip(before.split(), after.split(), strict=True)) == 1


def drawn(stream, tries, text):
    return float(stream.normal([next(tries)])[0])


def test_noise_alone_looks_like_a_gain():
    gains = []
    for number in range(50):
        stream, tries = STREAM.at(number), iter(range(1000))
        noise = partial(drawn, stream, tries)
        gains.append(climb("one two", WORDS, noise, stream.at("words"), steps=20).gain)
    assert min(gains) >= 0 and np.mean(gains) > 1, "there is nothing to gain, and the search says that there is"


@pytest.mark.parametrize(("start", "words", "steps"), [(" ", WORDS, 5), ("one", [], 5), ("one", WORDS, 0)])
def test_a_climb_without_words_is_refused(start, words, steps):
    with pytest.raises(UsageError, match="needs a text"):
        climb(start, words, length, STREAM, steps=steps)
