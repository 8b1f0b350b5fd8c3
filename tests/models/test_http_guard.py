"""A model's base URL reaches the host that the user named and no other: forms of addresses, names that lead elsewhere, rebinding,
redirects, proxies. Every connection of the event loop is recorded, whoever makes it."""

from __future__ import annotations

import asyncio
import socket

import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver

from sociarium.kernel.errors import ModelError, UsageError
from sociarium.models.backend import CallFailed
from sociarium.models.backends import http_guard, http_wire
from sociarium.models.backends.http_guard import Forbidden, Guard, allowed, scope_of
from sociarium.models.opening import open_backend, ready
from sociarium.models.request import Request

SECRET = "sk-canary-77ab12"

REFUSED = [  # never even opened
    # where clouds keep credentials
    "http://169.254.169.254/latest/meta-data#m", "http://169.254.169.254:80/v1#m", "https://169.254.170.2/v1#m",
    "http://169.254.0.1/v1#m", "http://[fd00:ec2::254]/v1#m", "http://100.100.100.200/v1#m", "http://192.0.0.192/v1#m",
    "http://168.63.129.16/v1#m",
    # the same, in other clothes
    "http://2852039166/v1#m", "http://0xA9FEA9FE/v1#m", "http://0xa9.0xfe.0xa9.0xfe/v1#m", "http://0251.0376.0251.0376/v1#m",
    "http://169.16689662/v1#m", "http://169.254.43518/v1#m", "http://[::ffff:169.254.169.254]/v1#m", "http://[::ffff:a9fe:a9fe]/v1#m",
    "http://[::169.254.169.254]/v1#m", "http://[64:ff9b::169.254.169.254]/v1#m", "http://[2002:a9fe:a9fe::1]/v1#m",
    "http://[2001:0:a9fe:a9fe::]/v1#m", "http://169.254.169.254./v1#m",
    # this machine, in other clothes
    "http://2130706433/v1#m", "http://0x7f000001/v1#m", "http://0177.0.0.1/v1#m", "http://127.1/v1#m", "http://0x7f.1/v1#m",
    "http://017700000001/v1#m", "http://127.0.1/v1#m", "http://[::ffff:127.0.0.1]/v1#m", "http://[::ffff:7f00:1]/v1#m",
    "http://[::127.0.0.1]/v1#m", "http://[64:ff9b::7f00:1]/v1#m", "http://[2002:7f00:1::]/v1#m", "http://127.0.0.1./v1#m",
    # nowhere and everywhere
    "http://0.0.0.0/v1#m", "http://0/v1#m", "http://[::]/v1#m", "http://224.0.0.1/v1#m", "http://[ff02::1]/v1#m", "http://[fe80::1]/v1#m",
    "http://[fe80::1%25eth0]/v1#m", "http://256.1.1.1/v1#m", "http://1.2.3.4.5/v1#m",
    # other schemes
    "file:///etc/passwd#m", "file://127.0.0.1/etc/passwd#m", "gopher://127.0.0.1:70/_x#m", "ftp://127.0.0.1/v1#m", "dict://127.0.0.1/v1#m",
    "ws://127.0.0.1/v1#m", "unix:///var/run/docker.sock#m", "jar:http://127.0.0.1!/#m", "data:text/plain,x#m", "ldap://127.0.0.1/v1#m",
    "javascript:x#m", "//127.0.0.1/v1#m", "127.0.0.1/v1#m",
    # addresses that two readers read differently
    f"http://user:{SECRET}@127.0.0.1/v1#m", f"http://{SECRET}@127.0.0.1/v1#m", "http://good.example@127.0.0.1/v1#m",
    f"http://127.0.0.1/v1?key={SECRET}#m", "http://good.example\\@127.0.0.1/v1#m", "http://good.example\\.127.0.0.1/v1#m",
    "http://good.example 127.0.0.1/v1#m", "http://good.example\t/v1#m", "http://good.example\r\nHost: other/v1#m", "http://good.example\x00/v1#m",
    "http://%31%32%37.0.0.1/v1#m", "http://127%2e0%2e0%2e1/v1#m", "http://１２７.0.0.1/v1#m", "http://127。0。0。1/v1#m", "http://ⓔxample.com/v1#m",
    "http:///v1#m", "http://:80/v1#m", "http://host:0/v1#m", "http://host:99999/v1#m", "http://host:x/v1#m", "http://[::1/v1#m", "http://-a-.x/v1#m",
    "http://good.example:80:80/v1#m", "http://good.example,file:///etc/passwd#m", "http://good.example,http://169.254.169.254#m",
]  # fmt: skip


