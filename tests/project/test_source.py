"""The laws of the source that a linter cannot say: what is read here is the syntax tree, not the text."""

from __future__ import annotations

import ast
import os
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "sociarium"
FILES = sorted(PACKAGE.rglob("*.py"))
TREES = {path: ast.parse(path.read_text("utf-8")) for path in FILES}

BANNED = {"pickle", "cPickle", "dill", "cloudpickle", "jsonpickle", "joblib", "shelve", "marshal", "litellm", "pingouin", "igraph", "yaml"}
CLOCKS = {
    ("time", "time"), ("time", "time_ns"), ("time", "monotonic"), ("time", "perf_counter"), ("datetime", "now"), ("datetime", "utcnow"),
    ("datetime", "today"), ("date", "today"),
}  # fmt: skip
TIMELESS = ("kernel", "environments")
ADDRESSED = re.compile(
    r"\byou are\b|\byou're\b|\byour (task|role|job|name|answer|reply|response|goal|persona)\b|\b(respond|reply|answer) (only|with|in|as)\b"
    r"|\bpretend\b|\bact as an?\b|\bstep by step\b|\bimagine (that|you)\b|\brole-?play",
    re.IGNORECASE,
)


def where(path: Path, node: ast.AST) -> str:
    return f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 1)}"


