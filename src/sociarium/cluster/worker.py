"""A worker process: it hosts actors and runs one method at a time; a method that waits for another actor steps aside.

Started by a driver (``python -m sociarium.cluster.worker HOST PORT``: it connects back), or beforehand on another machine
(``--listen HOST PORT``: it waits for drivers). The key of the connection comes in the environment variable SOCIARIUM_CLUSTER_KEY.
"""

from __future__ import annotations

import importlib
import os
import queue
import sys
import threading
import traceback
from dataclasses import dataclass, field
from multiprocessing import AuthenticationError
from multiprocessing.connection import Client, Connection, Listener
from typing import Any, cast

from sociarium.cluster.wire import pack, unpack
from sociarium.kernel.errors import SociariumError, UsageError

KEY = "SOCIARIUM_CLUSTER_KEY"


class RemoteError(SociariumError):
    """An exception inside an actor, raised where its result is read. ``kind`` is the exception's class name."""

    def __init__(self, kind: str, message: str, where: str = "") -> None:
        super().__init__(f"{kind}: {message}" + (f"\n{where}" if where else ""))
        self.kind = kind


@dataclass(slots=True)
class Hosted:
    """An actor with the queue of its calls."""

    calls: queue.SimpleQueue[dict[str, Any] | None] = field(default_factory=queue.SimpleQueue[dict[str, Any] | None])
    thing: Any = None


class Worker:
    """Speaks with one driver over one connection."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.sending = threading.Lock()
        self.turn = threading.Lock()  # held by the one method that runs
        self.actors: dict[int, Hosted] = {}
        self.answers: dict[int, queue.SimpleQueue[dict[str, Any]]] = {}
        self.asked = 0
        self.local = threading.local()

    def serve(self) -> None:
        """Until the driver goes away."""
        while True:
            try:
                message = unpack(self.connection.recv_bytes())
            except (EOFError, OSError):
                return
            if message["kind"] == "answer":
                self.answers[message["question"]].put(message)
            elif message["kind"] == "create":
                hosted = self.actors[message["actor"]] = Hosted()
                threading.Thread(target=self._live, args=(hosted,), daemon=True).start()
                hosted.calls.put(message)
            else:
                self.actors[message["actor"]].calls.put(message)

    def ask(self, actor: int, method: str, arguments: dict[str, Any]) -> Any:
        """Called by an actor's method: another actor's method, waited for. This worker's turn is given up meanwhile."""
        with self.sending:
            self.asked += 1
            question = self.asked
        inbox = self.answers[question] = queue.SimpleQueue()
        call = self.local.call
        plain = {name: {"actor": value.number} if isinstance(value, Remote) else value for name, value in arguments.items()}
        self.turn.release()
        try:
            self._send({"kind": "ask", "question": question, "by": call, "actor": actor, "method": method, "arguments": plain})
            answer = inbox.get()
        finally:
            self.turn.acquire()
            del self.answers[question]
        if "error" in answer:
            raise RemoteError(answer["error"], answer["message"])
        return answer["value"]

    def _live(self, hosted: Hosted) -> None:
        while (message := hosted.calls.get()) is not None:
            self.local.call = message["call"]
            with self.turn:
                reply = self._done(hosted, message)
            self._send(reply)

    def _done(self, hosted: Hosted, message: dict[str, Any]) -> dict[str, Any]:
        reply = {"kind": "result", "call": message["call"]}
        try:
            if message["kind"] == "create":
                hosted.thing = find(message["what"])(**self._with_handles(message["arguments"]))
                return {**reply, "value": None}
            value = getattr(hosted.thing, message["method"])(**self._with_handles(message["arguments"]))
            pack(value)  # an answer that cannot travel is the method's error
            return {**reply, "value": value}
        except Exception as error:  # noqa: BLE001 - whatever an actor raises is raised again where its result is read
            where = "".join(traceback.format_tb(error.__traceback__)[-2:])
            kind = error.kind if isinstance(error, RemoteError) else type(error).__name__
            return {**reply, "error": kind, "message": str(error), "where": where}

    def _with_handles(self, arguments: dict[str, Any]) -> dict[str, Any]:
        return {name: Remote(self, int(v["actor"])) if _is_handle(v) else v for name, v in arguments.items()}

    def _send(self, message: dict[str, Any]) -> None:
        data = pack(message)
        with self.sending:
            self.connection.send_bytes(data)


class Remote:
    """Another actor, as an actor's method sees it: calls wait for their results."""

    def __init__(self, worker: Worker, actor: int) -> None:
        self._worker = worker
        self.number = actor

    def __getattr__(self, method: str) -> Any:
        if method.startswith("_"):
            raise AttributeError(method)

        def call(**arguments: Any) -> Any:
            return self._worker.ask(self.number, method, arguments)

        return call


def _is_handle(value: Any) -> bool:
    return isinstance(value, dict) and set(cast("dict[str, Any]", value)) == {"actor"}


def find(name: str) -> Any:
    """``package.module:Class``."""
    module, _, attribute = name.partition(":")
    try:
        return getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise UsageError(f"a worker cannot find {name!r}: {error}") from None


def main(arguments: list[str]) -> None:
    """See the module."""
    key = os.environ.get(KEY, "").encode()
    if not key:
        raise UsageError(f"a worker needs the connection's key in {KEY}")
    if arguments[:1] == ["--listen"]:
        with Listener((arguments[1], int(arguments[2])), authkey=key) as listener:
            while True:
                try:
                    accepted = listener.accept()
                except (EOFError, OSError, AuthenticationError):
                    continue  # a stranger, or a driver that went away: the next one is waiting
                threading.Thread(target=Worker(accepted).serve, daemon=True).start()
    Worker(Client((arguments[0], int(arguments[1])), authkey=key)).serve()


if __name__ == "__main__":
    main(sys.argv[1:])
