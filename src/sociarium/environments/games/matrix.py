"""Two-player games in strategic form: payoffs for many pairs at once, equilibria and the conditions that name a game."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sociarium.kernel.errors import UsageError

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

COOPERATE, DEFECT = 0, 1


@dataclass(frozen=True, slots=True)
class MatrixGame:
    """A game of two players. ``table[a, b]`` holds the payoffs of row and column player when they play a and b, in points."""

    name: str
    actions: tuple[str, ...]
    table: Floats  # (actions, actions, 2)

    def __post_init__(self) -> None:
        size = len(self.actions)
        if self.table.shape != (size, size, 2):
            raise UsageError(
                f"game {self.name!r} has {size} actions, so its table must have the shape {(size, size, 2)}, not {self.table.shape}"
            )

    def payoffs(self, row: Ints, column: Ints) -> Floats:
        """What each pair earns: shape (pairs, 2) from two arrays of action numbers."""
        return self.table[row, column]

    def pure_equilibria(self) -> list[tuple[int, int]]:
        """Pairs of actions from which neither player gains by changing alone."""
        mine, theirs = self.table[:, :, 0], self.table[:, :, 1]
        best = (mine >= mine.max(axis=0, keepdims=True)) & (theirs >= theirs.max(axis=1, keepdims=True))
        return [(int(a), int(b)) for a, b in np.argwhere(best)]

    def mixed_chance(self) -> float | None:
        """In a symmetric 2 x 2 game, the chance of the first action in the mixed equilibrium; None where there is none inside (0, 1)."""
        if len(self.actions) != 2 or not self.symmetric:
            raise UsageError(f"game {self.name!r} is not a symmetric game of two actions")
        (both, alone), (tempted, neither) = self.table[:, :, 0]
        divisor = both - alone - tempted + neither
        chance = (neither - alone) / divisor if divisor else float("nan")
        return float(chance) if 0 < chance < 1 else None

    @property
    def symmetric(self) -> bool:
        """Whether both players face the same game."""
        return bool((self.table[:, :, 0] == self.table[:, :, 1].T).all())

    def grim_threshold(self) -> float:
        """The discount factor above which a grim trigger sustains cooperation for ever: (t - r) / (t - p)."""
        reward, temptation, punishment = self.table[0, 0, 0], self.table[1, 0, 0], self.table[1, 1, 0]
        if temptation <= punishment:
            raise UsageError(f"game {self.name!r} has no temptation above its punishment, so there is no threshold to speak of")
        return float(max(0.0, (temptation - reward) / (temptation - punishment)))


def prisoners_dilemma(reward: float = 3, sucker: float = 0, temptation: float = 5, punishment: float = 1) -> MatrixGame:
    """Cooperate or defect, with t > r > p > s and 2r > t + s, so that turns of exploitation do not beat cooperation."""
    if not temptation > reward > punishment > sucker:
        raise UsageError(f"a prisoner's dilemma needs t > r > p > s, not {temptation}, {reward}, {punishment}, {sucker}")
    if not 2 * reward > temptation + sucker:
        raise UsageError(f"a prisoner's dilemma needs 2r > t + s, but 2 x {reward} is not above {temptation} + {sucker}")
    return symmetric("prisoner's dilemma", ("cooperate", "defect"), np.array([[reward, sucker], [temptation, punishment]], np.float64))


def stag_hunt(stag: float = 4, hare: float = 3, alone: float = 0) -> MatrixGame:
    """Two pure equilibria: together for the stag, or each for the safe hare."""
    if not stag > hare > alone:
        raise UsageError(f"a stag hunt needs stag > hare > alone, not {stag}, {hare}, {alone}")
    return symmetric("stag hunt", ("stag", "hare"), np.array([[stag, alone], [hare, hare]], np.float64))


def hawk_dove(value: float = 2, cost: float = 4) -> MatrixGame:
    """A fight over ``value`` that costs the loser ``cost``; the mixed equilibrium has a share value / cost of hawks."""
    if not cost > value > 0:
        raise UsageError(f"hawk and dove needs cost > value > 0, not {cost}, {value}")
    return symmetric("hawk and dove", ("hawk", "dove"), np.array([[(value - cost) / 2, value], [0, value / 2]], np.float64))


def symmetric(name: str, actions: tuple[str, ...], mine: Floats) -> MatrixGame:
    """The symmetric game in which ``mine[a, b]`` is what a player earns with a against b."""
    return MatrixGame(name, actions, np.stack([mine, mine.T], axis=2))
