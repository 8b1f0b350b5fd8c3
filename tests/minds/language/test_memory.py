"""Memory: what is stored of news, what comes to mind, what has expired."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))
from fakes import FakeDoor, HashEmbedder, Pond

from sociarium.kernel.environment import News
from sociarium.kernel.errors import ModelError, UsageError
from sociarium.kernel.outcomes import Status
from sociarium.kernel.population import Population
from sociarium.kernel.randomness import Randomness
from sociarium.kernel.turn import Moment, Observations, Phase, Turn, TurnKind
from sociarium.kernel.units import DAY
from sociarium.kernel.world import World
from sociarium.minds.language import builtin
from sociarium.minds.language.asking import Asking
from sociarium.minds.language.component import Focus
from sociarium.minds.language.memory import Memory
from sociarium.minds.language.mind import LanguageMind
from sociarium.minds.language.news import NewsRules
from sociarium.minds.language.retrieval import GENERATIVE_AGENTS, GENERATIVE_AGENTS_RELEASED, NEVER, POSIM_RELEASED, Kind
from sociarium.minds.language.stream import Memory as Remembered
from sociarium.minds.language.stream import MemoryStream
from sociarium.models.request import Reply


def setting(memory, agents=3, door=None):
    names = np.array([f"N{n}" for n in range(agents)], object)
    mind = LanguageMind([memory], builtin())
    mind.begin(World(Population.of("person", agents, name=names), [Pond()], 0))
    return lambda agent, tick, kind=TurnKind.ACT: Asking(
        mind,
        turn := Turn(Moment(tick, tick * DAY, Phase("p"), Randomness(0), (), door), np.array([agent]), np.array([0]), 0, (), kind),
        Observations(turn, {}),
        0,
        agent,
        "person",
    )


memories = st.lists(
    st.tuples(
        st.integers(0, 2),  # agent
        st.integers(0, 8),  # tick
        st.sampled_from(Kind),
        st.sampled_from(["fish", "lake", "the fish are gone", "Kate took ten tons", "rain", ""]),
        st.one_of(st.none(), st.integers(1, 10)),
        st.booleans(),
        st.integers(0, 12),  # expires after so many days
        st.integers(0, 12),  # last tick
    ),
    max_size=30,
)


def brute_force(rows, agent, now, query, count):
    """Scores straight from the formula of Piatti et al., one memory at a time."""
    live = [
        (place, row)
        for place, row in enumerate(rows)
        if row[0] == agent and row[2] != Kind.CHAT and now < row[1] + row[6] and now <= row[7]
    ]
    asked = np.asarray(HashEmbedder().vectors([query])[0], float)
    scored = []
    for rank, (place, row) in enumerate(reversed(live)):
        own = np.asarray(HashEmbedder().vectors([row[3]])[0], float)
        cosine = float(own @ asked) / float(np.linalg.norm(own) * np.linalg.norm(asked))
        importance = 10 if row[5] else 5 if row[4] is None else row[4]
        scored.append((0.5 * 0.99**rank + 3 * (importance - 1) / 9 + 2 * cosine, row[5], place))
    highest = max((score for score, _, _ in scored), default=0)
    final = [(highest + 1 if always else score, place) for score, always, place in scored]
    return {place for _, place in sorted(final, key=lambda pair: (-round(pair[0], 9), -pair[1]))[:count]}


@settings(max_examples=60)
@given(memories, st.integers(0, 10), st.integers(1, 6))
async def test_what_comes_to_mind_equals_a_brute_force_sort_and_nothing_expired_ever_does(rows, now, count):
    memory = Memory(embedder=HashEmbedder(), importance="model")
    asking_of = setting(memory)
    rows = sorted((row for row in rows if row[1] <= now), key=lambda row: row[1])
    for agent, tick, kind, text, importance, always, days, last in rows:
        remembered = Remembered(kind, text, importance, always, tick * DAY + days * DAY, last)
        memory.remember(asking_of(agent, tick), remembered)
    for agent in range(3):
        asking = asking_of(agent, now)
        found = [int(row) for row in await memory.recall(asking, Focus(("fish",), count))]
        assert found == sorted(found)
        for row in found:
            assert memory.stream["agent"][row] == agent
            assert memory.stream["kind"][row] != Kind.CHAT
            assert memory.stream["until_time"][row] > now * DAY
            assert memory.stream["until_tick"][row] >= now
        assert set(found) == brute_force(rows, agent, now, "fish", count)


async def test_an_event_of_this_month_is_gone_next_month_and_a_thought_after_63_days():
    rules = {
        "pond.taken": [{"kind": "event", "text": "{{actor}} took", "expires": "tick"}, {"kind": "thought", "text": "hm", "expires": "63d"}]
    }
    memory = Memory(rules, embedder=HashEmbedder())
    asking_of = setting(memory)
    memory.hear([News("pond.taken", 0, 0, "fish", np.array([1]), np.array([0]), {}, [np.array([0, 1])])])
    shown = {tick: [str(memory.stream["text"][row]) for row in memory.live(asking_of(0, tick))] for tick in (0, 1, 62, 63)}
    assert shown == {0: ["N1 took", "hm"], 1: ["hm"], 62: ["hm"], 63: []}


async def test_a_failing_embedder_is_an_error_and_not_a_guess():
    memory = Memory()
    asking_of = setting(memory, door=FakeDoor(lambda *_: Reply(Status.FAILED, error="down")))
    memory.remember(asking_of(0, 0), Remembered(Kind.EVENT, "a"))
    with pytest.raises(ModelError, match="down"):
        await memory.recall(asking_of(0, 0), Focus(("fish",), 3))


async def test_vectors_through_the_door_are_asked_once_a_memory_and_not_kept_by_a_probe():
    door = FakeDoor(lambda request, *_: Reply(vectors=tuple(tuple(map(float, row)) for row in HashEmbedder().vectors(request.texts))))
    memory = Memory()
    asking_of = setting(memory, door=door)
    for text in ("a", "b"):
        memory.remember(asking_of(0, 0), Remembered(Kind.EVENT, text))
    for kind, calls in ((TurnKind.PROBE, 3), (TurnKind.ACT, 3), (TurnKind.ACT, 1), (TurnKind.PROBE, 1)):
        before, state = len(door.asked), repr(memory.state())
        await memory.recall(asking_of(0, 1, kind), Focus(("fish",), 3))
        assert len(door.asked) - before == calls
        assert {route for _, _, route in door.asked} == {"embedder"}
        assert (repr(memory.state()) == state) or kind == TurnKind.ACT


def test_a_probe_leaves_no_memory():
    memory = Memory()
    asking_of = setting(memory)
    memory.remember(asking_of(0, 0, TurnKind.PROBE), Remembered(Kind.EVENT, "a"))
    assert len(memory.stream) == 0


def heard(rule, data, actor=1, recipients=(0, 1, 2)):
    news = News("x.y", 3, 5 * DAY, "p", np.array([actor]), np.array([0]), data, [np.array(recipients)])
    return [(who.tolist(), memory) for who, memory in NewsRules({"x.y": rule}).memories(news, 0, {"actor": f"N{actor}"})]


def test_who_remembers_what_in_whose_words():
    data = {"text": np.array(["take 100!"], object), "n": np.array([7])}
    assert [who for who, _ in heard({"kind": "chat", "text": "{{text}}", "who": "others"}, data)] == [[0, 2]]
    assert heard({"kind": "chat", "text": "{{text}}"}, data)[0][1].author == 1  # their words, so shown as theirs
    assert heard({"kind": "event", "text": "{{actor}} took {{n}}"}, data)[0][1].author == -1
    assert heard({"kind": "event", "text": "{{text}}"}, data, actor=-1)[0][1].author == -1
    assert heard({"kind": "event", "text": "{{n}}", "who": "actor"}, data, recipients=(0, 2)) == []
    kept = heard({"kind": "thought", "text": "x", "always": True, "expires": "2d", "importance": 3}, data)[0][1]
    assert (kept.kind, kept.always, kept.until_time, kept.until_tick, kept.importance) == (Kind.THOUGHT, True, 7 * DAY, NEVER, 3)


@pytest.mark.parametrize(
    "rule",
    [
        {"kind": "event"},
        {"kind": "dream", "text": "x"},
        {"kind": "event", "text": "x", "who": "me"},
        {"kind": "event", "text": "x", "expires": "soon"},
        {"kind": "event", "text": "x", "importance": 11},
        {"kind": "event", "text": "x", "colour": 1},
        {"kind": "event", "text": {"ja": "x"}},
        {"kind": "event", "text": "{{unknown}}"},
        "text",
    ],
)
def test_a_broken_rule_names_its_event_kind(rule):
    with pytest.raises(UsageError, match=r"x\.y"):
        heard(rule, {})


def test_rules_are_read_from_safe_yaml(tmp_path):
    file = tmp_path / "news.yaml"
    file.write_text("x.y: {kind: event, text: {en: took, ja: 取った}}\n", "utf-8")
    assert NewsRules.load(file, "ja").rules["x.y"][0].text == "取った"
    file.write_text("x.y: !!python/object/apply:os.system [echo]\n", "utf-8")
    with pytest.raises(UsageError, match=r"news\.yaml"):
        NewsRules.load(file)


def test_the_stream_stays_in_columns_for_ten_thousand_agents_and_its_state_is_by_agent():
    stream, agents = MemoryStream(), np.arange(10_000)
    for tick in range(20):
        order = agents[::-1] if tick % 2 else agents
        stream.append(order, Remembered(Kind.EVENT, f"month {tick}", 5.0), time=tick * DAY, tick=tick)
    assert len(stream) == 200_000
    assert stream["tick"][stream.of(77)].tolist() == list(range(20))
    state = stream.state()
    assert state["agent"].tolist() == np.repeat(agents, 20).tolist()
    again = MemoryStream()
    again.load(state)
    assert again["tick"][again.of(9_999)].tolist() == list(range(20))
    assert all(np.array_equal(again.state()[name], state[name]) for name in state)
    assert state["words"].tolist() == [f"month {tick}" for tick in range(20)]
    assert list(again["text"]) == list(stream["text"][stream.ordered()])
    assert sum(values.nbytes for name, values in stream.held().items()) <= 40 * len(stream) * 1.5


def test_of_more_than_the_capacity_the_least_important_are_out_of_mind():
    memory = Memory(capacity=3)
    for number, importance in enumerate([5.0, 9.0, 1.0, 5.0, 2.0]):
        memory.stream.append(np.array([0]), Remembered(Kind.EVENT, f"m{number}", importance), time=number, tick=number)

    class Asking:
        agent, turn = 0, type("Turn", (), {"time": 99, "tick": 9})

    assert memory.stream["text"][memory.live(Asking)].tolist() == ["m0", "m1", "m3"]  # pyright: ignore[reportArgumentType]
    with pytest.raises(UsageError, match="embedder"):
        Memory(rule=POSIM_RELEASED)


def test_what_the_released_code_leaves_out_does_not_come_to_mind():
    texts = ["Ann is baking", "Ann is IDLE", "Bob is idling by the pond", "Ann is baking"]
    for rule, found in ((GENERATIVE_AGENTS_RELEASED, [0, 2, 3]), (GENERATIVE_AGENTS, [0, 1, 2, 3])):
        memory = Memory(embedder=HashEmbedder(), rule=rule)
        asking = setting(memory)(0, 1)
        for text in texts:
            memory.remember(asking, Remembered(Kind.EVENT, text, 3.0))
        assert asyncio.run(memory.recall(asking, Focus(("Ann",), 9))).tolist() == found
