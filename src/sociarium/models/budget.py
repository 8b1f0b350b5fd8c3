"""Budgets that are never exceeded: reserved before each attempt, leased durably in blocks, settled after it.

What an attempt may cost is reserved by an upper bound (``upper_tokens``); what it did cost is settled when it ends. Calls
draw only on leases that are durable in the journal, so a kill cannot make a run forget what it spent: on resume everything
ever leased counts as spent, because the unspent part may have been billed for calls that were in flight. (Should the journal
show more than was leased, the larger figure counts.) A clean end hands the unspent part back as a negative lease. A kill
therefore costs at most one block, ``1/SHARES`` of each limit, and what was in flight.
"""

from __future__ import annotations

import asyncio
import json
import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sociarium.kernel.content import Block
from sociarium.kernel.errors import BudgetSpent, UsageError
from sociarium.kernel.identity import ByIdentity
from sociarium.kernel.protocols import Journal, Lease, Usage
from sociarium.models.request import BackendFacts, Prices, Request

UNLIMITED = 1 << 62
SHARES = 64  # a lease is at least this part of each limit
TEMPLATE = 64  # tokens that a chat template may add to a prompt
TEMPLATE_BLOCK = 16  # and to each block of it
TOOL = 512  # and a vendor that is given the schema as a tool, which it describes to its model in words of its own (Anthropic: 313 to 346)


@dataclass(frozen=True, slots=True)
class BudgetLimits:
    """The most a run may spend; None is no limit. ``money`` is in millionths of a US dollar.

    ``calls`` counts attempts that went out. ``seconds`` is time by the clock in this session, from the first call on; it ends
    the run by a resumable stop and never shows in a result. The other three hold over all sessions of a run.
    """

    calls: int | None = None
    tokens: int | None = None
    money: int | None = None
    seconds: float | None = None

    def __post_init__(self) -> None:
        for name in ("calls", "tokens", "money", "seconds"):
            value = getattr(self, name)
            if value is not None and not 0 <= value < UNLIMITED:
                raise UsageError(f"A budget of {value} {name} cannot be: give a number of at least 0, or none for no limit.")


@dataclass(frozen=True, slots=True)
class Cost:
    """Calls, tokens and millionths of a US dollar."""

    calls: int = 0
    tokens: int = 0
    money: int = 0

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.calls + other.calls, self.tokens + other.tokens, self.money + other.money)

    def __sub__(self, other: Cost) -> Cost:
        return Cost(self.calls - other.calls, self.tokens - other.tokens, self.money - other.money)

    def within(self, other: Cost) -> bool:
        return self.calls <= other.calls and self.tokens <= other.tokens and self.money <= other.money

    def at_least(self, other: Cost) -> Cost:
        return Cost(max(self.calls, other.calls), max(self.tokens, other.tokens), max(self.money, other.money))

    def at_most(self, other: Cost) -> Cost:
        return Cost(min(self.calls, other.calls), min(self.tokens, other.tokens), min(self.money, other.money))


