"""Games in strategic form."""

from __future__ import annotations

import numpy as np
import pytest

from sociarium.environments.games.matrix import COOPERATE, DEFECT, MatrixGame, hawk_dove, prisoners_dilemma, stag_hunt
from sociarium.kernel.errors import UsageError


def test_the_dilemma_pays_r_s_t_p_and_ends_in_defection() -> None:
    game = prisoners_dilemma()
    mine, theirs = np.array([COOPERATE, COOPERATE, DEFECT, DEFECT]), np.array([COOPERATE, DEFECT, COOPERATE, DEFECT])
    assert game.payoffs(mine, theirs).tolist() == [[3, 3], [0, 5], [5, 0], [1, 1]]
    assert game.pure_equilibria() == [(DEFECT, DEFECT)]
    assert game.mixed_chance() is None
    assert game.grim_threshold() == 0.5


def test_grim_threshold_separates_the_two_discounted_sums() -> None:
    game = prisoners_dilemma(4, 0, 7, 2)
    factor = game.grim_threshold()
    for near, better in ((factor - 0.01, True), (factor + 0.01, False)):
        assert (7 + 2 * near / (1 - near) > 4 / (1 - near)) is better


def test_stag_hunt_has_two_equilibria_and_hawks_are_value_over_cost() -> None:
    assert stag_hunt().pure_equilibria() == [(0, 0), (1, 1)]
    assert stag_hunt().mixed_chance() == pytest.approx(0.75)
    assert hawk_dove(2, 5).mixed_chance() == pytest.approx(0.4)
    assert hawk_dove().pure_equilibria() == [(0, 1), (1, 0)]


def test_wrong_orders_and_shapes_are_refused() -> None:
    for build in (
        lambda: prisoners_dilemma(1, 0, 5, 3),
        lambda: prisoners_dilemma(3, 0, 7, 1),
        lambda: stag_hunt(1, 2, 3),
        lambda: hawk_dove(4, 2),
        lambda: MatrixGame("odd", ("a", "b"), np.zeros((2, 3, 2))),
        lambda: stag_hunt(4, 0.0, -1).grim_threshold() and MatrixGame("flat", ("a", "b"), np.zeros((2, 2, 2))).grim_threshold(),
    ):
        with pytest.raises(UsageError):
            build()
