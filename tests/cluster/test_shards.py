"""One process, four processes, two hosts: the same reports, memory and means (agentscope, items 4 and 11)."""

import asyncio
from pathlib import Path

import numpy as np
import pytest
from minds_here import Noisy

from sociarium.cluster.actors import Cluster
from sociarium.cluster.shards import ShardedMind
from sociarium.kernel.actions import Number, action
from sociarium.kernel.environment import Environment, Events, Outcome
from sociarium.kernel.population import Population
from sociarium.kernel.schedule import Rounds
from sociarium.kernel.simulation import Simulation
from sociarium.kernel.turn import Phase

HERE = str(Path(__file__).parent)


class Guess(Environment):
    name = "guess"

    def reset(self, world, groups):
        super().reset(world, groups)
        self.announced = 50.0

    def observe(self, turn):
        return {"announced": np.full(len(turn.agents), self.announced)}

    @action("Report a number.", number=Number(low=0, high=100))
    def report(self, turn, seen, table):
        self.announced = 2 / 3 * float(np.mean(table["number"]))
        return Outcome([Events("reported", table.agents, {"number": table["number"]})])

    def measures(self):
        return {"announced": np.array([self.announced])}


def played(mind, rounds=4):
    simulation = Simulation(Population.of("player", 40), [Guess()], [mind], Rounds([Phase("guess", "guess")], rounds), seed=3)
    records = []
    simulation.on_tick.append(records.append)
    asyncio.run(simulation.run())
    reports = [record.events[0].data["number"].tolist() for record in records]
    return reports, [float(record.measures["guess.announced"][0]) for record in records], records, simulation


def remembered(states):
    out = {}
    for state in states:
        out.update(state["memory"])
    return out


def test_one_process_and_four_give_the_same_reports_memory_and_means(monkeypatch):
    monkeypatch.syspath_prepend(HERE)
    alone = Noisy()
    reports, means, _, _ = played(alone)
    for workers, shards in ((4, 4), (2, 3)):
        with Cluster(workers=workers) as cluster:
            mind = ShardedMind(cluster, "minds_here:make", shards=shards, wobble=0.01)
            assert (reports, means) == played(mind)[:2]
            assert remembered(mind.state().values()) == alone.memory


def test_a_lost_worker_excludes_its_agents_says_so_and_the_run_ends(monkeypatch):
    monkeypatch.syspath_prepend(HERE)
    with Cluster(workers=2, retries=1) as cluster:
        reports, _, records, _ = played(ShardedMind(cluster, "minds_here:make_mortal", shards=2))
        assert [len(one) for one in reports] == [40, 20, 40, 40]
        failed = records[1].outcomes[0]
        assert failed.counts == {"ok": 20, "failed": 20}
        assert failed.agents.tolist() == list(range(1, 40, 2))
        assert set(failed.reasons) == {"the shard of this agent was lost"}
        assert cluster.lost


@pytest.mark.parametrize("shards", [1, 5])
def test_the_number_of_shards_shows_nowhere(shards, monkeypatch):
    monkeypatch.syspath_prepend(HERE)
    with Cluster(workers=1) as cluster:
        assert played(ShardedMind(cluster, "minds_here:make", shards=shards), 2)[:2] == played(Noisy(), 2)[:2]
