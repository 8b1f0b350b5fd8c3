"""How news becomes memory: rules as data, one list an event kind, worded in the language of the run.

    commons.harvested:
      - {who: actor, kind: action, text: "I caught {{caught}} tons.", expires: 63d}
      - {who: others, kind: event, text: "{{actor}} caught {{caught}} tons.", importance: 5, expires: tick}
    conversation.said:
      - {kind: chat, text: "{{text}}", words: true}

``who``: all (default), actor, others. ``importance``: 1 to 10; without it the memory's own rule or the model scores it. ``expires``:
``tick`` (the end of this tick), ``never``, or days as ``63d``. ``words``: the text is the actor's own words, so that it is shown as
theirs (by default, where the text holds a text column of an event with an actor). ``text`` may be one text a language.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import NDArray
from ruamel.yaml.error import YAMLError

from sociarium.kernel.environment import News
from sociarium.kernel.errors import UsageError
from sociarium.kernel.units import DAY
from sociarium.minds.language.retrieval import NEVER, Kind
from sociarium.minds.language.stream import Memory
from sociarium.minds.prompts import plain, substitute, variables_in

Ints = NDArray[np.int64]

KEYS = ("who", "kind", "text", "importance", "always", "expires", "words")


@dataclass(frozen=True, slots=True)
class NewsRule:
    """One memory that an event leaves. ``days`` -1: it expires with the tick; None: never."""

    where: str
    kind: Kind
    text: str
    who: Literal["all", "actor", "others"] = "all"
    importance: float | None = None
    always: bool = False
    days: float | None = None
    words: bool | None = None

    def memory(self, news: News, row: int, names: Mapping[str, Any]) -> Memory:
        """What those who hear of this event remember."""
        data = {key: column[row] for key, column in news.data.items()}
        text = substitute(self.text, {**data, **names}, self.where)
        actor = int(news.actors[row])
        quotes = any(isinstance(data.get(name), str) for name in variables_in(self.text)) if self.words is None else self.words
        until = NEVER if self.days is None or self.days < 0 else news.time + round(self.days * DAY)
        last = news.tick if self.days is not None and self.days < 0 else NEVER
        return Memory(self.kind, text, self.importance, self.always, until, last, actor if quotes and actor >= 0 else -1)


class NewsRules:
    """All rules of a scenario, by event kind. Kinds without a rule leave no memory."""

    def __init__(self, rules: Mapping[str, Any], language: str = "en", where: str = "news") -> None:
        self.rules: dict[str, list[NewsRule]] = {}
        for kind, given in rules.items():
            several = cast("list[Any]", given) if isinstance(given, list) else [given]
            self.rules[str(kind)] = [_rule(one, language, f"{where}, {kind}") for one in several]

    @classmethod
    def load(cls, path: Path | str, language: str = "en") -> NewsRules:
        """From a YAML file. Raises UsageError that names the file."""
        try:
            data = plain(Path(path).read_text("utf-8"))
        except OSError as error:
            raise UsageError(f"cannot read the rules for news {path}: {error.strerror}") from None
        except (YAMLError, UnicodeDecodeError) as error:
            raise UsageError(f"the rules for news {path} are not valid YAML: {str(error).splitlines()[0]}") from None
        if not isinstance(data, dict):
            raise UsageError(f"the rules for news {path} must be event kinds with rules")
        return cls(cast("dict[str, Any]", data), language, str(path))

    def memories(self, news: News, row: int, names: Mapping[str, Any]) -> Iterator[tuple[Ints, Memory]]:
        """Who remembers what of one event."""
        hearers = news.recipients[row] if news.recipients is not None else np.empty(0, np.int64)
        for rule in self.rules.get(news.kind, ()):
            actor = hearers == news.actors[row]
            who = hearers if rule.who == "all" else hearers[actor if rule.who == "actor" else ~actor]
            if len(who):
                yield who, rule.memory(news, row, names)


def _rule(given: Any, language: str, where: str) -> NewsRule:
    if not isinstance(given, dict):
        raise UsageError(f"{where}: a rule must have at least kind and text")
    rule = cast("dict[str, Any]", given)
    if unknown := sorted(set(rule) - set(KEYS)):
        raise UsageError(f"{where}: unknown {unknown[0]!r}; a rule may have {', '.join(KEYS)}")
    text: Any = rule.get("text")
    if isinstance(text, dict):
        texts = cast("dict[str, Any]", text)
        if language not in texts:
            raise UsageError(f"{where}: no text in language {language!r}; there is {', '.join(texts)}")
        text = texts[language]
    if not isinstance(text, str):
        raise UsageError(f"{where}: text is missing")
    kinds = {kind.name.lower(): kind for kind in Kind}
    if str(rule.get("kind")) not in kinds:
        raise UsageError(f"{where}: kind is {rule.get('kind')!r}; it must be one of {', '.join(kinds)}")
    if (who := str(rule.get("who", "all"))) not in ("all", "actor", "others"):
        raise UsageError(f"{where}: who is {who!r}; it must be all, actor or others")
    importance = rule.get("importance")
    if importance is not None and not 1 <= float(importance) <= 10:
        raise UsageError(f"{where}: importance is {importance}; it must be from 1 to 10")
    return NewsRule(
        where,
        kinds[str(rule["kind"])],
        text,
        who,
        None if importance is None else float(importance),
        bool(rule.get("always", False)),
        _days(rule.get("expires", "never"), where),
        rule.get("words"),
    )


def _days(text: Any, where: str) -> float | None:
    if text == "never":
        return None
    if text == "tick":
        return -1.0
    try:
        days = float(str(text).removesuffix("d"))
    except ValueError:
        days = -1.0
    if not str(text).endswith("d") or not 0 <= days < 1e6:
        raise UsageError(f"{where}: expires is {text!r}; it must be tick, never, or days such as 63d")
    return days
