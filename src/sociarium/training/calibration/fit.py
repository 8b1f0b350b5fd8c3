"""What a calibration comes to: estimates with intervals, how the loss fell, and the fitted series beside the observed ones."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from sociarium.kernel.errors import UsageError
from sociarium.lab.curves import Band, series_panels
from sociarium.lab.statistics import Interval
from sociarium.training.calibration.parameters import Floats, Space
from sociarium.training.calibration.targets import Targets


@dataclass(frozen=True, slots=True)
class Fit:
    """``intervals``: one a free number, by name (``reproduction[2]``). ``losses``: one a step or evaluation. ``fitted``:
    (replicates, observations) at the estimate, for seeds that the fit has not seen, beside ``observed``. ``samples``: draws from
    the posterior, (samples, size), where the method gives one. ``ended``: why it stopped."""

    method: str
    intervals: Mapping[str, Interval]
    losses: Floats
    fitted: Floats
    observed: Floats
    streams: Mapping[str, int]  # observations of each, in order
    ended: str
    runs: int  # simulated replicates in all
    samples: Floats | None = None
    notes: tuple[str, ...] = field(default_factory=tuple[str, ...])

    @property
    def estimate(self) -> dict[str, float]:
        return {name: interval.estimate for name, interval in self.intervals.items()}

    def values(self, space: Space) -> dict[str, Any]:
        """The estimate by parameter, in its shape."""
        flat = np.array(list(self.estimate.values()))
        found: dict[str, Any] = {}
        place = 0
        for one in space.parameters:
            size = max(1, int(np.prod(one.shape)))
            found[one.name] = flat[place : place + size].reshape(one.shape)
            place += size
        return found

    def plain(self) -> dict[str, Any]:
        """As JSON holds it."""
        intervals = {
            name: {
                "estimate": i.estimate,
                "low": i.low,
                "high": i.high,
                "level": i.level,
                "method": i.method,
            }
            for name, i in self.intervals.items()
        }
        arrays = {
            "losses": self.losses,
            "fitted": self.fitted,
            "observed": self.observed,
            "samples": self.samples,
        }
        rest = {name: None if part is None else part.tolist() for name, part in arrays.items()}
        head = {
            "method": self.method,
            "ended": self.ended,
            "runs": self.runs,
            "streams": dict(self.streams),
            "notes": list(self.notes),
        }
        return {**head, "intervals": intervals, **rest}

    def save(self, path: Path) -> Path:
        """To JSON: numbers come back to the last bit."""
        path.parent.mkdir(parents=True, exist_ok=True)
        aside = path.with_suffix(".part")
        aside.write_text(json.dumps(self.plain()), encoding="utf-8")
        return aside.replace(path)

    @classmethod
    def load(cls, path: Path) -> Fit:
        """From ``save``."""
        try:
            plain: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            arrays = {name: np.array(plain[name], np.float64) for name in ("losses", "fitted", "observed")}
            samples = None if plain["samples"] is None else np.array(plain["samples"], np.float64)
            intervals = {name: Interval(**one) for name, one in plain["intervals"].items()}
            rest: dict[str, Any] = {name: plain[name] for name in ("method", "streams", "ended", "runs")}
            return cls(
                intervals=intervals,
                samples=samples,
                notes=tuple(plain["notes"]),
                **arrays,
                **rest,
            )
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UsageError(f"{path} holds no fit: {error}") from None

    def plot(self, path: Path, title: str = "Calibration", period: str = "week") -> Path:
        """A panel a stream: observed points, the fitted mean, the middle 95 % of its replicates; and the loss."""
        bands: dict[str, Band] = {}
        place = 0
        for name, size in self.streams.items():
            part = slice(place, place + size)
            bands[name] = Band(self.fitted[:, part], self.observed[part])
            place += size
        told = [f"{name} = {interval}" for name, interval in self.intervals.items()]
        return series_panels(bands, path, title=title, period=period, losses=self.losses, told=told[:6])


def streams_of(targets: Targets) -> dict[str, int]:
    """How many observations each stream has."""
    return {one.name: int((~np.isnan(np.asarray(one.observed, np.float64))).sum()) for one in targets.targets}
