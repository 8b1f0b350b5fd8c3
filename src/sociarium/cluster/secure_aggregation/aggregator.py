"""An aggregator: it adds the shares that sites send it, and sees nothing but uniform numbers."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from multiprocessing import AuthenticationError
from multiprocessing.connection import Connection, Listener
from typing import Any

import numpy as np

from sociarium.cluster.secure_aggregation.field import Ints, Residues, sums_by
from sociarium.cluster.wire import pack, unpack
from sociarium.cluster.worker import KEY
from sociarium.kernel.errors import SociariumError, UsageError


class SiteLost(SociariumError):
    """A site gave nothing to a round in time. ``sites`` names who is missing."""

    def __init__(self, sites: Sequence[str], where: str) -> None:
        super().__init__(f"no contribution to {where} came from {', '.join(sites)}: start them again to go on from the last step")
        self.sites = tuple(sites)


@dataclass(slots=True)
class Round:
    """What came for one sum: the recipients and shares of each site, and who has taken the result."""

    given: dict[str, tuple[Ints, Residues]] = field(default_factory=dict[str, tuple[Ints, Residues]])
    taken: set[str] = field(default_factory=set[str])


class Aggregator:
    """Adds shares by recipient. A round is (step, label); every site gives once, then takes the sums of its own recipients.

    It learns who is addressed and by which site, never a value.
    """

    def __init__(self, sites: Sequence[str], *, patience: float = 60.0) -> None:
        """``patience``: seconds to wait for the sites of a round that are missing."""
        self.sites = tuple(sites)
        self.patience = patience
        self._rounds: dict[tuple[int, str], Round] = {}
        self._changed = threading.Condition()

    def give(self, site: str, step: int, label: str, recipients: Ints, shares: Residues) -> None:
        """The shares of one site, one a recipient (repeats allowed: they are added)."""
        if site not in self.sites:
            raise UsageError(f"{site!r} is no site of this aggregation; its sites are {', '.join(self.sites)}")
        if len(recipients) != len(shares):
            raise UsageError(f"{len(shares)} shares came for {len(recipients)} recipients")
        with self._changed:
            given = self._rounds.setdefault((step, label), Round()).given
            if site in given:
                raise UsageError(f"{site} gave twice to {label} of step {step}: differences of sums would show its values")
            given[site] = (np.asarray(recipients, np.int64), np.asarray(shares, np.uint64))
            self._changed.notify_all()

    def take(self, site: str, step: int, label: str, wanted: Ints) -> Residues:
        """The sums of the shares for ``wanted``, once all sites gave. Waits; raises SiteLost."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._full(step, label), self.patience):
                missing = [name for name in self.sites if name not in self._rounds.get((step, label), Round()).given]
                raise SiteLost(missing, f"{label} of step {step}")
            one = self._rounds[step, label]
            if site in one.taken:
                raise UsageError(f"{site} takes {label} of step {step} twice")
            one.taken.add(site)
            if len(one.taken) == len(self.sites):
                del self._rounds[step, label]
        wanted = np.asarray(wanted, np.int64)
        order = np.argsort(wanted, kind="stable")
        sums = np.zeros(len(wanted), np.uint64)
        recipients = np.concatenate([who for who, _ in one.given.values()])
        shares = np.concatenate([values for _, values in one.given.values()])
        at = np.searchsorted(wanted, recipients, sorter=order).clip(max=max(len(wanted) - 1, 0))
        mine = wanted[order[at]] == recipients if len(wanted) else np.zeros(len(recipients), bool)
        if mine.any():
            sums = sums_by(order[at[mine]], shares[mine], len(wanted))
        return sums

    def _full(self, step: int, label: str) -> bool:
        return len(self._rounds.get((step, label), Round()).given) == len(self.sites)


def serve(aggregator: Aggregator, listener: Listener) -> None:
    """Answer sites until the process ends: one thread a site, one message at a time."""
    while True:
        try:
            connection = listener.accept()
        except (EOFError, OSError, AuthenticationError):
            continue  # a stranger, or a site that went away while it knocked
        threading.Thread(target=_answer, args=(aggregator, connection), daemon=True).start()


def _answer(aggregator: Aggregator, connection: Connection) -> None:
    while True:
        try:
            message = unpack(connection.recv_bytes())
            connection.send_bytes(pack(_reply(aggregator, message)))
        except (EOFError, OSError):
            return


def _reply(aggregator: Aggregator, message: dict[str, Any]) -> dict[str, Any]:
    site, step, label = str(message["site"]), int(message["step"]), str(message["label"])
    try:
        aggregator.give(site, step, label, message["recipients"], message["shares"])
        return {"sums": aggregator.take(site, step, label, message["wanted"])}
    except SiteLost as lost:
        return {"lost": list(lost.sites)}
    except UsageError as refused:
        return {"refused": str(refused)}


def main(arguments: list[str]) -> None:
    """``python -m sociarium.cluster.secure_aggregation.aggregator PATIENCE SITE...``: writes its port, answers, ends with its input."""
    key = os.environ.get(KEY, "").encode()
    if not key:
        raise UsageError(f"an aggregator needs the connection's key in {KEY}")
    with Listener(("127.0.0.1", 0), authkey=key, backlog=64) as listener:
        sys.stdout.write(f"{listener.address[1]}\n")
        sys.stdout.flush()
        threading.Thread(target=serve, args=(Aggregator(arguments[1:], patience=float(arguments[0])), listener), daemon=True).start()
        sys.stdin.read()  # whoever started us went away


if __name__ == "__main__":
    main(sys.argv[1:])
