"""What every test gets: no outside network, no keys, one Hypothesis profile, and the places of reference data and weights."""

from __future__ import annotations

import importlib.util
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parents[1]

settings.register_profile(
    "ci",
    derandomize=True,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.register_profile("explore", settings.get_profile("ci"), derandomize=False, max_examples=2000)
settings.load_profile(os.environ.get("SOCIARIUM_HYPOTHESIS", "ci"))


class NetworkRefused(RuntimeError):
    """A test tried to leave this machine. Not an OSError, so that no retry or fallback can swallow it."""


LOOPBACK = {"", "localhost", "ip6-localhost", "::1", "0.0.0.0", "::", None}
KEYS = ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "OPENROUTER_API_KEY", "MISTRAL_API_KEY", "GEMINI_API_KEY", "HF_TOKEN")


def pytest_configure(config: pytest.Config) -> None:
    """Guard sockets for the whole session (collection too), and drop the keys that could pay for a call by accident."""
    for key in KEYS:
        os.environ.pop(key, None)
    patch = pytest.MonkeyPatch()
    for name in ("connect", "connect_ex"):
        patch.setattr(socket.socket, name, guarded(getattr(socket.socket, name)))
    patch.setattr(socket.socket, "sendto", guarded_sendto(socket.socket.sendto))
    patch.setattr(socket, "getaddrinfo", guarded_lookup(socket.getaddrinfo))
    config.add_cleanup(patch.undo)


def guarded(connect: Callable[..., Any]) -> Callable[..., Any]:
    def checked(self: socket.socket, address: Any) -> Any:
        refuse_outside(self.family, address)
        return connect(self, address)

    return checked


def guarded_sendto(sendto: Callable[..., Any]) -> Callable[..., Any]:
    def checked(self: socket.socket, data: Any, *rest: Any) -> Any:
        refuse_outside(self.family, rest[-1])
        return sendto(self, data, *rest)

    return checked


def guarded_lookup(lookup: Callable[..., Any]) -> Callable[..., Any]:
    def checked(host: Any, *rest: Any, **named: Any) -> Any:
        text = host.decode() if isinstance(host, bytes) else host
        if not is_loopback(text) and not is_number(text):  # an address in digits asks no name server
            raise NetworkRefused(f"a test looked up {text!r}; tests may use loopback only")
        return lookup(host, *rest, **named)

    return checked


def refuse_outside(family: int, address: Any) -> None:
    if family in (socket.AF_INET, socket.AF_INET6) and not is_loopback(address[0]):
        raise NetworkRefused(f"a test tried to reach {address!r}; tests may use loopback only")


def is_loopback(host: str | None) -> bool:
    return host in LOOPBACK or str(host).startswith("127.")


def is_number(host: str) -> bool:
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, host)
        except OSError:
            continue
        return True
    return False


@pytest.fixture(scope="session")
def project() -> Path:
    """The root of the project."""
    return ROOT


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of reference data that is not part of the project; the test is skipped where it is absent."""
    place = Path(os.environ.get("SOCIARIUM_TEST_DATA", ROOT.parent / "shared" / "data"))
    if not place.is_dir():
        pytest.skip(f"no reference data at {place}; set SOCIARIUM_TEST_DATA to its folder")
    return place


@pytest.fixture(scope="session")
def weights() -> Path:
    """The weight file of the small local model; the test is skipped where it was not pulled."""
    if importlib.util.find_spec("sociarium.models.weights") is None:
        pytest.skip("this version has no local models")
    from sociarium.models.weights import find

    file = find("smollm2")
    if file is None:
        pytest.skip("the weights are not here; get them by: sociarium models pull smollm2")
    return Path(file)


@pytest.fixture(scope="session")
def kills() -> int:
    """How often the crash tests kill a run: ``make crash N=500`` sets it."""
    return int(os.environ.get("SOCIARIUM_KILLS", "50"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test that asks for the data or the weights is marked so, whether or not its author did."""
    for item in items:
        names = getattr(item, "fixturenames", ())
        if "shared_data" in names:
            item.add_marker("data")
        if "weights" in names:
            item.add_marker("model")