def imports(tree: ast.AST) -> Iterator[tuple[ast.AST, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node, "." * node.level + (node.module or "")


def banned_imports(tree: ast.AST) -> list[ast.AST]:
    return [node for node, name in imports(tree) if name.split(".")[0] in BANNED]


def relative_imports(tree: ast.AST) -> list[ast.AST]:
    return [node for node, name in imports(tree) if name.startswith(".")]


def prints(tree: ast.AST) -> list[ast.AST]:
    return [node for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"]


def clock_readings(tree: ast.AST) -> list[ast.AST]:
    """Calls such as ``time.time()`` and ``datetime.datetime.now()``, and ``from time import time``."""
    found: list[ast.AST] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            owner = node.value.id if isinstance(node.value, ast.Name) else node.value.attr if isinstance(node.value, ast.Attribute) else ""
            if (owner, node.attr) in CLOCKS:
                found.append(node)
        elif isinstance(node, ast.ImportFrom) and node.module == "time":
            found += [node for alias in node.names if ("time", alias.name) in CLOCKS]
    return found


def prompt_literals(tree: ast.AST) -> list[ast.AST]:
    """Strings over 80 characters that address a model. Docstrings and the texts of errors do not count."""
    skipped = {id(part) for node in ast.walk(tree) if isinstance(node, ast.Raise) for part in ast.walk(node)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            skipped.add(id(node.value))
        if isinstance(node, ast.JoinedStr):
            skipped |= {id(part) for part in node.values}
    return [node for node in ast.walk(tree) if id(node) not in skipped and len(text := literal(node)) > 80 and ADDRESSED.search(text)]


def literal(node: ast.AST) -> str:
    if isinstance(node, ast.JoinedStr):
        return "".join(part.value if isinstance(part, ast.Constant) else "{}" for part in node.values)
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def foreign_to_kernel(tree: ast.AST) -> list[ast.AST]:
    allowed = {"numpy", "__future__", *sys.stdlib_module_names}
    return [
        node
        for node, name in imports(tree)
        if name.split(".")[0] not in allowed and not (name == "sociarium.kernel" or name.startswith("sociarium.kernel."))
    ]


def violations(check: Callable[[ast.AST], list[ast.AST]], *folders: str) -> list[str]:
    roots = [PACKAGE / folder for folder in folders] or [PACKAGE]
    return [where(path, node) for path, tree in TREES.items() if any(root in path.parents for root in roots) for node in check(tree)]


def test_no_banned_library_is_imported() -> None:
    assert violations(banned_imports) == []


def test_imports_name_the_whole_path() -> None:
    assert violations(relative_imports) == []


def test_the_kernel_imports_numpy_and_the_standard_library_only() -> None:
    assert violations(foreign_to_kernel, "kernel") == []


def test_kernel_and_environments_read_no_clock() -> None:
    assert violations(clock_readings, *TIMELESS) == []


def test_only_the_command_line_prints() -> None:
    others = [folder.name for folder in PACKAGE.iterdir() if folder.is_dir() and folder.name not in ("cli", "__pycache__")]
    assert violations(prints, *others) == []


def test_prompts_are_files_not_literals() -> None:
    assert violations(prompt_literals) == []


def test_public_modules_say_what_they_are() -> None:
    silent = [
        str(path.relative_to(ROOT))
        for path, tree in TREES.items()
        if tree.body and not ast.get_docstring(tree) and (path.stem == "__init__" or not path.stem.startswith("_"))
    ]
    assert silent == []


def sized(kind: type[ast.AST] | tuple[type[ast.AST], ...]) -> list[tuple[int, str]]:
    """(lines, place) of every definition of this kind."""
    return [
        (node.end_lineno - node.lineno + 1, f"{where(path, node)} {node.name}")  # type: ignore[attr-defined]
        for path, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, kind)
    ]


def test_functions_fit_a_screen() -> None:
    assert [place for lines, place in sized((ast.FunctionDef, ast.AsyncFunctionDef)) if lines > 80] == []


def test_there_is_no_god_class() -> None:
    assert [place for lines, place in sized(ast.ClassDef) if lines > 400] == []


def test_modules_are_short() -> None:
    lengths = {path: len(path.read_text("utf-8").splitlines()) for path in FILES}
    assert [str(path.relative_to(ROOT)) for path, lines in lengths.items() if lines > 600] == []
    ordered = sorted(lengths.values())
    assert ordered[int(0.9 * (len(ordered) - 1))] <= 350


TEXT = {".py", ".md", ".toml", ".yaml", ".yml", ".json", ".txt", ".cfg", ".css", ".html", ".js", ""}
BUILT = {"_build", "build", "dist", "runs", "__pycache__"}  # folders that are not part of the source, nor is any whose name has a dot


def text_files() -> Iterator[Path]:
    for folder, below, names in os.walk(ROOT):
        below[:] = [name for name in below if name == ".ci" or (name not in BUILT and not name.startswith("."))]
        yield from (Path(folder, name) for name in names if Path(name).suffix in TEXT)


def test_text_files_hold_no_control_bytes() -> None:
    bad: list[str] = []
    for path in text_files():
        allowed = b"\n\t" if path.name == "Makefile" else b"\n"
        data = path.read_bytes()
        controls = any((byte < 0x20 and byte not in allowed) or byte == 0x7F for byte in data)
        if controls or any(mark in data.decode("utf-8") for mark in "\ufeff\u202e\u2066"):
            bad.append(str(path.relative_to(ROOT)))
    assert bad == []


@pytest.mark.parametrize(
    ("check", "guilty", "innocent"),
    [
        (banned_imports, "def f():\n    import pickle", "import json"),
        (banned_imports, "from joblib.memory import Memory", "from json import dumps"),
        (relative_imports, "from . import content", "from sociarium.kernel import content"),
        (foreign_to_kernel, "import polars", "import numpy.typing, math\nfrom sociarium.kernel.content import Block"),
        (foreign_to_kernel, "from sociarium.models import request", "from sociarium.kernel import content"),
        (clock_readings, "import time\nx = time.time()", "time = turn.time\nx = time"),
        (clock_readings, "import datetime\nx = datetime.datetime.now()", "x = datetime.timedelta(1)"),
        (clock_readings, "from time import perf_counter", "from time import struct_time"),
        (prints, "print(1)", "self.print(1)"),
        (prompt_literals, f"x = 'You are a fisher. {'a' * 80}'", f'"""You are right. {"a" * 80}"""'),
        (prompt_literals, f"x = f'You are {{name}}. {'a' * 80}'", f"raise ValueError('You are offline. {'a' * 80}')"),
        (prompt_literals, f"x = ('You are a ' 'fisher. {'a' * 80}')", f"x = 'SELECT {'a' * 90}'"),
    ],
)
def test_each_check_can_fail(check: Callable[[ast.AST], list[ast.AST]], guilty: str, innocent: str) -> None:
    assert check(ast.parse(guilty))
    assert not check(ast.parse(innocent))


@pytest.mark.parametrize("folder", ["benchmarks", "examples"])
def test_no_script_hides_a_module_of_the_standard_library(folder):
    """A script's folder comes first when it looks for modules: a script called platform.py breaks NumPy in the one beside it."""
    hidden = sorted(path.name for path in (ROOT / folder).rglob("*.py") if path.stem in sys.stdlib_module_names)
    assert not hidden
