"""The language minds of a commons game: which components they have, and at what pace they think."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from sociarium.kernel.mind import Mind
from sociarium.minds.language.act import Act, ActRules, Option, grid
from sociarium.minds.language.component import Component, Focus
from sociarium.minds.language.converse import Converse
from sociarium.minds.language.memory import Memory
from sociarium.minds.language.mind import LanguageMind
from sociarium.minds.language.minutes import Minutes
from sociarium.minds.language.news import NewsRules
from sociarium.minds.language.persona import Persona, Rules
from sociarium.minds.language.reflect import Afterthoughts, Importance, Reflect
from sociarium.minds.language.retrieval import GOVSIM, GOVSIM_RELEASED
from sociarium.minds.prompts import substitute
from sociarium.models.backends.embed import Embedder, HashingEmbedder, WordLlamaEmbedder
from sociarium.models.request import Sampling

if TYPE_CHECKING:
    from sociarium.scenarios.govsim.game import CommonsGame
    from sociarium.scenarios.govsim.words import Words


@dataclass(frozen=True, slots=True)
class Manner:
    """How much is asked of the model. ``memories``: at most so many come to mind. Tokens are those of one reply."""

    answer: Literal["schema", "answer", "choose"] = "schema"
    speech: Literal["free", "menu"] = "free"
    reasoning: bool = True
    importance: Literal["model", "rule"] = "model"
    thoughts: tuple[str, ...] = ("planning", "interesting")
    insights: bool = True
    turns: int = 10  # of a talk, the opening report among them
    characters: int = 2000  # of one utterance
    memories: int = 10
    act_tokens: int = 1024
    talk_tokens: int = 512
    thought_tokens: int = 256


PACES = {
    "paper": Manner(),
    "brief": Manner(
        answer="schema", reasoning=False, importance="rule", thoughts=("planning",), insights=False, turns=4, characters=160, memories=4,
        act_tokens=24, talk_tokens=96, thought_tokens=64,
    ),
    "choices": Manner(
        answer="choose", speech="menu", importance="rule", thoughts=(), insights=False, turns=4, characters=400, memories=4,
    ),
}  # fmt: skip
SCORES = {"event": 4.0, "action": 5.0, "thought": 6.0, "chat": 3.0}  # importance by rule, 1 to 10


def manner(game: CommonsGame) -> Manner:
    """The pace, with what the user set apart from it."""
    own = {"answer": game.answer, "importance": game.importance, "insights": game.insights, "turns": game.max_conversation_steps}
    return replace(PACES[game.pace], **{name: value for name, value in own.items() if value is not None})


def language_mind(game: CommonsGame, words: Words) -> Mind:
    """Rules first, then the persona, then memory: what is shared and stable leads every prompt, so that prefix caches hit."""
    how = manner(game)
    news = NewsRules(words.memories(game.memory_days), game.locale, str(game.wording_file()))
    rule = GOVSIM if game.recency == "newest" else GOVSIM_RELEASED
    importance: Any = "model" if how.importance == "model" else SCORES
    pack = game.prompt_pack()
    numbers: dict[str, Any] = dict(game.rule_values())
    components: list[Component] = [
        Rules(words.rules, name="rules", kinds=("harvester",), **{name: numbers[name] for name in pack[words.rules].variables}),
        Persona(),
        Memory(news, embedder=embedder(game), importance=importance, rule=rule),
        *([Importance(sampling=sampling(game, 16))] if how.importance == "model" else []),
        Act(_harvest(game, words, how), name="harvest"),
        *_talk(game, words, how),
        *([Afterthoughts(how.thoughts, sampling=sampling(game, how.thought_tokens))] if how.thoughts else []),
        *([Reflect(words.query, sampling=sampling(game, how.thought_tokens * 2))] if how.insights else []),
    ]
    return LanguageMind(components, pack, sampling=sampling(game, how.talk_tokens))


def _talk(game: CommonsGame, words: Words, how: Manner) -> list[Component]:
    """Free speech and minutes in words; or one of the wording's sentences, and minutes that note one of the limits."""
    if how.speech == "free":
        return [
            Converse(kinds=("harvester",), sampling=sampling(game, how.talk_tokens)),
            Minutes(sampling=sampling(game, how.thought_tokens)),
        ]
    say, minute = "conversation.say", "conversation.minute"
    limits = range(game.choose_step, game.choose_most + 1, game.choose_step)
    texts = [substitute(text, {"value": limit}, "sayings") for text in words.sayings for limit in (limits if "{{value}}" in text else (0,))]
    noted = [Option(substitute(words.agreement, {"value": limit}, "agreement"), minute, {"limit": limit}) for limit in limits]
    noted = [*noted, Option(words.disagreement, minute, {"limit": -1})]
    minutes = tuple(replace(one, arguments={**one.arguments, "summary": one.text}) for one in noted)
    sayings = tuple(Option(text, say, {"text": text}) for text in texts)
    common: dict[str, Any] = {"style": "choose", "sampling": sampling(game, 1)}
    return [
        Act(
            ActRules(prompt="say_choose", actions=(say,), kinds=("harvester",), options=sayings, focus=Focus((words.query,), 0), **common),
            name="say",
        ),
        Act(
            ActRules(prompt="minute_choose", actions=(minute,), kinds=("moderator",), options=minutes, uses=(), **common),
            name="minute",
            route="framework",
        ),
    ]


def sampling(game: CommonsGame, tokens: int) -> Sampling:
    return Sampling(game.temperature, game.top_p, tokens)


def embedder(game: CommonsGame) -> Embedder:
    """An exact embedder in this process: its vectors are no part of the state."""
    return HashingEmbedder() if game.embedder == "hashing" else WordLlamaEmbedder()


def _harvest(game: CommonsGame, words: Words, how: Manner) -> ActRules:
    """Unreadable or illegal: nothing is taken, and the turn says so."""
    options = grid("commons.harvest", "quantity", range(0, game.choose_most + 1, game.choose_step), words.option)
    return ActRules(
        style=how.answer,
        prompt=f"harvest_{how.answer}",
        actions=("commons.harvest",),
        kinds=("harvester",),
        fallback={"commons.harvest": {"quantity": 0}},
        limits={"quantity": ("commons", "stock")},
        focus=Focus((words.query,), how.memories),
        sampling=sampling(game, how.act_tokens),
        reasoning=how.reasoning and how.answer == "schema",
        options=options,
    )
