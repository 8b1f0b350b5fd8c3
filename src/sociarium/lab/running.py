"""Run a scenario with its record and its models: start, resume, replay, branch. One run folder, one function a verb."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from sociarium.kernel.errors import Interrupted, RecordError, ReplayMismatch, SociariumError, UsageError
from sociarium.kernel.ledger import Reported
from sociarium.kernel.protocols import Journal, Lease, NoJournal
from sociarium.kernel.records import TickRecord
from sociarium.kernel.simulation import Intervention, Simulation, State
from sociarium.lab.scenario import Scenario
from sociarium.lab.stopping import Signals
from sociarium.lab.summary import Summary
from sociarium.models.backend import Backend
from sociarium.models.backends.recorded import RecordedBackend
from sociarium.models.budget import BudgetLimits
from sociarium.models.forecast import Forecast, told_after
from sociarium.models.limiter import Limiter
from sociarium.models.opening import open_backend, prepared
from sociarium.models.request import BackendFacts, Prices
from sociarium.models.retry import RetryPolicy
from sociarium.models.service import ModelService
from sociarium.record.branching import branch as branch_record
from sociarium.record.manifest import build_manifest
from sociarium.record.run import RunRecord
from sociarium.record.totals import totals
from sociarium.record.tree import survey

Lookup = Callable[[str], type[Scenario]]


@dataclass(slots=True)
class Options:
    """How to run, apart from what: none of it changes a result."""

    budget: BudgetLimits = field(default_factory=BudgetLimits)
    concurrency: int | None = None
    timeout: float = 120.0  # seconds an attempt
    retry: RetryPolicy | None = None
    snapshot_every: int | None = None  # ticks; the scenario's own cadence where None
    on_tick: Sequence[Callable[[TickRecord], None]] = ()
    on_events: Sequence[Callable[[Reported], None]] = ()
    backends: dict[str, Backend] = field(default_factory=dict[str, Backend])  # opened before, by spec: shared between runs
    limiters: dict[int, Limiter] | None = None  # for runs at the same time on the same backends: they share calls in flight and pace
    on_built: Sequence[Callable[[Scenario, Simulation], None]] = ()
    handle_signals: bool = False
    interventions: Sequence[Intervention] = ()
    spent: Lease = field(default_factory=Lease)  # for this run before it, by a forecast: counts against its budget
    forecast: Forecast | None = None  # of this run, made before it: kept in its manifest, and beside the truth in its summary

    async def close(self) -> None:
        """Close the models that runs with these options have opened: what whoever made the options does in the end."""
        async with contextlib.AsyncExitStack() as after:
            for backend in self.backends.values():
                after.push_async_callback(backend.close)

    async def __aenter__(self) -> Options:
        return self

    async def __aexit__(self, *details: object) -> None:
        await self.close()


@dataclass(slots=True)
class Finished:
    """What a run came to. ``folder`` is None for runs in memory."""

    scenario: Scenario
    seed: int
    folder: Path | None
    ticks: int
    digest: str
    summary: Summary
    last: TickRecord | None
    simulation: Simulation


async def start(scenario: Scenario, seed: int, folder: Path, options: Options | None = None) -> Finished:
    """A new run, recorded in ``folder``."""
    if options is None:
        async with Options() as own:
            return await start(scenario, seed, folder, own)
    backends = await opened(scenario, options)
    models = {route: {"spec": scenario.routes()[route], "facts": asdict(backend.facts)} for route, backend in backends.items()}
    _refuse_service(backends, seed, options)
    simulation = _built(scenario, seed, options)
    manifest = build_manifest(scenario.slug, scenario.parameters(), seed, models=models, prompts=scenario.prompt_digests())
    manifest |= {"budget": asdict(options.budget), "interventions": [asdict(i) for i in options.interventions]}
    if options.forecast is not None:
        manifest["forecast"] = options.forecast.plain()
    cadence = options.snapshot_every or scenario.cadence()
    record = RunRecord.create(folder, manifest, snapshot_every=cadence, digest_every=scenario.cadence())
    if options.spent != Lease():
        await record.journal.lease(options.spent)  # and is never handed back
    return await _carry_on(scenario, seed, record, backends, options, simulation=simulation)


async def resume(folder: Path, find: Lookup, options: Options | None = None) -> Finished:
    """Go on where a run was stopped or killed: last snapshot, committed ticks checked, open tick from the journal, then live."""
    if options is None:
        async with Options() as own:
            return await resume(folder, find, own)
    with RunRecord.open(folder, mode="resume") as record:
        scenario, seed = of_manifest(record.manifest, find)
        backends = await opened(scenario, options)
        for route, backend in backends.items():
            _same_model(record.manifest, route, backend)
        limits = _limits(record, options.budget)
        options = replace(options, interventions=_planned(record.manifest), budget=limits)
        begin = await _shared_past(record, seed, find, options)
        return await _carry_on(scenario, seed, record, backends, options, begin=begin)


async def replay(folder: Path, find: Lookup, options: Options | None = None) -> Finished:
    """Run a finished record again from its journal, with no model: the digest must be the same."""
    options = options or Options()
    with RunRecord.open(folder, mode="replay") as record:
        if record.get("status") != "finished":
            raise RecordError(f"The run in {folder} is not finished; go on with it first: sociarium resume {folder}")
        scenario, seed = of_manifest(record.manifest, find)
        recorded: dict[str, Backend] = {r: RecordedBackend(facts_of(m["facts"])) for r, m in record.manifest["models"].items()}
        options = replace(options, interventions=_planned(record.manifest), budget=BudgetLimits())
        begin = await _shared_past(record, seed, find, options)
        return await _carry_on(scenario, seed, record, recorded, options, begin=begin)


async def branch(
    folder: Path, target: Path, at: int, settings: Mapping[str, Any], find: Lookup, options: Options | None = None
) -> Finished:
    """A new run that shares the first ``at`` ticks of another, and goes on with some parameters set anew."""
    if options is None:
        async with Options() as own:
            return await branch(folder, target, at, settings, find, own)
    with RunRecord.open(folder, mode="read") as parent:
        manifest = parent.manifest
    scenario, seed = of_manifest(manifest, find)
    changed = scenario.changed(settings)
    refuse_unapplied(scenario, changed, seed, at)
    planned = _planned(manifest)
    backends = await opened(changed, options)
    _refuse_service(backends, seed, options)
    models = {route: {"spec": changed.routes()[route], "facts": asdict(b.facts)} for route, b in backends.items()}
    given = [*planned, *options.interventions]
    facts = {
        "models": models,
        "interventions": [asdict(i) for i in given],
        "prompts": changed.prompt_digests(),
        "past": _past_of(manifest, at),
        "budget": asdict(options.budget),
        "forecast": None,  # its parent's was of another run
    }
    with branch_record(folder, target, at, changed.parameters(), manifest=facts) as record:
        begin = await _shared_past(record, seed, find, options)
        return await _carry_on(changed, seed, record, backends, replace(options, interventions=given), begin=begin)


def refuse_unapplied(scenario: Scenario, changed: Scenario, seed: int, at: int) -> None:
    """A branch goes on from its parent's state, so it cannot change how a run begins, nor what was due before: UsageError."""
    if at == 0 or changed == scenario:
        return
    old, new = scenario.built(seed), changed.built(seed)
    names = ", ".join(n for n, v in changed.parameters().items() if v != scenario.parameters()[n])
    start_anew = f"Start a new run instead: sociarium run {scenario.slug} --set ..."
    if old.world.groups != new.world.groups or survey(old.world.population.state()).digest != survey(new.world.population.state()).digest:
        raise UsageError(f"a branch at tick {at} goes on with the agents there are, and {names} changes who they are. {start_anew}")
    before = [[i for i in simulation.interventions if i.tick < at] for simulation in (old, new)]
    if before[0] != before[1]:
        raise UsageError(f"a branch at tick {at} comes too late for what {names} plans before it. {start_anew}")
    if (horizon := changed.total_ticks()) is not None and horizon < at:
        raise UsageError(f"a branch at tick {at} lies beyond the {horizon} ticks that {names} allows. Branch earlier")


