"""Bounds by transforms: what an optimiser sees is free, what a model sees is inside."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sociarium.environments.tensors import torch
from sociarium.kernel.errors import UsageError
from sociarium.training.calibration.parameters import Parameter, Space

SPACE = Space(
    Parameter("reproduction", 0.5, 8.0, (2.0, 3.0)), Parameter("mortality", 1e-4, 0.1, 0.01, "log"), Parameter("x", -1, 1, [[0.5]])
)


@given(st.lists(st.floats(-12, 12), min_size=4, max_size=4))
def test_there_and_back(free: list[float]) -> None:
    there = SPACE.values(np.array(free))
    assert there["reproduction"].min() > 0.5 and there["reproduction"].max() < 8.0
    assert 1e-4 < there["mortality"] < 0.1
    assert np.allclose(SPACE.free(there), free, atol=1e-4)


def test_numpy_and_torch_agree_and_keep_leading_axes() -> None:
    free = np.linspace(-3, 3, 24).reshape(2, 3, 4)
    arrays, tensors = SPACE.values(free), SPACE.values(torch.from_numpy(free))
    assert arrays["reproduction"].shape == (2, 3, 2) and arrays["mortality"].shape == (2, 3) and arrays["x"].shape == (2, 3, 1, 1)
    assert all(np.allclose(arrays[name], tensors[name].numpy(), rtol=1e-15) for name in arrays)
    assert SPACE.flat(arrays).shape == (2, 3, 4)


def test_names_and_start() -> None:
    assert SPACE.names == ["reproduction[0]", "reproduction[1]", "mortality", "x[0,0]"]
    assert np.allclose(SPACE.flat(SPACE.values(SPACE.start())), [2, 3, 0.01, 0.5])


def test_a_log_scale_has_its_middle_at_the_geometric_mean() -> None:
    assert Parameter("m", 1e-4, 1.0, 0.5, "log").value(np.zeros(1))[0] == pytest.approx(1e-2)
    assert Parameter("m", 0.0, 1.0, 0.4).value(np.zeros(1))[0] == 0.5


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("r", 2, 1, 1.5), "no range"),
        (("r", 0, 1, 0.5, "log"), "above 0"),
        (("r", 0, 1, 1.0), "not on a bound"),
        (("r", 0, float("inf"), 1.0), "no range"),
    ],
)
def test_what_is_no_parameter_is_refused(arguments: tuple[object, ...], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        Parameter(*arguments)  # type: ignore[arg-type]


def test_a_space_has_names_once_and_takes_all_of_its_values() -> None:
    with pytest.raises(UsageError, match="no name twice"):
        Space(Parameter("r", 0, 1, 0.5), Parameter("r", 0, 1, 0.5))
    with pytest.raises(UsageError, match="differ in x"):
        SPACE.free({"reproduction": 2, "mortality": 0.01})
