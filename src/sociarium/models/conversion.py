"""A GGUF file as a model of CTranslate2, eight bits a weight, written with NumPy alone: some seconds, once a file.

GGUF stores the query and key rows of the Llama architecture permuted, so that neighbouring numbers are rotated together
(``rotary_interleave``); those of Qwen2 are stored as published (halves are rotated together).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from sociarium.models import weights
from sociarium.models.gguf import GGUF, architecture_of, kept, library

CONVERTER = 1  # the version of this module's output
ARCHITECTURES = {"llama": True, "qwen2": False}  # -> whether neighbours are rotated together
CONTROL, USER_DEFINED = 3, 4  # kinds of tokens
ENDS = (
    "<|im_end|>",
    "<|endoftext|>",
    "<|eot_id|>",
    "<|end|>",
    "</s>",
    "<|end_of_text|>",
)  # tokens that end a turn, as llama.cpp knows them
SCALED = (
    "rope.scaling.factor",
    "rope.scale_linear",
    "expert_count",
    "attention.sliding_window",
)  # not carried over: such files are left alone


def installed() -> bool:
    """Whether the packages of the extra ``batch`` are here."""
    return all(find_spec(name) is not None for name in ("ctranslate2", "gguf"))


def engine_name(compute: str) -> str:
    """What answers, for the key of a reply."""
    return f"ctranslate2 {version('ctranslate2')} {compute} converter {CONVERTER}"


def convertible(path: Path) -> bool:
    """Whether the second engine can run this file's architecture."""
    return architecture_of(path) in ARCHITECTURES


def converted(path: Path, compute: str = "int8") -> Path | None:
    """The folder of the converted model, made if it is not there; None for a model that this converter does not know.

    ``compute`` is ``int8`` (one scale a row) or ``float32``. Raises ModelError.
    """
    if not convertible(path):
        return None
    source = {"source": weights.digest_of(path), "maker": f"converter {CONVERTER} {compute}"}
    folder = path.with_name(f"{path.name}.ctranslate2-{compute}")
    model = GGUF(path) if not (folder / "made.json").is_file() else None
    if model is not None and not plain(model):
        return None

    def make(into: Path) -> None:
        write(model or GGUF(path), into, compute)

    return kept(folder, source, make)


def plain(model: GGUF) -> bool:
    """Whether the file uses nothing that is not carried over, and has a tokeniser of byte-level pieces."""
    scaled = any(model.size(name) for name in SCALED) or "rope_freqs.weight" in model.tensors
    return not scaled and model.note("tokenizer.ggml.model") == "gpt2"


def write(model: GGUF, into: Path, compute: str) -> None:
    """Weights, configuration, and what the tokens mean (``pieces.json``)."""
    specification = decoder(model)
    pieces = pieces_of(model)
    specification.register_vocabulary([str(number) for number in range(len(pieces))])  # tokens are named by their numbers
    config: Any = specification.config
    config.bos_token, config.unk_token = "0", "0"
    config.eos_token = str(model.note("tokenizer.ggml.eos_token_id"))
    config.layer_norm_epsilon = float(model.size("attention.layer_norm_rms_epsilon"))
    specification.validate()
    specification.optimize(quantization=None if compute == "float32" else compute)
    specification.save(str(into))
    notes = {
        "ends": sorted(ends_of(model)),
        "bytes_a_token": 2 * 4 * int(model.size("block_count")) * int(model.size("embedding_length")),  # keys and values, float32
        "pieces": [piece.hex() for piece in pieces],
    }
    (into / "pieces.json").write_text(json.dumps(notes), "utf-8")


def decoder(model: GGUF) -> Any:
    """The specification of the model, weights as float32."""
    library("ctranslate2")
    transformer, common = library("ctranslate2.specs.transformer_spec"), library("ctranslate2.specs.common_spec")
    size, weight = model.size, model.weight
    specification: Any = transformer.TransformerDecoderModelSpec.from_config(
        int(size("block_count")), int(size("attention.head_count")), activation=common.Activation.SWISH, pre_norm=True, ffn_glu=True,
        rms_norm=True, rotary_dim=0, rotary_interleave=ARCHITECTURES[model.architecture],
        rotary_base=float(size("rope.freq_base", 10_000.0)), num_heads_kv=int(size("attention.head_count_kv")),
    )  # fmt: skip
    whole: Any = specification.decoder
    whole.scale_embeddings = False
    whole.embeddings.weight = weight("token_embd.weight")
    whole.layer_norm.gamma = weight("output_norm.weight")
    whole.projection.weight = weight("output.weight") if "output.weight" in model.tensors else whole.embeddings.weight
    for number, layer in enumerate(whole.layer):
        name = f"blk.{number}."
        attention, feed = layer.self_attention, layer.ffn
        attention.layer_norm.gamma = weight(f"{name}attn_norm.weight")
        attention.linear[0].weight = np.concatenate([weight(f"{name}attn_{part}.weight") for part in "qkv"])
        if f"{name}attn_q.bias" in model.tensors:
            attention.linear[0].bias = np.concatenate([weight(f"{name}attn_{part}.bias") for part in "qkv"])
        attention.linear[1].weight = weight(f"{name}attn_output.weight")
        feed.layer_norm.gamma = weight(f"{name}ffn_norm.weight")
        feed.linear_0.weight = weight(f"{name}ffn_gate.weight")
        feed.linear_0_noact.weight = weight(f"{name}ffn_up.weight")
        feed.linear_1.weight = weight(f"{name}ffn_down.weight")
    return specification


def pieces_of(model: GGUF) -> list[bytes]:
    """The bytes that each token stands for; none for marks of the template, which are never part of a text."""
    table = byte_table()
    kinds: Sequence[int] = model.note("tokenizer.ggml.token_type")
    pieces: list[bytes] = []
    for token, kind in zip(model.note("tokenizer.ggml.tokens"), kinds, strict=True):
        if kind == CONTROL:
            pieces.append(b"")
        elif kind == USER_DEFINED or any(letter not in table for letter in token):
            pieces.append(token.encode())
        else:
            pieces.append(bytes(table[letter] for letter in token))
    return pieces


def ends_of(model: GGUF) -> set[int]:
    """The tokens after which the model's turn is over."""
    ends = {int(value) for name in ("eos", "eot") if (value := model.note(f"tokenizer.ggml.{name}_token_id")) is not None}
    tokens: Sequence[str] = model.note("tokenizer.ggml.tokens")
    kinds: Sequence[int] = model.note("tokenizer.ggml.token_type")
    return ends | {number for number, token in enumerate(tokens) if kinds[number] == CONTROL and token in ENDS}


def byte_table() -> dict[str, int]:
    """Letter to byte in byte-level vocabularies (GPT-2, Radford et al. 2019): printable bytes are themselves, the others 256 and up."""
    shown = [*range(33, 127), *range(161, 173), *range(174, 256)]
    hidden = [byte for byte in range(256) if byte not in shown]
    return {chr(byte): byte for byte in shown} | {chr(256 + number): byte for number, byte in enumerate(hidden)}
