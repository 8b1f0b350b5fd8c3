"""The tree of beginnings that prompts share."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sociarium.models.backends.prefixes import Prefixes


def cut(kept, length):
    return kept[:length], kept[length:]


def read(nodes):
    for node in nodes:
        for one in node.path():
            if one.kept is None:
                one.kept = one.tokens.tolist()


def size(prefixes):
    return sum(len(one.tokens) for one in prefixes.root.below())


prompt = st.builds(
    lambda base, length, own: np.array([*([base] * length), *own], np.int64),
    st.integers(0, 1), st.integers(0, 150), st.lists(st.integers(0, 2), min_size=1, max_size=100),
)  # fmt: skip


@given(st.lists(st.lists(prompt, min_size=1, max_size=8), min_size=1, max_size=6), st.sampled_from([0, 150, 10_000]))
def test_a_path_is_the_prompt_s_own_beginning_and_what_was_kept_for_it_stays_its_own(batches, most):
    prefixes = Prefixes(most, cut)
    for prompts in batches:
        nodes = prefixes.place(prompts)
        read(nodes)
        for node, one in zip(nodes, prompts, strict=True):
            path = [token for part in node.path() for token in part.tokens.tolist()]
            assert len(path) == node.end < len(one) and path == one[: node.end].tolist()
            assert [token for part in node.path() for token in part.kept] == path
        prefixes.trim()
        assert size(prefixes) <= most
        for node in prefixes.root.below():
            assert all(child.parent is node and len(child.tokens) for child in node.children)


def test_shared_beginnings_are_found_and_a_digit_does_not_cut_them():
    prefixes = Prefixes(10_000, cut)
    rules = list(range(100, 400))
    agents = [np.array([*rules, 7, at // 4, at % 4, 8, 9]) for at in range(12)]
    nodes = prefixes.place(agents)
    assert {node.end for node in nodes} == {301} and len({id(node) for node in nodes}) == 1
    read(nodes)
    later = prefixes.place([np.array([*rules, 7, 9, 9, 9]), np.array([*rules[:200], 5, 5])])
    assert [node.end for node in later] == [301, 200] and all(node.kept is not None for node in later)
    history = prefixes.place([np.array([*rules, *range(500, 600)])])[0]
    assert history.end == 399 and history.kept is None


def test_the_least_recently_used_goes_first_and_what_was_not_read_is_dropped():
    prefixes = Prefixes(250, cut)
    one, two, three = (np.full(101, base) for base in (1, 2, 3))
    for prompt in (one, two, one, three):
        read(prefixes.place([prompt]))
        prefixes.trim()
    assert sorted(int(node.tokens[0]) for node in prefixes.root.children) == [1, 3]
    prefixes.place([np.full(101, 4)])
    prefixes.trim()
    assert sorted(int(node.tokens[0]) for node in prefixes.root.children) == [1, 3]
