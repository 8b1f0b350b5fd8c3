"""What a community is for, and what may be said in it: a design, and the chain of its versions.

A designer edits a design by making the next version. No version is ever changed or taken away, and each names the one before it by
digest, so that a text can always be traced to the very words that its author was shown.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

from sociarium.environments.wording import read_yaml
from sociarium.kernel.errors import RecordError, UsageError

LONGEST = 500  # characters of a goal, a rule or a behaviour
MOST_RULES = 100

_WORD = re.compile(r"[^\W\d_]{4,}")


@dataclass(frozen=True, slots=True)
class Rule:
    """One thing that is allowed or forbidden, such as ``sharing recipes``. ``words``: what members without a model say of it."""

    text: str
    allowed: bool = False
    words: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _checked("a rule", self.text)

    @property
    def vocabulary(self) -> tuple[str, ...]:
        """``words``, or those of the text itself."""
        return self.words or content_words(self.text)


@dataclass(frozen=True, slots=True)
class Design:
    """A community: its goal in one line, its rules, whom it is for. ``behaviours``: anti-social ones that happen there, such as
    ``mocking beginners``; ``words``: what members without a model say of the goal."""

    goal: str
    rules: tuple[Rule, ...] = ()
    people: str = ""
    behaviours: tuple[str, ...] = ()
    words: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _checked("a goal", self.goal)
        for behaviour in self.behaviours:
            _checked("a behaviour", behaviour)
        if self.people:
            _checked("the target population", self.people)
        texts = [rule.text for rule in self.rules]
        if len(texts) > MOST_RULES:
            raise UsageError(f"a design has {len(texts)} rules; the most are {MOST_RULES}")
        if twice := [text for text in texts if texts.count(text) > 1]:
            raise UsageError(f"a design has the rule {twice[0]!r} twice; name each rule once")

    @property
    def allowed(self) -> tuple[Rule, ...]:
        return tuple(rule for rule in self.rules if rule.allowed)

    @property
    def forbidden(self) -> tuple[Rule, ...]:
        return tuple(rule for rule in self.rules if not rule.allowed)

    @property
    def breaches(self) -> tuple[str, ...]:
        """What a rule-breaking text may do: what is forbidden, then the anti-social behaviours."""
        return (*(rule.text for rule in self.forbidden), *self.behaviours)

    @property
    def vocabulary(self) -> tuple[str, ...]:
        """What is spoken of in keeping with the design: words of the goal and of what is allowed, each once, in order."""
        words = self.words or content_words(self.goal)
        return tuple(dict.fromkeys((*words, *(word for rule in self.allowed for word in rule.vocabulary))))

    def vocabulary_of(self, breach: int) -> tuple[str, ...]:
        """What is spoken of by who does ``breaches[breach]``."""
        forbidden = self.forbidden
        return forbidden[breach].vocabulary if breach < len(forbidden) else content_words(self.breaches[breach])

    def changed(
        self,
        *,
        goal: str | None = None,
        add: Iterable[Rule] = (),
        drop: Iterable[str] = (),
        people: str | None = None,
        words: Sequence[str] | None = None,
    ) -> Design:
        """The design with another goal, rules taken away (by their texts) and added."""
        gone = list(drop)
        if unknown := [text for text in gone if text not in {rule.text for rule in self.rules}]:
            known = ", ".join(repr(rule.text) for rule in self.rules) or "none"
            raise UsageError(f"the design has no rule {unknown[0]!r}; it has {known}")
        return Design(
            self.goal if goal is None else goal,
            (*(rule for rule in self.rules if rule.text not in gone), *add),
            self.people if people is None else people,
            self.behaviours,
            (self.words if goal is None else ()) if words is None else tuple(words),
        )

    def plain(self) -> dict[str, Any]:
        """As JSON has it."""
        rules = [{"text": rule.text, "allowed": rule.allowed, "words": list(rule.words)} for rule in self.rules]
        behaviours, words = list(self.behaviours), list(self.words)
        return {"goal": self.goal, "rules": rules, "people": self.people, "behaviours": behaviours, "words": words}

    @classmethod
    def of(cls, plain: Mapping[str, Any]) -> Design:
        """From plain data. A rule is a mapping with ``text``, or ``allow: TEXT`` or ``forbid: TEXT``, with or without ``words``."""
        if unknown := sorted(set(plain) - {"goal", "rules", "people", "behaviours", "words"}):
            raise UsageError(f"a design has no {unknown[0]!r}; it has goal, rules, people, behaviours and words")
        if not isinstance(plain.get("goal"), str):
            raise UsageError("a design needs a goal: one line of text")
        rules = tuple(rule_of(one) for one in cast("Sequence[Any]", plain.get("rules") or ()))
        behaviours, words = _texts("behaviours", plain.get("behaviours")), _texts("words", plain.get("words"))
        return cls(str(plain["goal"]), rules, str(plain.get("people") or ""), behaviours, words)


@dataclass(frozen=True, slots=True)
class Version:
    """A design as it stood: ``digest`` covers the design and, by ``before``, all versions before it."""

    number: int
    design: Design
    before: str
    digest: str


@dataclass(slots=True)
class Designs:
    """The append-only chain of a community's designs, from version 0 on."""

    versions: list[Version] = field(default_factory=list[Version])

    @classmethod
    def begin(cls, design: Design) -> Designs:
        chain = cls()
        chain.append(design)
        return chain

    def append(self, design: Design) -> Version:
        """The next version."""
        before = self.versions[-1].digest if self.versions else ""
        version = Version(len(self.versions), design, before, _digest(before, design))
        self.versions.append(version)
        return version

    def verify(self) -> None:
        """Raises RecordError for a version that is not what was appended."""
        before = ""
        for number, version in enumerate(self.versions):
            if version.number != number or version.before != before or version.digest != _digest(before, version.design):
                raise RecordError(f"version {number} of the design is not the one that was recorded: the chain of digests breaks there")
            before = version.digest

    @property
    def now(self) -> Version:
        return self.versions[-1]

    def __getitem__(self, number: int) -> Version:
        if not 0 <= number < len(self.versions):
            raise UsageError(f"the design has versions 0 to {len(self.versions) - 1}, and no version {number}")
        return self.versions[number]

    def __len__(self) -> int:
        return len(self.versions)

    def __iter__(self) -> Iterator[Version]:
        return iter(self.versions)

    def plain(self) -> list[dict[str, Any]]:
        return [{"design": version.design.plain(), "digest": version.digest} for version in self.versions]

    @classmethod
    def of(cls, plain: Sequence[Mapping[str, Any]]) -> Designs:
        """What ``plain`` gave, verified."""
        chain = cls()
        for one in plain:
            if chain.append(Design.of(one["design"])).digest != one["digest"]:
                raise RecordError(
                    f"version {len(chain) - 1} of the design is not the one that was recorded: the chain of digests breaks there"
                )
        return chain


