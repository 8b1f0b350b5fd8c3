"""One simulation on many sites, each with its own agents: only sums leave a site.

``run_here`` plays all sites in this process (groups as sites); ``run_processes`` plays each site and each aggregator as a process
of its own over sockets. Either way a step is: every site says what its agents send to agents elsewhere, gets the sums that its own
agents receive, moves on, and adds its statistics to the common ones. Sums are of whole numbers, so the trajectory is the one that
a single process with all agents has, bit for bit.

A process that is lost, site or aggregator, ends the step for all, loudly. Every site has kept its state after each step, so all
are started again from the last step that all of them have; the result is the same.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from sociarium.cluster.secure_aggregation.aggregator import Aggregator
from sociarium.cluster.secure_aggregation.field import SCALE, Ints
from sociarium.cluster.secure_aggregation.session import Session, here, in_step, over_socket
from sociarium.cluster.wire import pack, unpack
from sociarium.cluster.worker import KEY, find
from sociarium.kernel.errors import SociariumError, UsageError

KEPT = 2  # states that a site keeps: the last step, and the one before, which another may not have got past
TORN = 3  # exit status of a site that stopped because another part was lost


class Site(Protocol):
    """The agents of one site. ``own``: where it receives, (n,) int64: a number an agent (and layer of contacts), unique over all sites;
    numbers below -1 are of what all sites ask for, such as the sum over everyone."""

    @property
    def own(self) -> Ints: ...

    def outgoing(self, step: int) -> tuple[Ints, Ints]:
        """(recipients, messages): agents of other sites, and whole (fixed-point) numbers for them, one an edge."""
        ...

    def advance(self, step: int, received: Ints) -> None:
        """Move to the next step. ``received``: what other sites sent to each of ``own``, summed, (n,)."""
        ...

    def statistics(self) -> NDArray[np.float64]:
        """What this site adds to the common statistics after a step: one vector, of one length everywhere."""
        ...

    def hear(self, step: int, common: NDArray[np.float64]) -> None:
        """The common statistics after a step, as every site sees them: what agents may decide by, and a fit goes on from."""
        ...

    def state(self) -> dict[str, Any]:
        """Arrays and plain data."""
        ...

    def load(self, state: Mapping[str, Any]) -> None: ...


@dataclass(slots=True)
class Trajectory:
    """What is known when it is over: the common statistics after each step, (steps, length); the digest of each site's last state;
    the bytes that all sites sent to aggregators; and how often all were started again."""

    statistics: NDArray[np.float64]
    digests: dict[str, str]
    sent: int = 0
    restarts: int = 0
    lost: list[str] = field(default_factory=list[str])


def one_step(site: Site, session: Session, step: int, *, noise: float = 0.0) -> NDArray[np.float64]:
    """One step of one site: collective, all sites must make it. The common statistics after it. ``noise``: see ``Session.total``."""
    recipients, messages = site.outgoing(step)
    site.advance(step, session.sums(step, "messages", recipients, messages, site.own))
    common = session.total(step, "statistics", site.statistics(), noise=noise) / SCALE
    site.hear(step, common)
    return common


def run_alone(site: Site, steps: int) -> Trajectory:
    """One site that has all agents, without any protocol: what many sites are held equal to."""
    statistics: list[NDArray[np.float64]] = []
    for step in range(steps):
        recipients, messages = site.outgoing(step)
        common_of = site.own[site.own < -1]
        received = np.zeros(len(site.own), np.int64)
        if len(common_of):
            received[site.own < -1] = [messages[recipients == number].sum() for number in common_of.tolist()]
        if (recipients >= 0).any():
            raise UsageError("a site alone has all agents, and this one has contacts elsewhere")
        site.advance(step, received)
        statistics.append(np.asarray(site.statistics(), np.float64))
        site.hear(step, statistics[-1])
    return Trajectory(np.array(statistics), {"alone": digest_of(site.state())})


def run_here(sites: Mapping[str, Site], steps: int, *, aggregators: int = 3, noise: float = 0.0) -> Trajectory:
    """All sites in this process, a thread each, for ``steps`` steps."""
    names = list(sites)
    parts = [Aggregator(names) for _ in range(aggregators)]
    sessions = {name: Session(name, [here(part, name) for part in parts], len(names)) for name in names}

    def play(name: str) -> list[NDArray[np.float64]]:
        return [one_step(sites[name], sessions[name], step, noise=noise) for step in range(steps)]

    try:
        statistics = in_step(names, play)
    finally:
        for session in sessions.values():
            session.close()
    digests = {name: digest_of(site.state()) for name, site in sites.items()}
    return Trajectory(np.array(statistics[0]), digests, sum(session.sent for session in sessions.values()))


def run_processes(
    sites: Mapping[str, tuple[str, Mapping[str, Any]]],
    steps: int,
    folder: Path,
    *,
    aggregators: int = 3,
    patience: float = 60.0,
    restarts: int = 3,
    on_start: Callable[[Mapping[str, int]], None] | None = None,
) -> Trajectory:
    """Each site and each aggregator as a process on this machine. ``sites``: name -> ("package.module:Class", its arguments).

    Each site keeps its states in ``folder``/NAME, and goes on from there if it is run again. ``patience``: seconds to wait for a
    part that does not answer. ``on_start`` is told the process ids by name. Raises SociariumError after ``restarts`` losses.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lost: list[str] = []
    while True:
        begin = _common_step(folder, sites, steps)
        failed = _attempt(sites, steps, begin, folder, aggregators, patience, on_start)
        if not failed:
            return _gathered(folder, sites, steps, lost)
        lost += failed
        if len(lost) > restarts:
            raise SociariumError(f"parts of the run were lost again and again: {', '.join(lost)}; its last states are in {folder}")


