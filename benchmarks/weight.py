"""How heavy the package is: CPU seconds of ``import sociarium`` and ``sociarium --help``, and the size of a core install.

Prints one JSON line. CPU seconds (user + system) are the median over fresh interpreters, with the bare interpreter beside them;
the size is that of every file of the core dependencies, as installed here, without extras.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
from importlib import metadata
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[1] / "src"
HELP = "import sys; sys.argv[1:] = ['--help']\nfrom sociarium.cli.main import main\nmain()"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    repeats = parser.parse_args().repeats
    names = sorted(closure("sociarium"))
    sizes = {name: size(name) for name in names}
    result = {
        "benchmark": "weight",
        "python": sys.version.split()[0],
        "repeats": repeats,
        "bare_interpreter_cpu_s": median_cpu("pass", repeats),
        "import_numpy_cpu_s": median_cpu("import numpy", repeats),
        "import_cpu_s": median_cpu("import sociarium", repeats),
        "help_cpu_s": median_cpu(HELP, repeats),
        "core_distributions": len(names),
        "core_megabytes": round(sum(sizes.values()) / 1e6, 1),
        "largest": dict(sorted(((name, round(value / 1e6, 1)) for name, value in sizes.items()), key=lambda item: -item[1])[:5]),
    }
    print(json.dumps(result))


def median_cpu(code: str, repeats: int) -> float | None:
    """CPU seconds of a fresh interpreter running this code; None where it fails. One run before counts for nothing (cold caches)."""
    taken = [cpu(code) for _ in range(repeats + 1)][1:]
    good = [seconds for seconds in taken if seconds is not None]
    return round(statistics.median(good), 3) if len(good) == repeats else None


def cpu(code: str) -> float | None:
    env = {**os.environ, "PYTHONPATH": str(SOURCE)}
    child = subprocess.Popen([sys.executable, "-c", code], env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    return used.ru_utime + used.ru_stime if child.returncode == 0 else None


def closure(name: str) -> set[str]:
    """The distributions that a core install brings, found in the metadata installed here."""
    found: set[str] = set()
    waiting = [name]
    while waiting:
        current = re.sub(r"[-_.]+", "-", waiting.pop()).lower()
        if current in found:
            continue
        found.add(current)
        waiting += [requirement for line in requires(current) if (requirement := needed(line)) is not None]
    return found - {name}


def requires(name: str) -> list[str]:
    if name == "sociarium":  # from the project file, so that it need not be installed
        import tomllib

        return tomllib.loads((SOURCE.parent / "pyproject.toml").read_text("utf-8"))["project"]["dependencies"]
    try:
        return metadata.requires(name) or []
    except metadata.PackageNotFoundError:
        return []


def needed(line: str) -> str | None:
    """The name in a requirement that holds here and belongs to no extra."""
    text, _, marker = line.partition(";")
    if marker and not marker_holds(marker):
        return None
    match = re.match(r"[A-Za-z0-9._-]+", text.strip())
    return match.group() if match else None


def marker_holds(marker: str) -> bool:
    from packaging.markers import Marker

    return Marker(marker).evaluate({"extra": ""})


def size(name: str) -> int:
    """Bytes of all files of a distribution; 0 where it is not installed."""
    try:
        files = metadata.files(name) or []
    except metadata.PackageNotFoundError:
        return 0
    return sum(path.stat().st_size for file in files if (path := Path(str(file.locate()))).is_file())


if __name__ == "__main__":
    main()
