"""From a model's free text to a number or an act, by stated rules. Nothing here raises on any text; what cannot be read says why.

How a number is found: what follows the last ``Answer:`` (also ``答え：``, ``回答：``, any case, bold or not), its first line with a
digit. There, if there is an equals sign, what follows the last one. The number that stands right at the beginning is taken, else
the last one. A range (``5-10``, ``5 or 10``) is not a number, nor is ``1,5``, nor ten thousand written as ``1万``. Full-width
digits are digits. A number outside its bounds is rejected, never clipped.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

LONGEST = 1 << 20  # characters of a text that are looked at
DIGITS = 30  # of a number; above it, no one meant a quantity

MARKERS = ("answer", "答え", "回答", "答")

_WIDE = {0xFF10 + n: str(n) for n in range(10)} | {
    ord("．"): ".", ord("，"): ",", ord("－"): "-", ord("−"): "-", ord("＋"): "+", ord("："): ":", ord("＝"): "=", ord("％"): "%",
    ord("～"): "~", ord("〜"): "~", ord("\u3000"): " ", ord("\u00a0"): " ", ord("\u202f"): " ",
}  # fmt: skip
_TOKEN = re.compile(r"(?<![\w.,])[-+]?[0-9]+(?:[.,][0-9]+)*(?:[eE][-+]?[0-9]{1,3})?|[0-9]+(?:[.,][0-9]+)*")
_PLAIN = re.compile(r"[-+]?[0-9]+(?:\.[0-9]+)?")
_THOUSANDS = re.compile(r"[-+]?[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]+)?")
_RANGE = re.compile(r"[0-9]\s*(?:tons?|units?|トン)?\s*(?:-|–|—|~|\.\.|\bto\b|\bor\b|から|または|か)\s*[0-9]", re.IGNORECASE)
_BEFORE = re.compile(r"[\s*_`'\"$€£#:(\[「『【約]*")


@dataclass(frozen=True, slots=True)
class Reading:
    """A number, or None and why. ``outside`` says that it was readable, and out of bounds."""

    value: float | None = None
    problem: str = ""
    outside: bool = False


@dataclass(frozen=True, slots=True)
class Act:
    """A verb with its amount (None where the verb takes none), or an empty verb and why."""

    verb: str = ""
    amount: float | None = None
    problem: str = ""
    outside: bool = False


def read_integer(text: str, *, low: float = 0, high: float = 2**53, markers: Sequence[str] = MARKERS) -> Reading:
    """A whole number from ``low`` to ``high``. The value, where there is one, is an ``int``."""
    found = read_number(text, low=low, high=high, markers=markers, percent=True)
    if found.value is None:
        return found
    if not float(found.value).is_integer():
        return Reading(problem=f"{found.value:g} is not a whole number")
    return Reading(int(found.value))


def read_number(text: str, *, low: float = 0.0, high: float = 1e300, markers: Sequence[str] = MARKERS, percent: bool = False) -> Reading:
    """A number from ``low`` to ``high``. Unless ``percent``, a share in per cent is not a number of units."""
    answer = after(text, markers)
    if answer is None:
        return Reading(problem="no line with an answer")
    line = next((line for line in answer.split("\n") if any("0" <= c <= "9" for c in line)), "")
    return _bounded(_number(line.rpartition("=")[2] if "=" in line else line, percent=percent), low, high)


def read_act(
    text: str, verbs: Mapping[str, bool], *, high: float = 1e300, words: Mapping[str, str] | None = None, markers: Sequence[str] = MARKERS
) -> Act:
    """An act such as ``Answer: Donate, 5``, ``Punish, 2``, ``Refuse`` or a bare ``5`` (the first verb that takes an amount).

    ``verbs`` says of each verb whether it takes an amount; ``words`` names a verb in other words (``{"寄付": "donate"}``).
    An amount above ``high`` (what the agent has) is rejected, never clipped.
    """
    answer = after(text, markers)
    if answer is None:
        return Act(problem="no line with an answer")
    line = next((line for line in answer.split("\n") if line.strip(" *_`")), "")
    spoken = {verb.lower(): verb for verb in verbs} | {word.lower(): verb for word, verb in (words or {}).items() if verb in verbs}
    named = {verb for word, verb in spoken.items() if _says(line.lower(), word)}
    if len(named) > 1:
        return Act(problem=f"names several acts: {', '.join(sorted(named))}")
    default = next((verb for verb, takes in verbs.items() if takes), "")
    verb = named.pop() if named else default
    if not verb:
        return Act(problem="names no act on offer")
    if not verbs[verb]:
        return Act(verb)
    found = _bounded(_number(line.rpartition("=")[2] if "=" in line else line, percent=False), 0.0, high)
    return Act(verb, found.value) if found.value is not None else Act(problem=found.problem, outside=found.outside)


def after(text: str, markers: Sequence[str] = MARKERS) -> str | None:
    """What follows the last marker with a colon; None where there is none. Digits and signs come back in plain form."""
    plain = text[-LONGEST:].translate(_WIDE)
    names = "|".join(re.escape(marker) for marker in sorted(markers, key=len, reverse=True))
    found = list(re.finditer(rf"(?:{names})[ \t*_`]*(?:\([^)\n]{{0,40}}\))?[ \t*_`]*:", plain, re.IGNORECASE))
    return plain[found[-1].end() :] if found else None


def _says(line: str, word: str) -> bool:
    if not word.isascii():
        return word in line
    return re.search(rf"(?<![a-z]){re.escape(word)}(?:s|d|ed)?(?![a-z])", line) is not None


def _number(line: str, *, percent: bool) -> Reading:
    tokens = list(_TOKEN.finditer(line))
    if not tokens:
        return Reading(problem="no number in the answer")
    if _RANGE.search(line):
        return Reading(problem="a range or several numbers, not one")
    first, last = tokens[0], tokens[-1]
    leads = _BEFORE.fullmatch(line[: first.start()]) is not None
    token = first if leads else last
    written = token[0]
    follows = line[token.end() :].lstrip()
    if len(written) > DIGITS:
        return Reading(problem=f"a number with more than {DIGITS} digits")
    if follows[:1] in tuple("万億兆千百"):
        return Reading(problem=f"{written}{follows[0]} is not written in digits")
    if follows.startswith(("%", "percent")) and not percent:
        return Reading(problem="a share in per cent, not an amount")
    if "e" in written.lower():
        return Reading(problem=f"{written} is not written in plain digits")
    if _PLAIN.fullmatch(written) or _THOUSANDS.fullmatch(written):
        digits = written.replace(",", "")
        return Reading(float(digits) if "." in digits else int(digits))
    return Reading(problem=f"{written} can be read in two ways")


def _bounded(found: Reading, low: float, high: float) -> Reading:
    if found.value is None or low <= found.value <= high:
        return found
    return Reading(problem=f"{found.value:g} is outside {low:g} to {high:g}", outside=True)