def digest_of(state: Mapping[str, Any]) -> str:
    """A hash of a site's state."""
    return hashlib.blake2b(pack(dict(state)), digest_size=16).hexdigest()


def _attempt(
    sites: Mapping[str, tuple[str, Mapping[str, Any]]],
    steps: int,
    begin: int,
    folder: Path,
    aggregators: int,
    patience: float,
    on_start: Callable[[Mapping[str, int]], None] | None,
) -> list[str]:
    """Play from step ``begin``; the names of the parts that were lost, none where all came to the end."""
    environment = {**os.environ, KEY: os.urandom(32).hex(), "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    running: dict[str, subprocess.Popen[str]] = {}
    try:
        for number in range(aggregators):
            running[f"aggregator {number}"] = _started("aggregator", [str(patience), *sites], environment)
        ports = [int(_line(process)) for process in running.values()]
        for name, (what, arguments) in sites.items():
            own = {"site": name, "what": what, "arguments": dict(arguments), "sites": len(sites), "begin": begin, "steps": steps}
            running[name] = _started("sites", [json.dumps({**own, "ports": ports, "folder": str(folder / name)})], environment)
        if on_start is not None:
            on_start({name: process.pid for name, process in running.items()})
        return _watched(running, list(sites))
    finally:
        for process in running.values():
            process.kill()
            process.communicate()


def _watched(running: Mapping[str, subprocess.Popen[str]], sites: Sequence[str]) -> list[str]:
    """Until all sites are done or a part is lost. A site that stopped because of another is not the lost one."""
    while True:
        ended = {name: process.returncode for name, process in running.items() if process.poll() is not None}
        gone = [name for name, status in ended.items() if status not in (0, TORN) or (status == 0 and name not in sites)]
        if gone:
            return gone
        if all(name in ended for name in sites):
            return [name for name in sites if ended[name] == TORN]
        time.sleep(0.01)


def _started(module: str, arguments: Sequence[str], environment: Mapping[str, str]) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", f"sociarium.cluster.secure_aggregation.{module}", *arguments]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=dict(environment))


def _line(process: subprocess.Popen[str]) -> str:
    line = process.stdout.readline() if process.stdout else ""
    if not line:
        raise SociariumError(f"an aggregator did not start (status {process.wait()}): its words are above")
    return line


def _common_step(folder: Path, sites: Mapping[str, Any], steps: int) -> int:
    """The last step that every site has a state after; 0 where one has none."""
    common = {0, *_steps(folder / next(iter(sites)))}
    for name in sites:
        common &= {0, *_steps(folder / name)}
    return min(max(common), steps)


def _steps(folder: Path) -> list[int]:
    return sorted(int(path.stem) for path in folder.glob("*.state"))


def _gathered(folder: Path, sites: Mapping[str, Any], steps: int, lost: list[str]) -> Trajectory:
    ends = {name: unpack((folder / name / f"{steps}.state").read_bytes()) for name in sites}
    first = next(iter(ends.values()))
    digests = {name: digest_of(end["state"]) for name, end in ends.items()}
    return Trajectory(np.array(first["statistics"]), digests, sum(end["sent"] for end in ends.values()), len(lost), lost)


def main(arguments: list[str]) -> None:
    """One site's process: plays its steps and keeps its state after each."""
    plan: dict[str, Any] = json.loads(arguments[0])
    folder = Path(plan["folder"])
    folder.mkdir(parents=True, exist_ok=True)
    site: Site = find(plan["what"])(**plan["arguments"])
    statistics: list[list[float]] = []
    sent = 0
    if begin := int(plan["begin"]):
        kept = unpack((folder / f"{begin}.state").read_bytes())
        site.load(kept["state"])
        statistics, sent = kept["statistics"], kept["sent"]
    key = os.environ.get(KEY, "").encode()
    if not key:
        raise UsageError(f"a site needs the connection's key in {KEY}")
    ways = [over_socket(plan["site"], ("127.0.0.1", port), key) for port in plan["ports"]]
    session = Session(plan["site"], ways, plan["sites"])
    for step in range(begin, plan["steps"]):
        statistics.append(one_step(site, session, step).tolist())
        _keep(folder, step + 1, {"state": site.state(), "statistics": statistics, "sent": sent + session.sent})
    session.close()


def _keep(folder: Path, step: int, data: Mapping[str, Any]) -> None:
    """The state after a step: whole on disk or not at all; what is older than the last ``KEPT`` goes."""
    with tempfile.NamedTemporaryFile(dir=folder, suffix=".part", delete=False) as part:
        part.write(pack(dict(data)))
        part.flush()
        os.fsync(part.fileno())
    Path(part.name).replace(folder / f"{step}.state")
    for old in _steps(folder)[:-KEPT]:
        (folder / f"{old}.state").unlink()


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except (SociariumError, OSError, EOFError) as torn:
        sys.stderr.write(f"{torn}\n")
        sys.exit(TORN)
