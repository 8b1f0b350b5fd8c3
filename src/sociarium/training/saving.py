"""State of a training that may be stopped: named arrays in one file, without pickle, written aside and then put in place."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from sociarium.kernel.errors import UsageError


def fingerprint(plain: Any) -> str:
    """64 bits of plain data, as text."""
    return hashlib.blake2b(json.dumps(plain, sort_keys=True).encode(), digest_size=8).hexdigest()


def save(path: Path, arrays: Mapping[str, Any], of: str) -> None:
    """``of``: the fingerprint of what is trained; a file of something else is refused."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(path.name + ".part")
    with aside.open("wb") as file:
        plain: Any = {name: np.asarray(value) for name, value in arrays.items()}
        np.savez(file, of=np.array(of), **plain)
    aside.replace(path)


def load(path: Path, of: str) -> dict[str, Any] | None:
    """The arrays, or None where there is no file yet."""
    if not path.exists():
        return None
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise UsageError(f"{path} holds no saved state: {error}") from None
    if str(arrays.pop("of", "")) != of:
        raise UsageError(f"{path} holds the state of another training (other data, parameters, seed or settings): give a new file")
    return arrays
