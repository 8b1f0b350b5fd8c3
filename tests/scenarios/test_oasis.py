"""OASIS: experiments by rule and in words, readers of real cascades, the fit of their timing, and the record of a run."""

from __future__ import annotations

import asyncio
import json
import pickle
from pathlib import Path

import numpy as np
import pytest

from sociarium.kernel.errors import UsageError
from sociarium.lab import running
from sociarium.lab.cards import Needs
from sociarium.lab.claims import checks_of, match_checks, run_claims
from sociarium.lab.running import Options
from sociarium.lab.statistics import chi_square
from sociarium.models.backends.scripted import ScriptedBackend
from sociarium.models.request import Reply
from sociarium.scenarios import catalogue
from sociarium.scenarios.oasis import claims
from sociarium.scenarios.oasis.data import read_case, read_counterfactual, read_series, read_topics, summary
from sociarium.scenarios.oasis.history import curves_of, minute_curves
from sociarium.scenarios.oasis.judging import disagreement, more_extreme
from sociarium.scenarios.oasis.people import activity_from_counts, profiles_of, society, tables
from sociarium.scenarios.oasis.scenario import Oasis
from sociarium.scenarios.oasis.timing import Timing, fitted
from sociarium.scenarios.oasis.trials import treatment
from sociarium.testing import leak_audit, seed_test, state_test, ticks_of
from sociarium.testing.injection import injection_test

CARD = catalogue.card("oasis")
SMALL = {
    "spreading": {"users": 60, "steps": 8, "share": 0.4, "activity": 0.4},
    "misinformation": {"users": 80, "steps": 6, "share": 0.4, "activity": 0.4, "core_share": 0.15},
    "polarisation": {"users": 30, "steps": 9, "activity": 0.4, "interview_every": 4},
    "herd": {"users": 20, "steps": 6, "activity": 0.4, "round_post_num": 6},
}
EXPERIMENTS = list(SMALL)


def of(experiment="spreading", **settings):
    return Oasis.of({"experiment": experiment, **SMALL[experiment], **settings})


def find(slug):
    return Oasis


def test_each_claim_has_its_check():
    match_checks(CARD, checks_of(claims))


def test_every_claim_that_needs_no_model_and_no_data_holds():
    results = asyncio.run(run_claims(CARD, checks_of(claims), seeds=range(8)))
    assert [result.id for result in results if result.verdict == "fails"] == []
    assert {result.verdict for result, one in zip(results, CARD.claims, strict=True) if one.needs is Needs.RULES} == {"holds"}


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_the_shipped_checks_hold_by_rule(experiment):
    def build(seed=1):
        return of(experiment).build(seed)

    state_test(build, ticks=4)
    seed_test(build)


@pytest.mark.parametrize("reply", ["list", "fields"])
@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_a_run_in_words_is_replayed_to_the_same_digest(tmp_path, experiment, reply):
    scenario = of(experiment, steps=3, model="scripted:schema", reply=reply)
    run = asyncio.run(running.start(scenario, 3, tmp_path / "run", Options(snapshot_every=2)))
    assert asyncio.run(running.replay(tmp_path / "run", find)).digest == run.digest
    assert run.summary.good_share == 1.0


@pytest.mark.parametrize("recommender", ["x", "x-code", "reddit", "reddit-code", "random", "similar", "none"])
def test_every_recommender_carries_a_spread(recommender):
    records = ticks_of(of(recommender=recommender, share=1.0, activity=1.0, network="preferential").build(1))
    assert records[-1].measures["cascade.scale"][0] > 10


@pytest.mark.parametrize("embedder", ["topics", "hash"])
def test_interest_is_measured_by_topics_or_by_texts(embedder):
    assert ticks_of(of(embedder=embedder, share=1.0).build(1))[-1].measures["cascade.scale"][0] > 5


