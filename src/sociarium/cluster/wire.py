"""What travels between processes: plain data and NumPy arrays, framed by ourselves. Never code, never pickle (law 8)."""

from __future__ import annotations

import json
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from sociarium.kernel.errors import UsageError

Plain = Any
LARGEST = 1 << 31  # bytes of one message


def pack(value: Plain) -> bytes:
    """JSON with arrays set apart as raw bytes. Allowed: None, bool, int, float, str, lists, tuples, dicts with text keys,
    NumPy arrays of numbers, and object arrays of str. Anything else raises UsageError that names its type."""
    arrays: list[bytes] = []
    header = json.dumps(_out(value, arrays), ensure_ascii=False, separators=(",", ":")).encode()
    parts = [len(header).to_bytes(8, "little"), header]
    for raw in arrays:
        parts += [len(raw).to_bytes(8, "little"), raw]
    return b"".join(parts)


def unpack(data: bytes) -> Plain:
    """The inverse of ``pack``. Tuples come back as lists."""
    if len(data) > LARGEST:
        raise UsageError(f"a message between processes has {len(data)} bytes; at most {LARGEST} are allowed")
    view, at = memoryview(data), 0
    chunks: list[memoryview] = []
    while at < len(view):
        size = int.from_bytes(view[at : at + 8], "little")
        chunks.append(view[at + 8 : at + 8 + size])
        at += 8 + size
    return _in(json.loads(bytes(chunks[0])), chunks[1:])


def _out(value: Plain, arrays: list[bytes]) -> Any:
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, np.generic):
        return cast("Any", value).item()
    if isinstance(value, np.ndarray):
        return _array_out(cast("NDArray[Any]", value), arrays)
    if isinstance(value, list | tuple):
        return [_out(item, arrays) for item in cast("list[Any]", value)]
    if isinstance(value, dict):
        return {"d": {_key(k): _out(v, arrays) for k, v in cast("dict[Any, Any]", value).items()}}
    raise UsageError(f"{type(value).__name__} cannot be sent to another process; send plain data and NumPy arrays")


def _array_out(array: NDArray[Any], arrays: list[bytes]) -> dict[str, Any]:
    if array.dtype == object:
        return {"t": [_text(item) for item in array.ravel()], "s": list(array.shape)}
    if array.dtype.kind not in "biufU":
        raise UsageError(f"an array of {array.dtype} cannot be sent to another process")
    arrays.append(np.ascontiguousarray(array).tobytes())
    return {"a": len(arrays) - 1, "y": array.dtype.str, "s": list(array.shape)}


def _in(value: Any, chunks: list[memoryview]) -> Any:
    if isinstance(value, list):
        return [_in(item, chunks) for item in cast("list[Any]", value)]
    if not isinstance(value, dict):
        return value
    tagged = cast("dict[str, Any]", value)
    if "d" in tagged:
        return {key: _in(item, chunks) for key, item in tagged["d"].items()}
    if "t" in tagged:
        words: NDArray[Any] = np.empty(len(tagged["t"]), object)
        words[:] = tagged["t"]
        return words.reshape(tagged["s"])
    kind: np.dtype[Any] = np.dtype(str(tagged["y"]))
    numbers: NDArray[Any] = np.frombuffer(bytes(chunks[int(tagged["a"])]), kind)
    return numbers.reshape(tagged["s"]).copy()


def _key(key: Any) -> str:
    if not isinstance(key, str):
        raise UsageError(f"a key {key!r} cannot be sent to another process; keys are text")
    return key


def _text(item: Any) -> str:
    if not isinstance(item, str):
        raise UsageError(f"an array that holds {type(item).__name__} cannot be sent to another process")
    return item
