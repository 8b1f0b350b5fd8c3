"""The environment and its mirror in Torch run the same epidemic, agent for agent."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the extra grad (PyTorch)")

from sociarium.environments.epidemic import path, tensor
from sociarium.environments.epidemic.disease import Disease
from sociarium.environments.epidemic.epidemic import Epidemic
from sociarium.environments.epidemic.layers import Layer
from sociarium.environments.epidemic.mirror import mirrored
from sociarium.environments.epidemic.rules import EpidemicRules
from sociarium.environments.tensors import torch
from sociarium.kernel.errors import UsageError
from sociarium.kernel.network import Network
from sociarium.kernel.population import Population
from sociarium.kernel.records import TickRecord
from sociarium.kernel.schedule import Rounds
from sociarium.kernel.simulation import Intervention, Simulation
from sociarium.kernel.turn import Phase
from sociarium.minds.rule import RuleMind, nothing

SIZE, SEED, DAYS = 300, 5, 25


def town(**given: Any) -> tuple[Simulation, Epidemic]:
    g = np.random.default_rng(2)
    half = np.arange(SIZE) // (SIZE // 2)
    a, b = g.integers(0, SIZE // 2, (2, 600)) + (SIZE // 2) * g.integers(0, 2, 600)
    layers = [
        Layer(name="home", network=Network.from_edges(SIZE, a, b, mutual=True)),
        Layer(name="street", drawn=2, weight=0.5),
        Layer(name="air", mixed=True, weight=0.3),
        Layer(name="school", mixed=True, weight=3.0, needs="pupil"),
    ]
    people = Population.of("person", SIZE, group=half, age_class=g.integers(0, 9, SIZE), pupil=np.arange(SIZE) % 3 == 0)
    epidemic = Epidemic(Disease(reproduction=(4.0, 2.0)), layers, EpidemicRules(**given))
    return Simulation(people, [epidemic], [RuleMind(nothing)], Rounds([Phase("day", "epidemic")], DAYS), seed=SEED), epidemic


def test_with_the_same_seed_cases_and_deaths_are_equal_day_for_day() -> None:
    simulation, epidemic = town(initial=0.05)
    world = mirrored(epidemic, seed=SEED)
    first = torch.from_numpy(epidemic.stage == 1)[None]
    ticks: list[TickRecord] = []
    simulation.on_tick.append(ticks.append)
    simulation.run_sync()
    waves = path.run(world, tensor.Rates.of(world.disease), first, DAYS, path.seeded([SEED]))
    assert waves.cases[0].numpy().tolist() == [tick.measures["epidemic.cases"].tolist() for tick in ticks]
    assert np.allclose(waves.deaths[0].numpy().sum(0), ticks[-1].measures["epidemic.deaths"], rtol=1e-12)
    assert waves.cases.sum() > 50


def test_a_model_to_calibrate_begins_as_the_environment_does() -> None:
    from sociarium.training.calibration.epidemic import EpidemicModel

    simulation, epidemic = town(initial=0.05)
    model = EpidemicModel(mirrored(epidemic, seed=SEED), 7, initial=0.05)
    cases = model({"mortality": np.array([0.1])}, [SEED])["cases"]
    before = epidemic.total.copy()
    simulation.run_sync(7)
    assert cases[0, 0].tolist() == (epidemic.total - before).tolist()


def test_closed_layers_stay_closed() -> None:
    simulation, epidemic = town()
    simulation.interventions += [Intervention(0, "epidemic.close", {"layer": name}) for name in ("home", "street", "air", "school")]
    simulation.run_sync(1)
    world = mirrored(epidemic, seed=SEED)
    first = torch.from_numpy(epidemic.stage == 1)[None]
    assert path.run(world, tensor.Rates.of(world.disease), first, 10, path.seeded([SEED])).cases.sum() == 0


def test_contacts_that_are_drawn_need_a_seed() -> None:
    with pytest.raises(UsageError, match="'street' are drawn anew each day"):
        mirrored(town()[1])
