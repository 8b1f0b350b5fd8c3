"""A simulation's state, a nested dict of arrays and plain data, taken apart for digests and snapshots and put together again."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from sociarium.kernel.errors import RecordError
from sociarium.record.digest import Buffer, array_chunks, hash_all, leaf_digest, mapping_digest, plain_digest, restore_array, to_json

LARGE_PLAIN = 4096  # characters of JSON past which plain data is stored as a chunk of its own
DEPTH = 64


@dataclass(slots=True)
class Survey:
    """One pass over a state. ``chunks`` are views of live arrays: copy what outlives the tick."""

    tree: Any = None
    leaves: dict[str, str] = field(default_factory=dict[str, str])  # path -> digest
    chunks: dict[str, Buffer] = field(default_factory=dict[str, Buffer])  # digest -> bytes

    @property
    def digest(self) -> str:
        return mapping_digest(self.leaves)


def survey(state: Mapping[str, Any]) -> Survey:
    """Digests of every leaf, and the tree with each array replaced by its type, shape and chunk digests.

    Raises RecordError naming the path of anything that is neither an array nor plain data.
    """
    return _Walk().run(state)


def restore(tree: Any, fetch: Callable[[str], Buffer]) -> Any:
    """The inverse of ``survey``; ``fetch`` gives a chunk's bytes by digest."""
    if isinstance(tree, list):
        return [restore(value, fetch) for value in cast("list[Any]", tree)]
    if not isinstance(tree, dict):
        return tree
    node = cast("dict[str, Any]", tree)
    if "$array" in node:
        tag, shape, chunks = node["$array"]
        return restore_array(str(tag), tuple(int(size) for size in shape), [fetch(str(name)) for name in chunks])
    if "$json" in node:
        return restore(json.loads(bytes(fetch(str(node["$json"])))), fetch)
    if "$bytes" in node:
        return bytes.fromhex(node["$bytes"])
    if "$dict" in node:
        return {str(key): restore(value, fetch) for key, value in node["$dict"]}
    return {key: restore(value, fetch) for key, value in node.items()}


class _Walk:
    """Arrays are met first and hashed together at the end, so that all cores share the work."""

    def __init__(self) -> None:
        self.found = Survey()
        self.buffers: list[Buffer] = []
        self.arrays: list[tuple[str, list[Any], int, int]] = []  # path, node to fill, first buffer, past last

    def run(self, state: Mapping[str, Any]) -> Survey:
        tree, has_arrays = self.node(state, "", 0)
        names = hash_all(self.buffers)
        for path, node, start, end in self.arrays:
            node[2] = names[start:end]
            self.found.leaves[path] = leaf_digest(node[0], tuple(node[1]), node[2])
        self.found.chunks.update(zip(names, self.buffers, strict=True))
        self.found.tree = tree if has_arrays else self.plain(tree, "")
        return self.found

    def node(self, value: Any, path: str, depth: int) -> tuple[Any, bool]:
        """The value's place in the tree, and whether an array lies below it."""
        if depth > DEPTH:
            raise RecordError(f"The state at {path} is nested deeper than {DEPTH} levels: flatten it into columns.")
        if isinstance(value, np.ndarray):
            return self.array(cast("NDArray[Any]", value), path), True
        if isinstance(value, np.generic):
            return self.node(cast("Any", value).item(), path, depth)
        if isinstance(value, Mapping):
            return self.mapping(cast("Mapping[Any, Any]", value), path, depth)
        if isinstance(value, list | tuple):
            return self.sequence(list(cast("Sequence[Any]", value)), path, depth)
        if value is None or isinstance(value, bool | int | float | str):
            return value, False
        if isinstance(value, bytes):
            return {"$bytes": value.hex()}, False
        raise RecordError(f"The state at {path or 'its root'} is a {type(value).__name__}: state is arrays and plain data only.")

    def array(self, array: NDArray[Any], path: str) -> dict[str, Any]:
        tag, shape, chunks = array_chunks(array, f"The state at {path}")
        start = len(self.buffers)
        self.buffers.extend(chunks)
        node: list[Any] = [tag, list(shape), None]
        self.arrays.append((path, node, start, len(self.buffers)))
        return {"$array": node}

    def mapping(self, value: Mapping[Any, Any], path: str, depth: int) -> tuple[Any, bool]:
        for key in value:
            if not isinstance(key, str):
                raise RecordError(f"The state at {path or 'its root'} has the key {key!r}: keys of a state are strings.")
        children = {key: self.node(child, f"{path}/{key}", depth + 1) for key, child in value.items()}
        has_arrays = any(flag for _, flag in children.values())
        if has_arrays:  # a plain subtree is one leaf, at the highest place where it is plain
            nodes = {key: node if flag else self.plain(node, f"{path}/{key}") for key, (node, flag) in children.items()}
        else:
            nodes = {key: node for key, (node, _) in children.items()}
        if any(key.startswith("$") for key in nodes):
            return {"$dict": [[key, nodes[key]] for key in sorted(nodes)]}, has_arrays
        return nodes, has_arrays

    def sequence(self, value: list[Any], path: str, depth: int) -> tuple[Any, bool]:
        children = [self.node(child, f"{path}/{place}", depth + 1) for place, child in enumerate(value)]
        has_arrays = any(flag for _, flag in children)
        if has_arrays:
            return [node if flag else self.plain(node, f"{path}/{place}") for place, (node, flag) in enumerate(children)], True
        return [node for node, _ in children], False

    def plain(self, node: Any, path: str) -> Any:
        text = to_json(node, sort=True)
        self.found.leaves[path] = plain_digest(node)
        if len(text) <= LARGE_PLAIN:
            return node
        data = text.encode()
        (name,) = hash_all([data])
        self.found.chunks[name] = data
        return {"$json": name}
