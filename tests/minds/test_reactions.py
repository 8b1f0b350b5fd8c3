"""Users by rule: who passes on, how emotion and attitude follow what is read, what is kept."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sociarium.environments.social.platform import Platform
from sociarium.environments.social.recommenders.recommender import NoFeed
from sociarium.environments.social.stances import Stances
from sociarium.kernel.actions import Actions
from sociarium.kernel.errors import UsageError
from sociarium.kernel.network import Network
from sociarium.kernel.population import Population
from sociarium.kernel.schedule import Rounds
from sociarium.kernel.simulation import Simulation
from sociarium.kernel.turn import Observations, Phase, Turn
from sociarium.minds.influence import InfluenceRules, MessagePool
from sociarium.minds.markov import MarkovKernel
from sociarium.minds.reactions import ReactionRules, Reactions
from sociarium.minds.resharing import Always, EachMessage, OneCoin, Read, Reshare, ShareOfThoseHeard

AS_READ = MarkovKernel.of([[[1.0, 0, 0]] * 3, [[0, 1.0, 0]] * 3, [[0, 0, 1.0]] * 3])  # one takes the level of the most stirring
COPY = MarkovKernel.of([[[1.0, 0]] * 2, [[0, 1.0]] * 2])


def read_of(rows: list[tuple[int, int, int, int]]) -> Read:
    """(reader, message, level, side), each from user 0."""
    columns = np.array(rows, np.int64).reshape(-1, 4).T
    nobody = np.zeros(columns.shape[1], np.int64)
    return Read(columns[0], columns[1], nobody, nobody + 2, nobody.astype(np.float64), columns[2], columns[3])


def decided(rules: ReactionRules, reads: list[Read], users: int = 4) -> list[Actions]:
    """What the mind decides in tick after tick, without any of it being carried out."""
    found: list[Actions] = []

    class Mind(Reactions):
        async def decide(self, turn: Turn, seen: Observations) -> Actions:
            found.append(await super().decide(turn, seen))
            return Actions()

    platform = Platform(Network.from_edges(users, [0], [1]), recommender=NoFeed())
    mind = Mind(lambda turn, seen: reads[turn.tick], rules)
    schedule = Rounds([Phase("read", "stances", shows=("platform",))], len(reads))
    Simulation(Population.of("user", users), [platform, Stances()], [mind], schedule, seed=1).run_sync()
    return found


def rows_of(actions: Actions, name: str) -> list[Any]:
    table = actions.tables.get(name)
    return [] if table is None else list(zip(table.agents.tolist(), *(column.tolist() for column in table.columns.values()), strict=True))


def test_emotion_follows_the_most_stirring_and_attitude_the_first_of_what_was_read():
    rules = ReactionRules(AS_READ, COPY, EachMessage(0.0))
    found = decided(rules, [read_of([(1, 0, 0, 1), (1, 1, 2, 0), (3, 2, 1, 0)])])[0]
    assert rows_of(found, "stances.hold") == [(1, 2, 1), (3, 1, 0)]
    assert "platform.repost" not in found.tables


def test_with_a_pool_the_weightiest_count_also_older_ones():
    pool = MessagePool(InfluenceRules(recency=0, relevance=1, authenticity=0))
    rules = ReactionRules(AS_READ, COPY, Always(), pool=pool, attended=1)
    first, second = read_of([(2, 0, 2, 1)]), read_of([(2, 1, 0, 0)])
    first.relevance[:] = 0.9
    found = decided(rules, [first, second])
    assert rows_of(found[0], "stances.hold") == [(2, 2, 1)]
    assert rows_of(found[1], "stances.hold") == [(2, 2, 1)]  # the older message still weighs more
    assert rows_of(found[0], "platform.repost") == [(2, 0)] and "platform.repost" not in found[1].tables


def test_who_passes_nothing_on_may_write_by_level_and_side():
    rules = ReactionRules(AS_READ, COPY, EachMessage(0.0), posting=(0.0, 0.0, 1.0), text=("no", "yes"))
    found = decided(rules, [read_of([(0, 0, 2, 1), (1, 1, 2, 0), (2, 2, 1, 1)])])[0]
    assert rows_of(found, "platform.create_post") == [(0, "yes"), (1, "no")]


def test_nothing_read_nothing_done():
    assert decided(ReactionRules(), [read_of([])])[0].tables == {}


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (Always(), [True, True, False]),
        (EachMessage(1.0), [True, True, False]),
        (EachMessage(0.0), [False, False, False]),
        (EachMessage(1.0, factor=[0, 1, 1]), [False, True, False]),
        (EachMessage([0.0, 0.0, 1.0]), [False, True, False]),
        (OneCoin(1.0), [True, True, False]),
        (ShareOfThoseHeard(0.5, [4, 4, 4]), [True, False, False]),
    ],
)
def test_each_rule_decides_as_it_says(rule: Reshare, expected: list[bool]):
    results: list[Any] = []

    class Probe(Reshare):
        def willing(self, turn: Turn, read: Read, levels: Any) -> Any:
            rule.admit(3)
            results.append(rule.decide(turn, read, np.array([0, 2, 2])).tolist())
            results.append(rule.decide(turn, read, np.array([0, 2, 2])).tolist())
            return np.zeros(len(turn.agents), np.bool_)

    decided(ReactionRules(reshare=Probe()), [read_of([(0, 0, 0, 0), (0, 1, 0, 0), (1, 2, 0, 0)])], users=3)
    assert results[0] == expected
    if not isinstance(rule, ShareOfThoseHeard):
        assert results[1] == [False, False, False]  # once, and with one coin never again


def test_each_message_is_a_coin_of_its_own_and_one_coin_is_one_a_user():
    users, heard = 3000, 4
    reads = read_of([(user, heard * user + number, 0, 0) for user in range(users) for number in range(heard)])
    shares: list[float] = []
    for rule in (EachMessage(0.2), OneCoin(0.2)):
        found = decided(ReactionRules(reshare=rule), [reads], users=users)[0]
        shares.append(len(found.tables["platform.repost"]) / users)
    for share, expected in zip(shares, (1 - 0.8**heard, 0.2), strict=True):
        assert abs(share - expected) <= 4 * (expected * (1 - expected) / users) ** 0.5


def test_a_mind_comes_back_from_its_state():
    rules = ReactionRules(reshare=OneCoin(0.5), pool=MessagePool())
    decided(rules, [read_of([(0, 0, 0, 0), (1, 1, 0, 0)])])
    mind = Reactions(lambda turn, seen: read_of([]), rules)
    again = Reactions(lambda turn, seen: read_of([]), ReactionRules(reshare=OneCoin(0.5), pool=MessagePool()))
    again.load(mind.state())
    left, right = mind.state(), again.state()
    assert left["reshare"]["asked"].tolist() == right["reshare"]["asked"].tolist() == [True, True, False, False]
    assert len(again.rules.pool) == 2  # type: ignore[arg-type]


def test_chances_outside_are_said():
    with pytest.raises(UsageError, match="a chance lies from 0 to 1"):
        EachMessage(1.2)
