"""Converted weights: a plain forward pass in NumPy, CTranslate2 and llama.cpp must agree on small models of random weights."""

from __future__ import annotations

import json
import math
import threading
from types import SimpleNamespace

import numpy as np
import pytest

from sociarium.kernel.errors import ModelError, UsageError
from sociarium.models import conversion, gguf

package = pytest.importorskip("gguf", reason="gguf is not installed: pip install 'sociarium[batch]'")
pytest.importorskip("ctranslate2", reason="ctranslate2 is not installed: pip install 'sociarium[batch]'")

from sociarium.models.backends.ctranslate import CtranslateEngine  # noqa: E402

LAYERS, HEADS, KEYS, WIDTH, INNER, BASE, EPSILON = 2, 4, 2, 128, 256, 5000.0, 1e-5
MARKS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
TEMPLATE = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}<|im_start|>assistant\n"
LETTERS = {byte: letter for letter, byte in conversion.byte_table().items()}
TOKENS = [*MARKS, *(LETTERS[byte] for byte in range(256)), "Ġa"]


def write_model(path, architecture, *, scaled=False, kind=None):
    """A model of random weights; returns them by name."""
    random = np.random.default_rng(len(architecture))
    writer = package.GGUFWriter(str(path), architecture)
    writer.add_context_length(512)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(INNER)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KEYS)
    writer.add_rope_freq_base(BASE)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_layer_norm_rms_eps(EPSILON)
    writer.add_vocab_size(len(TOKENS))
    if scaled:
        writer.add_rope_scaling_factor(4.0)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2" if architecture == "qwen2" else "smollm")
    writer.add_token_list(TOKENS)
    writer.add_token_types([3] * len(MARKS) + [1] * (len(TOKENS) - len(MARKS)))
    writer.add_token_merges(["Ġ a"])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_chat_template(TEMPLATE)
    shapes = {"token_embd.weight": (len(TOKENS), WIDTH), "output_norm.weight": (WIDTH,)}
    if architecture == "qwen2":
        shapes["output.weight"] = (len(TOKENS), WIDTH)
    for layer in range(LAYERS):
        rows = {"q": WIDTH, "k": WIDTH * KEYS // HEADS, "v": WIDTH * KEYS // HEADS}
        for part, count in rows.items():
            shapes[f"blk.{layer}.attn_{part}.weight"] = (count, WIDTH)
            if architecture == "qwen2":
                shapes[f"blk.{layer}.attn_{part}.bias"] = (count,)
        shapes |= {
            f"blk.{layer}.attn_norm.weight": (WIDTH,),
            f"blk.{layer}.attn_output.weight": (WIDTH, WIDTH),
            f"blk.{layer}.ffn_norm.weight": (WIDTH,),
            f"blk.{layer}.ffn_gate.weight": (INNER, WIDTH),
            f"blk.{layer}.ffn_up.weight": (INNER, WIDTH),
            f"blk.{layer}.ffn_down.weight": (WIDTH, INNER),
        }
    weights = {}
    for name, shape in shapes.items():
        values = random.normal(1.0 if "norm" in name else 0.0, 0.3 if len(shape) == 1 else 2.0 * shape[-1] ** -0.5, shape)
        weights[name] = values.astype(np.float32)
        if kind is not None and len(shape) == 2 and "blk" in name:
            coarse = package.GGMLQuantizationType[kind]
            writer.add_tensor(name, package.quants.quantize(weights[name], coarse), raw_dtype=coarse)
        else:
            writer.add_tensor(name, weights[name])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return weights


def plain_forward(weights, architecture, tokens):
    """Log-probabilities over the vocabulary after each token [tokens, vocabulary]: the decoder as its authors publish it."""

    def normed(x, gain):
        return x / np.sqrt((x * x).mean(-1, keepdims=True) + EPSILON) * gain

    def turned(x):
        size = x.shape[-1]
        angle = np.arange(len(x))[:, None] * BASE ** (-np.arange(0, size, 2) / size)
        cosine, sine = np.cos(angle)[:, None], np.sin(angle)[:, None]
        neighbours = architecture == "llama"
        one, other = (x[..., 0::2], x[..., 1::2]) if neighbours else (x[..., : size // 2], x[..., size // 2 :])
        pair = (one * cosine - other * sine, one * sine + other * cosine)
        return np.stack(pair, -1).reshape(x.shape) if neighbours else np.concatenate(pair, -1)

    w = {name: value.astype(np.float64) for name, value in weights.items()}
    x, count = w["token_embd.weight"][tokens], len(tokens)
    for layer in range(LAYERS):
        b = f"blk.{layer}."
        z = normed(x, w[b + "attn_norm.weight"])
        q, k, v = (
            (z @ w[f"{b}attn_{part}.weight"].T + w.get(f"{b}attn_{part}.bias", 0.0)).reshape(count, -1, WIDTH // HEADS) for part in "qkv"
        )
        q, k = turned(q), turned(k)
        k, v = (np.repeat(one, HEADS // KEYS, 1) for one in (k, v))
        seen = np.einsum("ihd,jhd->hij", q, k) / math.sqrt(WIDTH // HEADS)
        seen = np.where(np.tril(np.ones((count, count), bool)), seen, -np.inf)
        share = np.exp(seen - seen.max(-1, keepdims=True))
        share /= share.sum(-1, keepdims=True)
        x = x + np.einsum("hij,jhd->ihd", share, v).reshape(count, WIDTH) @ w[b + "attn_output.weight"].T
        z = normed(x, w[b + "ffn_norm.weight"])
        gate = z @ w[b + "ffn_gate.weight"].T
        x = x + (gate / (1 + np.exp(-gate)) * (z @ w[b + "ffn_up.weight"].T)) @ w[b + "ffn_down.weight"].T
    logits = normed(x, w["output_norm.weight"]) @ w.get("output.weight", w["token_embd.weight"]).T
    return logits - np.log(np.exp(logits - logits.max(-1, keepdims=True)).sum(-1, keepdims=True)) - logits.max(-1, keepdims=True)


@pytest.fixture(scope="module", params=["llama", "qwen2"])
def small(request, tmp_path_factory):
    path = tmp_path_factory.mktemp("small") / f"{request.param}.gguf"
    weights = write_model(path, request.param)
    return SimpleNamespace(architecture=request.param, path=path, weights=weights)


PROMPT = tuple(np.random.default_rng(3).integers(3, len(TOKENS), 40).tolist())
OPTIONS = ((20, 30, 40), (20, 31), (77,), (5, 6, 7, 8, 9))


def slow_scores(weights, architecture):
    totals = []
    for option in OPTIONS:
        rows = plain_forward(weights, architecture, [*PROMPT, *option])
        totals.append(sum(rows[len(PROMPT) - 1 + at, token] for at, token in enumerate(option)))
    return totals


def scores_of(folder):
    engine = CtranslateEngine(folder, context=512)
    given = engine.score(PROMPT, OPTIONS, threading.Event()).result(60)
    engine.close()
    return given.scores


def test_the_converted_model_computes_what_the_architecture_says(small):
    assert scores_of(conversion.converted(small.path, "float32")) == pytest.approx(slow_scores(small.weights, small.architecture), abs=2e-3)


def test_eight_bits_stay_near(small):
    folder = conversion.converted(small.path)
    assert scores_of(folder) == pytest.approx(slow_scores(small.weights, small.architecture), rel=0.05, abs=0.4)


def test_llama_cpp_reads_the_same_model_the_same_way(small):
    """So the two engines, and the order of rows in GGUF that each expects, agree."""
    pytest.importorskip("xllamacpp")
    from sociarium.models.backends.llama import EngineOptions, LlamaEngine

    engine = LlamaEngine(small.path, EngineOptions(slots=1, context=256))
    body = {"prompt": list(PROMPT), "n_predict": 1, "n_probs": len(TOKENS), "temperature": 0, "cache_prompt": False}
    top = engine.run(body)["choices"][0]["logprobs"]["content"][0]["top_logprobs"]
    engine.close()
    expected = plain_forward(small.weights, small.architecture, list(PROMPT))[-1]
    for one in top:
        assert one["logprob"] == pytest.approx(expected[one["id"]], abs=0.05)


def test_greedy_text_is_the_likeliest_token_each_time_cut_at_stops(small):
    from sociarium.models.request import Sampling

    engine = CtranslateEngine(conversion.converted(small.path, "float32"), context=512)
    wanted, tokens = [], list(PROMPT)
    for _ in range(12):
        best = int(plain_forward(small.weights, small.architecture, tokens)[-1].argmax())
        if best < len(MARKS):
            break
        wanted.append(best)
        tokens.append(best)
    whole = b"".join(conversion.pieces_of(gguf.GGUF(small.path))[token] for token in wanted)
    given = engine.write(PROMPT, Sampling(max_tokens=12), 0, threading.Event()).result(60)
    assert given.text == whole.decode("utf-8", "ignore")
    stop = whole.decode("latin-1")[2]
    if ord(stop) < 128:
        cut = engine.write(PROMPT, Sampling(max_tokens=12, stop=(stop,)), 0, threading.Event()).result(60)
        assert (cut.finish, cut.text) == ("stop", given.text.partition(stop)[0])
    engine.close()


def test_a_form_belongs_to_its_file_and_is_checked(tmp_path):
    path = tmp_path / "model.gguf"
    write_model(path, "llama")
    folder = conversion.converted(path)
    first = (folder / "model.bin").stat().st_mtime_ns
    assert conversion.converted(path) == folder and (folder / "model.bin").stat().st_mtime_ns == first
    (folder / "model.bin").write_bytes(b"broken")
    assert conversion.converted(path) == folder and (folder / "model.bin").stat().st_size > 1000
    made = json.loads((folder / "made.json").read_text())
    (folder / "made.json").write_text(json.dumps({**made, "maker": "converter 0 int8"}))
    conversion.converted(path)
    assert json.loads((folder / "made.json").read_text()) == made
    assert sorted(one.name for one in tmp_path.iterdir()) == ["model.gguf", folder.name, "model.gguf.sha256"]


@pytest.mark.parametrize("architecture, scaled", [("gemma", False), ("llama", True)])
def test_what_the_converter_does_not_know_is_left_alone(tmp_path, architecture, scaled):
    path = tmp_path / "model.gguf"
    write_model(path, architecture, scaled=scaled)
    assert gguf.architecture_of(path) == architecture
    assert conversion.converted(path) is None


def test_a_file_that_is_no_model(tmp_path):
    path = tmp_path / "model.gguf"
    path.write_bytes(b"GGUF but not really")
    assert conversion.converted(path) is None
    with pytest.raises(ModelError, match="cannot be read as GGUF"):
        gguf.GGUF(path)


def test_requantised_weights_are_near_and_have_their_own_digest(tmp_path):
    path = tmp_path / "model.gguf"
    write_model(path, "llama", kind="Q4_1")
    other = gguf.requantised(path, "q4_0")
    one, two = gguf.GGUF(path), gguf.GGUF(other)
    assert two.note("tokenizer.ggml.tokens") == one.note("tokenizer.ggml.tokens") and two.size("block_count") == LAYERS
    assert {tensor.tensor_type.name for tensor in two.tensors.values()} == {"Q4_0", "F32"}
    for name in one.tensors:
        difference = np.abs(one.weight(name) - two.weight(name)).mean() / np.abs(one.weight(name)).mean()
        assert difference < 0.15 and (difference == 0.0) == ("blk" not in name or "norm" in name)
    with pytest.raises(UsageError, match="q4_0"):
        gguf.requantised(path, "q2")


async def test_a_requantised_file_is_another_model_on_both_engines(tmp_path):
    pytest.importorskip("xllamacpp")
    from sociarium.kernel.content import Block
    from sociarium.models.opening import open_backend
    from sociarium.models.request import Request, Sampling

    path = tmp_path / "model.gguf"
    write_model(path, "llama", kind="Q4_1")
    blocks = (Block("ab"), Block("I will", role="assistant"))
    digests = set()
    for options in ("", "&weights=q8_0"):
        backend = open_backend(f"local:{path}?context=128&slots=1{options}")
        digests.add(backend.facts.digest)
        choice = await backend.complete(Request(blocks, kind="choose", options=("go", "stay")), None)
        assert sum(choice.probabilities) == pytest.approx(1) and choice.usage.cached_tokens == 0
        drawn = await backend.complete(Request(blocks, sampling=Sampling(1.0, max_tokens=3)), 5)
        assert drawn.usage.completion_tokens <= 3
        assert backend.facts.engine["batches"].startswith("ctranslate2")
        await backend.close()
    assert len(digests) == 2
