"""When another attempt is made, and after what wait. Nothing here is random: jitter is hashed from the address."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from sociarium.kernel.protocols import Address
from sociarium.models.backend import CallFailed

TIMEOUTS = frozenset({"connect_timeout", "read_timeout"})

# Failures in which the server refused or never saw the request. All others may have been billed.
UNBILLED = frozenset({"bad_request", "rate_limited", "unavailable", "server_error", "context_too_long", "unauthorised", "connect_timeout"})


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Exponential backoff with caps. Times are in seconds.

    ``attempts`` bounds the tries of one request in all, except those that a rate limit turned away, which have a bound of
    their own (``turned_away``): they cost nothing and say nothing about the request. A ``Retry-After`` is honoured up to
    ``longest_wish``; a longer one ends the call as failed, for a run should not sleep for an hour on one server's word.
    """

    attempts: int = 3
    turned_away: int = 12
    first_wait: float = 0.5
    longest_wait: float = 30.0
    longest_wish: float = 120.0

    def again(self, failure: CallFailed, address: Address, failures: int, refusals: int) -> float | None:
        """Seconds to wait before the next attempt, or None when there is to be none.

        ``failures`` and ``refusals`` count the failed attempts so far, this one included: refusals are those by rate limit.
        """
        if not failure.retryable or failures >= self.attempts or refusals >= self.turned_away:
            return None
        wish = failure.retry_after
        if wish is not None and wish > self.longest_wish:
            return None
        count = refusals if failure.kind == "rate_limited" else failures
        wait = min(self.longest_wait, self.first_wait * 2.0 ** min(count - 1, 30))
        wait *= 0.5 + 0.5 * share(address, failures + refusals)
        return wait if wish is None else wish + 0.1 * wait


def share(address: Address, attempt: int) -> float:
    """A number in [0, 1) that depends on the address and the attempt only, so that a thousand agents do not retry in step."""
    digest = hashlib.blake2b(f"{address}|{attempt}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") / 2.0**64
