"""What may be done: schemas, bounds, and the check that nobody acts outside the legal set or in another's name."""

from __future__ import annotations

import numpy as np
import pytest

from sociarium.kernel.actions import Actions, ActionTable, Choice, Flag, Integer, Number, Text, Vector, among, bounded
from sociarium.kernel.errors import UsageError
from sociarium.kernel.outcomes import Status
from sociarium.kernel.turn import Phase

from .worlds import Adder, Counter, Listener, counting, ticks_of


class Deciding(Adder):
    """Decides what the test says."""

    def __init__(self, decide, **flags):
        super().__init__(**flags)
        self.make = decide

    async def decide(self, turn, seen):
        return self.make(turn)


def rows(agents, amount=1, weight=0.5, secret="s"):
    size = len(agents)
    columns = {"amount": np.full(size, amount), "weight": np.full(size, weight), "secret": np.full(size, secret, object)}
    return ActionTable(np.array(agents, np.int64), columns)


def run(table, name="counter.add", **more):
    simulation = counting(minds=[Deciding(lambda turn: Actions({name: table}), hears=True)], ticks=1, **more)
    return ticks_of(simulation)[0], simulation


def test_schema_of_every_kind_of_argument():
    assert Integer(low=1, high=3, unit="tons").schema() == {"type": "integer", "minimum": 1, "maximum": 3, "description": "tons"}
    assert Number(low=0, high=1, doc="Share", unit="of 1").schema()["description"] == "Share (of 1)"
    assert Text(longest=5).schema() == {"type": "string", "maxLength": 5}
    assert Choice(options=("a", "b")).schema() == {"type": "string", "enum": ["a", "b"]}
    assert Flag().schema() == {"type": "boolean"}
    assert Vector(length=2).schema()["minItems"] == 2
    spec = Counter().actions()[0]
    assert spec.full == "counter.add"
    assert spec.private() == {"secret"}
    assert spec.schema()["required"] == ["amount", "weight", "secret"]
    assert bounded(spec, "amount", high=4).schema()["properties"]["amount"]["maximum"] == 4


@pytest.mark.parametrize(
    ("argument", "values", "wrong"),
    [
        (Integer(low=0, high=5), np.array([0, 5, 6, -1]), [0, 0, 1, 1]),
        (Number(low=0, high=1), np.array([0.0, 1.0, np.nan, np.inf, -np.inf]), [0, 0, 1, 1, 1]),
        (Text(longest=2), np.array(["ab", "abc", 3, None], object), [0, 1, 1, 1]),
        (Choice(options=("a",)), np.array(["a", "b", ["a"], None], object), [0, 1, 1, 1]),
        (Vector(length=2), np.array([[0, 1], [0, 2], [np.nan, 0]]), [0, 1, 1]),
    ],
)
def test_bounds(argument, values, wrong):
    assert argument.wrong(values).tolist() == [bool(w) for w in wrong]
    assert argument.wrong(values[:1]) is None
    assert argument.legal()


def test_a_vector_of_another_length_is_wrong():
    assert Vector(length=3).wrong(np.zeros((2, 2))).all()


def test_two_wrong_arguments_in_different_rows_are_both_refused():
    table = rows(range(6))
    table["amount"][1], table["weight"][4], table["amount"][5], table["weight"][5] = 99, 7, 99, 7
    record, _simulation = run(table)
    assert [(r.agent, r.reason) for r in record.refusals] == [
        (1, "amount must be a whole number from 0 to 10"),
        (4, "weight must be a number from 0 to 1"),
        (5, "amount must be a whole number from 0 to 10"),
    ]
    assert record.applied == {"counter.add": 3}
    assert record.measures["counter.count"].tolist() == [2, 1]
    assert record.outcomes[0].counts == {"ok": 3, "illegal": 3}
    assert (
        dict(zip(record.outcomes[0].agents.tolist(), record.outcomes[0].reasons, strict=True))[4] == "weight must be a number from 0 to 1"
    )


def test_nobody_acts_in_anothers_name():
    record, _simulation = run(rows([0, 1, 77]))
    assert [(r.agent, r.reason) for r in record.refusals] == [(77, "not this agent's turn")]
    assert record.applied == {"counter.add": 2}


def test_no_mind_acts_for_the_agents_of_another():
    thief = Deciding(lambda turn: Actions({"counter.add": rows([0, 1, 2, 3, 4, 5])}))
    simulation = counting(minds=[Adder(2), thief])
    simulation.world.population["agent"]["mind"] = [0, 0, 0, 1, 1, 1]
    record = ticks_of(simulation, 1)[0]
    assert [r.agent for r in record.refusals] == [0, 1, 2]
    assert record.measures["counter.count"].tolist() == [6, 3]


