"""Libraries that are optional: imported where they are used, with a clear error where they are missing."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from functools import update_wrapper
from typing import Any, Generic, TypeVar

from sociarium.kernel.errors import UsageError

Function = TypeVar("Function", bound=Callable[..., Any])


def optional(module: str, extra: str, purpose: str) -> Any:
    """Import ``module``, or say which extra to install for ``purpose``."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as missing:
        package = module.partition(".")[0]
        if missing.name is None or missing.name.partition(".")[0] != package:
            raise
        raise UsageError(f"{purpose} needs {package}, which is not installed: pip install 'sociarium[{extra}]'") from missing


def installed(module: str) -> bool:
    """Whether a library could be imported, without importing it."""
    return importlib.util.find_spec(module) is not None


class Compiled(Generic[Function]):
    """A loop over arrays that Numba compiles at its first call where it is installed (extra ``fast``); ``plain`` is the same in Python.

    Both give the same numbers: tests call ``plain`` beside it. The loop may use NumPy, its arguments and plain constants only.
    """

    def __init__(self, function: Function, options: dict[str, Any]) -> None:
        self.plain: Function = function
        self.options = options
        self._chosen: Callable[..., Any] | None = None
        update_wrapper(self, function)

    def __call__(self, *arguments: Any) -> Any:
        chosen = self._chosen
        if chosen is None:
            compiles = self.available()
            chosen = self._chosen = importlib.import_module("numba").njit(**self.options)(self.plain) if compiles else self.plain
        return chosen(*arguments)

    @staticmethod
    def available() -> bool:
        return installed("numba")


def compiled(**options: Any) -> Callable[[Function], Compiled[Function]]:
    """Have a loop compiled when it is first called: ``@compiled(nogil=True)``. Options are those of ``numba.njit``."""

    def wrap(function: Function) -> Compiled[Function]:
        return Compiled(function, options)

    return wrap
