"""An event loop whose clock jumps: a test of a ten-minute timeout takes a millisecond, and always the same one."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class VirtualLoop(asyncio.SelectorEventLoop):
    """Time passes only when everybody waits, and then at once. For code without sockets, threads and child processes."""

    def __init__(self) -> None:
        self.now = 0.0
        super().__init__(_Jumping(self))

    def time(self) -> float:
        return self.now


class _Jumping(selectors.SelectSelector):
    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise RuntimeError("everybody waits and no timer is set: the code under test hangs")
        # The loop runs what is due within its clock's resolution; a hair more guards against rounding.
        self._loop.now += timeout
        return super().select(0)


def run_virtual(work: Coroutine[Any, Any, T]) -> T:
    """Like ``asyncio.run``, on a clock that starts at 0 and jumps."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(work)