def _past_of(manifest: Mapping[str, Any], at: int) -> list[dict[str, Any]]:
    """How the first ``at`` ticks of a run were played: stretches of ticks, each as the run was set in it."""
    own = {name: manifest[name] for name in ("parameters", "models", "interventions")}
    stretches: list[dict[str, Any]] = [*manifest.get("past", []), {"until": at, **own}]
    kept = [stretch for stretch in stretches if stretch["until"] < at]
    rest = next(stretch for stretch in stretches if stretch["until"] >= at)
    return [*kept, {**rest, "until": at}] if at else []


async def _shared_past(record: RunRecord, seed: int, find: Lookup, options: Options) -> State | None:
    """The state where a branch begins, its ticks before that played again as its parents were set; from a snapshot on, but for
    a replay. None for a run that is no branch, or one that has a snapshot of its own."""
    past = record.manifest.get("past", [])
    found = None if record.mode == "replay" else record.latest_snapshot()
    tick, state = found or (0, None)
    if not past or tick > past[-1]["until"]:
        return None
    for stretch in past:
        if tick >= stretch["until"]:
            continue
        scenario = find(str(record.manifest["scenario"])).of(stretch["parameters"])
        simulation = _built(scenario, seed, replace(options, interventions=_planned(stretch), on_built=(), on_tick=(), on_events=()))
        if state is not None:
            simulation.load(state)
        recorded: dict[str, Backend] = {r: RecordedBackend(facts_of(m["facts"])) for r, m in stretch["models"].items()}
        simulation.record = record
        simulation.door = _service(recorded, record.journal, seed, options)
        await simulation.run(stretch["until"] - tick)
        tick, state = stretch["until"], simulation.state()
    return state


