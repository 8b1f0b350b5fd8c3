"""What a service did, in numbers."""

from __future__ import annotations

from collections import Counter, deque
from typing import Any

from sociarium.kernel.outcomes import Status
from sociarium.kernel.protocols import Usage

QUANTILES = (0.5, 0.9, 0.99)


class Tally:
    """Counts of this session. Latencies are those of the last 10,000 calls that brought a reply, in seconds."""

    def __init__(self) -> None:
        self.calls = 0
        self.replayed = 0
        self.cached = 0
        self.shared = 0
        self.prompt_tokens = 0
        self.cached_tokens = 0
        self.completion_tokens = 0
        self.reasoning_tokens = 0
        self.money = 0
        self.failed: Counter[str] = Counter()
        self.retries: Counter[str] = Counter()
        self.outcomes: dict[str, Counter[str]] = {}
        self.endpoints: Counter[str] = Counter()  # replies by the server that gave them, where there are several
        self.latencies: deque[float] = deque(maxlen=10_000)

    def call(self, usage: Usage, seconds: float | None, endpoint: str = "") -> None:
        """One attempt ended; ``seconds`` is None where it failed."""
        self.calls += 1
        self.prompt_tokens += usage.prompt_tokens
        self.cached_tokens += usage.cached_tokens
        self.completion_tokens += usage.completion_tokens
        self.reasoning_tokens += usage.reasoning_tokens
        self.money += usage.money
        if endpoint:
            self.endpoints[endpoint] += 1
        if seconds is not None:
            self.latencies.append(seconds)

    def outcome(self, label: str, status: Status) -> None:
        self.outcomes.setdefault(label, Counter())[status.name.lower()] += 1

    def summary(self) -> dict[str, Any]:
        waits = sorted(self.latencies)
        return {
            "calls": self.calls,
            "replayed": self.replayed,
            "cached": self.cached,
            "shared": self.shared,
            "prompt_tokens": self.prompt_tokens,
            "cached_tokens": self.cached_tokens,
            "completion_tokens": self.completion_tokens,
            "reasoning_tokens": self.reasoning_tokens,
            "money_microdollars": self.money,
            "failed_attempts": dict(sorted(self.failed.items())),
            "retries": dict(sorted(self.retries.items())),
            **({"endpoints": dict(sorted(self.endpoints.items()))} if self.endpoints else {}),
            "outcomes": {label: dict(sorted(counts.items())) for label, counts in sorted(self.outcomes.items())},
            "latency_seconds": {f"p{100 * share:g}": waits[min(len(waits) - 1, int(share * len(waits)))] for share in QUANTILES}
            if waits
            else {},
        }
