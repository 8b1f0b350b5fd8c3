"""Parts: events rolled out of the database into typed Parquet files, one kind a file.

A part is written aside, synced and renamed, and exists once the database names it with its checksum, in the transaction that
deletes its rows there.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sociarium.kernel.errors import RecordError
from sociarium.kernel.records import EventRows
from sociarium.record.columns import describe, tag
from sociarium.record.digest import hash_bytes, to_json
from sociarium.record.files import inside, publish, sync_file
from sociarium.record.schema import seal
from sociarium.record.ticks import LARGE_BATCH, EncodedTick, batch_row, load_events

if TYPE_CHECKING:
    import polars as pl

FOLDER = "parts"
FIXED = ("tick", "batch", "place", "phase", "id", "lane", "turn", "actor", "recipients")
OWN = "data."  # the prefix of a kind's own columns in the file, so that none collides with the fixed ones
Batch = tuple[int, int, EventRows]  # tick, place in the tick, rows


def write_part(folder: Path, connection: sqlite3.Connection, batches: Sequence[Batch]) -> int:
    """Write batches of one kind and one set of columns as a part and name it, inside the caller's transaction. Returns its id."""
    kind, columns = batches[0][2].kind, to_json(describe(batches[0][2].data))
    part = int(connection.execute("SELECT coalesce(max(id), 0) + 1 FROM parts").fetchone()[0])
    file = f"{FOLDER}/{part:06d}-{re.sub(r'[^A-Za-z0-9_.-]', '_', kind)[:60]}.parquet"
    path = folder / file
    aside = path.with_name(path.name + ".tmp")
    frame = _frame(batches)
    frame.write_parquet(aside, compression="zstd", statistics=True)
    sync_file(aside)
    data = aside.read_bytes()
    publish(aside, path)
    row = (part, kind, file, frame.height, len(data), hash_bytes(data), columns)
    connection.execute("INSERT INTO parts VALUES (?,?,?,?,?,?,?,?)", (*row, seal(*row)))
    return part


def divided(waiting: Sequence[EncodedTick]) -> tuple[list[list[Batch]], list[Batch]]:
    """The events of ticks that are committed together: what goes into parts, one list a part, and what stays small."""
    alike: dict[tuple[str, str, bool], list[Batch]] = {}
    for encoded in waiting:
        for place, rows in encoded.events:
            shape = (rows.kind, to_json(describe(rows.data)), rows.recipients is not None)
            alike.setdefault(shape, []).append((encoded.tick, place, rows))
    sizes = {shape: sum(len(rows) for _, _, rows in batches) for shape, batches in alike.items()}
    large = [batches for shape, batches in alike.items() if sizes[shape] > LARGE_BATCH]
    small = [batch for shape, batches in alike.items() if sizes[shape] <= LARGE_BATCH for batch in batches]
    return large, small


def write_large(folder: Path, connection: sqlite3.Connection, batches: Sequence[Batch]) -> None:
    """Batches of one kind and one set of columns, too large together for the database's rows, as one part."""
    part, start = write_part(folder, connection, batches), 0
    for tick, place, rows in batches:
        connection.execute("INSERT INTO batches VALUES (?,?,?,?,?,?,?,?,?,?)", batch_row(tick, place, rows, part, start))
        start += len(rows)


def roll(folder: Path, connection: sqlite3.Connection, kind: str) -> None:
    """Move all rows of a kind from the database into parts, one for each run of batches with equal columns."""
    heads = connection.execute("SELECT * FROM batches WHERE kind = ? AND part IS NULL ORDER BY tick, batch", (kind,)).fetchall()
    group: list[tuple[Any, ...]] = []
    for head in [*heads, None]:
        if group and (head is None or (head[7], head[5]) != (group[0][7], group[0][5])):
            _roll_group(folder, connection, group)
            group = []
        if head is not None:
            group.append(head)