def test_hours_and_core_users_change_who_is_awake():
    day = [0.0] * 12 + [1.0] * 12
    settings = {"activity": 0.5, "hours": day, "steps": 2 * 24, "step": 30, "share": 0.0, "core_activity": 1.0, "core_share": 0.5}
    simulation = of(**settings).build(1)
    awake = [len(simulation.schedule.awake(at, at * simulation.schedule.length)) for at in range(48)]
    assert sum(awake[:24]) == 0 and min(awake[24:]) >= 30 and np.mean(awake[24:]) == pytest.approx(45, abs=4)
    with pytest.raises(UsageError, match="24"):
        of(hours=[1.0] * 3).build(1)


def test_copies_are_replicates_without_a_tie_between_them():
    simulation = of(copies=5, network="preferential", share=1.0, activity=1.0, recommender="none", following_post_count=16).build(1)
    ticks_of(simulation)
    assert simulation.world["cascade"].scales().tolist() == [60] * 5
    posts = simulation.world["platform"].posts
    assert (posts.author // 60 == posts.author[np.maximum(posts.original, 0)] // 60)[posts.original >= 0].all()


def test_a_shy_population_spreads_nothing_and_a_curve_counts_a_step_at_its_end():
    assert ticks_of(of(share=0.0).build(1))[-1].measures["cascade.scale"][0] == 1
    records = ticks_of(of(share=1.0, activity=1.0).build(1))
    curves = curves_of(records, np.array([0, 2, 3, 5, 6, 10_000]), 3)
    first, second, last = (records[at].measures["cascade.scale"][0] for at in (0, 1, -1))
    assert curves.scale.tolist() == [1, 1, first, first, second, last]


def test_first_votes_go_round_so_that_each_arm_has_each_place():
    given = treatment(np.arange(6 * 9), 6).reshape(9, 6)
    assert (np.bincount(given.reshape(-1) + 1) == 18).all()
    assert all(len(set(column.tolist())) == 3 for column in given.T)


def test_interviews_ask_the_same_users_whether_awake_or_not_and_move_nothing():
    asked = ticks_of(of("polarisation", activity=0.0).build(1))
    answered = [rows for record in asked for rows in record.events if rows.kind == "interview.answered"]
    assert [rows.actors.tolist() for rows in answered] == [list(range(10))] * 3
    without, more = (ticks_of(of("polarisation", interview_every=every, interviewed=7).build(1)) for every in (0, 2))
    for one, other in zip(without, more, strict=True):
        for name in ("platform.comments", "platform.likes", "cascade.scale"):
            assert one.measures[name].tolist() == other.measures[name].tolist()


def test_profiles_are_independent_of_one_another():
    people = profiles_of(40_000, _stream(), x_form=False)
    young = people["age"] < 30
    counts = [np.count_nonzero(people["gender"][mask] == "female") for mask in (young, ~young)]
    share = sum(counts) / 40_000
    for count, size in zip(counts, (young.sum(), (~young).sum()), strict=True):
        assert chi_square([count, size - count], [share, 1 - share]) > 0.001
    assert set(people["country"]) == set(tables()["country"].categories) and people["age"].min() >= 13


def _stream():
    from sociarium.kernel.randomness import Randomness

    return Randomness(2).stream("people")


def test_hourly_probabilities_are_counts_over_the_most_of_each_hour():
    counts = np.zeros((3, 24))
    counts[:, 5] = [1, 4, 2]
    found = activity_from_counts(counts)
    assert found[:, 5].tolist() == [0.25, 1, 0.5] and found.sum() == 1.75
    with pytest.raises(UsageError, match="24"):
        activity_from_counts(np.ones((3, 23)))


def test_no_topic_twice_and_misinformation_needs_enough_users():
    people = society(of(users=500), 1)
    assert (people.topics[:, 0] != people.topics[:, 1]).all() and set(people.topics.reshape(-1).tolist()) == set(range(8))
    with pytest.raises(UsageError, match="take more users"):
        of("misinformation", users=8).build(1)


# --- real input ---


def folder(tmp_path: Path, *, case="", series=None, topics="") -> Path:
    head = ",user_id,following_agentid_list,previous_tweets,user_char\n"
    rows = case or "0,7,[],['hello all'],a baker\n1,8,[0],[],\n2,9,\"[0, 1]\",[],a smith\n"
    (tmp_path / "False_Business_0.csv").write_text(head + rows, encoding="utf-8")
    curves = series or {"scale": [1, 2, 3, 3], "depth": [0, 1, 1, 1, 1], "max_breadth": [0, 1, 2, 2]}
    (tmp_path / "False_Business_0_real_series.json").write_text(json.dumps(curves), encoding="utf-8")
    columns = "label,num_users,max_depth,source_tweet,topic_category,topic_name\n"
    (tmp_path / "all_topics.csv").write_text(columns + (topics or "False,40,2,some news,Business,B_1\n"), encoding="utf-8")
    return tmp_path


def test_a_case_is_read_and_played(tmp_path):
    place = folder(tmp_path)
    case = read_case(place / "False_Business_0.csv")
    assert case.source == 0 and case.text == "hello all" and case.descriptions == ("a baker", "", "a smith")
    assert case.network.neighbours(2).tolist() == [0, 1]
    series = read_series(place / "False_Business_0_real_series.json")
    assert series.scale.tolist() == [1, 2, 3, 3] and series.depth.tolist() == [0, 1, 1, 1]
    simulation = Oasis.of({"data": str(place), "steps": 30}).build(1)
    assert ticks_of(simulation)[-1].measures["cascade.scale"][0] >= 2
    topic = Oasis.of({"data": str(place), "topic": "B_1", "steps": 2}).build(1)
    assert len(topic.world.population) == 40 and "cascade.false" in ticks_of(topic)[-1].measures


@pytest.mark.parametrize(
    ("case", "words"),
    [
        ("0,7,[],['a'],x\n1,8,[5],[],\n", "follows 5"),
        ("0,7,[],['a'],x\n1,8,[0],['b'],\n", "2 posts"),
        ("0,7,[],[],x\n", "0 posts"),
        ("0,7,[__import__('os')],['a'],x\n", "list of int"),
        ("0,7,[True],['a'],x\n", "list of int"),
        ("0,7," + "[" * 5000 + ",['a'],x\n", "list of int"),
        ("0,7\n", "too short"),
    ],
)
def test_what_is_no_case_is_refused_with_its_place(tmp_path, case, words):
    with pytest.raises(UsageError, match=words):
        read_case(folder(tmp_path, case=case) / "False_Business_0.csv")


def test_a_pickle_is_refused_unread_and_so_are_curves_that_are_none(tmp_path):
    class Trap:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "sprung",))

    (tmp_path / "series.pkl").write_bytes(pickle.dumps(Trap()))
    with pytest.raises(UsageError, match="pickle"):
        read_series(tmp_path / "series.pkl")
    assert not (tmp_path / "sprung").exists()
    for series, words in (
        ({"scale": [1]}, "must hold"),
        ({"scale": [1, -2], "depth": [0, 1], "max_breadth": [0, 1]}, "counts"),
        ({"scale": "11", "depth": [0, 1], "max_breadth": [0, 1]}, "counts"),
        ({"scale": [1.5], "depth": [0], "max_breadth": [0]}, "counts"),
    ):
        with pytest.raises(UsageError, match=words):
            read_series(folder(tmp_path, series=series) / "False_Business_0_real_series.json")
    (tmp_path / "broken.json").write_text("{", encoding="utf-8")
    for name, words in (("broken.json", "not JSON"), ("missing.json", "cannot read")):
        with pytest.raises(UsageError, match=words):
            read_series(tmp_path / name)


