"""Each flaw of a planted model is found, and a clean sampler passes; a stopped qualification goes on where it was."""

from __future__ import annotations

import asyncio
import hashlib
import json

import numpy as np
import pytest
from scipy import stats

from sociarium.kernel.errors import BudgetSpent, UsageError
from sociarium.lab.qualification.measures import distinct, entropy
from sociarium.lab.qualification.probes import probes
from sociarium.lab.qualification.qualify import REPORT, qualify
from sociarium.lab.statistics import chi_square, exact_share_interval
from sociarium.models.backends.invent import Invention
from sociarium.models.backends.scripted import ScriptedBackend
from sociarium.models.budget import BudgetLimits
from sociarium.models.request import Reply

ASKED = probes()
SHARES = {one.options: one.reference for one in ASKED.spread}


def weight(text, salt=""):
    return 0.2 + int.from_bytes(hashlib.blake2b(f"{salt}{text}".encode(), digest_size=4).digest(), "little") / 2**32


class Person:
    """A clean sampler: shares depend on who answers and on the options, never on their order or on the wording of the question."""

    def __init__(self, flaw=""):
        self.flaw = flaw
        self.count = 0

    def __call__(self, request, draw):
        text = "\n".join(block.text for block in request.blocks)
        if request.kind == "choose":
            return Reply(probabilities=tuple(self.shares(text, request.options)))
        if request.schema is None:
            return self.said(request, draw)
        answer = request.schema["properties"].get("answer", {})
        if "enum" in answer:
            return json.dumps({"answer": self.sampled(text, answer["enum"], draw)})
        if self.flaw == "format" and draw % 2:
            return Reply(text='{"answer": ')
        if self.flaw == "refuses" and draw % 2:
            return Reply(text="no", finish="refusal")
        return Invention(1, request, draw).reply()

    def shares(self, text, options):
        if options in SHARES:
            return SHARES[options]
        for pair in ASKED.pairs:
            if pair.options == options and (pair.high in text or pair.low in text) and pair.question in text:
                blind = self.flaw == f"blind to {pair.side}"
                high = 0.5 if blind else 0.85 if pair.high in text else 0.3
                return high, 1 - high
        if set(options) <= set("ABCD"):
            lines = [line[3:] for line in text.splitlines() if line[1:3] == ") "]
            if self.flaw == "first place":
                return [0.85, *([0.05] * (len(options) - 1))]
            return self.normal([weight(line) for line in lines])
        question = text if self.flaw == "wording" else ""
        return self.normal([weight(option, question) ** (8 if question else 1) for option in options])

    def sampled(self, text, options, draw):
        shares = np.array(self.shares(text, tuple(options)))
        if self.flaw == "collapsed":
            return options[int(shares.argmax())]
        if self.flaw == "uncalibrated":
            shares = shares[::-1]
        return options[int(np.random.default_rng(draw).choice(len(options), p=shares))]

    def said(self, request, draw):
        if self.flaw == "collapsed":
            return "I went for a walk."
        self.count += 1
        return Invention(self.count if self.flaw == "inexact" else 1, request, draw).reply()

    def normal(self, weights):
        return np.array(weights) / np.sum(weights)


def judged(tmp_path, flaw="", *, quick=True, **options):
    backend = ScriptedBackend(Person(flaw), tag=f"person {flaw}")
    done = asyncio.run(qualify(backend, tmp_path / "q", quick=quick, **options))
    return done, {finding.name: finding for finding in done.findings}, backend


def failing(found):
    return {name for name, finding in found.items() if finding.verdict == "fails"}


def test_a_clean_sampler_of_people_is_fit(tmp_path):
    done, found, _ = judged(tmp_path, quick=False)
    assert failing(found) == set()
    assert done.fit
    assert found["persona moves it"].interval.estimate == 1.0
    assert found["persona moves it"].interval.low == pytest.approx(0.025 ** (1 / 24))  # all of 24, Clopper and Pearson
    assert found["distance between orders"].interval.estimate == pytest.approx(0.0, abs=1e-12)
    assert found["distance between wordings"].interval.estimate == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize(
    ("flaw", "fails"),
    [
        ("blind to persona", {"persona moves it"}),
        ("blind to context", {"context moves it"}),
        ("first place", {"distance between orders", "share of the favoured place"}),
        ("wording", {"distance between wordings"}),
        ("collapsed", {"questions that keep their spread", "different texts", "scored and sampled apart"}),
        ("uncalibrated", {"scored and sampled apart"}),
        ("format", {"valid replies"}),
        ("refuses", {"valid replies", "refusals"}),
        ("inexact", {"answered the same again", "answered the same in a batch"}),
    ],
)
def test_each_flaw_is_found_and_no_other(tmp_path, flaw, fails):
    done, found, _ = judged(tmp_path, flaw)
    assert failing(found) == fails
    assert not done.fit


