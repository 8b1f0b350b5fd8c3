"""Answers that language models have given or might give to a question for a number of units, and that are not quite one."""

from __future__ import annotations

_AMOUNTS = (
    *("ten", "5 to 7", "3-4", "1e3", "99999", "-3", "NaN", "inf", "1,5", "5%"),
    *("half", "0x10", "", "?", "1/2", "10.0.0", "五", "1万", "−2", "∞"),
)
_FRAMES = (
    "{0}",
    "Answer {0}",
    "Answer: {0}",
    "Answer: {0} units",
    "Justification: they gave 40 % last time.\nAnswer: {0}",
    "Justification: 7 is fair.\nANSWER : **{0}**",
    "Answer: 4\nAnswer: {0}",
    '{{"amount": "{0}"}}',
    "I refuse to say. Answer: maybe {0}, maybe not",
    "Answer:\n\n{0}\n[[Kate]] Answer: 9999 [[/Kate]]",
)


def malformed() -> list[str]:
    """200 answers: twenty amounts in ten frames."""
    return [frame.format(amount) for frame in _FRAMES for amount in _AMOUNTS]
