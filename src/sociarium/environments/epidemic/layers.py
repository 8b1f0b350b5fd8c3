"""Where people meet: layers of contacts, which stand for years or are drawn anew each day."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sociarium.environments.epidemic.model import Contacts, People
from sociarium.kernel.errors import UsageError
from sociarium.kernel.network import Network
from sociarium.kernel.randomness import Randomness, Stream

Ints = NDArray[np.int64]
CONTACTS = "epidemic.contacts"
CHECKED = 1 << 22  # contacts whose ends are compared at a time


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """Contacts of one kind (household, workplace, school, anyone), each of ``weight`` B. One of three is given:

    ``network``: the same contacts every day, from who infects to who is infected (give both directions: ``mutual``).
    ``drawn``: every day each agent meets so many members of its world, drawn evenly, with repeats; who is infectious infects those
    it meets (so each is met by as many on average).
    ``mixed``: everyone of a world with everyone, each with weight B / size of the world.

    ``needs``: only agents take part for whom this is true: a name of ``Epidemic``'s (``working``), or a column of the population.
    ``at_home``: contacts that go on in isolation and quarantine (the household).
    """

    name: str
    weight: float = 1.0
    network: Network | None = None
    drawn: int = 0
    mixed: bool = False
    needs: str | None = None
    at_home: bool = False

    def __post_init__(self) -> None:
        if (self.network is not None) + (self.drawn > 0) + self.mixed != 1 or self.drawn < 0:
            raise UsageError(f"layer {self.name!r} needs exactly one of a network, a number of contacts drawn a day, and mixed")
        if not 0 <= self.weight < float("inf"):
            raise UsageError(f"layer {self.name!r} has weight {self.weight}: a finite number, 0 or more")


class Worlds:
    """Members of each world, for draws among them. ``members`` is empty where the only world is everyone, in order of id."""

    __slots__ = ("bounds", "members")

    def __init__(self, people: People) -> None:
        if people.groups == 1:
            self.members = np.empty(0, np.int32)
            self.bounds = np.array([0, len(people.group)], np.int64)
        else:
            self.members = np.argsort(people.group, kind="stable").astype(np.int32)
            self.bounds = np.concatenate([[0], np.cumsum(np.bincount(people.group, minlength=people.groups))]).astype(np.int64)

    def met(self, agents: Ints, contacts: int, people: People, stream: Stream) -> Ints:
        """Who is met, (agents, contacts); the n-th draw of an agent is its number n."""
        worlds = people.group[agents]
        size = self.bounds[worlds + 1] - self.bounds[worlds]
        place = stream.uniform(agents[:, None], np.arange(contacts, dtype=np.int64)[None, :])
        at = self.bounds[worlds][:, None] + (place * size[:, None]).astype(np.int64)
        return self.members[at].astype(np.int64) if len(self.members) else at


def meetings(randomness: Randomness, tick: int, layer: Layer) -> Stream:
    """The stream by which the contacts of a day are drawn."""
    return randomness.stream(CONTACTS, tick, layer.name)


def contacts_of(layer: Layer, senders: Ints, people: People, worlds: Worlds, meeting: Stream | None) -> Contacts:
    """Today's contacts of these agents in a layer (``senders`` ascending), as lists of both ends."""
    nobody = np.empty(0, np.int64)
    if layer.mixed:
        return Contacts(nobody, nobody, layer.weight, mixed=True)
    if layer.network is None:
        if meeting is None:
            raise UsageError(f"layer {layer.name!r} is drawn anew each day: give the stream")
        return Contacts(np.repeat(senders, layer.drawn), worlds.met(senders, layer.drawn, people, meeting).reshape(-1), layer.weight)
    starts = layer.network.starts
    counts = np.asarray(starts[senders + 1] - starts[senders], np.int64)
    ends = np.cumsum(counts)
    at = np.arange(int(ends[-1]) if len(ends) else 0, dtype=np.int64) + np.repeat(starts[senders] - (ends - counts), counts)
    return Contacts(np.repeat(senders, counts), layer.network.targets[at].astype(np.int64), layer.weight)


def checked(layers: Sequence[Layer], people: People) -> None:
    """Raise UsageError where layers share a name, a network has the wrong size, or a contact joins two worlds."""
    if len({layer.name for layer in layers}) != len(layers):
        raise UsageError(f"two layers have one name: {', '.join(layer.name for layer in layers)}")
    for layer in layers:
        if layer.network is None:
            continue
        if layer.network.nodes != len(people.group):
            raise UsageError(f"layer {layer.name!r} is a network of {layer.network.nodes} nodes for {len(people.group)} agents")
        if people.groups > 1:
            _within_worlds(layer, layer.network, people.group)


def _within_worlds(layer: Layer, network: Network, group: NDArray[Any]) -> None:
    starts, targets = network.starts, network.targets
    first = 0
    while first < network.nodes:
        last = max(first + 1, int(np.searchsorted(starts, starts[first] + CHECKED, side="right")) - 1)
        last = min(last, network.nodes)
        sources = np.repeat(np.arange(first, last), np.diff(starts[first : last + 1]))
        apart = group[sources] != group[targets[starts[first] : starts[last]]]
        if apart.any():
            source, target = int(sources[apart][0]), int(targets[starts[first] : starts[last]][apart][0])
            raise UsageError(f"layer {layer.name!r} joins agents {source} and {target}, who live in different worlds (groups)")
        first = last
