"""Prompt files: Markdown with YAML front matter, rendered by a strict template into blocks with role and layer.

A file looks like this::

    ---
    id: govsim.rules
    version: 1
    language: en
    variables: [capacity, chat]
    source: own wording after Piatti et al. 2024
    reply: {type: object, properties: {...}}        # optional: the JSON schema of the reply
    ---
    ## system
    <!-- layer: shared -->
    The lake holds {{capacity}} tons.
    ## user
    What was said:
    {{chat}}

``## system``, ``## user`` and ``## assistant`` give the role of what follows, ``<!-- layer: shared|stable|moving -->`` its layer
(a user's moving text, where nothing is said). A value is inserted as data and never expanded again. A value that is a block, or
several, keeps its own origin and trust and must stand alone on its line; a line with a value of ``None`` is left out.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from sociarium.kernel.content import Block, Content, Layer
from sociarium.kernel.errors import UsageError

Value = str | int | float | Block | Content | None

LARGEST = 256 * 1024  # bytes of one file
MOST_KEPT = 16_384  # renderings of one prompt that are remembered
KEYS = frozenset({"id", "version", "language", "variables", "source", "reply"})
ROLES = ("system", "user", "assistant")

_VARIABLE = re.compile(r"\{\{([A-Za-z_]\w*)\}\}")
_ROLE = re.compile(r"^## (system|user|assistant)[ \t]*$")
_LAYER = re.compile(r"^<!--[ \t]*layer:[ \t]*(\S+)[ \t]*-->[ \t]*$")


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of a prompt with one role and one layer; ``text`` is a template."""

    role: str
    layer: Layer
    text: str


@dataclass(frozen=True, slots=True)
class Prompt:
    """One prompt file. ``digest`` names its exact text in a run's manifest."""

    id: str
    version: int
    language: str
    variables: tuple[str, ...]
    reply: Mapping[str, Any] | None
    source: str
    path: str
    parts: tuple[Part, ...]
    digest: str
    _rendered_before: dict[tuple[Any, ...], Content] = field(default_factory=dict[tuple[Any, ...], Content], repr=False, compare=False)

    @classmethod
    def load(cls, path: Path | str) -> Prompt:
        """Read a file. Raises UsageError that names the file and what is wrong in it."""
        place = Path(path)
        try:
            data = place.read_bytes()
        except OSError as error:
            raise UsageError(f"cannot read the prompt {place}: {error.strerror}") from None
        if len(data) > LARGEST:
            raise UsageError(f"the prompt {place} has {len(data):,} bytes; the limit is {LARGEST:,}")
        try:
            return cls.parse(data.decode("utf-8"), str(place))
        except UnicodeDecodeError:
            raise UsageError(f"the prompt {place} is not UTF-8 text; save it as UTF-8") from None

    @classmethod
    def parse(cls, text: str, path: str) -> Prompt:
        """A prompt from the text of its file; ``path`` is what errors name."""
        text = text.replace("\r\n", "\n")
        head, body = _split(text, path)
        parts = tuple(_parts(body, path))
        declared, used = set(head["variables"]), {name for part in parts for name in _VARIABLE.findall(part.text)}
        for name in sorted(declared ^ used):
            wrong = "declared and never used" if name in declared else "used and not declared under variables"
            raise UsageError(f"the prompt {path}: variable {name!r} is {wrong}")
        digest = hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
        return cls(parts=parts, digest=digest, path=path, **head)

    def render(self, values: Mapping[str, Value] | None = None, /, **more: Value) -> Content:
        """Blocks, in the order of the file. Raises UsageError for a variable that is missing or unknown."""
        given: dict[str, Value] = {**(values or {}), **more}
        for name in self.variables:
            if name not in given:
                raise UsageError(f"the prompt {self.path} needs the variable {name!r}; given: {', '.join(given) or 'none'}")
        for name in given:
            if name not in self.variables:
                raise UsageError(f"the prompt {self.path} has no variable {name!r}; it has {', '.join(self.variables) or 'none'}")
        if any(part.layer is Layer.MOVING for part in self.parts) and self.variables:
            return tuple(block for part in self.parts for block in self._rendered(part, given))
        # Rules and personas come back in every turn. Types are part of the key: 1 and 1.0 are equal, and worded apart.
        key = (*given.values(), *given, *map(type, given.values()))
        known = self._rendered_before.get(key)
        if known is None:
            if len(self._rendered_before) >= MOST_KEPT:
                self._rendered_before.clear()
            known = self._rendered_before[key] = tuple(block for part in self.parts for block in self._rendered(part, given))
        return known

    def words(self, values: Mapping[str, Value] | None = None, /, **more: Value) -> str:
        """The whole prompt as one text, where role and layer do not matter (a sentence, a heading)."""
        return "\n".join(block.text for block in self.render(values, **more))

    def _rendered(self, part: Part, values: Mapping[str, Value]) -> Iterator[Block]:
        lines: list[str] = []
        for line in part.text.split("\n"):
            names = _VARIABLE.findall(line)
            if any(values[name] is None for name in names):
                continue
            blocks = [name for name in names if isinstance(values[name], Block | tuple)]
            if not blocks:
                lines.append(_VARIABLE.sub(lambda found: str(values[found[1]]), line))
                continue
            if line.strip() != "{{" + blocks[0] + "}}":
                raise UsageError(f"the prompt {self.path}: {{{{{blocks[0]}}}}} holds blocks, so it must stand alone on its line")
            yield from self._block(part, lines)
            lines = []
            value = values[blocks[0]]
            for block in (value,) if isinstance(value, Block) else cast("Content", value):
                yield replace(block, role=part.role, layer=part.layer)
        yield from self._block(part, lines)

    def _block(self, part: Part, lines: list[str]) -> Iterator[Block]:
        text = "\n".join(lines).strip("\n")
        if text.strip():
            yield Block(text, origin=self.id, layer=part.layer, role=part.role)