def test_wrong_tables_and_unknown_topics_are_refused(tmp_path):
    for topics, words in (("Maybe,40,2,x,B,B_1\n", "labels are True and False"), ("True,many,2,x,B,B_1\n", "whole numbers")):
        with pytest.raises(UsageError, match=words):
            read_topics(folder(tmp_path, topics=topics) / "all_topics.csv")
    with pytest.raises(UsageError, match="has no topic"):
        Oasis.of({"data": str(folder(tmp_path)), "topic": "Z"}).build(1)
    (tmp_path / "pairs.json").write_text('[{"RS": {}}]', encoding="utf-8")
    with pytest.raises(UsageError, match="RC_1"):
        read_counterfactual(tmp_path / "pairs.json")


def test_the_recorded_cascade_and_the_table_are_as_published(shared_data: Path):
    place = shared_data / "oasis"
    case, real = read_case(place / "False_Business_0.csv"), read_series(place / "False_Business_0_real_series.json")
    assert (case.network.nodes, len(case.network), case.source) == (111, 85, 32)
    assert len(real.scale) == 500 and real.scale[-1] == 104 and real.depth.max() == 2
    found = summary(read_topics(place / "all_topics.csv"))
    assert (found["cascades"], found["true"], round(found["users"])) == (198, 100, 341)
    assert len(read_counterfactual(place / "counterfactual_36.json")) == 220


