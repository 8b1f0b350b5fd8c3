"""Gradient-boosted trees: fitted by scikit-learn (extra ``learn``), kept and evaluated as plain arrays.

A fitted classifier is part of a run. As arrays it can be saved, loaded and replayed without scikit-learn and without code in data.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sociarium.kernel.errors import UsageError
from sociarium.kernel.extras import optional

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

_CHUNK = 4_096  # rows walked down all trees at a time


@dataclass(frozen=True, slots=True)
class TreeRules:
    """``iterations``: trees. ``rate``: how much of each is added. ``leaves``: most a tree. ``least``: rows a leaf. ``ridge``: penalty on
    leaf values."""

    iterations: int = 100
    rate: float = 0.08
    leaves: int = 15
    least: int = 50
    ridge: float = 1.0


@dataclass(frozen=True, slots=True)
class BoostedTrees:
    """Log odds are ``baseline`` plus one leaf's ``value`` a tree. Nodes of all trees follow one another; ``roots`` says where each begins,
    ``left`` and ``right`` which node comes next (a leaf is its own), a row goes left where its ``feature`` is at most ``threshold``."""

    baseline: float
    roots: Ints
    feature: Ints
    threshold: Floats
    left: Ints
    right: Ints
    value: Floats

    @classmethod
    def fit(cls, features: Floats, outcome: NDArray[np.bool_], rules: TreeRules | None = None) -> BoostedTrees:
        """To (rows, features) and whether each row came out. One thread, so that sums have one order: the same rows, the same trees."""
        how = rules or TreeRules()
        if len(features) != len(outcome) or not len(outcome) or outcome.all() or not outcome.any():
            came = int(outcome.sum())
            raise UsageError(f"a classifier of {len(features)} rows needs as many outcomes, of both kinds, not {came} of {len(outcome)}")
        if not np.isfinite(features).all():
            raise UsageError("a feature is not finite; leave the row out, or fill it")
        ensemble = optional("sklearn.ensemble", "learn", "fitting a share classifier")
        pools = optional("threadpoolctl", "learn", "fitting a share classifier")
        model = ensemble.HistGradientBoostingClassifier(
            max_iter=how.iterations, learning_rate=how.rate, max_leaf_nodes=how.leaves, min_samples_leaf=how.least,
            l2_regularization=how.ridge, early_stopping=False, random_state=0,
        )  # fmt: skip
        with pools.threadpool_limits(1):
            model.fit(features, outcome)
        return cls._read(float(model._baseline_prediction.item()), [trees[0].nodes for trees in model._predictors])

    @classmethod
    def _read(cls, baseline: float, trees: list[Any]) -> BoostedTrees:
        roots = np.concatenate([[0], np.cumsum([len(nodes) for nodes in trees])]).astype(np.int64)[:-1]
        own = [np.arange(len(nodes)) for nodes in trees]
        leaf = [nodes["is_leaf"].astype(np.bool_) for nodes in trees]
        parts = list(zip(trees, own, leaf, roots.tolist(), strict=True))
        return cls(
            baseline,
            roots,
            np.concatenate([np.where(at, 0, nodes["feature_idx"]) for nodes, _, at, _ in parts]).astype(np.int64),
            np.concatenate([np.where(at, np.inf, nodes["num_threshold"]) for nodes, _, at, _ in parts]),
            np.concatenate([np.where(at, self, nodes["left"]) + root for nodes, self, at, root in parts]).astype(np.int64),
            np.concatenate([np.where(at, self, nodes["right"]) + root for nodes, self, at, root in parts]).astype(np.int64),
            np.concatenate([nodes["value"] for nodes in trees]),
        )

    def log_odds(self, features: Floats) -> Floats:
        """(rows,). A row's value does not depend on the others. All trees of some rows are walked down at a time."""
        rows = np.asarray(features, np.float64)
        out = np.empty(len(rows))
        for start in range(0, len(rows), _CHUNK):
            part = rows[start : start + _CHUNK]
            node, where = np.tile(self.roots, (len(part), 1)), np.arange(len(part))[:, None]
            while True:
                down = np.where(part[where, self.feature[node]] <= self.threshold[node], self.left[node], self.right[node])
                if np.array_equal(down, node):
                    break
                node = down
            total = np.full(len(part), self.baseline)
            for tree in range(len(self.roots)):  # one order of summation
                total += self.value[node[:, tree]]
            out[start : start + _CHUNK] = total
        return out

    def state(self) -> dict[str, Any]:
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @classmethod
    def load(cls, state: Mapping[str, Any]) -> BoostedTrees:
        arrays: dict[str, Any] = {name: np.asarray(value) for name, value in state.items() if name != "baseline"}
        return cls(baseline=float(state["baseline"]), **arrays)
