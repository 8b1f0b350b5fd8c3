"""The games that ship, as PettingZoo environments: its own tests pass."""

from __future__ import annotations

import pytest

pytest.importorskip("pettingzoo")

from pettingzoo.test import api_test, parallel_api_test, parallel_seed_test, seed_test

from sociarium.environments.games.guess import GuessAverage
from sociarium.environments.games.matches import Matches
from sociarium.environments.games.public_goods import PublicGoods
from sociarium.environments.pettingzoo import aec_env, parallel_env
from sociarium.kernel.mind import Mind
from sociarium.kernel.population import Population
from sociarium.kernel.schedule import Rounds
from sociarium.kernel.simulation import Simulation
from sociarium.kernel.turn import Phase

GAMES = {"guess": GuessAverage, "public_goods": PublicGoods, "match": Matches}


def built(name):
    """Two groups of four players, eight rounds."""

    def build(seed):
        population = Population.of("player", 8, group=[0, 0, 0, 0, 1, 1, 1, 1])
        return Simulation(population, [GAMES[name]()], [Mind()], Rounds([Phase("play", name)], 8), seed=seed)

    return build


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("group", [0, 1])
@pytest.mark.parametrize("name", sorted(GAMES))
def test_a_game_passes_the_tests_of_pettingzoo(name, group):
    build = built(name)
    parallel_api_test(parallel_env(build, group), num_cycles=30)
    parallel_seed_test(lambda: parallel_env(build, group), num_cycles=12)
    api_test(aec_env(build, group), num_cycles=60)
    seed_test(lambda: aec_env(build, group), num_cycles=12)