def test_rule_minds_fitted_to_the_recorded_cascade_follow_it(shared_data: Path):
    place = shared_data / "oasis"
    real = read_series(place / "False_Business_0_real_series.json")
    timing = fitted(real.scale[:151], 110)
    default = Oasis.of({"data": str(place)}).timing()
    assert (timing.share, timing.activity, timing.concentration) == pytest.approx(
        (default.share, default.activity, default.concentration), rel=0.02
    )
    checks = checks_of(claims)
    wanted = CARD.model_copy(update={"claims": tuple(one for one in CARD.claims if one.needs is Needs.DATA)})
    results = asyncio.run(run_claims(wanted, {one.id: checks[one.id] for one in wanted.claims}, seeds=range(8), data=place))
    assert {result.verdict for result in results} == {"holds"}


def test_the_fit_finds_the_timing_that_made_a_curve():
    true = Timing(0.8, 0.25, 3.0)
    users = 20_000
    scale = 1 + np.repeat(np.rint(np.concatenate([[0.0], true.reached(60)]) * users).astype(int), 3)
    found = fitted(scale, users)
    assert (found.share, found.activity, found.concentration) == pytest.approx((0.8, 0.25, 3.0), rel=0.03)
    chances = true.drawn(50_000, 3)
    assert chances.mean() == pytest.approx(0.25, abs=0.005) and chances.var() == pytest.approx(0.25 * 0.75 / 4, rel=0.05)
    assert Timing(0.8, 0.25).reached(2) == pytest.approx([0.2, 0.35])
    with pytest.raises(UsageError, match="cannot be fitted"):
        fitted([1, 5, 3, 2, 9, 9, 9], 10)


# --- in words ---


@pytest.mark.parametrize("reply", ["list", "fields"])
@pytest.mark.parametrize("experiment", ["spreading", "polarisation", "herd"])
def test_words_of_users_change_nothing_but_words_and_profiles_stay_their_own(experiment, reply):
    scenario = of(experiment, steps=3, users=16, activity=0.8, model="scripted:schema", reply=reply)
    report = injection_test(lambda: scenario.build(1), ticks=3, announced=("platform.posted",))
    assert sum(report.obeyed.values()) >= 20 and report.planted


def test_by_rule_nobody_learns_anothers_profile():
    assert not leak_audit(of("polarisation", steps=3).build(1)).leaks


def test_a_turn_shows_the_feed_offers_its_posts_and_remembers_what_was_done():
    asked = []

    def reply(request, draw):
        asked.append(request)
        return json.dumps({"reason": "it is near me", "actions": [{"action": "repost", "post": 0}]})

    scenario = of(users=12, steps=2, activity=1.0, model="scripted:schema", recommender="none", core_share=0.1, follow_probability=1.0)
    options = Options(backends={"scripted:schema": ScriptedBackend(reply)})
    run = asyncio.run(running.in_memory(scenario, 1, options))
    with_post = [one for one in asked if "repost" in json.dumps(one.schema)]
    assert with_post and run.summary.applied["platform.repost"] > 0
    first = "\n".join(block.text for block in with_post[0].blocks)
    assert "Post 0 by user" in first and "[[user:" in first and "Your personality type" in first
    assert any("it is near me" in block.text for one in asked for block in one.blocks if block.role == "assistant")
    later = ["\n".join(b.text for b in one.blocks) for one in asked if any(b.role == "assistant" for b in one.blocks)]
    remembered = [text for text in later if "The city is said" in text]
    assert remembered
    for text in remembered:  # others' words stay quoted in memory
        assert text.count("The city is said") == text.count("\n> The city is said")