class Names(AbstractResolver):
    """Answers from a table: one list of addresses a look-up, the last for ever."""

    def __init__(self, table):
        self.table = {name: list(answers) for name, answers in table.items()}

    async def resolve(self, host, port=0, family=socket.AF_INET):
        answers = self.table.get(host)
        if answers is None:
            raise OSError(f"{host} is not known")
        found = answers.pop(0) if len(answers) > 1 else answers[0]
        return [
            {
                "hostname": host,
                "host": one,
                "port": port,
                "family": socket.AF_INET6 if ":" in one else socket.AF_INET,
                "proto": 0,
                "flags": 0,
            }
            for one in found
        ]

    async def close(self):
        pass


@pytest.fixture
def connections(monkeypatch):
    """(address, port) of every connection that is tried; all but those to this machine fail without leaving it."""
    tried = []
    real = asyncio.SelectorEventLoop.sock_connect

    async def recorded(loop, sock, address):
        tried.append(address[:2])
        if not address[0].startswith("127."):
            raise OSError("no such way in a test")
        await real(loop, sock, address)

    monkeypatch.setattr(asyncio.SelectorEventLoop, "sock_connect", recorded)
    return tried


@pytest.fixture
def names(monkeypatch):
    def told(table):
        monkeypatch.setattr(http_guard, "DefaultResolver", lambda: Names(table))

    return told


@pytest.fixture
async def trap():
    """A server that counts who comes."""
    visits = []

    async def seen(request):
        visits.append((request.method, request.path))
        if request.path.startswith("/moved"):
            return web.Response(status=307, headers={"Location": "http://127.0.0.1:9/v1/chat/completions"})
        return web.json_response({"choices": [{"message": {"content": "ten"}}]})

    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", seen)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield runner.addresses[0][1], visits
    await runner.cleanup()


def test_there_are_eighty_targets():
    assert len(set(REFUSED)) == len(REFUSED) >= 80


@pytest.mark.parametrize("spec", REFUSED)
async def test_an_address_that_no_model_has_is_refused_before_any_connection(spec, connections, names):
    names({"good.example": [["93.184.216.34"]], "host": [["93.184.216.34"]]})
    with pytest.raises((UsageError, ModelError)) as caught:
        await ready(spec)
    assert connections == [] and SECRET not in str(caught.value)


LEAD_ASTRAY = {  # what a name that the user gave leads to, at its first look-up
    "metadata.google.internal": ["169.254.169.254"],
    "localtest.me": ["127.0.0.1"],
    "six.localtest.me": ["::1"],
    "mapped.example": ["::ffff:127.0.0.1"],
    "nat.example": ["64:ff9b::7f00:1"],
    "six-to-four.example": ["2002:a9fe:a9fe::1"],
    "nowhere.example": ["0.0.0.0"],
    "group.example": ["224.0.0.1"],
    "aws.example": ["fd00:ec2::254"],
    "empty.example": [],
    "localhost": ["93.184.216.34"],
    "x.localhost": ["10.0.0.1"],
}


@pytest.mark.parametrize("name", LEAD_ASTRAY)
async def test_a_name_that_leads_where_no_model_can_be_is_not_connected_to(name, connections, names):
    names({name: [LEAD_ASTRAY[name]]})
    backend = open_backend(f"http://{name}:8000/v1#m")
    with pytest.raises(CallFailed) as caught:
        await backend.complete(Request(), None)
    assert (caught.value.kind, caught.value.retryable, connections) == ("bad_request", False, [])
    with pytest.raises(ModelError):
        await backend.prepare()
    await backend.close()
    assert connections == []


