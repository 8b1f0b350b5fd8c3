"""The donor game over generations: rule players, language players, heredity, and the record of a run."""

import asyncio

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sociarium.kernel.errors import UsageError
from sociarium.lab import running
from sociarium.lab.claims import checks_of, match_checks
from sociarium.lab.running import Options
from sociarium.minds.language.sentence import last_paragraph
from sociarium.models.backends.scripted import ScriptedBackend
from sociarium.scenarios import catalogue
from sociarium.scenarios.donor_game import claims
from sociarium.scenarios.donor_game.claims import chain, play
from sociarium.scenarios.donor_game.policies import KINDS, Policy, read
from sociarium.scenarios.donor_game.scenario import DonorEvolution
from sociarium.testing import mind_test, seed_test, sharing_test, state_test


def of(**settings):
    return DonorEvolution.of(settings)


def talked(reply, seed=1, **settings):
    """A run with scripted language players, and what every request said."""
    asked = []

    def answer(request, draw):
        asked.append("\n".join(f"{block.role}: {block.text}" for block in request.blocks))
        return reply(request)

    records = []
    options = Options(backends={"scripted:schema": ScriptedBackend(answer)}, on_tick=[records.append])
    finished = asyncio.run(running.in_memory(of(model="scripted:schema", **{"answer": "answer", **settings}), seed, options))
    return finished, records, asked


def plainly(gift="Justification: fair.\nAnswer: 1"):
    def reply(request):
        if request.blocks[-1].origin.startswith("donor_game.strategy"):
            return "Let me think.\n\nMy strategy will be to give one unit.\n\nThat is all."
        return gift

    return reply


def six_digits(low, high):
    return st.floats(low, high).map(lambda x: float(f"{x:.6g}"))


@given(st.builds(Policy, st.sampled_from(KINDS), six_digits(0, 1), six_digits(0, 1), six_digits(-9, 9)))
def test_a_policy_is_read_back_from_its_sentence(policy):
    assert read(policy.text()) == policy


def test_whoever_has_no_readable_strategy_gives_nothing():
    assert read("My strategy will be to be kind.").kind == "defector"


@pytest.mark.parametrize(("share", "resources"), [(1.0, 30720.0), (0.0, 10.0), (0.5, 393.90625), (0.25, 53.48876953125)])
def test_mean_resources_follow_the_closed_form(share, resources):
    found = play(policies="unconditional", share=share, generations=1)
    np.testing.assert_allclose(found.fitness, resources, rtol=1e-12)


def test_under_full_donation_the_last_recipients_have_all():
    simulation = of(policies="unconditional", share=1.0, spread=0.0, generations=1, rounds=12).build(1)
    simulation.run_sync(11)
    game = simulation.world["donor"]
    assert sorted(set(game.wealth.ravel().tolist())) == [0.0, 30720.0]  # doubled once more in the twelfth round: 61 440


@pytest.mark.parametrize(
    ("among", "defector", "others", "survives"),
    [("unconditional", 482.65625, 199.829545, True), ("image", 15.0, 81.974432, False), ("forgiving", 15.0, 259.026989, False)],
)
def test_one_defector_fares_the_same_in_every_shuffling(among, defector, others, survives):
    found = play(policies={"defector": 1 / 12, among: 11 / 12}, generations=1, societies=50)
    np.testing.assert_allclose(found.of("defector"), defector, rtol=1e-9)
    np.testing.assert_allclose(np.where(found.kinds == among, found.fitness, 0).sum(axis=1) / 11, others, rtol=1e-6)
    assert (found.survives[found.kinds == "defector"] == survives).all()


def test_the_released_score_counts_the_second_game_alone():
    """One side ends with 61 440 and the other with nothing; averaged, all have the same."""
    both = play(policies="unconditional", share=1.0, generations=1)
    second = play(policies="unconditional", share=1.0, generations=1, score="released")
    assert np.ptp(both.fitness) == 0
    assert sorted(set(second.fitness.ravel().tolist())) == [0.0, 61440.0]


def test_punishers_punish_refusers_refuse_and_both_are_offered_only_in_their_variants():
    policies = {"punisher": 0.5, "defector": 0.25, "refuser": 0.25}
    both = play(policies=policies, generations=1, punishment=True, refusal=True).records
    kinds = {rows.kind for record in both for rows in record.events}
    assert {"donor.donated", "donor.punished", "donor.refused"} <= kinds
    plain = {rows.kind for record in play(policies=policies, generations=1).records for rows in record.events}
    assert not {"donor.punished", "donor.refused"} & plain


def test_the_history_alone_gives_the_chain():
    acts = [(0, 3, 0.1), (1, 4, 0.2), (3, 1, 0.3), (4, 0, 0.4), (0, 4, 0.5)]
    assert chain(acts, 0, 3) == [(0, 4, 0.5), (4, 0, 0.4), (0, 3, 0.1)]
    assert chain(acts, 3, 3) == [(3, 1, 0.3), (1, 4, 0.2)]
    assert chain(acts, 2, 3) == []


def test_newcomers_live_by_a_strategy_of_a_survivor_and_survivors_keep_their_own():
    simulation = of(generations=3, spread=0.0, mutation=0.0, innovation=0.0, societies=4).build(3)
    simulation.run_sync()
    world = simulation.world
    game, texts = world["donor"], world.population["player"]["strategy"]
    for group in range(4):
        elders = {texts[agent] for agent in game.survivors[group]}
        young = [agent for agent in game.seats[group] if game.born[agent] == 3]
        assert len(young) == 6 and {texts[agent] for agent in young} <= elders


