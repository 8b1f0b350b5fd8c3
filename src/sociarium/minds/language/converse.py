"""Speaking in a group: one statement, whether the talk may end, and who speaks next, from what was last said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sociarium.kernel.actions import ActionSpec
from sociarium.minds.language.act import Act, ActRules
from sociarium.minds.language.asking import Asking
from sociarium.minds.language.component import Focus
from sociarium.minds.language.legality import narrowed
from sociarium.models.request import Sampling

LAST = 4  # utterances that memories are sought by (Piatti et al. 2024)
TOP = 5  # memories that come to mind before an utterance (the same)


class Converse(Act):
    """An utterance, by the schema of ``say``. ``people`` is where an agent sees how many take part, so that ``next`` names one of them.

    ``fallback``: what stands in where the model said nothing usable; nothing is said where it is empty.
    """

    def __init__(
        self,
        *,
        action: str = "conversation.say",
        prompt: str = "utterance",
        people: tuple[str, str] = ("conversation", "participants"),
        fallback: Mapping[str, Mapping[str, Any]] | None = None,
        kinds: tuple[str, ...] = (),
        uses: Sequence[str] | None = None,
        sampling: Sampling | None = None,
        name: str = "converse",
    ) -> None:
        rules = ActRules(
            "schema",
            prompt,
            actions=(action,),
            kinds=kinds,
            fallback=fallback,
            focus=Focus(top=TOP),
            spoken=LAST,
            uses=None if uses is None else tuple(uses),
            sampling=sampling,
        )
        super().__init__(rules, name=name)
        self.people = people

    def offered(self, asking: Asking) -> list[ActionSpec]:
        specs = super().offered(asking)
        if any("next" in spec.arguments for spec in specs):
            limit = int(asking.value(*self.people)) - 1
            specs = [narrowed(spec, {"next": limit}) for spec in specs]
        return specs
