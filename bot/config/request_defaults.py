"""Default transcription options, from the settings. Loads no model."""

from pathlib import Path

from engine import AUTO_LANGUAGE, CATALOGUE, EngineSettings, Request, read_hotwords


def default_request(settings: EngineSettings) -> Request:
    """Return the request that the settings describe.

    Raises:
        HotwordsUnreadable: The list of hotwords cannot be read.
    """
    return Request(
        language=None if settings.language == AUTO_LANGUAGE else settings.language,
        languages=settings.languages,
        hotwords=read_hotwords(settings.hotwords) if settings.hotwords else (),
        itn=settings.itn,
        punctuation=settings.punctuation,
        chinese=settings.chinese,
        correct=settings.corrections,
        speakers=settings.speakers,
    )


def model_name(settings: EngineSettings) -> str:
    """Return the name under which the engine reports its model."""
    return settings.model if settings.model in CATALOGUE else Path(settings.model).name
