"""Exports a SenseVoice model with FunASR, for the contestants that run such exports.

`python -m tests.bench.funasr_export MODEL FOLDER` does it in a process of its own, because FunASR takes 4 GB of memory.
"""

from __future__ import annotations

import functools
import shutil
import sys
from pathlib import Path

import onnx
import sentencepiece
import torch
from funasr import AutoModel

from engine.runtime.torch_files import read_cmvn
from tests.bench.random_sensevoice import VOCABULARY


def export(model: Path, folder: Path) -> None:
    """Export a model to model.onnx and model_quant.onnx, and add the files that sherpa-onnx and funasr-onnx need."""
    folder.mkdir(parents=True, exist_ok=True)
    torch.onnx.export = functools.partial(torch.onnx.export, dynamo=False)  # FunASR's call means the old exporter
    automodel = AutoModel(model=str(model), device="cpu", disable_update=True)
    automodel.export(type="onnx", quantize=True, output_dir=str(folder))
    tokens = token_names(model)
    for name in ("model.onnx", "model_quant.onnx"):
        add_metadata(folder / name, model, len(tokens))
    for file in (model / "config.yaml", model / "am.mvn"):
        shutil.copy(file, folder)
    shutil.copy(next(model.glob("*.bpe.model")), folder / VOCABULARY)
    lines = "".join(f"{token} {number}\n" for number, token in enumerate(tokens))
    (folder / "tokens.txt").write_text(lines, encoding="utf-8")  # last: it marks the export as complete


def token_names(folder: Path) -> list[str]:
    """Give the tokens by their ids."""
    pieces = sentencepiece.SentencePieceProcessor(model_file=str(next(folder.glob("*.bpe.model"))))
    return [str(pieces.IdToPiece(number)) for number in range(pieces.GetPieceSize())]


def add_metadata(file: Path, model: Path, tokens: int) -> None:
    """Write into a network the metadata that sherpa-onnx's own export writes into it."""
    shift, scale = (",".join(map(str, values.tolist())) for values in read_cmvn(model))
    metadata = {"model_type": "sense_voice_ctc", "version": 1, "vocab_size": tokens, "lfr_window_size": 7,
             "lfr_window_shift": 6, "normalize_samples": 0, "lang_auto": 0, "lang_zh": 3, "lang_en": 4, "lang_yue": 7,
             "lang_ja": 11, "lang_ko": 12, "with_itn": 14, "without_itn": 15, "neg_mean": shift,
             "inv_stddev": scale}  # fmt: skip
    network = onnx.load(str(file))
    for key, value in metadata.items():
        network.metadata_props.add(key=key, value=str(value))
    onnx.save(network, str(file))


if __name__ == "__main__":
    export(Path(sys.argv[1]), Path(sys.argv[2]))
