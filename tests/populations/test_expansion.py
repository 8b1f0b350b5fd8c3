"""Expansion of personas: nothing is taken twice, calls are counted, and waves cost no more than asking one by one."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sociarium.kernel.errors import UsageError
from sociarium.populations.expansion import Expansion, Sketch, expand

SEEDS = [Sketch("Ada", "a baker"), Sketch("Ben", "a cook")]


@given(st.lists(st.integers(0, 30), max_size=80), st.integers(0, 20))
def test_whatever_is_proposed_nothing_is_taken_twice_and_all_calls_are_counted(numbers, wanted):
    expansion = Expansion(SEEDS, wanted)
    new = expansion.add([Sketch(f"N{n}", "x") if n else None for n in numbers])
    assert len({one.key("persona") for one in [*SEEDS, *new]}) == 2 + len(new)
    assert len(new) == min(wanted, len(set(numbers) - {0}))
    assert expansion.calls == len(numbers) == len(new) + expansion.repeats + expansion.unusable


def test_case_spaces_and_a_full_stop_make_no_other_persona():
    expansion = Expansion(SEEDS, 5)
    assert expansion.add([Sketch.of(" ada ", "A  Baker.")]) == []
    assert expansion.add([Sketch.of("Ada", "a cook")]) == [Sketch("Ada", "a cook")]
    assert Expansion(SEEDS, 5, distinct="name").add([Sketch("ADA", "a cook")]) == []


@pytest.mark.parametrize(("name", "phrase"), [("", "x"), ("x", ""), ("a" * 81, "x"), ("x", "b" * 301), ("a\x07", "x"), ("x", "\u202ey")])
def test_what_cannot_stand_in_a_prompt_is_none(name, phrase):
    assert Sketch.of(name, phrase) is None


@pytest.mark.parametrize("wave", [1, 7, 64])
def test_waves_take_as_many_calls_as_one_by_one(wave):
    calls = iter(range(10_000))

    async def propose(count):
        return [Sketch(f"N{next(calls) * 7 // 10}", "x") for _ in range(count)]

    expansion = Expansion(SEEDS, 100)
    people = asyncio.run(expand(expansion, propose, wave=wave))
    assert people[:2] == SEEDS and len(set(people)) == 102
    assert expansion.calls == next(calls) == 143


def test_it_gives_up_after_its_patience_and_says_why():
    expansion = Expansion(SEEDS, 3, patience=10)
    with pytest.raises(UsageError, match=r"1 of 3 personas: the last 10 proposals brought nothing new \(6 repeats and 4 without use in 11"):
        expansion.add([Sketch("C", "x")] + [Sketch("C", "x")] * 6 + [None] * 9)


def test_seeds_twice_are_the_designers_to_settle():
    with pytest.raises(UsageError, match="there twice"):
        Expansion([*SEEDS, SEEDS[0]], 3)


def test_state_goes_on_where_it_was():
    first, other = Expansion(SEEDS, 9), Expansion(SEEDS, 9)
    first.add([Sketch("C", "x"), None, Sketch("C", "x")])
    other.load(first.state())
    assert other.state() == first.state() and other.add([Sketch("C", "x"), Sketch("D", "x")]) == [Sketch("D", "x")]
