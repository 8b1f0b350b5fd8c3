"""Minds by rule for a discourse: what stirs them, what they show, what they do."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sociarium.environments.emotions.emotions import Emotions
from sociarium.environments.social.discourse import ACTS, EVENTS, Discourse
from sociarium.environments.social.recommenders.recommender import RecentPosts
from sociarium.environments.social.rules import PlatformRules
from sociarium.kernel.errors import UsageError
from sociarium.kernel.network import Network
from sociarium.kernel.population import Column, Population
from sociarium.kernel.schedule import Rounds
from sociarium.kernel.simulation import Intervention, Simulation
from sociarium.kernel.turn import Phase
from sociarium.minds.tendency import ORDER, TENDS, Phrases, Tendencies, TendencyRules

PHRASES = Phrases(
    lines={name: [f"{name} {n}" for n in range(4)] for name in ORDER},
    styles={name: ["venting"] for name in ORDER},
    narratives={name: ["none", "conspiracy"] for name in ORDER},
    tags=["water"],
)


def lived(rules=None, tends=(0, 0, 0, 0, 0, 1, 0), rounds=1, size=400, start=(0, 0, 0, 0, 0, 0), news=None, seed=1, **columns):
    values = {name: float(weight) for name, weight in zip(TENDS, tends, strict=True)} | {"stance": 0.0} | columns
    given = {name: np.full(size, value, object if isinstance(value, str) else None) for name, value in values.items()}
    people = Population.of("user", size, [Column("primed", str, "")], **given)
    platform = Discourse(Network.from_edges(size, [], []), recommender=RecentPosts(3), rules=PlatformRules(exposures="pairs"))
    phases = [Phase("act", "platform", shows=("emotions",), offers=(*(f"platform.{act}" for act in ACTS), "emotions.stir"))]
    planned = [Intervention(0, "platform.broadcast", {"text": "News", "emotion": news, "intensity": 0.5})] if news else []
    emotions = Emotions(start=start)
    simulation = Simulation(
        people, [platform, emotions], [Tendencies(PHRASES, rules)], Rounds(phases, rounds), seed=seed, interventions=planned
    )
    records = []
    simulation.on_tick.append(records.append)
    simulation.run_sync()
    return records, emotions, platform


def shown(record, kind="platform.short_posted"):
    return next((rows.data["emotion"] for rows in record.events if rows.kind == kind), np.empty(0, object))


def test_news_stirs_its_emotion_by_its_intensity_once():
    records, _, _ = lived(TendencyRules(reserve=0), news="fear", rounds=2)
    levels = [next(rows.data["levels"] for rows in record.events if rows.kind == "emotions.stirred") for record in records]
    assert np.allclose(levels[0], [0, 0, 0, 0.15, 0, 0])
    others = np.isclose(levels[1][:, 3], 0.15 * 0.95 + 0.3 * 0.5 * 0.15)  # of posts that show fear at 0.15, by half
    assert others.mean() > 0.99 and levels[1][:, [0, 1, 2, 4, 5]].max() == 0


def test_anxiety_is_felt_as_fear_and_what_is_neutral_stirs_nothing():
    for news, level in (("anxiety", 0.15), ("neutral", 0.0)):
        _, emotions, _ = lived(news=news)
        assert np.allclose(emotions.levels[:, 3], level)


def test_an_emotion_is_shown_with_a_chance_in_proportion_to_its_level():
    records, _, _ = lived(TendencyRules(reserve=0.3), start=(0, 0, 0.6 / 0.95, 0, 0, 0.1 / 0.95), size=2000)
    share = {name: float((shown(records[0]) == name).mean()) for name in ("anger", "disgust", "neutral")}
    for name, expected in (("anger", 0.6), ("disgust", 0.1), ("neutral", 0.3)):
        assert abs(share[name] - expected) < 4 * np.sqrt(expected * (1 - expected) / 2000)
    assert shown(lived(TendencyRules(reserve=0))[0][0]).tolist() == ["neutral"] * 400  # who feels nothing shows nothing


def test_acts_come_by_tendency_and_those_that_need_a_post_only_where_one_is_shown():
    tends = (3, 0, 0, 1, 0, 1, 0)
    records, _, _ = lived(tends=tends, rounds=2, size=1500)
    assert {rows.kind for rows in records[0].events} == {"emotions.stirred", "platform.short_posted"}
    second = {rows.kind: len(rows) for rows in records[1].events}
    assert abs(second["platform.liked"] / 1500 - 0.6) < 0.06 and abs(second["platform.short_commented"] / 1500 - 0.2) < 0.05
    records, _, _ = lived(tends=(1, 0, 0, 0, 0, 0, 0))
    assert not any(rows.kind.removeprefix("platform.") in EVENTS for rows in records[0].events)  # only likes, and nothing to like


def test_the_primed_show_less_anger_and_the_same_draws_never_make_more_of_them_negative():
    start = (0, 0.1, 0.5, 0.1, 0, 0.1)
    plain, primed = (shown(lived(TendencyRules(calm=0.4), start=start, primed=text)[0][0]) for text in ("", "rational"))
    negative = {"anger", "disgust", "sadness", "fear"}
    assert (primed == "anger").sum() < (plain == "anger").sum()
    assert all(before in negative for before, after in zip(plain, primed, strict=True) if after in negative)
    same = shown(lived(TendencyRules(calm=0.0), start=start, primed="rational")[0][0])
    assert np.array_equal(same, plain)


def test_stance_style_narrative_words_and_several_acts():
    records, _, platform = lived(TendencyRules(acts=2), stance=-0.7)
    rows = next(rows for rows in records[0].events if rows.kind == "platform.short_posted")
    assert len(rows) == 800 and set(rows.data["stance"]) == {"oppose"} and set(rows.data["style"]) == {"venting"}
    assert set(rows.data["narrative"]) == {"none", "conspiracy"} and platform.hot.tags == ["water"]
    assert all(text.startswith("neutral") for text in rows.data["text"])
    assert set(lived(stance=0.1)[0][0].events[-1].data["stance"]) == {"neutral"}


def test_phrases_and_rules_that_make_no_sense_are_refused(tmp_path: Path):
    good = {"lines": PHRASES.lines, "styles": PHRASES.styles, "narratives": PHRASES.narratives}
    with pytest.raises(UsageError, match="nothing for anger"):
        Phrases(**{**good, "lines": {}})
    with pytest.raises(UsageError, match="no 'shouting'"):
        Phrases(**{**good, "styles": {name: ["shouting"] for name in ORDER}})
    (tmp_path / "p.yaml").write_text("line: {}")
    with pytest.raises(UsageError, match="phrases are"):
        Phrases.read(tmp_path / "p.yaml")
    with pytest.raises(UsageError, match="acts is -1"):
        TendencyRules(acts=-1)
