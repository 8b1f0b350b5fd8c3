"""Belief, desire, intention: what is asked, what is kept, what is done, and what stands in where a reply is no use."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from fakes import FakeDoor

from sociarium.environments.emotions.emotions import Emotions
from sociarium.kernel.actions import Choice, Integer, Text, action
from sociarium.kernel.content import Trust, said
from sociarium.kernel.environment import Environment, Events, Outcome
from sociarium.kernel.errors import UsageError
from sociarium.kernel.outcomes import Status
from sociarium.kernel.population import Population
from sociarium.kernel.schedule import Rounds
from sociarium.kernel.simulation import Simulation
from sociarium.kernel.turn import Phase
from sociarium.minds.language import builtin
from sociarium.minds.language.bdi import BDI, SEEKING, BDIRules, read_desires
from sociarium.minds.language.belief_layers import MOST_SENTENCES, MOST_SUBJECTS, BeliefLayers
from sociarium.minds.language.memory import Memory
from sociarium.minds.language.mind import LanguageMind
from sociarium.minds.language.persona import Persona
from sociarium.models.backends.fields import plan
from sociarium.models.request import Reply, Sampling

TARGETS = {"post": ("board", "feed")}


class Board(Environment):
    """Two posts are shown to everybody."""

    name = "board"
    feed = np.array([4, 7, -1])

    def observe(self, turn):
        return {"feed": np.broadcast_to(self.feed, (len(turn.agents), 3))}

    def describe(self, seen, row):
        return (said("They lied to us.", "Ann"),)

    @action("Like a post.", post=Integer(0, 1000), mood=Choice(options=("glad", "cross")))
    def like(self, turn, seen, table):
        return Outcome([Events("liked", table.agents, dict(table.columns), "own")])

    @action("Write.", text=Text(longest=50), mood=Choice(options=("glad", "cross")))
    def write(self, turn, seen, table):
        return Outcome([Events("wrote", table.agents, dict(table.columns), "own")])


BELIEF = {
    "psychology": ["I distrust the city."],
    "event_opinions": [{"subject": "water", "opinion": "they hide it", "reason": "Ann says so"}],
    "emotion": {"happiness": 0, "sadness": 0, "anger": 1, "fear": 0.5, "surprise": 0, "disgust": 0},
}
DESIRE = {"desires": [{"type": "emotional release", "description": "to shout", "intensity": "very high"}]}
ACTS = {"actions": [{"action": "like", "post": 7, "mood": "cross"}, {"action": "write", "text": "Liars!", "mood": "cross"}]}


def replying(**changed):
    values = {"belief": BELIEF, "desire": DESIRE, "intention": ACTS, "single": {**BELIEF, **ACTS, "reasoning": "so"}} | changed

    def answer(request, address, route):
        value = values[address.label.split(":")[1]]
        return value if isinstance(value, Reply) else Reply(text=json.dumps(value), value=value)

    return FakeDoor(answer)


def lived(door, rounds=1, **rules):
    beliefs = BeliefLayers()
    rule = BDIRules(targets=TARGETS, **rules)
    parts = [Persona(), beliefs, Memory(), BDI(rule, beliefs=beliefs)]
    people = Population.of("user", 2, name=np.array(["Bo", "Cy"], object), psychology=np.array(["I am calm.", ""], object))
    emotions = Emotions()
    phases = [Phase("act", "board", shows=("emotions",))]
    mind = LanguageMind(parts, builtin(), sampling=Sampling(temperature=0.8))
    simulation, records = Simulation(people, [Board(), emotions], [mind], Rounds(phases, rounds), door=door), []
    simulation.on_tick.append(records.append)
    simulation.run_sync()
    return simulation, records, emotions, beliefs


def asked(door, step, agent=0):
    return [request for address, request, _ in door.asked if address.label == f"bdi:{step}" and address.asker == f"agent:{agent}"]


def words(request):
    return "\n".join(block.text for block in request.blocks)


def test_three_questions_change_beliefs_stir_emotions_and_end_in_acts():
    door = replying()
    _, records, emotions, beliefs = lived(door)
    assert [address.label for address, _, _ in door.asked if address.asker == "agent:0"] == ["bdi:belief", "bdi:desire", "bdi:intention"]
    assert np.allclose(emotions.levels, [[0, 0, 0.3, 0.15, 0, 0]] * 2)
    assert beliefs.opinions[0]["water"].opinion == "they hide it"
    assert beliefs.psychology[0] == ("I distrust the city.",)
    assert {name: count for name, count in records[0].applied.items() if count} == {"board.like": 2, "board.write": 2, "emotions.stir": 2}
    assert records[0].outcomes[0].counts["ok"] == 2


def test_the_belief_question_names_six_biases_and_later_questions_know_what_came_of_it():
    door = replying()
    lived(door, rounds=2)
    belief, desire, intention = (asked(door, step)[0] for step in ("belief", "desire", "intention"))
    for bias in ("confirmation", "anchoring", "contagion", "conformity", "emotion before reason", "single-cause"):
        assert bias in words(belief)
    assert "I am calm." in words(belief) and "I distrust the city." not in words(belief)
    assert "I distrust the city." in words(desire) and "they hide it" in words(desire)
    assert "I am calm." not in words(desire) and "I am calm." not in words(intention)
    assert "anger 0, " in words(belief) and "anger 0.3, fear 0.15" in words(desire) and "anger 0.3" in words(intention)
    assert "emotional release, 0.9 of 1" in words(intention) and "to shout" in words(intention)
    later = asked(door, "belief")[1]
    assert "they hide it" in words(later) and "I am calm." not in words(later)


def test_words_of_others_and_own_opinions_are_data():
    door = replying()
    lived(door)
    for request in (r for _, r, _ in door.asked):
        for block in request.blocks:
            if "They lied to us." in block.text or "they hide it" in block.text:
                assert block.trust is Trust.AGENT and block.role != "system"


@pytest.mark.parametrize(
    ("step", "value", "status"),
    [
        ("desire", {"desires": [{"type": "revenge", "description": "", "intensity": "high"}]}, Status.MALFORMED),
        ("belief", Reply(status=Status.MALFORMED, error="no JSON"), Status.MALFORMED),
        ("intention", Reply(status=Status.FAILED, error="down"), Status.FAILED),
        ("belief", {**BELIEF, "emotion": {"anger": 3}}, Status.MALFORMED),
    ],
)
def test_what_cannot_be_read_is_stood_in_for_and_marked(step, value, status):
    door = replying(**{step: value})
    _, records, emotions, beliefs = lived(door)
    outcome = records[0].outcomes[0]
    assert outcome.counts[status.name.lower()] == 2 and outcome.fallbacks == 2
    if step == "desire":
        assert "information seeking, 0.5 of 1" in words(asked(door, "intention")[0])
        assert read_desires(value["desires"]) == [] and SEEKING.intensity == 0.5
    if step == "intention":
        assert not records[0].applied.get("board.like")
    if step == "belief":
        assert not emotions.levels.any()
        assert bool(beliefs.opinions) == isinstance(value, dict)


def test_a_target_that_is_not_shown_is_no_act_and_the_others_are_carried_out():
    wrong = {"actions": [{"action": "like", "post": 5, "mood": "cross"}, {"action": "write", "text": "So.", "mood": "glad"}]}
    door = replying(intention=wrong)
    _, records, _, _ = lived(door)
    like = asked(door, "intention")[0].schema["properties"]["actions"]["items"]["anyOf"][0]["properties"]
    assert like["action"] == {"const": "like"} and like["post"] == {"type": "integer", "enum": [4, 7]}
    assert records[0].applied.get("board.like", 0) == 0 and records[0].applied["board.write"] == 2
    assert records[0].outcomes[0].counts["illegal"] == 2


def test_no_more_than_the_most_are_done_and_an_empty_list_is_nothing():
    many = {"actions": [{"action": "write", "text": str(n), "mood": "glad"} for n in range(14)]}
    assert lived(replying(intention=many))[1][0].applied["board.write"] == 20
    assert lived(replying(intention=many), most=3)[1][0].applied["board.write"] == 6
    _, records, _, _ = lived(replying(intention={"actions": []}))
    assert records[0].applied.get("board.write", 0) == 0 and records[0].outcomes[0].counts["ok"] == 2


def test_steps_may_be_left_out_and_all_may_be_one_question():
    for steps in (("desire", "intention"), ("belief", "intention"), ("belief", "desire"), ()):
        door = replying()
        _, _, emotions, beliefs = lived(door, steps=steps)
        labels = {address.label for address, _, _ in door.asked}
        assert labels == {f"bdi:{step}" for step in steps} | {"bdi:intention"}
        assert bool(emotions.levels.any()) == bool(beliefs.opinions) == ("belief" in steps)
        assert ("three levels" in words(asked(door, "intention")[0])) == ("intention" in steps)
    door = replying()
    _, records, emotions, _ = lived(door, single=True)
    assert {address.label for address, _, _ in door.asked} == {"bdi:single"}
    assert emotions.levels.any() and records[0].applied["board.like"] == 2


FLAT = {
    "belief": {"subject": "water", "opinion": "bad", "reason": "Ann", **BELIEF["emotion"]},
    "desire": {"type": "entertainment", "description": "a joke", "intensity": "low"},
    "intention": {"action": "like", "post": 4, "text": "", "mood": "glad"},
    "single": {"reasoning": "so", **BELIEF["emotion"], "action": "write", "post": 4, "text": "Hm.", "mood": "glad"},
}


def test_the_flat_form_says_the_same_in_one_object_of_short_lists():
    door = replying(**FLAT)
    _, records, emotions, beliefs = lived(door, flat=True)
    assert np.allclose(emotions.levels[0], [0, 0, 0.3, 0.15, 0, 0]) and beliefs.opinions[0]["water"].opinion == "bad"
    assert records[0].applied["board.like"] == 2 and records[0].outcomes[0].counts["ok"] == 2
    assert "entertainment, 0.3 of 1" in words(asked(door, "intention")[0])
    for _, request, _ in door.asked:
        assert plan(request) is not None  # a small model can fill it field by field
    _, records, _, _ = lived(replying(**FLAT), flat=True, single=True)
    assert records[0].applied["board.write"] == 2
    spare = replying(**{**FLAT, "intention": {"action": "write", "post": 4, "mood": "glad"}})
    _, records, _, _ = lived(spare, flat=True, blank=("text",))
    assert "text" not in asked(spare, "intention")[0].schema["properties"] and records[0].applied["board.write"] == 2
    _, records, _, _ = lived(replying(**{**FLAT, "intention": {**FLAT["intention"], "action": "nothing"}}), flat=True)
    assert records[0].outcomes[0].counts["ok"] == 2 and not records[0].applied.get("board.like")


def test_jitter_is_drawn_by_agent_and_stays_within_its_bounds():
    door = replying()
    lived(door, rounds=3, jitter=(0.1, 0.05))
    found = {(request.sampling.temperature, request.sampling.top_p) for _, request, _ in door.asked}
    assert len(found) > 6
    assert all(0.7 <= temperature <= 0.9 and 0.95 <= top_p <= 1 for temperature, top_p in found)
    assert {request.sampling.temperature for _, request, _ in replying_plainly().asked} == {0.8}


def replying_plainly():
    door = replying()
    lived(door)
    return door


def test_beliefs_are_bounded_saved_and_loaded():
    door = replying()
    simulation, _, _, beliefs = lived(door)

    class Now:
        agent, probe, turn = 1, False, type("T", (), {"time": 5})

    for number in range(MOST_SUBJECTS + 3):
        beliefs.believe(Now, [f"s{number}"] * 2, [{"subject": f"topic {number}", "opinion": "no", "reason": ""}])
    beliefs.believe(Now, [f"t{n}" for n in range(MOST_SENTENCES + 2)], [{"subject": "", "opinion": "x"}, "noise"])
    assert len(beliefs.opinions[1]) == MOST_SUBJECTS and "water" not in beliefs.opinions[1]
    assert len(beliefs.psychology[1]) == MOST_SENTENCES
    other = BeliefLayers()
    other.load(simulation.minds.all[0].component("belief_layers").state())
    assert other.opinions == beliefs.opinions and other.psychology == beliefs.psychology


def test_rules_that_make_no_sense_are_refused():
    with pytest.raises(UsageError, match="no step"):
        BDIRules(steps=("hope",))  # pyright: ignore[reportArgumentType]
    with pytest.raises(UsageError, match="at least one action"):
        BDIRules(most=0)