class PromptPack:
    """The prompts of one folder in one language: ``pack["act"]`` is ``act.md``.

    The file is ``<folder>/<language>/act.md``, or ``<folder>/act.md`` if that is written in this language. What the folder
    lacks comes from ``base``, so a scenario names only what it words anew. No prompt of another language is ever taken.
    """

    def __init__(self, folder: Path | str, language: str = "en", base: PromptPack | None = None) -> None:
        self.folder = Path(folder)
        self.language = language
        self.base = base
        if not self.folder.is_dir():
            raise UsageError(f"there is no folder of prompts at {self.folder}")
        if base is not None and base.language != language:
            raise UsageError(f"prompts in {language!r} cannot stand on prompts in {base.language!r}")
        self._found = {path.stem: path for path in sorted(self.folder.glob("*.md")) if _load(str(path)).language == language}
        self._found |= {path.stem: path for path in sorted((self.folder / language).glob("*.md"))}
        for path in self._found.values():
            if _load(str(path)).language != language:
                raise UsageError(f"the prompt {path} is in {_load(str(path)).language!r}, and lies in the folder of {language!r}")

    def __contains__(self, name: str) -> bool:
        return name in self._found or (self.base is not None and name in self.base)

    def __getitem__(self, name: str) -> Prompt:
        if name in self._found:
            return _load(str(self._found[name]))
        if self.base is not None and name in self.base:
            return self.base[name]
        raise UsageError(f"there is no prompt {name!r} in language {self.language!r} in {self.folder}; there are {', '.join(self.names())}")

    def names(self) -> tuple[str, ...]:
        """All prompts that this pack can give, its base's too."""
        return tuple(sorted({*self._found, *(self.base.names() if self.base is not None else ())}))

    def digests(self) -> dict[str, str]:
        """For the manifest: the digest of each prompt under its id."""
        return {self[name].id: self[name].digest for name in self.names()}


def substitute(template: str, values: Mapping[str, object], where: str) -> str:
    """``template`` with its ``{{variables}}`` replaced, for the short texts in data files. Raises UsageError for an unknown one."""

    def value(found: re.Match[str]) -> str:
        if found[1] not in values:
            raise UsageError(f"{where}: there is no variable {found[1]!r}; there are {', '.join(values) or 'none'}")
        return str(values[found[1]])

    return _VARIABLE.sub(value, template)


def plain(text: str) -> Any:
    """YAML as plain data, nothing else. Raises YAMLError."""
    reader: Any = YAML(typ="safe", pure=True)
    return reader.load(text)


def variables_in(template: str) -> tuple[str, ...]:
    """The variables of a template, in order of first use."""
    return tuple(dict.fromkeys(_VARIABLE.findall(template)))


@lru_cache(maxsize=4096)
def _load(path: str) -> Prompt:
    return Prompt.load(path)


def _split(text: str, path: str) -> tuple[dict[str, Any], str]:
    """Front matter (checked) and body."""
    if not text.startswith("---\n") or "\n---\n" not in text:
        raise UsageError(f"the prompt {path} has no front matter: it must begin with a line --- and close with another")
    raw, body = text[4:].split("\n---\n", 1)
    try:
        loaded = plain(raw)
    except YAMLError as error:
        raise UsageError(f"the front matter of the prompt {path} is not valid YAML: {str(error).splitlines()[0]}") from None
    if not isinstance(loaded, dict):
        raise UsageError(f"the front matter of the prompt {path} must be names with values")
    head = cast("dict[str, Any]", loaded)
    if unknown := sorted(set(head) - KEYS):
        raise UsageError(f"the prompt {path}: unknown {unknown[0]!r} in its front matter; there may be {', '.join(sorted(KEYS))}")
    if missing := sorted({"id", "version", "variables", "source"} - set(head)):
        raise UsageError(f"the prompt {path}: its front matter lacks {missing[0]!r}")
    reply = head.get("reply")
    if reply is not None and not isinstance(reply, dict):
        raise UsageError(f"the prompt {path}: reply must be a JSON schema")
    names: list[Any] = head["variables"] or []
    return {
        "id": str(head["id"]),
        "version": int(head["version"]),
        "language": str(head.get("language", "en")),
        "variables": tuple(str(name) for name in names),
        "reply": reply,
        "source": str(head["source"]),
    }, body


def _parts(body: str, path: str) -> Iterator[Part]:
    role, layer, lines = "user", Layer.MOVING, list[str]()
    for line in body.split("\n"):
        left = _VARIABLE.sub("", line)
        if "{{" in left or "}}" in left:
            raise UsageError(f"the prompt {path}: a broken variable in the line {line.strip()[:60]!r}; write {{{{name}}}}")
        if not (line.startswith(("## ", "<!--")) and (_ROLE.match(line) or _LAYER.match(line))):
            lines.append(line)
            continue
        if any(text.strip() for text in lines):
            yield Part(role, layer, "\n".join(lines))
        lines = []
        if found := _ROLE.match(line):
            role, layer = found[1], Layer.MOVING
        elif found := _LAYER.match(line):
            try:
                layer = Layer(found[1])
            except ValueError:
                raise UsageError(f"the prompt {path}: no layer {found[1]!r}; there are shared, stable, moving") from None
    if any(text.strip() for text in lines):
        yield Part(role, layer, "\n".join(lines))
