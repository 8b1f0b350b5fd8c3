"""Logs of exposures, and the windows of time that they are cut into. Windows that overlap are refused: what is tested on was not seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sociarium.kernel.errors import UsageError

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class ExposureLog:
    """One row: at ``time`` (any unit), ``target`` was shown by ``source`` the ``post`` (a row of a table of vectors), and passed it on or
    not."""

    time: Floats
    source: Ints
    target: Ints
    post: Ints
    shared: Bools

    def __post_init__(self) -> None:
        sizes = {len(getattr(self, name)) for name in self.__slots__}
        if len(sizes) != 1:
            raise UsageError("a log of exposures has columns of different lengths")

    def __len__(self) -> int:
        return len(self.time)

    def only(self, rows: Any) -> ExposureLog:
        return ExposureLog(*(getattr(self, name)[rows] for name in self.__slots__))

    @classmethod
    def read(cls, path: Path) -> ExposureLog:
        """From a ``.csv`` or ``.parquet`` file with the columns time, source, target, post and shared (0 or 1)."""
        import polars as pl

        try:
            table = pl.read_parquet(path) if path.suffix == ".parquet" else pl.read_csv(path)
        except (OSError, pl.exceptions.PolarsError) as error:
            raise UsageError(f"{path} cannot be read as a log of exposures: {error}") from error
        if missing := [name for name in cls.__slots__ if name not in table.columns]:
            raise UsageError(f"{path} has no column {missing[0]!r}; a log of exposures has {', '.join(cls.__slots__)}")
        types = {"time": np.float64, "shared": np.bool_}
        if any(table[name].null_count() for name in cls.__slots__):
            raise UsageError(f"{path} has empty cells; a log of exposures has none")
        columns: dict[str, Any] = {name: table[name].to_numpy().astype(types.get(name, np.int64)) for name in cls.__slots__}
        return cls(**columns)


class Windows:
    """Stretches of time by name, each from its start up to, not including, its end: ``Windows({"network": (0, 4), "training": (4, 8)})``.

    Raises UsageError where one is empty or two overlap.
    """

    def __init__(self, windows: Mapping[str, tuple[float, float]]) -> None:
        self.bounds = {name: (float(start), float(end)) for name, (start, end) in windows.items()}
        last, before = -np.inf, ""
        for name, (start, end) in sorted(self.bounds.items(), key=lambda item: item[1]):
            if not start < end:
                raise UsageError(f"window {name!r} from {start:g} to {end:g} is empty; its start must be before its end")
            if start < last:
                raise UsageError(
                    f"window {name!r} begins at {start:g}, before {before!r} ends at {last:g}: what one is tested on, the other has seen"
                )
            last, before = end, name

    def __getitem__(self, name: str) -> tuple[float, float]:
        if name not in self.bounds:
            raise UsageError(f"there is no window {name!r}; there are {', '.join(self.bounds)}")
        return self.bounds[name]

    def inside(self, name: str, times: NDArray[Any]) -> Bools:
        """Which of these times lie in a window."""
        start, end = self[name]
        return (times >= start) & (times < end)

    def cut(self, log: ExposureLog, *names: str) -> ExposureLog:
        """The rows of a log in one window or several."""
        inside = np.zeros(len(log), np.bool_)
        for name in names:
            inside |= self.inside(name, log.time)
        return log.only(inside)
