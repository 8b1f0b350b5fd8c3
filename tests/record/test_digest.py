"""Digests tell different values apart, and nothing else."""

from __future__ import annotations

import ast
import math
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import sociarium.record as package
from sociarium.kernel.errors import RecordError
from sociarium.record import digest as digests
from sociarium.record.digest import array_digest, hash_items, plain_digest
from sociarium.record.tree import restore, survey

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3) | st.sampled_from(["$array", "$dict"]), inner, max_size=3)
    ),
    max_leaves=8,
)
ARRAYS = st.one_of(
    hnp.arrays(
        st.sampled_from(["<i8", "<f4", "<f8", "?", "u1", "<c16", "<U3", "<M8[us]"]),
        hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4),
    ),
    st.lists(st.none() | st.text(st.characters(), max_size=4), max_size=6).map(lambda rows: np.array([*rows, None], dtype=object)[:-1]),
)
STATES = st.dictionaries(
    st.text(max_size=3), st.recursive(ARRAYS | PLAIN, lambda inner: st.dictionaries(st.text(max_size=2), inner, max_size=3), max_leaves=6)
)


def same(left: Any, right: Any) -> bool:
    if isinstance(left, np.ndarray):
        if left.dtype.kind in "fc":
            return left.dtype == right.dtype and np.array_equal(left, right, equal_nan=True)
        return left.dtype == right.dtype and left.shape == right.shape and (left.tolist() == right.tolist() or str(left) == str(right))
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(same(value, right[key]) for key, value in left.items())
    if isinstance(left, list):
        return len(left) == len(right) and all(map(same, left, right))
    return type(left) is type(right) and left == right


@settings(max_examples=60, deadline=None)
@given(STATES)
def test_a_state_comes_back_as_it_was(state: dict[str, Any]) -> None:
    found = survey(state)
    chunks = {name: bytes(data) for name, data in found.chunks.items()}
    again = restore(found.tree, chunks.__getitem__)
    assert same(state, again)
    assert survey(again).digest == found.digest


@settings(max_examples=60, deadline=None)
@given(ARRAYS, ARRAYS)
def test_unequal_arrays_have_unequal_digests(left: Any, right: Any) -> None:
    assert (array_digest(left) == array_digest(right)) == (
        left.dtype == right.dtype and left.shape == right.shape and same(left, right) and signs(left) == signs(right)
    )


def signs(array: Any) -> bytes:
    """0.0 and -0.0 are equal, and not the same."""
    return (
        np.signbit(array.view("f8") if array.dtype.kind == "c" and array.ndim else array.real).tobytes()
        if array.dtype.kind in "fc"
        else b""
    )


def test_nan_is_one_value_and_layout_does_not_show() -> None:
    odd = np.array([struct.unpack("<d", struct.pack("<Q", 0x7FF8000000000001))[0], 1.0])
    assert array_digest(odd) == array_digest(np.array([math.nan, 1.0]))
    table = np.arange(12, dtype=np.int64).reshape(3, 4)
    assert array_digest(table.T) == array_digest(np.ascontiguousarray(table.T)) != array_digest(table)
    assert array_digest(table.astype(">i8")) == array_digest(table)
    assert array_digest(np.array(["ab", "c"], dtype=object)) != array_digest(np.array(["a", "bc"], dtype=object))
    assert array_digest(np.array([""], dtype=object)) != array_digest(np.array([None], dtype=object))


def test_items_and_plain_values_do_not_run_into_one_another() -> None:
    assert hash_items("t", ["ab", "c"]) != hash_items("t", ["a", "bc"]) != hash_items("u", ["a", "bc"])
    assert hash_items("t", []) != hash_items("t", [""])
    assert len({plain_digest(value) for value in (1, 1.0, True, "1", [1], None, {}, [], "")}) == 9
    assert plain_digest({"a": 1, "b": 2}) == plain_digest({"b": 2, "a": 1})


def test_many_cores_and_one_give_one_digest(monkeypatch: pytest.MonkeyPatch) -> None:
    state = {"large": np.arange(3_000_000, dtype=np.float64), "names": np.array(["x"] * 40_000, dtype=object)}
    alone = survey(state).digest
    monkeypatch.setattr(digests, "PARALLEL_BYTES", 1)
    assert survey(state).digest == alone


def test_a_table_that_grows_shares_its_first_chunks() -> None:
    before, after = np.arange(1_000_000, dtype=np.int64), np.arange(1_000_100, dtype=np.int64)
    old, new = survey({"log": before}), survey({"log": after})
    fresh = [len(data) for name, data in new.chunks.items() if name not in old.chunks]
    assert sum(fresh) <= digests.CHUNK_BYTES and len(new.chunks) == 8


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ({"a": {"b": {1, 2}}}, "The state at /a/b is a set"),
        ({"a": {1: 2}}, "at /a has the key 1"),
        ({"a": np.array([1, object()], dtype=object)}, "at /a is an object array that holds a int"),
        ({"a": np.zeros(2, dtype=[("x", "i4")])}, "at /a has dtype"),
        ({"a": lambda: None}, "at /a is a function"),
    ],
)
def test_what_a_run_cannot_hold_is_named(state: dict[str, Any], message: str) -> None:
    with pytest.raises(RecordError, match=message):
        survey(state)


def test_no_module_of_the_record_can_run_code_from_data() -> None:
    forbidden = {"pickle", "marshal", "shelve", "dill", "joblib", "cloudpickle", "importlib.util", "runpy"}
    for path in Path(package.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = {alias.name for alias in node.names} | {getattr(node, "module", None) or ""}
                assert not names & forbidden, path
            if isinstance(node, ast.Call):
                name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
                assert name not in {"eval", "exec", "load_extension", "enable_load_extension"}, path
                assert not any(keyword.arg == "allow_pickle" for keyword in node.keywords), path
