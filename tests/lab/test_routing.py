"""Several models in one run, without code: who is answered by which, and that it is so."""

from __future__ import annotations

import json
from collections import Counter

import numpy as np
import pytest

from sociarium.kernel.errors import UsageError
from sociarium.lab.routing import routes_of
from sociarium.lab.running import Options, in_memory, replay, start
from sociarium.record.frames import frames
from sociarium.scenarios import catalogue

TWO = "default=scripted:fixed?text=Ten.; elite=scripted:fixed?text=One."
SMALL = {"pace": "brief", "max_rounds": 1, "embedder": "hashing", "answer": "answer", "num_agents": 6}


def game(**more):
    return catalogue.scenario("govsim").of({**SMALL, "model": TWO, **more})


def dealt(scenario, seed=1):
    population = scenario.built(seed).world.population
    ids = population.ids("harvester")
    return dict(zip(ids.tolist(), population.get(ids, "route").tolist(), strict=True)), population.get(ids, "group")


def test_a_text_names_one_model_or_several():
    assert routes_of("local:smollm2?exact=yes") == {"default": "local:smollm2?exact=yes"}
    assert routes_of("http://a:1/v1,http://b:2/v1#m?weights=2,1") == {"default": "http://a:1/v1,http://b:2/v1#m?weights=2,1"}
    assert routes_of("hashing?dimensions=8") == {"default": "hashing?dimensions=8"}
    assert routes_of(" default = local:x?exact=yes ;elite=openai:gpt-5;") == {"default": "local:x?exact=yes", "elite": "openai:gpt-5"}


@pytest.mark.parametrize("text", ["a=local:x", "default=local:x;local:y", "default=local:x; default=local:y", "default=local:x; =local:y"])
def test_a_text_that_names_no_default_or_one_name_twice_is_an_error(text):
    with pytest.raises(UsageError, match="model:"):
        routes_of(text)


def test_a_share_is_exact_in_each_world_and_a_matter_of_the_seed():
    scenario = game(routing={"elite": 0.5}, lakes=40)
    routes, groups = dealt(scenario)
    of_world = [Counter(route for route, group in zip(routes.values(), groups, strict=True) if group == at)["elite"] for at in range(40)]
    assert of_world == [3] * 40
    assert dealt(scenario)[0] == routes and dealt(scenario, 2)[0] != routes
    places = Counter(agent % 6 for agent, route in routes.items() if route == "elite")
    assert min(places.values()) > 8  # 20 expected of each place: nobody is preferred


def test_numbers_lists_and_columns():
    assert Counter(dealt(game(routing={"elite": 2}, lakes=3))[0].values()) == {"elite": 6, "": 12}
    assert [agent for agent, route in dealt(game(routing={"elite": [0, 4]}))[0].items() if route] == [0, 4]
    by_rule = game(routing={"elite": "policy=greedy"}, policies="sustainable*4,greedy*2")
    assert list(dealt(by_rule)[0].values()) == ["", "", "", "", "elite", "elite"]
    both = game(model=TWO + "; third=scripted:echo", routing={"third": 0.25, "elite": [0, 1]})
    routes = dealt(both)[0]
    assert (routes[0], routes[1]) == ("elite", "elite") and Counter(routes.values())["third"] == 1


@pytest.mark.parametrize(
    ("routing", "words"),
    [
        ({"poor": 0.5}, "no model 'poor'"),
        ({"elite": 7}, "7 agents of a world"),
        ({"elite": 1.5}, "shares"),
        ({"elite": 0}, "must be numbers from 1"),
        ({"elite": -0.1}, "must be numbers from 1"),
        ({"elite": [99]}, "names agent 99"),
        ({"elite": "wealth=3"}, "COLUMN=VALUE"),
        ({"elite": "policy=kind"}, "no agent has policy=kind"),
        ({"elite": [1], "default": [1]}, "agent 1 is given to both"),
    ],
)
def test_a_routing_that_cannot_be_is_one_clear_error(routing, words):
    with pytest.raises(UsageError, match=words):
        game(routing=routing).built(1)


def test_what_is_no_routing_is_refused_with_the_parameter():
    with pytest.raises(UsageError, match="routing"):
        game(routing={"elite": True})


async def test_each_agent_is_answered_by_its_own_model_and_the_run_replays(tmp_path):
    scenario = catalogue.scenario("govsim").of({**SMALL, "model": TWO, "routing": "{elite: [1, 3]}"})
    options = Options()
    finished = await start(scenario, 1, tmp_path / "run", options)
    calls = frames(tmp_path / "run").calls()
    said = {str(asker): set(part["text"].to_list()) - {""} for (asker,), part in calls.partition_by("asker", as_dict=True).items()}
    assert said["agent:1"] == said["agent:3"] == {"One."}
    assert set.union(*(said[f"agent:{number}"] for number in (0, 2, 4, 5))) == {"Ten."}
    manifest = json.loads(await _manifest(tmp_path / "run"))
    assert {route: one["spec"] for route, one in manifest["models"].items()} == {
        "default": "scripted:fixed?text=Ten.", "elite": "scripted:fixed?text=One.", "framework": "scripted:fixed?text=Ten.",
    }  # fmt: skip
    assert (await replay(tmp_path / "run", catalogue.scenario)).digest == finished.digest


async def _manifest(folder):
    from sociarium.record.run import RunRecord

    with RunRecord.open(folder, mode="read") as record:
        return json.dumps(record.manifest)


async def test_a_scenario_without_a_column_of_its_own_gets_one():
    donors = catalogue.scenario("donor-game").of(
        {"model": TWO.replace("fixed?text=Ten.", "schema").replace("fixed?text=One.", "schema?seed=7"), "routing": {"elite": 0.5},
         "agents": 6, "generations": 1, "rounds": 2}
    )  # fmt: skip
    options = Options()
    finished = await in_memory(donors, 1, options)
    population = finished.simulation.world.population
    assert np.count_nonzero(population.get(population.ids("player"), "route") == "elite") == 3
    assert len(options.backends) == 2 and all(backend.calls > 0 for backend in options.backends.values())