def test_a_reply_of_nothing_legal_ends_in_the_fallback():
    backend = ScriptedBackend(lambda request, draw: json.dumps({"reason": "", "actions": [{"action": "fly"}]}))
    options = Options(backends={"scripted:schema": backend}, concurrency=4)
    run = asyncio.run(running.in_memory(of(users=10, steps=1, activity=1.0, model="scripted:schema"), 1, options))
    assert run.summary.good_share == 0 and run.summary.fallbacks == 10 and run.summary.applied == {"platform.do_nothing": 10}


class Judged:
    """A door whose judge always prefers the longer of two texts, and grades by their length."""

    async def ask_all(self, requests, address, *, route="default", drawn_at=None):
        return [self.answer(request) for request in requests]

    def answer(self, request):
        quoted = [block.text for block in request.blocks if block.text.startswith("[[")]
        if len(request.options) == 3:
            return Reply(probabilities=(1.0, 0.0, 0.0) if len(quoted[0]) > len(quoted[1]) else (0.0, 1.0, 0.0))
        grade = min(9, len(quoted[1].splitlines()[1]) - 3)
        return Reply(probabilities=tuple(float(at == grade) for at in range(10)))


def test_a_judge_is_asked_in_both_orders_and_place_tells_nothing():
    simulation = of("polarisation").build(1)
    with pytest.raises(UsageError, match="needs a model"):
        asyncio.run(disagreement(simulation, ["a"], ["b"]))
    simulation.door = Judged()
    found = asyncio.run(more_extreme(simulation, "what?", ["a", "a long answer"], ["a long answer", "a"]))
    assert found.tolist() == [1.0, 0.0]
    assert asyncio.run(disagreement(simulation, ["post"] * 2, ["a", "abcd"])).tolist() == [1.0 + len("> a") - 3, 1.0 + len("> abcd") - 3]


@pytest.mark.model
def test_a_small_model_spreads_a_post_and_is_replayed(tmp_path, weights):
    settings = {"users": 6, "steps": 1, "activity": 0.4, "reply": "fields", "most_actions": 1, "answer_tokens": 120}
    run = asyncio.run(running.start(of(model="local:smollm2", **settings), 1, tmp_path / "run"))
    assert run.summary.good_share > 0.5
    assert asyncio.run(running.replay(tmp_path / "run", find)).digest == run.digest


# --- pictures ---


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_every_experiment_draws_its_picture(tmp_path, experiment):
    scenario = of(experiment, steps=5)
    for seed in (1, 2):
        asyncio.run(running.start(scenario, seed, tmp_path / f"seed-{seed}"))
    picture = scenario.plot(tmp_path, tmp_path / "picture.png")
    assert picture is not None and picture.stat().st_size > 10_000
    told = scenario.told("platform.reposted", {"name": "Ada", "original": 3, "tick": 2})
    assert told is not None and "Ada shares post 3" in told


def test_recorded_curves_stand_beside_ours(tmp_path):
    scenario = Oasis.of({"data": str(folder(tmp_path)), "steps": 2})
    asyncio.run(running.start(scenario, 1, tmp_path / "run"))
    assert scenario.plot(tmp_path / "run", tmp_path / "picture.png")


def test_minutes_before_the_first_step_ends_have_the_source_alone():
    curves = minute_curves({"scale": np.array([4.0]), "depth": np.array([1.0]), "breadth": np.array([3.0])}, np.array([0, 2, 3]), 3)
    assert (curves.scale.tolist(), curves.depth.tolist(), curves.breadth.tolist()) == ([1, 1, 4], [0, 0, 1], [0, 0, 3])
