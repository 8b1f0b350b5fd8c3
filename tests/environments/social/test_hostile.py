"""Posts, comments, names, group messages that want to be instructions: words change nothing but words. And what is saved comes back."""

from __future__ import annotations

import asyncio

import numpy as np

from sociarium.environments.social.platform import Platform
from sociarium.environments.social.posts import Kind, Posts
from sociarium.environments.social.recommenders.recommender import RecentPosts
from sociarium.environments.social.rules import PlatformRules
from sociarium.kernel.network import Network
from sociarium.kernel.population import Column, Population, Visibility
from sociarium.kernel.schedule import Rounds
from sociarium.kernel.simulation import Simulation
from sociarium.kernel.turn import Phase
from sociarium.minds.language import prompts
from sociarium.minds.language.act import Act, ActRules
from sociarium.minds.language.mind import LanguageMind
from sociarium.minds.language.persona import Persona
from sociarium.record.manifest import build_manifest
from sociarium.record.run import RunRecord
from sociarium.record.tree import survey
from sociarium.testing.fuzz import FuzzMind
from sociarium.testing.injection import injection_test

from .conftest import simulation

ACTS = ("create_post", "create_comment", "quote_post", "like_post", "follow", "report_post", "create_group", "send_to_group", "sign_up")
USERS = 24


def society() -> Simulation:
    """Everyone must sign up under a name of their own choice, posts, comments and founds groups; the model obeys what it reads."""
    people = Population.of("user", USERS, name=np.array([f"user {at}" for at in range(USERS)], object))
    people["user"].add_column(Column("role", str, "", Visibility.HIDDEN), np.array(["spy"] * USERS, object))
    network = Network.from_edges(USERS, np.arange(USERS), (np.arange(USERS) + 1) % USERS)
    social = Platform(network, recommender=RecentPosts(8), rules=PlatformRules(sign_up=True), products=("tea",))
    acts = [Act(ActRules(actions=("platform.sign_up",), phases=("join",)), name="join")]
    for name in ACTS[:-1]:
        acts.append(Act(ActRules(actions=(f"platform.{name}",), phases=(name,)), name=name))
    phases = [Phase("join", "platform", offers=("sign_up",)), *(Phase(name, "platform", offers=(name,)) for name in ACTS[:-1])]
    return Simulation(people, [social], [LanguageMind([Persona(), *acts], prompts())], Rounds(phases, 2), seed=1)


def test_a_platform_of_obedient_users_holds():
    report = injection_test(society)
    assert len(report.obeyed) >= 20
    assert set(report.forms) == {"wanted", "worst", "copied", "twice"}


def recorded(folder, ticks, *, mode=None):
    """A run of restless users with a record; how it stands."""
    made = simulation(minds=[FuzzMind(4)], ticks=12, rules=PlatformRules(exposures="pairs"), products=("tea",), recommender=RecentPosts(3))
    record = RunRecord.create(folder, build_manifest("test", {}, 1), tick_group=1) if mode is None else RunRecord.open(folder, mode=mode)
    with record:
        if mode == "resume":
            done, state = record.latest_snapshot()
            made.load(state)
            assert done == made.world.clock.tick
        made.record = record
        asyncio.run(made.run(ticks))
        return survey(made.state()).digest, record.digest()


def test_a_run_that_is_paused_and_resumed_is_the_run_that_was_not_and_replays(tmp_path):
    whole = recorded(tmp_path / "whole", None)
    recorded(tmp_path / "parts", 5)
    assert recorded(tmp_path / "parts", None, mode="resume") == whole
    assert recorded(tmp_path / "parts", None, mode="replay") == whole


def test_a_snapshot_stores_what_was_written_before_only_once():
    """Texts lie one after another: all of their chunks but the last are the same in every later snapshot."""
    posts = Posts()
    posts.append(np.zeros(60_000, np.int64), 0, Kind.POST, ["a text of some length, so that there are several chunks"] * 60_000)
    before = survey({"bytes": posts.texts.state()["bytes"]}).chunks
    posts.append(np.zeros(100, np.int64), 1, Kind.POST, ["ä new one"] * 100)
    after = survey({"bytes": posts.texts.state()["bytes"]}).chunks
    assert len(before) == len(after) == 4
    assert len(set(before) & set(after)) == 3
    assert posts.words([59_999, 60_099]).tolist() == ["a text of some length, so that there are several chunks", "ä new one"]
