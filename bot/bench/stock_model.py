"""Writes a SenseVoiceSmall folder with random weights, whose speed is that of the real one: no hub is needed for it.

`python -m bot.bench.stock_model FOLDER SIZE` does it in a process of its own, because it takes FunASR and 4 GB.
`python -m bot.bench.stock_model MODEL FOLDER` lets FunASR export a model to a folder, for those who run its exports.
"""

from __future__ import annotations

import functools
import json
import shutil
import sys
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import yaml

FEATURES = 560
BOUND = 200
TAGS = {24884: "zh", 24885: "en", 24888: "yue", 24892: "ja", 24896: "ko", 24992: "nospeech", 24993: "Speech",
        24995: "BGM", 25004: "NEUTRAL", 25009: "EMO_UNKNOWN", 25016: "withitn", 25017: "woitn"}  # fmt: skip
SIZES: dict[str, dict[str, int]] = {
    "full": {"width": 512, "heads": 4, "inner": 2048, "layers": 50, "last_layers": 20, "tokens": 25_055},
    "tiny": {"width": 16, "heads": 2, "inner": 16, "layers": 2, "last_layers": 1, "tokens": 25_055},
}
ALPHABET = "chn_jpn_yue_eng_ko_spectok.bpe.model"


def write_model(folder: Path, size: str) -> None:
    """Write the folder; what makes it a model comes last."""
    folder.mkdir(parents=True, exist_ok=True)
    shape = SIZES[size]
    (folder / "config.yaml").write_text(yaml.safe_dump(configuration(shape), sort_keys=False), encoding="utf-8")
    files = {
        "init_param": "model.pt",
        "config": "config.yaml",
        "tokenizer_conf": {"bpemodel": ALPHABET},
        "frontend_conf": {"cmvn_file": "am.mvn"},
    }
    (folder / "configuration.json").write_text(json.dumps({"file_path_metas": files}), encoding="utf-8")
    (folder / "am.mvn").write_text(statistics(), encoding="utf-8")
    (folder / ALPHABET).write_bytes(alphabet(shape["tokens"]))
    write_weights(folder)


def configuration(shape: dict[str, int]) -> dict[str, object]:
    """Give what SenseVoiceSmall's config.yaml says, for networks of any size."""
    encoder = {
        "output_size": shape["width"],
        "attention_heads": shape["heads"],
        "linear_units": shape["inner"],
        "num_blocks": shape["layers"],
        "tp_blocks": shape["last_layers"],
        "dropout_rate": 0.1,
        "positional_dropout_rate": 0.1,
        "attention_dropout_rate": 0.1,
        "input_layer": "pe",
        "pos_enc_class": "SinusoidalPositionEncoder",
        "normalize_before": True,
        "kernel_size": 11,
        "sanm_shfit": 0,
        "selfattention_layer_type": "sanm",
    }
    sound = {"fs": 16_000, "window": "hamming", "n_mels": 80, "frame_length": 25, "frame_shift": 10}
    return {
        "model": "SenseVoiceSmall",
        "model_conf": {"length_normalized_loss": True, "sos": 1, "eos": 2, "ignore_id": -1},
        "encoder": "SenseVoiceEncoderSmall",
        "encoder_conf": encoder,
        "tokenizer": "SentencepiecesTokenizer",
        "tokenizer_conf": {"bpemodel": None, "unk_symbol": "<unk>", "split_with_space": True},
        "frontend": "WavFrontend",
        "frontend_conf": sound | {"lfr_m": 7, "lfr_n": 6, "cmvn_file": None},
    }


def statistics() -> str:
    """Give an am.mvn that brings speech to about zero mean and unit variance."""
    rows = [f"<LearnRateCoef> 0 [ {' '.join([value] * FEATURES)} ]" for value in ("-8.3", "0.155")]
    shape = f"{FEATURES} {FEATURES}"
    return f"<Nnet>\n<Splice> {shape}\n[ 0 ]\n<AddShift> {shape}\n{rows[0]}\n<Rescale> {shape}\n{rows[1]}\n</Nnet>\n"


def alphabet(count: int) -> bytes:
    """Give a sentencepiece model with SenseVoice's tags at SenseVoice's numbers, and letters elsewhere."""
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


def write_weights(folder: Path) -> None:
    """Let FunASR make the network, and keep what it made; a bias for blanks gives texts of a natural length."""
    import torch  # noqa: PLC0415 - only in a process of its own
    from funasr import AutoModel  # noqa: PLC0415 - as above

    torch.manual_seed(0)
    network, _ = AutoModel.build_model(model=str(folder), device="cpu", disable_log=True)
    weights = network.state_dict()
    weights["ctc.ctc_lo.bias"][0] += 1.0
    partial = folder / ".model.pt"
    torch.save(weights, partial)
    partial.rename(folder / "model.pt")


def export_as_funasr_does(model: Path, folder: Path) -> None:
    """Let FunASR export a model to model.onnx and model_quant.onnx; add what those need who run them."""
    import torch  # noqa: PLC0415 - only in a process of its own
    from funasr import AutoModel  # noqa: PLC0415 - as above

    folder.mkdir(parents=True, exist_ok=True)
    torch.onnx.export = functools.partial(torch.onnx.export, dynamo=False)  # FunASR's call means the old exporter
    automodel = AutoModel(model=str(model), device="cpu", disable_update=True)
    automodel.export(type="onnx", quantize=True, output_dir=str(folder))
    names = token_names(model)
    for name in ("model.onnx", "model_quant.onnx"):
        describe(folder / name, model, len(names))
    for file in (model / "config.yaml", model / "am.mvn"):
        shutil.copy(file, folder)
    shutil.copy(next(model.glob("*.bpe.model")), folder / ALPHABET)
    lines = "".join(f"{name} {number}\n" for number, name in enumerate(names))
    (folder / "tokens.txt").write_text(lines, encoding="utf-8")  # the last, because it tells that all is there


def token_names(folder: Path) -> list[str]:
    """Give the tokens in their order."""
    import sentencepiece  # noqa: PLC0415 - only where a model is made

    pieces = sentencepiece.SentencePieceProcessor(model_file=str(next(folder.glob("*.bpe.model"))))
    return [str(pieces.IdToPiece(number)) for number in range(pieces.GetPieceSize())]


def describe(file: Path, model: Path, tokens: int) -> None:
    """Write into a network what sherpa-onnx's own export writes into it."""
    import onnx  # noqa: PLC0415 - only where a model is made

    from engine.runtime.torch_files import read_cmvn  # noqa: PLC0415 - as above

    shift, scale = (",".join(map(str, values.tolist())) for values in read_cmvn(model))
    facts = {"model_type": "sense_voice_ctc", "version": 1, "vocab_size": tokens, "lfr_window_size": 7,
             "lfr_window_shift": 6, "normalize_samples": 0, "lang_auto": 0, "lang_zh": 3, "lang_en": 4, "lang_yue": 7,
             "lang_ja": 11, "lang_ko": 12, "with_itn": 14, "without_itn": 15, "neg_mean": shift,
             "inv_stddev": scale}  # fmt: skip
    network = onnx.load(str(file))
    for key, fact in facts.items():
        network.metadata_props.add(key=key, value=str(fact))
    onnx.save(network, str(file))


if __name__ == "__main__":
    if sys.argv[2] in SIZES:
        write_model(Path(sys.argv[1]), sys.argv[2])
    else:
        export_as_funasr_does(Path(sys.argv[1]), Path(sys.argv[2]))
