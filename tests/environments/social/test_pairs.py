"""Sets of pairs and rows by key behave as a plain Python set and dict do, compiled or not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sociarium.environments.social import chains
from sociarium.environments.social.chains import Chains
from sociarium.environments.social.pairs import Pairs

PAIR = st.tuples(st.integers(0, 6), st.one_of(st.integers(0, 6), st.just(2**31 - 1)))
STEPS = st.lists(st.tuples(st.sampled_from(["add", "remove", "has", "save", "of"]), st.lists(PAIR, max_size=12)), max_size=12)


@pytest.fixture(params=["numpy", "compiled"])
def way(request, monkeypatch):
    monkeypatch.setattr(chains, "WORTH_COMPILING", 0 if request.param == "compiled" else 10**9)
    return request.param


@pytest.mark.parametrize("compiled", [False, True])
def test_a_set_of_pairs_is_a_set_of_pairs_row_after_row(compiled, monkeypatch):
    monkeypatch.setattr(chains, "WORTH_COMPILING", 0 if compiled else 10**9)

    @settings(max_examples=60, deadline=None)
    @given(STEPS)
    def check(steps):
        pairs, plain = Pairs(), set()
        for step, rows in steps:
            a, b = (np.array([row[at] for row in rows], np.int64) for at in (0, 1))
            if step == "has":
                assert pairs.has(a, b).tolist() == [row in plain for row in rows]
            elif step == "add":
                expected = []
                for row in rows:
                    expected.append(row not in plain)
                    plain.add(row)
                assert pairs.add(a, b).tolist() == expected
            elif step == "remove":
                expected = []
                for row in rows:
                    expected.append(row in plain)
                    plain.discard(row)
                assert pairs.remove(a, b).tolist() == expected
            elif step == "of":
                starts, found = pairs.of(np.arange(7))
                for key in range(7):
                    mine = found[starts[key] : starts[key + 1]].tolist()
                    assert len(mine) == len(set(mine))
                    assert set(mine) == {b for a, b in plain if a == key}
            else:
                saved, pairs = pairs.state(), Pairs()
                pairs.load(saved)
                assert np.array_equal(pairs.state()["codes"], saved["codes"])
            assert len(pairs) == len(plain)
        assert set(zip(*(column.tolist() for column in pairs.pairs()), strict=True)) == plain

    check()


def test_compiled_and_plain_loops_leave_the_same_log(monkeypatch):
    logs = []
    for limit in (0, 10**9):
        monkeypatch.setattr(chains, "WORTH_COMPILING", limit)
        random, pairs = np.random.default_rng(3), Pairs()
        for _ in range(40):
            a, b = random.integers(0, 300, 200), random.integers(0, 300, 200)
            pairs.add(a, b)
            pairs.remove(a[::3], b[::3])
        logs.append((pairs.state(), pairs.of(np.arange(300))))
    (first, rows), (second, other) = logs
    assert np.array_equal(first["codes"], second["codes"])
    assert np.array_equal(first["dead"], second["dead"])
    assert all(np.array_equal(one, two) for one, two in zip(rows, other, strict=True))


def test_the_log_shrinks_when_most_of_it_is_dead():
    pairs = Pairs()
    pairs.add(np.arange(5000), np.arange(5000))
    pairs.remove(np.arange(4000), np.arange(4000))
    assert pairs.rows == len(pairs) == 1000


def test_rows_stand_under_their_key_newest_first_and_at_most_so_many(way):
    random, rows, plain = np.random.default_rng(5), Chains(), {}
    for _ in range(20):
        keys = random.integers(-1, 30, int(random.integers(0, 50)))
        for at, key in enumerate(keys.tolist()):
            plain.setdefault(key, []).insert(0, rows.size + at)
        rows.extend(keys)
    asked = np.array([4, 4, -1, 29, 500, 0])
    for most in (None, 0, 1, 3):
        starts, found = rows.rows(asked, most)
        for at, key in enumerate(asked.tolist()):
            expected = plain.get(key, [])[:most] if key >= 0 else []
            assert found[starts[at] : starts[at + 1]].tolist() == expected, (way, key, most)


def test_a_chain_too_long_for_steps_is_walked_all_the_same():
    rows = Chains()
    rows.extend(np.where(np.arange(5000) % 5 == 0, 1, 0))
    starts, found = rows.rows(np.array([1, 7, 0]))
    assert starts.tolist() == [0, 1000, 1000, 5000]
    assert found[:1000].tolist() == list(range(4995, -1, -5))
    assert rows.rows(np.array([0]), 3)[1].tolist() == [4999, 4998, 4997]
