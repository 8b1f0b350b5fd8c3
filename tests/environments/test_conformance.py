"""The shipped conformance checks, over every environment of this part."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from sociarium.environments.commons.commons import Commons, CommonsRules
from sociarium.environments.conversation.conversation import Conversation
from sociarium.environments.conversation.rules import Opening, TalkRules
from sociarium.environments.ecology.ecology import Ecology, EcologyRules
from sociarium.environments.emotions.emotions import Emotions
from sociarium.environments.games.donor import DonorGame
from sociarium.environments.games.guess import GuessAverage, GuessRules
from sociarium.environments.games.matches import Matches, MatchRules
from sociarium.environments.games.public_goods import GoodsRules, PublicGoods
from sociarium.environments.games.rules import DonorRules
from sociarium.environments.labour.labour import Labour, LabourRules
from sociarium.environments.opinion.opinion import Model, Opinion, OpinionRules
from sociarium.kernel.environment import Environment
from sociarium.kernel.network import Network
from sociarium.kernel.population import Population
from sociarium.kernel.schedule import Rounds
from sociarium.kernel.simulation import Simulation
from sociarium.kernel.turn import Phase
from sociarium.testing.environments import environment_test, probe_test, purity_test, refusal_test, sharing_test, state_test
from sociarium.testing.fuzz import FuzzMind


def people(size: int, groups: int, kind: str = "player", **columns: object) -> Population:
    names = np.array([f"Agent {i}" for i in range(size)], object)
    return Population.of(kind, size, group=np.arange(size) * groups // size, name=names, **columns)


def simulated(environments: Callable[[], list[Environment]], phases: list[Phase], rounds: int, everyone: Callable[[], Population]):
    return lambda: Simulation(everyone(), environments(), [FuzzMind(3)], Rounds(phases, rounds), seed=7)


def moderated() -> Population:
    everyone = people(12, 3)
    everyone.declare("moderator")
    everyone.admit("moderator", 3, group=np.arange(3), name=np.array(["M0", "M1", "M2"], object))
    return everyone


TALKS = {
    f"talk by {taking}, end {end}": simulated(
        lambda taking=taking, end=end: [
            Commons(CommonsRules(harvesters=("player",))),
            Conversation(TalkRules(taking, 5, end, moderator="moderator", opening=Opening("commons.reported", "$name: $caught"))),
        ],
        [Phase("harvest", "commons", who=("player",)), Phase("talk", "conversation", shows=("commons",))],
        4,
        moderated,
    )
    for taking, end in (("rotation", "any"), ("random", "majority"), ("named", "never"), ("bid", "any"))
}
DONOR = [Phase("strategy", "donor", every=8), Phase("round", "donor")]


def donor_rules(generations: int) -> DonorRules:
    return DonorRules(agents=6, rounds=4, generations=generations, punishment=True, refusal=True, error_rate=0.2)


def in_threes(size: int) -> Network:
    """Three agents after one another hear each other."""
    first = np.arange(0, size, 3)
    return Network.from_edges(size, [*first, *(first + 1)], [*(first + 1), *(first + 2)], mutual=True)


BUILDS = {
    "commons": simulated(lambda: [Commons()], [Phase("harvest", "commons")], 5, lambda: people(12, 3)),
    "trash": simulated(
        lambda: [Commons(CommonsRules.trash(allocation="proportional"))], [Phase("out", "commons")], 5, lambda: people(12, 3)
    ),
    **TALKS,
    "donor": simulated(lambda: [DonorGame(donor_rules(1))], DONOR, 8, lambda: people(18, 3)),
    "guess": simulated(
        lambda: [GuessAverage(GuessRules(partition="server"))], [Phase("round", "guess")], 4,
        lambda: people(14, 2, server=np.arange(14) % 3),
    ),
    "public goods": simulated(
        lambda: [PublicGoods(GoodsRules(partition="team"))], [Phase("round", "public_goods")], 4,
        lambda: people(24, 2, team=np.arange(24) // 4),
    ),
    **{
        f"matches of {meet}": simulated(
            lambda meet=meet: [Matches(rules=MatchRules(meet))], [Phase("round", "match")], 4, lambda: people(13, 3)
        )
        for meet in ("pairs", "shuffled", "everyone")
    },
    **{
        f"opinion by {model}": simulated(
            lambda model=model: [Opinion(in_threes(12), OpinionRules(model, noise=0.1))], [Phase("talk", "opinion")], 5,
            lambda: people(12, 4),
        )
        for model in Model
    },
    "emotions": simulated(lambda: [Emotions(start=[0.1, 0, 0.7, 0, 0, 0])], [Phase("live", "emotions")], 4, lambda: people(12, 3)),
    "labour": simulated(
        lambda: [Labour(LabourRules(counties=2))], [Phase("month", "labour")], 5, lambda: people(12, 3, county=np.arange(12) % 2)
    ),
    "ecology": simulated(
        lambda: [Ecology(EcologyRules(rows=3, columns=3, regrowth=4))], [Phase("day", "ecology")], 8, lambda: Ecology.population(3, 6, 3)
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BUILDS)
def test_environment_keeps_its_contract(name: str) -> None:
    environment_test(BUILDS[name])


def test_generations_of_donors_keep_their_contract() -> None:
    """All but that a group lives alone as among others: the ids of newcomers tell how many came in other groups."""
    build = simulated(lambda: [DonorGame(donor_rules(3))], DONOR, 24, lambda: people(18, 3))
    for check in (purity_test, sharing_test, refusal_test, state_test, probe_test):
        check(build)
