"""The models that go by a name: what they are, what they consist of, and whether they are on this machine."""

from dataclasses import dataclass
from pathlib import Path

from engine.errors import LanguageSettingVain, LanguageSettingWrong, LanguagesSettingWrong, ModelMissing
from engine.hub.languages import first_unknown, languages_of, model_class
from engine.settings import EngineSettings

AUTOMATIC = "auto"
FAKE = "fake"
VAD = "fsmn-vad"
PUNCTUATION = "ct-punc"
SAMPLE = "sample"
SPEAKERS = "speakers"


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A model as people see it. `path` is None while it is not on this machine; `fake` never needs one."""

    name: str
    description: str
    source: str
    languages: tuple[str, ...]
    path: Path | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What the catalogue knows of a name: its file or folder below models_dir, and the parts it needs beside it."""

    description: str
    source: str
    location: str
    parts: tuple[str, ...] = (VAD,)


CATALOGUE = {
    "sensevoice": Entry(
        description="SenseVoiceSmall: fast, Chinese, Cantonese, English, Japanese, Korean; 0.9 GB",
        source="ModelScope or HuggingFace",
        location="sensevoice",
    ),
    "paraformer": Entry(
        description="SeACo-Paraformer: Chinese with English words, favours hotwords, exact times; 2.1 GB",
        source="ModelScope",
        location="paraformer",
        parts=(VAD, PUNCTUATION),
    ),
    "fun-asr-nano": Entry(
        description="Fun-ASR-Nano: Chinese with its dialects, English, Japanese, favours hotwords, for a GPU; 2.1 GB",
        source="ModelScope or HuggingFace",
        location="fun-asr-nano",
    ),
    "whisper-turbo": Entry(
        description="Whisper large-v3-turbo: a hundred languages, for a GPU; 1.6 GB",
        source="OpenAI",
        location="whisper-turbo/large-v3-turbo.pt",
    ),
    "starter": Entry(
        description="Whisper tiny.en: English, small, to try things out; 79 MB",
        source="the Python package index",
        location="starter/tiny.en.pt",
    ),
    FAKE: Entry(
        description="no model: answers with the audio's duration and hash, for tests", source="", location="", parts=()
    ),
}


NAMES = tuple(name for name in CATALOGUE if name != FAKE)


def catalogue(models_dir: Path) -> tuple[Model, ...]:
    """List the models that people may name; `fake` is for tests."""
    return tuple(named(name, models_dir) for name in NAMES)


def named(name: str, models_dir: Path) -> Model:
    """Give the model of this name.

    Raises:
        ModelMissing: there is none.
    """
    entry = CATALOGUE.get(name)
    if entry is None:
        raise ModelMissing(model=name, known=", ".join(NAMES))
    here = name != FAKE and all((models_dir / location).exists() for location in (entry.location, *entry.parts))
    return Model(
        name=name,
        description=entry.description,
        source=entry.source,
        languages=languages_of(name),
        path=models_dir / entry.location if here else None,
    )


def locate(settings: EngineSettings) -> Path:
    """Give the folder or the Whisper file that `engine.model` means; a named one may have to be fetched to there yet.

    Raises:
        ModelMissing: it is neither a known name nor a path that exists.
    """
    entry = CATALOGUE.get(settings.model)
    if entry is not None:
        return (settings.models_dir / entry.location).absolute()
    path = Path(settings.model).expanduser().absolute()
    if path.is_dir() or (path.suffix == ".pt" and path.is_file()):
        return path
    raise ModelMissing(model=settings.model, known=", ".join(NAMES))


def check_language(settings: EngineSettings) -> None:
    """See that the model knows the languages that are set, without loading it.

    Raises:
        ModelMissing: as `locate`.
        LanguageSettingWrong: it does not, or does not tell.
    """
    locate(settings)
    known = languages_of(settings.model)
    asked = (*settings.languages, *({settings.language} - {AUTOMATIC}))
    if asked and not known:
        raise LanguageSettingVain(model=settings.model, language=asked[0])
    if settings.language not in (AUTOMATIC, *known):
        listed = ", ".join((AUTOMATIC, *known))
        raise LanguageSettingWrong(model=settings.model, language=settings.language, known=listed)
    if unknown := first_unknown(settings.languages, known):
        raise LanguagesSettingWrong(model=settings.model, language=unknown, known=", ".join(known))


def reads_on_all_cores(settings: EngineSettings) -> bool:
    """Tell whether one process with this model uses many cores: more processes would only hold its weights more often.

    Looks at the model's folder, if that is here, and loads nothing.
    """
    return settings.model == "sensevoice" or model_class(Path(settings.model).expanduser()) == "SenseVoiceSmall"


def is_here(settings: EngineSettings) -> bool:
    """Tell whether the model can be loaded without fetching anything.

    Raises:
        ModelMissing: as `locate`.
    """
    if settings.model in CATALOGUE:
        return settings.model == FAKE or named(settings.model, settings.models_dir).path is not None
    return locate(settings).exists() and find_part(VAD, locate(settings), settings.models_dir) is not None


def find_part(part: str, model: Path, models_dir: Path) -> Path | None:
    """Find the folder of a part (a VAD, punctuation): in or beside the model's own folder, or in models_dir."""
    folder = model if model.is_dir() else model.parent
    short = part.rpartition("-")[2]
    places = (folder / part, folder / short, folder.parent / part, folder.parent / short, models_dir / part)
    return next((place.absolute() for place in places if (place / "model.pt").is_file()), None)
