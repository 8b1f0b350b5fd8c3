"""Two recorded discourses held against each other."""

from __future__ import annotations

import asyncio
from dataclasses import astuple

import numpy as np
import pytest

from sociarium.environments.social.discourse import EVENTS
from sociarium.kernel.errors import UsageError
from sociarium.lab import running
from sociarium.lab.discourse_runs import RESHARES, DiscourseLikeness, DiscourseTrace
from sociarium.scenarios.posim.scenario import Posim


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Two seeds, and the first without excitation."""
    home, scenario = tmp_path_factory.mktemp("runs"), Posim.of({"users": 60, "steps": 14})
    finished = {}
    for name, one, seed in (("first", scenario, 1), ("second", scenario, 2), ("uniform", scenario.changed({"clock": "uniform"}), 3)):
        finished[name] = (home / name, asyncio.run(running.start(one, seed, home / name)).simulation)
    return finished


def test_a_trace_is_the_record_of_acts_and_has_the_platforms_networks(runs):
    folder, simulation = runs["first"]
    trace, platform = DiscourseTrace.of(folder), simulation.world["platform"]
    assert len(trace.act) == platform.acted.sum() and trace.ticks == 14
    assert trace.activity().sum() == len(trace.act)
    ours, theirs = trace.network(RESHARES, platform.users), platform.repost_network()
    assert ours.nodes == theirs.nodes
    made = trace.post[np.isin(trace.act, [EVENTS.index(kind) for kind in RESHARES])]
    assert len(made) == int((platform.posts.kind == 1).sum() + (platform.posts.kind == 2).sum())
    passed_on = trace.parent[np.isin(trace.act, [EVENTS.index(kind) for kind in RESHARES])]
    sizes = trace.cascade_sizes()
    assert sizes.min() >= 2 and sizes.sum() == len(np.unique(np.concatenate([made, passed_on])))


def test_a_run_is_like_itself_and_another_seed_is_more_like_it_than_another_clock(runs):
    first, second, uniform = (DiscourseTrace.of(folder) for folder, _ in runs.values())
    same = DiscourseLikeness.of(first, first)
    assert same.average() == pytest.approx(1)
    assert np.allclose(astuple(same), [0, 1, 0, 1, 0, 0, 1, 1, 1])
    near, far = DiscourseLikeness.of(first, second), DiscourseLikeness.of(first, uniform)
    assert near.acts < 0.1 and near.activity > 0.5 > far.activity
    assert far.average() < near.average() < 1


def test_a_run_without_acts_is_refused(tmp_path):
    asyncio.run(running.start(Posim.of({"users": 10, "steps": 1, "background": 0.0}), 1, tmp_path / "run"))
    with pytest.raises(UsageError, match="no acts of a discourse"):
        DiscourseTrace.of(tmp_path / "run")
