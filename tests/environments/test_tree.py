"""The tree of shared objects (agentscope, item 9)."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sociarium.environments.tree import Held, SharedTree, Tree, TreeEvent
from sociarium.kernel.actions import Actions
from sociarium.kernel.errors import UsageError
from sociarium.kernel.mind import Mind
from sociarium.kernel.population import Population
from sociarium.kernel.schedule import Rounds
from sociarium.kernel.simulation import Simulation
from sociarium.kernel.turn import Phase
from sociarium.testing import purity_test, state_test


def test_a_listener_fires_once_an_event_after_the_change_with_name_arguments_and_return():
    tree = Tree()
    tree.add("market", "open")
    heard: list[tuple[TreeEvent, str]] = []
    tree.listen("market", lambda event: heard.append((event, tree.item("market").value)))
    tree.set("market", "closed", agent=2)
    assert heard == [(TreeEvent("set", "market", {"value": "closed"}, 2, "closed"), "closed")]
    tree.move("market", 1.0, 2.0)
    assert heard[1][0] == TreeEvent("move", "market", {"x": 1.0, "y": 2.0}, -1, (1.0, 2.0))


def test_a_listener_hears_its_own_object_and_event_only():
    tree = Tree()
    for path in ("a", "b"):
        tree.add(path)
    heard: list[TreeEvent] = []
    tree.listen("a", heard.append, "hold")
    tree.set("a", "1")
    tree.hold("b", agent=1)
    assert heard == []
    tree.hold("a", agent=1)
    assert [event.name for event in heard] == ["hold"]


def test_what_is_refused_changes_nothing_and_is_no_event():
    tree = Tree()
    tree.add("door", "shut")
    tree.hold("door", agent=1)
    heard: list[TreeEvent] = []
    tree.listen("door", heard.append)
    for act in (
        lambda: tree.set("door", "open", agent=2),
        lambda: tree.move("door", 1, 1, agent=2),
        lambda: tree.hold("door", agent=2),
        lambda: tree.release("door", agent=2),
        lambda: tree.remove("door", agent=2),
        lambda: tree.add("door/handle", agent=2),
        lambda: tree.set("door", "open"),
    ):
        with pytest.raises(Held, match="held by agent 1"):
            act()
    assert heard == [] and tree.item("door").value == "shut" and tree.children("door") == []
    tree.set("door", "open", agent=1)
    assert tree.release("door", agent=1) is True
    assert tree.set("door", "ajar", agent=2) == "ajar"


@given(st.lists(st.tuples(st.sampled_from(["add", "remove"]), st.sampled_from(["a", "b", "a/x", "a/y", "b/x", "a/x/1"])), max_size=30))
def test_names_stay_unique_and_no_object_is_without_its_parent(steps):
    tree, model = Tree(), set()
    for name, path in steps:
        parent = path.rpartition("/")[0]
        legal = (path not in model and (not parent or parent in model)) if name == "add" else path in model
        if not legal:
            with pytest.raises(UsageError):
                getattr(tree, name)(path)
            continue
        getattr(tree, name)(path)
        model = model | {path} if name == "add" else {each for each in model if each != path and not each.startswith(path + "/")}
    assert set(tree.items) == model
    names = [f"{parent}/{name}" if parent else name for parent in ("", *model) for name in tree.children(parent)]
    assert len(names) == len(set(names)) == len(model)


class Grabbing(Mind):
    """Everybody holds the one ball and writes its own id into it; the last round lets go."""

    async def decide(self, turn, seen):
        ball = np.full(len(turn.agents), "ball", object)
        actions = Actions.one(turn, "hold", path=ball)
        actions.add(turn, "set", turn.agents, path=ball, value=turn.agents.astype(str).astype(object))
        if turn.tick == 2:
            actions.add(turn, "release", turn.agents, path=ball)
        return actions


def build():
    population = Population.of("child", 6, group=np.array([0, 0, 0, 1, 1, 1]))
    return Simulation(population, [SharedTree({"ball": "new"})], [Grabbing()], Rounds([Phase("play", "tree")], 3))


def test_in_a_run_the_first_agent_of_each_group_has_the_lock_and_others_are_told_why_not():
    simulation = build()
    records = []
    simulation.on_tick.append(records.append)
    simulation.run_sync()
    tree = simulation.world["tree"]
    assert [tree.trees[group].item("ball").value for group in (0, 1)] == ["0", "3"]
    assert {refusal.agent for refusal in records[0].refusals} == {1, 2, 4, 5}
    assert all("held by agent" in refusal.reason for refusal in records[0].refusals)
    assert [tree.trees[group].item("ball").owner for group in (0, 1)] == [-1, -1]


def test_the_environment_keeps_the_contract_of_environments():
    state_test(build)
    purity_test(build)