@pytest.mark.parametrize(
    ("first", "later"),
    [("93.184.216.34", "127.0.0.1"), ("93.184.216.34", "10.0.0.7"), ("93.184.216.34", "169.254.169.254"), ("10.0.0.7", "8.8.8.8")],
)
async def test_a_name_that_is_bound_anew_leads_nowhere(first, later, connections, names, monkeypatch):
    names({"model.example": [[first], [later]]})
    backend = open_backend("http://model.example:8000/v1#m")
    for _ in range(2):
        with pytest.raises(CallFailed):
            await backend.complete(Request(), None)
        backend._wire._session.connector.clear_dns_cache()
    await backend.close()
    assert connections == [(first, 8000)]


async def test_of_several_addresses_those_that_may_not_be_are_left_out(connections, names):
    names({"model.example": [["169.254.169.254", "93.184.216.34", "127.0.0.1", "10.0.0.1"]]})
    backend = open_backend("http://model.example/v1#m")
    with pytest.raises(CallFailed):
        await backend.complete(Request(), None)
    await backend.close()
    assert connections == [("93.184.216.34", 80)]


async def test_the_host_that_was_named_is_reached_and_a_redirect_is_not_followed(connections, trap, monkeypatch):
    port, visits = trap
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    backend = await ready(f"http://127.0.0.1:{port}/v1#m")
    assert (await backend.complete(Request(), None)).text == "ten"
    await backend.close()
    moved = open_backend(f"http://127.0.0.1:{port}/moved#m")
    with pytest.raises(CallFailed, match="points elsewhere"):
        await moved.complete(Request(), None)
    await moved.close()
    assert set(connections) == {("127.0.0.1", port)} and len(visits) == 3


async def test_localhost_is_this_machine(connections, trap, names):
    port, _ = trap
    names({"localhost": [["::ffff:10.0.0.1", "127.0.0.1"]]})
    backend = open_backend(f"http://localhost:{port}/v1#m")
    assert (await backend.complete(Request(), None)).text == "ten"
    await backend.close()
    assert connections == [("127.0.0.1", port)]


async def test_the_last_check_is_on_the_very_address():
    guard = Guard(
        ["http://127.0.0.1:1/v1", "http://model.example/v1"], Names({"model.example": [["93.184.216.34"]], "other.example": [["1.1.1.1"]]})
    )
    tcp = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
    guard.socket((*tcp, ("127.0.0.1", 1))).close()
    with pytest.raises(Forbidden):
        guard.socket((*tcp, ("93.184.216.34", 80)))  # not looked up yet
    await guard.resolve("model.example")
    guard.socket((*tcp, ("93.184.216.34", 80))).close()
    with pytest.raises(Forbidden, match="not a host that was named"):
        await guard.resolve("other.example")
    with pytest.raises(Forbidden):
        guard.socket((*tcp, ("1.1.1.1", 80)))


def test_scopes_and_what_may_be():
    assert [scope_of(one) for one in ("127.9.9.9", "::1", "::ffff:10.0.0.1", "192.168.1.1", "fd12::1", "100.64.0.1", "8.8.8.8")] == [
        "this machine", "this machine", "a private network", "a private network", "a private network", "a private network", "the internet",
    ]  # fmt: skip
    assert not any(map(allowed, ("169.254.1.1", "fe80::1%eth0", "::ffff:169.254.1.1", "224.0.0.1", "::", "0.0.0.0", "fd00:ec2::254")))
    assert all(map(allowed, ("127.0.0.1", "10.0.0.5", "8.8.8.8", "::1", "fd12::1", "2606:4700::1111")))


async def test_a_session_belongs_to_its_loop(trap):
    port, _ = trap
    wire = http_wire.Wire("x", [f"http://127.0.0.1:{port}"], http_wire.Secret(""), 4)
    first = wire._open()
    wire._loop = None
    assert wire._open() is not first
    await first.close()
    await wire.close()