def read_batch(folder: Path, connection: sqlite3.Connection, batch: Sequence[Any]) -> EventRows:
    """The events of a row of ``batches`` that lies in a part."""
    import polars as pl

    _, _, phase, kind, audience, with_recipients, count, columns, part, start = batch
    found = connection.execute("SELECT file FROM parts WHERE id = ?", (part,)).fetchone()
    if found is None:
        raise RecordError(f"Part {part} with events {kind} is not named in {folder}: the record is damaged.")
    path = inside(folder, str(found[0]))
    try:
        frame = pl.scan_parquet(path, glob=False).slice(start, count).collect()
        ids, lanes, turns, actors = (frame[name].to_numpy().astype(np.int64) for name in ("id", "lane", "turn", "actor"))
        recipients = [np.array(some, np.int64) for some in frame["recipients"].to_list()] if with_recipients else None
        data = {str(name): _array(frame[OWN + str(name)], str(dtype), shape) for name, dtype, shape in json.loads(columns)}
    except (pl.exceptions.PolarsError, OSError, ValueError) as error:
        raise RecordError(f"{path} cannot be read ({error}). Restore it from a copy, or run `sociarium doctor {folder}`.") from error
    return EventRows(kind, phase, ids, lanes, turns, actors, audience, recipients, data)


def _roll_group(folder: Path, connection: sqlite3.Connection, heads: Sequence[tuple[Any, ...]]) -> None:
    batches: list[Batch] = [(head[0], head[1], load_events(connection, head)) for head in heads]
    part = write_part(folder, connection, batches)
    start = 0
    for tick, place, rows in batches:
        connection.execute("UPDATE batches SET part = ?, start = ? WHERE tick = ? AND batch = ?", (part, start, tick, place))
        connection.execute("DELETE FROM events WHERE tick = ? AND batch = ?", (tick, place))
        start += len(rows)


def _frame(batches: Sequence[Batch]) -> pl.DataFrame:
    import polars as pl

    ticks = np.concatenate([np.full(len(rows), tick, np.int64) for tick, _, rows in batches])
    places = np.concatenate([np.full(len(rows), place, np.int64) for _, place, rows in batches])
    columns: dict[str, Any] = {"tick": ticks, "batch": places, "place": np.concatenate([np.arange(len(rows)) for _, _, rows in batches])}
    phases = [pl.repeat(rows.phase, len(rows), dtype=pl.String, eager=True) for _, _, rows in batches]
    columns["phase"] = pl.concat(phases, rechunk=True)
    for name, field in (("id", "ids"), ("lane", "lanes"), ("turn", "turns"), ("actor", "actors")):
        columns[name] = np.concatenate([getattr(rows, field) for _, _, rows in batches])
    if batches[0][2].recipients is not None:
        lists = [some.tolist() for _, _, rows in batches for some in rows.recipients or []]
        columns["recipients"] = pl.Series(lists, dtype=pl.List(pl.Int64))
    for name in batches[0][2].data:
        columns[OWN + name] = _series(np.concatenate([rows.data[name] for _, _, rows in batches]))
    return pl.DataFrame(columns)


def _series(array: NDArray[Any]) -> pl.Series:
    import polars as pl

    if array.ndim > 1:
        return pl.Series(array.reshape(len(array), -1).tolist(), dtype=pl.List(_flat_type(array)))
    return pl.Series(array.tolist(), dtype=pl.String) if tag(array) == "str" else pl.Series(array)


def _flat_type(array: NDArray[Any]) -> pl.DataType:
    import polars as pl

    return pl.String() if tag(array) == "str" else pl.Series(np.empty(0, array.dtype)).dtype


def _array(series: pl.Series, dtype: str, shape: Sequence[int]) -> NDArray[Any]:
    size = (len(series), *shape)
    if dtype == "str":
        values = series.to_list()
        flat = np.empty(len(values) if not shape else int(np.prod(size)), dtype=object)
        flat[:] = values if not shape else [value for row in values for value in row]
        return flat.reshape(size)
    if shape:
        return np.array(series.to_list(), np.dtype(dtype)).reshape(size)
    return series.to_numpy().astype(np.dtype(dtype), copy=False)


__all__ = ["FIXED", "FOLDER", "OWN", "divided", "read_batch", "roll", "write_large", "write_part"]
