"""Calibration without gradients: any model, any language, any number of jumps in its loss.

Every evaluation is written to a journal before the search goes on. A search is a pure function of its seed and the losses it is
told, so a stopped one begins again, finds its first evaluations in the journal, and goes on from there.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from sociarium.kernel.errors import UsageError
from sociarium.kernel.extras import optional
from sociarium.kernel.randomness import key_of
from sociarium.training import saving
from sociarium.training.calibration.ending import Ended, concluded
from sociarium.training.calibration.fit import Fit
from sociarium.training.calibration.parameters import Floats, Simulate, Space
from sociarium.training.calibration.targets import Targets, simulated

Method = Literal["gauss-newton", "nelder-mead", "differential-evolution", "optuna"]
WIDE = 6.0  # free numbers are looked for from -6 to 6: 0.25 % to 99.75 % of a parameter's range


def fit_search(
    simulate: Simulate,
    space: Space,
    targets: Targets,
    *,
    method: Method = "nelder-mead",
    seed: int = 0,
    replicates: int = 4,
    evaluations: int = 200,
    journal: Path | None = None,
    level: float = 0.95,
) -> Fit:
    """Least weighted squares of the mean of ``replicates`` runs with common seeds, within so many evaluations.

    ``gauss-newton`` (Levenberg and Marquardt's damping, derivatives by common-random-number differences) needs the fewest runs
    where the series move smoothly with the parameters; ``nelder-mead`` takes noise and jumps in few dimensions;
    ``differential-evolution`` and ``optuna`` (TPE; extra ``search``) look everywhere.
    """
    if method not in get_args(Method):
        raise UsageError(f"there is no search {method!r}; there are {', '.join(get_args(Method))}")
    seeds = [key_of("calibration", seed, k) >> 1 for k in range(replicates)]
    of = saving.fingerprint([space.plain(), targets.plain(), seed, replicates])
    book = Evaluations(
        lambda free: simulated(simulate, space, targets, free, seeds).mean(1),
        targets,
        evaluations,
        journal,
        of,
    )
    try:
        ended = _METHODS[method](book, space, seed, evaluations)
    except _Spent:
        ended = f"{evaluations} evaluations"
    how = Ended(method, book.losses, ended, replicates, len(book.losses) * replicates)
    return concluded(simulate, space, targets, book.best, how, seed, level)


class _Spent(Exception):
    """All evaluations are used."""


class Evaluations:
    """Every point that a search asked for, in order, with its mean series; kept in a journal where one is given."""

    def __init__(
        self,
        run: Callable[[Floats], Floats],
        targets: Targets,
        most: int,
        path: Path | None,
        of: str,
    ) -> None:
        self.run, self.targets, self.most, self.path = run, targets, most, path
        self.losses: list[float] = []
        self.best = np.empty(0)
        self.known = _read(path, of) if path is not None else []
        if path is not None and not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps({"of": of}) + "\n", encoding="utf-8")

    def series(self, free: Floats) -> Floats:
        """(observations,) at one point."""
        return self.many(free[None])[0]

    def loss(self, free: Floats) -> float:
        return float(self.targets.loss(self.series(np.asarray(free, np.float64))))

    def many(self, free: Floats) -> Floats:
        """(points, observations); each point counts as one evaluation."""
        room = self.most - len(self.losses)
        if room < 1:
            raise _Spent
        asked, place = free[:room], len(self.losses)
        found = [means for _, means in self.known[place : place + len(asked)]]
        for point, (known, _) in zip(asked, self.known[place : place + len(asked)], strict=False):
            if not np.array_equal(point, known):
                raise UsageError(f"{self.path} was written by a search that took another path: give a new file")
        if len(found) < len(asked):
            fresh = self.run(asked[len(found) :])
            self._keep(asked[len(found) :], fresh)
            found += list(fresh)
        for point, means in zip(asked, found, strict=True):
            loss = float(self.targets.loss(means))
            if not self.losses or loss < min(self.losses):
                self.best = point.copy()
            self.losses.append(loss)
        if len(asked) < len(free):
            raise _Spent
        return np.array(found)

    def _keep(self, points: Floats, means: Floats) -> None:
        self.known += list(zip(points, means, strict=True))
        if self.path is not None:
            lines = [json.dumps({"free": p.tolist(), "mean": m.tolist()}) for p, m in zip(points, means, strict=True)]
            with self.path.open("a", encoding="utf-8") as file:
                file.write("".join(line + "\n" for line in lines))


def _read(path: Path, of: str) -> list[tuple[Floats, Floats]]:
    """Whole lines only: the last one may have been cut by a kill, and is cut off."""
    if not path.exists():
        return []
    text = path.read_text(encoding="utf-8")
    whole = text[: text.rfind("\n") + 1]
    lines = [json.loads(line) for line in whole.splitlines()]
    if not lines or lines[0].get("of") != of:
        raise UsageError(f"{path} holds another search (other data, parameters, seed or replicates): give a new file")
    if len(whole) < len(text):
        path.write_text(whole, encoding="utf-8")
    return [(np.array(line["free"]), np.array(line["mean"])) for line in lines[1:]]


def _gauss_newton(book: Evaluations, space: Space, seed: int, evaluations: int) -> str:
    root = np.sqrt(book.targets.weights)
    place, damping, step = space.start(), 1e-3, 0.15
    means = book.series(place)
    while True:
        shifts = step * np.eye(space.size)
        around = book.many(np.concatenate([place + shifts, place - shifts]))
        slopes = root[:, None] * ((around[: space.size] - around[space.size :]) / (2 * step)).T
        missing = root * (book.targets.observed - means)
        curvature = slopes.T @ slopes
        for _ in range(8):
            scaled = curvature + damping * np.diag(np.diag(curvature) + 1e-12 * np.trace(curvature) + 1e-300)
            move = np.clip(np.linalg.lstsq(scaled, slopes.T @ missing, rcond=None)[0], -1.5, 1.5)
            tried = np.clip(place + move, -WIDE, WIDE)
            there = book.series(tried)
            if book.targets.loss(there) < book.targets.loss(means):
                break
            damping = max(10 * damping, 1e-3)
        else:
            return "no step lowers the loss"
        small = np.abs(tried - place).max() < 1e-3
        place, means, damping = tried, there, damping / 10
        if small:
            return "the step fell below 0.001"


def _nelder_mead(book: Evaluations, space: Space, seed: int, evaluations: int) -> str:
    start = space.start()
    corners = np.concatenate([start[None], start + 0.5 * np.eye(space.size)])
    options = {
        "initial_simplex": corners,
        "xatol": 1e-3,
        "fatol": 1e-9,
        "maxfev": evaluations,
        "maxiter": 10 * evaluations,
    }
    done = optional("scipy.optimize", "lab", "a search").minimize(book.loss, start, method="Nelder-Mead", options=options)
    return str(done.message)


def _differential_evolution(book: Evaluations, space: Space, seed: int, evaluations: int) -> str:
    spread = max(5, min(15, evaluations // (10 * space.size)))

    def losses(columns: Floats) -> Floats:
        return np.asarray(book.targets.loss(book.many(np.ascontiguousarray(columns.T))))

    done = optional("scipy.optimize", "lab", "a search").differential_evolution(
        losses, [(-WIDE, WIDE)] * space.size, rng=np.random.Generator(np.random.PCG64(seed)), popsize=spread, x0=space.start(),
        polish=False, vectorized=True, updating="deferred", maxiter=evaluations, tol=1e-3,
    )  # fmt: skip
    return str(done.message)


def _optuna(book: Evaluations, space: Space, seed: int, evaluations: int) -> str:
    optuna = optional("optuna", "search", "a search with Optuna")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed % 2**32))
    study.enqueue_trial(dict(zip(space.names, space.start().tolist(), strict=True)))

    def loss(trial: Any) -> float:
        return book.loss(np.array([trial.suggest_float(name, -WIDE, WIDE) for name in space.names]))

    study.optimize(loss, n_trials=evaluations)
    return f"{evaluations} evaluations"


_METHODS: dict[Method, Callable[[Evaluations, Space, int, int], str]] = {
    "gauss-newton": _gauss_newton,
    "nelder-mead": _nelder_mead,
    "differential-evolution": _differential_evolution,
    "optuna": _optuna,
}
