"""The site's side of a sum: split, send one share to each aggregator, add what comes back, check that it is whole."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Client, Connection
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike

from sociarium.cluster.secure_aggregation.aggregator import Aggregator, SiteLost
from sociarium.cluster.secure_aggregation.field import Ints, Residues, Source, decode_whole, encode, encode_whole, joined, split
from sociarium.cluster.wire import pack, unpack
from sociarium.kernel.errors import SociariumError, UsageError

CHECK = -1  # the recipient of the number 1 from every site: its sum shows that no share is missing or false
TOTALS = -2  # recipients from here downwards are the entries of a vector that all sites add up


class AggregatorLost(SociariumError):
    """An aggregator did not answer, or what it answered is not the sum: nothing can be put together from the others."""


class Way(Protocol):
    """The way to one aggregator."""

    def __call__(self, step: int, label: str, recipients: Ints, shares: Residues, wanted: Ints) -> Residues: ...


class Session:
    """One site's view of the aggregation. ``sums`` and ``total`` are collective: every site calls them in the same order."""

    def __init__(self, site: str, ways: Sequence[Way], sites: int, *, source: Source = os.urandom) -> None:
        if len(ways) < 2:
            raise UsageError(f"secret sharing needs 2 aggregators or more, not {len(ways)}: one alone would see every value")
        self.site, self.ways, self.sites, self.source = site, list(ways), sites, source
        self.sent = 0  # bytes of shares and recipients so far
        self._pool = ThreadPoolExecutor(len(ways))

    def sums(self, step: int, label: str, recipients: ArrayLike, values: ArrayLike, own: ArrayLike) -> Ints:
        """What all sites together sent to each of ``own``: sums of whole (fixed-point) numbers, int64. Raises AggregatorLost, SiteLost."""
        who = np.asarray(recipients, np.int64)
        return self._round(step, label, who, encode_whole(values), np.asarray(own, np.int64))

    def total(self, step: int, label: str, vector: ArrayLike, *, noise: float = 0.0) -> Ints:
        """The sum over sites of a vector of numbers in fixed point (divide by SCALE). ``noise``: standard deviation of what this site
        adds to its own part before it leaves (Gaussian, from the source of the shares)."""
        numbers = np.atleast_1d(np.asarray(vector, np.float64))
        if noise:
            numbers = numbers + noise * _normal(len(numbers), self.source)
        entries = TOTALS - np.arange(len(numbers), dtype=np.int64)
        return self._round(step, label, entries, encode(numbers), entries)

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _round(self, step: int, label: str, recipients: Ints, residues: Residues, own: Ints) -> Ints:
        who = np.append(recipients, CHECK)
        shares = split(np.append(residues, np.uint64(1)), len(self.ways), self.source)
        wanted = np.append(own, CHECK)
        self.sent += len(self.ways) * 16 * len(who)
        asked = [self._pool.submit(way, step, label, who, share, wanted) for way, share in zip(self.ways, shares, strict=True)]
        answers: list[Residues] = []
        for number, one in enumerate(asked):
            try:
                answers.append(one.result())
            except (OSError, EOFError) as error:
                raise AggregatorLost(f"aggregator {number} went away in {label} of step {step} ({type(error).__name__})") from None
        if any(len(answer) != len(wanted) for answer in answers):
            raise AggregatorLost(f"an aggregator answered another number of sums than was asked for in {label} of step {step}")
        sums = decode_whole(joined(answers))
        if sums[-1] != self.sites:
            raise AggregatorLost(
                f"the sums of {label} of step {step} are not whole: a share is missing or false, so none of them can be used"
            )
        return sums[:-1]


def here(aggregator: Aggregator, site: str) -> Way:
    """The way to an aggregator in this process."""

    def way(step: int, label: str, recipients: Ints, shares: Residues, wanted: Ints) -> Residues:
        aggregator.give(site, step, label, recipients, shares)
        return aggregator.take(site, step, label, wanted)

    return way


def over_socket(site: str, address: tuple[str, int], key: bytes) -> Way:
    """The way to an aggregator in another process."""
    connection: Connection = Client(address, authkey=key)

    def way(step: int, label: str, recipients: Ints, shares: Residues, wanted: Ints) -> Residues:
        message = {"site": site, "step": step, "label": label, "recipients": recipients, "shares": shares, "wanted": wanted}
        connection.send_bytes(pack(message))
        answer: dict[str, Any] = unpack(connection.recv_bytes())
        if "lost" in answer:
            raise SiteLost(answer["lost"], f"{label} of step {step}")
        if "refused" in answer:
            raise UsageError(answer["refused"])
        return answer["sums"]

    return way


def in_step(sites: Sequence[str], act: Callable[[str], Any]) -> list[Any]:
    """Let sites in one process act together, each on a thread of its own; their results in order, or the first error."""
    with ThreadPoolExecutor(max(1, len(sites))) as pool:
        return [future.result() for future in [pool.submit(act, site) for site in sites]]


def _normal(count: int, source: Source) -> Any:
    """Standard normal numbers from random bytes, by Box and Muller."""
    bits = np.frombuffer(source(16 * count), np.uint64) >> np.uint64(11)
    uniform = (bits.astype(np.float64) + 0.5) * 2.0**-53
    return np.sqrt(-2.0 * np.log(uniform[:count])) * np.cos(2.0 * np.pi * uniform[count:])
