"""Populations on disk: one Parquet file a table, typed, with where it came from; loaded by column."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import polars as pl
from numpy.typing import NDArray

from sociarium.kernel.errors import UsageError
from sociarium.kernel.population import Column, Population
from sociarium.populations.synthesis import Coded, Synthetic

Array = NDArray[Any]

KEY = "sociarium"
ROWS = 1 << 20  # of a row group: what is read at once
LARGEST_PROVENANCE = 1 << 24


@dataclass(frozen=True, slots=True)
class Loaded:
    """A population of the engine, what its codes mean, and what the file says of its origin."""

    population: Population
    labels: Mapping[str, tuple[str, ...]]
    provenance: Mapping[str, Any]


def write_synthetic(people: Synthetic, folder: Path, *, seed: int | None = None) -> Path:
    """``persons.parquet`` and ``households.parquet`` in a folder, with the controls, the scale, the fit and the seed in each."""
    provenance = {
        **people.provenance, "seed": seed, "zones": list(people.zones),
        "fit": {m.name: {"srmse": m.srmse, "largest_error": m.largest_error} for m in people.whole.marginals},
    }  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    write_table(people.persons, folder / "persons.parquet", provenance)
    write_table(people.households, folder / "households.parquet", provenance)
    return folder


def write_table(columns: Mapping[str, Array | Coded], path: Path, provenance: Mapping[str, Any] | None = None) -> Path:
    """One Parquet file; categories as numbers with their labels in the file's metadata."""
    labels = {name: list(column.labels) for name, column in columns.items() if isinstance(column, Coded)}
    table = pl.DataFrame({name: column.codes if isinstance(column, Coded) else column for name, column in columns.items()})
    told = json.dumps({"labels": labels, "provenance": dict(provenance or {})}, sort_keys=True)
    table.write_parquet(path, compression="zstd", compression_level=1, row_group_size=ROWS, statistics=True, metadata={KEY: told})
    return path


def scan(path: Path, columns: Sequence[str] | None = None) -> pl.LazyFrame:
    """The table, read when it is collected; categories as text."""
    labels, _ = described(path)
    frame = pl.scan_parquet(path)
    known = frame.collect_schema().names()
    chosen = known if columns is None else _known(path, columns, known)
    turned = [
        pl.col(name).replace_strict(range(len(labels[name])), labels[name], return_dtype=pl.Enum(labels[name]))
        if name in labels
        else pl.col(name)
        for name in chosen
    ]
    return frame.select(turned)


def load_population(path: Path, *, columns: Sequence[str] | None = None, kind: str = "person", group: str | None = None) -> Loaded:
    """A file as agents: one kind, one column a column of the file, categories as numbers (their labels stand in each column's ``doc``).

    ``columns``: only these are read. ``group``: a column that says which of the worlds side by side an agent is in.
    """
    labels, provenance = described(path)
    frame = pl.scan_parquet(path)
    known = frame.collect_schema().names()
    chosen = known if columns is None else _known(path, columns, known)
    table = frame.select(chosen).collect()
    arrays = {name: table[name].to_numpy() for name in chosen}
    declared = [
        Column(name, str if array.dtype.kind == "O" else array.dtype, "" if array.dtype.kind == "O" else 0, doc=_codes(labels.get(name)))
        for name, array in arrays.items()
        if name != group
    ]
    values = {("group" if name == group else name): array for name, array in arrays.items()}
    population = Population.of(kind, len(table), declared, **values)
    return Loaded(population, {name: labels[name] for name in chosen if name in labels}, provenance)


def described(path: Path) -> tuple[dict[str, tuple[str, ...]], dict[str, Any]]:
    """Labels and provenance of a file; both empty for one that another program wrote."""
    try:
        metadata = pl.read_parquet_metadata(path)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise UsageError(f"{path} cannot be read as Parquet: {error}") from error
    text = metadata.get(KEY, "{}")
    if len(text) > LARGEST_PROVENANCE:
        raise UsageError(f"{path} has {len(text)} bytes of provenance; at most {LARGEST_PROVENANCE}")
    told = cast("dict[str, Any]", json.loads(text))
    return {name: tuple(values) for name, values in told.get("labels", {}).items()}, told.get("provenance", {})


def _known(path: Path, columns: Sequence[str], known: Sequence[str]) -> list[str]:
    for name in columns:
        if name not in known:
            raise UsageError(f"{path} has no column {name!r}; it has {', '.join(known)}")
    return list(columns)


def _codes(labels: Sequence[str] | None) -> str:
    return "" if labels is None else ", ".join(f"{code} {label}" for code, label in enumerate(labels))
