"""Stands in for a model in a replay: it knows what the model was, and never answers."""

from __future__ import annotations

from sociarium.kernel.errors import ReplayMismatch
from sociarium.models.request import BackendFacts, Reply, Request


class RecordedBackend:
    """The facts of a recorded model. A call to it is a defect of the replay, and said to be one."""

    def __init__(self, facts: BackendFacts) -> None:
        self._facts = facts

    @property
    def facts(self) -> BackendFacts:
        return self._facts

    async def complete(self, request: Request, draw: int | None) -> Reply:
        raise ReplayMismatch("a replay asked the model something that the journal does not hold")

    async def close(self) -> None:
        return None
