"""The claims of the card, each with its check."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from sociarium.kernel.protocols import JournalEntry, NoJournal
from sociarium.kernel.records import TickRecord
from sociarium.lab.claims import ClaimContext, Measured, claim
from sociarium.lab.experiment import Experiment
from sociarium.lab.reference import least_removal
from sociarium.lab.running import Options, opened
from sociarium.lab.statistics import paired_t
from sociarium.minds.language import FOLDER
from sociarium.minds.parsing import read_integer
from sociarium.models.service import ModelService
from sociarium.scenarios.govsim.game import HERE
from sociarium.scenarios.govsim.logs import largest_difference, runs_in
from sociarium.scenarios.govsim.playing import play
from sociarium.scenarios.govsim_repro.scenario import OWN, GovSimRepro

SCENARIOS = ("fishing", "sheep", "pollution", "trash")


@dataclass
class KeptCalls(NoJournal):
    """A journal that keeps who asked which model."""

    calls: list[tuple[str, str, str]] = field(default_factory=list[tuple[str, str, str]])  # asker, label, model

    async def append(self, entry: JournalEntry) -> None:
        await super().append(entry)
        self.calls.append((entry.address.asker, entry.address.label, str(entry.request["model"])))


@claim("inverse-least-removal")
async def inverse_least_removal(context: ClaimContext) -> Measured:
    trash = GovSimRepro.of({"scenario": "trash"})
    least, _ = least_removal(100, 12, _refill, _overfull)
    let_off, _ = least_removal(100, 12, _refill, _overfull, last_month_may_be_lost=True)
    five = await play(trash, wishes=[[1] * 5] * 12)
    spared = await play(trash, wishes=[[1] * 5] * 11 + [[0] * 5])
    four = await play(trash, wishes=[[1, 1, 1, 1, 0]] * 12)
    everything = await play(trash, wishes=[[100] * 5] * 12)
    held = (five.value("months"), spared.value("months"), everything.value("months")) == (12, 12, 12)
    totals = (five.catches.sum(), spared.catches.sum()) == (least, let_off)
    told = f"{least}, {let_off}, month {four.value('months'):g}, {everything.catches.sum():g}"
    return Measured.exactly(told, holds=held and totals and not five.measures["commons.collapsed"][0] and told == context.claim.published)


@claim("inverse-waste")
async def inverse_waste(context: ClaimContext) -> Measured:
    played = await play(GovSimRepro.of({"scenario": "trash", "policies": "take:10"}))
    same = (played.value("months"), played.catches.sum(), played.value("cost")) == (12, 600, 1200)
    return Measured.exactly(played.value("waste"), holds=same)


@claim("growth-tables")
async def growth_tables(context: ClaimContext) -> Measured:
    wrong = 0
    for scenario in ("fishing", "trash"):
        game = GovSimRepro.of({"scenario": scenario, "num_agents": 1, "lakes": 101, "max_rounds": 2})
        played = await play(game, wishes=[[100 - left for left in range(101)]], months=1)
        for left in range(101):
            lost = left > 95 if scenario == "trash" else left < 5
            stock = left if lost else min(100, left + 50 if scenario == "trash" else 2 * left)
            found = bool(played.measures["commons.collapsed"][left]), float(played.measures["commons.stock"][left])
            wrong += found != (lost, stock)
    return Measured.exactly(float(wrong), holds=wrong == 0)


@claim("greedy-mixes")
async def greedy_mixes(context: ClaimContext) -> Measured:
    told = ", ".join(str(months) for months in await months_of_mixes("take:20"))
    return Measured.exactly(told, holds=told == context.claim.published)


@claim("persuadable-mixes")
async def persuadable_mixes(context: ClaimContext) -> Measured:
    months, greedy = await months_of_mixes("persuadable:20"), await months_of_mixes("take:20")
    told = ", ".join(map(str, months))
    better = all(ours >= theirs for ours, theirs in zip(months, greedy, strict=True)) and months == sorted(months)
    return Measured.exactly(told, holds=better and told == context.claim.published)


@claim("language-invariance")
async def language_invariance(context: ClaimContext) -> Measured:
    wrong = 0
    for scenario in SCENARIOS:
        logs = [
            await _log(GovSimRepro.of({"scenario": scenario, "instructions": tongue, "policies": "sustainable*3,greedy*2"}))
            for tongue in ("en", "ja")
        ]
        wrong += logs[0] != logs[1]
    wrong += len(untranslated())
    read = [read_integer(text, low=0, high=100).value for text in ("答え：１０トン", "回答: 10トン", "Answer: 10 tons")]
    return Measured.exactly(float(wrong + sum(value != 10 for value in read)), holds=True)


@claim("model-routing")
async def model_routing(context: ClaimContext) -> Measured:
    specs = [f"scripted:schema?seed={seed}" for seed in range(1, 6)]
    game = GovSimRepro.of(
        {"models": specs, "framework_model": "scripted:schema?seed=6", "max_rounds": 2, "embedder": "hashing", "pace": "brief"}
    )
    backends = await opened(game, Options())
    journal = KeptCalls()
    async with ModelService(backends, journal=journal, seed=0) as service:
        simulation = game.build(0)
        simulation.door = service
        await simulation.run()
    tags = {f"agent:{place}": backends[f"agent-{place}"].facts.digest for place in range(5)}
    moderator = backends["framework"].facts.digest
    wrong = sum(model != tags.get(asker, moderator) for asker, _, model in journal.calls)
    seen = {asker for asker, _, _ in journal.calls}
    return Measured.exactly(float(wrong), holds=seen >= set(tags) and len(seen) == 6 and len({*tags.values(), moderator}) == 6)


@claim("metric-replay")
async def metric_replay(context: ClaimContext) -> Measured:
    assert context.data is not None, "a claim that needs data is checked with data only"
    logged = runs_in(context.data)
    largest = max([await largest_difference(run, GovSimRepro.of({"scenario": run.scenario})) for run in logged])
    return Measured.exactly(largest, holds=len(logged) > 0)


@claim("paired-test")
def paired_test(context: ClaimContext) -> Measured:
    random = np.random.Generator(np.random.PCG64(45))
    noise = random.normal(0.0, 4.0, (2, 1000, 45))
    none = np.zeros((1000, 45))
    power = int((paired_t(noise[0] + 4.0, none).p < 0.001).sum())
    errors = int((paired_t(noise[1], none).p < 0.05).sum())
    return Measured.exactly(float(power), holds=power >= 980 and 29 <= errors <= 74)


@claim("large-models-cooperate")
async def large_models_cooperate(context: ClaimContext) -> Measured:
    return await _months(context, "fishing")


@claim("trash-is-sustained")
async def trash_is_sustained(context: ClaimContext) -> Measured:
    return await _months(context, "trash")


async def months_of_mixes(other: str) -> list[int]:
    """Months played with s agents who take 10 and 5 - s others, for s = 0 to 5."""
    mixes = [",".join([f"take:10*{s}"] * (s > 0) + [f"{other}*{5 - s}"] * (s < 5)) for s in range(6)]
    return [int((await play(GovSimRepro.of({"policies": mix}))).value("months")) for mix in mixes]


def untranslated() -> list[str]:
    """Prompts and wordings that one of the two languages lacks."""
    missing: list[str] = []
    folders: list[tuple[Path, str]] = [(FOLDER, "*.md"), *((home / "prompts", "*.md") for home in (HERE, OWN))]
    folders += [(home / "wordings", "*.yaml") for home in (HERE, OWN)]
    for folder, pattern in folders:
        english, japanese = ({path.name for path in place.glob(pattern)} for place in (folder, folder / "ja"))
        missing += [f"{folder.name}/{name}" for name in english ^ japanese]
    return missing


def _refill(left: int) -> int:
    return min(100, left + 50)


def _overfull(left: int) -> bool:
    return left > 95


async def _months(context: ClaimContext, scenario: str) -> Measured:
    options = Options()
    try:
        found = await Experiment(GovSimRepro, {scenario: {"scenario": scenario}}, context.seeds, base={"model": context.model}).run(
            options=options
        )
    finally:
        await options.close()
    return Measured.estimated(found.interval(scenario, "commons.months"), holds=True)


async def _log(game: GovSimRepro) -> list[Any]:
    """Everything a run records but its texts."""
    records: list[TickRecord] = []
    simulation = game.build(7)
    simulation.on_tick.append(records.append)
    await simulation.run()
    rows = [row for record in records for row in record.events]
    numbers = [{name: column.tolist() for name, column in row.data.items() if column.dtype != object} for row in rows]
    placed = [(row.kind, row.phase, row.ids.tolist(), row.lanes.tolist(), row.turns.tolist(), row.actors.tolist()) for row in rows]
    measures = [{name: np.nan_to_num(values, nan=-1.0).tolist() for name, values in record.measures.items()} for record in records]
    return [placed, numbers, measures, [record.applied for record in records]]
