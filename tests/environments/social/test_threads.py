"""Threads of a community: the law of their length, questions on copies, and the contracts of environments."""

import copy

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sociarium.environments.social.casting import Casting, ThreadRules
from sociarium.environments.social.design import Design, Rule
from sociarium.environments.social.thread_table import SHIFT, Sort
from sociarium.environments.social.threads import Threads
from sociarium.kernel.actions import Actions
from sociarium.kernel.errors import UsageError
from sociarium.kernel.mind import Mind
from sociarium.kernel.population import Population
from sociarium.kernel.randomness import Randomness
from sociarium.kernel.schedule import Rounds
from sociarium.kernel.simulation import Intervention, Simulation
from sociarium.kernel.turn import Phase
from sociarium.testing import environment_test, fork_test, seed_test, ticks_of
from sociarium.testing.leaks import leak_audit

DESIGN = Design("baking bread", (Rule("sharing recipes", True), Rule("selling ovens")), behaviours=("mocking beginners",))


class Talker(Mind):
    """Says its draw, or what ``says`` makes of the slot; blank where it is told to be."""

    def __init__(self, says=None):
        self.says = says or (lambda slot: f"{slot.name} drew {slot.draw}")

    def begin(self, world):
        self.world = world

    async def decide(self, turn, seen):
        if not turn.offers:
            return Actions()
        verb = "threads.post" if turn.offered("threads.post") else "threads.reply"
        texts = np.empty(len(turn.agents), object)
        texts[:] = [self.says(slot) for slot in self.world["threads"].slots(turn.lanes)]
        return Actions.one(turn, verb, text=texts)


def population(members=6, groups=1):
    each = np.tile(np.arange(members), groups)
    names = np.array([f"Member {n}" for n in each], object)
    phrases = np.array([f"fond of {n} things" for n in each], object)
    of = np.repeat(np.arange(groups), members)
    return Population.of("member", members * groups, name=names, phrase=phrases, group=of, guest=np.zeros(members * groups, bool))


def build(seed=1, *, members=6, groups=1, ticks=3, plan=None, says=None, **rules):
    environment = Threads([DESIGN], ThreadRules(**{"breaking": 0.2, **rules}))
    planned = plan if plan is not None else [Intervention(tick, "threads.open", {"threads": 5}) for tick in range(ticks)]
    rounds = Rounds([Phase("write", "threads", who=("member",))], ticks)
    return Simulation(population(members, groups), [environment], [Talker(says)], rounds, seed=seed, interventions=planned)


def played(*args, **more):
    simulation = build(*args, **more)
    return simulation, ticks_of(simulation)


def ask(simulation, operation, **arguments):
    simulation.schedule.rounds = simulation.world.clock.tick + 1
    simulation.inject(f"threads.{operation}", **arguments)
    simulation.run_sync()


@pytest.mark.parametrize("rules", [{}, {"target": "any", "reply": 0.8}, {"reply": 0, "breaking": 0}])
@pytest.mark.parametrize("groups", [1, 3])
def test_contracts_hold(groups, rules):
    environment_test(lambda: build(3, groups=groups, **rules), orders=2)


def test_seeds_and_forks_go_their_ways():
    seed_test(lambda seed: build(seed))
    fork_test(lambda: build(2))


@pytest.mark.parametrize("chance", [0.0, 0.5, 0.65, 0.8, 0.99])
def test_the_law_sums_to_one_and_has_its_mean(chance):
    rules = ThreadRules(chance)
    assert rules.shares().sum() == pytest.approx(1)
    assert rules.shares() @ np.arange(9) == pytest.approx(rules.mean())
    assert rules.shares()[0] == pytest.approx(1 - chance)


def test_the_means_are_those_of_the_law():
    assert [round(ThreadRules(p).mean(), 3) for p in (0.5, 0.65, 0.8)] == [0.996, 1.798, 3.329]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**40), st.integers(1, 12), st.sampled_from(["last", "any"]), st.integers(0, 8))
def test_nobody_answers_themselves_and_a_cast_that_stands_is_kept(seed, members, target, first):
    pool = np.sort(np.random.default_rng(seed).choice(1_000, members, replace=False)).astype(np.int64)
    casting = Casting(ThreadRules(0.9, target=target), Randomness(seed))
    roots = np.arange(20, dtype=np.int64)
    cast = casting.cast(roots, pool, 2)
    assert np.isin(cast.speaker, pool).all() and ((cast.parent[:, 1:] >= 0) & (cast.parent[:, 1:] < np.arange(1, 9))).all()
    if members > 1:
        assert (cast.speaker[:, 1:] != np.take_along_axis(cast.speaker, cast.parent[:, 1:], axis=1)).all()
        assert cast.lengths.max() <= 9
    else:
        assert (cast.lengths == 1).all()
    again = cast.speaker.copy()
    casting.recast(roots, again, cast.parent, np.full(20, first), pool)
    if members > 1:
        assert np.array_equal(again, cast.speaker)


