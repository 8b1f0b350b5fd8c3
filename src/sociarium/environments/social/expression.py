"""How something is said: the emotion that is shown, the stance, the style, the narrative; as arguments of actions and columns of events.

After the strategy level of POSIM's intentions (arXiv 2603.23884). What is shown is recorded with the act; readers meet it in the words, or,
where they are rules, as numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sociarium.environments.social.site import Sieve
from sociarium.kernel.actions import ActionTable, Argument, Choice, Number, Text
from sociarium.kernel.environment import AgentIds, Events, Outcome

Array = NDArray[Any]
Ints = NDArray[np.int64]

EMOTIONS = ("neutral", "happiness", "sadness", "anger", "fear", "surprise", "disgust", "anxiety")
STANCES = ("oppose", "neutral", "support")
STYLES = ("sarcastic", "satirical", "aggressive", "mocking", "venting", "questioning", "empathetic", "indifferent", "rational")
NARRATIVES = (
    "none", "labelling", "moral blackmail", "conspiracy", "whataboutism", "call to action", "personal attack", "fact questioning",
    "fact listing", "storytelling", "citing authority",
)  # fmt: skip

EXPRESSED: dict[str, Argument] = {
    "emotion": Choice(options=EMOTIONS, doc="the emotion that you show"),
    "emotion_intensity": Number(0, 1, doc="how strongly you show it"),
    "stance": Choice(options=STANCES, doc="where you stand"),
    "stance_intensity": Number(0, 1, doc="how firmly"),
    "style": Choice(options=STYLES, doc="the style"),
    "narrative": Choice(options=NARRATIVES, doc="the kind of narrative"),
}
WORDED: dict[str, Argument] = {
    "hashtags": Text(longest=120, doc="topics, separated by spaces; may be empty"),
    "mentions": Text(longest=120, doc="names of accounts that you address; may be empty"),
}

Heard = Callable[[str, "VoicedSieve", Ints], None]


@dataclass(slots=True)
class Voiced(ActionTable):
    """Rows of an action that is one of a plainer platform's actions, said in some way. ``action`` is its own name, ``event`` its trace;
    ``heard`` is told what was carried out: the event, the rows that are left, and the content that they made or judged."""

    action: str
    event: str
    heard: Heard


class VoicedSieve(Sieve):
    """Refuses under the action's own name, and writes how it was said into its trace."""

    def __init__(self, table: Voiced, begun: Sieve) -> None:
        super().__init__(table.action, table)
        self.keep, self.outcome = begun.keep, begun.outcome
        self.event, self.heard = table.event, table.heard

    def done(self, kind: str, agents: AgentIds, **data: Any) -> Outcome:
        said = {name: self.column(name) for name in (*EXPRESSED, *WORDED) if name in self.table.columns}
        self.heard(self.event, self, np.asarray(data["comment" if "comment" in data else "post"], np.int64))
        self.outcome.events.append(Events(self.event, agents, {**data, **said}, "own"))
        return self.outcome


def codes(values: Array, names: tuple[str, ...]) -> NDArray[np.int8]:
    """The number of each name."""
    number = {name: code for code, name in enumerate(names)}
    return np.fromiter((number[str(value)] for value in values), np.int8, len(values))
