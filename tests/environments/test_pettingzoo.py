"""Any environment, as PettingZoo sees it, held to PettingZoo's own tests."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

pytest.importorskip("pettingzoo")

from pettingzoo.test import api_test, parallel_api_test, parallel_seed_test, seed_test

from sociarium.environments.commons.commons import Commons, CommonsRules
from sociarium.environments.pettingzoo import aec_env, parallel_env
from sociarium.kernel.actions import Choice, Flag, Number, Text, Vector, action
from sociarium.kernel.environment import Environment, Outcome
from sociarium.kernel.errors import UsageError
from sociarium.kernel.mind import Mind
from sociarium.kernel.population import Population
from sociarium.kernel.schedule import Rounds
from sociarium.kernel.simulation import Simulation
from sociarium.kernel.turn import Phase

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")  # PettingZoo's advice on vectors that are no images


def commons(seed):
    population = Population.of("fisher", 8, group=np.arange(8) // 4)
    environment = Commons(CommonsRules(horizon=6))
    return Simulation(population, [environment], [Mind()], Rounds([Phase("harvest", "commons")], 30), seed=seed)


class Bidding(Environment):
    """Bids one after another: an amount, a lot, whether in the open, and weights. The highest so far has the reward of the tick."""

    name = "bidding"

    def reset(self, world, groups):
        super().reset(world, groups)
        self.best = np.zeros(world.groups)

    def turn(self, phase, lanes):
        live = np.flatnonzero(lanes.played < np.diff(lanes.starts))
        return lanes.turn(lanes.agents[lanes.starts[live] + lanes.played[live]], lanes.ids[live]) if len(live) else None

    def observe(self, turn):
        best = self.best[self.world.population.get(turn.agents, "group")]
        noise = turn.random("noise").uniform(turn.agents[:, None], np.arange(2))
        return {"best": best, "noise": noise, "name": np.full(len(best), "text", object)}

    @action(
        "Bid.",
        amount=Number(low=0, high=9),
        lot=Choice(options=("a", "b")),
        openly=Flag(),
        weights=Vector(length=2),
        why=Text(private=True),
    )
    def bid(self, turn, seen, table):
        groups = self.world.population.get(table.agents, "group")
        np.maximum.at(self.best, groups, table["amount"])
        return Outcome(rewards=[(table.agents, table["amount"])])

    @action("Pass.")
    def skip(self, turn, seen, table):
        return Outcome(rewards=[(table.agents, np.full(len(table), -1.0))])


def bidding(seed, ticks=4):
    return Simulation(Population.of("bidder", 3), [Bidding()], [Mind()], Rounds([Phase("bid", "bidding")], ticks), seed=seed)


@pytest.mark.parametrize("group", [0, 1])
def test_commons_passes_the_tests_of_pettingzoo(group):
    parallel_api_test(parallel_env(commons, group), num_cycles=50)
    parallel_seed_test(lambda: parallel_env(commons, group), num_cycles=20)
    api_test(aec_env(commons, group), num_cycles=50)
    seed_test(lambda: aec_env(commons, group), num_cycles=20)


def test_bids_in_turn_pass_the_tests_of_pettingzoo():
    api_test(aec_env(bidding), num_cycles=40)
    seed_test(lambda: aec_env(bidding), num_cycles=20)


def test_what_players_do_is_what_the_simulation_does():
    env = parallel_env(commons, 1)
    assert env.possible_agents == ["agent_4", "agent_5", "agent_6", "agent_7"]
    observations, _ = env.reset(seed=3)
    stock = env.columns.index("commons.stock")
    assert observations["agent_4"][stock] == 100
    observations, rewards, terminations, truncations, _ = env.step(dict.fromkeys(env.agents, 10))
    assert rewards == dict.fromkeys(env.possible_agents, 10.0)
    assert observations["agent_4"][stock] == 100  # 60 left, doubled, capped at 100
    assert not any(terminations.values())
    observations, rewards, terminations, truncations, _ = env.step(dict.fromkeys(env.agents, 100))
    assert sum(rewards.values()) == 100
    assert all(terminations.values())
    assert not any(truncations.values())
    assert observations["agent_4"][stock] == 0
    assert env.agents == []


def test_the_schedule_cuts_off_and_several_actions_have_one_space():
    env = aec_env(lambda seed: bidding(seed, ticks=1))
    env.reset(seed=1)
    assert env.columns == ("bidding.best", "bidding.noise.0", "bidding.noise.1")
    space = env.action_space("agent_0")
    assert sorted(space) == ["action", "bidding.bid", "bidding.skip"]
    chosen = {"action": 0, "bidding.bid": {"amount": 5.0, "lot": 1, "openly": 1, "weights": np.zeros(2)}, "bidding.skip": 0}
    assert space.contains({**chosen, "bidding.bid": {**chosen["bidding.bid"], "amount": np.array(5.0)}})
    env.step(chosen)
    assert env.agent_selection == "agent_1"
    assert env.observe("agent_1")[0] == 5.0
    env.step({**chosen, "action": 1})
    env.step({**chosen, "action": 2})  # nothing at all
    assert env.truncations == dict.fromkeys(env.possible_agents, True)
    assert env._cumulative_rewards == {"agent_0": 5.0, "agent_1": -1.0, "agent_2": 0.0}


def test_turns_of_one_need_aec_and_words_have_no_space():
    env = parallel_env(bidding)
    env.reset(seed=1)
    with pytest.raises(UsageError, match="it is not the turn of agent_1: play it by aec_env"):
        env.step({})
    with pytest.raises(UsageError, match="groups are numbered 0 to 1"):
        parallel_env(commons, 2)

    class Speaking(Environment):
        name = "speaking"

        @action("Say.", words=Text())
        def say(self, turn, seen, table):
            return None

    with pytest.raises(UsageError, match="takes words"):
        aec_env(lambda seed: Simulation(Population.of("a", 1), [Speaking()], [Mind()], Rounds([Phase("say", "speaking")], 1)))


def test_no_warnings_beyond_those_on_shapes():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings(
            "ignore", message=".*(space is not an instance|not a numpy|minimum observation|maximum observation|image).*"
        )
        env = parallel_env(commons)
        env.reset(seed=0)
        env.step(dict.fromkeys(env.agents, 1))
