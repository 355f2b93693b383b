"""Writes model folders as they are published, with random weights, which do all but understand; most are very small."""

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

from engine.recognizers.funasr_isolation import isolated_process_state
from engine.recognizers.sensevoice_export import sensevoice_exports
from engine.runtime.precision import Precision
from tests.funasr_configuration import FEATURES, KERNEL, cmvn, frontend, sanm_encoder, sensevoice_configuration

ModelParts = dict[str, object]

WIDTH = 16
LETTERS = [chr(ord("a") + letter) for letter in range(26)]
HAN = [chr(0x4E00 + number) for number in range(60)]
TAGS = ["zh", "en", "yue", "ja", "ko", "nospeech", "Speech", "BGM", "Laughter", "HAPPY", "NEUTRAL", "withitn"]
ALPHABET = [
    "<unk>",
    "<s>",
    "</s>",
    "\u2581hello",
    "\u2581wor",
    "ld",
    ".",
    *LETTERS,
    *HAN,
    *(f"<|{tag}|>" for tag in TAGS),
]
TOKENS = ["<blank>", "<s>", "</s>", *LETTERS, *(f"{letter}@@" for letter in LETTERS), *HAN, "<unk>"]


@dataclass(frozen=True, kw_only=True)
class SeacoSize:
    """How large the parts of a SeACo-Paraformer are: the last three are of what takes hotwords in."""

    width: int
    heads: int
    linear: int
    encoders: int
    decoders: int
    tokens: int
    bias_linear: int
    bias_decoders: int
    bias_attentions: int


TINY_SEACO = SeacoSize(
    width=WIDTH, heads=2, linear=WIDTH, encoders=2, decoders=2, tokens=len(TOKENS),
    bias_linear=WIDTH, bias_decoders=2, bias_attentions=2,
)  # fmt: skip
PUBLISHED_SEACO = SeacoSize(
    width=512, heads=4, linear=2048, encoders=50, decoders=16, tokens=8404,
    bias_linear=1024, bias_decoders=4, bias_attentions=6,
)  # fmt: skip

WhisperSize = dict[str, int]
TINY_WHISPER: WhisperSize = {
    "n_mels": 80, "n_audio_ctx": 1500, "n_audio_state": WIDTH, "n_audio_head": 2, "n_audio_layer": 2,
    "n_vocab": 51_865, "n_text_ctx": 448, "n_text_state": WIDTH, "n_text_head": 2, "n_text_layer": 2,
}  # fmt: skip
LARGE_V3_TURBO: WhisperSize = {
    "n_mels": 128, "n_audio_ctx": 1500, "n_audio_state": 1280, "n_audio_head": 20, "n_audio_layer": 32,
    "n_vocab": 51_866, "n_text_ctx": 448, "n_text_state": 1280, "n_text_head": 20, "n_text_layer": 4,
}  # fmt: skip


def exported(model: Path, models_dir: Path, precision: Precision) -> Path:
    """Export a SenseVoice folder, unless that is done, and give the network's file."""
    exports = sensevoice_exports(model, models_dir)
    with exports.lock():
        exports.write(precision)
    return exports.path(precision)


def write_seaco(folder: Path, size: SeacoSize = TINY_SEACO) -> Path:
    """Write a SeACo-Paraformer, which takes hotwords and tells times."""
    layer = {"attention_heads": size.heads, "linear_units": size.linear}
    decoder = _layers() | layer | {"num_blocks": size.decoders, "att_layer_num": size.decoders, "kernel_size": 11}
    decoder |= {"src_attention_dropout_rate": 0.0}
    bias = decoder | {"linear_units": size.bias_linear, "num_blocks": size.bias_decoders, "kernel_size": 21}
    bias |= {"att_layer_num": size.bias_attentions, "use_output_layer": False, "wo_input_layer": True}
    predictor = {"idim": size.width, "threshold": 1.0, "l_order": 1, "r_order": 1, "tail_threshold": 0.45}
    upsampled = {"smooth_factor2": 0.25, "noise_threshold2": 0.01, "upsample_times": 3, "upsample_type": "cnn_blstm"}
    tokens = _tokens(size.tokens)
    config: dict[str, object] = {
        "model": "SeacoParaformer",
        "model_conf": {
            "inner_dim": size.width,
            "predictor_bias": 1,
            "bias_encoder_type": "lstm",
            "NO_BIAS": size.tokens - 1,
        },
        "encoder": "SANMEncoder",
        "encoder_conf": _encoder() | layer | {"output_size": size.width, "num_blocks": size.encoders},
        "decoder": "ParaformerSANMDecoder",
        "decoder_conf": decoder,
        "seaco_decoder": "ParaformerSANMDecoder",
        "seaco_decoder_conf": bias,
        "predictor": "CifPredictorV3",
        "predictor_conf": predictor | upsampled | {"use_cif1_cnn": False},
        "tokenizer": "CharTokenizer",
        "tokenizer_conf": {"unk_symbol": "<unk>", "split_with_space": True},
        "frontend": "WavFrontend",
        "frontend_conf": frontend(),
    }
    folder.mkdir(parents=True)
    (folder / "tokens.json").write_text(json.dumps(tokens), encoding="utf-8")
    (folder / "seg_dict").write_text(
        "".join(f"{token} {token}\n" for token in tokens if token.isalnum()), encoding="utf-8"
    )
    (folder / "am.mvn").write_text(cmvn(FEATURES), encoding="utf-8")
    parts: ModelParts = {
        "tokenizer_conf": {"token_list": "tokens.json", "seg_dict_file": "seg_dict"},
        "frontend_conf": {"cmvn_file": "am.mvn"},
    }
    return _finish(folder, config, parts, {"predictor.cif_output.bias": -1.2})  # four tokens a second


