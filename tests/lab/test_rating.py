"""TrueSkill, tests of ranks, and agreement: against published numbers, exact integrals and laws."""

import math

import numpy as np
import pytest

from sociarium.kernel.errors import UsageError
from sociarium.lab.rating import Skill, dunn, kappa, kruskal_wallis, rated, ratings


def test_a_first_game_gives_the_numbers_of_the_closed_form():
    winner, loser = rated([Skill(), Skill()])
    scale = math.sqrt(2 * (25 / 3) ** 2 + 2 * (25 / 6) ** 2)
    v = math.sqrt(2 / math.pi)
    assert winner.mean == pytest.approx(25 + (25 / 3) ** 2 / scale * v)
    assert loser.mean == pytest.approx(50 - winner.mean)
    assert winner.deviation == pytest.approx(25 / 3 * math.sqrt(1 - (25 / 3) ** 2 / scale**2 * v * v))


def test_three_players_come_near_to_the_exact_posterior():
    random = np.random.Generator(np.random.PCG64(1))
    skills = 25 + 25 / 3 * random.standard_normal((400_000, 3))
    shown = skills + 25 / 6 * random.standard_normal(skills.shape)
    kept = skills[(shown[:, 0] > shown[:, 1]) & (shown[:, 1] > shown[:, 2])]
    found = rated([Skill()] * 3)
    assert [one.mean for one in found] == pytest.approx(kept.mean(axis=0), abs=0.1)
    assert [one.deviation for one in found] == pytest.approx(kept.std(axis=0), abs=0.1)


def test_many_rankings_bring_the_best_to_the_top():
    found = ratings([["full", "some", "none"]] * 12 + [["some", "full", "none"]] * 3)
    assert found["full"].mean > found["some"].mean > found["none"].mean
    assert all(one.deviation < 25 / 3 for one in found.values())
    with pytest.raises(UsageError, match="each condition once"):
        ratings([["full", "full"]])
    with pytest.raises(UsageError, match="two or more"):
        rated([Skill()])


def test_comparisons_after_kruskal_wallis_find_the_condition_that_differs():
    groups = {"a": [1, 2, 3, 4, 5, 6], "b": [2, 3, 1, 5, 4, 6], "c": [17, 18, 19, 20, 21, 22]}
    h, p = kruskal_wallis(groups)
    assert h > 9
    assert p < 0.01
    by_pair = {(one.one, one.other): one for one in dunn(groups)}
    assert by_pair["a", "b"].p > 0.9
    assert by_pair["a", "c"].p == pytest.approx(3 * math.erfc(2.929067983563449 / math.sqrt(2)))
    assert by_pair["a", "c"].z < 0


def test_dunn_of_two_conditions_is_kruskal_wallis():
    groups = {"a": [1.0, 2, 2, 7], "b": [3.0, 4, 7, 9, 9]}
    assert dunn(groups)[0].z ** 2 == pytest.approx(kruskal_wallis(groups)[0])


def test_agreement_is_beyond_chance():
    assert kappa(["yes", "no", "yes", "no"], ["yes", "no", "yes", "no"]) == 1
    assert kappa(["yes", "yes", "no", "no"], ["yes", "no", "yes", "no"]) == 0
    assert math.isnan(kappa(["yes"], ["yes"]))
    with pytest.raises(UsageError, match="do not pair"):
        kappa(["yes"], [])
