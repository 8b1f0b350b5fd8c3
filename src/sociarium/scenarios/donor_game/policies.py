"""Strategies that follow a rule, as sentences: what is handed on between generations is the text, as between language players.

One vectorised call for any number of players.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sociarium.kernel.actions import Actions
from sociarium.kernel.mind import Mind
from sociarium.kernel.turn import Observations, Turn

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

KINDS = ("unconditional", "defector", "image", "forgiving", "links", "tipping", "punisher", "refuser")
PIVOT = 0.49  # donated part at which tipping players neither rise nor fall
PUNISHMENT = 0.125  # part of its resources that a punisher spends
OPENING = "My strategy will be"

_TEXT = re.compile(rf"{OPENING}: (\w+), share ([-\d.e]+), floor ([-\d.e]+), slope ([-\d.e]+)\.")


@dataclass(frozen=True, slots=True)
class Policy:
    """What a player gives.

    ``unconditional`` gives ``share`` of what it has, ``defector`` nothing. ``image`` refuses who gave less than ``floor`` last;
    ``forgiving`` too, unless that one's partner had itself given less. ``links`` gives the mean of the shown gifts + ``slope``, and
    ``tipping`` 0.49 + slope (mean - 0.49); both give ``share`` when nothing is shown. ``punisher`` punishes whom image would refuse.
    ``refuser`` plays with nobody.
    """

    kind: str = "unconditional"
    share: float = 0.5
    floor: float = 0.25
    slope: float = 0.0

    def text(self) -> str:
        """As a sentence that ``read`` understands."""
        return f"{OPENING}: {self.kind}, share {self.share:.6g}, floor {self.floor:.6g}, slope {self.slope:.6g}."


@lru_cache(maxsize=65_536)
def read(text: str) -> Policy:
    """The policy of a sentence; whoever has no readable strategy gives nothing."""
    found = _TEXT.match(text)
    if found is None or found[1] not in KINDS:
        return Policy("defector")
    return Policy(found[1], *(float(found[at]) for at in (2, 3, 4)))


class Strategists(Mind):
    """``mutation``: standard deviation of the share that a newcomer changes in what it inherits. ``innovation``: the chance that it takes
    one of ``founders`` (with the share it would have inherited) instead."""

    def __init__(
        self, *, mutation: float = 0.0, innovation: float = 0.0, founders: Sequence[str] = ("unconditional",), slope: float = 0.0
    ) -> None:
        self.mutation, self.innovation = mutation, innovation
        self.founders = tuple(founders)
        self.slope = slope

    async def decide(self, turn: Turn, seen: Observations) -> Actions:
        if turn.offered("donor.state_strategy"):
            return Actions.one(turn, "donor.state_strategy", text=self.stated(turn, seen["donor"]))
        return played(turn, seen["donor"]) if turn.offered("donor.donate") else Actions()

    def stated(self, turn: Turn, seen: Mapping[str, Any]) -> NDArray[np.object_]:
        """Founders say what they were born with; newcomers vary the strategy of a survivor drawn at random."""
        texts = np.array(seen["strategy"], object)
        new = np.flatnonzero((seen["survivors"] >= 0).any(axis=1))
        if not len(new):
            return texts
        agents, elders = turn.agents[new], seen["inherited"][new]
        parent = turn.random("parent").integers(0, elders.shape[1] - 1, agents)
        moved = self.mutation * turn.random("mutation").normal(agents)
        invents = turn.random("innovation").uniform(agents) < self.innovation
        kinds = turn.random("founder").integers(0, len(self.founders) - 1, agents)
        for at, row in enumerate(new.tolist()):
            policy = read(elders[at, parent[at]])
            if invents[at]:
                policy = replace(policy, kind=self.founders[int(kinds[at])], slope=self.slope)
            texts[row] = replace(policy, share=float(np.clip(policy.share + moved[at], 0.0, 1.0))).text()
        return texts


def played(turn: Turn, seen: Mapping[str, Any]) -> Actions:
    """What each does with its partner."""
    policies = [read(text) for text in seen["strategy"]]
    kinds = np.array([KINDS.index(policy.kind) for policy in policies], np.int64)
    share, floor, slope = (np.array([getattr(policy, name) for policy in policies]) for name in ("share", "floor", "slope"))
    known = seen["trace_donors"] >= 0
    gave = np.where(known, np.nan_to_num(np.maximum(seen["trace_shares"], 0.0)), 0.0)  # spent on punishing, or refused: nothing given
    first = known[:, 0] & (gave[:, 0] < floor)
    excused = known[:, 1] & (gave[:, 1] < floor) if known.shape[1] > 1 else np.zeros(len(known), np.bool_)
    some = known.any(axis=1)
    mean = gave.sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    parts = {
        "unconditional": share,
        "defector": np.zeros(len(share)),
        "image": np.where(first, 0.0, share),
        "forgiving": np.where(first & ~excused, 0.0, share),
        "links": np.where(some, mean + slope, share),
        "tipping": np.where(some, PIVOT + slope * (mean - PIVOT), share),
        "punisher": np.where(first, 0.0, share),
        "refuser": np.zeros(len(share)),
    }
    part = np.clip(np.choose(kinds, [parts[kind] for kind in KINDS]), 0.0, 1.0)
    return _acts(turn, seen["resources"], part, (kinds == KINDS.index("punisher")) & first, kinds == KINDS.index("refuser"))


def _acts(turn: Turn, resources: Floats, part: Floats, punishes: Bools, refuses: Bools) -> Actions:
    punishes = punishes & turn.offered("donor.punish")
    refuses = refuses & turn.offered("donor.refuse")
    gives = ~(punishes | refuses)
    actions = Actions()
    if gives.any():
        actions.add(turn, "donor.donate", turn.agents[gives], amount=(part * resources)[gives])
    if punishes.any():
        actions.add(turn, "donor.punish", turn.agents[punishes], amount=PUNISHMENT * resources[punishes])
    if refuses.any():
        actions.add(turn, "donor.refuse", turn.agents[refuses])
    return actions