def write_sensevoice(folder: Path, *, weights: bool = True) -> Path:
    """Write a SenseVoiceSmall, which tells language, emotion and events with the text.

    Without weights it is for networks that a test makes itself.
    """
    config = sensevoice_configuration(_encoder() | {"num_blocks": 3, "tp_blocks": 2})
    config["frontend_conf"] = frontend() | {"dither": 0.0}
    folder.mkdir(parents=True)
    write_alphabet(folder / "tiny.bpe.model")
    (folder / "am.mvn").write_text(cmvn(FEATURES), encoding="utf-8")
    parts: ModelParts = {"tokenizer_conf": {"bpemodel": "tiny.bpe.model"}, "frontend_conf": {"cmvn_file": "am.mvn"}}
    if weights:
        _write_sensevoice_weights(folder / "model.pt", encoders=2, tp_encoders=2)
    return _write_settings(folder, config, parts)


def _write_sensevoice_weights(path: Path, *, encoders: int, tp_encoders: int) -> None:
    """Write random weights under FunASR's names, without its import, which takes five seconds."""
    import torch  # noqa: PLC0415 - not before a test needs a model

    def linear(name: str, inputs: int, outputs: int) -> Iterator[tuple[str, torch.Tensor]]:
        yield f"{name}.weight", torch.empty(outputs, inputs).uniform_(-1, 1) / inputs**0.5
        yield f"{name}.bias", torch.empty(outputs).uniform_(-1, 1) / inputs**0.5

    def norm(name: str, size: int) -> Iterator[tuple[str, torch.Tensor]]:
        yield f"{name}.weight", torch.empty(size).uniform_(0.5, 1.5)
        yield f"{name}.bias", torch.empty(size).uniform_(-0.5, 0.5)

    def layer(name: str, inputs: int) -> Iterator[tuple[str, torch.Tensor]]:
        yield from linear(f"{name}.self_attn.linear_q_k_v", inputs, 3 * WIDTH)
        yield from linear(f"{name}.self_attn.linear_out", WIDTH, WIDTH)
        yield f"{name}.self_attn.fsmn_block.weight", torch.empty(WIDTH, 1, KERNEL).uniform_(-0.3, 0.3)
        yield from linear(f"{name}.feed_forward.w_1", WIDTH, WIDTH)
        yield from linear(f"{name}.feed_forward.w_2", WIDTH, WIDTH)
        yield from norm(f"{name}.norm1", inputs)
        yield from norm(f"{name}.norm2", WIDTH)

    torch.manual_seed(0)
    weights = {"embed.weight": torch.randn(16, FEATURES)}
    weights |= layer("encoder.encoders0.0", FEATURES)
    for number in range(encoders):
        weights |= layer(f"encoder.encoders.{number}", WIDTH)
    for number in range(tp_encoders):
        weights |= layer(f"encoder.tp_encoders.{number}", WIDTH)
    weights |= norm("encoder.after_norm", WIDTH)
    weights |= norm("encoder.tp_norm", WIDTH)
    weights |= linear("ctc.ctc_lo", WIDTH, len(ALPHABET))
    torch.save(weights, path)