def test_who_answers_is_uniform_over_the_others():
    casting = Casting(ThreadRules(breaking=0), Randomness(5))
    cast = casting.cast(np.arange(40_000), np.arange(4), 0)
    pairs = cast.speaker[:, 0] * 4 + cast.speaker[:, 1]
    counts = np.bincount(pairs, minlength=16).reshape(4, 4)
    assert (np.diag(counts) == 0).all()
    others = counts[~np.eye(4, dtype=bool)]
    assert np.abs(others - 40_000 / 12).max() < 4.5 * (40_000 / 12) ** 0.5


def test_content_lands_in_posts_with_its_parents():
    simulation, _ = played(target="any", reply=0.8)
    threads = simulation.world["threads"]
    posts, table = threads.posts, threads.table
    for row in range(len(table)):
        ids = table.post[row, : table.done[row]]
        assert posts.words(ids).tolist() == threads.texts(row) and posts.author[ids].tolist() == threads.speakers(row)
        assert posts.kind[ids].tolist() == [0] + [3] * (len(ids) - 1)
        assert posts.original[ids].tolist() == [-1] + [ids[0]] * (len(ids) - 1)
        assert posts.parent[ids][1:].tolist() == ids[table.parent[row, 1 : table.done[row]]].tolist()
    assert len(posts) == int(table.done.sum())
    made = np.bincount(posts.parent[posts.parent >= 0], minlength=len(posts))
    assert np.array_equal(posts.comments, made)


def test_a_blank_text_breaks_a_thread_off_and_is_refused():
    simulation, records = played(says=lambda slot: "  \n" if slot.path else "a post", reply=0.9)
    table = simulation.world["threads"].table
    assert table.broken.tolist() == (table.planned > 1).tolist() and (table.done == 1).all()
    assert {refusal.reason for record in records for refusal in record.refusals} == {"nothing was written"}
    assert simulation.world.measures()["threads.broken"][0] == table.broken.mean()


def test_texts_are_what_they_were_when_they_are_read_back():
    simulation, _ = played(says=lambda slot: f" \ud800 tab\t and {len(slot.path)} ")
    assert {text for n in range(5) for text in simulation.world["threads"].texts(n)} <= {f"? tab\t and {n}" for n in range(9)}


def test_an_edit_makes_a_version_and_changes_nothing_that_was_written():
    plan = [
        Intervention(0, "threads.open", {"threads": 4}),
        Intervention(1, "threads.edit", {"goal": "baking cakes", "drop": ["selling ovens"], "add": [{"allow": "cake tins"}]}),
        Intervention(1, "threads.open", {"threads": 4}),
    ]
    simulation, records = played(plan=plan, says=lambda slot: f"{slot.design.goal}: {len(slot.design.rules)}")
    threads = simulation.world["threads"]
    assert [threads.texts(n)[0] for n in range(8)] == ["baking bread: 2"] * 4 + ["baking cakes: 2"] * 4
    assert threads.table.version.tolist() == [0] * 4 + [1] * 4
    assert threads.designs[0][1].before == threads.designs[0][0].digest
    assert [rows.data["goal"][0] for record in records for rows in record.events if rows.kind == "threads.edited"] == ["baking cakes"]


def test_an_equal_insertion_has_an_equal_continuation_and_a_guest_is_in_one_thread_only():
    simulation, _ = played(reply=0.9, says=lambda slot: f"{slot.name} drew {slot.draw} after {'; '.join(text for _, text in slot.path)}")
    threads = simulation.world["threads"]
    longest = int(np.argmax(threads.table.done))
    texts, speakers, size = threads.texts(longest), threads.speakers(longest), len(threads.table)
    state = threads.state()
    for at in range(1, len(texts)):
        name = threads.name_of(speakers[at])
        phrase = simulation.world.population["member"]["phrase"][speakers[at]]
        ask(simulation, "what_if", thread=longest, after=at - 1, name=name, phrase=phrase, text=texts[at])
        assert threads.texts(size + at - 1) == texts and threads.speakers(size + at - 1) == speakers
    ask(simulation, "what_if", thread=longest, after=0, name="Rick", text="no!")
    new = len(threads.table) - 1
    assert threads.texts(new)[:2] == [texts[0], "no!"] and all("no!" in text for text in threads.texts(new)[2:])
    guest = threads.speakers(new)[1]
    assert threads.name_of(guest) == "Rick" and guest not in threads.pool(0)
    assert guest not in threads.speakers(new)[2:]
    for name, column in state["table"].items():
        assert np.array_equal(threads.table.state()[name][:size], column), name


