"""Choices scored as a tree: against a plain forward pass on small models of random weights, and on the real small model."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sociarium.kernel.content import Block
from sociarium.kernel.errors import UsageError
from sociarium.models.backend import CallFailed
from sociarium.models.request import Request, Sampling

for name in ("torch", "gguf", "ctranslate2"):
    pytest.importorskip(name, reason=f"{name} is not installed: pip install 'sociarium[tree]'")

from tests.models.test_conversion import TOKENS, plain_forward, write_model  # noqa: E402

from sociarium.models.backends import tree_scorer  # noqa: E402
from sociarium.models.backends.local import LocalBackend  # noqa: E402
from sociarium.models.backends.tree_scorer import Rows, TreeScorer  # noqa: E402

IDS = st.integers(3, len(TOKENS) - 1)
WORDS = st.lists(IDS, min_size=1, max_size=6).map(tuple)
OPTIONS = st.lists(WORDS, min_size=2, max_size=3, unique=True)


@pytest.fixture(scope="module", params=["llama", "qwen2"])
def small(request, tmp_path_factory):
    path = tmp_path_factory.mktemp("tree") / f"{request.param}.gguf"
    weights = write_model(path, request.param)
    engines = [TreeScorer(path, context=512, eight_bits=eight) for eight in (False, True)]
    yield SimpleNamespace(architecture=request.param, weights=weights, plain=engines[0], eight=engines[1], path=path)
    for engine in engines:
        engine.close()


def slow(small, prompt, options):
    """Option by option, each with its whole prompt, in float64."""
    totals = []
    for option in options:
        rows = plain_forward(small.weights, small.architecture, [*prompt, *option])
        totals.append(sum(rows[len(prompt) - 1 + at, token] for at, token in enumerate(option)))
    return totals


def ask(engine, asked):
    futures = [engine.score(prompt, options, threading.Event()) for prompt, options in asked]
    return [future.result(60) for future in futures]


BEGINNINGS = [tuple(np.random.default_rng(seed).integers(3, len(TOKENS), 70 + 9 * seed).tolist()) for seed in range(3)]


@settings(max_examples=5, deadline=None)
@given(asked=st.lists(st.tuples(st.sampled_from(BEGINNINGS), st.integers(0, 90), st.lists(IDS, min_size=1, max_size=20), OPTIONS),
                      min_size=1, max_size=4))  # fmt: skip
def test_scores_are_those_of_a_plain_forward_pass_whatever_is_shared_kept_or_cut(small, asked):
    """Prompts that begin alike, cut anywhere, in one pass and after passes that left other beginnings."""
    choices = [((*beginning[:length], *own), options) for beginning, length, own, options in asked]
    for scored, (prompt, options) in zip(ask(small.plain, choices), choices, strict=True):
        assert scored.scores == pytest.approx(slow(small, prompt, options), abs=1e-3)
        assert scored.prompt == len(prompt) and 0 <= scored.cached < len(prompt)
        assert scored.forced == len({option[: at + 1] for option in options for at in range(len(option))})


def test_eight_bits_stay_near_and_do_not_depend_on_company(small):
    choices = [((*BEGINNINGS[0], 9 + at), [(20, 30, 40), (20, 31), (77,), (5, 6, 7, 8, 9)]) for at in range(3)]
    for scored, (prompt, options) in zip(ask(small.eight, choices), choices, strict=True):
        assert scored.scores == pytest.approx(slow(small, prompt, options), rel=0.05, abs=0.5)
        assert ask(small.eight, [(prompt, options)])[0].scores == pytest.approx(scored.scores, abs=0.01)


def test_what_many_share_is_read_once_and_kept(small, monkeypatch):
    begin = tuple(np.random.default_rng(8).integers(3, len(TOKENS), 100).tolist())
    choices = [((*begin, 10 + at, 50), [(20, 30), (21,)]) for at in range(6)]
    decoder, read = small.plain.loaded(), []
    wrapped = decoder.read
    monkeypatch.setattr(decoder, "read", lambda tokens, *rest: (read.append(len(tokens)), wrapped(tokens, *rest))[1])
    one, two = small.plain.scored([job(*choice) for choice in choices]), small.plain.scored([job(*choice) for choice in choices])
    assert read == [100] and [each.cached for each in two] == [100] * 6 and [each.cached for each in one] == [0] * 6
    assert [each.scores for each in two] == [pytest.approx(each.scores, abs=1e-5) for each in one]


def test_more_threads_give_the_same_bits(small):
    """Parts of the rows go to other cores; what a part is does not depend on how many there are."""
    choices = [((*BEGINNINGS[0], *range(3 + at, 43 + at)), [(20, 30), (21, 31, 41), (22,)]) for at in range(12)]
    engines = [TreeScorer(small.path, threads=threads, context=512) for threads in (1, 3)]
    try:
        scores = [[one.scores for one in engine.scored([job(*choice) for choice in choices])] for engine in engines]
        assert [engine.decoder.pool is not None for engine in engines] == [False, True]
    finally:
        for engine in engines:
            engine.close()
    assert scores[0] == scores[1] and len(set(scores[0])) == 12
    assert scores[0][7] == pytest.approx(slow(small, *choices[7]), abs=1e-3)


def job(prompt, options):
    return tree_scorer.Choice(np.array(prompt), tuple(options), threading.Event(), None)


def test_options_are_branches_and_their_last_tokens_are_not_read():
    rows = Rows.of([1, 2], [(5, 6, 7), (5, 8), (9,), (5, 6, 7)])
    assert rows.tokens == [1, 2, 5, 6] and rows.depths == [0, 1, 2, 3] and rows.above == [-1, 0, 1, 2]
    assert rows.asked == [[(1, 5), (2, 6), (3, 7)], [(1, 5), (2, 8)], [(1, 9)], [(1, 5), (2, 6), (3, 7)]]
    branches = Rows.of([1], [(5, 6, 7), (8, 6, 7)])
    seen = np.isfinite(branches.visible(6, 1))
    assert [np.flatnonzero(row).tolist() for row in seen] == [[0], [0, 1], [0, 1, 2], [0, 3], [0, 3, 4], [5]]


def test_a_caller_who_goes_away_takes_nothing_from_the_others(small):
    gone, there = threading.Event(), threading.Event()
    gone.set()
    left = small.plain.score(BEGINNINGS[0], [(5,), (6,)], gone)
    with pytest.raises(CallFailed, match="went away"):
        left.result(60)
    futures = [small.plain.score(BEGINNINGS[0], [(5,), (6, 7)], event) for event in (gone, there)]
    assert futures[1].result(60).scores == pytest.approx(slow(small, BEGINNINGS[0], [(5,), (6, 7)]), abs=1e-3)
    with pytest.raises(CallFailed, match="context 512"):
        small.plain.score([5] * 511, [(5, 6)], there)
    with pytest.raises(CallFailed, match="does not write"):
        small.plain.write([5], Sampling(), 0, there)


def test_closing_fails_what_has_no_score_and_a_closed_engine_takes_nothing(small):
    engine = TreeScorer(small.path, context=512)
    futures = [engine.score(BEGINNINGS[at % 3], [(5,), (6, 7)], threading.Event()) for at in range(9)]
    engine.close()
    engine.close()
    assert all(future.done() for future in futures)
    with pytest.raises(CallFailed, match="closed"):
        engine.score([5, 6], [(5,)], threading.Event())


async def test_choices_go_to_the_tree_and_all_else_does_not(small):
    pytest.importorskip("xllamacpp")
    blocks = (Block("ab"), Block("I will", role="assistant"))
    backend = LocalBackend.open(str(small.path), slots=1, context=128, engine="tree")
    assert backend.facts.engine["choices"].startswith("torch") and not backend.facts.exact and "batches" not in backend.facts.engine
    whole = await backend.complete(Request(blocks, kind="choose", options=("go", "stay"), neutral=blocks), None)
    assert whole.probabilities == pytest.approx([0.5, 0.5], abs=1e-3)
    written = await backend.complete(Request(blocks, sampling=Sampling(max_tokens=2)), None)
    assert written.usage.completion_tokens <= 2
    await backend.close()
    with pytest.raises(UsageError, match="exact=yes"):
        LocalBackend.open(str(small.path), exact=True, engine="tree")


@pytest.mark.model
async def test_the_real_model_weighs_options_like_llama_cpp(weights):
    pytest.importorskip("xllamacpp")
    backend = LocalBackend.open("smollm2", slots=1, context=512, engine="tree")
    words = ("go fishing", "go home", "write a poem", "teleport quantum xylophones")
    try:
        blocks = (Block("You are a fisherman.", role="system"), Block("What do you do next?"), Block("I will", role="assistant"))
        prompt, options = backend._prompter.prompt(blocks), backend._prompter.options(blocks, words)
        engines = (backend._tree, backend._engine)
        one, other = [await asyncio.wrap_future(engine.score(prompt, options, threading.Event())) for engine in engines]
        assert one.scores == pytest.approx(other.scores, rel=0.1, abs=0.5)
        asked = [Request((blocks[0], Block(f"What next, {at}?"), blocks[2]), kind="choose", options=words) for at in range(12)]
        together = await asyncio.gather(*(backend.complete(request, None) for request in asked))
        for request, reply in zip(asked[::4], together[::4], strict=True):
            alone = await backend.complete(request, None)
            assert alone.probabilities == pytest.approx(reply.probabilities, rel=1e-3)
    finally:
        await backend.close()


def test_the_interpreter_ends_though_the_engine_was_never_closed(small):
    if small.architecture == "qwen2":
        pytest.skip("one architecture is enough: nothing here depends on it")
    code = (
        "import sys, threading; from pathlib import Path\nfrom sociarium.models.backends.tree_scorer import TreeScorer\n"
        "engine = TreeScorer(Path(sys.argv[1]), context=512)\n"
        "print(len(engine.score([5, 6, 7], [(5,), (6, 7)], threading.Event()).result(60).scores))\n"
        "engine.score([5, 6, 7], [(5,), (6, 7)], threading.Event())"
    )
    ended = subprocess.run([sys.executable, "-c", code, str(small.path)], capture_output=True, text=True, timeout=120, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "2\n", "")