async def in_memory(scenario: Scenario, seed: int, options: Options | None = None) -> Finished:
    """A run that keeps nothing: claims, pilots, sweeps of rule minds."""
    options = options or Options()
    simulation = await simulation_of(scenario, seed, options)
    summary = _watch(simulation, options)
    ticks = await simulation.run()
    if isinstance(service := simulation.door, ModelService):
        summary.models = {**service.summary(), "inexact": _inexact(service)}
    return Finished(scenario, seed, None, ticks, "", summary, summary.last, simulation)


async def simulation_of(scenario: Scenario, seed: int, options: Options) -> Simulation:
    """A simulation in memory, with the door to its models and no record."""
    simulation = _built(scenario, seed, options)
    simulation.door = _service(await opened(scenario, options), NoJournal(), seed, options)
    return simulation


async def opened(scenario: Scenario, options: Options) -> dict[str, Backend]:
    """The scenario's models by route, their servers asked what they serve; one backend a spec, shared through ``options.backends``."""
    for spec in scenario.routes().values():
        if spec not in options.backends:
            options.backends[spec] = open_backend(spec)
        await prepared(options.backends[spec])
    return {route: options.backends[spec] for route, spec in scenario.routes().items()}


def of_manifest(manifest: Mapping[str, Any], find: Lookup) -> tuple[Scenario, int]:
    """The scenario and the seed that a run folder names."""
    try:
        return find(str(manifest["scenario"])).of(manifest["parameters"]), int(manifest["seed"])
    except KeyError as missing:
        raise UsageError(f"the run's manifest names no {missing}: is this a run folder of sociarium?") from None


def facts_of(plain: Mapping[str, Any]) -> BackendFacts:
    """Backend facts from a manifest."""
    rest: dict[str, Any] = {name: value for name, value in plain.items() if name != "prices"}
    return BackendFacts(**rest, prices=Prices(**plain.get("prices", {})))


def _planned(manifest: Mapping[str, Any]) -> list[Intervention]:
    return [Intervention(**plain) for plain in manifest.get("interventions", [])]


