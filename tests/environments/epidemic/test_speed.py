"""What the bench compares is one epidemic: everyone stays in the same endemic state."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from sociarium.environments.epidemic import speed
from sociarium.environments.epidemic.speed import Setting, Step

SIZE, DAYS = 20_000, 12


@pytest.mark.parametrize(
    ("build", "needs"),
    [
        (speed.by_numpy, "numpy"),
        (speed.by_scipy, "scipy"),
        (speed.by_torch, "torch"),
        (speed.by_numba, "numba"),
        (speed.by_objects, "numpy"),
    ],
)
def test_what_is_written_by_hand_lives_in_the_regime_of_the_engines(build: Callable[[Setting], Step], needs: str) -> None:
    pytest.importorskip(needs)
    setting = Setting.of(SIZE)
    wanted, found = _shares(speed.ours(setting, "plain")), _shares(build(setting))
    assert abs(wanted - found).max() < 0.012, (wanted, found)
    assert 0.1 < wanted[2] < 0.15, "about one in eight is infectious"


def _shares(step: Step) -> np.ndarray:
    for _ in range(DAYS):
        step()
    held = dict(zip(step.__code__.co_freevars, (cell.cell_contents for cell in step.__closure__ or ()), strict=True))
    if "everyone" in held:
        stage = np.array([person.stage for person in held["everyone"]])
    else:
        stage = held["state"].stage if "state" in held else np.asarray(held["stage"])
    return np.bincount(stage.astype(np.int64), minlength=4)[:4] / SIZE
