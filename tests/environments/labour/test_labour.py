"""Money is conserved to the cent, the regression finds what was planted, and months follow decisions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sociarium.environments.labour.labour import Labour, LabourRules
from sociarium.environments.labour.money import Brackets, equal_shares, predicted_unemployment, tax
from sociarium.kernel.actions import Actions
from sociarium.kernel.errors import UsageError
from sociarium.kernel.population import Population
from sociarium.kernel.randomness import Randomness
from sociarium.kernel.schedule import Rounds
from sociarium.kernel.simulation import Simulation
from sociarium.kernel.turn import Phase
from sociarium.lab.unemployment import fit_unemployment
from sociarium.minds.rule import RuleMind


def simulation(decide, months=12, size=60, groups=2, rules=None, **columns):
    environment = Labour(rules or LabourRules(counties=3))
    people = Population.of("person", size, group=np.arange(size) % groups, county=np.arange(size) // groups % 3, **columns)
    return Simulation(people, [environment], [RuleMind(decide)], Rounds([Phase("month", "labour")], months), seed=5), environment


def deciding(work, consume):
    return lambda turn, seen: Actions.one(turn, "decide", work=work, consume=consume)


class TestTaxes:
    def test_brackets_tax_the_margin(self):
        brackets = Brackets((0, 1000, 5000), (0, 200, 500))
        assert tax([-5, 0, 1000, 1001, 2000, 5000, 7000], brackets).tolist() == [0, 0, 0, 0, 200, 800, 1800]
        with pytest.raises(UsageError, match="ascending"):
            Brackets((0, 5, 5), (1, 2, 3))

    @given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 10**10)), min_size=1, max_size=50))
    def test_what_is_taken_is_given_to_the_last_cent(self, people):
        """agenttorch, 9."""
        group, income = np.array([g for g, _ in people]), np.array([i for _, i in people])
        taken = tax(income, Brackets())
        assert ((taken >= 0) & (taken <= income)).all()
        pot = np.zeros(4, np.int64)
        np.add.at(pot, group, taken)
        given = equal_shares(pot, group, 4)
        back = np.zeros(4, np.int64)
        np.add.at(back, group, given)
        assert back.tolist() == pot.tolist()
        for one in set(group.tolist()):
            assert np.ptp(given[group == one]) <= 1

    def test_nobody_cannot_be_given_anything(self):
        with pytest.raises(UsageError, match="has nobody"):
            equal_shares([5, 5], np.array([0]), 2)


class TestMonths:
    def test_money_is_neither_made_nor_lost(self):
        sim, labour = simulation(lambda turn, seen: Actions.one(
            turn, "decide", work=turn.random("w").uniform(turn.agents) < 0.8, consume=turn.random("c").uniform(turn.agents)))  # fmt: skip
        before = labour.measures()["money"]
        sim.run_sync()
        after = labour.measures()
        assert after["money"].tolist() == before.tolist() == [30 * 1_000_000] * 2
        assert (after["taxed"] > 0).all() and (after["spent"] > 0).all()
        assert labour.month.tolist() == [12, 12]

    def test_who_does_not_want_to_work_earns_its_share_of_the_tax_only(self):
        sim, labour = simulation(lambda turn, seen: Actions.one(turn, "decide", work=turn.agents < 10, consume=0.0), months=1, groups=1)
        sim.run_sync()
        assert not labour.employed[10:].any()
        shares = labour.income[10:]
        assert shares.max() - shares.min() <= 1 and shares.min() == labour.taxed[0] // 60

    def test_wages_rise_when_more_is_wanted_and_fall_when_less(self):
        for consume, sign in ((0.9, 1), (0.0, -1)):
            rules = LabourRules(wage=300_000, spread=0.0, assets=10_000_000, adjustment=0.05)
            sim, labour = simulation(deciding(True, consume), months=1, rules=rules, size=2000, groups=1)
            sim.run_sync()
            change = labour.wage / 300_000 - 1
            assert (sign * change >= -1e-5).all() and np.abs(change).max() <= 0.05 + 1e-5
            spent, made = labour.spent[0], labour.produced[0]
            expected = 0.05 * (spent - made) / max(spent, made) / 2
            assert change.mean() == pytest.approx(expected, rel=0.06)

    def test_unemployment_follows_claims_by_the_regression(self):
        rules = LabourRules(counties=3, slopes=(0.5, 0.4), intercept=0.02)
        sim, labour = simulation(deciding(True, 0.5), months=15, size=6000, groups=1, rules=rules)
        sim.run_sync()
        force = np.bincount(np.arange(6000) % 3)
        assert labour.unemployment[0] == pytest.approx(predicted_unemployment(labour.claims[0], force, (0.5, 0.4), [0.02] * 3))
        assert labour.measures()["unemployment"][0] == pytest.approx((~labour.employed).mean())
        assert 0.02 < labour.unemployment[0].mean() < 0.35  # its fixed point is 0.2

    def test_states_come_back(self):
        sim, labour = simulation(deciding(True, 0.5))
        sim.run_sync()
        _, other = simulation(deciding(True, 0.5))
        other.load(labour.state())
        assert {name: value.tolist() for name, value in other.measures().items()} == {n: v.tolist() for n, v in labour.measures().items()}

    def test_columns_of_the_population_are_what_it_begins_with(self):
        _, labour = simulation(deciding(True, 0.5), wage=np.full(60, 777), assets=np.arange(60))
        assert set(labour.wage.tolist()) == {777} and labour.assets.tolist() == list(range(60))
        with pytest.raises(UsageError, match="there are 2 counties"):
            simulation(deciding(True, 0.5), rules=LabourRules(counties=2))


class TestRegression:
    def test_planted_coefficients_are_found(self):
        """agenttorch, 9: each inside its 95 % interval in at least 80 % of 30 data sets of 36 months and 5 counties."""
        inside = []
        for seed in range(30):
            draw = Randomness(seed).stream("planted")
            force = np.array([1e6, 5e5, 8e5, 2e5, 3e5])
            rates = 0.02 + 0.05 * draw.uniform(np.arange(36)[:, None], np.arange(5)[None, :])
            county = np.array([0.03, 0.05, 0.02, 0.04, 0.06])
            wanted = np.full((36, 5), np.nan)
            wanted[1:] = 0.8 * rates[1:] + 0.4 * rates[:-1] + county
            wanted[0] = 0.8 * rates[0] + county
            noise = 0.004 * draw.at("noise").normal(np.arange(180)).reshape(36, 5)
            fit = fit_unemployment(rates * force, force, wanted + noise)
            inside.append(
                [fit.slopes[0].holds(0.8), fit.slopes[1].holds(0.4), *(i.holds(c) for i, c in zip(fit.intercepts, county, strict=True))]
            )
            assert fit.slopes[0].estimate == pytest.approx(0.8, abs=0.15) and fit.residual == pytest.approx(0.004, rel=0.35)
        assert np.mean(inside, axis=0).min() >= 0.8
        exact = fit_unemployment(rates * force, force, wanted)
        assert exact.slopes[1].estimate == pytest.approx(0.4)

    def test_too_little_data_is_refused(self):
        with pytest.raises(UsageError, match="too few"):
            fit_unemployment(np.ones((3, 2)), np.ones(2), np.ones((3, 2)))
        with pytest.raises(UsageError, match="must both be"):
            fit_unemployment(np.ones((3, 2)), np.ones(2), np.ones((3, 1)))
