"""What the kernel and its neighbours must offer one another: the journal, the record and the door to models.

``record`` and ``models`` sit side by side and never import each other. They meet here, over plain data.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from sociarium.kernel.records import TickRecord
    from sociarium.kernel.simulation import Simulation

Plain = Mapping[str, Any]  # JSON-able: None, bool, int, float, str, lists and dicts of them


@dataclass(frozen=True, slots=True, order=True)
class Address:
    """Where in a run something from outside was asked. It never depends on the order of arrival (DESIGN 5)."""

    tick: int
    phase: str
    lane: int
    turn: int
    asker: str  # "agent:3", "archetype:7", "judge", "operator"
    label: str  # which question of this turn: "act", "importance"
    number: int = 0  # parallel questions of one label, numbered when made, as one list
    repair: int = 0  # 1 for the recorded repair of a malformed reply

    def __str__(self) -> str:
        tail = f"#{self.number}" + (f" repair {self.repair}" if self.repair else "")
        return f"tick {self.tick}, {self.phase}, lane {self.lane}, turn {self.turn}, {self.asker}, {self.label}{tail}"


@dataclass(frozen=True, slots=True)
class Usage:
    """What was spent. ``money`` is in millionths of a US dollar, so that sums are exact.

    ``cached_tokens`` are those of the prompt that a server read from its cache, ``reasoning_tokens`` those of the completion that
    nobody saw: parts of their wholes, never beside them.
    """

    calls: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    money: int = 0
    seconds: float = 0.0
    reasoning_tokens: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.calls + other.calls,
            self.prompt_tokens + other.prompt_tokens,
            self.cached_tokens + other.cached_tokens,
            self.completion_tokens + other.completion_tokens,
            self.money + other.money,
            self.seconds + other.seconds,
            self.reasoning_tokens + other.reasoning_tokens,
        )

    @property
    def tokens(self) -> int:
        return self.prompt_tokens + self.completion_tokens


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """One final reply, or one final failure, under its address.

    ``request["blocks"]`` is a list of dicts as ``dataclasses.asdict(Block)`` gives them (the record stores each block once).
    ``key`` is hex. ``source`` is ``live``, ``cache`` (another run's reply, copied in) or ``shared`` (asked once with an
    equal fixed request in flight). ``attempts`` notes each failed attempt; a last note of kind ``answered`` says what is known of
    the good one beside its reply: the endpoint that served it, the tokens of reasoning.
    """

    address: Address
    key: str
    request: Plain
    reply: Plain
    usage: Usage = Usage()
    attempts: Sequence[Plain] = ()
    source: str = "live"


@dataclass(frozen=True, slots=True)
class Lease:
    """A block of budget, durable before any call draws on it, so that budgets hold across kills."""

    calls: int = 0
    tokens: int = 0
    money: int = 0

    def __add__(self, other: Lease) -> Lease:
        return Lease(self.calls + other.calls, self.tokens + other.tokens, self.money + other.money)


class Journal(Protocol):
    """The durable side of the one door through which everything from outside enters."""

    live: bool  # False: replay; an unknown address is an error, never a call

    def find(self, address: Address) -> JournalEntry | None:
        """The entry at an address (resume, replay). The caller checks that the key matches."""
        ...

    def known(self, key: str, at: Address | None = None) -> JournalEntry | None:
        """A reply under this key (cache, branch), this run's or an inherited one; best the one at an equal address."""
        ...

    async def append(self, entry: JournalEntry) -> None:
        """Durable when it returns: group commit. A second entry at one address is an error."""
        ...

    async def lease(self, lease: Lease) -> None:
        """Durable when it returns."""
        ...

    def leased(self) -> Lease:
        """The sum of all leases ever made in this run."""
        ...

    def spent(self) -> Usage:
        """The sum over live entries of this run."""
        ...

    async def started(self, address: Address, key: str) -> None:
        """Note a call that is about to go out, so that one lost in a kill is counted. It need not be durable at once."""
        ...


class Recorder(Protocol):
    """Where a simulation's ticks go. ``commit`` is all or nothing."""

    @property
    def journal(self) -> Journal: ...

    def committed(self) -> int:
        """How many ticks are durable: on resume these are run again and checked, not written."""
        ...

    async def commit(self, record: TickRecord, simulation: Simulation) -> None: ...

    async def finish(self, simulation: Simulation) -> None: ...


@dataclass
class NoJournal:
    """A journal that keeps nothing: simulations in memory. Everything is asked live."""

    live: bool = True
    _leased: Lease = field(default_factory=Lease)
    _spent: Usage = field(default_factory=Usage)

    def find(self, address: Address) -> JournalEntry | None:
        return None

    def known(self, key: str, at: Address | None = None) -> JournalEntry | None:
        return None

    async def append(self, entry: JournalEntry) -> None:
        if entry.source == "live":
            self._spent = self._spent + entry.usage

    async def lease(self, lease: Lease) -> None:
        self._leased = self._leased + lease

    def leased(self) -> Lease:
        return self._leased

    def spent(self) -> Usage:
        return self._spent

    async def started(self, address: Address, key: str) -> None:
        return None
