"""Canonical digests of arrays, plain data and trees of both: what "the same run" means, down to the bit.

Every item is tagged and length-prefixed, so that no two different values share an encoding. Arrays are hashed in chunks of
about 1 MiB, cut at whole rows and at the same rows for equal types: the digests of the chunks are also their names in a
snapshot, so one pass over the state serves both, and a table that only grows is stored once.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from sociarium.kernel.errors import RecordError

SIZE = 16  # bytes of a digest
CHUNK_BYTES = 1 << 20
STRING_ROWS = 1 << 14  # strings have no fixed width: their chunks are cut at a count of rows
FIXED_KINDS = "biufcmMSU"  # NumPy dtype kinds whose bytes are the value
PARALLEL_BYTES = 8 << 20  # below this, starting threads costs more than it saves

Buffer = bytes | memoryview


def hash_bytes(data: Buffer) -> str:
    """BLAKE2b-128 as hex: the name of a chunk, a block, a file's content."""
    return hashlib.blake2b(data, digest_size=SIZE).hexdigest()


def hash_items(tag: str, items: Iterable[str | Buffer]) -> str:
    """Digest of a tagged sequence; the lengths of the items come first, so that no two sequences share an encoding."""
    parts = [item.encode("utf-8", "surrogatepass") if isinstance(item, str) else item for item in items]
    state = hashlib.blake2b(repr([len(part) for part in parts]).encode(), digest_size=SIZE, person=tag.encode()[:16])
    state.update(b"".join(parts))
    return state.hexdigest()


def plain_digest(value: Any) -> str:
    """Digest of JSON-able data; keys are sorted, floats by their shortest exact form."""
    return hash_items("plain", (to_json(value, sort=True),))


_ENCODERS = {
    (sort, ascii_): json.JSONEncoder(sort_keys=sort, ensure_ascii=ascii_, separators=(",", ":")).encode
    for sort in (False, True)
    for ascii_ in (False, True)
}  # made once: making one costs more than encoding a reply


def to_json(value: Any, *, sort: bool = False) -> str:
    """Compact JSON that SQLite can hold: text with lone surrogates falls back to escapes."""
    text = _ENCODERS[sort, False](value)
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            return _ENCODERS[sort, True](value)
    return text


def array_digest(array: NDArray[Any], where: str = "an array") -> str:
    """Digest of dtype, shape and values. NaN is one value; byte order does not matter."""
    tag, shape, buffers = array_chunks(array, where)
    return leaf_digest(tag, shape, [hash_bytes(buffer) for buffer in buffers])


def leaf_digest(tag: str, shape: tuple[int, ...], chunks: Iterable[str]) -> str:
    """An array's digest from the digests of its chunks."""
    return hash_items("array", (tag, json.dumps(shape), *chunks))


def array_chunks(array: NDArray[Any], where: str) -> tuple[str, tuple[int, ...], Iterator[Buffer]]:
    """(type tag, shape, canonical bytes chunk by chunk). The tag is a little-endian dtype string, or ``str``."""
    if array.dtype.kind == "O":
        return "str", array.shape, _string_chunks(array, where)
    if array.dtype.kind not in FIXED_KINDS:
        raise RecordError(f"{where} has dtype {array.dtype}, which a run cannot hold. Use numbers, booleans or strings.")
    little = array.astype(array.dtype.newbyteorder("<"), copy=False)
    return little.dtype.str, array.shape, _fixed_chunks(np.ascontiguousarray(little))


def hash_all(buffers: list[Buffer]) -> list[str]:
    """Digests of many buffers, on all cores when there is enough to do (hashing releases the interpreter's lock)."""
    if sum(len(buffer) for buffer in buffers) < PARALLEL_BYTES:
        return [hash_bytes(buffer) for buffer in buffers]
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        return list(pool.map(hash_bytes, buffers))


def restore_array(tag: str, shape: tuple[int, ...], chunks: Iterable[Buffer]) -> NDArray[Any]:
    """The inverse of ``array_chunks``: a fresh, writable array."""
    if tag == "str":
        strings: list[str | None] = []
        for chunk in chunks:
            strings.extend(_decode_strings(chunk))
        flat = np.empty(len(strings), dtype=object)
        flat[:] = strings
        return flat.reshape(shape)
    dtype = np.dtype(tag)
    if dtype.kind not in FIXED_KINDS:
        raise RecordError(f"An array of dtype {tag!r} is not one that a run can hold: the record is damaged or foreign.")
    data = bytearray()
    for chunk in chunks:
        data += chunk
    if len(data) != dtype.itemsize * math.prod(shape):
        raise RecordError(f"An array of dtype {tag!r} and shape {list(shape)} holds {len(data)} bytes: the record is damaged.")
    return np.frombuffer(data, dtype=dtype).reshape(shape) if data else np.zeros(shape, dtype)


def _fixed_chunks(array: NDArray[Any]) -> Iterator[Buffer]:
    if array.ndim == 0:
        array = array.reshape(1)
    if array.size == 0:
        return
    row_bytes = array.itemsize * math.prod(array.shape[1:])
    rows = 1 << max(0, (CHUNK_BYTES // max(1, row_bytes)).bit_length() - 1)
    for start in range(0, len(array), rows):
        yield _buffer(array[start : start + rows])


def _buffer(part: NDArray[Any]) -> Buffer:
    if part.dtype.kind in "fc":
        missing = np.isnan(part)
        if missing.any():
            part = part.copy()
            part[missing] = np.nan
    elif part.dtype.kind in "mMSU":
        return part.tobytes()  # these kinds do not offer the buffer protocol
    return part.data.cast("B")


def _string_chunks(array: NDArray[Any], where: str) -> Iterator[Buffer]:
    flat: list[Any] = array.ravel().tolist()
    for start in range(0, len(flat), STRING_ROWS):
        yield _encode_strings(flat[start : start + STRING_ROWS], where)


def _encode_strings(rows: list[Any], where: str) -> bytes:
    """Count, lengths in code points (-1: missing), then UTF-8."""
    try:
        text = "".join(rows)
        lengths = np.fromiter(map(len, rows), np.int32, len(rows))
    except TypeError:
        for row in rows:
            if row is not None and not isinstance(row, str):
                kind = type(row).__name__
                raise RecordError(f"{where} is an object array that holds a {kind}; a run keeps only strings in these.") from None
        text = "".join(row for row in rows if row is not None)
        lengths = np.fromiter((-1 if row is None else len(row) for row in rows), np.int32, len(rows))
    head = len(rows).to_bytes(8, "little") + lengths.astype("<i4").tobytes()
    return head + text.encode("utf-8", "surrogatepass")


def _decode_strings(chunk: Buffer) -> list[str | None]:
    data = bytes(chunk)
    count = int.from_bytes(data[:8], "little")
    if len(data) < 8 + 4 * count:
        raise RecordError("A chunk of strings is cut short: the record is damaged.")
    lengths = cast("list[int]", np.frombuffer(data, "<i4", count, 8).tolist())
    text = data[8 + 4 * count :].decode("utf-8", "surrogatepass")
    rows: list[str | None] = []
    at = 0
    for length in lengths:
        rows.append(None if length < 0 else text[at : at + length])
        at += max(length, 0)
    return rows


def mapping_digest(values: Mapping[str, str]) -> str:
    """Digest of name -> digest, in sorted order of names."""
    return hash_items("mapping", (item for name in sorted(values) for item in (name, values[name])))
