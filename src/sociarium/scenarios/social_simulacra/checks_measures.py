"""Claims about measures: how the design shows in texts, shares behind a judge who errs, and raters who tell real from generated."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from sociarium.kernel.content import said
from sociarium.kernel.errors import UsageError
from sociarium.kernel.extras import optional
from sociarium.kernel.protocols import Address
from sociarium.kernel.randomness import Stream, key_of
from sociarium.lab.claims import ClaimContext, Measured, claim
from sociarium.lab.classifier import Accuracy, NaiveBayes, held_out
from sociarium.lab.discrimination import (
    LEFT,
    Trial,
    always,
    choosing,
    compare,
    error_of,
    ideal,
    planned,
    run,
)
from sociarium.lab.judging import Judge
from sociarium.lab.running import Options, in_memory, simulation_of
from sociarium.minds.language import prompts
from sociarium.minds.language.rendering import laid_out
from sociarium.models.request import Request
from sociarium.scenarios.social_simulacra.moderating import verdicts
from sociarium.scenarios.social_simulacra.scenario import SocialSimulacra
from sociarium.scenarios.social_simulacra.stubs import played, threads_of
from sociarium.scenarios.social_simulacra.thinking import HERE

VOCABULARY = 200
SHARPNESS = (0.0, 0.5, 1.0, 2.0)
RATERS, PAIRS = 50, 50
CONDITIONS = 4
TRIALS = 1_000


async def told_apart(overlap: float, seed: int, condition: str = "full", **settings: Any) -> Accuracy:
    """Of threads under two designs that share ``overlap`` of the words that they set."""
    shared = round(VOCABULARY * overlap)
    first = [f"word{number}" for number in range(VOCABULARY)]
    second = first[:shared] + [f"other{number}" for number in range(VOCABULARY - shared)]
    rules = [rule.text for rule in SocialSimulacra.of({}).designed()[0].rules]
    edits = [{"goal": "one thing", "words": first, "drop": rules}, {"goal": "another", "words": second}]
    given = {"personas": 50, "threads": 400, "breaking": 0, "edits": edits, "condition": condition, **settings}
    threads = threads_of(await played(None, seed, **given))
    versions = threads.table.version
    texts = [" ".join(threads.texts(number)) for number in range(len(versions)) if versions[number]]
    return held_out(texts, [int(version) - 1 for version in versions if version], seed=seed)


@claim("sensitivity-disjoint")
async def sensitivity_disjoint(context: ClaimContext) -> Measured:
    """Held-out accuracy between designs without a word in common."""
    found = await told_apart(0.0, context.seeds[0])
    return Measured.estimated(found.interval(), holds=found.share >= 0.95)


@claim("sensitivity-identical")
async def sensitivity_identical(context: ClaimContext) -> Measured:
    """Held-out accuracy between equal designs."""
    found = await told_apart(1.0, context.seeds[0])
    return Measured.estimated(found.interval(), holds=abs(found.sensitivity) <= 3 * found.error)


@claim("sensitivity-rises")
async def sensitivity_rises(context: ClaimContext) -> Measured:
    """Accuracies on single posts as the planted overlap shrinks; each is above the one before."""
    found = [(await told_apart(overlap, context.seeds[0], reply=0)).share for overlap in (1.0, 0.95, 0.85, 0.6, 0.0)]
    return Measured.exactly(", ".join(f"{one:.2f}" for one in found), holds=all(a < b for a, b in pairwise(found)))


@claim("description-carries-design")
async def description_carries_design(context: ClaimContext) -> Measured:
    """Held-out accuracy between disjoint designs where writers are not told them."""
    found = await told_apart(0.0, context.seeds[0], "no description")
    return Measured.estimated(found.interval(), holds=abs(found.sensitivity) <= 3 * found.error)


@claim("breaking-share")
async def breaking_share(context: ClaimContext) -> Measured:
    """The share of 5,000 posts in the rule-breaking form; raw and corrected shares of judges who err, in standard errors."""
    posts, alpha, worst = 5_000, 0.1, 0.0
    table = threads_of(await played(None, context.seeds[0], personas=990, threads=posts, reply=0)).table
    truth = table.breach[:, 0] >= 0
    worst = max(worst, abs(truth.mean() - alpha) / (alpha * (1 - alpha) / posts) ** 0.5)
    for judge in (Judge(0.9, 0.95), Judge(0.7, 0.8), Judge(0.6, 0.99)):
        raw = judge.verdicts(truth, Stream(key_of(context.seeds[0], judge.sensitivity)), np.arange(posts)).mean()
        expected = judge.raw(alpha)
        error = (expected * (1 - expected) / posts) ** 0.5
        worst = max(worst, abs(raw - expected) / error, abs(judge.corrected(float(raw)) - alpha) / (error / judge.power))
    return Measured.exactly(float(truth.mean()), holds=worst <= 3)


@claim("judge-measured")
async def judge_measured(context: ClaimContext) -> Measured:
    """A classifier as judge, its rates measured on one set of posts, corrects the share that it finds in another."""
    sets: list[tuple[list[str], np.ndarray]] = []
    for number, share in enumerate((0.5, 0.5, 0.2)):
        threads = threads_of(
            await played(None, context.seeds[0] + number, personas=50, threads=1_500, reply=0, breaking=share, persona=0.7)
        )
        sets.append(([threads.text(row, 0) for row in range(1_500)], threads.table.breach[:, 0] >= 0))
    model = NaiveBayes.fit(sets[0][0][:200], sets[0][1][:200].astype(np.int64).tolist())
    judge = Judge.measured(model.predict(sets[1][0]) == 1, sets[1][1])
    found = judge.share(int((model.predict(sets[2][0]) == 1).sum()), 1_500, 0.9973)
    return Measured.estimated(found, holds=found.holds(float(sets[2][1].mean())) and judge.power < 0.999)


@claim("raters")
async def raters(context: ClaimContext) -> Measured:
    """Errors of ideal raters with planted d' over 2,500 judgements each, in standard errors from their law; sides are balanced, and who
    always says left errs in half."""
    trials, worst = planned(RATERS, PAIRS, 50, 50, seed=context.seeds[0]), 0.0
    for sharpness in SHARPNESS:
        found, expected = run(trials, ideal(sharpness), seed=context.seeds[0]).error, error_of(sharpness)
        worst = max(worst, abs(found - expected) / (expected * (1 - expected) / len(trials)) ** 0.5)
    lazy = run(trials, always(LEFT), seed=context.seeds[0])
    return Measured.exactly(worst, holds=worst <= 3.5 and lazy.error == 0.5 and lazy.left_share == 0.5 and set(lazy.rates) == {0.5})


@claim("anova-level")
async def anova_level(context: ClaimContext) -> Measured:
    """Share of 1,000 studies without any difference between four conditions that find one at 0.05."""
    trials, rejected = planned(RATERS, PAIRS, 50, 50, seed=context.seeds[0]), 0

    def study(number: int) -> dict[str, Any]:
        return {str(one): run(trials, ideal(0.32), seed=key_of(context.seeds[0], number, one)).rates for one in range(CONDITIONS)}

    for number in range(TRIALS):
        rejected += _p(list(study(number).values())) < 0.05
    first = study(0)
    return Measured.exactly(rejected / TRIALS, holds=0.03 <= rejected / TRIALS <= 0.07 and compare(first).p == _p(list(first.values())))


def _p(groups: Sequence[Any]) -> float:
    """The test of ``compare`` without the pairs."""
    return float(optional("scipy.stats", "lab", "statistics").f_oneway(*groups).pvalue)


@claim("persona-diversity")
async def persona_diversity(context: ClaimContext) -> Measured:
    """1,000 personas from ten seeds, all different; shares of distinct names and phrases."""
    measures = (await played(None, context.seeds[0], threads=0)).world["membership"].measures()
    names, phrases, members = (float(measures[name][0]) for name in ("distinct_names", "distinct_phrases", "members"))
    return Measured.exactly(members, holds=members == 1_010 and 0 < phrases <= 1 and 0 < names <= 1)


@claim("a-model-follows-the-design")
async def a_model_follows(context: ClaimContext) -> Measured:
    """Held-out accuracy on a model's posts in two communities: above chance by its interval."""
    texts: list[str] = []
    labels: list[int] = []
    for label, community in enumerate(("baking", "repair")):
        settings = {"model": context.model, "personas": 0, "threads": 12, "reply": 0, "breaking": 0, "tokens": 40, "community": community}
        threads = threads_of((await in_memory(SocialSimulacra.of(settings), context.seeds[0])).simulation)
        own = [threads.texts(number)[0] for number in range(12) if threads.texts(number)]
        texts += own
        labels += [label] * len(own)
    found = held_out(texts, labels, seed=context.seeds[0])
    return Measured.estimated(found.interval(), holds=found.interval().low > 0.5)


