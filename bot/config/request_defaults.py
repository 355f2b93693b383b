"""What is asked of the engine where a note asks for nothing: the owner's settings as a request. Loads no model."""

from pathlib import Path

from engine import AUTO_LANGUAGE, CATALOGUE, EngineSettings, Request, read_hotwords


def default_request(settings: EngineSettings) -> Request:
    """Give what the owner's settings ask for.

    Raises:
        HotwordsUnreadable: the list of hotwords cannot be read.
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
    """Give the name that the engine will give its model."""
    return settings.model if settings.model in CATALOGUE else Path(settings.model).name
