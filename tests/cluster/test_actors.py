"""Placeholders, errors, chains, circles, losses (agentscope, items 6 and 11)."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sociarium.cluster.actors import ActorLost, Cluster, Placeholder
from sociarium.cluster.wire import pack, unpack
from sociarium.cluster.worker import KEY, RemoteError
from sociarium.kernel.errors import UsageError

HERE = Path(__file__).parent
PLAYER = "actors_here:Player"


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(str(HERE))
    with Cluster(workers=2) as made:
        yield made


def test_a_call_returns_before_its_value_and_reading_waits(cluster):
    player = cluster.create(PLAYER)
    player.created.get()
    placeholder = player.slow(seconds=0.05, value=7.0)
    assert not placeholder.done
    assert placeholder.get() == 7.0


def test_an_exception_inside_the_actor_is_raised_at_the_read(cluster):
    placeholder = cluster.create(PLAYER).fail()
    with pytest.raises(RemoteError, match="ValueError: no such number"):
        placeholder.get()


def test_an_unread_placeholder_resolves_at_the_second_actor_and_chains_never_deadlock(cluster):
    players = [cluster.create(PLAYER) for _ in range(5)]  # more than there are workers
    value: object = 1.0
    for _ in range(10):
        for player in players:
            value = player.report(announced=value)
    assert isinstance(value, Placeholder)
    assert value.get(20) == 2.0**50


def test_a_failed_argument_fails_the_call_that_takes_it(cluster):
    first, second = cluster.create(PLAYER), cluster.create(PLAYER)
    with pytest.raises(RemoteError, match="ValueError"):
        second.report(announced=first.fail()).get()


def test_an_actor_may_wait_for_another_even_on_its_own_worker(cluster):
    players = [cluster.create(PLAYER) for _ in range(4)]
    for one in players:
        for other in players:
            if one is not other:
                assert one.ask(other=other, announced=3.0).get(20) == 6.0


def test_a_wait_in_a_circle_is_detected(cluster):
    first, second = cluster.create(PLAYER), cluster.create(PLAYER)
    with pytest.raises(RemoteError, match="circle"):
        first.circle(other=second, me=first).get(20)


def test_a_killed_worker_is_started_again_and_its_call_tried_again(cluster):
    player = cluster.create(PLAYER, factor=3.0)
    os.kill(player.pid().get(), signal.SIGKILL)
    assert player.report(announced=2.0).get(20) == 6.0


def test_a_call_that_kills_its_worker_is_given_up_after_its_retries_and_logged(cluster):
    with pytest.raises(ActorLost, match="retries did not help"):
        cluster.create(PLAYER).die().get(20)
    assert any("die" in line for line in cluster.lost)


def test_without_restart_a_loss_is_final(monkeypatch):
    monkeypatch.syspath_prepend(str(HERE))
    with Cluster(workers=1, restart=False) as cluster:
        player = cluster.create(PLAYER)
        with pytest.raises(ActorLost):
            player.die().get(20)
        with pytest.raises(ActorLost):
            player.report(announced=1.0).get(20)


def test_servers_started_beforehand_serve_as_well(monkeypatch):
    key = b"0123456789abcdef"
    environment = {**os.environ, KEY: key.decode(), "PYTHONPATH": os.pathsep.join([str(HERE), *sys.path])}
    ports = [_free(), _free()]
    servers = [
        subprocess.Popen([sys.executable, "-m", "sociarium.cluster.worker", "--listen", "127.0.0.1", str(port)], env=environment)
        for port in ports
    ]
    try:
        cluster = _connected([("127.0.0.1", port) for port in ports], key)
        with cluster:
            players = [cluster.create(PLAYER, factor=float(at)) for at in range(4)]
            assert [player.report(announced=1.0).get(20) for player in players] == [0.0, 1.0, 2.0, 3.0]
            assert len({player.pid().get() for player in players}) == 2
    finally:
        for server in servers:
            server.kill()
            server.wait()


def test_what_cannot_travel_is_a_clear_error(cluster):
    player = cluster.create(PLAYER)
    with pytest.raises(RemoteError, match="object cannot be sent"):
        player.odd().get()
    with pytest.raises(UsageError, match="set cannot be sent"):
        player.report(announced={1, 2}).get()


def test_an_unknown_class_is_a_clear_error(cluster):
    with pytest.raises(RemoteError, match="cannot find"):
        cluster.create("actors_here:Nobody").created.get()


def test_closing_ends_every_wait(monkeypatch):
    monkeypatch.syspath_prepend(str(HERE))
    cluster = Cluster(workers=1)
    waiting = cluster.create(PLAYER).slow(seconds=30)
    cluster.close()
    with pytest.raises(ActorLost):
        waiting.get(5)
    assert threading.active_count() < 20


plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(plain)
def test_plain_data_travels_unchanged(value):
    assert unpack(pack(value)) == value


def test_arrays_travel_unchanged():
    sent = {"a": np.arange(6).reshape(2, 3), "b": np.array([True, False]), "c": np.array(["x", "é"], object), "d": [np.float32(1.5)]}
    back = unpack(pack(sent))
    assert back["a"].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert back["b"].dtype == bool
    assert back["c"].tolist() == ["x", "é"]
    assert back["d"] == [1.5]


def _free() -> int:
    import socket

    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def _connected(servers, key) -> Cluster:
    for _ in range(400):
        try:
            return Cluster(servers=servers, key=key)
        except ConnectionRefusedError:
            time.sleep(0.02)
    raise AssertionError("the servers did not come up")
