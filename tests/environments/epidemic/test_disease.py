"""The parameters of the published model, and the limits that its equations have."""

from __future__ import annotations

import math

import numpy as np
import pytest

from sociarium.environments.epidemic.disease import Disease, Duration, Stage, gamma_cdf, gamma_increments
from sociarium.kernel.errors import UsageError


def test_the_incomplete_gamma_function_has_its_closed_forms() -> None:
    for x in (0.1, 1.0, 5.0, 30.0):
        assert gamma_cdf(x, 1.0, 2.0) == pytest.approx(1 - math.exp(-x / 2), rel=1e-12)
        assert gamma_cdf(x, 3.0, 1.0) == pytest.approx(1 - math.exp(-x) * (1 + x + x * x / 2), rel=1e-9)
    assert gamma_cdf(0.0, 2.0, 1.0) == 0.0


def test_the_daily_increments_of_infectiousness_are_those_of_the_paper() -> None:
    weights = gamma_increments(days=60)
    assert weights[0] == 0
    assert sum(weights[:21]) == pytest.approx(0.99995, abs=5e-6)
    assert sum(k * w for k, w in enumerate(weights)) == pytest.approx(6.0, abs=1e-3)
    assert sum((k - 0.5) * w for k, w in enumerate(weights)) == pytest.approx(5.5, abs=1e-3), "at the midpoints"


def test_one_sends_a_half_of_the_reproduction_number_while_exposed_and_infectious() -> None:
    sent = Disease().exact_emission()
    total = sent[Stage.EXPOSED, 1:7].sum() + sent[Stage.INFECTIOUS, 7:12].sum()
    assert total == pytest.approx(0.5006, abs=5e-5)
    assert sent[Stage.SUSCEPTIBLE].sum() == sent[Stage.RECOVERED].sum() == sent[:, 0].sum() == sent[:, -1].sum() == 0


def test_rounding_is_at_most_half_a_unit_a_contact() -> None:
    disease = Disease()
    assert abs(disease.emission() / disease.scale - disease.exact_emission()).max() <= 0.5 / disease.scale


def test_receptivity_is_reproduction_by_susceptibility_over_contacts() -> None:
    disease = Disease(reproduction=((2.0, 4.0), (1.0, 3.0)), protection=0.75)
    table = disease.receptivity(8)
    for age, area, vaccinated in ((0, 0, False), (8, 1, False), (4, 1, True)):
        wanted = (1.0, 3.0)[area] * disease.susceptibility[age] / disease.interactions[age] * (0.25 if vaccinated else 1)
        trait = disease.traits(np.array([age]), np.array([area]), np.array([vaccinated]))[0]
        assert table[trait] == pytest.approx(wanted)
    assert disease.week(6).tolist() == [2.0, 4.0]
    assert disease.week(70).tolist() == [1.0, 3.0], "the last week goes on"


def test_geometric_lengths_have_their_mean_and_their_first_probability() -> None:
    uniform = (np.arange(200_000) + 0.5) / 200_000
    lengths = Duration(8, drawn=True).lengths(uniform)
    assert lengths.min() == 1
    assert lengths.mean() == pytest.approx(8, rel=1e-3)
    assert (lengths == 1).mean() == pytest.approx(1 / 8, abs=1e-4)
    assert set(Duration(5).lengths(uniform[:9]).tolist()) == {5}


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: Duration(0.5),
        lambda: Duration(2.5),
        lambda: Disease(susceptibility=(1.0,)),
        lambda: Disease(mortality=1.5),
        lambda: Disease(reproduction=()),
        lambda: Disease(reproduction=(1.0, (1.0, 2.0))),
        lambda: Disease.seirs(1.0, Duration(2), Duration(3)),
        lambda: Disease().emission(1e9),
    ],
)
def test_impossible_parameters_are_refused(wrong: object) -> None:
    with pytest.raises(UsageError):
        wrong()  # type: ignore[operator]