def test_mutation_changes_the_part_given_and_innovation_the_rule():
    changed = of(policies="unconditional", generations=2, spread=0.0, mutation=0.1, innovation=0.0).build(1)
    changed.run_sync()
    shares = {read(text).share for text in changed.world.population["player"]["strategy"]}
    assert len(shares) == 7 and 0.5 in shares
    new = of(policies={"unconditional": 11 / 12, "defector": 1 / 12}, generations=2, innovation=1.0, mutation=0.0).build(1)
    new.run_sync()
    kinds = [read(text).kind for text in new.world.population["player"]["strategy"][12:]]
    assert set(kinds) == {"unconditional", "defector"}


@pytest.mark.parametrize("selection", ["top", "random", "reputation"])
def test_who_survives(selection):
    found = play(generations=1, societies=30, selection=selection, policies={"unconditional": 0.5, "defector": 0.5})
    generous = (found.survives & (found.kinds == "unconditional")).sum(axis=1)
    assert (found.survives.sum(axis=1) == 6).all()
    assert {"top": (generous == 0).all(), "reputation": (generous == 6).all(), "random": np.ptp(generous) > 1}[selection]


def test_contracts_hold():
    def build(seed=3):
        return of(generations=2, societies=3, error_rate=0.05, agents=6, rounds=6).build(seed)

    seed_test(build)
    state_test(build)
    sharing_test(build)
    mind_test(lambda: of(generations=1, societies=2, agents=6, rounds=6).build(3))


def test_a_language_player_is_shown_rules_strategy_partner_and_trace_and_nothing_of_others():
    finished, records, asked = talked(plainly(), generations=1)
    assert finished.summary.turns == {"ok": 12 + 24 * 6}
    first = asked[12]
    assert "Everybody begins with 10 units" in first and "receives 2 times" in first and "punishing" not in first and "refuse" not in first
    assert first.count("My strategy will be to give one unit.") == 1
    assert "Nothing is known about" in first
    assert any("% of its units to" in text for text in asked[-6:])
    gifts = [rows for record in records for rows in record.events if rows.kind == "donor.donated"]
    assert {float(x) for rows in gifts for x in rows.data["amount"]} == {1.0}


def test_strategies_of_survivors_are_shown_to_newcomers_as_words_of_others():
    numbers = iter(range(1000))

    def reply(request):
        if request.blocks[-1].origin == "donor_game.strategy":
            return f"My strategy will be number {next(numbers)}."
        return "Answer: 1"

    _, _, asked = talked(reply, generations=2, rounds=6, agents=6)
    later = [text for text in asked if "did best in the last generation" in text]
    assert len(later) == 3
    for text in later:
        assert text.count("> My strategy will be number") == 3 and "[[1_" in text


def test_more_than_one_has_is_refused_never_cut_and_asked_again_as_often_as_stated():
    finished, records, asked = talked(plainly("Answer: 11"), generations=1, rounds=2, retries=2)
    gifts = [float(x) for record in records for rows in record.events if rows.kind == "donor.donated" for x in rows.data["amount"]]
    assert set(gifts) == {0.0}
    assert finished.summary.turns == {"ok": 12, "illegal": 24}
    assert finished.summary.fallbacks == 24
    assert len(asked) == 12 + 24 * 3


def test_the_punishment_variant_is_told_and_read():
    _, records, asked = talked(plainly("Answer: Punish, 2"), generations=1, rounds=2, punishment=True)
    assert "loses 2 times what was spent" in asked[0] and "Donate or Punish" in asked[-1]
    assert records[0].measures["donor.wealth"][0] == pytest.approx((6 * 8 + 6 * 6) / 12)


def test_whoever_writes_no_strategy_plays_without_and_is_marked():
    def reply(request):
        return "Answer: 0" if "gift" in request.blocks[-1].origin else "I would rather not."

    finished, _, _ = talked(reply, generations=1, rounds=2, retries=1)
    assert finished.summary.turns == {"ok": 24, "malformed": 12}
    assert set(finished.simulation.world.population["player"]["strategy"]) == {""}


def test_the_strategy_is_the_last_paragraph_that_begins_with_the_words():
    text = "My strategy will be bad.\n\nNo: **my strategy will be good,\nand kind.**\n\nThe end"
    assert last_paragraph(text, "My strategy will be") == "my strategy will be good,\nand kind."
    assert last_paragraph("none", "My strategy will be") is None


def test_a_run_with_a_model_replays_to_the_same_digest_and_is_drawn(tmp_path):
    scenario = of(model="scripted:schema?delay=0.001", generations=2, agents=6, rounds=6, answer="schema", punishment=True, refusal=True)
    first = asyncio.run(running.start(scenario, 5, tmp_path / "run"))
    again = asyncio.run(running.replay(tmp_path / "run", catalogue.scenario))
    assert first.digest == again.digest
    target = scenario.plot(tmp_path / "run", tmp_path / "plot.png")
    assert target is not None and target.read_bytes()[:4] == b"\x89PNG"


@pytest.mark.parametrize(
    ("settings", "told"),
    [({"agents": 7}, "multiple of 2"), ({"policies": "saint"}, "no rule 'saint'"), ({"survivors": 0.01}, "at least one must go on")],
)
def test_settings_that_make_no_game_are_refused(settings, told):
    with pytest.raises(UsageError, match=told):
        of(**settings).build(1)


def test_each_claim_of_the_card_has_its_check():
    match_checks(catalogue.card("donor-game"), checks_of(claims))