def write_conformer(folder: Path) -> Path:
    """Write a Conformer of FunASR's, which Earshot has nothing of its own for; it hears letters at random."""
    config: dict[str, object] = {
        "model": "Conformer",
        "model_conf": {"ctc_weight": 0.3, "length_normalized_loss": False},
        "encoder": "ConformerEncoder",
        "encoder_conf": {
            "output_size": WIDTH,
            "attention_heads": 2,
            "linear_units": WIDTH,
            "num_blocks": 1,
            "cnn_module_kernel": 3,
            "selfattention_layer_type": "rel_selfattn",
            "pos_enc_layer_type": "rel_pos",
        },
        "decoder": "TransformerDecoder",
        "decoder_conf": {"attention_heads": 2, "linear_units": WIDTH, "num_blocks": 1},
        "tokenizer": "CharTokenizer",
        "tokenizer_conf": {"unk_symbol": "<unk>", "split_with_space": True},
        "frontend": "WavFrontend",
        "frontend_conf": frontend() | {"lfr_m": 1, "lfr_n": 1},
        "beam_size": 2,
    }
    folder.mkdir(parents=True)
    (folder / "tokens.json").write_text(json.dumps(TOKENS), encoding="utf-8")
    return _finish(folder, config, {"tokenizer_conf": {"token_list": "tokens.json"}}, {})


def write_alphabet(path: Path) -> None:
    """Write a sentencepiece model: words, letters and characters, then tags."""
    from sentencepiece import sentencepiece_model_pb2 as made  # noqa: PLC0415 - not before a test needs a model

    model = made.ModelProto()  # type: ignore[attr-defined]  # its classes are made at run time
    model.trainer_spec.model_type = made.TrainerSpec.BPE  # type: ignore[attr-defined]  # as above
    model.normalizer_spec.name = "identity"
    special = {"<unk>": 2, "<s>": 3, "</s>": 3}
    for number, piece in enumerate(ALPHABET):
        kind = special.get(piece, 4 if piece.startswith("<|") else 1)
        model.pieces.add(piece=piece, score=-float(number), type=kind)
    path.write_bytes(model.SerializeToString())


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


def write_nano(folder: Path) -> Path:
    """Write a Fun-ASR-Nano: SenseVoice's encoder, a language model in a folder of its own, and CTC for the times."""
    config: dict[str, object] = {
        "model": "FunASRNano",
        "model_conf": {"length_normalized_loss": True},
        "audio_encoder": "SenseVoiceEncoderSmall",
        "audio_encoder_conf": _encoder() | {"num_blocks": 2, "tp_blocks": 1},
        "audio_adaptor": "Transformer",
        "audio_adaptor_conf": _adaptor() | {"use_low_frame_rate": True},
        "llm": "Qwen3-0.6b",
        "llm_conf": {"hub": "hf", "llm_dtype": "fp32", "init_param_path": None},
        "ctc_decoder": "Transformer",
        "ctc_decoder_conf": _adaptor(),
        "ctc_vocab_size": 257,
        "ctc_tokenizer": "SenseVoiceTokenizer",
        "ctc_tokenizer_conf": {"vocab_path": None, "is_multilingual": True, "num_languages": 10},
        "tokenizer": "HuggingfaceTokenizer",
        "tokenizer_conf": {"init_param_path": None},
        "frontend": "WavFrontend",
        "frontend_conf": frontend(),
    }
    folder.mkdir(parents=True)
    _write_language_model(folder / "Qwen3-0.6B")
    ranks = (base64.b64encode(bytes([byte])).decode() for byte in range(256))
    (folder / "multilingual.tiktoken").write_text("".join(f"{rank} {byte}\n" for byte, rank in enumerate(ranks)))
    (folder / "am.mvn").write_text(cmvn(FEATURES), encoding="utf-8")
    parts: ModelParts = {
        "llm_conf": {"init_param_path": "Qwen3-0.6B"},
        "tokenizer_conf": {"init_param_path": "Qwen3-0.6B"},
        "ctc_tokenizer_conf": {"vocab_path": "multilingual.tiktoken"},
        "frontend_conf": {"cmvn_file": "am.mvn"},
    }
    _finish(folder, config, parts, {})
    _let_it_write_letters_only(folder)
    return folder


