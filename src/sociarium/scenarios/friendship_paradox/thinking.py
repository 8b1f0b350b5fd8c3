"""The language user: who it is, and one question a step: whom to follow, what to do, doing it, answering."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from sociarium.kernel.mind import Mind
from sociarium.minds.language import prompts
from sociarium.minds.language.act import Act, ActRules
from sociarium.minds.language.asking import Asking
from sociarium.minds.language.component import Component
from sociarium.minds.language.mind import LanguageMind
from sociarium.minds.language.persona import Persona, Rules
from sociarium.models.request import Sampling
from sociarium.scenarios.friendship_paradox.world import NOTHING

if TYPE_CHECKING:
    from sociarium.scenarios.friendship_paradox.scenario import FriendshipParadox

HERE = Path(__file__).parent
FEED = {"post": ("platform", "feed")}
IDLE: dict[str, dict[str, Any]] = {"do_nothing": {}}


class Reply(Act):
    """Answers turns in which a comment asks for an answer."""

    def answers(self, asking: Asking) -> bool:
        return "asked" in asking.seen["platform"] and super().answers(asking)


def language_mind(scenario: FriendshipParadox) -> Mind:
    """The mind of all users. Where no legal answer came, a user does nothing and is counted as inactive."""
    sampling = Sampling(temperature=scenario.temperature, max_tokens=scenario.answer_tokens)

    def rules(prompt: str, *actions: str, **more: Any) -> ActRules:
        return ActRules(prompt=prompt, actions=actions, sampling=sampling, retries=scenario.attempts - 1, **more)

    idle = {"choose": {"choice": NOTHING, "reason": ""}}
    components: list[Component] = [
        Rules("rules"),
        Persona(),
        Reply(rules("reply", "create_comment", "do_nothing", among={"post": ("platform", "asked")}, fallback=IDLE), name="reply"),
        Act(rules("follow", "follow", "do_nothing", among={"user": ("platform", "suggested")}, fallback=IDLE), name="follow"),
        Act(rules("choose", "choose", fallback=idle), name="choose"),
        Act(rules("write", "create_post"), name="write"),
        Act(rules("react", "repost", "like_post", "dislike_post", among=FEED), name="react"),
        Act(rules("comment", "create_comment", among=FEED), name="comment"),
        Act(rules("introduce", "introduce", uses=()), name="introduce"),
    ]
    return LanguageMind(components, prompts(HERE / "prompts"), sampling=sampling)
