"""Answers under conditions, ranked by judges: what is read, asked, rated, and how far judges agree."""

import asyncio
import json

import numpy as np
import pytest

from sociarium.kernel.errors import UsageError
from sociarium.lab.believability.answers import Asked, asked_in
from sociarium.lab.believability.evaluation import by_judges, by_rule, evaluated
from sociarium.lab.believability.judges import Judges
from sociarium.lab.rating import agreement_alpha, cohens_d
from sociarium.models.backends.scripted import ScriptedBackend
from sociarium.models.request import Reply

CONDITIONS = ("full", "less", "none")
QUALITY = {"full": "I baked bread with Ada.", "less": "I baked.", "none": "Hm."}
NAN = float("nan")


def items(count=12):
    return [Asked(at % 4, f"agent {at % 4}", "memory", f"What {at}?", dict(QUALITY)) for at in range(count)]


def knowing(noise=0, seed=0):
    """A judge that prefers longer answers; ``noise``: of how many requests it turns the order around."""
    random = np.random.Generator(np.random.PCG64(seed))

    def script(request, draw):
        text = "\n".join(block.text for block in request.blocks)
        answers = sorted((text.index(answer), answer) for answer in QUALITY.values() if answer in text)
        turned = random.random() < noise
        if request.kind == "choose":
            first, second = (len(answer) for _, answer in answers)
            better = 0.9 if (first > second) != turned else 0.1
            return Reply(probabilities=(better, 1 - better))
        order = sorted(range(len(answers)), key=lambda at: -len(answers[at][1]), reverse=turned)
        return json.dumps({"ranking": ["ABC"[at] for at in order]})

    return ScriptedBackend(script)


@pytest.mark.parametrize("style", ["list", "pairs"])
def test_a_judge_that_knows_puts_every_answer_in_its_place_whatever_letter_it_has(tmp_path, style):
    judges = Judges({"one": knowing()}, style=style)
    found = asyncio.run(judges.ranked(items(), tmp_path / "judges"))
    assert found == {"one": [CONDITIONS] * 12}


def test_letters_are_dealt_anew_for_each_question_and_judge(tmp_path):
    seen = []

    def script(request, draw):
        seen.append("\n".join(block.text for block in request.blocks))
        return json.dumps({"ranking": ["A", "B", "C"]})

    found = asyncio.run(Judges({"one": ScriptedBackend(script)}).ranked(items(), tmp_path / "judges"))
    assert len(set(found["one"])) > 1, "a judge that always says A, B, C must not favour a condition"
    assert all("full" not in text and "less" not in text for text in seen)
    assert all("[agent" not in text or "answer A" in text for text in seen)


def test_what_was_judged_is_not_asked_again_and_other_answers_need_another_folder(tmp_path):
    backend = knowing()
    judges = Judges({"one": backend})
    first = asyncio.run(judges.ranked(items(), tmp_path / "judges"))
    calls = backend.calls
    assert asyncio.run(judges.ranked(items(), tmp_path / "judges")) == first
    assert backend.calls == calls == 12
    with pytest.raises(UsageError, match="give another folder"):
        asyncio.run(judges.ranked(items(5), tmp_path / "judges"))


def test_an_order_that_names_a_letter_twice_is_none(tmp_path):
    backend = ScriptedBackend(lambda request, draw: json.dumps({"ranking": ["A", "A", "B"]}))
    found = asyncio.run(Judges({"one": backend}).ranked(items(3), tmp_path / "judges"))
    assert found == {"one": [None, None, None]}
    with pytest.raises(UsageError, match="no judge gave an order"):
        by_judges(found)


def test_a_planted_order_comes_out_with_its_tests_and_judges_that_agree_say_so(tmp_path):
    judges = Judges({"one": knowing(0.1, 1), "two": knowing(0.1, 2)})
    found = evaluated(items(40), asyncio.run(judges.ranked(items(40), tmp_path / "judges"))).by_judges
    assert list(found.skills) == list(CONDITIONS)
    assert found.p < 0.001
    assert found.alpha > 0.5
    assert all(effect > 0.5 for effect in found.effects.values())
    assert len(found.pairs) == 3
    assert all(one.p < 0.05 for one in found.pairs)
    random = Judges({"one": knowing(0.5, 1), "two": knowing(0.5, 2)})
    blind = evaluated(items(40), asyncio.run(random.ranked(items(40), tmp_path / "blind"))).by_judges
    assert abs(blind.alpha) < 0.35
    assert "alpha" in " ".join(evaluated(items(2), {"one": [CONDITIONS, CONDITIONS]}).lines())


def test_shares_by_rule_are_counted_by_condition_and_category():
    rows = [Asked(0, "a", "memory", str(at), {"full": "x", "none": "y"}, {"full": 1, "none": at % 2}) for at in range(10)]
    shares = by_rule([*rows, Asked(0, "a", "plans", "p", {"full": "x", "none": "y"}, {"full": 0, "none": 0})]).shares
    assert shares["full"]["memory"].estimate == 1
    assert shares["none"]["memory"].estimate == 0.5
    assert shares["full"][""].estimate == pytest.approx(10 / 11)
    assert shares["full"]["plans"].high < 1


def test_judges_that_cannot_judge_are_refused(tmp_path):
    with pytest.raises(UsageError, match="needs a judge"):
        Judges({})
    with pytest.raises(UsageError, match="the same 2 to 8 conditions"):
        asyncio.run(Judges({"one": knowing()}).ranked([], tmp_path / "a"))
    with pytest.raises(UsageError, match="nobody was interviewed"):
        asked_in(run_without(tmp_path))


def run_without(folder):
    from sociarium.lab import running
    from sociarium.scenarios.generative_agents.scenario import GenerativeAgents

    asyncio.run(running.start(GenerativeAgents.of({"size": 2, "hours": 0.01}), 1, folder / "run"))
    return folder / "run"


RELIABILITY = [  # four observers, twelve units: Krippendorff 2011
    [1, 2, 3, 3, 2, 1, 4, 1, 2, NAN, NAN, NAN],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, NAN, 3],
    [NAN, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, NAN],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, NAN],
]


@pytest.mark.parametrize(("level", "published"), [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849)])
def test_alpha_is_that_of_the_published_example(level, published):
    assert agreement_alpha(RELIABILITY, level) == pytest.approx(published, abs=5e-4)


def test_alpha_is_one_where_judges_agree_and_nothing_where_there_is_nothing_to_agree_on():
    assert agreement_alpha([[1, 2, 3], [1, 2, 3]], "ordinal") == 1
    assert np.isnan(agreement_alpha([[1, 1], [1, 1]]))
    assert np.isnan(agreement_alpha([[1, 2, 3]]))
    random = np.random.Generator(np.random.PCG64(1))
    assert abs(agreement_alpha(random.integers(0, 3, (3, 2000)))) < 0.03


def test_an_effect_is_a_difference_in_pooled_deviations():
    assert cohens_d([1, 2, 3], [2, 3, 4]) == -1
    assert np.isnan(cohens_d([1, 1], [1, 1]))
    with pytest.raises(UsageError, match="two values"):
        cohens_d([1], [1, 2])
