"""Law 1: the same seed and the same replies end in one digest, whatever the concurrency, the order of arrival, or the sharing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest_laws import SMALL, society

from sociarium.models.backends.scripted import open_scripted

SOURCES = Path(__file__).parents[2] / "src"


def late(seed):
    """The scripted model with replies that arrive in random order."""
    random = np.random.default_rng(seed)
    backend = open_scripted("scripted:schema")
    backend._delay = lambda request, drawn: float(random.uniform(0, 0.003))
    return backend


def shuffled_sharing(seed):
    """Lanes shared out at random, each share played by itself."""

    def set_it(_, simulation):
        random = np.random.default_rng(seed)

        def share(lanes):
            parts = random.integers(0, 3, len(lanes))
            return [lanes.only(parts == part) for part in random.permutation(np.unique(parts))]

        simulation.sharing = share

    return set_it


@pytest.mark.parametrize("slug", sorted(SMALL))
async def test_one_digest_at_any_concurrency_order_of_replies_and_sharing_of_lanes(slug, run):
    digests = {(await run(society(slug), 7)).digest}
    for flight, order in ((1, 1), (4, 2), (64, 3), (64, 4)):
        digests.add((await run(society(slug), 7, concurrency=flight, backends={"scripted:schema": late(order)})).digest)
    for sharing in (1, 2):
        late_too = {"scripted:schema": late(sharing)}
        digests.add((await run(society(slug), 7, backends=late_too, on_built=[shuffled_sharing(sharing)])).digest)
    assert len(digests) == 1


@pytest.mark.parametrize("slug", sorted(SMALL))
async def test_another_seed_is_another_run(slug, run):
    assert (await run(society(slug), 1)).digest != (await run(society(slug), 2)).digest


def test_the_hash_seed_of_python_shows_nowhere(tmp_path):
    digests = set()
    for hash_seed in ("1", "4711"):
        settings = [part for name, value in SMALL["govsim"].items() for part in ("--set", f"{name}={value}")]
        command = [sys.executable, "-m", "sociarium", "run", "govsim", "--model", "scripted:schema", *settings, "--json"]
        environment = {**os.environ, "PYTHONPATH": str(SOURCES), "PYTHONHASHSEED": hash_seed}
        out = ["--out", str(tmp_path / hash_seed)]
        done = subprocess.run([*command, *out], env=environment, capture_output=True, text=True, check=True)
        digests.add(json.loads(done.stdout)["runs"][0]["digest"])
    assert len(digests) == 1


async def test_who_watches_shows_nowhere(run):
    seen = []
    watched = await run(society("govsim"), 3, on_events=[seen.append], on_tick=[seen.append])
    assert seen
    assert watched.digest == (await run(society("govsim"), 3)).digest


def test_delays_are_no_part_of_what_the_scripted_model_is():
    assert open_scripted("scripted:schema").facts.digest == open_scripted("scripted:schema?delay=0.002").facts.digest
