"""The released language-model runs of the commons game (GovSim and its reproduction), as plain runs.

One Parquet file holds one row an agent and month (``harvesting``), one a line of talk (``utterance``) and one a limit agreed at the
end of a month (``conversation_resource_limit``). Months are numbered from 0 as in the file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sociarium.kernel.errors import UsageError
from sociarium.kernel.extras import optional
from sociarium.lab.reference import PlainMeasures, plain_measures

Row = Mapping[str, Any]

AGENTS = 5
HORIZON = 12
FIRST_THRESHOLD = 10  # units an agent in the first month, written into the released code
JAPANESE_NAMES = frozenset({"Himari", "Rin", "Tsumugi", "Yua", "Yuina"})
COLUMNS = (
    "experiment",
    "model",
    "run",
    "agent_id",
    "round",
    "action",
    "resource_in_pool_before_harvesting",
    "resource_in_pool_after_harvesting",
    "resource_collected",
    "wanted_resource",
    "agent_name",
    "resource_limit",
    "utterance",
)


@dataclass(frozen=True, slots=True)
class Utterance:
    """One line of talk."""

    month: int
    speaker: str
    text: str


@dataclass(frozen=True, slots=True)
class LoggedRun:
    """One released run. ``wanted`` and ``catches`` are [month][agent] in units, agents in the order persona_0 ... persona_4."""

    run: str
    experiment: str
    model: str  # empty where the release does not say
    scenario: str  # "fishing", "fishing_japanese" or "trash"
    before: tuple[int, ...]  # stock found by each month
    after: tuple[int, ...]  # stock each month left
    wanted: tuple[tuple[int, ...], ...]
    catches: tuple[tuple[int, ...], ...]
    limits: tuple[int | None, ...]  # the limit an agent agreed on in each month; None where they agreed on none
    utterances: tuple[Utterance, ...]

    @property
    def months(self) -> int:
        """Months logged."""
        return len(self.catches)

    @property
    def lost(self) -> bool:
        """Whether the last month logged ended the game."""
        return self.after[-1] > 95 if self.scenario == "trash" else self.after[-1] < 5

    @property
    def broken_off(self) -> bool:
        """Neither lost nor at the horizon: the log stops in the middle, so the run says nothing about survival."""
        return not self.lost and self.months < HORIZON

    @property
    def zero_catch(self) -> bool:
        """Nobody caught anything, so equality is missing."""
        return not any(any(month) for month in self.catches)

    def thresholds(self) -> tuple[int, ...]:
        """What an agent may take in each month without shrinking the stock: floor(floor(h / 2) / 5), or 10 where trash grows by 50."""
        later = [min(50, stock) // AGENTS if self.scenario == "trash" else stock // 2 // AGENTS for stock in self.before[1:]]
        return (FIRST_THRESHOLD, *later)

    def measures(self) -> PlainMeasures:
        """The measures of the run as logged: months are those in the log, also where it was broken off."""
        return plain_measures(self.catches, self.thresholds(), horizon=HORIZON, first_threshold=50)


def read_runs(path: Path) -> list[LoggedRun]:
    """All runs of a file, ordered by experiment, model and name. A row that contradicts its run is an error, not a guess."""
    polars = optional("polars", "lab", "reading logs")
    try:
        frame = polars.read_parquet(path)
    except (OSError, polars.exceptions.PolarsError) as error:
        raise UsageError(f"{path} cannot be read as Parquet: {error}") from error
    missing = [column for column in COLUMNS if column not in frame.columns]
    if missing:
        raise UsageError(f"{path} is not a log of commons runs: column {missing[0]!r} is missing")
    by_run: dict[tuple[str, str, str], list[Row]] = {}
    for row in frame.select(COLUMNS).iter_rows(named=True):
        by_run.setdefault((row["experiment"], row["model"] or "", row["run"]), []).append(row)
    return [_run(*key, by_run[key]) for key in sorted(by_run)]


def _run(experiment: str, model: str, run: str, rows: list[Row]) -> LoggedRun:
    harvests = [row for row in rows if row["action"] == "harvesting"]
    talk = [row for row in rows if row["action"] == "utterance"]
    agreed = {row["round"]: row["resource_limit"] for row in rows if row["action"] == "conversation_resource_limit"}
    months = sorted({row["round"] for row in harvests})
    if not months or months != list(range(len(months))):
        raise UsageError(f"run {run!r}: its months are {months}, and should be 0, 1, 2, ... without gaps")
    table = {month: [row for row in harvests if row["round"] == month] for month in months}
    for month, found in table.items():
        if sorted(row["agent_id"] for row in found) != [f"persona_{agent}" for agent in range(AGENTS)]:
            raise UsageError(f"run {run!r}, month {month}: needs one harvest of each of the {AGENTS} agents")
        found.sort(key=lambda row: row["agent_id"])
    before = tuple(_one(run, month, found, "resource_in_pool_before_harvesting") for month, found in table.items())
    after = tuple(_one(run, month, found, "resource_in_pool_after_harvesting") for month, found in table.items())
    catches = tuple(tuple(_whole(run, row["resource_collected"]) for row in found) for found in table.values())
    for month, (start, month_catches, left) in enumerate(zip(before, catches, after, strict=True)):
        if start - sum(month_catches) != left:
            raise UsageError(f"run {run!r}, month {month}: {start} units less {sum(month_catches)} caught do not leave {left}")
    return LoggedRun(
        run=run,
        experiment=experiment,
        model=model,
        scenario=_scenario(experiment, talk),
        before=before,
        after=after,
        wanted=tuple(tuple(_whole(run, row["wanted_resource"]) for row in found) for found in table.values()),
        catches=catches,
        limits=tuple(None if agreed.get(month) is None else _whole(run, agreed[month]) for month in months),
        utterances=tuple(Utterance(row["round"], row["agent_name"], row["utterance"]) for row in talk),
    )


def _scenario(experiment: str, talk: list[Row]) -> str:
    if experiment.startswith("trash"):
        return "trash"
    return "fishing_japanese" if any(row["agent_name"] in JAPANESE_NAMES for row in talk) else "fishing"


def _one(run: str, month: int, rows: list[Row], column: str) -> int:
    values = {row[column] for row in rows}
    if len(values) != 1:
        raise UsageError(f"run {run!r}, month {month}: its agents disagree on {column}: {sorted(values)}")
    return _whole(run, values.pop())


def _whole(run: str, value: float | None) -> int:
    if value is None or value != int(value):
        raise UsageError(f"run {run!r}: {value!r} is not a whole number of units")
    return int(value)
