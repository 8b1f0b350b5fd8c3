"""What of the local backend needs no weights: the option tree, slots, prompts, errors."""

from __future__ import annotations

import math
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sociarium.kernel.content import Block
from sociarium.kernel.errors import ModelError
from sociarium.models.backend import CallFailed
from sociarium.models.backends.llama import EngineOptions
from sociarium.models.backends.local import file_of, softmax
from sociarium.models.backends.option_tree import log_likelihoods
from sociarium.models.backends.prompt import messages_of
from sociarium.models.backends.slots import Slots


def step(prefix: tuple[int, ...], token: int) -> float:
    """A made-up log-probability that depends on the whole prefix."""
    return -((hash((prefix, token)) % 1000) / 100)


rows = st.lists(st.lists(st.integers(0, 3), min_size=1, max_size=5).map(tuple), min_size=1, max_size=8)


@given(rows, st.sets(st.integers(0, 3)))
def test_a_tree_gives_each_option_the_sum_of_its_own_steps(options, likely):
    asked: list[tuple[int, ...]] = []

    def force(prefix, chain, alternatives):
        asked.extend(prefix + chain[: length + 1] for length in range(len(chain)))
        steps = [step(prefix + chain[:length], token) for length, token in enumerate(chain)]
        return steps, {token: step(prefix, token) for token in likely} if alternatives else {}

    scores = log_likelihoods(options, force)
    for option, score in zip(options, scores, strict=True):
        assert score == pytest.approx(math.fsum(step(option[:at], token) for at, token in enumerate(option)))
    assert len(asked) == len(set(asked))  # no token is scored twice


@given(st.lists(st.floats(-1e4, 1e4), min_size=1, max_size=9))
def test_shares_sum_to_one_and_keep_the_order(scores):
    shares = softmax(scores)
    assert math.fsum(shares) == pytest.approx(1)
    assert shares.index(max(shares)) == scores.index(max(scores)) or len(set(shares)) < len(shares)


def test_a_prompt_gets_the_free_slot_that_shares_most_of_it():
    slots = Slots(3)
    with slots.taken([1, 2, 3]) as first, slots.taken([7, 8]) as second:
        assert first != second
    with slots.taken([1, 2, 9]) as again:
        assert again == first
        with slots.taken([1, 2, 9]) as other:
            assert other != first
    with slots.taken([7, 8, 9]) as same:
        assert same in (second, other)


def test_a_slot_is_never_given_twice():
    slots, held, most = Slots(2), [], []

    def work(number):
        for _ in range(50):
            with slots.taken([number]) as slot:
                held.append(slot)
                most.append(len(held) == len(set(held)))
                held.remove(slot)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(most) and sorted(slots.free) == [0, 1]


def test_blocks_of_one_role_in_a_row_are_one_message():
    blocks = (Block("rules", role="system"), Block("persona", role="system"), Block("what now?"))
    assert messages_of(blocks) == [("system", "rules\n\npersona"), ("user", "what now?")]


@pytest.mark.parametrize("blocks", [(), (Block("x", role="tool"),), (Block("", kind="image"),)])
def test_what_the_model_cannot_read_is_refused(blocks):
    with pytest.raises(CallFailed) as failed:
        messages_of(blocks)
    assert not failed.value.retryable


def test_weights_that_are_not_here_say_how_to_get_them(tmp_path, monkeypatch):
    monkeypatch.setenv("SOCIARIUM_CACHE", str(tmp_path))
    with pytest.raises(ModelError, match="sociarium models pull smollm2"):
        file_of("smollm2")
    with pytest.raises(ModelError, match="no weight file"):
        file_of(str(tmp_path / "none.gguf"))


def test_exact_replies_take_one_slot():
    with pytest.raises(ModelError, match="slots=1"):
        EngineOptions(slots=4, exact=True)
    with pytest.raises(ModelError, match="threads"):
        EngineOptions(threads=0)