def _limits(record: RunRecord, given: BudgetLimits) -> BudgetLimits:
    """A limit that is not given anew stays as it was last given: raising one lifts no other, and holds for later sessions too."""
    kept = json.loads(record.get("budget") or "{}")
    limits = {**record.manifest.get("budget", {}), **kept, **{name: limit for name, limit in asdict(given).items() if limit is not None}}
    record.set("budget", json.dumps(limits))
    return BudgetLimits(**limits)


async def _carry_on(
    scenario: Scenario,
    seed: int,
    record: RunRecord,
    backends: Mapping[str, Backend],
    options: Options,
    *,
    begin: State | None = None,
    simulation: Simulation | None = None,
) -> Finished:
    service = None
    try:
        simulation = _built(scenario, seed, options) if simulation is None else simulation
        simulation.record = record
        if begin is not None:
            simulation.load(begin)
        elif record.mode == "resume" and (found := record.latest_snapshot()) is not None:
            simulation.load(found[1])
        summary = _watch(simulation, options)
        service = simulation.door = _service(backends, record.journal, seed, options)
        with Signals(simulation, service) if options.handle_signals else contextlib.nullcontext():
            ticks = await simulation.run()
        if service is not None:
            summary.models = {**service.summary(), "inexact": _inexact(service)}
        if begin is not None or record.mode == "resume":
            summary.complete(totals(record.folder), used=record.mode == "resume")
        if summary.models and (made := record.manifest.get("forecast")) is not None and record.mode != "replay":
            summary.forecast = told_after(Forecast.from_plain(made), summary.models)
        summary.invalid = summary.too_few(scenario.least_good)
        if record.mode != "replay":
            record.set("summary", json.dumps(summary.plain()))
        return Finished(scenario, seed, record.folder, ticks, record.digest(), summary, summary.last, simulation)
    except asyncio.CancelledError:
        raise Interrupted("stopped at once; what was journalled is kept") from None
    finally:
        with contextlib.closing(record):  # even where the disk refuses the lease that is handed back
            if service is not None:
                await service.stop(0.0)
                await service.budget.hand_back()


def _built(scenario: Scenario, seed: int, options: Options) -> Simulation:
    simulation = scenario.built(seed)
    simulation.interventions += list(options.interventions)
    for call in options.on_built:
        call(scenario, simulation)
    return simulation


def _service(backends: Mapping[str, Backend], journal: Journal, seed: int, options: Options) -> ModelService | None:
    if not backends:
        return None
    return ModelService(
        backends,
        journal=journal,
        seed=seed,
        budget=options.budget,
        timeout=options.timeout,
        retry=options.retry,
        concurrency=options.concurrency,
        limiters=options.limiters,
    )


def _refuse_service(backends: Mapping[str, Backend], seed: int, options: Options) -> None:
    """What no service can be made with (a budget of money without prices), before there is a folder that could not be gone on with."""
    _service(backends, NoJournal(), seed, replace(options, limiters=None))


def _inexact(service: ModelService) -> list[str]:
    """Models that may answer an equal request in another way when they are asked again."""
    return sorted({backend.facts.name for backend in service.routes.values() if not backend.facts.exact})


def _watch(simulation: Simulation, options: Options) -> Summary:
    summary = Summary()
    simulation.on_tick += [summary.add, *options.on_tick]
    simulation.on_events += list(options.on_events)
    return summary


def _same_model(manifest: Mapping[str, Any], route: str, backend: Backend) -> None:
    recorded = manifest["models"].get(route, {}).get("facts", {})
    if recorded and recorded.get("digest") != backend.facts.digest:
        raise ReplayMismatch(
            f"route {route!r}: the run was recorded with model {recorded.get('name')} ({str(recorded.get('digest'))[:12]}), but now "
            f"{backend.facts.name} ({backend.facts.digest[:12]}) is there. Restore that model, or branch the run."
        )


def measure(finished: Finished, name: str) -> np.ndarray[Any, Any]:
    """A measure at the end of a run, one value a group."""
    if finished.last is None or name not in finished.last.measures:
        known = ", ".join(finished.last.measures) if finished.last else "none"
        raise SociariumError(f"the run has no measure {name!r}; it has {known}")
    return np.asarray(finished.last.measures[name])
