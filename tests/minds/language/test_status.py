"""The status store: what is so now, since when, from which memory; and what of it comes to a question."""

import asyncio
from types import SimpleNamespace

import pytest

from sociarium.kernel.content import Trust
from sociarium.kernel.errors import UsageError
from sociarium.minds.language import builtin
from sociarium.minds.language.component import Focus
from sociarium.minds.language.status import MOST, StatusStore
from sociarium.models.backends.embed import HashingEmbedder


def store(**settings):
    status = StatusStore(**settings)
    status.mind = SimpleNamespace(prompts=builtin())
    for time, (key, text) in enumerate([("place", "the bakery on the corner"), ("feeling", "joy"), ("plan", "buy bread at the bakery")]):
        status.put(3, key, text, time=time, own=key == "plan", memory=time * 2)
    return status


def shown(status, *queries):
    asking = SimpleNamespace(agent=3, name="Ada")
    return asyncio.run(status.context(asking, Focus(queries)))


def test_what_is_so_already_keeps_its_beginning_and_its_memory():
    status = store()
    status.put(3, "place", "the bakery on the corner", time=9, memory=99)
    assert (status.now(3)["place"].since, status.now(3)["place"].memory) == (0, 0)
    status.put(3, "place", "home", time=9, memory=99)
    assert (status.now(3)["place"].since, status.now(3)["place"].memory) == (9, 99)
    assert status.of_memory(3, 99) == ["place"] and status.of_memory(3, 0) == []
    status.put(3, "place", "", time=10)
    assert "place" not in status.now(3) and status.now(7) == {}


def test_the_nearest_lines_come_first_and_without_a_query_the_newest():
    status = store(embedder=HashingEmbedder(), top=2)
    assert set(status.found(3, ("bread from a bakery",), 2)) == {"place", "plan"}
    assert status.found(3, (), 2) == ["plan", "feeling"]
    assert store(top=2).found(3, ("bread from a bakery",), 2) == ["plan", "feeling"]


def test_own_words_are_shown_as_data_and_the_rest_as_the_engines():
    blocks = shown(store())
    assert [block.text for block in blocks if block.trust is Trust.AGENT] == ["plan: buy bread at the bakery"]
    assert any("feeling: joy" in block.text and block.trust is Trust.ENGINE for block in blocks)
    empty = StatusStore()
    empty.mind = SimpleNamespace(prompts=builtin("ja"))
    assert shown(empty) == ()


def test_a_state_comes_back():
    status, other = store(), StatusStore()
    other.load(status.state())
    assert other.lines == status.lines
    other.load({})
    assert other.lines == {}


def test_there_is_a_limit():
    status = store()
    with pytest.raises(UsageError, match="one too many"):
        for number in range(MOST):
            status.put(3, f"key {number}", "x", time=1)
    with pytest.raises(UsageError, match="at least one"):
        StatusStore(top=0)
