"""Scripted mixes on the real commons and in the real conversation."""

from __future__ import annotations

import numpy as np
import pytest

from sociarium.environments.commons.commons import Commons, CommonsRules
from sociarium.environments.conversation.conversation import Conversation
from sociarium.environments.conversation.rules import TalkRules
from sociarium.kernel.errors import UsageError
from sociarium.kernel.population import Population
from sociarium.kernel.schedule import Rounds
from sociarium.kernel.simulation import Simulation
from sociarium.kernel.turn import Phase
from sociarium.minds.scripted import ScriptedMind, greedy, persuadable, sentences, sustainable, take


def months(policies, others, *, shown=()):
    """Months survived with 0 to 5 agents of the second policy, all in one run of six lakes."""
    names = [name for k in range(6) for name in ["a"] * (5 - k) + ["b"] * k]
    population = Population.of("fisher", 30, group=np.repeat(np.arange(6), 5), policy=np.array(names, object))
    commons = Commons(CommonsRules())
    mind = ScriptedMind({"a": policies, "b": others})
    Simulation(population, [commons], [mind], Rounds([Phase("harvest", "commons", shows=shown)], 12)).run_sync()
    return commons.measures()["months"].tolist()


def test_greedy_agents_among_sustainable_ones_as_published():
    assert months(sustainable(), greedy()) == [12, 4, 2, 1, 1, 1]


def test_constant_takers_and_what_persuasion_changes():
    assert months(take(20), take(10)) == [1, 2, 2, 2, 3, 12]
    assert months(persuadable(20, agreed=10), take(10)) == [2, 2, 3, 3, 4, 12]


def test_a_fraction_of_the_stock_for_ever_is_sustainable_at_a_tenth_each():
    assert months(take(0.1, of="stock"), take(lambda turn, seen: seen["commons"]["stock"] / 10)) == [12] * 6


def test_an_unknown_policy_is_named_before_the_run_begins():
    population = Population.of("fisher", 2, policy=np.array(["a", "kind"], object))
    with pytest.raises(UsageError, match=r"'kind'.*agent 1"):
        Simulation(population, [Commons()], [ScriptedMind({"a": take(1)})], Rounds([Phase("harvest", "commons")], 1))


def talked(language):
    population = Population.of("fisher", 10, name=np.array([f"N{n}" for n in range(10)], object), group=np.repeat([0, 1], 5))
    population.declare("moderator")
    population.admit("moderator", 2, group=np.arange(2))
    rules = TalkRules(moderator="moderator")
    mind = ScriptedMind(take(10), language=language, limit=10)
    phases = [Phase("harvest", "commons", who=("fisher",)), Phase("talk", "conversation")]
    talk = Conversation(rules)
    simulation = Simulation(population, [Commons(CommonsRules(harvesters=("fisher",))), talk], [mind], Rounds(phases, 3))
    records = []
    simulation.on_tick.append(records.append)
    simulation.run_sync()
    return records, talk


def test_scripted_agents_talk_and_only_the_words_depend_on_the_language():
    logs, words = [], []
    for language in ("en", "ja"):
        records, talk = talked(language)
        events = [e for record in records for e in record.events]
        said = [e for e in events if e.kind == "conversation.said"]
        texts = {text for e in said for text in e.data["text"]}
        assert len(said) == 3
        assert len(texts) > 3
        assert texts <= set(sentences(language)[0])
        assert talk.measures()["limit"].tolist() == [10, 10]
        words.append(texts)
        logs.append(
            [
                (e.kind, e.ids.tolist(), e.actors.tolist(), {k: np.asarray(v).tolist() for k, v in e.data.items() if k != "text"})
                for e in events
            ]
        )
    assert logs[0] == logs[1]
    assert words[0].isdisjoint(words[1])


def test_an_unknown_language_is_a_clear_error():
    with pytest.raises(UsageError, match="'fr'"):
        ScriptedMind(take(1), language="fr")
