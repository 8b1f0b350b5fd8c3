"""Schedules, traces and accounts of the donor game, and what its scripted types earn."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sociarium.environments.games.pairing import Traces, donate, donor_schedule, punish, shuffled, swap_roles
from sociarium.kernel.errors import UsageError

GIVER, DEFECTOR, IMAGE, FORGIVING = 0, 1, 2, 3


@pytest.mark.parametrize("agents", [6, 8, 10, 12, 14, 20])
def test_everyone_alternates_and_no_pair_repeats_or_meets_twice_running(agents: int) -> None:
    schedule = donor_schedule(agents, agents)
    directed = [tuple(pair) for row in schedule.tolist() for pair in row]
    assert len(set(directed)) == len(directed) == agents * agents // 2
    for row in schedule:
        assert sorted(row.ravel().tolist()) == list(range(agents))
    gives = np.array([[agent in row[:, 0] for agent in range(agents)] for row in schedule])
    assert (gives[1:] != gives[:-1]).all()
    assert (gives.sum(axis=0) == agents // 2).all()
    for before, after in pairwise(schedule):
        assert not {frozenset(pair) for pair in before.tolist()} & {frozenset(pair) for pair in after.tolist()}


def test_the_reference_order_for_twelve() -> None:
    schedule = donor_schedule(12, 12)
    for place, source in enumerate([2, 1, 4, 3, 6, 5]):
        assert (schedule[6 + place] == schedule[source - 1][:, ::-1]).all()
    assert schedule[1, 0].tolist() == [7, 0]  # round 2: B gives, A_0 meets B_1


def play_fraction(share: float, *, multiplier: float = 2.0, released: bool = False) -> np.ndarray:
    resources = np.full(12, 10.0)
    for pairs in donor_schedule(12, 12, released_order=released):
        resources = donate(resources, pairs[:, 0], pairs[:, 1], share * resources[pairs[:, 0]], multiplier)
    return resources


@pytest.mark.parametrize(
    ("share", "multiplier", "mean"),
    [(1, 2, 30_720), (0, 2, 10), (0.5, 2, 393.91), (0.25, 2, 53.49), (1, 1.5, 1081.22), (1, 3, 3_542_940), (0.475, 2, 319.0)],
)
def test_constant_fractions_in_closed_form(share: float, multiplier: float, mean: float) -> None:
    assert play_fraction(share, multiplier=multiplier).mean() == pytest.approx(mean, abs=0.05 if share == 0.475 else 0.005)


def test_full_donation_leaves_donors_with_nothing_and_the_released_order_halves_it() -> None:
    assert sorted(set(play_fraction(1).tolist())) == [0.0, 61_440.0]
    assert play_fraction(1, released=True).mean() == 15_360


@given(st.floats(0, 1), st.permutations(range(12)))
@settings(max_examples=30, deadline=None)
def test_both_games_together_give_identical_agents_the_same(share: float, order: list[int]) -> None:
    total = np.zeros(12)
    schedule = shuffled(donor_schedule(12, 12), np.array(order))
    for game in (schedule, swap_roles(schedule)):
        resources = np.full(12, 10.0)
        for pairs in game:
            resources = donate(resources, pairs[:, 0], pairs[:, 1], share * resources[pairs[:, 0]])
        total += resources
    assert np.ptp(total) <= 1e-9 * total.max()


@given(st.lists(st.tuples(st.integers(0, 100), st.booleans()), min_size=6, max_size=6))
def test_accounts_balance_in_exact_rationals(acts: list[tuple[int, bool]]) -> None:
    """Total after = before + (b - 1) x given - 3 x spent, round by round, unless a punished agent hits the floor."""
    resources = np.array([Fraction(10)] * 12, dtype=object)
    for pairs in donor_schedule(12, 12):
        given_now, spent, lost = Fraction(0), Fraction(0), Fraction(0)
        before = sum(resources)
        for (donor, recipient), (percent, hostile) in zip(pairs.tolist(), acts, strict=True):
            amount = resources[donor] * Fraction(percent, 100)
            if hostile:
                lost += max(Fraction(0), 2 * amount - resources[recipient])  # what the floor forgives
                resources = punish(resources, np.array([donor]), np.array([recipient]), np.array([amount], dtype=object), Fraction(2))
                spent += amount
            else:
                resources = donate(resources, np.array([donor]), np.array([recipient]), np.array([amount], dtype=object), Fraction(2))
                given_now += amount
        assert sum(resources) == before + given_now - 3 * spent + lost
        assert all(amount >= 0 for amount in resources)


@given(st.integers(0, 2**31), st.permutations(range(12)), st.integers(1, 3))
@settings(max_examples=25, deadline=None)
def test_traces_name_the_right_acts_and_never_an_older_one(seed: int, order: list[int], links: int) -> None:
    """Against a plain history: link 0 is the agent's last act, link k + 1 the last act of link k's recipient before that round."""
    rng = np.random.Generator(np.random.Philox(key=seed))
    traces = Traces.empty(12, links)
    history: list[dict[int, tuple[int, float]]] = []
    for number, pairs in enumerate(shuffled(donor_schedule(12, 12), np.array(order))):
        assert (traces.lengths[pairs[:, 1]] == min(number, links)).all()
        for recipient in pairs[:, 1].tolist():
            who, until = recipient, number
            for link in range(min(number, links)):
                when = max(past for past in range(until) if who in history[past])
                partner, share = history[when][who]
                assert (traces.donors[recipient, link], traces.recipients[recipient, link]) == (who, partner)
                assert traces.shares[recipient, link] == share
                who, until = partner, when
        shares = rng.random(6)
        history.append({int(d): (int(r), float(s)) for (d, r), s in zip(pairs, shares, strict=True)})
        traces = traces.after(pairs[:, 0], pairs[:, 1], shares)


def gifts(kinds: np.ndarray, traces: Traces, donors: np.ndarray, recipients: np.ndarray) -> np.ndarray:
    """What the four scripted types give: half, or nothing."""
    first, second = traces.shares[recipients, 0], traces.shares[recipients, 1]
    bad = first < 0.25  # nan (nothing shown) is not bad
    excused = second < 0.25
    refuses = np.select(
        [kinds[donors] == DEFECTOR, kinds[donors] == IMAGE, kinds[donors] == FORGIVING],
        [np.full(len(donors), True), bad, bad & ~excused],
        False,
    )
    return np.where(refuses, 0.0, 0.5)


def generation(kinds: np.ndarray, order: np.ndarray, rng: np.random.Generator | None = None, errors: float = 0.0) -> np.ndarray:
    fitness = np.zeros(12)
    schedule = shuffled(donor_schedule(12, 12), order)
    for game in (schedule, swap_roles(schedule)):
        resources, traces = np.full(12, 10.0), Traces.empty(12)
        for pairs in game:
            donors, recipients = pairs[:, 0], pairs[:, 1]
            shares = gifts(kinds, traces, donors, recipients)
            if rng is not None:
                shares = np.where(rng.random(len(donors)) < errors, 0.0, shares)
            resources = donate(resources, donors, recipients, shares * resources[donors])
            traces = traces.after(donors, recipients, shares)
        fitness += resources / 2
    return fitness


@pytest.mark.parametrize(
    ("others", "defector", "rest", "survives"),
    [(GIVER, 482.66, 199.83, True), (IMAGE, 15.00, 81.97, False), (FORGIVING, 15.00, 259.03, False)],
)
def test_one_defector_among_others_for_every_shuffling(others: int, defector: float, rest: float, survives: bool) -> None:
    kinds = np.full(12, others)
    kinds[0] = DEFECTOR
    rng = np.random.Generator(np.random.Philox(key=7))
    for _ in range(20):
        fitness = generation(kinds, rng.permutation(12))
        assert fitness[0] == pytest.approx(defector, abs=0.005)
        assert fitness[1:].mean() == pytest.approx(rest, abs=0.005)
        assert (0 in np.argsort(-fitness, kind="stable")[:6]) is survives


@pytest.mark.parametrize("kind", [GIVER, IMAGE])
def test_without_defectors_givers_and_judges_are_neutral(kind: int) -> None:
    assert generation(np.full(12, kind), np.arange(12)) == pytest.approx(np.full(12, 393.91), abs=0.005)


def test_six_against_six_is_bistable() -> None:
    kinds = np.array([DEFECTOR] * 6 + [IMAGE] * 6)
    rng = np.random.Generator(np.random.Philox(key=8))
    shares = []
    for _ in range(600):
        fitness = generation(kinds, rng.permutation(12))
        shares.append((np.argsort(-fitness, kind="stable")[:6] < 6).mean())
    assert min(shares) <= 1 / 6 and max(shares) >= 5 / 6
    assert abs(np.mean(shares) - 0.53) < 0.06


@pytest.mark.parametrize(("kind", "mean", "within"), [(GIVER, 319.0, 0.03), (FORGIVING, 268.0, 0.03), (IMAGE, 148.0, 0.08)])
def test_errors_punish_image_scoring_more_than_forgiveness(kind: int, mean: float, within: float) -> None:
    rng = np.random.Generator(np.random.Philox(key=9))
    runs = [generation(np.full(12, kind), rng.permutation(12), rng, errors=0.05).mean() for _ in range(400)]
    assert np.mean(runs) == pytest.approx(mean, rel=within)


@pytest.mark.parametrize(("first", "ends"), [(0.44, 0), (0.47, 0), (0.50, 1), (0.53, 1)])
def test_steep_reciprocators_have_a_tipping_point(first: float, ends: int) -> None:
    shares = conditional(first, lambda mean: 0.49 + 2 * (mean - 0.49))
    assert shares[-1] == pytest.approx(ends)


@pytest.mark.parametrize("first", [0.2, 0.5, 0.8])
@pytest.mark.parametrize("drift", [-0.05, 0.05])
def test_plain_reciprocators_have_none(first: float, drift: float) -> None:
    shares = conditional(first, lambda mean: mean + drift)
    assert (shares[-1] - first) * drift > 0
    assert (np.diff(shares) * np.sign(drift) >= -1e-12).all()


def conditional(first: float, rule: object) -> np.ndarray:
    traces, course = Traces.empty(12), []
    for number, pairs in enumerate(donor_schedule(12, 12)):
        shown = traces.shares[pairs[:, 1]]
        shares = np.full(6, first) if number == 0 else np.clip(rule(np.nanmean(shown, axis=1)), 0, 1)
        course.append(shares.mean())
        traces = traces.after(pairs[:, 0], pairs[:, 1], shares)
    return np.array(course)


def test_impossible_schedules_are_refused() -> None:
    for agents, rounds in ((4, 4), (7, 3), (12, 13), (12, 0)):
        with pytest.raises(UsageError):
            donor_schedule(agents, rounds)
    with pytest.raises(UsageError):
        shuffled(donor_schedule(6, 3), np.array([0, 0, 1, 2, 3, 4]))
    with pytest.raises(UsageError):
        Traces.empty(12, 4)
