"""Weight files in other forms, made once and kept beside the file: for a second engine (CTranslate2), or re-quantised for speed.

A form belongs to one weight file (by SHA-256) and one version of the code that made it; anything else that lies there is made anew.
"""

from __future__ import annotations

import importlib
import json
import os
import shutil
import struct
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from sociarium.kernel.errors import ModelError, UsageError
from sociarium.models import weights

Floats = NDArray[np.float32]
REQUANTISED = {"q4_0": ("Q4_0", 2), "q8_0": ("Q8_0", 7)}  # option -> tensor type and llama.cpp's number of the file type
REQUANTISER = 1  # its version: a change makes all forms anew
COARSE = ("Q4_1", "Q4_K", "Q5_0", "Q5_1", "Q5_K")  # tensor types that are re-quantised; finer ones (norms, embeddings) stay


class GGUF:
    """The tensors and the notes of a .gguf file, by the package ``gguf``. Raises ModelError where it is not one."""

    def __init__(self, path: Path) -> None:
        self.package = library("gguf")
        try:
            self.reader: Any = self.package.GGUFReader(str(path))
        except (ValueError, OSError, struct.error, IndexError, KeyError) as error:
            raise ModelError(f"{path} cannot be read as GGUF: {error}") from error
        self.tensors: dict[str, Any] = {tensor.name: tensor for tensor in self.reader.tensors}
        self.architecture = str(self.note("general.architecture"))

    def note(self, name: str, default: Any = None) -> Any:
        """The value of a note, such as ``tokenizer.ggml.tokens``."""
        field = self.reader.fields.get(name)
        return default if field is None else field.contents()

    def size(self, name: str, default: Any = None) -> Any:
        """A note of the architecture, such as ``block_count``."""
        return self.note(f"{self.architecture}.{name}", default)

    def weight(self, name: str) -> Floats:
        """A tensor as float32, in its own shape (rows are outputs); yours to change."""
        tensor = self.tensors[name]
        return np.array(self.package.quants.dequantize(tensor.data, tensor.tensor_type), np.float32)


def requantised(path: Path, kind: str) -> Path:
    """The file with its four and five bit tensors as ``kind`` (``q4_0``: the form for which llama.cpp has its fastest kernels)."""
    if kind not in REQUANTISED:
        raise UsageError(f"weights can be re-quantised as {', '.join(REQUANTISED)}, not {kind!r}")
    target = path.with_name(f"{path.stem}.{kind}.gguf")
    source = {"source": weights.digest_of(path), "maker": f"requantise {REQUANTISER} {kind}"}

    def make(folder: Path) -> None:
        rewrite(GGUF(path), folder / target.name, *REQUANTISED[kind])

    return kept(path.with_name(f"{path.name}.{kind}"), source, make) / target.name


def rewrite(source: GGUF, target: Path, kind: str, file_type: int) -> None:
    """A copy of all notes and tensors; the coarse tensors become ``kind``."""
    package = source.package
    wanted = package.GGMLQuantizationType[kind]
    writer: Any = package.GGUFWriter(str(target), source.architecture)
    for name, field in source.reader.fields.items():
        if not name.startswith("GGUF.") and name not in ("general.architecture", "general.file_type"):
            writer.add_key_value(name, field.contents(), field.types[0], field.types[1] if len(field.types) > 1 else None)
    writer.add_file_type(file_type)
    for name, tensor in source.tensors.items():
        if tensor.tensor_type.name in COARSE:
            writer.add_tensor(name, package.quants.quantize(source.weight(name), wanted), raw_dtype=wanted)
        else:
            writer.add_tensor(name, tensor.data, raw_dtype=tensor.tensor_type)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def kept(folder: Path, source: Mapping[str, str], make: Callable[[Path], None]) -> Path:
    """``folder``, holding what ``make`` writes from ``source``: made whole or not at all, and checked file by file when it is there.

    Where the folder beside the weights cannot be written, the form is kept in the cache folder.
    """
    if not os.access(folder.parent, os.W_OK):
        folder = weights.cache_folder() / f"{source['source'][:16]}-{folder.name}"
        folder.parent.mkdir(parents=True, exist_ok=True)
    if stands(folder, source):
        return folder
    aside = Path(tempfile.mkdtemp(prefix=".making-", dir=folder.parent))
    try:
        (aside / "form").mkdir()
        make(aside / "form")
        files = {file.name: weights.sha256_of(file) for file in sorted((aside / "form").iterdir())}
        (aside / "form" / "made.json").write_text(json.dumps({**source, "files": files}), "utf-8")
        for attempt in range(2):  # another process may have put its own there meanwhile
            if stands(folder, source):
                break
            if folder.exists():
                os.replace(folder, aside / f"old-{attempt}")
            try:
                os.replace(aside / "form", folder)
            except OSError:
                continue
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    if not stands(folder, source):
        raise ModelError(f"the form of the weights at {folder} is not what was written there; is the disk full or another program at it?")
    return folder


def stands(folder: Path, source: Mapping[str, str]) -> bool:
    """Whether the folder holds, whole, what was made of this source by this maker."""
    try:
        made: dict[str, Any] = json.loads((folder / "made.json").read_text("utf-8"))
        files: dict[str, str] = made.pop("files")
        return made == dict(source) and all(weights.digest_of(folder / name) == digest for name, digest in files.items())
    except (OSError, ValueError, KeyError, AttributeError, TypeError):
        return False


def architecture_of(path: Path) -> str:
    """``general.architecture`` out of a file's head, without reading the rest; empty where it is not found there."""
    with path.open("rb") as file:
        magic, version = file.read(4), numbers(file, "<I")
        if magic != b"GGUF" or version < 2:
            return ""
        numbers(file, "<Q")
        for _ in range(min(numbers(file, "<Q"), 64)):
            name, kind = text(file), numbers(file, "<I")
            if name == "general.architecture" and kind == 8:
                return text(file)
            if kind != 8:  # the head has texts first; no need to understand the rest
                return ""
            text(file)
    return ""


def numbers(file: BinaryIO, form: str) -> int:
    raw = file.read(struct.calcsize(form))
    return int(struct.unpack(form, raw)[0]) if len(raw) == struct.calcsize(form) else 0


def text(file: BinaryIO) -> str:
    return file.read(min(numbers(file, "<Q"), 1 << 16)).decode("utf-8", "replace")


def library(name: str) -> Any:
    """A package of the extra ``batch``; ModelError names the extra where it is missing."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ModelError(f"this needs the package {name} ({error}); install it by: pip install 'sociarium[batch]'") from error
