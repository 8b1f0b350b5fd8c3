"""Who may know, and when: audiences, private columns, lanes, surveys."""

from __future__ import annotations

import numpy as np
import pytest

from sociarium.kernel.environment import Environment, Events, Outcome
from sociarium.kernel.errors import UsageError
from sociarium.kernel.turn import Lanes, Phase, TurnKind

from .worlds import Adder, Counter, Listener, counting, ticks_of


@pytest.mark.parametrize(
    ("audience", "heard"),
    [
        ("group", {(reader, actor) for reader in range(6) for actor in range(6) if reader // 3 == actor // 3}),
        ("own", {(agent, agent) for agent in range(6)}),
        ("nobody", set()),
        ("some", {(0, actor) for actor in range(3)}),  # agent 0 is named; those of the other group cannot reach it
    ],
)
@pytest.mark.parametrize("kept", [True, False])
@pytest.mark.parametrize("paced", [True, False])
def test_audiences(audience, heard, kept, paced):
    mind = Adder(hears=True, paced=paced)
    record = ticks_of(counting(environments=[Counter(audience, kept=kept)], minds=[mind], ticks=1))[0]
    assert {(reader, actor) for reader, _, actor in mind.heard} == heard
    assert len(mind.heard) == len(heard)  # nothing is heard twice
    assert record.counts == {"counter.added": 6}
    assert len(record.events) == kept


def test_private_arguments_are_recorded_and_told_to_nobody():
    listener = Listener()
    record = ticks_of(counting(environments=[Counter(), listener], minds=[Adder(hears=True)], ticks=1))[0]
    assert record.events[0].data["secret"].tolist() == ["s"] * 6
    assert listener.noticed == [("counter.added", [0, 1, 2, 3, 4, 5], ["amount"])]


def test_an_environment_does_not_hear_itself():
    environment = Counter()
    ticks_of(counting(environments=[environment], ticks=1))
    assert environment.noticed == []


def test_each_mind_hears_for_its_own_agents():
    first, second, deaf = Adder(hears=True), Adder(hears=True), Adder()
    simulation = counting(agents=6, groups=1, minds=[first, second, deaf])
    simulation.world.population["agent"]["mind"] = [0, 0, 1, 1, 2, 2]
    ticks_of(simulation, 1)
    assert {reader for reader, _, _ in first.heard} == {0, 1}
    assert {reader for reader, _, _ in second.heard} == {2, 3}
    assert len(first.heard) == len(second.heard) == 12
    assert deaf.heard == []


class Mixed(Environment):
    """One kind of event, told to all by even agents and to nobody by odd ones, each with a private column of its own."""

    name = "counter"

    def apply(self, turn, seen, actions):
        even = turn.agents % 2 == 0
        return Outcome(
            [
                Events("said", turn.agents[even], {"open": 1, "inner": "even"}, private=frozenset({"inner"})),
                Events("said", turn.agents[~even], {"open": "odd", "inner": 2}, "nobody", private=frozenset({"open"})),
            ]
        )


def test_rows_of_one_kind_with_two_audiences_do_not_mix():
    mind, listener = Adder(hears=True), Listener()
    record = ticks_of(counting(environments=[Mixed(), listener], minds=[mind], groups=1, ticks=1))[0]
    assert {actor for _, _, actor in mind.heard} == {0, 2, 4}
    assert sorted((rows.audience, rows.actors.tolist()) for rows in record.events) == [("group", [0, 2, 4]), ("nobody", [1, 3, 5])]
    assert np.concatenate([rows.ids for rows in record.events]).tolist() == [0, 1, 2, 3, 4, 5]
    assert [sorted(columns) for _, _, columns in listener.noticed] == [["open"], ["inner"]]
    assert record.counts == {"counter.said": 6}


class Survey(Environment):
    name = "survey"

    def apply(self, turn, seen, actions):
        return Outcome(
            [Events("answered", turn.agents, {"answer": 1})],
            rewards=[(turn.agents, np.ones(len(turn.agents)))],
            wakes=[(turn.agents, 9)],
            ended=np.array([0]),
        )


def test_a_probe_is_recorded_and_heard_by_nobody():
    mind, listener = Adder(hears=True), Listener()
    probe = Phase("ask", "survey", ("counter",), kind=TurnKind.PROBE)
    simulation = counting(environments=[Counter(), Survey(), listener], minds=[mind], phases=[probe], ticks=2)
    records = ticks_of(simulation)
    assert [record.counts for record in records] == [{"survey.answered": 6}] * 2  # no group was ended
    assert (mind.heard, mind.learned, listener.noticed) == ([], [], [])
    assert records[0].applied == {}
    assert simulation.world.offers(probe) == ()  # what is only shown is not on offer


@pytest.mark.parametrize(
    ("events", "says"),
    [
        (Events("bad", np.array([0, 1]), {"x": [1, 2, 3]}), "column 'x' has 3 values for 2 rows"),
        (Events("bad", np.array([0]), audience="all"), "got 'all'"),
        (Events("bad", np.array([0, 1]), audience="some", recipients=[np.array([1])]), "recipients for each row"),
        (Events("bad", np.array([-1])), "actor -1"),
    ],
)
def test_wrong_events_say_what_is_wrong(events, says):
    class Bad(Counter):
        def advance(self, to):
            return Outcome([events])

    with pytest.raises(UsageError, match=says):
        ticks_of(counting(environments=[Bad()], ticks=1))


class Tables(Environment):
    """Two lanes in one group; the world itself speaks in a turn."""

    name = "tables"

    def __init__(self, lanes=None):
        self.given = lanes

    def lanes(self, phase, awake, moment):
        return Lanes.by(moment, awake, awake % 2)

    def apply(self, turn, seen, actions):
        lanes = np.unique(turn.lanes)
        return Outcome([Events("bell", np.full(len(lanes), -1), groups=np.zeros(len(lanes), int), lanes=lanes if self.given else None)])


def test_the_world_says_in_which_lane_it_speaks_where_a_group_has_several():
    with pytest.raises(UsageError, match=r"give Events\(lanes"):
        ticks_of(counting(environments=[Tables()], phases=[Phase("talk", "tables")], groups=1))
    mind = Adder(hears=True)
    ticks_of(counting(environments=[Tables(lanes=True)], phases=[Phase("talk", "tables")], groups=1, minds=[mind], ticks=1))
    assert len(mind.heard) == 12


def test_what_is_recorded_does_not_change_with_the_world():
    class Live(Counter):
        def apply(self, turn, seen, actions):
            self.counts += 1
            return Outcome([Events("now", np.full(2, -1), {"count": self.counts}, groups=np.arange(2))])

    kept = []
    simulation = counting(environments=[Live()])
    simulation.on_tick.append(kept.append)
    simulation.run_sync()
    assert [record.events[0].data["count"].tolist() for record in kept] == [[1, 1], [2, 2], [3, 3]]
    assert [record.measures["counter.count"].tolist() for record in kept] == [[1, 1], [2, 2], [3, 3]]
