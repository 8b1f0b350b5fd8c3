"""Which of several designs does a text come from? Multinomial naive Bayes over words, and what it is worth on texts kept apart."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sociarium.kernel.errors import UsageError
from sociarium.kernel.randomness import Stream, key_of
from sociarium.lab.statistics import Interval, share_interval

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

_WORD = re.compile(r"[^\W_]+")


def words_of(text: str) -> list[str]:
    """The words of a text in small letters."""
    return _WORD.findall(text.casefold())


@dataclass(frozen=True, slots=True)
class NaiveBayes:
    """Multinomial naive Bayes with additive smoothing (McCallum and Nigam, "A comparison of event models for naive Bayes text
    classification", AAAI-98 workshop, equations 5 and 6). ``weights``: (words, classes) of log P(word | class)."""

    vocabulary: dict[str, int]
    priors: Floats
    weights: Floats

    @classmethod
    def fit(cls, texts: Sequence[str], labels: Sequence[int], *, smoothing: float = 1.0) -> NaiveBayes:
        """``labels`` are classes from 0; each needs one text at least."""
        classes = np.asarray(labels, np.int64)
        if len(texts) != len(classes) or not len(classes) or not smoothing > 0:
            raise UsageError(f"a classifier learns from one label a text and a smoothing above 0, not from {len(texts)} and {len(classes)}")
        sizes = np.bincount(classes)
        if len(sizes) < 2 or not sizes.all():
            raise UsageError(f"a classifier needs texts of every class from 0 on, at least two; their numbers are {sizes.tolist()}")
        counts: list[Counter[str]] = [Counter() for _ in range(len(sizes))]
        for text, label in zip(texts, classes, strict=True):
            counts[int(label)].update(words_of(text))
        vocabulary = {word: at for at, word in enumerate(sorted({word for count in counts for word in count}))}
        table = np.full((len(vocabulary), len(sizes)), smoothing)
        for label, count in enumerate(counts):
            table[[vocabulary[word] for word in count], label] += np.fromiter(count.values(), np.float64, len(count))
        return cls(vocabulary, np.log(sizes / sizes.sum()), np.log(table / table.sum(axis=0)))

    def scores(self, texts: Sequence[str]) -> Floats:
        """(texts, classes): log P(class) + sum of log P(word | class). Words never seen say nothing."""
        scores = np.empty((len(texts), len(self.priors)))
        for row, text in enumerate(texts):
            known = [self.vocabulary[word] for word in words_of(text) if word in self.vocabulary]
            scores[row] = self.priors + self.weights[known].sum(axis=0)
        return scores

    def predict(self, texts: Sequence[str]) -> Ints:
        """The likeliest class; of equal ones the first."""
        return np.argmax(self.scores(texts), axis=1).astype(np.int64)


@dataclass(frozen=True, slots=True)
class Accuracy:
    """``right`` of ``trials`` texts that the classifier had not seen were told right."""

    right: int
    trials: int
    classes: int

    @property
    def share(self) -> float:
        return self.right / self.trials

    @property
    def error(self) -> float:
        """The standard error of the share if all were guessed."""
        chance = 1 / self.classes
        return (chance * (1 - chance) / self.trials) ** 0.5

    @property
    def sensitivity(self) -> float:
        """How much better than chance: 0 where designs cannot be told apart, ½ where two always can."""
        return self.share - 1 / self.classes

    def interval(self, level: float = 0.95) -> Interval:
        return share_interval(self.right, self.trials, level)


def held_out(texts: Sequence[str], labels: Sequence[int], *, seed: int = 0, test: float = 0.5) -> Accuracy:
    """Fit on some texts and tell the others. The two are drawn from each class alike, so that chance is exactly one in the classes."""
    if not 0 < test < 1:
        raise UsageError(f"the share of texts that are kept apart must lie between 0 and 1, not {test}")
    classes = np.asarray(labels, np.int64)
    least = int(np.bincount(classes).min())
    stream = Stream(key_of(seed, "lab.classifier"))
    order = stream.order(np.arange(len(classes)))
    kept = round(least * test)
    if kept < 1 or kept >= least:
        raise UsageError(f"{least} texts of a class are too few to keep {test:g} of them apart")
    tests: list[int] = []
    trained: list[int] = []
    for label in range(int(classes.max()) + 1):
        mine = order[classes[order] == label]
        tests += mine[:kept].tolist()
        trained += mine[kept:].tolist()
    model = NaiveBayes.fit([texts[at] for at in trained], [int(classes[at]) for at in trained])
    right = int((model.predict([texts[at] for at in tests]) == classes[tests]).sum())
    return Accuracy(right, len(tests), int(classes.max()) + 1)
