"""Several acts in one reply, with a reason: the form of OASIS (Yang et al. 2024, arXiv 2411.11581), and one that small models can fill.

``list``: ``{"reason": ..., "actions": [{"action": ..., arguments}, ...]}``. ``fields``: ``{"reason": ..., "first": "like_post 3",
"second": "nothing more", "words": ...}``, where each act is one of a list of all that are legal; a local model weighs them by likelihood.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import product
from typing import Any, Literal, cast

from sociarium.kernel.actions import ActionSpec, Text
from sociarium.kernel.errors import UsageError
from sociarium.kernel.outcomes import Status
from sociarium.minds.language.asking import Asking
from sociarium.minds.language.component import Decider, Decision, Focus
from sociarium.minds.language.legality import Problem, problem
from sociarium.minds.language.transcript import Transcript
from sociarium.models.request import Sampling

Form = Literal["list", "fields"]
Numbers = Mapping[str, Sequence[int]]  # the numbers that an argument may have now, by its name
Choices = Callable[[Asking], Numbers]
Act = tuple[ActionSpec, dict[str, Any]]

LONGEST_REASON = 300
LONGEST_WORDS = 300
ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")
NO_MORE = "nothing more"


class Functions(Decider):
    """At least one act, at most ``most``, carried out in the environment's order.

    ``choices`` narrows arguments to what the agent sees: an action one of whose arguments has no legal number is not offered. Acts that
    are not legal are left out, never mended: the others are carried out, and the turn is marked ``ILLEGAL``; where none is left, the
    fallback stands in. ``transcript`` keeps what was shown, and the reply with its reason, for later turns.
    """

    def __init__(
        self,
        *,
        actions: tuple[str, ...] = (),
        phases: tuple[str, ...] = (),
        most: int = 3,
        form: Form = "list",
        choices: Choices | None = None,
        transcript: Transcript | None = None,
        sampling: Sampling | None = None,
        fallback: Mapping[str, Mapping[str, Any]] | None = None,
        name: str = "functions",
    ) -> None:
        if not 1 <= most <= len(ORDINALS):
            raise UsageError(f"a reply has 1 to {len(ORDINALS)} actions, not {most}")
        self.name, self.actions, self.phases, self.most, self.form = name, actions, phases, most, form
        self.choices, self.transcript, self.sampling = choices, transcript, sampling
        self.fallback = fallback or {}

    async def decide(self, asking: Asking) -> Decision:
        numbers: Numbers = self.choices(asking) if self.choices else {}
        wanted = [spec for spec in asking.turn.offers if not self.actions or spec.name in self.actions or spec.full in self.actions]
        specs = [spec for spec in wanted if all(name not in numbers or numbers[name] for name in spec.arguments)]
        if not specs:
            return self.stood_in(asking, Status.SKIPPED, "no action has a legal argument now")
        shown = asking.described()
        blocks = (*await asking.context(Focus(), self.uses), *shown, *self.mind.prompts["act_functions"].render({"most": self.most}))
        schema = listed(specs, numbers, self.most) if self.form == "list" else flat(specs, numbers, self.most)
        reply = await asking.ask(self.name, blocks, schema=schema, sampling=self.sampling)
        if not reply.good:
            return self.stood_in(asking, reply.status, reply.error)
        if self.transcript is not None:
            self.transcript.keep(asking, shown, reply.text)
        read = read_list if self.form == "list" else read_fields
        return self._decided(asking, read(reply.value, specs, numbers, self.most), reply.status)

    def _decided(self, asking: Asking, acts: Sequence[Act | Problem], status: Status) -> Decision:
        wrong = [one for one in acts if isinstance(one, Problem)]
        good = [(one[0].full, one[1]) for one in acts if not isinstance(one, Problem)]
        if not wrong:
            return Decision(good, status)
        if not good:
            return self.stood_in(asking, wrong[0].status, wrong[0].reason)
        return Decision(good, Status.ILLEGAL, f"{len(wrong)} of {len(acts)} actions left out: {wrong[0].reason}")


def listed(specs: Sequence[ActionSpec], numbers: Numbers, most: int) -> dict[str, Any]:
    """JSON schema of the form ``list``: each action with its own arguments, all of them required."""
    forms = [_object({"action": {"type": "string", "enum": [spec.name]}, **_arguments(spec, numbers)}) for spec in specs]
    items: dict[str, Any] = {"anyOf": forms} if len(forms) > 1 else forms[0]
    actions = {"type": "array", "items": items, "minItems": 1, "maxItems": most}
    return _object({"reason": {"type": "string", "maxLength": LONGEST_REASON}, "actions": actions})


def read_list(value: Any, specs: Sequence[ActionSpec], numbers: Numbers, most: int) -> list[Act | Problem]:
    """The acts of a reply in the form ``list``, or what is wrong with each."""
    given: Any = cast("dict[str, Any]", value).get("actions") if isinstance(value, dict) else None
    if not isinstance(given, list) or not given:
        return [Problem(Status.MALFORMED, "the reply has no list of actions")]
    acts = [_read(one, specs, numbers) for one in cast("list[Any]", given)]
    return [one if at < most else Problem(Status.ILLEGAL, f"more than {most} actions") for at, one in enumerate(acts)]


def flat(specs: Sequence[ActionSpec], numbers: Numbers, most: int) -> dict[str, Any]:
    """JSON schema of the form ``fields``: a list of all legal acts for each of them, and words for those that take some."""
    names = list(options(specs, numbers))
    properties: dict[str, Any] = {"reason": {"type": "string", "maxLength": LONGEST_REASON}}
    for at, ordinal in enumerate(ORDINALS[:most]):
        properties[ordinal] = {"type": "string", "enum": names if at == 0 else [NO_MORE, *names]}
    if any(isinstance(argument, Text) for spec in specs for argument in spec.arguments.values()):
        properties["words"] = {"type": "string", "maxLength": LONGEST_WORDS}
    return _object(properties)


def options(specs: Sequence[ActionSpec], numbers: Numbers) -> dict[str, Act]:
    """All acts by how they are written: the action, and the numbers that it takes. Raises UsageError where an argument has no list."""
    out: dict[str, Act] = {}
    for spec in specs:
        keys = [name for name, argument in spec.arguments.items() if not isinstance(argument, Text)]
        if unknown := [name for name in keys if name not in numbers]:
            raise UsageError(f"{spec.full} takes {unknown[0]}, of which no list of numbers is given; use the form 'list', or give choices")
        for values in product(*(numbers[name] for name in keys)):
            out[" ".join([spec.name, *map(str, values)])] = (spec, dict(zip(keys, values, strict=True)))
    return out


def read_fields(value: Any, specs: Sequence[ActionSpec], numbers: Numbers, most: int) -> list[Act | Problem]:
    """The acts of a reply in the form ``fields``, the same act once."""
    if not isinstance(value, dict):
        return [Problem(Status.MALFORMED, "the reply is not an object")]
    given, known = cast("dict[str, Any]", value), options(specs, numbers)
    words = given.get("words", "")
    acts: list[Act | Problem] = []
    said = [given.get(ordinal, NO_MORE) for ordinal in ORDINALS[:most]]
    for name in dict.fromkeys(str(one) for one in said):
        if name == NO_MORE:
            continue
        if name not in known:
            acts.append(Problem(Status.ILLEGAL, f"{name[:60]!r} is none of the acts on offer"))
            continue
        spec, arguments = known[name]
        texts = {key: words for key, argument in spec.arguments.items() if isinstance(argument, Text)}
        acts.append(problem(spec, {**arguments, **texts}) or (spec, {**arguments, **texts}))
    return acts or [Problem(Status.MALFORMED, "the reply names no act")]


def _object(properties: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": dict(properties), "required": list(properties), "additionalProperties": False}


def _arguments(spec: ActionSpec, numbers: Numbers) -> dict[str, Any]:
    own = spec.schema()["properties"]
    return {name: {"type": "integer", "enum": list(numbers[name])} if name in numbers else schema for name, schema in own.items()}


def _read(one: Any, specs: Sequence[ActionSpec], numbers: Numbers) -> Act | Problem:
    if not isinstance(one, dict):
        return Problem(Status.MALFORMED, "an action of the reply is not an object")
    given = cast("dict[str, Any]", one)
    named = [spec for spec in specs if given.get("action") in (spec.name, spec.full)]
    if len(named) != 1:
        return Problem(Status.ILLEGAL, f"the action {str(given.get('action'))[:60]!r} is not on offer")
    spec, arguments = named[0], {name: given[name] for name in named[0].arguments if name in given}
    for name in arguments:
        if name in numbers and arguments[name] not in numbers[name]:
            return Problem(Status.ILLEGAL, f"{name} of {spec.full} is {arguments[name]}, which it was not shown")
    return problem(spec, arguments) or (spec, arguments)
