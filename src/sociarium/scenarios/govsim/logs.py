"""Recorded language-model runs played again on the engine, and their measures held against a recomputation from the log."""

from __future__ import annotations

import math
from pathlib import Path

from sociarium.kernel.errors import UsageError
from sociarium.lab.govsim_logs import LoggedRun, read_runs
from sociarium.scenarios.govsim.game import CommonsGame
from sociarium.scenarios.govsim.playing import Played, play

PLACES = ("govsim_logs/logs.parquet", "logs.parquet")


def runs_in(data: Path) -> list[LoggedRun]:
    """The recorded runs in a folder of reference data."""
    for place in PLACES:
        if (data / place).exists():
            return read_runs(data / place)
    raise UsageError(f"there are no recorded runs in {data}; looked for {' and '.join(PLACES)}")


async def replayed(run: LoggedRun, game: CommonsGame) -> Played:
    """What was caught, month by month. Catches fit the stock, so nothing is rationed: the draws of the log are not ours."""
    return await play(game, wishes=run.catches, months=run.months)


async def largest_difference(run: LoggedRun, game: CommonsGame) -> float:
    """The largest distance between a measure on the engine and in the recomputation: shares as shares, gains in units."""
    played = await replayed(run, game)
    printed = run.measures()
    if played.catches.tolist() != [list(month) for month in run.catches]:
        return math.inf
    pairs = [
        (played.value("months"), float(printed.months)),
        (played.value("gain"), math.fsum(printed.gains) / len(printed.gains)),
        (played.value("efficiency"), printed.efficiency),
        (played.value("over_usage"), printed.over_usage),
    ]
    equality = played.value("equality")
    if (printed.equality is None) != math.isnan(equality):
        return math.inf
    if printed.equality is not None:
        pairs.append((equality, printed.equality))
    return max(abs(ours - theirs) for ours, theirs in pairs)