class Budget:
    """One budget over all routes of a service."""

    def __init__(self, limits: BudgetLimits, journal: Journal) -> None:
        self.limits = limits
        self.journal = journal
        self._top: Cost = Cost(*(UNLIMITED if top is None else top for top in (limits.calls, limits.tokens, limits.money)))
        self._limited = any(top is not None for top in (limits.calls, limits.tokens, limits.money))
        leased, spent = journal.leased(), journal.spent()
        # durably: what the journal shows beyond it is leased with the next
        self._leased: Cost = Cost(leased.calls, leased.tokens, leased.money)
        self.used: Cost = self._leased.at_least(Cost(spent.calls, spent.tokens, spent.money))
        self.reserved: Cost = Cost()
        self._leasing = asyncio.Lock()
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._ended = self._met = ""
        self._deadline: float | None = None

    @property
    def ended(self) -> str:
        """Why no more calls are made, or an empty text."""
        return self._ended

    def deadline(self) -> float:
        """The loop's time at which ``seconds`` end; they run from the first call of this method."""
        if self.limits.seconds is None:
            return math.inf
        if self._deadline is None:
            self._deadline = asyncio.get_running_loop().time() + self.limits.seconds
        return self._deadline

    async def reserve(self, cost: Cost) -> None:
        """Take ``cost`` (an upper bound) from the budget, durably leased, or raise ``BudgetSpent``.

        Where it does not fit but others hold reservations, it waits: most are settled for less than they reserved.
        """
        while True:
            self.check()
            total = self.used + self.reserved + cost
            if total.within(self._top):
                break
            if self.reserved == Cost():
                reason, limit = self._over(total)
                self.end(reason, limit)
                continue
            await self._settled()
        self.reserved += cost
        self._wake()  # there may be room for one more
        try:
            await self._lease()
        except BaseException:
            self.settle(cost, Cost())
            raise

    def settle(self, reserved: Cost, cost: Cost) -> None:
        """An attempt ended: its reservation goes, its true cost stays."""
        self.reserved -= reserved
        self.used += cost
        self._wake()

    def check(self) -> None:
        """Raise ``BudgetSpent`` where no call may be started any more."""
        if not self._ended and self.limits.seconds is not None and asyncio.get_running_loop().time() >= self.deadline():
            self.end_of_time()
        if self._ended:
            raise self.spent()

    def spent(self) -> BudgetSpent:
        """The error that says why no call is started any more."""
        return BudgetSpent(f"{self._ended}. Nothing is lost: raise the limit and resume the run.", self._met)

    def end_of_time(self) -> None:
        """The deadline has come."""
        self.end(f"the time budget of {self.limits.seconds or 0.0:g} s has passed", "seconds")

    def end(self, reason: str, limit: str = "") -> None:
        """Start no more calls. The first reason stays; ``limit`` is the name of what was met."""
        if not self._ended:
            self._ended, self._met = reason, limit
        while self._waiting:
            self._wake()

    def abort(self, error: BaseException) -> None:
        """End all waits with this error."""
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_exception(error)

    async def hand_back(self) -> None:
        """Return what was leased and not used: the clean end of a session."""
        async with self._leasing:
            rest = self._leased - self.used - self.reserved
            rest = rest.at_least(Cost())
            if self._limited and rest != Cost():
                await self.journal.lease(Lease(-rest.calls, -rest.tokens, -rest.money))
                self._leased -= rest

    async def _lease(self) -> None:
        if not self._limited or not self._is_short():
            return
        async with self._leasing:
            need = self._short()
            if need.within(Cost()):
                return
            tops = (self._top.calls, self._top.tokens, self._top.money)
            # A block of what is short, and nothing of the rest: what is leased in vain counts as spent after a kill.
            block = Cost(
                *(top // SHARES + 1 if lack > 0 else 0 for top, lack in zip(tops, (need.calls, need.tokens, need.money), strict=True))
            )
            more = need.at_least(block).at_most((self._top - self._leased).at_least(need)).at_least(Cost())
            await self.journal.lease(Lease(more.calls, more.tokens, more.money))
            self._leased += more

    def _is_short(self) -> bool:
        used, held, leased, top = self.used, self.reserved, self._leased, self._top
        return (
            (top.calls != UNLIMITED and used.calls + held.calls > leased.calls)
            or (top.tokens != UNLIMITED and used.tokens + held.tokens > leased.tokens)
            or (top.money != UNLIMITED and used.money + held.money > leased.money)
        )

    def _short(self) -> Cost:
        """What is used and reserved beyond what is leased, of that which has a limit."""
        need = self.used + self.reserved - self._leased
        tops = (self._top.calls, self._top.tokens, self._top.money)
        return Cost(*(0 if top == UNLIMITED else one for top, one in zip(tops, (need.calls, need.tokens, need.money), strict=True)))

    async def _settled(self) -> None:
        """Wait for a turn to look again: one at a time, in order, so that a thousand who wait cost no more than one."""
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        try:
            await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled():
                self._wake()  # the turn is another's
            raise

    def _wake(self) -> None:
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return

    def _over(self, total: Cost) -> tuple[str, str]:
        """What is met, in words, and its name."""
        for name, top, wanted, used in (
            ("calls", self._top.calls, total.calls, self.used.calls),
            ("tokens", self._top.tokens, total.tokens, self.used.tokens),
            ("money", self._top.money, total.money, self.used.money),
        ):
            if wanted > top and name == "money":
                told = f"the budget of {_dollars(top)} is spent: {_dollars(used)} used, the next call may need {_dollars(wanted - used)}"
                return told, name
            if wanted > top:
                return f"the budget of {top:,} {name} is spent: {used:,} used, the next call may need {wanted - used:,}", name
        return "the budget is spent", ""


def upper_tokens(request: Request) -> tuple[int, int]:
    """The most tokens that a request can have and bring: (prompt, completion).

    No tokenizer in use makes more tokens than UTF-8 bytes, and templates add a bounded number. Attachments are not counted.
    """
    prompt = _bytes(request.blocks)
    if request.kind == "complete":
        return prompt + (_size_of_schema(request.schema) if request.schema else 0), request.sampling.max_tokens
    if request.kind == "embed":
        return sum(len(text.encode()) + TEMPLATE_BLOCK for text in request.texts), 0
    neutral = 0 if request.neutral is None else _bytes(request.neutral)
    words = sum(len(option.encode()) + TEMPLATE_BLOCK for option in request.options)
    prompts = 1 if request.neutral is None else 2
    return (prompt + neutral) * len(request.options) + words * prompts, len(request.options) * prompts


def upper_cost(request: Request, facts: BackendFacts) -> Cost:
    """What one attempt can cost at most."""
    prompt, completion = upper_tokens(request)
    if request.schema is not None and facts.engine.get("schemas") == "tool":
        prompt += TOOL
    return Cost(1, prompt + completion, money(Usage(1, prompt, 0, completion), facts.prices))


def money(usage: Usage, prices: Prices) -> int:
    """Millionths of a US dollar, rounded up. Cached tokens cost as much as others where their price is not given."""
    cached = min(usage.cached_tokens, usage.prompt_tokens)
    amount = (usage.prompt_tokens - cached) * prices.prompt + cached * (prices.cached or prices.prompt)
    return math.ceil((amount + usage.completion_tokens * prices.completion) / 1_000_000)


def _dollars(millionths: int) -> str:
    """To the cent at least, and to the millionth where it says more."""
    whole, rest = f"{millionths / 1e6:,.6f}".split(".")
    return f"${whole}.{rest.rstrip('0'):0<2}"


def _bytes(blocks: tuple[Block, ...]) -> int:
    return TEMPLATE + sum(_size(block.text) + TEMPLATE_BLOCK for block in blocks)


def _size(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())


def _schema_size(schema: Mapping[str, Any]) -> int:
    return len(json.dumps(schema))  # no other way of writing it has more bytes: a letter beyond ASCII has six here


_size_of_schema: ByIdentity[Mapping[str, Any], int] = ByIdentity(_schema_size, 4_096)