def rule_of(given: Any) -> Rule:
    """A rule from plain data; see ``Design.of``."""
    if isinstance(given, Mapping):
        one = cast("Mapping[str, Any]", given)
        words = _texts("words", one.get("words"))
        if set(one) <= {"text", "allowed", "words"} and isinstance(one.get("text"), str) and isinstance(one.get("allowed", False), bool):
            return Rule(one["text"], one.get("allowed", False), words)
        for name, allowed in (("allow", True), ("forbid", False)):
            if set(one) <= {name, "words"} and isinstance(one.get(name), str):
                return Rule(one[name], allowed, words)
    raise UsageError(f"{given!r:.80} is no rule: write 'allow: TEXT' or 'forbid: TEXT'")


def read_design(path: Path) -> tuple[Design, list[dict[str, str]]]:
    """The design in a YAML file, and its seed personas (``name`` and ``phrase`` each). Raises UsageError."""
    plain = read_yaml(path, "a community")
    if not isinstance(plain, dict):
        raise UsageError(f"{path} must hold a mapping with goal, rules and personas")
    given = dict(cast("dict[str, Any]", plain))
    people: Any = given.pop("personas", None) or []
    if not isinstance(people, list) or not all(_is_persona(one) for one in cast("list[Any]", people)):
        raise UsageError(f"{path}: personas are a list, each with a name and a phrase")
    return Design.of(given), [{key: str(value) for key, value in one.items()} for one in cast("list[dict[str, Any]]", people)]


@lru_cache(maxsize=16_384)
def content_words(text: str) -> tuple[str, ...]:
    """The words of a text that are four letters or longer, each once, in small letters."""
    return tuple(dict.fromkeys(word.casefold() for word in _WORD.findall(text))) or tuple(text.casefold().split()) or (text,)


def _is_persona(one: Any) -> bool:
    return isinstance(one, dict) and set(cast("dict[Any, Any]", one)) == {"name", "phrase"}


def _digest(before: str, design: Design) -> str:
    text = json.dumps([before, design.plain()], sort_keys=True, ensure_ascii=False)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _checked(what: str, text: str) -> None:
    if not text.strip() or not text.isprintable() or len(text) > LONGEST:
        raise UsageError(f"{what} is one line of 1 to {LONGEST} printable characters, not {text!r:.80}")


def _texts(what: str, given: Any) -> tuple[str, ...]:
    if given is None:
        return ()
    if not isinstance(given, list | tuple) or not all(isinstance(one, str) for one in cast("list[Any]", given)):
        raise UsageError(f"{what} of a design are a list of texts, not {given!r:.60}")
    return tuple(cast("list[str]", given))