def test_a_model_that_scores_nothing_is_sampled_instead(tmp_path):
    from dataclasses import replace

    class Silent(ScriptedBackend):
        @property
        def facts(self):
            return replace(super().facts, log_probabilities=False)

    backend = Silent(Person(), tag="silent")
    done = asyncio.run(qualify(backend, tmp_path / "q", quick=True))
    found = {finding.name: finding for finding in done.findings}
    assert found["scored and sampled apart"].verdict == "not measured"
    assert found["persona moves it"].verdict == "holds"


def test_a_model_that_answers_nothing_is_not_fit_and_says_why(tmp_path):
    done = asyncio.run(qualify(ScriptedBackend(lambda request, draw: Reply(finish="refusal"), tag="mute"), tmp_path / "q", quick=True))
    assert not done.fit
    assert {finding.note for finding in done.findings if finding.interval.estimate != finding.interval.estimate} == {"no usable answer"}


def test_a_spent_budget_pauses_and_the_same_command_goes_on(tmp_path):
    with pytest.raises(BudgetSpent):
        judged(tmp_path, budget=BudgetLimits(calls=150))
    backend = ScriptedBackend(Person(), tag="person ")
    done = asyncio.run(qualify(backend, tmp_path / "q", quick=True))
    assert done.speed["calls"] <= 150 + backend.calls
    assert backend.calls < 300  # what was asked before is not asked again
    whole, _, fresh = judged(tmp_path / "other")
    assert fresh.calls == done.speed["calls"]
    assert [finding.plain() for finding in whole.findings] == [finding.plain() for finding in done.findings]


def test_a_finished_qualification_is_judged_again_without_a_call_and_another_is_refused(tmp_path):
    first, _, _ = judged(tmp_path)
    again, _, backend = judged(tmp_path)
    assert backend.calls == 0
    assert [finding.plain() for finding in again.findings] == [finding.plain() for finding in first.findings]
    with pytest.raises(UsageError, match="holds another run, or the qualification of another model"):
        judged(tmp_path, "collapsed")
    with pytest.raises(UsageError, match="with other settings"):
        judged(tmp_path, seed=2)


def test_speed_is_shown_and_never_judged(tmp_path):
    done, _, _ = judged(tmp_path)
    assert done.speed["calls"] > 300
    assert not any("second" in finding.name or "cost" in finding.name for finding in done.findings)
    saved = json.loads((tmp_path / "q" / REPORT).read_text("utf-8"))
    assert saved["fit"] is done.fit
    assert len(saved["findings"]) == 12


def test_the_picture_is_drawn(tmp_path):
    from sociarium.lab.qualification.picture import draw

    done, _, _ = judged(tmp_path, "collapsed")
    assert draw(done, tmp_path / "q.png").stat().st_size > 10_000


def test_there_are_enough_pairs_and_none_twice():
    for side in ("persona", "context"):
        assert sum(pair.side == side for pair in ASKED.pairs) >= 20
    assert len({(pair.side, pair.question) for pair in ASKED.pairs}) == len(ASKED.pairs)
    assert all(sum(one.reference) == pytest.approx(1.0) for one in ASKED.spread)
    assert all(len(one.questions) >= 3 for one in ASKED.worded)


def test_entropy_and_distinct_words_are_what_they_say():
    assert entropy(np.array([0.5, 0.5, 0.0])) == pytest.approx(np.log(2))
    assert distinct([["a", "b", "a"], ["a", "b"]], 1) == 2 / 5
    assert distinct([["a", "b", "a"], ["a", "b"]], 2) == 2 / 3
    assert np.isnan(distinct([["a"]], 2))


def test_the_chi_square_test_is_pearsons_and_takes_rare_options_together():
    counts, shares = np.array([30.0, 50.0, 20.0]), np.array([0.3, 0.4, 0.3])
    assert chi_square(counts, shares) == pytest.approx(stats.chisquare(counts, 100 * shares).pvalue)
    rare = chi_square([48.0, 47.0, 3.0, 2.0], [0.48, 0.48, 0.02, 0.02])
    assert rare == pytest.approx(stats.chisquare([48, 47, 5], [48, 48, 4]).pvalue)
    assert chi_square([5.0, 5.0], [1.0, 0.0]) == 0.0
    assert chi_square([9.0], [1.0]) == 1.0
    with pytest.raises(UsageError, match="one share a count"):
        chi_square([1.0, 2.0], [1.0])


@pytest.mark.parametrize(("successes", "trials"), [(0, 15), (15, 15), (45, 45), (7, 24), (1, 1)])
def test_the_exact_interval_is_that_of_clopper_and_pearson(successes, trials):
    found = exact_share_interval(successes, trials)
    expected = stats.binomtest(successes, trials).proportion_ci(0.95, "exact")
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-9)