def write_whisper(path: Path, size: WhisperSize = TINY_WHISPER) -> Path:
    """Write a Whisper of many languages that always hears "hello", likeliest in English, then German, then French."""
    import torch  # noqa: PLC0415 - not before a test needs a model

    with isolated_process_state():
        from whisper.model import ModelDimensions, Whisper  # noqa: PLC0415 - as above
        from whisper.tokenizer import get_tokenizer  # noqa: PLC0415 - as above

        tokenizer = get_tokenizer(multilingual=True, num_languages=99)
    torch.manual_seed(0)
    weights = Whisper(ModelDimensions(**size)).half().state_dict()  # as OpenAI publishes them
    weights["decoder.positional_embedding"].zero_()  # Whisper leaves it as the memory was
    for part in ("weight", "bias"):
        weights[f"decoder.ln.{part}"].zero_()
    weights["decoder.ln.bias"][0] = 100.0  # so that what is written depends on the first of each token's numbers alone
    likely = weights["decoder.token_embedding.weight"]
    likely[:, 0] = 0.0
    likely[tokenizer.eot, 0], likely[tokenizer.encode(" hello")[0], 0] = 1.0, 0.5
    for code, how in (("en", 0.3), ("de", 0.2), ("fr", 0.1)):
        likely[tokenizer.to_language_token(code), 0] = how
    torch.save({"dims": size, "model_state_dict": weights}, path)
    return path


def _let_it_write_letters_only(folder: Path) -> None:
    import torch  # noqa: PLC0415 - not before a test needs a model

    alphabet = json.loads((folder / "Qwen3-0.6B/tokenizer.json").read_text(encoding="utf-8"))["model"]["vocab"]
    weights = torch.load(folder / "model.pt", weights_only=True)
    for piece, number in alphabet.items():
        if piece not in {*LETTERS, "\u0120"}:  # a space
            weights["llm.lm_head.weight"][number] = 0
    torch.save(weights, folder / "model.pt")


def _write_language_model(folder: Path) -> None:
    with isolated_process_state():
        from tokenizers import Tokenizer, decoders, models, pre_tokenizers  # noqa: PLC0415 - not before a test needs it
        from transformers import PreTrainedTokenizerFast  # noqa: PLC0415 - as above

    alphabet = {piece: number for number, piece in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    letters = Tokenizer(models.BPE(vocab=alphabet, merges=[]))
    letters.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    letters.decoder = decoders.ByteLevel()
    special = {"eos_token": "<|im_end|>", "pad_token": "<|endoftext|>"}
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=letters, **special)  # type: ignore[no-untyped-call]  # as it comes
    tokenizer.save_pretrained(folder)
    sizes = {"hidden_size": WIDTH, "intermediate_size": WIDTH, "num_hidden_layers": 2, "head_dim": 8}
    heads = {"num_attention_heads": 2, "num_key_value_heads": 1, "vocab_size": len(tokenizer)}
    ends = {"eos_token_id": 256, "pad_token_id": 257}
    config = {"model_type": "qwen3", "architectures": ["Qwen3ForCausalLM"], **sizes, **heads, **ends}
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")


def _adaptor() -> dict[str, object]:
    return {
        "downsample_rate": 1,
        "encoder_dim": WIDTH,
        "llm_dim": WIDTH,
        "ffn_dim": WIDTH,
        "n_layer": 1,
        "attention_heads": 2,
    }


def _tokens(number: int) -> list[str]:
    """Give the tokens that all have, with more Han among them where there are to be more."""
    more = (chr(ord(HAN[-1]) + further) for further in range(1, number - len(TOKENS) + 1))
    return [*TOKENS[:-1], *more, TOKENS[-1]]


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
    return sanm_encoder(width=WIDTH, heads=2, linear_units=WIDTH, blocks=2)


def _finish(folder: Path, config: dict[str, object], parts: ModelParts, biases: dict[str, float]) -> Path:
    """Write the configuration, then the weights of the network that FunASR makes of a folder without any."""
    _write_settings(folder, config, parts)
    _write_weights(folder, biases)
    return folder


def _write_settings(folder: Path, config: dict[str, object], parts: ModelParts) -> Path:
    (folder / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    files = {"init_param": "model.pt", "config": "config.yaml"} | parts
    (folder / "configuration.json").write_text(json.dumps({"file_path_metas": files}), encoding="utf-8")
    return folder


def _write_weights(folder: Path, biases: dict[str, float]) -> None:
    with isolated_process_state():
        import torch  # noqa: PLC0415 - not before a test needs a model
        from funasr import AutoModel  # noqa: PLC0415 - as above

        torch.manual_seed(0)
        network, _ = AutoModel.build_model(model=str(folder), device="cpu", disable_log=True)
    weights = network.state_dict()
    for name, value in biases.items():
        weights[name].fill_(value)
    torch.save(weights, folder / "model.pt")