@claim("a-model-can-judge")
async def a_model_can_judge(context: ClaimContext) -> Measured:
    """Sensitivity + specificity - 1 of the model as moderator of 60 posts of which half break the rules: above 0 by its interval."""
    settings: dict[str, Any] = {"model": context.model, "personas": 0, "threads": 60, "reply": 0, "breaking": 0.5, "persona": 0}
    by_rule = await played(None, context.seeds[0], **{name: value for name, value in settings.items() if name != "model"})
    door = (await simulation_of(SocialSimulacra.of(settings), context.seeds[0], Options())).door
    found = await verdicts(by_rule, door)
    judge = Judge.measured([one.said for one in found], [one.true for one in found])
    error = sum(rate * (1 - rate) / size for rate, size in _rates(judge)) ** 0.5
    return Measured(judge.power, judge.power - 1.96 * error, judge.power + 1.96 * error, judge.power - 1.96 * error > 0)


def _rates(judge: Judge) -> list[tuple[float, int]]:
    return [(judge.sensitivity, judge.positives), (judge.specificity, judge.negatives)]


@claim("error-telling-real-from-generated")
async def telling(context: ClaimContext) -> Measured:
    """The model itself as rater of pairs of a real conversation and one of its own; the paper asked 200 people."""
    real = conversations(context.data)
    scenario = SocialSimulacra.of({"model": context.model, "personas": 100, "threads": len(real)})
    simulation = (await in_memory(scenario, context.seeds[0])).simulation
    threads = threads_of(simulation)
    made = ["\n".join(threads.texts(number)) for number in range(len(threads.table)) if threads.texts(number)]
    trials = planned(10, 20, len(real), len(made), seed=context.seeds[0])
    pack, goal = prompts(HERE / "prompts"), scenario.designed()[0].goal

    def pair(trial: Trial) -> Request:
        both = [said(made[trial.generated], "first or second"), said(real[trial.real], "first or second")]
        shown = both if trial.side == LEFT else both[::-1]
        blocks = laid_out(pack["tell"].render(goal=goal, first=shown[0], second=shown[1]))
        return Request(blocks, kind="choose", options=("The first.", "The second."))

    requests = [pair(trials[at]) for at in range(len(trials))]
    replies = await simulation.door.ask_all(requests, Address(0, "telling", 0, 0, "rater", "tell"))  # type: ignore[union-attr]
    answers = [int(np.argmax(reply.probabilities)) for reply in replies]
    given = {(one.rater, one.number): answer for one, answer in zip((trials[at] for at in range(len(trials))), answers, strict=True)}
    found = run(trials, choosing(lambda trial: given[trial.rater, trial.number]), seed=context.seeds[0])
    return Measured.estimated(found.interval(), holds=True)  # the card's tolerance decides


def conversations(data: Path | None) -> list[str]:
    """Real conversations from ``conversations.jsonl`` in the data folder: one list of texts a line."""
    file = None if data is None else data / "conversations.jsonl"
    if file is None or not file.is_file():
        raise UsageError(
            "telling real from generated needs real conversations: give --data FOLDER with conversations.jsonl, a list of texts a line"
        )
    return ["\n".join(map(str, json.loads(line))) for line in file.read_text("utf-8").splitlines() if line.strip()]
