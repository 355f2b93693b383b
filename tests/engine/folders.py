"""Writes model folders as they are published, very small and with random weights, which do all but understand."""

import json
from pathlib import Path

import yaml

from engine.taming import tamed

Parts = dict[str, object]

FEATURES = 560
WIDTH = 16
LETTERS = [chr(ord("a") + letter) for letter in range(26)]
HAN = [chr(0x4E00 + number) for number in range(60)]
TOKENS = ["<blank>", "<s>", "</s>", *LETTERS, *(f"{letter}@@" for letter in LETTERS), *HAN, "<unk>"]


def write_seaco(folder: Path) -> Path:
    """Write a SeACo-Paraformer, which takes hotwords and tells times."""
    decoder = _layers() | {"num_blocks": 2, "att_layer_num": 2, "src_attention_dropout_rate": 0.0, "kernel_size": 11}
    bias = decoder | {"kernel_size": 21, "use_output_layer": False, "wo_input_layer": True}
    predictor = {"idim": WIDTH, "threshold": 1.0, "l_order": 1, "r_order": 1, "tail_threshold": 0.45}
    upsampled = {"smooth_factor2": 0.25, "noise_threshold2": 0.01, "upsample_times": 3, "upsample_type": "cnn_blstm"}
    config: dict[str, object] = {
        "model": "SeacoParaformer",
        "model_conf": {
            "inner_dim": WIDTH,
            "predictor_bias": 1,
            "bias_encoder_type": "lstm",
            "NO_BIAS": len(TOKENS) - 1,
        },
        "encoder": "SANMEncoder",
        "encoder_conf": _encoder(),
        "decoder": "ParaformerSANMDecoder",
        "decoder_conf": decoder,
        "seaco_decoder": "ParaformerSANMDecoder",
        "seaco_decoder_conf": bias,
        "predictor": "CifPredictorV3",
        "predictor_conf": predictor | upsampled | {"use_cif1_cnn": False},
        "tokenizer": "CharTokenizer",
        "tokenizer_conf": {"unk_symbol": "<unk>", "split_with_space": True},
        "frontend": "WavFrontend",
        "frontend_conf": _frontend(),
    }
    folder.mkdir(parents=True)
    (folder / "tokens.json").write_text(json.dumps(TOKENS), encoding="utf-8")
    (folder / "seg_dict").write_text("".join(f"{token} {token}\n" for token in [*LETTERS, *HAN]), encoding="utf-8")
    (folder / "am.mvn").write_text(_cmvn(FEATURES), encoding="utf-8")
    parts: Parts = {
        "tokenizer_conf": {"token_list": "tokens.json", "seg_dict_file": "seg_dict"},
        "frontend_conf": {"cmvn_file": "am.mvn"},
    }
    return _finish(folder, config, parts, {"predictor.cif_output.bias": -1.2})  # four tokens a second


def write_punctuation(folder: Path) -> Path:
    """Write what puts marks between words, as `ct-punc` does."""
    config: dict[str, object] = {
        "model": "CTTransformer",
        "model_conf": {
            "ignore_id": 0,
            "embed_unit": WIDTH,
            "att_unit": WIDTH,
            "punc_list": ["<unk>", "_", *"\uff0c\u3002\uff1f\u3001"],
            "punc_weight": [1.0] * 6,
            "sentence_end_id": 3,
        },
        "encoder": "SANMEncoder",
        "encoder_conf": _encoder() | {"input_size": WIDTH, "num_blocks": 1, "padding_idx": 0},
        "tokenizer": "CharTokenizer",
        "tokenizer_conf": {"unk_symbol": "<unk>"},
    }
    folder.mkdir(parents=True)
    (folder / "tokens.json").write_text(json.dumps(TOKENS), encoding="utf-8")
    return _finish(folder, config, {"tokenizer_conf": {"token_list": "tokens.json"}}, {})


def _layers() -> dict[str, object]:
    return {
        "attention_heads": 2,
        "linear_units": WIDTH,
        "dropout_rate": 0.1,
        "positional_dropout_rate": 0.1,
        "self_attention_dropout_rate": 0.1,
        "sanm_shfit": 0,
    }


def _encoder() -> dict[str, object]:
    return {
        "output_size": WIDTH,
        "attention_heads": 2,
        "linear_units": WIDTH,
        "num_blocks": 2,
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


def _frontend() -> dict[str, object]:
    frame = {"fs": 16_000, "window": "hamming", "n_mels": 80, "frame_length": 25, "frame_shift": 10}
    return frame | {"lfr_m": 7, "lfr_n": 6, "cmvn_file": None}


def _cmvn(width: int) -> str:
    rows = [f"<LearnRateCoef> 0 [ {' '.join([value] * width)} ]" for value in ("-8.3", "0.155")]
    shape = f"{width} {width}"
    return f"<Nnet>\n<Splice> {shape}\n[ 0 ]\n<AddShift> {shape}\n{rows[0]}\n<Rescale> {shape}\n{rows[1]}\n</Nnet>\n"


def _finish(folder: Path, config: dict[str, object], parts: Parts, biases: dict[str, float]) -> Path:
    """Write the configuration, then the weights of the network that FunASR makes of a folder without any."""
    (folder / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    files = {"init_param": "model.pt", "config": "config.yaml"} | parts
    (folder / "configuration.json").write_text(json.dumps({"file_path_metas": files}), encoding="utf-8")
    _write_weights(folder, biases)
    return folder


def _write_weights(folder: Path, biases: dict[str, float]) -> None:
    with tamed():
        import torch  # noqa: PLC0415 - not before a test needs a model
        from funasr import AutoModel  # noqa: PLC0415 - as above

        torch.manual_seed(0)
        network, _ = AutoModel.build_model(model=str(folder), device="cpu", disable_log=True)
    weights = network.state_dict()
    for name, value in biases.items():
        weights[name].fill_(value)
    torch.save(weights, folder / "model.pt")
