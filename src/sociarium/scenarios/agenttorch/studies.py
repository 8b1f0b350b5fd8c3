"""Studies on one city: minds side by side on the same waves, and what a message or a payment would have changed.

Arms share seeds and the city, so that all differences are paired (common random numbers).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sociarium.environments.epidemic.engines import engine_for
from sociarium.environments.epidemic.epidemic import Epidemic
from sociarium.environments.epidemic.model import begin, draws
from sociarium.kernel.randomness import Randomness
from sociarium.lab.counterfactual import Arm, Counterfactual, Futures
from sociarium.lab.experiment import Experiment, Results
from sociarium.lab.running import Options
from sociarium.scenarios.agenttorch.scenario import AgentTorch

MINDS: Mapping[str, Mapping[str, Any]] = {
    "heuristic": {"minds": "heuristic", "model": None},
    "archetype": {"minds": "archetype"},
    "agent": {"minds": "agent"},
}
NOTHING_TOLD = ["age", "gender", "county", "month", "prices", "news"]  # all that prompts tell, but the cases


async def compare_minds(
    base: Mapping[str, Any], seeds: Sequence[int], options: Options | None = None, arms: Sequence[str] = tuple(MINDS)
) -> Results:
    """The last measures of every arm and seed: ``results.difference("agent", "archetype", "city.attack")``. ``base`` names the model."""
    return await Experiment(AgentTorch, {name: MINDS[name] for name in arms}, seeds, base=base).run(None, options)


async def compare_waves(
    base: Mapping[str, Any], seeds: Sequence[int], options: Options | None = None, arms: Sequence[str] = tuple(MINDS)
) -> Futures:
    """The same with whole curves: ``futures.plot("epidemic.cases", path)``."""
    scenario = AgentTorch.of(base)
    return await Counterfactual(scenario, 0, {name: Arm(MINDS[name]) for name in arms}, seeds).run((), options)


async def cases_kept_quiet(scenario: AgentTorch, at: int, seeds: Sequence[int], options: Options | None = None) -> Futures:
    """Counterfactual: from day ``at`` on nobody is told the cases."""
    arms = {"as it was": Arm(), "cases not told": Arm({"variables": NOTHING_TOLD})}
    return await Counterfactual(scenario, at, arms, seeds).run((), options)


async def payment(scenario: AgentTorch, at: int, dollars: int, seeds: Sequence[int], options: Options | None = None) -> Futures:
    """Prospective: on day ``at`` every adult is paid, and the bulletin says so from then on."""
    arms = {"no payment": Arm(), f"${dollars:,}": Arm({"stimulus": dollars, "stimulus_day": at})}
    return await Counterfactual(scenario, at, arms, seeds).run((), options)


def weekly(epidemic: Epidemic, days: int) -> Callable[[Mapping[str, NDArray[np.float64]], Sequence[int]], dict[str, NDArray[np.float64]]]:
    """The disease alone, as a model to calibrate (``training.calibration``): weekly ``cases`` and ``deaths``, (replicates, weeks), of the
    environment's people, contacts and present behaviour. Parameters: ``reproduction`` (weeks,) or (), and ``mortality`` ().

    It runs on the compiled engine; for gradients take ``mirrored`` and ``EpidemicModel``.
    """
    people, behaviour, initial = epidemic.people(), epidemic.behaviour(), float(epidemic.rules.initial)
    everyone = np.arange(len(people.group), dtype=np.int64)

    def simulate(values: Mapping[str, NDArray[np.float64]], seeds: Sequence[int]) -> dict[str, NDArray[np.float64]]:
        rows: dict[str, list[NDArray[np.float64]]] = {"cases": [], "deaths": []}
        for row, seed in enumerate(seeds):
            own = {name: np.asarray(value[row], np.float64) for name, value in values.items()}
            disease, randomness = epidemic.disease, Randomness(seed)
            if "reproduction" in own:
                disease = replace(disease, reproduction=tuple(np.atleast_1d(own["reproduction"]).tolist()))
            if "mortality" in own:
                disease = replace(disease, mortality=float(own["mortality"]))
            engine = engine_for(people, disease, epidemic.layers, epidemic.rules)
            first = randomness.stream("epidemic.first", 0).uniform(everyone) < initial
            state, found = begin(first, len(everyone), disease, draws(randomness, -1)), np.zeros((2, days))
            for day in range(days):
                before = float(state.deaths.sum())
                state, flows = engine.step(state, behaviour, randomness, day)
                found[:, day] = len(flows.infected), float(state.deaths.sum()) - before
            engine.close()
            whole = found[:, : days // 7 * 7].reshape(2, -1, 7).sum(2)
            rows["cases"].append(whole[0])
            rows["deaths"].append(whole[1])
        return {name: np.stack(parts) for name, parts in rows.items()}

    return simulate
