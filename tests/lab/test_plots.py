"""Pictures: what they show, that the same data gives the same bytes, and what they refuse."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.image import imread

from sociarium.kernel import extras
from sociarium.kernel.errors import UsageError
from sociarium.lab import plots
from sociarium.lab.statistics import Interval


def arm(seed: int, ends: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.Generator(np.random.Philox(key=seed))
    stock, catches = random.uniform(30, 60, (8, 12)), random.uniform(5, 15, (8, 12, 5))
    if ends is not None:
        stock[:, ends:], catches[:, ends:] = np.nan, np.nan
    return stock, catches


def test_the_picture_names_its_axes_and_arms_and_explains_its_bands(tmp_path: Path) -> None:
    arms = {"alone": arm(1), "with a newcomer": arm(2, ends=4)}
    path = plots.stock_curves(arms, tmp_path / "new" / "curves.svg", title="Lakes", unit="tons", capacity=100, limit=5)
    text = path.read_text("utf-8")
    for words in (
        "Lakes",
        "tons left at the end of the month",
        "tons a month, mean of agents",
        "share of runs not lost",
        "collapse",
        *arms,
    ):
        assert words in text
    assert "middle 95 % of those runs" in text


def test_the_same_data_gives_the_same_bytes(tmp_path: Path) -> None:
    for suffix in (".svg", ".png"):
        first, again = (plots.stock_curves({"a": arm(1)}, tmp_path / f"{name}{suffix}").read_bytes() for name in ("one", "two"))
        assert first == again
        assert plots.stock_curves({"a": arm(2)}, tmp_path / f"three{suffix}").read_bytes() != first


def test_every_arm_can_be_seen_in_its_colour(tmp_path: Path) -> None:
    arms = {f"arm {number}": arm(number) for number in range(7)}
    pixels = imread(plots.stock_curves(arms, tmp_path / "seven.png"))[:, :, :3]
    for colour in plots.COLOURS:
        assert (np.abs(pixels - to_rgb(colour)).max(axis=2) < 0.01).sum() > 200
    with pytest.raises(UsageError, match="1 to 7 arms"):
        plots.stock_curves({**arms, "one more": arm(9)}, tmp_path / "eight.png")


def test_one_run_and_runs_that_end_at_once_are_drawn_without_warning(tmp_path: Path) -> None:
    single = tuple(values[:1] for values in arm(3, ends=1))
    assert plots.stock_curves({"single": single, "short": arm(4, ends=1)}, tmp_path / "short.png").stat().st_size > 10_000


def test_an_interval_chart_tells_its_numbers_alike(tmp_path: Path) -> None:
    rows = [("talk", Interval(4.0, 3.054, 4.946, 0.95, "t")), ("no talk", Interval(-2.0, -2.946, -1.054, 0.95, "t"))]
    path = plots.interval_chart(rows, tmp_path / "chart.svg", title="Effect", label="months", published={"talk": 4.1}, reference=0)
    text = path.read_text("utf-8")
    for words in ("talk", "no talk", "months", "Effect", "published", "ours, 95 % interval", "4.0 [3.1, 4.9]", "−2.0 [−2.9, −1.1]"):
        assert words in text
    with pytest.raises(UsageError, match="'walk'"):
        plots.interval_chart(rows, tmp_path / "chart.svg", published={"walk": 1})


def test_mistakes_are_told(tmp_path: Path) -> None:
    stock, catches = arm(5)
    holed = stock.copy()
    holed[0, 3] = np.nan
    for bad in (
        lambda: plots.stock_curves({}, tmp_path / "x.png"),
        lambda: plots.stock_curves({"a": (stock, catches[:, :3])}, tmp_path / "x.png"),
        lambda: plots.stock_curves({"a": (holed, catches)}, tmp_path / "x.png"),
        lambda: plots.stock_curves({"a": (stock, catches)}, tmp_path / "x.bmp"),
        lambda: plots.interval_chart([], tmp_path / "x.png"),
    ):
        with pytest.raises(UsageError):
            bad()
    assert not list(tmp_path.iterdir())


def test_a_missing_library_is_told_with_its_extra() -> None:
    with pytest.raises(UsageError, match=r"drawing needs no_such_library, .*pip install 'sociarium\[plot\]'"):
        extras.optional("no_such_library.style", "plot", "drawing")
