"""A cloned network: its world and its clone, runs by rule and in words, the record, the picture, and its claims."""

from __future__ import annotations

import asyncio
import inspect
import json

import numpy as np
import pytest

from sociarium.kernel.errors import UsageError
from sociarium.lab import running
from sociarium.lab.claims import ClaimContext, checks_of, match_checks
from sociarium.lab.running import Options
from sociarium.lab.twins import same_distribution
from sociarium.models.backends.scripted import ScriptedBackend
from sociarium.scenarios import catalogue
from sociarium.scenarios.digital_clone import claims
from sociarium.scenarios.digital_clone.clone import LATER, TRAINING, cloned
from sociarium.scenarios.digital_clone.scenario import DigitalClone
from sociarium.scenarios.digital_clone.world import WordVectors, WorldRules, directions, topics, world
from sociarium.testing import fork_test, seed_test, sharing_test, state_test

SLUG = "digital-clone"
SMALL = {"users": 200, "blocks": 2, "degree": 8, "trials": 20}
DATA = ("recorded-follow-lists",)
MODEL = ("words-of-ones-own",)
# checked by replicate alone
SLOW = ("branching-extinct", "classifier-stable", "no-blocks", "no-leak", "shuffled-labels", "without-cosines", "winners-curse")


def of(**settings):
    return DigitalClone.of({**SMALL, **settings})


def finished(seed=1, **settings):
    return asyncio.run(running.in_memory(of(**settings), seed))


def test_every_claim_of_the_card_has_a_check():
    match_checks(catalogue.card(SLUG), checks_of(claims))


QUICK = [one.id for one in catalogue.card(SLUG).claims if one.id not in (*DATA, *MODEL, *SLOW)]


@pytest.mark.parametrize("identity", QUICK)
def test_a_claim_holds(identity):
    one = next(claim for claim in catalogue.card(SLUG).claims if claim.id == identity)

    async def check():
        found = checks_of(claims)[identity](ClaimContext(one))
        return await found if inspect.isawaitable(found) else found

    assert asyncio.run(check()).holds


def test_the_recorded_cascade_is_larger_than_its_follow_lists(shared_data):
    one = next(claim for claim in catalogue.card(SLUG).claims if claim.id == DATA[0])
    found = claims.recorded_follow_lists(ClaimContext(one, data=shared_data))
    assert found.holds and found.value == 77


@pytest.mark.parametrize("settings", [{}, {"retry": True, "against": "slow"}, {"decides": "planted", "network": "world"}])
def test_it_keeps_the_laws_of_runs(settings):
    def build(seed=3):
        return of(**settings).build(seed)

    for check in (seed_test, state_test, sharing_test):
        check(build)
    fork_test(build, after=2)


def test_a_run_is_replayed_to_the_same_digest(tmp_path):
    run = asyncio.run(running.start(of(mutation=0.4), 3, tmp_path / "run", Options(snapshot_every=2)))
    again = asyncio.run(running.replay(tmp_path / "run", lambda slug: DigitalClone))
    assert run.digest == again.digest and run.summary.applied["cascade.quote"] > 0


def test_a_clone_is_made_once_and_is_the_same_every_time():
    assert cloned(WorldRules(users=200, blocks=2)) is cloned(WorldRules(users=200, blocks=2))
    assert world(WorldRules(users=200, seed=1)).log.shared.sum() != world(WorldRules(users=200, seed=2)).log.shared.sum()


def test_a_clone_knows_only_edges_that_were_shared_over_and_learns_from_these():
    clone = cloned(WorldRules(users=200, blocks=2))
    truth = clone.world
    assert truth.network.has(clone.network.sources(), clone.network.targets).all() and len(clone.network) < len(truth.network)
    seen = clone.exposures(*TRAINING)
    assert clone.network.has(seen.source, seen.target).all() and seen.time.min() >= 12 and seen.time.max() < 16
    assert clone.exposures(*LATER).time.min() >= 16


def test_topics_are_orthogonal_and_a_comment_turns_a_text_by_a_known_step():
    from sociarium.kernel.randomness import Randomness

    random = Randomness(0).stream("topics")
    rows = directions(random)
    np.testing.assert_allclose(rows @ rows.T, np.eye(len(rows)), atol=1e-12)
    words = WordVectors.of(random)
    health, football = (" ".join(topic.words[:3]) for topic in topics()[:2])
    vectors = words.vectors([health, f"{health} {football}", football, "nothing of it"])
    assert vectors[0] @ vectors[2] == pytest.approx(0) and vectors[1] @ vectors[0] == pytest.approx(2**-0.5)
    assert (vectors[3] == 0).all()


