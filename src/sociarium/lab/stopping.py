"""Ctrl-C: how a person, or the system, ends the runs of a process so that they can be resumed."""

from __future__ import annotations

import asyncio
import signal
from typing import ClassVar, Literal

from sociarium.kernel.simulation import Simulation
from sociarium.models.service import ModelService

NUMBERS = (signal.SIGINT, signal.SIGTERM)
FORCED_STOP = 2  # pressed so often: stop at once
GRACE = 10.0  # seconds for calls in flight


class Signals:
    """Ctrl-C once: no new call, ten seconds for those in flight. Twice: stop at once. SIGTERM counts as once.

    A context of one run. A process has one Ctrl-C, so it reaches all runs that are in such a context: replicates end together.
    """

    listening: ClassVar[list[Signals]] = []

    def __init__(self, simulation: Simulation, service: ModelService | None) -> None:
        self.simulation = simulation
        self.service = service
        self.presses = 0
        self.waiting: list[asyncio.Task[None]] = []

    def __enter__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.task = asyncio.current_task()
        if not self.listening:
            for number in NUMBERS:
                self.loop.add_signal_handler(number, _pressed)
        self.listening.append(self)

    def __exit__(self, *details: object) -> Literal[False]:
        self.listening.remove(self)
        if not self.listening:
            for number in NUMBERS:
                self.loop.remove_signal_handler(number)
        return False

    def pressed(self) -> None:
        self.presses += 1
        self.simulation.stopping = True
        if self.presses >= FORCED_STOP and self.task is not None:
            self.task.cancel()
        elif self.service is not None:
            self.waiting.append(self.loop.create_task(self.service.stop(GRACE)))


def _pressed() -> None:
    for one in tuple(Signals.listening):
        one.pressed()
