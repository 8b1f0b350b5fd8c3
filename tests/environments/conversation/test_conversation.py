"""Talks in the real simulation: who speaks, when it ends, what opens and closes it, and who may know."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
import pytest

from sociarium.environments.commons.commons import Commons, CommonsRules
from sociarium.environments.conversation.conversation import Conversation
from sociarium.environments.conversation.rules import Opening, TalkRules, TalkWording
from sociarium.kernel.actions import Actions
from sociarium.kernel.content import Trust
from sociarium.kernel.errors import UsageError
from sociarium.kernel.population import Population
from sociarium.kernel.records import EventRows, TickRecord
from sociarium.kernel.schedule import Rounds
from sociarium.kernel.simulation import Simulation
from sociarium.kernel.turn import Observations, Phase, Turn, TurnKind
from sociarium.minds.rule import RuleMind

Rule = Callable[[Turn, Observations], Actions]


def people(groups: Sequence[int], moderated: bool = False) -> Population:
    everyone = Population.of("person", len(groups), group=np.array(groups), name=np.array([f"P{i}" for i in range(len(groups))], object))
    if moderated:
        everyone.declare("moderator")
        everyone.admit("moderator", max(groups) + 1, group=np.arange(max(groups) + 1))
    return everyone


def speech(turn: Turn, end: object = False, **more: object) -> Actions:
    """Whatever the rules ask for."""
    if turn.offered("minute"):
        return Actions.one(turn, "minute", summary=np.array([f"s{a}" for a in turn.agents], object), limit=turn.agents % 2 * 11 - 1)
    if turn.offered("bid"):
        return Actions.one(turn, "bid", urgency=more["urgency"])
    values = {"text": np.array([f"{a}.{turn.number}" for a in turn.agents], object), "end": end, **more}
    return Actions.one(turn, "say", **{name: values[name] for name in turn.offer("say").arguments})


def talk(rule: Rule, rules: TalkRules, groups: Sequence[int] = (0, 0, 0), rounds: int = 1, **rest: object) -> Simulation:
    moderated = rules.moderator is not None
    return Simulation(
        people(groups, moderated), [Conversation(rules)], [RuleMind(rule)], Rounds([Phase("talk", "conversation")], rounds), **rest
    )


def records(simulation: Simulation) -> list[TickRecord]:
    found: list[TickRecord] = []
    simulation.on_tick.append(found.append)
    simulation.run_sync()
    return found


def told(record: TickRecord, kind: str) -> EventRows:
    return next(e for e in record.events if e.kind == f"conversation.{kind}")


def order(record: TickRecord, lane: int = 0) -> list[int]:
    said = told(record, "said")
    return said.actors[said.lanes == lane].tolist()


def test_rotation_goes_round_in_order_until_the_turns_are_used() -> None:
    record = records(talk(lambda turn, seen: speech(turn), TalkRules(max_turns=5)))[0]
    assert order(record) == [0, 1, 2, 0, 1]
    assert told(record, "said").data["text"].tolist() == ["0.0", "1.1", "2.2", "0.3", "1.4"]
    assert record.measures["conversation.turns"].tolist() == [5]


def test_a_random_speaker_never_follows_itself_and_everyone_is_as_likely() -> None:
    rules = TalkRules("random", max_turns=200, end="never")
    spoken = order(records(talk(lambda turn, seen: speech(turn), rules, [0] * 4))[0])
    assert all(a != b for a, b in itertools.pairwise(spoken))
    counts = Counter(spoken)
    assert sum((counts[a] - 50) ** 2 / 50 for a in range(4)) < 16.27  # chi-square, 3 degrees of freedom, p = .001


def test_the_speaker_names_the_next() -> None:
    rules = TalkRules("named", max_turns=4, end="never")
    record = records(talk(lambda turn, seen: speech(turn, next=(turn.agents + 2) % 3), rules))[0]
    assert order(record) == [0, 2, 1, 0]


def test_a_name_outside_the_talk_is_refused_and_the_turn_passes() -> None:
    def rule(turn: Turn, seen: Observations) -> Actions:
        return speech(turn, next=np.where(turn.agents == 0, 2, 0))

    record = records(talk(rule, TalkRules("named", max_turns=2, end="never"), [0, 0, 1, 1, 1]))[0]
    assert [(r.agent, r.reason) for r in record.refusals] == [(0, "next is not the number of anyone in this talk")]
    assert (order(record, 0), order(record, 1)) == ([1], [2, 2])
    assert record.measures["conversation.missed"].tolist() == [1, 0]


def test_the_highest_bid_speaks_and_equals_are_drawn() -> None:
    urgency = np.array([0.1, 0.9, 0.5])
    rules = TalkRules("bid", max_turns=3, end="never")
    record = records(talk(lambda turn, seen: speech(turn, urgency=urgency[turn.agents % 3]), rules))[0]
    assert order(record) == [1, 1, 1]
    assert record.applied == {"conversation.bid": 9, "conversation.say": 3}
    many = np.repeat(np.arange(300), 3)
    record = records(talk(lambda turn, seen: speech(turn, urgency=np.full(len(turn.agents), 0.5)), TalkRules("bid", max_turns=1), many))[0]
    counts = np.bincount(told(record, "said").actors % 3, minlength=3)
    assert ((counts - 100) ** 2 / 100).sum() < 13.82  # chi-square, 2 degrees of freedom, p = .001


def test_anyone_may_end_the_talk() -> None:
    record = records(talk(lambda turn, seen: speech(turn, end=turn.agents == 1), TalkRules()))[0]
    assert order(record) == [0, 1]


def test_a_majority_of_last_votes_ends_the_talk() -> None:
    rules = TalkRules(end="majority")
    wants = {0: True, 1: False, 2: False, 3: False, 4: True, 5: True}  # by turn: agent 0 changes its mind in turn 3
    record = records(talk(lambda turn, seen: speech(turn, end=wants[turn.number]), rules))[0]
    assert order(record) == [0, 1, 2, 0, 1, 2]


def test_a_silent_agent_uses_its_turn_up() -> None:
    record = records(talk(lambda turn, seen: Actions() if turn.agents[0] == 1 else speech(turn), TalkRules(max_turns=3)))[0]
    assert order(record) == [0, 2]
    assert record.measures["conversation.turns"].tolist() == [3]
    assert record.measures["conversation.missed"].tolist() == [1]


def test_one_statement_a_turn() -> None:
    def twice(turn: Turn, seen: Observations) -> Actions:
        return speech(turn).add(turn, "say", turn.agents, text=np.array(["more"], object), end=True)

    record = records(talk(twice, TalkRules(max_turns=2)))[0]
    assert order(record) == [0, 1]
    assert {r.reason for r in record.refusals} == {"one statement a turn"}


def test_transcripts_are_seen_by_the_group_alone_and_forgotten_after_the_tick() -> None:
    seen_lines: list[tuple[int, int, list[str]]] = []

    def rule(turn: Turn, seen: Observations) -> Actions:
        for row, agent in enumerate(turn.agents.tolist()):
            columns = seen["conversation"]
            seen_lines.append((turn.tick, agent, columns["texts"][row][: columns["lines"][row]].tolist()))
        return speech(turn)

    records(talk(rule, TalkRules(max_turns=2), [0, 0, 1, 1], rounds=2))
    assert seen_lines == [
        (t, a, lines) for t in (0, 1) for a, lines in ((0, []), (2, []), (1, ["0.0"]), (3, ["2.0"]))
    ]  # fmt: skip


def fishery(rule: Rule, groups: int = 2, rounds: int = 2, moderated: bool = True) -> Simulation:
    opening = Opening("commons.reported", "$name got $caught tons.", before="Catches:")
    rules = TalkRules(max_turns=10, moderator="moderator" if moderated else None, opening=opening)
    everyone = people(np.repeat(np.arange(groups), 3), moderated)
    phases = [
        Phase("harvest", "commons", who=("person",)),
        Phase("talk", "conversation", shows=("commons",), offers=("say", "minute") if moderated else ("say",)),
    ]
    environments = [Commons(CommonsRules(harvesters=("person",))), Conversation(rules)]
    return Simulation(everyone, environments, [RuleMind(rule)], Rounds(phases, rounds))


def fishes(turn: Turn, seen: Observations) -> Actions:
    return Actions.one(turn, "harvest", quantity=turn.agents) if turn.offered("harvest") else speech(turn)


def test_the_moderator_opens_with_the_catches_which_count_as_a_turn_and_sums_up() -> None:
    record = records(fishery(fishes))[0]
    opened = told(record, "opened")
    assert opened.data["text"].tolist() == [
        "Catches:\nP0 got 0 tons.\nP1 got 1 tons.\nP2 got 2 tons.",
        "Catches:\nP3 got 3 tons.\nP4 got 4 tons.\nP5 got 5 tons.",
    ]
    assert opened.actors.tolist() == [6, 7]
    assert len(order(record, 0)) == len(order(record, 1)) == 9
    assert told(record, "summarised").data["text"].tolist() == ["s6", "s7"]
    assert (told(record, "agreed").actors.tolist(), told(record, "agreed").data["limit"].tolist()) == ([7], [10])
    limits = record.measures["conversation.limit"]
    assert np.isnan(limits[0]) and limits[1] == 10
    ids = {kind: told(record, kind).ids.tolist() for kind in ("opened", "said", "summarised")}
    assert ids["opened"][0] < ids["said"][0] < ids["summarised"][0]


def test_without_a_moderator_the_report_opens_and_nobody_sums_up() -> None:
    record = records(fishery(fishes, moderated=False))[1]
    assert told(record, "opened").actors.tolist() == [-1, -1]
    assert not any(e.kind == "conversation.summarised" for e in record.events)


def test_words_of_agents_are_marked_as_data_with_their_author() -> None:
    contents: list = []

    def rule(turn: Turn, seen: Observations) -> Actions:
        if turn.offered("say") and turn.number == 1:
            contents.append(simulation.world["conversation"].describe(seen, 0))
        return fishes(turn, seen)

    simulation = fishery(rule, groups=1, rounds=1)
    simulation.run_sync()
    blocks = contents[0]
    assert blocks[0].text == "Taking part in the talk: P0, P1, P2. You are P1."
    assert (blocks[1].trust, blocks[1].origin) == (Trust.ENGINE, "moderator 3")
    assert (blocks[2].text, blocks[2].trust, blocks[2].origin) == ("P0: 0.0", Trust.AGENT, "P0")


def test_the_words_of_a_named_talk_number_the_people() -> None:
    contents: list = []

    def rule(turn: Turn, seen: Observations) -> Actions:
        contents.append([b.text for b in simulation.world["conversation"].describe(seen, 0)])
        return speech(turn, next=0)

    simulation = Simulation(
        people([0, 0]), [Conversation(TalkRules("named", max_turns=1), TalkWording(left="$left left"))], [RuleMind(rule)],
        Rounds([Phase("talk", "conversation")], 1),
    )  # fmt: skip
    simulation.run_sync()
    assert contents == [
        [
            "Taking part in the talk: P0, P1. You are P0.",
            "Nobody has said anything yet.",
            "1 left",
            "Who speaks next is given as a number: 0 P0, 1 P1.",
        ]
    ]


def test_the_offer_holds_only_what_the_rules_use() -> None:
    def offered(rules: TalkRules) -> dict[str, set[str]]:
        return {spec.name: set(spec.arguments) for spec in Conversation(rules).actions()}

    assert offered(TalkRules(end="never")) == {"say": {"text"}}
    assert offered(TalkRules("named", moderator="m")) == {"say": {"text", "end", "next"}, "minute": {"summary", "limit"}}
    assert offered(TalkRules("bid")) == {"say": {"text", "end"}, "bid": {"urgency"}}


def test_the_number_of_the_next_is_bounded_by_the_largest_talk_however_lanes_are_shared() -> None:
    highs: set[int] = set()

    def rule(turn: Turn, seen: Observations) -> Actions:
        highs.add(turn.offer("say").arguments["next"].high)
        return speech(turn, next=0)

    simulation = talk(rule, TalkRules("named", max_turns=2), [0, 0, 1, 1, 1])
    simulation.sharing = lambda lanes: [lanes.only(np.arange(len(lanes)) == at) for at in range(len(lanes))]
    simulation.run_sync()
    assert highs == {2}


@pytest.mark.parametrize("taking", ["rotation", "random", "named", "bid"])
def test_talks_may_be_shared_out_in_any_way(taking: str, same_however_shared: Callable[..., None]) -> None:
    def rule(turn: Turn, seen: Observations) -> Actions:
        draws = turn.random("rule").uniform(turn.agents)
        size = seen["conversation"]["participants"]
        return speech(turn, end=draws < 0.1, next=(draws * size).astype(np.int64), urgency=np.round(draws, 1))

    groups = np.sort(np.arange(40) * 7 % 9)
    same_however_shared(lambda: talk(rule, TalkRules(taking, end="majority", moderator="moderator", random_start=True), groups, 3))


def test_a_saved_talk_goes_on_as_if_nothing_had_happened(same_after_loading: Callable[..., None]) -> None:
    same_after_loading(lambda: fishery(fishes, rounds=4), 2)


def test_a_thousand_talks_are_one_batch() -> None:
    turns: list[int] = []

    def rule(turn: Turn, seen: Observations) -> Actions:
        turns.append(len(turn.agents))
        return speech(turn)

    record = records(talk(rule, TalkRules(), np.repeat(np.arange(1000), 5)))[0]
    assert turns == [1000] * 10
    assert len(told(record, "said")) == 10_000


def test_a_talk_of_nobody_is_over_and_one_person_may_speak_alone() -> None:
    everyone = people([0], moderated=True)
    everyone.admit("moderator", 1, group=1)
    simulation = Simulation(
        everyone, [Conversation(TalkRules("random", max_turns=3, moderator="moderator"))], [RuleMind(lambda turn, seen: speech(turn))],
        Rounds([Phase("talk", "conversation")], 1),
    )  # fmt: skip
    record = records(simulation)[0]
    assert order(record) == [0, 0, 0]
    assert told(record, "summarised").actors.tolist() == [1]


def test_what_cannot_work_is_refused() -> None:
    with pytest.raises(UsageError, match="no such kind"):
        Simulation(people([0]), [Conversation(TalkRules(moderator="mayor"))], [RuleMind(fishes)], Rounds([], 1))
    with pytest.raises(UsageError, match="must be of kind 'act'"):
        Simulation(
            people([0]), [Conversation()], [RuleMind(fishes)], Rounds([Phase("talk", "conversation", kind=TurnKind.INNER)], 1)
        ).run_sync()  # fmt: skip
    with pytest.raises(UsageError, match=r"uses \$weight, which commons.reported has not; there are: \$name, \$caught"):
        Opening("commons.reported", "$name $weight").word("John", {"caught": 3})
    for wrong in ({"max_turns": 0}, {"turn_taking": "lottery"}, {"end": "bell"}, {"longest": 0}):
        with pytest.raises(UsageError):
            TalkRules(**wrong)
