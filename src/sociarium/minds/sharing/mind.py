"""A mind that passes posts on with a stated chance: that of a classifier, of a planted law, or of anything else that can say one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from sociarium.environments.cascade.cascade import Cascade
from sociarium.kernel.actions import Actions
from sociarium.kernel.errors import UsageError
from sociarium.kernel.mind import Mind
from sociarium.kernel.turn import Observations, Turn
from sociarium.kernel.world import World
from sociarium.minds.sharing.classifier import Sharing

Array = NDArray[Any]
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

Commenting = Callable[[Ints, Ints], Sequence[str]]  # trials and users -> what each adds


class Embedder(Protocol):
    """A pure function from texts to vectors of one length, (texts, length), such as those of ``models.backends.embed``."""

    def vectors(self, texts: Sequence[str]) -> NDArray[Any]: ...


class ShareMind(Mind):
    """In a cascade: shares with ``sharing``'s chance for the pair and the text (its vector by ``embedder``), times the appeal that a label
    leaves. With the chance ``mutation`` who shares adds ``commenting``'s words.

    One uniform number an edge and trial (``draws`` ``user``: a user and trial) decides, whatever the tick: runs with the same seed differ
    by what was done to them alone. They are the numbers of ``spread`` with the stream ``cascade``.
    """

    def __init__(
        self,
        sharing: Sharing,
        embedder: Embedder,
        *,
        mutation: float = 0.0,
        commenting: Commenting | None = None,
        draws: Literal["edge", "user"] = "edge",
    ) -> None:
        if not 0 <= mutation <= 1 or (mutation > 0 and commenting is None):
            raise UsageError(f"ShareMind: mutation is {mutation}, a chance from 0 to 1; above 0 it needs commenting to say what is added")
        self.sharing, self.embedder = sharing, embedder
        self.mutation, self.commenting, self.draws = mutation, commenting, draws
        self._known: dict[str, Floats] = {}  # chances by edge of the post; nan: not asked yet
        self._vectors: dict[str, Floats] = {}

    def begin(self, world: World) -> None:
        environment = world[Cascade.name]
        if not isinstance(environment, Cascade):
            raise UsageError("ShareMind decides in a cascade (environments.cascade)")
        self.cascade = environment

    async def decide(self, turn: Turn, seen: Observations) -> Actions:
        if not turn.offered(f"{Cascade.name}.reshare"):
            return Actions()
        columns, network = seen[Cascade.name], self.cascade.network
        stream = turn.moment.randomness.stream(Cascade.name)
        trial, user = columns["trial"], columns["user"]
        unit = trial * network.nodes + user
        rows = unit if self.draws == "user" else trial * len(network) + columns["edge"]
        shares = columns["source"] >= 0
        shares[shares] = stream.at("share").uniform(rows[shares]) < self._chance(columns, shares)
        quotes = shares & (stream.at("mutation").uniform(unit) < self.mutation)
        actions = Actions.one(turn, "reshare", turn.agents[shares & ~quotes])
        if quotes.any() and self.commenting is not None:
            comments = np.empty(int(quotes.sum()), object)
            comments[:] = list(self.commenting(trial[quotes], user[quotes]))
            actions.add(turn, "quote", turn.agents[quotes], comment=comments)
        return actions

    def _chance(self, columns: Any, rows: NDArray[np.bool_]) -> Floats:
        """Of the rows that are shown something. The post itself is looked at once an edge, since trials see it over and over; all texts
        that somebody has added to are asked for together."""
        edge: Ints = columns["edge"][rows]
        text: Ints = columns["text"][rows]
        source, target = self.cascade.network.sources(), self.cascade.network.targets
        found, plain = np.empty(len(edge)), text == 0
        if plain.any():
            known = self._known.setdefault(self.cascade.texts[0], np.full(len(target), np.nan))
            asked = np.unique(edge[plain][np.isnan(known[edge[plain]])])
            if len(asked):
                known[asked] = self._ask(source[asked], target[asked], np.zeros(len(asked), np.int64))
            found[plain] = known[edge[plain]]
        if not plain.all():
            changed = edge[~plain]
            found[~plain] = self._ask(source[changed], target[changed], text[~plain])
        return found * columns["appeal"][rows]

    def _ask(self, source: Array, target: Array, text: Ints) -> Floats:
        numbers, place = np.unique(text, return_inverse=True)
        words: list[str] = [self.cascade.texts[int(number)] for number in numbers]
        if missing := [one for one in dict.fromkeys(words) if one not in self._vectors]:
            rows = np.asarray(self.embedder.vectors(missing), np.float64)
            self._vectors.update(zip(missing, rows, strict=True))
        posts = np.stack([self._vectors[one] for one in words])[place]
        return self.sharing.chance(source.astype(np.int64), target.astype(np.int64), posts)
