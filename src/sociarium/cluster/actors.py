"""Actors in other processes: a call returns a placeholder at once, and blocks only where its value is read.

    with Cluster(workers=4) as cluster:
        player = cluster.create("my.module:Player", seed=3)
        number = player.report(announced=50.0)   # at once
        print(number.get())                      # waits; an error inside the actor is raised here

A placeholder may be an argument of another call: that call goes out when the value is there, so a chain never blocks a worker.
A wait that would close a circle is refused. A lost worker is started again with its actors made anew, its calls are tried
``retries`` times, and then end in ``ActorLost``.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import CancelledError, Future
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import dataclass, field
from multiprocessing.connection import Client, Connection, Listener
from typing import Any

from sociarium.cluster.wire import pack, unpack
from sociarium.cluster.worker import KEY, RemoteError
from sociarium.kernel.errors import SociariumError, UsageError
from sociarium.models.secret import without_keys


class ActorLost(SociariumError):
    """The worker of an actor went away, and so did its retries."""


class WaitingCycle(SociariumError):
    """An actor would wait, through others, for itself."""


class Placeholder:
    """A value that is on its way."""

    __slots__ = ("_future", "call")

    def __init__(self, call: int) -> None:
        self.call = call
        self._future: Future[Any] = Future()

    @property
    def done(self) -> bool:
        return self._future.done()

    def get(self, timeout: float | None = None) -> Any:
        """The value; waits for it (seconds). Raises what the actor raised."""
        try:
            return self._future.result(timeout)
        except FutureTimeout:
            raise TimeoutError(f"no value after {timeout} s") from None
        except CancelledError:
            raise ActorLost("the cluster was closed before the value came") from None


class Handle:
    """An actor: ``handle.method(name=value)`` returns a placeholder. Arguments are named; they may be placeholders and handles."""

    def __init__(self, cluster: Cluster, actor: int) -> None:
        self._cluster = cluster
        self.actor = actor
        self.created: Placeholder | None = None

    def __getattr__(self, method: str) -> Any:
        if method.startswith("_"):
            raise AttributeError(method)

        def call(**arguments: Any) -> Placeholder:
            return self._cluster.call(self.actor, method, arguments)

        return call


@dataclass(slots=True)
class Call:
    """One call on its way, with what it takes to send it again."""

    placeholder: Placeholder
    actor: int
    message: dict[str, Any]
    tries: int = 0
    asker: tuple[int, int] | None = None  # (worker, question) where an actor waits for it


@dataclass(slots=True)
class Link:
    """One worker as the driver sees it."""

    number: int
    connection: Connection
    process: subprocess.Popen[bytes] | None
    actors: dict[int, dict[str, Any]] = field(default_factory=dict[int, dict[str, Any]])  # creation messages, in order
    sending: threading.Lock = field(default_factory=threading.Lock)


class Cluster:
    """Workers, started here (``workers`` processes) or beforehand (``servers``: host and port of each, with ``key``)."""

    def __init__(
        self, workers: int = 0, *, servers: Sequence[tuple[str, int]] = (), key: bytes | None = None, retries: int = 1, restart: bool = True
    ) -> None:
        if workers < 1 and not servers:
            raise UsageError("a cluster needs workers=N, at least 1, or servers=[(host, port), ...]")
        if servers and key is None:
            raise UsageError("servers that were started beforehand need the key they were started with")
        self.key = key or os.urandom(32).hex().encode()
        self.retries, self.restart = retries, restart
        self.lost: list[str] = []  # what was lost and when it was given up, for the log
        self._lock = threading.RLock()
        self._links: dict[int, Link] = {}
        self._home: dict[int, int] = {}  # actor -> worker
        self._calls: dict[int, Call] = {}
        self._waits: dict[int, int] = {}  # call -> the call it waits for, made by an actor's method
        self._next = 0
        self._closing = False
        try:
            for number in range(workers):
                self._attach(number, *self._start())
            for number, (host, port) in enumerate(servers, workers):
                self._attach(number, Client((host, port), authkey=self.key), None)
        except BaseException:
            self.close()  # no worker is left behind
            raise

    def __enter__(self) -> Cluster:
        return self

    def __exit__(self, *details: object) -> None:
        self.close()

    def create(self, what: str, **arguments: Any) -> Handle:
        """An actor of class ``package.module:Class``, on the worker with the fewest. Returns at once."""
        with self._lock:
            link = min(self._links.values(), key=lambda one: (len(one.actors), one.number))
            handle = Handle(self, self._number())
            self._home[handle.actor] = link.number
            placeholder = Placeholder(self._number())
            message = {"kind": "create", "actor": handle.actor, "call": placeholder.call, "what": what, "arguments": _plain(arguments)}
            link.actors[handle.actor] = message
            self._calls[placeholder.call] = Call(placeholder, handle.actor, message)
        handle.created = placeholder
        self._dispatch(placeholder.call)
        return handle

    def call(self, actor: int, method: str, arguments: dict[str, Any], asker: tuple[int, int] | None = None) -> Placeholder:
        """A method of an actor; it goes out when the placeholders among its arguments have their values."""
        with self._lock:
            placeholder = Placeholder(self._number())
            message = {"kind": "call", "actor": actor, "call": placeholder.call, "method": method, "arguments": arguments}
            self._calls[placeholder.call] = Call(placeholder, actor, message, asker=asker)
        pending = [value for value in arguments.values() if isinstance(value, Placeholder)]
        if not pending:
            self._filled(placeholder.call)
        else:
            left = [len(pending)]

            def arrived(_: Future[Any]) -> None:
                with self._lock:
                    left[0] -= 1
                    last = left[0] == 0
                if last:
                    self._filled(placeholder.call)

            for value in pending:
                value._future.add_done_callback(arrived)  # pyright: ignore[reportPrivateUsage]
        return placeholder

    def pids(self) -> list[int]:
        """Process ids of the workers started here."""
        return [link.process.pid for link in self._links.values() if link.process is not None]

    def close(self) -> None:
        """End the workers started here, and every wait."""
        with self._lock:
            self._closing = True
            links, calls = list(self._links.values()), list(self._calls.values())
        for link in links:
            link.connection.close()
            if link.process is not None:
                link.process.terminate()
                link.process.wait()
        for one in calls:
            one.placeholder._future.cancel()  # pyright: ignore[reportPrivateUsage]

    def _number(self) -> int:
        with self._lock:
            self._next += 1
            return self._next

    def _start(self) -> tuple[Connection, subprocess.Popen[bytes]]:
        with Listener(("127.0.0.1", 0), authkey=self.key) as listener:
            host, port = listener.address  # pyright: ignore[reportGeneralTypeIssues]
            environment = {
                **without_keys(os.environ),
                KEY: self.key.decode(),
                "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
            }
            process = subprocess.Popen([sys.executable, "-m", "sociarium.cluster.worker", str(host), str(port)], env=environment)
            return listener.accept(), process

    def _attach(self, number: int, connection: Connection, process: subprocess.Popen[bytes] | None) -> Link:
        link = self._links[number] = Link(number, connection, process)
        threading.Thread(target=self._listen, args=(link,), daemon=True).start()
        return link

    def _filled(self, call: int) -> None:
        """All arguments are there: put the values in, and send; an argument that failed fails the call."""
        one = self._calls[call]
        try:
            values = {name: v.get(0) if isinstance(v, Placeholder) else v for name, v in one.message["arguments"].items()}
            one.message["arguments"] = _plain(values)
            pack(one.message["arguments"])
        except SociariumError as error:
            self._end(call, error=error)
            return
        self._dispatch(call)

    def _dispatch(self, call: int) -> None:
        with self._lock:
            one = self._calls.get(call)
            link = None if one is None else self._links.get(self._home[one.actor])
        if one is None:
            return
        if link is None:
            self._end(call, error=ActorLost(f"the worker of actor {one.actor} is gone"))
            return
        try:
            data = pack(one.message)
            with link.sending:
                link.connection.send_bytes(data)
        except OSError:
            return  # the listener of this link sees the loss, and tries again or gives up

    def _listen(self, link: Link) -> None:
        while True:
            try:
                message = unpack(link.connection.recv_bytes())
            except (EOFError, OSError):
                break
            if message["kind"] == "result":
                error = RemoteError(message["error"], message["message"], message["where"]) if "error" in message else None
                self._end(message["call"], message.get("value"), error)
            else:
                self._ask(link, message)
        if not self._closing:
            self._lose(link)

    def _ask(self, link: Link, message: dict[str, Any]) -> None:
        """An actor's method calls another actor and waits."""
        with self._lock:
            by, target = message["by"], message["actor"]
            if cycle := self._closes_circle(by, target):
                text = " → ".join(f"actor {actor}" for actor in cycle)
                refusal = {
                    "kind": "answer",
                    "question": message["question"],
                    "error": "WaitingCycle",
                    "message": f"a wait in a circle: {text}",
                }
            else:
                refusal = None
                placeholder = self.call(target, message["method"], message["arguments"], asker=(link.number, message["question"]))
                self._waits[by] = placeholder.call
        if refusal is not None:
            with link.sending:
                link.connection.send_bytes(pack(refusal))

    def _closes_circle(self, by: int, target: int) -> list[int]:
        """The actors from ``target`` along the waits back to the one that executes ``by``, or nothing."""
        waiting = {self._calls[c].actor: self._calls[d].actor for c, d in self._waits.items() if c in self._calls and d in self._calls}
        start = self._calls[by].actor
        path, at = [start], target
        while at != start:
            path.append(at)
            if at not in waiting:
                return []
            at = waiting[at]
        return [*path, start]

    def _end(self, call: int, value: Any = None, error: SociariumError | None = None) -> None:
        with self._lock:
            one = self._calls.pop(call, None)
            self._waits.pop(call, None)
            if one is None:
                return
            link: Link | None = None
            if one.asker is not None:
                self._waits = {asking: awaited for asking, awaited in self._waits.items() if awaited != call}
                link = self._links.get(one.asker[0])
        future = one.placeholder._future  # pyright: ignore[reportPrivateUsage]
        if not future.done():
            future.set_result(value) if error is None else future.set_exception(error)
        if one.asker is not None and link is not None:
            answer: dict[str, Any] = {"kind": "answer", "question": one.asker[1]}
            kind = error.kind if isinstance(error, RemoteError) else type(error).__name__
            answer |= {"value": value} if error is None else {"error": kind, "message": str(error)}
            with link.sending:
                link.connection.send_bytes(pack(answer))

    def _lose(self, link: Link) -> None:
        """A worker is gone: start another with the same actors, try its calls again, or give them up."""
        with self._lock:
            del self._links[link.number]
            mine = [call for call, one in self._calls.items() if self._home[one.actor] == link.number]
            self.lost.append(f"worker {link.number} with {len(link.actors)} actors and {len(mine)} calls")
        if link.process is not None:
            link.process.wait()
        if self.restart and link.process is not None and not self._closing:
            fresh = self._attach(link.number, *self._start())
            fresh.actors = link.actors
            for message in link.actors.values():
                with fresh.sending:
                    fresh.connection.send_bytes(pack({**message, "call": 0}))
        for call in mine:
            self._again(call, link)

    def _again(self, call: int, link: Link) -> None:
        one = self._calls.get(call)
        if one is None or any(isinstance(value, Placeholder) for value in one.message["arguments"].values()):
            return
        one.tries += 1
        if one.message["kind"] == "create" and link.number in self._links:
            self._end(call, None)  # it was made anew with the worker
        elif one.tries > self.retries or link.number not in self._links:
            self.lost.append(f"call {one.message.get('method')} of actor {one.actor} after {one.tries} tries")
            self._end(call, error=ActorLost(f"actor {one.actor} was lost with its worker, and {one.tries - 1} retries did not help"))
        else:
            self._dispatch(call)


def gathered(placeholders: Sequence[Placeholder]) -> Iterator[Any]:
    """Values in order; a lost actor gives None."""
    for one in placeholders:
        try:
            yield one.get()
        except ActorLost:
            yield None


def _plain(arguments: dict[str, Any]) -> dict[str, Any]:
    return {name: {"actor": value.actor} if isinstance(value, Handle) else value for name, value in arguments.items()}
