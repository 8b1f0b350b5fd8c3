"""In which form beliefs, desires and intentions are asked for: lists of objects, or one flat object that a small model can fill.

Both give the same plain data. The flat form asks for one opinion, one desire and one act a turn; numbers are one of five levels, and the
question whether anything is done at all is one of its fields.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from sociarium.kernel.actions import ActionSpec
from sociarium.minds.language.legality import short_names

DESIRES = (
    "self-expression", "social approval", "information seeking", "emotional release", "social connection", "justice advocacy",
    "entertainment", "influencing others",
)  # fmt: skip
INTENSITIES = {"very low": 0.1, "low": 0.3, "middling": 0.5, "high": 0.7, "very high": 0.9}
NOTHING = "nothing"
LEVELS = (0.0, 0.25, 0.5, 0.75, 1.0)
LONGEST = 100  # characters of a text in the flat form
SENTENCE: Mapping[str, Any] = {"type": "string", "maxLength": 240}

Among = Mapping[str, Sequence[int]]


class Lists:
    """Several opinions, desires and acts, each an object; an act has the fields of its own action and no others."""

    def belief(self, emotions: Sequence[str]) -> dict[str, Any]:
        opinion = whole(subject={"type": "string", "maxLength": 80}, opinion=SENTENCE, reason=SENTENCE)
        return whole(
            psychology={"type": "array", "items": SENTENCE, "maxItems": 4},
            event_opinions={"type": "array", "items": opinion, "maxItems": 4},
            emotion=whole(**{name: {"type": "number", "minimum": 0, "maximum": 1} for name in emotions}),
        )

    def desires(self) -> dict[str, Any]:
        one = whole(
            type={"type": "string", "enum": list(DESIRES)}, description=SENTENCE, intensity={"type": "string", "enum": list(INTENSITIES)}
        )
        return whole(desires={"type": "array", "items": one, "minItems": 1, "maxItems": 3})

    def acts(self, specs: Sequence[ActionSpec], among: Among, most: int) -> dict[str, Any]:
        forms = [whole(action={"const": name}, **aimed(spec, among)) for name, spec in short_names(specs).items()]
        return whole(actions={"type": "array", "items": {"anyOf": forms}, "minItems": 0, "maxItems": most})

    def single(self, specs: Sequence[ActionSpec], among: Among, most: int, emotions: Sequence[str]) -> dict[str, Any]:
        reasoning: dict[str, Any] = {"type": "string", "maxLength": 1200}
        emotion = self.belief(emotions)["properties"]["emotion"]
        return whole(reasoning=reasoning, emotion=emotion, **self.acts(specs, among, most)["properties"])

    def read_belief(self, given: Mapping[str, Any], emotions: Sequence[str]) -> Mapping[str, Any]:
        return given

    def read_desires(self, given: Mapping[str, Any]) -> Any:
        return given.get("desires")

    def read_acts(self, given: Mapping[str, Any]) -> Any:
        return given.get("actions")


class Flat(Lists):
    """One of each, as one object without nesting, whose fields are lists of values or short texts.

    ``blank``: arguments of acts that are not asked for and stay empty texts. Psychology is not asked for: it seldom changes.
    """

    def __init__(self, blank: Sequence[str] = ()) -> None:
        self.blank = tuple(blank)

    def belief(self, emotions: Sequence[str]) -> dict[str, Any]:
        short: dict[str, Any] = {"type": "string", "maxLength": LONGEST}
        levels = {name: {"type": "number", "enum": list(LEVELS)} for name in emotions}
        return whole(**levels, subject={"type": "string", "maxLength": 40}, opinion=short, reason=short)

    def desires(self) -> dict[str, Any]:
        return whole(
            type={"type": "string", "enum": list(DESIRES)},
            description={"type": "string", "maxLength": LONGEST},
            intensity={"type": "string", "enum": list(INTENSITIES)},
        )

    def acts(self, specs: Sequence[ActionSpec], among: Among, most: int) -> dict[str, Any]:
        fields: dict[str, Any] = {"action": {"type": "string", "enum": [*short_names(specs), NOTHING]}}
        for spec in specs:
            for name, part in aimed(spec, among).items():
                if name not in self.blank:
                    fields.setdefault(name, listed(part))
        texts = [name for name, part in fields.items() if part.get("type") == "string" and "enum" not in part]
        return whole(**{name: part for name, part in fields.items() if name not in texts}, **{name: fields[name] for name in texts})

    def single(self, specs: Sequence[ActionSpec], among: Among, most: int, emotions: Sequence[str]) -> dict[str, Any]:
        levels = {name: {"type": "number", "enum": list(LEVELS)} for name in emotions}
        return whole(reasoning={"type": "string", "maxLength": 2 * LONGEST}, **levels, **self.acts(specs, among, most)["properties"])

    def read_belief(self, given: Mapping[str, Any], emotions: Sequence[str]) -> Mapping[str, Any]:
        opinions = [{name: given[name] for name in ("subject", "opinion", "reason")}] if "subject" in given else []
        return {"psychology": [], "event_opinions": opinions, "emotion": {name: given.get(name) for name in emotions}}

    def read_desires(self, given: Mapping[str, Any]) -> Any:
        return [given]

    def read_acts(self, given: Mapping[str, Any]) -> Any:
        return [] if given.get("action") == NOTHING else [{**dict.fromkeys(self.blank, ""), **given}] if given else None


def whole(**properties: Any) -> dict[str, Any]:
    """An object all of whose properties are required, and no others allowed."""
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def aimed(spec: ActionSpec, among: Among) -> dict[str, Any]:
    """The schemas of an action's arguments; those that point at something shown list what is."""
    properties = cast("dict[str, Any]", spec.schema()["properties"])
    return {name: {"type": "integer", "enum": list(among[name])} if name in among else part for name, part in properties.items()}


def listed(part: Mapping[str, Any]) -> dict[str, Any]:
    """A number as one of five levels between its bounds, a text no longer than a small model writes; all else as it is."""
    if part.get("type") == "number":
        low, high = float(part.get("minimum", 0)), float(part.get("maximum", 1))
        return {"type": "number", "enum": [low + level * (high - low) for level in LEVELS]}
    if part.get("type") == "string" and "enum" not in part:
        return {"type": "string", "maxLength": min(LONGEST, int(part.get("maxLength", LONGEST)))}
    return dict(part)