@pytest.mark.parametrize("against", ["hubs", "anybody", "slow", "label"])
def test_counter_measures_hold_a_post_back(against):
    free, held = (finished(decides="planted", trials=150, against=one, removed=0.1).simulation for one in ("nothing", against))
    assert held.world.measures()["cascade.reach"].mean() < free.world.measures()["cascade.reach"].mean()


def test_a_post_of_ones_own_spreads_among_those_whom_it_suits():
    reach = finished(decides="planted", trials=100, post="a match, a goal, a striker: the derby", topic=0).simulation.world.measures()
    own = finished(decides="planted", trials=100, topic=0).simulation.world.measures()
    assert own["cascade.reach_0"].mean() > 3 * reach["cascade.reach_0"].mean()


def thought(reply, **settings):
    asked = []

    def answer(request, draw):
        asked.append("\n".join(block.text for block in request.blocks))
        return reply if isinstance(reply, str) else json.dumps(reply)

    options = Options(backends={"scripted:schema": ScriptedBackend(answer)})
    settings = {"users": 40, "degree": 4, "trials": 2, "most_layers": 4, "model": "scripted:schema", **settings}
    return asyncio.run(running.in_memory(of(**settings), 1, options)), asked


def test_users_who_think_in_words_are_shown_who_they_are_and_the_post():
    run, asked = thought({"share": True, "comment": " my doctor disagrees "})
    cascade = run.simulation.world["cascade"]
    assert "vaccine, booster" in asked[0] and "A nurse says the booster dose" in asked[0] and "User" in asked[0]
    assert any(text.endswith("my doctor disagrees my doctor disagrees") for text in cascade.texts)
    assert cascade.mutated[cascade.layer > 0].all() and run.summary.good_share == 1


@pytest.mark.parametrize(("reply", "shares"), [({"share": True, "comment": "  "}, True), ({"share": False, "comment": "no"}, False)])
def test_an_empty_comment_is_none_and_who_does_not_share_says_nothing(reply, shares):
    run, _ = thought(reply)
    cascade = run.simulation.world["cascade"]
    assert cascade.texts == [of().words()] and not cascade.mutated.any() and bool((cascade.layer > 0).any()) is shares


def test_an_answer_that_cannot_be_read_shares_nothing_and_is_marked():
    run, _ = thought("I do not know")
    assert not (run.simulation.world["cascade"].layer > 0).any() and run.summary.good_share == 0


def test_a_run_in_words_is_replayed_to_the_same_digest(tmp_path):
    scenario = of(users=30, degree=4, trials=2, most_layers=3, model="scripted:schema")
    run = asyncio.run(running.start(scenario, 3, tmp_path / "run"))
    assert run.digest == asyncio.run(running.replay(tmp_path / "run", lambda slug: DigitalClone)).digest


def test_blind_to_words_a_post_goes_as_far_whatever_it_is_about():
    reach = []
    for seed, topic in enumerate(topics()[:2]):
        run = finished(decides="blind classifier", mutation=0.0, trials=150, post=topic.post, seed=seed)
        reach.append(run.simulation.world.measures()["cascade.reach"])
    assert same_distribution(*reach) > 0.01


def test_the_picture_is_drawn_of_one_run_and_of_several(tmp_path):
    for seed in (1, 2):
        asyncio.run(running.start(of(), seed, tmp_path / f"seed-{seed}"))
    for folder in (tmp_path, tmp_path / "seed-1"):
        target = of().plot(folder, tmp_path / "clone.svg")
        assert "among 200 users" in target.read_text("utf-8") and "Sharers by layer" in target.read_text("utf-8")


def test_a_line_is_told_of_the_first_trial_only():
    row = {"actor": 7, "group": 0, "layer": 2, "source": 3, "comment": "so \n it is"}
    assert of().told("cascade.quoted", row) == "layer 2: User 7 shares it from user 3 and adds: so it is"
    assert of().told("cascade.quoted", {**row, "group": 1}) is None


@pytest.mark.parametrize("post", ["He said: it was sold", "null", "", "[not a list", "'quoted'"])
def test_a_text_parameter_is_taken_as_it_is_however_it_looks(post):
    scenario = of(post=post)
    assert scenario.post == post and DigitalClone.of(scenario.parameters()) == scenario, "also from the manifest of a run"


def test_a_topic_without_a_block_is_refused():
    with pytest.raises(UsageError, match="is no block"):
        of(topic=3)
