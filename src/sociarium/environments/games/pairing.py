"""Who gives to whom in a donor game, round by round, and what a recipient's reputation shows.

The game is the one of "Cultural Evolution of Cooperation among LLM Agents" (arXiv 2412.10270): an even number of agents in two
sides A and B, one side rotated against the other, roles alternating strictly.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sociarium.kernel.errors import UsageError

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

MAXIMUM_LINKS = 3


def donor_schedule(agents: int, rounds: int, *, released_order: bool = False) -> Ints:
    """Donors and recipients, shape (rounds, agents / 2, 2); agents 0 .. n/2 - 1 are side A, the rest side B.

    In round r of the first n/2, A_i meets B_(i + r - 1), A giving in odd rounds and B in even ones. The second half replays the
    first with roles reversed, in an order that keeps every agent alternating between giving and receiving and never lets a pair
    meet twice running: rounds 2, 1, 4, 3, 6, 5 for twelve agents. No directed pair repeats.

    ``released_order`` is the schedule of the released notebook: the second half in the order of the first, so that the same side
    gives in two rounds running, which halves the resources under full donation (15 360 instead of 30 720).
    """
    side = agents // 2
    if agents % 2 or side < 3:
        raise UsageError(
            f"a donor game needs an even number of at least 6 agents, not {agents}: with fewer, a pair would meet twice running"
        )
    if not 1 <= rounds <= agents:
        raise UsageError(f"{rounds} rounds among {agents} agents: give 1 to {agents}, for then every directed pair has met once")
    first = [_first_half(side, number) for number in range(side)]
    order = range(side) if released_order or side % 2 else [number ^ 1 for number in range(side)]
    second = [first[number][:, ::-1] for number in order]
    return np.stack([*first, *second])[:rounds]


def swap_roles(schedule: Ints) -> Ints:
    """The second game of a generation: every donor receives and every recipient gives."""
    return schedule[:, :, ::-1].copy()


def shuffled(schedule: Ints, order: Ints) -> Ints:
    """The same schedule with place k taken by agent ``order[k]``."""
    if sorted(order.tolist()) != list(range(len(order))):
        raise UsageError("an order must hold every agent exactly once")
    return order[schedule]


def donate(resources: Floats, donors: Ints, recipients: Ints, given: Floats, multiplier: float = 2.0) -> Floats:
    """Resources after one round of gifts: donors lose x, recipients gain ``multiplier`` * x. Units; shape (agents,)."""
    after = resources.copy()
    after[donors] -= given
    after[recipients] += multiplier * given
    return after


def punish(resources: Floats, punishers: Ints, targets: Ints, spent: Floats, factor: float = 2.0) -> Floats:
    """Resources after one round of costly punishment: x is spent, the target loses ``factor`` * x but never falls below nothing."""
    after = resources.copy()
    after[punishers] -= spent
    after[targets] = np.maximum(0, after[targets] - factor * spent)
    return after


@dataclass(frozen=True, slots=True)
class Traces:
    """What can be known about each agent: its last gift as a donor, then what that recipient had given before, and so on.

    Link 0 of row i is i's own last gift; link k + 1 is the last gift, at that moment, of the recipient of link k. Links are shown to
    whoever gives to i next. Arrays have one row an agent and one column a link; -1 and nan where there is none.
    """

    donors: Ints
    recipients: Ints
    shares: Floats  # the part of its resources the donor of the link gave, 0 to 1

    @classmethod
    def empty(cls, agents: int, links: int = MAXIMUM_LINKS) -> Traces:
        """Nothing is known yet; chains will hold at most ``links`` links."""
        if not 1 <= links <= MAXIMUM_LINKS:
            raise UsageError(f"a trace shows 1 to {MAXIMUM_LINKS} links, not {links}")
        nobody = np.full((agents, links), -1, np.int64)
        return cls(nobody, nobody.copy(), np.full((agents, links), np.nan))

    @property
    def lengths(self) -> Ints:
        """How many links are known about each agent."""
        return (self.donors >= 0).sum(axis=1).astype(np.int64)

    def after(self, donors: Ints, recipients: Ints, shares: Floats) -> Traces:
        """The traces after one round in which each donor gave the share to its recipient: its act, then the recipient's chain."""
        result = Traces(self.donors.copy(), self.recipients.copy(), self.shares.copy())
        for known, act in ((result.donors, donors), (result.recipients, recipients), (result.shares, shares)):
            before = known[recipients]  # read whole before anything is written
            known[donors, 1:] = before[:, :-1]
            known[donors, 0] = act
        return result


def _first_half(side: int, number: int) -> Ints:
    """Round ``number`` + 1 of the rotation."""
    ours = np.arange(side)
    theirs = side + (ours + number) % side
    return np.stack([ours, theirs] if number % 2 == 0 else [theirs, ours], axis=1)
