"""Conformance checks that anybody's environment, mind, simulation or backend can be held to. Each raises ConformanceError."""

from sociarium.testing.backends import backend_test
from sociarium.testing.digests import digest_of, same_state, same_ticks, ticks_of
from sociarium.testing.environments import (
    admission_test,
    environment_test,
    groups_test,
    probe_test,
    purity_test,
    refusal_test,
    sharing_test,
    state_test,
)
from sociarium.testing.errors import ConformanceError
from sociarium.testing.fuzz import FuzzMind
from sociarium.testing.leaks import Leak, LeakReport, leak_audit
from sociarium.testing.minds import mind_test
from sociarium.testing.runs import fork_test, seed_test

__all__ = [
    "ConformanceError",
    "FuzzMind",
    "Leak",
    "LeakReport",
    "admission_test",
    "backend_test",
    "digest_of",
    "environment_test",
    "fork_test",
    "groups_test",
    "leak_audit",
    "mind_test",
    "probe_test",
    "purity_test",
    "refusal_test",
    "same_state",
    "same_ticks",
    "seed_test",
    "sharing_test",
    "state_test",
    "ticks_of",
]
