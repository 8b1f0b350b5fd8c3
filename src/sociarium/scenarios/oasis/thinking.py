"""Users who think in words: they see their feed, give a reason, and act, one or several times."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sociarium.environments.social.platform import Platform
from sociarium.kernel.mind import Mind
from sociarium.minds.language import prompts
from sociarium.minds.language.act import Act, ActRules
from sociarium.minds.language.asking import Asking
from sociarium.minds.language.component import Component
from sociarium.minds.language.functions import Functions
from sociarium.minds.language.mind import LanguageMind
from sociarium.minds.language.persona import Persona, Rules
from sociarium.minds.language.transcript import Transcript
from sociarium.models.request import Sampling

if TYPE_CHECKING:
    from sociarium.scenarios.oasis.scenario import Oasis

HERE = Path(__file__).parent


def language_mind(scenario: Oasis, platform: Platform) -> Mind:
    """Rules, a person, the last turns, the acts, and answers to interviews, which read what was remembered and leave nothing."""
    sampling = Sampling(temperature=scenario.temperature, max_tokens=scenario.answer_tokens)
    transcript = Transcript(longest=scenario.remembered)
    components: list[Component] = [Rules(), Persona(), transcript]
    if scenario.interviews():
        components.append(Act(ActRules(prompt="interview", actions=("interview.answer",), phases=("interview",)), name="interview"))
    components.append(
        Functions(
            phases=("act",),
            most=scenario.most_actions,
            form=scenario.reply,
            choices=lambda asking: shown(asking, platform),
            transcript=transcript,
            fallback={"do_nothing": {}},
        )
    )
    return LanguageMind(components, prompts(HERE / "prompts"), sampling=sampling)


def shown(asking: Asking, platform: Platform) -> Mapping[str, Sequence[int]]:
    """The numbers of the posts and comments that a user is shown, and of those who wrote them."""
    feed = np.asarray(asking.value("platform", "feed"))
    posts = np.unique(platform.posts.content(feed[feed >= 0]))
    comments = np.concatenate([np.empty(0, np.int64), *(platform.best_comments(int(post), asking.agent) for post in posts)])
    people = np.unique(platform.posts.author[np.concatenate([feed[feed >= 0], posts, comments])])
    return {
        "post": posts.tolist(),
        "comment": sorted(comments.tolist()),
        "user": people[people != asking.agent].tolist(),
    }
