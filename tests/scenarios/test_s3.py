"""S³: every claim, users by rule and in words, knobs, the picture, and the record of a run."""

from __future__ import annotations

import asyncio
import inspect
from pathlib import Path

import numpy as np
import pytest

from sociarium.kernel.errors import UsageError
from sociarium.kernel.randomness import Randomness
from sociarium.lab import running
from sociarium.lab.claims import ClaimContext, checks_of, match_checks
from sociarium.lab.diffusion import linear_threshold
from sociarium.lab.running import Options
from sociarium.minds.influence import Source
from sociarium.minds.language.reacting import Label
from sociarium.models.backends.scripted import ScriptedBackend
from sociarium.scenarios import catalogue
from sociarium.scenarios.s3 import claims
from sociarium.scenarios.s3.baselines import opinion_baselines, reach_baselines
from sociarium.scenarios.s3.people import follower_graph, network, seeds
from sociarium.scenarios.s3.scenario import SocialNetworkSimulation
from sociarium.scenarios.s3.showing import observed, run_folders
from sociarium.scenarios.s3.trials import peaks
from sociarium.testing import seed_test, sharing_test, state_test
from sociarium.testing.injection import injection_test

CHECKS = checks_of(claims)
CARD = {claim.id: claim for claim in catalogue.card("s3").claims}


def of(**settings):
    return SocialNetworkSimulation.of(settings)


def played(seed=1, options=None, **settings):
    records = []
    options = options or Options()
    options.on_tick = [records.append]
    return asyncio.run(running.in_memory(of(**settings), seed, options)), records


def curve(records, name):
    return np.array([float(record.measures[f"stances.{name}"][0]) for record in records])


def test_each_claim_has_its_check():
    match_checks(catalogue.card("s3"), CHECKS)


@pytest.mark.parametrize("claim", [name for name, claim in CARD.items() if claim.needs == "rules"])
def test_what_needs_no_model_holds(claim):
    measured = CHECKS[claim](ClaimContext(CARD[claim], tuple(range(20))))
    measured = asyncio.run(measured) if inspect.isawaitable(measured) else measured
    assert measured.holds
    if CARD[claim].tolerance is not None:
        assert abs(measured.value - CARD[claim].published) <= CARD[claim].tolerance


def test_the_check_for_language_users_runs_where_there_is_a_model():
    found = asyncio.run(CHECKS["drop-and-recovery"](ClaimContext(CARD["drop-and-recovery"], (1, 2), "scripted:schema")))
    assert -1 <= found.value <= 1


def test_contracts_hold_for_users_by_rule():
    def build(seed=3):
        return of(users=80, steps=6, seeds=3).build(seed)

    seed_test(build)
    state_test(build)
    sharing_test(build)


def test_a_blocked_account_does_not_forward():
    _, records = played(spread="always", users=300, network="ba", moving=False)
    blocked, fewer = played(spread="always", users=300, network="ba", moving=False, block=100, block_step=1)
    assert curve(fewer, "reach")[-1] < curve(records, "reach")[-1]
    banned = np.flatnonzero(blocked.simulation.world["platform"].banned)
    assert len(banned) == 100
    platform = blocked.simulation.world["platform"]
    assert not np.isin(platform.posts.author, banned).any()


def test_nobody_forwards_twice_and_seeds_do_not_forward_their_own_event():
    finished, _ = played(users=300, spread="always", posting=[0.0])
    posts = finished.simulation.world["platform"].posts
    assert len(np.unique(posts.author)) == len(posts)


@pytest.mark.parametrize("kind", ["followers", "ba", "er", "blocks"])
def test_each_graph_has_about_as_many_links_as_asked_for(kind):
    follows = of(network=kind, users=600, links=6).build(2).world["platform"].follows
    assert len(follows) / 600 == pytest.approx(6, rel=0.25)


def test_a_follower_graph_has_a_heavy_tail_and_returned_follows():
    graph = follower_graph(3000, 5.0, claims.stream("test"), mutual=0.3)
    followers = graph.in_degrees()
    assert followers.max() > 20 * followers.mean() and graph.degrees().max() < followers.max()
    back = graph.has(graph.targets, graph.sources()).mean()
    assert 0.35 < back < 0.75  # returned: of a pair both edges are


def test_a_graph_from_a_file_is_read_both_ways_where_asked(tmp_path: Path):
    path = tmp_path / "edges.csv"
    path.write_text("from,to\n1,2\n2,3\n", "utf-8")
    assert len(of(network="file", edges=str(path), users=3, seeds=1, mutual=1).build(1).world["platform"].follows) == 4
    with pytest.raises(UsageError, match="give users=3"):
        of(network="file", edges=str(path), users=4).build(1)
    with pytest.raises(UsageError, match="edges=PATH"):
        of(network="file").build(1)


def test_users_know_from_what_kind_of_source_a_message_comes():
    simulation = of(users=400, mutual=0.5).build(1)
    feed = simulation.minds.all[0].reading
    follows = simulation.world["platform"].follows.network()
    sources = feed.sources(follows.sources().astype(np.int64), follows.targets.astype(np.int64))
    back = follows.has(follows.targets, follows.sources())
    assert (sources[back] == Source.MUTUAL).all() and (sources[~back] == Source.FOLLOWEE).all()
    assert feed.sources(np.array([0]), np.array([0])).tolist() == [Source.RECOMMENDED]


