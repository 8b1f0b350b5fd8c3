"""Actors for the tests."""

import os
import time


class Player:
    def __init__(self, factor: float = 2.0) -> None:
        self.factor = factor
        self.heard: list[float] = []

    def report(self, announced: float) -> float:
        self.heard.append(announced)
        return self.factor * announced

    def memory(self) -> list[float]:
        return self.heard

    def slow(self, seconds: float, value: float = 0.0) -> float:
        time.sleep(seconds)
        return value

    def fail(self) -> None:
        raise ValueError("no such number")

    def ask(self, other: object, announced: float) -> float:
        return other.report(announced=announced)

    def circle(self, other: object, me: object) -> float:
        return other.ask(other=me, announced=1.0)

    def die(self) -> None:
        os._exit(9)

    def pid(self) -> int:
        return os.getpid()

    def odd(self) -> object:
        return object()
