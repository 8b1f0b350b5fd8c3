"""What a run will cost, before it: pilot runs on a scripted model tell how many calls of each kind there will be, and one call
of each kind to the real model tells what such a call costs.

A total is the sum over kinds of question (labels) of calls times cost a call. Its interval is that of a new run among the pilots
(Student's t for one further observation). Scripted replies are drawn from the reply schemas, so pilots say nothing about how long a
run lasts whose end hangs on what a model decides: where a pilot ends before the horizon, the upper bound is that of a run to the
horizon at the dearest rate of all pilots.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from sociarium.kernel.errors import ModelError, UsageError
from sociarium.kernel.outcomes import Status
from sociarium.kernel.protocols import Address, Lease, NoJournal, Usage
from sociarium.lab.running import Options, opened
from sociarium.lab.scenario import Scenario
from sociarium.models.backend import Backend
from sociarium.models.backends.scripted import open_scripted
from sociarium.models.forecast import Forecast, Interval, student
from sociarium.models.prices import UNKNOWN
from sociarium.models.request import Prices, Reply, Request
from sociarium.models.service import ModelService

QUANTITIES = ("calls", "prompt_tokens", "completion_tokens", "money", "seconds")


@dataclass(slots=True)
class Cost:
    """What one call of a kind costs. ``seconds`` is one call alone: calls in flight together take less."""

    prompt_tokens: float
    completion_tokens: float
    money: float = 0.0  # millionths of a US dollar; nan: not known
    seconds: float = 0.0


@dataclass(slots=True)
class Pilot:
    """Scripted runs: calls by label, one dict a run, with one example request a label."""

    runs: list[dict[str, int]] = field(default_factory=list[dict[str, int]])
    ticks: list[int] = field(default_factory=list[int])
    examples: dict[str, tuple[Request, str, Usage]] = field(default_factory=dict[str, tuple[Request, str, Usage]])  # with route, scripted
    costs: dict[str, Cost] = field(default_factory=dict[str, Cost])  # label -> one call, over all runs
    sizes: list[dict[str, Cost]] = field(default_factory=list[dict[str, Cost]])  # the same in each run: prompts differ between runs, too
    horizon: int | None = None  # the most ticks a run can have

    @property
    def early(self) -> bool:
        """Whether a pilot ended before the horizon: then a real run may last longer than any pilot."""
        return self.horizon is not None and min(self.ticks) < self.horizon


class _Listening:
    """A door that counts what passes through it."""

    def __init__(self, service: ModelService, pilot: Pilot) -> None:
        self.service, self.pilot = service, pilot
        self.counts: dict[str, int] = {}
        self.spent: dict[str, list[Usage]] = {}

    async def ask(self, request: Request, address: Address, *, route: str = "default", drawn_at: Address | None = None) -> Reply:
        reply = await self.service.ask(request, address, route=route, drawn_at=drawn_at)
        self._note(request, address, route, reply)
        return reply

    async def ask_all(
        self, requests: Sequence[Request], address: Address, *, route: str = "default", drawn_at: Address | None = None
    ) -> list[Reply]:
        replies = await self.service.ask_all(requests, address, route=route, drawn_at=drawn_at)
        for request, reply in zip(requests, replies, strict=True):
            self._note(request, address, route, reply)
        return replies

    def _note(self, request: Request, address: Address, route: str, reply: Reply) -> None:
        self.counts[address.label] = self.counts.get(address.label, 0) + 1
        self.pilot.examples.setdefault(address.label, (request, route, reply.usage))
        self.spent.setdefault(address.label, []).append(reply.usage)


async def pilot_of(scenario: Scenario, seed: int, *, runs: int = 5) -> Pilot:
    """``runs`` whole runs on the scripted model, in memory."""
    if runs < 2:
        raise UsageError(f"a forecast needs at least 2 pilot runs, not {runs}: one says nothing about how much they differ")
    routes = scenario.routes()
    if not routes:
        raise UsageError(f"{scenario.slug} calls no model as it is set: it costs nothing. Name one with --model")
    pilot, spent = Pilot(horizon=scenario.total_ticks()), dict[str, list[Usage]]()
    for number in range(runs):
        own = seed + 1_000_003 * (number + 1)  # apart from the seeds that people use
        backend: Backend = open_scripted("scripted:schema")
        simulation = scenario.built(own)
        service = ModelService(dict.fromkeys(routes, backend), journal=NoJournal(), seed=own)
        door = _Listening(service, pilot)
        simulation.door = door
        pilot.ticks.append(await simulation.run())
        pilot.runs.append(door.counts)
        pilot.sizes.append({label: _mean(usages) for label, usages in door.spent.items()})
        for label, usages in door.spent.items():
            spent.setdefault(label, []).extend(usages)
    pilot.costs = {label: _mean(usages) for label, usages in spent.items()}
    return pilot


def _mean(usages: Sequence[Usage]) -> Cost:
    return Cost(float(np.mean([u.prompt_tokens for u in usages])), float(np.mean([u.completion_tokens for u in usages])))


async def priced(pilot: Pilot, scenario: Scenario, seed: int, options: Options) -> dict[str, Cost]:
    """Ask the real model one question of each kind: tokens, money and seconds. These calls are paid for: they go through a service, with
    its time limit, retries and the budget of ``options``, and what they spent is kept in ``options.spent``, which a run counts as spent.

    The question is the first of its kind, and prompts grow: so its tokens say how many the real model makes of what the script
    counted, and the usual prompt of the kind is taken from the pilots by that measure.
    """
    backends = await opened(scenario, options)
    service = ModelService(
        backends, journal=NoJournal(), seed=seed, budget=options.budget, timeout=options.timeout, retry=options.retry, concurrency=1
    )
    costs: dict[str, Cost] = {}
    try:
        for number, (label, (request, route, scripted)) in enumerate(pilot.examples.items()):
            reply = await service.ask(request, Address(0, "forecast", 0, 0, "operator", label, number), route=route)
            if reply.status in (Status.FAILED, Status.TIMED_OUT):
                raise ModelError(f"the model did not answer the forecast's question {label!r}: {reply.error}")
            used, calls = reply.usage, max(1, reply.usage.calls)  # a bad reply was followed by a repair request
            usual = pilot.costs[label].prompt_tokens / scripted.prompt_tokens if scripted.prompt_tokens else 1.0
            money = _price(used, backends[route].facts.prices)
            each = (usual * used.prompt_tokens, used.completion_tokens, usual * money, used.seconds)
            costs[label] = Cost(*(one / calls for one in each))
    finally:
        await service.stop(0.0)
        spent = service.budget.used
        options.spent = Lease(spent.calls, spent.tokens, spent.money)
    return costs


def _price(used: Usage, prices: Prices) -> float:
    """Millionths of a US dollar, not rounded; nan where the prices are not known. A backend that knows more than its prices (what
    writing a cache costs) is believed."""
    if prices.dated == UNKNOWN:
        return float(used.money) or math.nan
    fresh = used.prompt_tokens - used.cached_tokens
    price = fresh * prices.prompt + used.cached_tokens * (prices.cached or prices.prompt) + used.completion_tokens * prices.completion
    return price / 1e6 if used.money <= price / 1e6 + used.calls else float(used.money)


def forecast_of(pilot: Pilot, costs: Mapping[str, Cost] | None = None, *, confidence: float = 0.95) -> Forecast:
    """Totals of one run with intervals. Without ``costs`` of the real model: calls, and tokens as the script counts them."""
    given = costs or pilot.costs
    totals: dict[str, Interval] = {}
    for name in QUANTITIES if costs else QUANTITIES[:3]:
        each = [
            sum(count * _unit(given[label], name) * _share(pilot, at, label, name) for label, count in run.items())
            for at, run in enumerate(pilot.runs)
        ]
        totals[name] = _next(np.array(each, np.float64), confidence)
        if pilot.early and pilot.horizon is not None:  # no pilot says how soon a real run ends: up to the horizon, at the dearest rate
            dearest = max(total / ticks for total, ticks in zip(each, pilot.ticks, strict=True))
            totals[name] = replace(totals[name], high=max(totals[name].high, dearest * pilot.horizon))
    ticks = max(pilot.ticks)
    return Forecast(ticks, len(pilot.runs), confidence, totals)


def _share(pilot: Pilot, run: int, label: str, name: str) -> float:
    """How much more a call of this label took in one pilot run than in all: of what grows with tokens."""
    if name == "calls" or not pilot.sizes:
        return 1.0
    own, usual = pilot.sizes[run][label], pilot.costs[label]
    part = "completion_tokens" if name == "completion_tokens" else "prompt_tokens"
    return _unit(own, part) / _unit(usual, part) if _unit(usual, part) > 0 else 1.0


def _unit(cost: Cost, name: str) -> float:
    return 1.0 if name == "calls" else float(getattr(cost, name))


def _next(values: np.ndarray[Any, np.dtype[np.float64]], confidence: float) -> Interval:
    """The interval of one further run, by Student's t."""
    count, mean = len(values), float(values.mean())
    half = student(0.5 + confidence / 2, count - 1) * float(values.std(ddof=1)) * math.sqrt(1 + 1 / count)
    return Interval(mean, mean - half if mean - half > 0 or math.isnan(mean) else 0.0, mean + half)
