"""Who is on the platform: profiles from independent tables, whom they follow, how active they are, and who posts what first."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sociarium.environments.wording import read_yaml
from sociarium.kernel.errors import UsageError
from sociarium.kernel.network import Network
from sociarium.kernel.population import Column, Population, Visibility
from sociarium.kernel.randomness import Randomness, Stream
from sociarium.populations.networks.copies import side_by_side
from sociarium.populations.networks.core_ordinary import core_ordinary
from sociarium.populations.networks.preferential import barabasi_albert
from sociarium.populations.tables import Table, drawn, read_tables
from sociarium.scenarios.oasis.data import Case, Topic, read_case, read_topics

if TYPE_CHECKING:
    from sociarium.scenarios.oasis.scenario import Oasis

HERE = Path(__file__).parent
Array = NDArray[Any]
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

CASE, TOPICS = "False_Business_0.csv", "all_topics.csv"
EACH = 2  # topics of a user


@dataclass(frozen=True, slots=True)
class Society:
    """Users and their ties. ``topics``: (users, 2). ``sources``: who posts each of ``texts`` first; ``classes``: what each text is."""

    profiles: dict[str, Array]
    network: Network
    topics: Ints
    sources: tuple[int, ...]
    texts: tuple[str, ...]
    classes: tuple[str, ...] = ()

    @property
    def users(self) -> int:
        return self.network.nodes


@cache
def words() -> dict[str, Any]:
    """Posts, stories and answers, from the file beside this one."""
    return read_yaml(HERE / "texts.yaml", "texts")


@cache
def tables() -> dict[str, Table]:
    return read_tables(HERE / "profiles.yaml")


def society(scenario: Oasis, seed: int) -> Society:
    """The users of an experiment, where its network comes from, and what is posted first."""
    random = Randomness(seed).stream("oasis.people")
    case, topic = read(scenario)
    size = case.network.nodes if case else scenario.size(topic)
    profiles = profiles_of(size * scenario.copies, random.at("profiles"), x_form=scenario.is_x)
    topics = interests_of(size, random.at("topics"))
    network = case.network if case else network_of(scenario, topics, size, random.at("network"))
    if case:
        profiles["description"] = np.array(case.descriptions * scenario.copies, object)
    sources, texts, classes = _begun(scenario, network, topics, case, topic)
    whole = side_by_side(network, scenario.copies) if scenario.copies > 1 else network
    if scenario.copies > 1:
        sources = tuple(size * copy + one for copy in range(scenario.copies) for one in sources)
        texts, classes, topics = texts * scenario.copies, classes * scenario.copies, np.tile(topics, (scenario.copies, 1))
    return Society(profiles, whole, topics, sources, texts, classes)


def read(scenario: Oasis) -> tuple[Case | None, Topic | None]:
    """The recorded cascade, or one row of the table of cascades, where the scenario names a folder of data."""
    if scenario.data is None:
        return None, None
    folder = Path(scenario.data)
    if scenario.topic is None:
        return (read_case(folder / CASE) if scenario.recorded else None), None
    topics = read_topics(folder / TOPICS)
    if scenario.topic not in topics:
        some = ", ".join(list(topics)[:5])
        raise UsageError(f"{folder / TOPICS} has no topic {scenario.topic!r}; of its {len(topics)} the first are {some}")
    return None, topics[scenario.topic]


def profiles_of(users: int, random: Stream, *, x_form: bool) -> dict[str, Array]:
    """Columns of the population: age, gender, country, personality type, profession; each independent of the others."""
    codes = drawn({name: table for name, table in tables().items() if name not in ("topic", "age" if x_form else "x_age")}, users, random)
    band = tables()["x_age" if x_form else "age"]
    ends = np.array([[int(end) for end in one.split("-")] for one in band.categories], np.int64)[codes.pop(band.name)]
    columns: dict[str, Array] = {name: tables()[name].words(values) for name, values in codes.items()}
    columns["age"] = random.at("years").integers(ends[:, 0], ends[:, 1], np.arange(users)).astype(np.int16)
    return columns


def interests_of(users: int, random: Stream) -> Ints:
    """(users, 2): two different topics each."""
    count = len(tables()["topic"].categories)
    first = random.integers(0, count - 1, np.arange(users))
    return np.stack([first, (first + random.integers(1, count - 1, np.arange(users), 1)) % count], axis=1)


def core_of(users: int, share: float | None) -> Array:
    """A mask: the first ``share`` of users are core users, at least one; where None, 2 %, and at most 200."""
    return np.arange(users) < max(1, min(200, round(0.02 * users)) if share is None else round(users * share))


def activity_of(scenario: Oasis, people: Society, seed: int) -> Floats:
    """(users, 24): each user's chance of being awake in a step of each hour."""
    if scenario.hours and (len(scenario.hours) != 24 or min(scenario.hours) < 0):
        raise UsageError(f"hours has {len(scenario.hours)} factors; give 24, one an hour of the day, each 0 or more")
    chance = scenario.timing().drawn(people.users, seed)
    if scenario.core_activity is not None:
        chance[np.tile(core_of(people.users // scenario.copies, scenario.core_share), scenario.copies)] = scenario.core_activity
    return np.minimum(1.0, chance[:, None] * np.array(scenario.hours or [1.0] * 24))


def network_of(scenario: Oasis, topics: Ints, users: int, random: Stream) -> Network:
    if scenario.experiment == "herd":
        return Network(np.zeros(users + 1, np.int64), np.empty(0, np.int32))
    if scenario.network == "preferential":
        return barabasi_albert(users, min(scenario.links, users - 1), random)
    return core_ordinary(topics, core_of(users, scenario.core_share), random, probability=scenario.follow_probability)


def activity_from_counts(counts: ArrayLike) -> Floats:
    """p_ij = f_ij / max_k f_kj: how often user i posted in hour j, over the most that anybody did in that hour; 0 where nobody did."""
    posted = np.asarray(counts, np.float64)
    if posted.ndim != 2 or posted.shape[1] != 24 or not (np.isfinite(posted) & (posted >= 0)).all():
        raise UsageError("hourly counts are a table (users, 24) of numbers, 0 or more")
    most = posted.max(axis=0, initial=0.0)
    return np.divide(posted, most, out=np.zeros_like(posted), where=most > 0)


def populated(scenario: Oasis, people: Society) -> Population:
    """Users first, by id as in the network; a poster and a rater behind them where there is an herd experiment."""
    own = [Column(name, np.int16 if name == "age" else str, 0, Visibility.OWN) for name in people.profiles if name != "description"]
    population = Population.of("user", people.users, own, **people.profiles)
    if scenario.experiment == "herd":
        for kind in ("poster", "rater"):
            population.declare(kind)
            population.admit(kind, 1, mind=1)
        population["user"]["mind"] = 0
    return population


def _begun(
    scenario: Oasis, network: Network, topics: Ints, case: Case | None, topic: Topic | None
) -> tuple[tuple[int, ...], tuple[str, ...], tuple[str, ...]]:
    """Who posts what at the beginning."""
    if scenario.experiment == "herd":
        return (), (), ()
    if case:
        return (case.source,), (case.text,), ()
    famous = np.argsort(-network.in_degrees(), kind="stable")
    if scenario.experiment != "misinformation":
        first = 0 if scenario.network == "preferential" else int(famous[0])
        text = words()["dilemma"] if scenario.experiment == "polarisation" else topic.text if topic else words()["source"]
        return (first,), (str(text).strip(),), (("true" if topic.true else "false",) if topic else ())
    sources: list[int] = []
    texts: list[str] = []
    for story in words()["stories"]:
        number = tables()["topic"].categories.index(story["topic"])
        near = [int(user) for user in famous if number in topics[user] and int(user) not in sources]
        if len(near) < 2:
            raise UsageError(f"misinformation needs two users for each topic, and {len(near)} care for {story['topic']}: take more users")
        sources += near[:2]
        texts += [story["truth"], story["rumour"]]
    return tuple(sources), tuple(texts), ("truth", "rumour") * len(words()["stories"])
