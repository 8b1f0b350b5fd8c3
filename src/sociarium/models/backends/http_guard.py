"""Which addresses a model's requests may reach: those of the hosts that the user named, and of no other.

A name is looked up by us, and the addresses that pass are the ones connected to: there is no second look-up that could say
something else. ``localhost`` is this machine and nothing but this machine; no other name may lead to it. Whether a name leads to the
public internet or into a private network is fixed by its first look-up, so that an answer that changes later (DNS rebinding)
leads nowhere. Addresses where clouds keep their credentials, and forms of an address that programs read differently, are refused.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Iterable
from typing import Any, Literal
from urllib.parse import urlsplit

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import DefaultResolver

from sociarium.kernel.errors import UsageError

Scope = Literal["this machine", "a private network", "the internet"]
Ip = ipaddress.IPv4Address | ipaddress.IPv6Address
NAME = re.compile(r"(?=.{1,253}$)[A-Za-z0-9_]([A-Za-z0-9_-]{0,62})(\.[A-Za-z0-9_]([A-Za-z0-9_-]{0,62}))*\.?")
NUMERIC = re.compile(r"(0[xX][0-9a-fA-F]*|[0-9]+)(\.(0[xX][0-9a-fA-F]*|[0-9]+)){0,3}\.?")  # what C libraries read as IPv4
SHARED = ipaddress.ip_network("100.64.0.0/10")  # carriers' and containers' own
NAT64 = ipaddress.ip_network("64:ff9b::/96")
METADATA = frozenset(  # beside 169.254.0.0/16: AWS over IPv6, Alibaba, Oracle, Azure
    ipaddress.ip_address(text) for text in ("fd00:ec2::254", "100.100.100.200", "192.0.0.192", "168.63.129.16")
)


class Forbidden(OSError):
    """An address that no request may be sent to. Trying again does not help."""


def checked(address: str) -> str:
    """An http(s) address of a host, without anything that does not belong into one. Raises ``UsageError``."""
    try:
        parts = urlsplit(address)
        port, host = parts.port, parts.hostname or ""
    except ValueError:
        raise UsageError("A model's address has a port or a host that cannot be read.") from None
    if parts.username is not None or parts.password is not None or parts.query:
        # The text is not shown: it may hold a key.
        raise UsageError("A model's address must not hold a user, a password or a query: name the variable that holds the key, key=NAME.")
    if parts.scheme not in ("http", "https") or not host or port == 0 or not address.isascii() or not address.isprintable():
        raise UsageError(f"Not the address of a model server: {address[:200]!r}. Write http://HOST:PORT/v1#MODEL.")
    if any(mark in address for mark in " \\") or "%" in host:
        raise UsageError(f"A model's address holds a character that no address has: {address[:200]!r}.")
    ip = literal(host)
    if ip is None and not NAME.fullmatch(host):
        raise UsageError(f"{host[:200]!r} is not the name of a host.")
    if ip is not None and not allowed(host):
        raise UsageError(f"No model can be at {host}: it is a link-local, multicast, unspecified or cloud metadata address.")
    return address.rstrip("/")


def literal(host: str) -> Ip | None:
    """The address that a host is written as, in its usual form; None for a name. Raises ``UsageError`` for any other form."""
    try:
        ip = ipaddress.ip_address(host)
    except ValueError:
        if NUMERIC.fullmatch(host):  # 0177.0.0.1, 2130706433, 0x7f.1: each program reads them in its own way
            raise UsageError(f"{host} is an unusual form of a numeric address; write it as four numbers from 0 to 255.") from None
        return None
    inner = embedded(ip)
    if inner is not ip:
        raise UsageError(f"{host} hides the address {inner}; write that one if you mean it.")
    return ip


def embedded(ip: Ip) -> Ip:
    """The IPv4 address inside an IPv6 address of the mapped, compatible, NAT64, 6to4 or Teredo form; else the address itself."""
    if isinstance(ip, ipaddress.IPv4Address):
        return ip
    if ip.ipv4_mapped is not None:
        return ip.ipv4_mapped
    if ip.sixtofour is not None:
        return ip.sixtofour
    if ip.teredo is not None:
        return ip.teredo[1]
    if ip in NAT64 or (int(ip) >> 32 == 0 and int(ip) > 1):
        return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip


def allowed(address: str) -> bool:
    """Whether an address may be connected to at all."""
    outer = ipaddress.ip_address(address.split("%")[0])
    return not any(ip.is_link_local or ip.is_multicast or ip.is_unspecified or ip in METADATA for ip in (outer, embedded(outer)))


def scope_of(address: str) -> Scope:
    """Where an address leads."""
    ip = embedded(ipaddress.ip_address(address.split("%")[0]))
    if ip.is_loopback:
        return "this machine"
    return "a private network" if ip.is_private or ip in SHARED else "the internet"


class Guard(AbstractResolver):
    """Looks up the names that the user gave. What it gives out is what may be connected to, and ``socket`` holds to it."""

    def __init__(self, bases: Iterable[str], inner: AbstractResolver | None = None) -> None:
        self._inner = inner
        self._named = {(urlsplit(base).hostname or "").rstrip(".").lower() for base in bases}
        self._scopes: dict[str, Scope] = {}
        self._granted = {
            str(ip) for host in self._named if (ip := literal(host)) is not None
        }  # as it is connected to, ::1 for 0:0:0:0:0:0:0:1

    async def resolve(self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET) -> list[ResolveResult]:
        name = host.rstrip(".").lower()
        if name not in self._named:
            raise Forbidden(f"{host} is not a host that was named")
        if self._inner is None:
            self._inner = DefaultResolver()
        found = await self._inner.resolve(host, port, family)
        kept = [one for one in found if allowed(one["host"]) and self._fits(name, scope_of(one["host"]))]
        if not kept:
            raise Forbidden(self._why(name, [one["host"] for one in found]))
        self._granted.update(one["host"] for one in kept)
        return kept

    def socket(self, address: tuple[Any, ...]) -> socket.socket:
        """A socket for an address about to be connected to: the last check, on the very address."""
        family, kind, protocol, _, place = address
        if place[0] not in self._granted or not allowed(place[0]):
            raise Forbidden(f"{place[0]} is not an address of a host that was named")
        return socket.socket(family=family, type=kind, proto=protocol)

    async def close(self) -> None:
        if self._inner is not None:
            await self._inner.close()

    def _fits(self, name: str, scope: Scope) -> bool:
        local = name == "localhost" or name.endswith(".localhost")
        if local or scope == "this machine":
            return local and scope == "this machine"
        return self._scopes.setdefault(name, scope) == scope

    def _why(self, name: str, found: list[str]) -> str:
        if not found:
            return f"{name} has no address"
        scopes = {scope_of(one) for one in found if allowed(one)}
        if "this machine" in scopes and not name.endswith("localhost"):
            return f"{name} leads to this machine: write http://127.0.0.1:PORT if you mean it"
        if scopes and name in self._scopes:
            return f"{name} led to {self._scopes[name]} before, and now leads elsewhere"
        return f"{name} has no address that a model may be at"
