"""The models that `engine.model` can name: description, languages, network class, location on disk, other parts."""

from dataclasses import dataclass
from pathlib import Path

from engine.errors import LanguageSettingNotSelectable, ModelMissing, UnknownLanguageSetting, UnknownLanguagesSetting
from engine.hub.languages import (
    ENGLISH_ONLY,
    FUN_ASR_NANO_LANGUAGES,
    PARAFORMER_LANGUAGES,
    SENSEVOICE_LANGUAGES,
    WHISPER_LANGUAGES,
    first_unsupported,
    languages_of_path,
)
from engine.hub.model_class import FUN_ASR_NANO_CLASS, SENSEVOICE_CLASS, read_model_class
from engine.settings import EngineSettings

AUTO_LANGUAGE = "auto"
FAKE_MODEL = "fake"
VAD_MODEL = "fsmn-vad"
PUNCTUATION_MODEL = "ct-punc"
SPEAKER_MODEL = "speakers"


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A model as it is listed to people. `path` is None while it is not on this machine; `fake` never has one."""

    name: str
    description: str
    source: str
    languages: tuple[str, ...]
    path: Path | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogueEntry:
    """A named model: `location` is its folder or file below models_dir, `parts` are the models it needs beside it.

    `model_class` is the network class that its folder will name, "" where nothing depends on it.
    """

    description: str
    source: str
    location: str
    languages: tuple[str, ...]
    model_class: str = ""
    parts: tuple[str, ...] = (VAD_MODEL,)


CATALOGUE = {
    "sensevoice": CatalogueEntry(
        description="SenseVoiceSmall: fast, Chinese, Cantonese, English, Japanese, Korean; 0.9 GB",
        source="ModelScope or HuggingFace",
        location="sensevoice",
        languages=SENSEVOICE_LANGUAGES,
        model_class=SENSEVOICE_CLASS,
    ),
    "paraformer": CatalogueEntry(
        description="SeACo-Paraformer: Chinese with English words, favours hotwords, exact times; 2.1 GB",
        source="ModelScope",
        location="paraformer",
        languages=PARAFORMER_LANGUAGES,
        parts=(VAD_MODEL, PUNCTUATION_MODEL),
    ),
    "fun-asr-nano": CatalogueEntry(
        description="Fun-ASR-Nano: Chinese with its dialects, English, Japanese, favours hotwords, for a GPU; 2.1 GB",
        source="ModelScope or HuggingFace",
        location="fun-asr-nano",
        languages=FUN_ASR_NANO_LANGUAGES,
        model_class=FUN_ASR_NANO_CLASS,
    ),
    "whisper-turbo": CatalogueEntry(
        description="Whisper large-v3-turbo: a hundred languages, for a GPU; 1.6 GB",
        source="OpenAI",
        location="whisper-turbo/large-v3-turbo.pt",
        languages=WHISPER_LANGUAGES,
    ),
    "starter": CatalogueEntry(
        description="Whisper tiny.en: English, small, to try things out; 79 MB",
        source="the Python package index",
        location="starter/tiny.en.pt",
        languages=ENGLISH_ONLY,
    ),
    FAKE_MODEL: CatalogueEntry(
        description="no model: answers with the audio's duration and hash, for tests",
        source="",
        location="",
        languages=SENSEVOICE_LANGUAGES,
        parts=(),
    ),
}

MODEL_NAMES = tuple(name for name in CATALOGUE if name != FAKE_MODEL)


def describe_models(models_dir: Path) -> tuple[Model, ...]:
    """Describe the models that people may name; `fake`, which is for tests, is left out."""
    return tuple(find_model(name, models_dir) for name in MODEL_NAMES)


def find_model(name: str, models_dir: Path) -> Model:
    """Return the model of this name, and where it is if all of it has been downloaded.

    Raises:
        ModelMissing: no model has this name.
    """
    entry = CATALOGUE.get(name)
    if entry is None:
        raise ModelMissing(model=name, known=", ".join(MODEL_NAMES))
    is_complete = name != FAKE_MODEL and all((models_dir / place).exists() for place in (entry.location, *entry.parts))
    return Model(
        name=name,
        description=entry.description,
        source=entry.source,
        languages=entry.languages,
        path=models_dir / entry.location if is_complete else None,
    )


def locate_model(settings: EngineSettings) -> Path:
    """Return the folder or the Whisper file that `engine.model` means; a named one may not be downloaded yet.

    Raises:
        ModelMissing: `engine.model` is neither a known name nor a path that exists.
    """
    entry = CATALOGUE.get(settings.model)
    if entry is not None:
        return (settings.models_dir / entry.location).absolute()
    path = Path(settings.model).expanduser().absolute()
    if path.is_dir() or (path.suffix == ".pt" and path.is_file()):
        return path
    raise ModelMissing(model=settings.model, known=", ".join(MODEL_NAMES))


def languages_of(model: str) -> tuple[str, ...]:
    """Return the language codes of a model's name or path; empty where they are not known."""
    entry = CATALOGUE.get(model)
    return entry.languages if entry is not None else languages_of_path(Path(model).expanduser())


def model_class_of(model: str) -> str:
    """Return the network class of a model's name or path; "" where it is not known."""
    entry = CATALOGUE.get(model)
    return entry.model_class if entry is not None else read_model_class(Path(model).expanduser())


def check_languages(settings: EngineSettings) -> None:
    """Check that the model supports the languages in the settings, without loading it.

    Raises:
        ModelMissing: see `locate_model`.
        UnknownLanguageSetting: the model does not support `engine.language`.
        UnknownLanguagesSetting: the model does not support one of `engine.languages`.
        LanguageSettingNotSelectable: a language is set, and the model's languages are not known.
    """
    locate_model(settings)
    supported = languages_of(settings.model)
    asked = (*settings.languages, *({settings.language} - {AUTO_LANGUAGE}))
    if asked and not supported:
        raise LanguageSettingNotSelectable(model=settings.model, language=asked[0])
    if settings.language not in (AUTO_LANGUAGE, *supported):
        listed = ", ".join((AUTO_LANGUAGE, *supported))
        raise UnknownLanguageSetting(model=settings.model, language=settings.language, known=listed)
    if unknown := first_unsupported(settings.languages, supported):
        raise UnknownLanguagesSetting(model=settings.model, language=unknown, known=", ".join(supported))


def uses_all_cores(settings: EngineSettings) -> bool:
    """Tell whether one process with this model keeps many cores busy, so that more processes only take more memory."""
    return model_class_of(settings.model) == SENSEVOICE_CLASS


def is_downloaded(settings: EngineSettings) -> bool:
    """Tell whether the model can be loaded without downloading anything.

    Raises:
        ModelMissing: see `locate_model`.
    """
    if settings.model in CATALOGUE:
        return settings.model == FAKE_MODEL or find_model(settings.model, settings.models_dir).path is not None
    return find_part(VAD_MODEL, locate_model(settings), settings.models_dir) is not None


def find_part(part: str, model: Path, models_dir: Path) -> Path | None:
    """Find the folder of a part (VAD, punctuation): in or beside the model's own folder, then in models_dir."""
    folder = model if model.is_dir() else model.parent
    short = part.rpartition("-")[2]
    places = (folder / part, folder / short, folder.parent / part, folder.parent / short, models_dir / part)
    return next((place.absolute() for place in places if (place / "model.pt").is_file()), None)