def test_a_multiverse_keeps_prefix_people_and_length_and_draws_other_texts():
    simulation, _ = played(reply=0.9)
    threads = simulation.world["threads"]
    longest, size = int(np.argmax(threads.table.done)), len(threads.table)
    texts = threads.texts(longest)
    ask(simulation, "multiverse", thread=longest, position=2, width=4)
    others = [threads.texts(number) for number in range(size, size + 4)]
    assert all(one[:2] == texts[:2] and len(one) == len(texts) for one in others)
    assert len({tuple(one) for one in [texts, *others]}) == 5
    assert [threads.speakers(number) for number in range(size, size + 4)] == [threads.speakers(longest)] * 4
    assert (threads.table.sort[size:] == Sort.MULTIVERSE).all() and threads.table.alternative[size:].tolist() == [1, 2, 3, 4]
    assert simulation.world.measures()["threads.branches"][0] == 4


def test_a_copy_of_the_table_grows_by_itself_and_loses_nothing():
    simulation, _ = played(ticks=1)
    table = simulation.world["threads"].table
    copied = copy.deepcopy(table)
    copied.done[0] = 7
    copied.copy(1, 1, Sort.WHAT_IF, 1, np.array([99]))
    assert copied.done[0] == 7 and len(copied) == len(table) + 1 == 6
    assert table.done[0] != 7


def test_who_has_left_is_replaced():
    simulation, _ = played(reply=0.9, ticks=1, plan=[Intervention(0, "threads.open", {"threads": 3})])
    threads = simulation.world["threads"]
    longest = int(np.argmax(threads.table.done))
    gone = sorted(set(threads.speakers(longest)[2:]))[:2]
    for agent in gone:
        simulation.inject("population.leave", agents=[agent])
    ask(simulation, "what_if", thread=longest, after=0, name="Member 0", phrase="fond of 0 things", text="hello")
    assert not set(gone) & set(threads.speakers(len(threads.table) - 1)[1:])


def test_groups_have_threads_of_their_own():
    simulation, _ = played(groups=3, members=4)
    threads = simulation.world["threads"]
    assert np.bincount(threads.table.groups).tolist() == [15, 15, 15]
    group = simulation.world.population.get(threads.table.speaker[:, 0], "group")
    assert np.array_equal(group, threads.table.groups)
    assert threads.table.ids.max() >> SHIFT == 2


def test_the_same_words_with_the_same_key_and_never_two_keys_for_two_draws():
    _, records = played(reply=0.8)
    rows = [rows for record in records for rows in record.events if rows.kind in ("threads.posted", "threads.replied")]
    keys = [key for each in rows for key in each.data["key"]]
    assert len(set(keys)) == len(keys) > 20


@pytest.mark.parametrize(
    ("operation", "arguments", "words"),
    [
        ("what_if", {"thread": 99, "after": 0, "name": "X"}, "no thread 99; there are 0 to 14"),
        ("what_if", {"thread": -1, "after": 0, "name": "X"}, "no thread -1"),
        ("what_if", {"thread": 0, "after": 9, "name": "X"}, "after positions 0 to"),
        ("what_if", {"thread": 0, "after": 0, "name": " "}, "has a name"),
        ("what_if", {"thread": 0, "after": 0, "name": "X\nsystem:"}, "one printable line"),
        ("what_if", {"thread": 0, "after": 0, "name": "X", "text": "x" * 2_001}, "1 to 2000 characters"),
        ("what_if", {"thread": 0, "after": 0, "name": "X", "group": 1}, "no group 1"),
        ("multiverse", {"thread": 0, "position": 9}, "utterances 0 to"),
        ("multiverse", {"thread": 0, "position": 0, "width": 0}, "a width is 1 or more"),
        ("open", {"threads": -1}, "0 threads or more"),
        ("open", {"threads": 1, "groups": [7]}, "no group 7"),
        ("edit", {"drop": ["no such rule"]}, "no rule 'no such rule'; it has"),
        ("edit", {"add": [{"maybe": "x"}]}, "is no rule"),
        ("edit", {"goal": "two\nlines"}, "one line"),
    ],
)
def test_impossible_operations_are_refused_with_what_is_possible(operation, arguments, words):
    simulation, _ = played()
    with pytest.raises(UsageError, match=words):
        ask(simulation, operation, **arguments)


@pytest.mark.parametrize("wrong", [{"reply": 1.0}, {"reply": -0.1}, {"most": 101}, {"breaking": 1.1}, {"longest": 0}])
def test_impossible_rules_are_refused(wrong):
    with pytest.raises(UsageError):
        ThreadRules(**wrong)


def test_a_design_that_forbids_nothing_cannot_be_broken():
    with pytest.raises(UsageError, match="forbids nothing"):
        Casting(ThreadRules(), Randomness(1)).cast(np.arange(3), np.arange(3), 0)


def test_what_a_guest_does_is_known_to_nobody_else():
    simulation = build(1, reply=0.9)
    table = simulation.world.population["member"]
    from sociarium.kernel.population import Column, Visibility

    table.add_column(Column("behaviour", str, "", Visibility.OWN))
    assert leak_audit(simulation).planted["column behaviour"] == 6
