"""The contract of whatever answers from outside: a model engine, a server, a script, a person."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from sociarium.kernel.protocols import Usage
from sociarium.models.request import BackendFacts, Reply, Request


class CallFailed(Exception):
    """One attempt failed. ``retryable`` says whether another try may help; ``retry_after`` is the server's wish in seconds.

    ``kind`` is a stable word for the attempt log: rate_limited, server_error, unavailable, context_too_long, unauthorised,
    connect_timeout, read_timeout, reset, truncated, wrong_shape, misaligned, empty, bad_request. ``usage`` is what the failed attempt
    was billed, where the backend knows it, ``endpoint`` the server that failed, where there are several.
    """

    def __init__(self, kind: str, message: str, *, retryable: bool, retry_after: float | None = None, usage: Usage | None = None) -> None:
        super().__init__(message)
        self.usage = usage
        self.endpoint = ""
        self.kind = kind
        self.retryable = retryable
        self.retry_after = retry_after


@runtime_checkable
class Backend(Protocol):
    """``complete`` raises ``CallFailed``; it never returns an error's text as a reply. ``draw`` seeds a sampled reply."""

    @property
    def facts(self) -> BackendFacts: ...

    async def complete(self, request: Request, draw: int | None) -> Reply: ...

    async def close(self) -> None: ...


@runtime_checkable
class Preparing(Protocol):
    """A backend whose facts are known only once its server was asked. ``prepare`` comes before ``facts`` is read; again does no harm.

    Raises ``ModelError`` where no server answers, or one that serves something else.
    """

    async def prepare(self) -> None: ...


@runtime_checkable
class BatchBackend(Backend, Protocol):
    """An engine that gains from batches. Replies come in the order of the requests."""

    async def complete_many(self, requests: Sequence[Request], draws: Sequence[int | None]) -> Sequence[Reply | CallFailed]: ...
