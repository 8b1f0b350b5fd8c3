"""Users who think in words: persona and post in; whether they share, and what they add, out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from sociarium.environments.cascade.cascade import LONGEST
from sociarium.kernel.mind import Mind
from sociarium.minds.language import prompts
from sociarium.minds.language.asking import Asking
from sociarium.minds.language.component import Decider, Decision, Focus
from sociarium.minds.language.mind import LanguageMind
from sociarium.minds.language.persona import Persona, Rules
from sociarium.models.request import Sampling

if TYPE_CHECKING:
    from sociarium.scenarios.digital_clone.scenario import DigitalClone

HERE = Path(__file__).parent
ANSWER = {
    "type": "object",
    "properties": {"share": {"type": "boolean"}, "comment": {"type": "string", "maxLength": LONGEST // 2}},
    "required": ["share", "comment"],
    "additionalProperties": False,
}


class Sharer(Decider):
    """One question an exposure. An empty comment is none; an answer that cannot be read shares nothing, and is marked."""

    name = "share"
    actions = ("cascade.reshare", "cascade.quote", "cascade.ignore")
    fallback: Mapping[str, Mapping[str, Any]] = MappingProxyType({"cascade.ignore": {}})

    async def decide(self, asking: Asking) -> Decision:
        blocks = (*await asking.context(Focus(top=0)), *asking.described(), *self.mind.prompts["share"].render())
        reply = await asking.ask(self.name, blocks, schema=ANSWER)
        if not reply.good or not reply.fields:
            return self.stood_in(asking, reply.status, reply.error)
        comment = str(reply.fields["comment"]).strip()
        if not reply.fields["share"]:
            return Decision([("cascade.ignore", {})], reply.status)
        return Decision([("cascade.quote", {"comment": comment}) if comment else ("cascade.reshare", {})], reply.status)


def language_mind(scenario: DigitalClone) -> Mind:
    """The mind of all users who think in words."""
    sampling = Sampling(temperature=scenario.temperature, max_tokens=scenario.answer_tokens)
    return LanguageMind([Rules(), Persona(), Sharer()], prompts(HERE / "prompts"), sampling=sampling)
