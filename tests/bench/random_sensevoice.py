"""Writes a SenseVoiceSmall folder with random weights: as fast as the real one, and no hub is needed for it.

`python -m tests.bench.random_sensevoice FOLDER SIZE` does it in a process of its own, because it takes 2 GB of memory.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from tests.funasr_configuration import FEATURES, KERNEL, cmvn, sanm_encoder, sensevoice_configuration

if TYPE_CHECKING:
    from torch import nn

QUERIES = 16
TAGS = {24884: "zh", 24885: "en", 24888: "yue", 24892: "ja", 24896: "ko", 24992: "nospeech", 24993: "Speech",
        24995: "BGM", 25004: "NEUTRAL", 25009: "EMO_UNKNOWN", 25016: "withitn", 25017: "woitn"}  # fmt: skip
SIZES: dict[str, dict[str, int]] = {
    "full": {"width": 512, "heads": 4, "inner": 2048, "layers": 50, "last_layers": 20, "tokens": 25_055},
    "tiny": {"width": 16, "heads": 2, "inner": 16, "layers": 2, "last_layers": 1, "tokens": 25_055},
}
VOCABULARY = "chn_jpn_yue_eng_ko_spectok.bpe.model"


def write_model(folder: Path, size: str) -> None:
    """Write the folder; the weights, by which it is known to be complete, come last."""
    folder.mkdir(parents=True, exist_ok=True)
    shape = SIZES[size]
    (folder / "config.yaml").write_text(yaml.safe_dump(configuration(shape), sort_keys=False), encoding="utf-8")
    files = {
        "init_param": "model.pt",
        "config": "config.yaml",
        "tokenizer_conf": {"bpemodel": VOCABULARY},
        "frontend_conf": {"cmvn_file": "am.mvn"},
    }
    (folder / "configuration.json").write_text(json.dumps({"file_path_metas": files}), encoding="utf-8")
    (folder / "am.mvn").write_text(cmvn(FEATURES), encoding="utf-8")
    (folder / VOCABULARY).write_bytes(vocabulary(shape["tokens"]))
    write_weights(folder / "model.pt", shape)


def configuration(shape: dict[str, int]) -> dict[str, object]:
    """Give the content of SenseVoiceSmall's config.yaml, for a network of any size."""
    encoder = sanm_encoder(
        width=shape["width"], heads=shape["heads"], linear_units=shape["inner"], blocks=shape["layers"]
    )
    return sensevoice_configuration(encoder | {"tp_blocks": shape["last_layers"]})


def vocabulary(count: int) -> bytes:
    """Give a sentencepiece model with SenseVoice's tags at their usual ids, and letters elsewhere."""
    from sentencepiece import sentencepiece_model_pb2  # noqa: PLC0415 - only where a model is made

    schema: Any = sentencepiece_model_pb2  # its classes are made when it is imported
    kinds = schema.ModelProto.SentencePiece
    model = schema.ModelProto()
    model.trainer_spec.model_type = schema.TrainerSpec.BPE
    model.trainer_spec.vocab_size = count
    model.normalizer_spec.name = "identity"
    letters = plain_tokens()
    for number in range(count):
        if number == 0:
            piece, kind = "<unk>", kinds.UNKNOWN
        elif number in {1, 2}:
            piece, kind = ("<s>", "</s>")[number - 1], kinds.CONTROL
        elif number in TAGS:
            piece, kind = f"<|{TAGS[number]}|>", kinds.USER_DEFINED
        else:
            piece, kind = next(letters), kinds.NORMAL
        model.pieces.add(piece=piece, score=-number, type=kind)
    encoded: bytes = model.SerializeToString()
    return encoded


def plain_tokens() -> Iterator[str]:
    """Give letters, letters that begin a word, then Chinese characters."""
    latin = "abcdefghijklmnopqrstuvwxyz'"
    return chain("\u2581", latin, (f"\u2581{letter}" for letter in latin), map(chr, range(0x4E00, 0xD7A4)))


def write_weights(path: Path, shape: dict[str, int]) -> None:
    """Write random weights under FunASR's names; a bias for blanks gives texts of a natural length."""
    import torch  # noqa: PLC0415 - only in a process of its own

    torch.manual_seed(0)
    weights = network(shape).state_dict()
    weights["ctc.ctc_lo.bias"][0] += 1.0
    partial = path.with_suffix(".partial")
    torch.save(weights, partial)
    partial.rename(path)


def network(shape: dict[str, int]) -> nn.Module:
    """Give the parts of SenseVoiceSmall that have weights, named as in FunASR; nothing runs them."""
    from torch import nn  # noqa: PLC0415 - only in a process of its own

    width, layers, last = shape["width"], shape["layers"], shape["last_layers"]
    encoder = {
        "encoders0": nn.ModuleList([layer(FEATURES, shape)]),
        "encoders": nn.ModuleList([layer(width, shape) for _ in range(layers - 1)]),
        "tp_encoders": nn.ModuleList([layer(width, shape) for _ in range(last)]),
        "after_norm": nn.LayerNorm(width),
        "tp_norm": nn.LayerNorm(width),
    }
    ctc = nn.ModuleDict({"ctc_lo": nn.Linear(width, shape["tokens"])})
    return nn.ModuleDict({"encoder": nn.ModuleDict(encoder), "ctc": ctc, "embed": nn.Embedding(QUERIES, FEATURES)})


def layer(inputs: int, shape: dict[str, int]) -> nn.Module:
    """Give one layer of the encoder: attention with its memory filter, then a feed-forward network."""
    from torch import nn  # noqa: PLC0415 - only in a process of its own

    width, inner = shape["width"], shape["inner"]
    attention = {
        "linear_out": nn.Linear(width, width),
        "linear_q_k_v": nn.Linear(inputs, 3 * width),
        "fsmn_block": nn.Conv1d(width, width, KERNEL, groups=width, bias=False),
    }
    feed_forward = {"w_1": nn.Linear(width, inner), "w_2": nn.Linear(inner, width)}
    return nn.ModuleDict({
        "self_attn": nn.ModuleDict(attention),
        "feed_forward": nn.ModuleDict(feed_forward),
        "norm1": nn.LayerNorm(inputs),
        "norm2": nn.LayerNorm(width),
    })  # fmt: skip


if __name__ == "__main__":
    write_model(Path(sys.argv[1]), sys.argv[2])
