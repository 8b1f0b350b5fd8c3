"""How heavy the package is: CPU seconds of ``import sociarium`` and ``sociarium --help``, and the size of a core install.

CPU seconds (user and system) are medians over fresh interpreters, taken in turns; the reference is a fresh interpreter that imports
NumPy alone. The size is that of every file of the core dependencies as installed here, without extras.
"""

from __future__ import annotations

import os
import re
import statistics
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import sociarium

SOURCE = Path(sociarium.__file__).resolve().parents[1]
CODE = {
    "import numpy": "import numpy",
    "import sociarium": "import sociarium",
    "sociarium --help": "from sociarium.cli.main import main\nmain(['--help'])",
    "sociarium list": "from sociarium.cli.main import main\nmain(['list'])",
}
WANTED = 0.4  # seconds
CORE = ("aiohttp", "cyclopts", "numpy", "polars", "pydantic", "rich", "ruamel.yaml")  # where the package is not installed


def run(repeats: int = 5) -> list[dict[str, Any]]:
    """Rows for ``sociarium bench weight``."""
    taken: dict[str, list[float]] = {name: [] for name in CODE}
    for _ in range(repeats + 1):
        for name, code in CODE.items():
            taken[name].append(cpu(code))
    medians = {name: statistics.median(values[1:]) for name, values in taken.items()}  # the first fills the caches of files
    base = medians.pop("import numpy")
    rows = [_row(name, "CPU s", seconds, base, "import numpy", WANTED / base, f"{WANTED} s") for name, seconds in medians.items()]
    names = sorted(closure("sociarium"))
    core, numpy = sum(map(size, names)) / 1e6, size("numpy") / 1e6
    largest = ", ".join(f"{name} {size(name) / 1e6:.0f}" for name in sorted(names, key=size, reverse=True)[:3])
    return [*rows, _row(f"core install, {len(names)} packages", "MB", core, numpy, "numpy", None, f"dependencies: {largest} MB")]


def _row(case: str, unit: str, ours: float, reference: float, name: str, goal: float | None, limit: str) -> dict[str, Any]:
    figures = {"ours": round(ours, 3), "reference": round(reference, 3), "ratio": round(ours / reference, 3) if reference else None}
    wanted = None if goal is None else round(goal, 3)
    return {"case": case, "unit": unit, **figures, "reference_name": name, "goal": wanted, "limit": limit}


def cpu(code: str) -> float:
    """CPU seconds of a fresh interpreter that runs this code."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(SOURCE), os.environ.get("PYTHONPATH", "")])}
    child = subprocess.Popen([sys.executable, "-c", code], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        raise subprocess.CalledProcessError(child.returncode, code)
    return used.ru_utime + used.ru_stime


def closure(name: str) -> set[str]:
    """The distributions that a core install brings, found in the metadata installed here."""
    found: set[str] = set()
    waiting = [name]
    while waiting:
        current = re.sub(r"[-_.]+", "-", waiting.pop()).lower()
        if current in found:
            continue
        found.add(current)
        waiting += [needed for line in _requires(current) if (needed := _needed(line)) is not None]
    return found - {name}


def size(name: str) -> int:
    """Bytes of all files of a distribution; 0 where it is not installed."""
    try:
        files = metadata.files(name) or []
    except metadata.PackageNotFoundError:
        return 0
    return sum(path.stat().st_size for file in files if (path := Path(str(file.locate()))).is_file())


def _requires(name: str) -> list[str]:
    try:
        return metadata.requires(name) or []
    except metadata.PackageNotFoundError:
        return list(CORE) if name == "sociarium" else []


def _needed(line: str) -> str | None:
    """The name in a requirement that holds here and belongs to no extra. Of markers, those of an older Python and of another
    platform are understood; they are all that core dependencies use."""
    text, _, marker = line.partition(";")
    older = re.search(r"python_version\s*<\s*['\"]3\.(\d+)", marker)
    platform = re.search(r"(?:sys_platform|platform_system)\s*==\s*['\"](\w+)", marker)
    if "extra" in marker or (older and sys.version_info >= (3, int(older.group(1)))):
        return None
    if platform and not sys.platform.startswith(platform.group(1).lower()):
        return None
    match = re.match(r"[A-Za-z0-9._-]+", text.strip())
    return match.group() if match else None
