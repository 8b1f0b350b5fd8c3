"""Columns of events and measures as JSON values and back, exactly, by a written description of their types."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sociarium.kernel.errors import RecordError

Description = list[list[Any]]  # one [name, dtype, trailing shape] a column
PLAIN_KINDS = "biuf"


def clean_text(text: str) -> str:
    """Text as every part of the record can hold it: lone surrogates, which are no characters, become question marks."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def clean_column(array: NDArray[Any], where: str) -> NDArray[Any]:
    """Numbers little-endian, text as an object array of str. Raises RecordError on anything else, naming the column."""
    if array.dtype.kind in PLAIN_KINDS:
        return np.ascontiguousarray(array.astype(array.dtype.newbyteorder("<"), copy=False))
    if array.dtype.kind not in "OU":
        raise RecordError(f"{where} has dtype {array.dtype}: events and measures hold numbers, booleans or strings.")
    values = array.ravel().tolist()
    result = np.empty(len(values), dtype=object)
    if set(map(type, values)) == {str} and "".join(values).isascii():  # nothing to look at one by one
        result[:] = values
        return result.reshape(array.shape)
    for place, value in enumerate(values):
        if value is not None and not isinstance(value, str):
            raise RecordError(f"{where} holds a {type(value).__name__} in row {place}: an object column holds strings only.")
        result[place] = None if value is None else clean_text(value)
    return result.reshape(array.shape)


def tag(array: NDArray[Any]) -> str:
    return "str" if array.dtype.kind == "O" else array.dtype.str


def describe(columns: Mapping[str, NDArray[Any]]) -> Description:
    return [[name, tag(array), list(array.shape[1:])] for name, array in columns.items()]


def rebuild(values: Sequence[Any], dtype: str, shape: Sequence[int]) -> NDArray[Any]:
    """An array from JSON values, nested as its shape says."""
    if dtype != "str":
        if np.dtype(dtype).kind not in PLAIN_KINDS:
            raise RecordError(f"A column of dtype {dtype!r} is not one that a run can hold: the record is damaged.")
        return np.array(values, dtype=np.dtype(dtype)).reshape(tuple(shape))
    flat = np.empty(len(values) if len(shape) <= 1 else 0, dtype=object)
    if len(shape) <= 1:
        flat[:] = list(values)
        return flat.reshape(tuple(shape))
    nested = np.array(values, dtype=object)
    return nested.reshape(tuple(shape))


def rows_of(columns: Mapping[str, NDArray[Any]], count: int) -> list[str]:
    """One JSON object a row."""
    if not columns:
        return ["{}"] * count
    names = list(columns)
    lists = [array.tolist() for array in columns.values()]
    encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
    return [encode(dict(zip(names, row, strict=True))) for row in zip(*lists, strict=True)]


def columns_of(rows: Sequence[str], description: Description) -> dict[str, NDArray[Any]]:
    """The inverse of ``rows_of``."""
    parsed = [json.loads(row) for row in rows]
    return {str(name): rebuild([row[name] for row in parsed], str(dtype), (len(parsed), *shape)) for name, dtype, shape in description}
