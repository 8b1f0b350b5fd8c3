"""How what users write passes moderation."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sociarium.environments.columnar import ranks
from sociarium.environments.social.checks import Checks
from sociarium.environments.social.site import Sieve
from sociarium.kernel.environment import Events
from sociarium.kernel.turn import Turn

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

MOST_ROWS = 64  # of one agent and action in one turn that have draws of their own


class Moderated(Checks):
    """Flags texts on their way in, and marks what stays."""

    def moderate(self, turn: Turn, sieve: Sieve) -> Bools:
        """Which of the rows that are kept are flagged; those to be blocked are taken out. Each flag counts as a violation of its author."""
        rules = self.moderation
        if rules is None or not sieve.keep.any():
            return np.zeros(int(sieve.keep.sum()), np.bool_)
        agents = sieve.agents
        verdicts: dict[str, bool] = {text: rules.judge(text) for text in sorted(set(sieve.column("text").tolist()))}
        wanted = np.array([verdicts[text] for text in sieve.column("text").tolist()], np.bool_)
        place = ranks(agents) % MOST_ROWS
        drawn = turn.random("moderation").at(sieve.action).uniform(agents * MOST_ROWS + place)
        flagged = np.where(wanted, drawn >= rules.miss, drawn < rules.false_alarm)
        np.add.at(self.violations, agents[flagged], 1)
        if rules.warn and flagged.any():
            sieve.outcome.events.append(Events("warned", agents[flagged], {}, "own"))
        if rules.ban is not None:
            self.ban_users(sieve, np.unique(agents[flagged]), rules.ban)
        if rules.block and flagged.any():
            return self._hold_back(sieve, flagged)
        return flagged

    def _hold_back(self, sieve: Sieve, flagged: Bools) -> Bools:
        """Nothing is published, but the attempt leaves its own trace: it was a legal act, and those who run the platform see it."""
        told = {"action": np.full(int(flagged.sum()), sieve.action, object), "text": sieve.column("text")[flagged]}
        sieve.outcome.events.append(Events("held_back", sieve.agents[flagged], told, "own" if self.moderation_warns else "nobody"))
        sieve.keep[np.flatnonzero(sieve.keep)[flagged]] = False
        return np.zeros(int(sieve.keep.sum()), np.bool_)

    @property
    def moderation_warns(self) -> bool:
        return self.moderation is not None and self.moderation.warn

    def ban_users(self, sieve: Sieve, users: Ints, after: int) -> None:
        """Close the accounts of those who have been flagged so often."""
        gone = users[self.violations[users] >= after]
        fresh = gone[~self.banned[gone]]
        if len(fresh):
            self.banned[fresh] = True
            sieve.outcome.events.append(Events("banned", fresh, {}, "own"))

    def mark(self, flagged: Bools, rows: Ints) -> None:
        """What was flagged and stays carries the label and the factor."""
        rules = self.moderation
        if rules is None or not flagged.any():
            return
        self.posts.factor[rows[flagged]] *= np.float32(rules.factor)
        if rules.label:
            self.posts.label[rows[flagged]] = self.label_number(rules.label)

    def label_number(self, text: str) -> int:
        """The number of a label; new ones get the next."""
        if text not in self.labels:
            self.labels.append(text)
        return self.labels.index(text)
