"""Minds by rule for a discourse (``environments.social.discourse``): each does what it tends to, and shows what it feels.

What is new stirs emotions; one of them is shown with a chance in proportion to its level, or none with that of ``reserve``. What is done is
drawn by the agent's own weights. Words, styles and narratives are from a table by the emotion shown. One vectorised call for all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sociarium.environments.emotions.levels import POSIM, EmotionRules, stirred
from sociarium.environments.social.discourse import ACTS
from sociarium.environments.social.expression import EMOTIONS, NARRATIVES, STANCES, STYLES
from sociarium.environments.wording import read_yaml
from sociarium.kernel.actions import Actions
from sociarium.kernel.errors import UsageError
from sociarium.kernel.mind import Mind
from sociarium.kernel.randomness import Stream
from sociarium.kernel.turn import Observations, Turn
from sociarium.kernel.world import World

Array = NDArray[Any]
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

TENDS = tuple(f"tends_{act}" for act in ACTS)
"""Columns of the population: how much each agent tends to each act, weights of 0 or more."""

SENTENCES = {"repost_comment": 1, "short_comment": 1, "long_comment": 3, "short_post": 2, "long_post": 4}
AIMED = np.array([act not in ("short_post", "long_post") for act in ACTS])  # acts that need a post to act on
ORDER = ("anger", "disgust", "sadness", "fear", "neutral", "surprise", "happiness")
"""In this order one uniform number falls on an emotion: with the same draw, less of a negative one never makes another act negative."""


@dataclass(frozen=True, slots=True)
class TendencyRules:
    """``acts`` a turn. ``sensitivity``: how far news stirs, of its intensity; ``appraisal``: the same of the posts shown, their mean.
    ``reserve``: the weight of showing no emotion. ``calm``: by how much anger is shown less by who is primed (column ``primed``).
    ``firm``: a stance further than this from 0 is taken side with."""

    acts: int = 1
    sensitivity: float = 1.0
    appraisal: float = 0.5
    reserve: float = 0.25
    calm: float = 0.0
    firm: float = 0.2

    def __post_init__(self) -> None:
        for name in ("acts", "sensitivity", "appraisal", "reserve", "calm", "firm"):
            if not getattr(self, name) >= 0:
                raise UsageError(f"TendencyRules: {name} is {getattr(self, name)}; it must be 0 or more")


@dataclass(frozen=True, slots=True)
class Phrases:
    """What is said: ``lines``, ``styles`` and ``narratives`` by the emotion shown, and ``tags`` of which each text has one."""

    lines: Mapping[str, Sequence[str]]
    styles: Mapping[str, Sequence[str]]
    narratives: Mapping[str, Sequence[str]]
    tags: Sequence[str] = ()

    def __post_init__(self) -> None:
        for part, legal in (("lines", None), ("styles", STYLES), ("narratives", NARRATIVES)):
            table: Mapping[str, Sequence[str]] = getattr(self, part)
            for emotion in ORDER:
                if not table.get(emotion):
                    raise UsageError(f"phrases: {part} has nothing for {emotion}")
                if legal is not None and (unknown := [one for one in table[emotion] if one not in legal]):
                    raise UsageError(f"phrases: there is no {unknown[0]!r} among {', '.join(legal)}")

    @classmethod
    def read(cls, path: Path) -> Phrases:
        """From a YAML file with these four entries."""
        given: Any = read_yaml(path, "phrases")
        try:
            return cls(**given)
        except TypeError:
            raise UsageError(f"{path}: phrases are lines, styles, narratives and tags") from None


class Tendencies(Mind):
    """``emotions``: the rules of the environment of that name, for what is felt once stirred."""

    def __init__(self, phrases: Phrases, rules: TendencyRules | None = None, emotions: EmotionRules = POSIM) -> None:
        self.phrases, self.rules, self.emotions = phrases, rules or TendencyRules(), emotions
        self._column = {name: column for column, name in enumerate(emotions.names)}

    def begin(self, world: World) -> None:
        self.world = world

    async def decide(self, turn: Turn, seen: Observations) -> Actions:
        actions = Actions()
        if not turn.offered("like"):
            return actions
        by = self.stirring(seen)
        levels = np.stack([seen["emotions"][name] for name in self.emotions.names], axis=1)
        if turn.offered("emotions.stir"):
            actions.add(turn, "emotions.stir", turn.agents, by=by)
        felt = stirred(levels, by, self.emotions)
        if self.rules.calm:
            primed = np.array([bool(text) for text in self.world.population.get(turn.agents, "primed")])
            anger = self._column["anger"]
            felt[primed, anger] = np.maximum(felt[primed, anger] - self.rules.calm, 0.0)
        for number in range(self.rules.acts):
            self._act(turn, seen, felt, turn.random("tendency").at(number), actions)
        return actions

    def stirring(self, seen: Observations) -> Floats:
        """(agents, emotions): how far news and posts stir each."""
        columns = seen["platform"]
        fresh = np.asarray(columns["news_fresh"]) * np.asarray(columns["news_strength"])
        by = self.rules.sensitivity * self._summed(np.asarray(columns["news_emotion"]), fresh)
        shown = np.asarray(columns["feed"]) >= 0
        count = np.maximum(shown.sum(axis=1), 1)[:, None]
        by += self.rules.appraisal * self._summed(np.asarray(columns["feed_emotion"]), shown * np.asarray(columns["feed_strength"])) / count
        return np.clip(by, 0.0, 1.0)

    def _summed(self, emotion: Array, strength: Array) -> Floats:
        """Strengths by emotion felt, summed over each row; anxiety is felt as fear."""
        out = np.zeros((len(emotion), len(self.emotions.names)))
        for code, name in enumerate(EMOTIONS):
            if (column := self._column.get("fear" if name == "anxiety" else name)) is not None:
                out[:, column] += np.where(emotion == code, strength, 0.0).sum(axis=1)
        return out

    def _act(self, turn: Turn, seen: Observations, felt: Floats, random: Stream, actions: Actions) -> None:
        agents, feed = turn.agents, np.asarray(seen["platform"]["feed"])
        there = (feed >= 0).sum(axis=1)
        weights = np.stack([np.asarray(self.world.population.get(agents, name), np.float64) for name in TENDS], axis=1)
        weights[there == 0] *= ~AIMED
        act = random.at("act").choice(weights, agents)
        able = weights.sum(axis=1) > 0
        shown = self._shown(felt, agents, random)
        said = self._said(shown, agents, random)
        strength = np.stack([felt[:, self._column[name]] if name in self._column else np.zeros(len(felt)) for name in ORDER], axis=1)
        said["emotion_intensity"] = strength[np.arange(len(agents)), shown]
        side = np.asarray(self.world.population.get(agents, "stance"), np.float64)
        said["stance"] = np.array(STANCES, object)[(np.sign(side) * (np.abs(side) > self.rules.firm)).astype(np.int64) + 1]
        said["stance_intensity"] = np.minimum(np.abs(side), 1.0)
        place = random.at("target").integers(0, np.maximum(there, 1) - 1, agents)
        said["post"] = np.maximum(feed[np.arange(len(agents)), place], 0) if feed.shape[1] else np.zeros(len(agents), np.int64)
        for code, name in enumerate(ACTS):
            rows = np.flatnonzero(able & (act == code))
            if len(rows) and turn.offered(name):
                wanted = turn.offer(name).arguments
                columns = {key: column[rows] for key, column in said.items() if key in wanted}
                if "text" in wanted:
                    columns["text"] = self._texts(shown[rows], agents[rows], random, SENTENCES[name])
                actions.add(turn, name, agents[rows], **columns)

    def _shown(self, felt: Floats, agents: Ints, random: Stream) -> Ints:
        """Which emotion of ``ORDER`` each shows."""
        reserve = np.full(len(agents), self.rules.reserve)
        weights = np.stack([felt[:, self._column[name]] if name in self._column else reserve for name in ORDER], axis=1)
        none = weights.sum(axis=1) == 0
        weights[none, ORDER.index("neutral")] = 1.0
        return random.at("emotion").choice(weights, agents)

    def _said(self, shown: Ints, agents: Ints, random: Stream) -> dict[str, Array]:
        tags = self.phrases.tags
        tag = _picked([tags] * len(agents), agents, random.at("tag")) if tags else np.full(len(agents), "", object)
        return {
            "emotion": np.array(ORDER, object)[shown],
            "style": _picked([self.phrases.styles[ORDER[one]] for one in shown], agents, random.at("style")),
            "narrative": _picked([self.phrases.narratives[ORDER[one]] for one in shown], agents, random.at("narrative")),
            "hashtags": tag,
            "mentions": np.full(len(agents), "", object),
        }

    def _texts(self, shown: Ints, agents: Ints, random: Stream, sentences: int) -> Array:
        lists = [self.phrases.lines[ORDER[one]] for one in shown]
        parts = [_picked(lists, agents, random.at("line", number)) for number in range(sentences)]
        out = np.empty(len(agents), object)
        out[:] = [" ".join(dict.fromkeys(row)) for row in zip(*parts, strict=True)]
        return out


def _picked(lists: Sequence[Sequence[str]], agents: Ints, random: Stream) -> Array:
    """One of each row's list."""
    drawn = random.uniform(agents)
    out = np.empty(len(agents), object)
    out[:] = [options[int(share * len(options))] for options, share in zip(lists, drawn.tolist(), strict=True)]
    return out
