"""What config.yaml and am.mvn of FunASR's published models say, for networks of any size."""

FEATURES = 560
KERNEL = 11


def sensevoice_configuration(encoder: dict[str, object]) -> dict[str, object]:
    """Give the content of SenseVoiceSmall's config.yaml."""
    return {
        "model": "SenseVoiceSmall",
        "model_conf": {"length_normalized_loss": True, "sos": 1, "eos": 2, "ignore_id": -1},
        "encoder": "SenseVoiceEncoderSmall",
        "encoder_conf": encoder,
        "tokenizer": "SentencepiecesTokenizer",
        "tokenizer_conf": {"bpemodel": None, "unk_symbol": "<unk>", "split_with_space": True},
        "frontend": "WavFrontend",
        "frontend_conf": frontend(),
    }


def sanm_encoder(*, width: int, heads: int, linear_units: int, blocks: int) -> dict[str, object]:
    """Give the settings of an encoder of self-attention with memory (SAN-M), which most of FunASR's models have."""
    return {
        "output_size": width,
        "attention_heads": heads,
        "linear_units": linear_units,
        "num_blocks": blocks,
        "dropout_rate": 0.1,
        "positional_dropout_rate": 0.1,
        "attention_dropout_rate": 0.1,
        "input_layer": "pe",
        "pos_enc_class": "SinusoidalPositionEncoder",
        "normalize_before": True,
        "kernel_size": KERNEL,
        "sanm_shfit": 0,
        "selfattention_layer_type": "sanm",
    }


def frontend() -> dict[str, object]:
    """Give the settings of the filter bank: 80 mel bands, seven frames stacked, every sixth kept."""
    frame = {"fs": 16_000, "window": "hamming", "n_mels": 80, "frame_length": 25, "frame_shift": 10}
    return frame | {"lfr_m": 7, "lfr_n": 6, "cmvn_file": None}


def cmvn(width: int) -> str:
    """Give an am.mvn that brings the features of speech to about zero mean and unit variance."""
    rows = [f"<LearnRateCoef> 0 [ {' '.join([value] * width)} ]" for value in ("-8.3", "0.155")]
    shape = f"{width} {width}"
    return f"<Nnet>\n<Splice> {shape}\n[ 0 ]\n<AddShift> {shape}\n{rows[0]}\n<Rescale> {shape}\n{rows[1]}\n</Nnet>\n"
