"""What holds in a town whatever its residents do, and what each action does."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hamlets import HAMLET, hamlet

from sociarium.environments.conversation.chats import ChatRules, Chats
from sociarium.environments.town.body import CODE, THINGS
from sociarium.environments.town.rules import TownRules
from sociarium.environments.town.town import Town
from sociarium.kernel.actions import Actions
from sociarium.kernel.errors import UsageError
from sociarium.kernel.population import Population
from sociarium.kernel.schedule import Calendar
from sociarium.kernel.simulation import Intervention, Simulation
from sociarium.kernel.turn import Phase
from sociarium.kernel.units import HOUR, SECOND
from sociarium.minds.rule import RuleMind
from sociarium.testing import environment_test, fork_test, leak_audit


@pytest.mark.parametrize(
    "settings", [{"hours": 0.2}, {"hours": 0.1, "pace": 1, "most": 3}, {"hours": 0.1, "rules": TownRules(speed=2, vision=3)}]
)
def test_the_shipped_checks_hold(settings):
    environment_test(lambda: hamlet(**settings))
    fork_test(lambda: hamlet(**settings))


def test_nobody_is_told_what_is_not_theirs():
    report = leak_audit(hamlet(hours=0.2))
    assert not report.leaks


class Watch:
    """Looks at a town after each tick."""

    def __init__(self, simulation, check):
        self.town: Town = simulation.world["town"]
        self.check = check
        simulation.on_tick.append(self)

    def __call__(self, record):
        self.check(self.town, record)


def test_steps_are_to_free_neighbours_and_what_is_known_only_grows():
    simulation = hamlet(hours=1.0)
    town = simulation.world["town"]
    before = {"tile": town.tile.copy(), "known": town.known(np.arange(len(town.tile))), "moved": 0}

    def check(town, record):
        moved = town.tile - before["tile"]
        assert np.isin(moved, [0, *HAMLET.offsets.tolist()]).all()
        assert HAMLET.walkable[town.tile].all()
        assert not (before["known"] & ~town.known(np.arange(len(town.tile)))).any()
        before.update(tile=town.tile.copy(), known=town.known(np.arange(len(town.tile))), moved=before["moved"] + np.count_nonzero(moved))

    Watch(simulation, check)
    simulation.run_sync()
    assert before["moved"] > 200
    assert town.known(np.arange(len(town.tile))).any(axis=0).sum() > len(HAMLET) / 2


def test_nobody_notices_through_walls_or_beyond_sight():
    simulation = hamlet(hours=1.0, rules=TownRules(vision=4))
    noticed = []

    def check(town, record):
        who, which = np.nonzero(town.fresh >= 0)
        subject = town.fresh[who, which] >> 24
        people = subject < 1 << 36
        who, other = who[people], subject[people]
        x, y = HAMLET.xy(town.tile)
        assert (HAMLET.arena[town.tile[who]] == HAMLET.arena[town.tile[other]]).all()
        assert (np.maximum(abs(x[who] - x[other]), abs(y[who] - y[other])) <= 4).all()
        assert (who // 6 == other // 6).all()  # groups of six
        assert not town.asleep[who].any()
        noticed.append(len(who))

    Watch(simulation, check)
    simulation.run_sync()
    assert sum(noticed) > 20


def test_the_same_two_do_not_talk_again_before_the_cooldown_is_over():
    simulation = hamlet(groups=1, hours=2.0, rules=TownRules(cooldown=1000))
    met: dict[tuple[int, int], list[int]] = {}

    def check(town, record):
        for rows in record.events:
            if rows.kind == "town.met":
                for one, two in zip(rows.actors.tolist(), rows.data["other"].tolist(), strict=True):
                    met.setdefault((min(one, two), max(one, two)), []).append(record.time)

    Watch(simulation, check)
    simulation.run_sync()
    gaps = [later - earlier for times in met.values() for earlier, later in pairwise(times)]
    assert gaps
    assert min(gaps) >= 1000 * SECOND


def test_nobody_begins_to_talk_in_the_quiet_hours():
    simulation = hamlet(hours=1.0, rules=TownRules(quiet=(8,)))
    simulation.run_sync()
    assert simulation.world["town"].measures()["talks"].sum() == 0


def test_a_talk_takes_the_time_of_its_words():
    simulation = hamlet(groups=1, hours=1.0)
    ended = []

    def check(town, record):
        for rows in record.events:
            if rows.kind == "chats.ended":
                ended.append(rows)
                agents, minutes = rows.actors, rows.data["minutes"]
                assert (town.until[agents] == record.time + minutes * 60 * SECOND).all()
                assert town.busy[agents].all()

    Watch(simulation, check)
    simulation.run_sync()
    assert ended
    assert {int(m) for rows in ended for m in rows.data["minutes"]} == {1}  # three lines of six characters


def test_a_closed_door_keeps_everyone_out_and_an_operator_may_open_it():
    inside = HAMLET.find("Inn/bar")
    closed = TownRules(doors={"inn door": (20, 24)})

    def visited(*interventions):
        simulation = hamlet(hours=1.0, rules=closed)
        simulation.interventions += interventions
        simulation.run_sync()
        town = simulation.world["town"]
        return town.known(np.arange(len(town.tile)))[:, inside].sum()

    assert visited() == 0
    assert visited(Intervention(10, "town.set_door", {"place": "Inn/threshold/inn door", "to": "open"})) > 0


def test_an_object_seats_no_more_than_it_is_for():
    bed = HAMLET.find("Alder House/room/bed")
    simulation = hamlet(hours=1.0)

    def check(town, record):
        for group in range(2):
            assert len(town.using(np.array([group]), bed)) <= 1

    Watch(simulation, check)
    simulation.run_sync()


def test_an_operator_sets_the_state_of_an_object_and_those_near_notice():
    simulation = hamlet(hours=1.0)
    simulation.interventions.append(Intervention(5, "town.set_state", {"place": "Birch House/room/stove", "state": "burning", "group": 1}))
    stove, seen = HAMLET.find("Birch House/room/stove"), []

    def noticing(town, record):
        who, which = np.nonzero(town.fresh >= 0)
        things = town.fresh[who, which] // CODE - THINGS
        found = who[(things >= 0) & (HAMLET.objects[np.maximum(things, 0)] == stove)]
        if record.tick < 10:
            seen.extend(found.tolist())
            assert (HAMLET.arena[town.tile[found]] == HAMLET.parents[stove]).all()

    Watch(simulation, noticing)
    simulation.run_sync()
    town = simulation.world["town"]
    at = np.searchsorted(HAMLET.objects, HAMLET.find("Birch House/room/stove"))
    assert town.changes[1, at] > 0
    assert seen and min(seen) >= 6  # people of the second hamlet


def test_an_alarm_breaks_off_the_talks_of_those_in_sight_and_of_no_others_and_what_was_said_stays_said():
    house, other = HAMLET.find("Birch House/room"), HAMLET.find("Alder House/room")
    talks, ended = Chats(ChatRules(pace=1, rounds=8)), []
    town = Town(HAMLET, chats=talks)

    def rule(turn, seen):
        if turn.phase.lead == "chats":
            return Actions().add(turn, "say", turn.agents, text="and then", end=False)
        return Actions().add(turn, "talk", turn.agents[::2], to=turn.agents[1::2], about="") if turn.tick == 0 else Actions()

    people = Population.of("resident", 4, home=np.array([house, house, other, other]))
    phases = [Phase("live", lead="town"), Phase("talk", lead="chats", offers=("say", "leave"))]
    simulation = Simulation(people, [town, talks], [RuleMind(rule)], Calendar(phases, step=10 * SECOND, duration=HOUR, start=8 * HOUR))
    simulation.interventions += [
        Intervention(3, "town.set_state", {"place": "Birch House/room/stove", "state": "burning", "alarm": True}),
        Intervention(6, "chats.interrupt", {"agents": [3]}),
    ]
    simulation.on_tick.append(
        lambda record: ended.extend(
            (record.tick, agent, lines)
            for rows in record.events
            if rows.kind == "chats.ended"
            for agent, lines in zip(rows.actors.tolist(), rows.data["lines"].tolist(), strict=True)
        )
    )
    simulation.run_sync(9)
    assert sorted((agent, lines) for _, agent, lines in ended) == [(0, 3), (1, 3), (2, 6), (3, 6)]
    assert not talks.of


def test_saved_in_the_middle_and_loaded_it_goes_on_as_it_would_have():
    whole, first = hamlet(hours=0.5, pace=1), hamlet(hours=0.5, pace=1)
    whole.run_sync()
    first.run_sync(97)
    second = hamlet(hours=0.5, pace=1)
    second.load(first.state())
    second.run_sync()
    assert np.array_equal(whole.world["town"].tile, second.world["town"].tile)
    assert np.array_equal(whole.world["town"].noticed, second.world["town"].noticed)
    assert whole.world["town"].meetings.talks == second.world["town"].meetings.talks


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        ({"vision": 0}, "vision is 0"),
        ({"doors": {"inn door": (20, 8)}}, "open from 20 to 8"),
    ],
)
def test_impossible_rules_are_refused(rules, words):
    with pytest.raises(UsageError, match=words):
        TownRules(**rules)


def test_a_door_that_is_not_on_the_map_is_refused():
    with pytest.raises(UsageError, match="no door 'gate'"):
        Town(HAMLET, TownRules(doors={"gate": (8, 20)}))


def test_the_clock_of_a_day_is_the_calendars():
    simulation = hamlet(hours=0.01)
    simulation.run_sync()
    assert simulation.world.clock.time == 8 * HOUR + 40 * SECOND


def sent(rule, ticks, size=2, rules=None, where="Alder House/room"):
    """A hamlet of ``size`` people who begin in one room and do what ``rule`` says."""
    talks = Chats(ChatRules())
    town = Town(HAMLET, rules or TownRules(), chats=talks)
    people = Population.of("resident", size, home=np.full(size, HAMLET.find(where)))
    phases = [Phase("live", lead="town"), Phase("talk", lead="chats", offers=("say", "leave"))]
    simulation = Simulation(people, [town, talks], [RuleMind(rule)], Calendar(phases, step=10 * SECOND, duration=HOUR, start=8 * HOUR))
    simulation.run_sync(ticks)
    return town, talks


def test_who_comes_to_a_room_goes_into_it_and_stands_in_no_doorway():
    room = HAMLET.find("Birch House/room")

    def rule(turn, seen):
        over = turn.agents[seen["town"]["over"]]
        return Actions().add(turn, "do", over, place=room, activity="reading", minutes=60, state="")

    town, _ = sent(rule, 90, size=12, rules=TownRules(wander=10))
    starts, tiles = HAMLET.spots
    inside = tiles[starts[room] : starts[room + 1]]
    assert len(inside) == len(HAMLET.tiles(room)) - 1  # but for the door
    assert not town.moving.any()
    assert np.isin(town.tile, inside).all()
    assert len(set(town.tile.tolist())) >= 6


def test_a_room_that_is_all_doorway_can_be_stood_in():
    starts, tiles = HAMLET.spots
    threshold = HAMLET.find("Inn/threshold")
    assert tiles[starts[threshold] : starts[threshold + 1]].tolist() == HAMLET.tiles(threshold).tolist()


def test_who_waits_stands_still_and_then_goes_on():
    there = HAMLET.find("Inn/bar")
    tiles = []

    def rule(turn, seen):
        actions, over = Actions(), turn.agents[seen["town"]["over"]]
        tiles.append(int(seen["town"]["y"][0]) * 100 + int(seen["town"]["x"][0]))
        if turn.tick == 6:
            return actions.add(turn, "wait", over, minutes=1)
        return actions.add(turn, "do", over, place=there, activity="drinking", minutes=1, state="")

    town, _ = sent(rule, 40, size=1)
    assert tiles[0] != tiles[1] == tiles[2]  # asked at steps 0, 6 and 12: on the way, and where it waited
    assert town.tile[0] in HAMLET.tiles(there)


def test_nobody_can_be_spoken_to_who_lies_down_in_the_same_step_whatever_the_order_of_actions():
    def rule(turn, seen):
        actions = Actions()
        if turn.phase.lead != "town" or turn.tick:
            return actions
        actions.add(turn, "talk", turn.agents[:1], to=1, about="")
        return actions.add(turn, "sleep", turn.agents[1:], place=HAMLET.find("Alder House/room"), minutes=60)

    town, talks = sent(rule, 1)
    assert town.asleep.tolist() == [False, True]
    assert not talks.of and not town.meetings.last


def test_an_inner_voice_is_heard_by_one_and_a_voice_for_nobody_is_refused():
    simulation = hamlet(hours=0.1)
    heard = []
    simulation.minds.all[0].hears = True
    simulation.minds.all[0].notice = lambda events: heard.extend(e for e in events if e.kind == "town.whispered")
    simulation.inject("town.whisper", agent=7, text="Go to the inn.")
    simulation.run_sync(1)
    assert [(e.actors.tolist(), e.data["text"].tolist(), [r.tolist() for r in e.recipients]) for e in heard] == [
        ([7], ["Go to the inn."], [[7]])
    ]
    for agent, text, words in ((99, "Hm", "no agent 99"), (1, " ", "1 to 300 characters")):
        simulation.inject("town.whisper", agent=agent, text=text)
        with pytest.raises(UsageError, match=words):
            simulation.run_sync(1)
