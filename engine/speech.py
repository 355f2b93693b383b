"""`Engine`: opens a model by the settings, decodes files and transcribes them. Knows no vendor; backends do."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Self

from engine.audio.samples import Audio, decode, start_decoder
from engine.errors import CustomModelBroken, ExportsClosed, LanguageNotSelectable, ModelBroken, UnknownLanguage
from engine.hub.catalogue import (
    AUTO_LANGUAGE,
    CATALOGUE,
    FAKE_MODEL,
    PUNCTUATION_MODEL,
    SPEAKER_MODEL,
    VAD_MODEL,
    check_languages,
    find_part,
    is_downloaded,
    languages_of,
    locate_model,
)
from engine.hub.languages import first_unsupported
from engine.hub.model_class import lacks_punctuation
from engine.hub.pull import OnDownload, pull
from engine.hub.requirements import check_requirements
from engine.pipeline.transcribe import Recognizer, TranscriptionPipeline
from engine.recognizers.backend import Backend
from engine.recognizers.fake import FakeBackend
from engine.request import Progress, Request
from engine.runtime.export import NotExportable
from engine.settings import EngineSettings
from engine.speakers.embeddings import SpeakerEmbedder
from engine.transcript import Transcript

if TYPE_CHECKING:
    from engine.recognizers.prepared import SenseVoiceLoader

__all__ = ["Engine", "Progress", "Request"]


@dataclass(frozen=True, slots=True)
class Engine:
    """A loaded model, ready to turn files into transcripts."""

    settings: EngineSettings
    backend: Backend

    @classmethod
    def open(cls, settings: EngineSettings, *, on_download: OnDownload = lambda *_: None) -> Self:
        """Load the model of the settings; one from the catalogue that is missing is downloaded first.

        Takes seconds, or minutes. `on_download` is called again and again with file, bytes done and bytes in all.

        Raises:
            ModelFault: the model is not there, cannot be downloaded, or does not work.
            UnknownLanguage: it does not know the language of the settings.
        """
        check_languages(settings)
        check_requirements(settings)
        start_decoder()
        return cls(settings, _backend(settings, on_download))

    @property
    def model(self) -> str:
        """The model's name, as users see it and transcripts keep it."""
        return self.backend.name

    @property
    def languages(self) -> tuple[str, ...]:
        """The language codes that can be asked for; empty where the model does not list them."""
        return self.backend.languages

    @property
    def notes_at_once(self) -> int:
        """How many recordings to transcribe at the same time, so that no core is idle."""
        return self.backend.notes_at_once

    @property
    def is_stuck(self) -> bool:
        """Tell whether the model hangs, so that only a new process helps."""
        return self.backend.is_stuck

    @property
    def is_blocked(self) -> bool:
        """Tell whether only cancelled transcriptions are running, so that nothing new can start; it may stay so."""
        return self.backend.is_blocked

    def running_s(self, cancelled: threading.Event) -> float | None:
        """Give for how many seconds the model has worked on the chunk that the transcription with this event waits for.

        None: the chunk is still queued. 0: the transcription waits for no chunk.
        """
        return self.backend.running_s(cancelled)

    def decode(self, path: Path, cancelled: threading.Event | None = None) -> Audio:
        """Decode any audio or video file, also a malicious one. Blocks: call it in a thread.

        Raises:
            AudioFault: it cannot be decoded, or is too short or too long.
            Cancelled: `cancelled` was set; it is checked several times a second.
        """
        return decode(path, max_audio_s=self.settings.max_audio_s, cancelled=cancelled)

    def transcribe(
        self,
        audio: Audio,
        request: Request,
        *,
        on_progress: Callable[[Progress], None],
        cancelled: threading.Event,
    ) -> Transcript:
        """Transcribe the speech of a recording. Blocks: call it in a thread. `cancelled` is checked every few seconds.

        Raises:
            UnknownLanguage: the model does not know the language asked for.
            Cancelled: `cancelled` was set.
        """
        transcript = self.backend.transcribe(
            audio, self.resolve_language(request), on_progress=on_progress, cancelled=cancelled
        )
        return replace(transcript, promised_duration=audio.declared_s)

    def resolve_language(self, request: Request) -> Request:
        """Give the request with its language decided: one code, or None and the codes that the model may choose among.

        Raises:
            UnknownLanguage: the model does not know the language asked for.
        """
        asked = request.language or (AUTO_LANGUAGE if request.languages else self.settings.language)
        allowed = (request.languages or self.settings.languages) if asked == AUTO_LANGUAGE else (asked,)
        if allowed and not self.languages:
            raise LanguageNotSelectable(language=allowed[0])
        if unknown := first_unsupported(allowed, self.languages):
            raise UnknownLanguage(language=unknown, known=", ".join(self.languages))
        choice = allowed or self.languages
        only = choice[0] if len(set(choice)) == 1 else None
        return replace(request, language=only, languages=() if only else allowed)


