"""A small policy that knows how unsure it is: an ensemble of multinomial logistic regressions with random priors.

Each member is fitted to the same decisions with weights of its own (the Bayesian bootstrap, Rubin 1981) and is pulled towards a prior
draw of its own (randomised priors, Osband, Aslanides and Cassirer 2018). Where there are many decisions the members agree; where there are
few they differ as their priors do. That difference, and not the entropy of what they predict, is how little is known: people who toss a
coin are perfectly known by a policy that tosses one.

Sums run in a fixed order, without BLAS: a row's prediction does not depend on who else is asked.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sociarium.kernel.randomness import Stream

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

SPREAD = 2.0  # standard deviation of a prior weight, features being standardised


@dataclass
class Ensemble:
    """``members`` regressions over ``classes`` options. ``weights``: (members, features + 1, classes), the last feature being constant."""

    classes: int
    members: int = 8
    rounds: int = 60  # of fitting

    def __post_init__(self) -> None:
        self.known = np.zeros(self.classes, np.bool_)
        self.mean: Floats = np.zeros(0)
        self.scale: Floats = np.zeros(0)
        self.weights: Floats = np.zeros((self.members, 0, self.classes))

    @property
    def fitted(self) -> bool:
        return self.weights.shape[1] > 0

    def fit(self, features: Floats, chosen: Ints, places: Ints, stream: Stream) -> None:
        """Fit to decisions: ``features`` (decisions, features), ``chosen`` (decisions,) the number of an option, ``places`` what tells the
        decisions apart for their draws of ``stream``. Options that nobody chose are never predicted."""
        self.known = np.bincount(chosen, minlength=self.classes) > 0
        self.mean = features.mean(axis=0)
        self.scale = features.std(axis=0)
        self.scale[self.scale == 0.0] = 1.0
        inputs = self._standard(features)
        count = inputs.shape[1]
        targets = np.zeros((len(chosen), self.classes))
        targets[np.arange(len(chosen)), chosen] = 1.0
        cells = np.arange(self.members * count * self.classes, dtype=np.int64)
        prior = SPREAD * stream.at("prior").normal(cells).reshape(self.members, count, self.classes)
        weights = prior.copy()
        for member in range(self.members):
            drawn = stream.at("weights").exponential(places, member)
            weights[member] = fitted(inputs, targets, drawn, prior[member], self.known, self.rounds)
        self.weights = weights

    def predict(self, features: Floats) -> tuple[Floats, Floats]:
        """(rows, options) the mean of what the members predict, and (rows,) how far they differ: the mean total variation from it."""
        inputs = self._standard(features)
        each = np.stack([_softmax(_scores(inputs, weights), self.known) for weights in self.weights])  # (members, rows, options)
        mean = _summed(each) / self.members
        apart = np.stack([_summed(np.abs(one - mean).T) / 2 for one in each])
        return mean, _summed(apart) / self.members

    def state(self) -> dict[str, Any]:
        return {"known": self.known.copy(), "mean": self.mean.copy(), "scale": self.scale.copy(), "weights": self.weights.copy()}

    def load(self, state: dict[str, Any]) -> None:
        self.known = np.array(state["known"], np.bool_)
        self.mean, self.scale = np.array(state["mean"], np.float64), np.array(state["scale"], np.float64)
        self.weights = np.array(state["weights"], np.float64)

    def _standard(self, features: Floats) -> Floats:
        """Standardised, at most ten deviations from the mean, and a constant."""
        inputs = np.ones((len(features), features.shape[1] + 1))
        inputs[:, :-1] = np.clip((features - self.mean) / self.scale, -10.0, 10.0)
        return inputs


def fitted(inputs: Floats, targets: Floats, drawn: Floats, prior: Floats, known: NDArray[np.bool_], rounds: int) -> Floats:
    """Weights (features, options) that maximise sum_i drawn_i log p(target_i) - |W - prior|^2 / (2 SPREAD^2).

    Each round takes the step of the bound H <= 1/2 sum_i drawn_i x_i x_i' (Böhning 1992), accelerated (Nesterov 1983) and begun anew
    where the last step points back (O'Donoghue and Candès 2015).
    """
    penalty = 1.0 / SPREAD**2
    weighted = inputs * drawn[:, None]
    bound = 0.5 * np.einsum("if,ig->fg", weighted, inputs) + penalty * np.eye(inputs.shape[1])
    inverse = inverted(bound)
    weights, ahead, pace = prior.copy(), prior.copy(), 1.0
    for _ in range(rounds):
        gradient = np.einsum("if,ic->fc", weighted, targets - _softmax(_scores(inputs, ahead), known)) - penalty * (ahead - prior)
        step = np.einsum("fg,gc->fc", inverse, gradient)
        following = ahead + step
        if (gradient * (following - weights)).sum() < 0.0:
            pace = 1.0
        faster = (1.0 + (1.0 + 4.0 * pace * pace) ** 0.5) / 2.0
        ahead = following + (pace - 1.0) / faster * (following - weights)
        weights, pace = following, faster
    return weights


def inverted(matrix: Floats) -> Floats:
    """The inverse of a symmetric positive definite matrix, by Gauss and Jordan: without BLAS, so that it is the same everywhere."""
    size = len(matrix)
    work = np.concatenate([matrix, np.eye(size)], axis=1)
    for row in range(size):
        work[row] /= work[row, row]
        factors = work[:, row].copy()
        factors[row] = 0.0
        work -= factors[:, None] * work[row]
    return work[:, size:]


def _scores(inputs: Floats, weights: Floats) -> Floats:
    """(rows, options), each row by itself."""
    out = np.zeros((len(inputs), weights.shape[1]))
    for feature in range(inputs.shape[1]):
        out += inputs[:, feature, None] * weights[feature]
    return out


def _softmax(scores: Floats, known: NDArray[np.bool_]) -> Floats:
    held = np.where(known, scores, -np.inf)
    powers = np.exp(held - held.max(axis=1, keepdims=True))
    return powers / _summed(powers.T)[:, None]


def _summed(parts: Floats) -> Floats:
    """The sum over the first axis, one after another, whatever its shape in memory."""
    out = np.zeros(parts.shape[1:])
    for part in parts:
        out += part
    return out
