"""What a run was made from and on: enough to repeat it, nothing that identifies a key or a person."""

from __future__ import annotations

import os
import platform
import sqlite3
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any, cast

from sociarium.record.schema import FORMAT

PACKAGES = ("numpy", "polars", "pydantic", "aiohttp", "numba", "scipy", "statsmodels", "torch", "xllamacpp", "ctranslate2", "wordllama")


def build_manifest(
    scenario: str,
    parameters: Mapping[str, Any],
    seed: int,
    *,
    models: Mapping[str, Any] | None = None,
    prompts: Mapping[str, str] | None = None,
    parent: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The manifest of a new run. ``models``: role -> facts (name, digest, exact); ``prompts``: id -> digest of its text."""
    return {
        "scenario": scenario,
        "parameters": dict(parameters),
        "seed": seed,
        "models": dict(models or {}),
        "prompts": dict(prompts or {}),
        "parent": None if parent is None else dict(parent),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(),
        "software": software(),
        "format": FORMAT,
    }


def machine() -> dict[str, Any]:
    """The kind of machine: replay is promised on an equal kind (NumPy's vector paths differ in last bits)."""
    return {"system": platform.system(), "release": platform.release(), "architecture": platform.machine(), "processor": _processor(),
            "cores": os.cpu_count() or 0}  # fmt: skip


def software() -> dict[str, Any]:
    packages = {name: version for name in PACKAGES if (version := _version(name)) is not None}
    return {"sociarium": _version("sociarium") or "source", "commit": _commit(), "python": platform.python_version(),
            "implementation": sys.implementation.name, "sqlite": sqlite3.sqlite_version, "packages": packages}  # fmt: skip


def differences(recorded: Mapping[str, Any], now: Mapping[str, Any], path: str = "") -> list[str]:
    """Where two manifests differ, one line each: what to look at when a replay does not repeat."""
    lines: list[str] = []
    for key in sorted({*recorded, *now}):
        place = f"{path}.{key}" if path else key
        old, new = recorded.get(key), now.get(key)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            lines += differences(cast("Mapping[str, Any]", old), cast("Mapping[str, Any]", new), place)
        elif old != new and place != "created":
            lines.append(f"{place}: {old!r} then, {new!r} now")
    return lines


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor()


def _commit() -> str | None:
    """The commit of the source tree this package lies in; None for an installed package."""
    root = Path(__file__).resolve().parents[3]
    if not (root / ".git").exists():
        return None
    command = ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=40"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=5, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None if done.returncode == 0 else None