def _backend(settings: EngineSettings, on_download: OnDownload) -> Backend:
    if settings.model == FAKE_MODEL:
        return FakeBackend(settings.fake_rtf)
    path = locate_model(settings)
    if not is_downloaded(settings):
        pull(settings.model if settings.model in CATALOGUE else VAD_MODEL, settings.models_dir, on_progress=on_download)
    return TranscriptionPipeline(
        name=settings.model if settings.model in CATALOGUE else path.name,
        languages=languages_of(settings.model),
        model=(_load if settings.model in CATALOGUE else _load_custom)(settings, path, on_download),
        embedder=_speaker_embedder(settings, on_download),
    )


def _speaker_embedder(settings: EngineSettings, on_download: OnDownload) -> SpeakerEmbedder:
    """Give the speaker embedder, loaded now where the settings want speakers, else on first use."""
    embedder = SpeakerEmbedder(lambda: pull(SPEAKER_MODEL, settings.models_dir, on_progress=on_download))
    if settings.speakers != "off":
        embedder.load()
    return embedder


def _load_custom(settings: EngineSettings, path: Path, on_download: OnDownload) -> Recognizer:
    """Load a model that the settings name by its path: downloading it again is no remedy where it is broken."""
    try:
        return _load(settings, path, on_download)
    except ModelBroken as broken:
        raise CustomModelBroken(path=broken.params["path"], reason=broken.params["reason"]) from broken


def _load(settings: EngineSettings, path: Path, on_download: OnDownload) -> Recognizer:
    from engine.recognizers.prepared import runs_exported  # noqa: PLC0415 - the bot's process can do without

    if runs_exported(path, settings):
        with suppress(NotExportable, ExportsClosed):  # FunASR may know it, or what is wrong with it
            return sensevoice_loader(settings, on_download).load()
    return _load_with_torch(settings, path)


def sensevoice_loader(settings: EngineSettings, on_download: OnDownload = lambda *_: None) -> SenseVoiceLoader:
    """Return the loader of the SenseVoice model that the settings name.

    Raises:
        ModelFault: parts of it are missing or damaged.
    """
    from engine.recognizers.prepared import SenseVoiceLoader  # noqa: PLC0415 - as above
    from engine.vad.detector import VoiceActivityDetector  # noqa: PLC0415 - as above

    path = locate_model(settings)
    name = settings.model if settings.model in CATALOGUE else path.name
    return SenseVoiceLoader(
        name, path, VoiceActivityDetector.load(settings.model, _vad(settings, path)), settings, on_download
    )


def _load_with_torch(settings: EngineSettings, path: Path) -> Recognizer:
    from engine.recognizers.registry import ModelParts, load  # noqa: PLC0415 - it takes torch with it, which the bot's process must not

    punctuation = find_part(PUNCTUATION_MODEL, path, settings.models_dir) if lacks_punctuation(path) else None
    parts = ModelParts(recognizer=path, vad=_vad(settings, path), punctuation=punctuation)
    return load(settings.model, parts, settings)


def _vad(settings: EngineSettings, path: Path) -> Path:
    vad = find_part(VAD_MODEL, path, settings.models_dir)
    if vad is None:
        raise ModelBroken(path=str(path), model=settings.model, reason=f"{VAD_MODEL} is missing")
    return vad