def test_what_is_not_on_offer_is_refused():
    record, _ = run(rows([0, 1]), name="counter.destroy")
    assert {r.reason for r in record.refusals} == {"not on offer now"}
    assert record.applied == {}
    assert record.outcomes[0].counts == {"ok": 4, "illegal": 2}


def test_a_table_with_a_missing_column_is_an_error_of_the_mind():
    table = rows([0])
    del table.columns["weight"]
    with pytest.raises(UsageError, match=r"counter.add takes \['amount', 'weight', 'secret'\]; its table has the columns"):
        run(table)


def test_rows_are_applied_in_the_order_of_the_turn_whatever_order_they_came_in():
    forward, _ = run(rows([0, 1, 2, 3, 4, 5]))
    backward, _ = run(rows([5, 3, 4, 1, 0, 2]))
    assert backward.events[0].actors.tolist() == forward.events[0].actors.tolist() == [0, 1, 2, 3, 4, 5]
    several, _ = run(
        ActionTable(
            np.array([4, 0, 4, 0]), {"amount": np.array([1, 2, 3, 4]), "weight": np.full(4, 0.1), "secret": np.full(4, "s", object)}
        )
    )
    assert several.events[0].data["amount"].tolist() == [2, 4, 1, 3]


def test_a_status_that_the_mind_gives_stays():
    def decide(turn):
        actions = Actions({"counter.add": rows([0, 1])})
        actions.mark(turn, 1, Status.TIMED_OUT, "too slow", fallback=True)
        return actions

    record = ticks_of(counting(minds=[Deciding(decide)], ticks=1))[0]
    assert record.outcomes[0].counts == {"ok": 5, "timed_out": 1}
    assert record.outcomes[0].fallbacks == 1
    assert record.outcomes[0].reasons == ["too slow"]
    assert record.shares() == {"ok": 5, "timed_out": 1}


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        ({"amount": 1, "weight": 0.5}, "needs the argument 'secret'"),
        ({"amount": 1, "weight": 0.5, "secret": "s", "more": 1}, "has no argument 'more'"),
        ({"amount": 1.5, "weight": 0.5, "secret": "s"}, "takes whole numbers"),
        ({"amount": [1, 2], "weight": 0.5, "secret": "s"}, "has 2 values for 6 agents"),
    ],
)
def test_building_actions_wrongly_says_what_is_wrong(columns, says):
    with pytest.raises(UsageError, match=says):
        ticks_of(counting(minds=[Deciding(lambda turn: Actions.one(turn, "add", **columns))]))


class Censor:
    """Refuses what agent 2 does."""

    async def review(self, turn, seen, actions):
        actions.refuse("counter.add", actions.tables["counter.add"].agents == 2, "moderated")
        return actions


def test_a_gate_refuses_with_a_reason_that_its_agent_hears():
    mind = Adder(hears=True)
    record = ticks_of(counting(minds=[mind], gates=[Censor()], ticks=1))[0]
    assert [(r.agent, r.reason) for r in record.refusals] == [(2, "moderated")]
    assert record.applied == {"counter.add": 5}
    assert record.outcomes[0].counts == {"ok": 6}
    assert (2, "engine.refused", 2) in mind.heard


class Picky(Counter):
    def apply(self, turn, seen, actions):
        return super().apply(turn, seen, actions).refuse("add", [3], "not today")


def test_a_refusal_of_the_world_counts_as_not_carried_out_under_either_name():
    record = ticks_of(counting(environments=[Picky()], ticks=1))[0]
    assert record.applied == {"counter.add": 5}
    assert [(r.action, r.agent) for r in record.refusals] == [("counter.add", 3)]


def test_a_phase_offers_what_it_names():
    ticks_of(counting(phases=[Phase("add", "counter", offers=("counter.add",))], ticks=1))
    with pytest.raises(UsageError, match="offers 'fly', which none of its environments has"):
        ticks_of(counting(phases=[Phase("add", "counter", offers=("fly",))], ticks=1))
    shown = Phase("look", "listener", shows=("counter",), offers=("add",))
    assert ticks_of(counting(environments=[Counter(), Listener()], phases=[shown], ticks=1))[0].applied == {"counter.add": 6}


@pytest.mark.parametrize("others", [[], [3], [0, 1, 2, 3], [1, 4, 9], [5, 6, 7], [9, 2, 4], [2, 2, 3]])
def test_ids_are_found_among_others_whatever_the_order_of_either(others):
    ids = np.array([7, 3, -1, 2, 9, 3, 10, 0], np.int64)
    assert among(ids, np.array(others, np.int64)).tolist() == [one in others for one in ids.tolist()]
    assert among(ids[:0], np.array(others, np.int64)).tolist() == []