def test_users_in_words_ask_in_the_order_of_the_steps_and_see_what_was_written_as_its_authors():
    asked = []

    def reply(request, draw):
        step = request.blocks[-1].origin.rpartition(".")[2]
        asked.append((step, request))
        return {"emotion": '{"emotion": "intense"}', "attitude": '{"attitude": "positive"}', "interaction": '{"interaction": "post"}'}.get(
            step, '{"text": "So it is."}'
        )

    options = Options(backends={"scripted:schema": ScriptedBackend(reply)})
    finished, records = played(options=options, model="scripted:schema", users=12, steps=3, network="ba", seeds=1)
    steps = [step for step, _ in asked]
    readers = steps.count("emotion")
    assert readers and steps.count("attitude") == steps.count("interaction") == steps.count("content") == readers
    assert curve(records, "voiced")[-1] == 1.0
    posted = [str(text) for record in records for rows in record.events if rows.kind == "platform.posted" for text in rows.data["text"]]
    assert posted.count("So it is.") == readers
    words = [block for _, request in asked for block in request.blocks if "So it is." in block.text]
    assert words and all(block.trust == "agent" for block in words)
    assert finished.summary.plain()["fallbacks"] == 0
    contents = [request for step, request in asked if step == "content"]
    before = ["You have written before" in "\n".join(block.text for block in request.blocks) for request in contents]
    assert not before[0] and before[-1]


@pytest.mark.model
def test_users_answer_with_the_small_local_model():
    finished, records = played(model="local:smollm2", users=2, steps=2, network="ba", links=2, seeds=1, answer_tokens=80)
    turns = finished.summary.plain()["agent_turns"]
    assert sum(turns.values()) > 0 and turns.get("ok", 0) + turns.get("repaired", 0) > 0
    assert curve(records, "reach")[-1] > 0.25


def test_some_users_think_in_words_among_users_by_rule():
    finished, _ = played(model="scripted:schema", users=200, thinkers=5, steps=8)
    population = finished.simulation.world.population
    assert population["user"]["mind"].sum() == 5
    followers = finished.simulation.world["platform"].follows.followers
    assert followers[population["user"]["mind"] == 1].min() >= np.sort(followers)[-5]
    assert 0 < finished.summary.plain()["models"]["calls"] < 5 * 8 * 4


def test_a_run_is_drawn_and_replayed_to_the_same_digest(tmp_path: Path):
    scenario, folder = of(model="scripted:schema", users=25, steps=4), tmp_path / "run"
    finished = asyncio.run(running.start(scenario, 2, folder))
    assert asyncio.run(running.replay(folder, catalogue.scenario)).digest == finished.digest
    assert scenario.plot(folder, tmp_path / "s3.png").stat().st_size > 20_000
    curves = run_folders(folder)[2]
    assert curves["reach"][-1] > curves["reach"][0] > 0


def test_observed_curves_are_read_by_step_and_what_is_none_is_said(tmp_path: Path):
    path = tmp_path / "curves.csv"
    path.write_text("step,reach,positive\n0,0.1,0.5\n2,0.4,\n99,1,1\n", "utf-8")
    found = observed(path, 3)
    assert set(found) == {"reach", "positive"}
    np.testing.assert_array_equal(found["reach"], [0.1, np.nan, 0.4])
    path.write_text("day,reach\n0,0.1\n", "utf-8")
    with pytest.raises(UsageError, match="needs a column step"):
        observed(path, 3)
    path.write_text("step,reach\nfirst,0.1\n", "utf-8")
    with pytest.raises(UsageError, match="no table of curves"):
        observed(path, 3)


def test_on_a_real_graph_of_friends_users_are_an_independent_cascade_too(shared_data: Path):
    assert CHECKS["cascade-real"](ClaimContext(CARD["cascade-real"], (1,), None, shared_data)).holds


def test_the_classic_models_beside_ours_are_those_that_come_nearest_to_the_first_half():
    scenario = of(users=300, steps=10, network="ba", links=8)
    random = Randomness(4).stream("s3")
    graph = network(scenario, random)
    first = seeds(scenario, graph, random)
    target = linear_threshold(graph, first, 0.2, steps=10).aware(graph).curve(9)[0] / 300
    found = reach_baselines(scenario, 4, target)
    np.testing.assert_allclose(found["LT"], target)
    fits = [np.mean((target[:5] - found[name][:5]) ** 2) for name in ("LT", "IC")]
    assert fits[0] == 0 < fits[1]


def test_voter_and_degroot_begin_where_the_users_do():
    scenario = of(users=300, steps=12, network="ba", links=8)
    start = scenario.build(4).world["stances"].attitude.mean()
    found = opinion_baselines(scenario, 4, "attitude", 1)
    assert found["voter"][0] == found["DeGroot"][0] == pytest.approx(start)
    assert len(found["voter"]) == 12 and np.ptp(found["voter"]) > np.ptp(found["DeGroot"]) > 0


def test_words_can_do_nothing_but_be_words():
    report = injection_test(lambda: of(model="scripted:schema", users=10, network="ba", seeds=2).build(1), ticks=3)
    assert len(report.obeyed) > 5


def test_peaks_are_counted_where_they_stand_out():
    assert peaks([0, 1, 0, 1, 0]) == [1, 3]
    assert peaks([0, 1, 0.995, 1, 0]) == [1]
    assert peaks([0, 1, 1, 0]) == [1]
    assert peaks([3, 2, 1]) == [0] and peaks([1, 2, 3]) == [2] and peaks([1, 1]) == []


def test_settings_that_cannot_be_are_said():
    with pytest.raises(UsageError, match="factors names the class 'famous'"):
        of(factors={"famous": 2.0}).build(1)
    with pytest.raises(UsageError, match="give two or more"):
        Label("emotion", ["calm"])
