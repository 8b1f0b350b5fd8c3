"""Needs fall by the clock, and the ladder says which one rules."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sociarium.kernel.errors import UsageError
from sociarium.kernel.units import DAY, HOUR
from sociarium.minds.needs import NEVER, Need, NeedColumns, NeedRules, decayed, felt, fires_after, interrupts, ruling, work_due

RULES = NeedRules()
EXACT = (4 * HOUR + 40 * 60_000_000, 8 * HOUR + 45 * 60_000_000, 4 * HOUR, 3 * HOUR)  # 4.667, 8.75, 4 and 3 h


def test_with_nothing_done_each_need_is_felt_at_its_published_hour_and_not_a_second_before():
    assert fires_after(RULES.start, RULES).tolist() == list(EXACT)
    for number, moment in enumerate(EXACT):
        assert felt(decayed(RULES.start, moment, RULES), RULES)[number]
        assert not felt(decayed(RULES.start, moment - 1_000_000, RULES), RULES)[number]


def test_what_is_felt_already_fires_now_and_what_does_not_fall_never():
    rules = NeedRules(decay=(0.0, 0.0, 0.05, 0.1))
    assert fires_after((0.2, 0.9, 0.1, 0.6), rules).tolist() == [0, NEVER, 0, 3 * HOUR]
    assert decayed(RULES.start, 100 * HOUR, RULES).tolist() == [0, 0, 0, 0]


FLAGS = [(Need.INSTRUCTED, None), (Need.HUNGRY, 0), (Need.TIRED, 1), (Need.WORK, None), (Need.SAFE, 2), (Need.SOCIAL, 3)]


@pytest.mark.parametrize("on", list(itertools.product((False, True), repeat=6)))
def test_the_highest_rung_that_is_felt_rules(on):
    levels = np.ones((1, 4))
    for flag, (_, level) in zip(on, FLAGS, strict=True):
        if flag and level is not None:
            levels[0, level] = RULES.thresholds[level]
    expected = next((need for flag, (need, _) in zip(on, FLAGS, strict=True) if flag), Need.WHATEVER)
    assert ruling(levels, RULES, work=[on[3]], instructed=[on[0]]).tolist() == [expected]


def test_only_a_higher_need_breaks_off_a_plan():
    ladder = [{Need.INSTRUCTED}, {Need.HUNGRY}, {Need.TIRED}, {Need.WORK, Need.SAFE}, {Need.SOCIAL}, {Need.WHATEVER}]
    rank = {need: number for number, rung in enumerate(ladder) for need in rung}
    for new, running in itertools.product(Need, Need):
        assert bool(interrupts(new, running)) == (rank[new] < rank[running]), (new, running)


def test_work_is_due_once_a_workday_from_seven():
    assert not work_due(7 * HOUR - 1, -1, True, RULES)
    assert work_due(7 * HOUR, -1, True, RULES)
    assert not work_due(7 * HOUR, 0, True, RULES)
    assert work_due(DAY + 7 * HOUR, 0, True, RULES)
    assert not work_due(9 * HOUR, -1, False, RULES)


def test_a_day_of_plans_interruptions_and_an_instruction():
    needs, one = NeedColumns(), np.array([0])
    needs.admit(np.arange(3))

    def pursue(time, workday=False):
        need, broken = needs.pursue(one, time, workday=workday)
        return Need(int(need[0])), bool(broken[0])

    assert pursue(0) == (Need.WHATEVER, False)
    assert pursue(3 * HOUR) == (Need.SOCIAL, True)
    assert pursue(4 * HOUR) == (Need.SAFE, True)  # safety stands above company
    assert pursue(int(4.5 * HOUR)) == (Need.SAFE, False)
    assert pursue(EXACT[0]) == (Need.HUNGRY, True)
    needs.instruct(0, "Stay at home.")
    assert pursue(5 * HOUR) == (Need.INSTRUCTED, True)
    needs.satisfy(one, 0, to=1.0, time=5 * HOUR)
    needs.done(one, 5 * HOUR)
    assert needs.instructions == {}
    assert pursue(5 * HOUR) == (Need.SAFE, True)
    needs.done(one, 5 * HOUR)
    assert pursue(8 * HOUR, workday=True) == (Need.WORK, True)
    needs.done(one, 8 * HOUR)
    assert pursue(8 * HOUR, workday=True)[0] == Need.SAFE  # work is done for today
    kept = needs.state()
    again = NeedColumns()
    again.load(kept)
    assert all(np.array_equal(again.state()[name], kept[name]) for name in kept)


@given(st.lists(st.floats(0, 1), min_size=4, max_size=4), st.integers(0, 10**12), st.integers(0, 10**12))
def test_to_look_in_between_changes_nothing(levels, first, second):
    whole = decayed(levels, first + second, RULES)
    assert np.allclose(decayed(decayed(levels, first, RULES), second, RULES), whole, atol=1e-12)
    assert (whole >= 0).all()


def test_rules_that_make_no_sense_are_refused():
    with pytest.raises(UsageError, match="decay"):
        NeedRules(decay=(0.1, 0.1, 0.1, -0.1))
    with pytest.raises(UsageError, match="thresholds"):
        NeedRules(thresholds=(0.1, 0.1, 0.1, 1.2))
