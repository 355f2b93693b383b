"""`earshot transcribe`: files into text, without Telegram."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, NoReturn

import click
from tqdm import tqdm

from bot.cli.opening import begin
from bot.model_fetching import fetch_missing
from engine.errors import Fault, UnknownLanguage
from engine.formats import FORMATS, render
from engine.hotwords import read_hotwords
from engine.speech import Engine, Progress, Request
from engine.transcript import Transcript


class Formats(click.ParamType[tuple[str, ...]]):
    """Names of formats with commas between."""

    name = "list"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...]:
        """Read the list."""
        names = tuple(name.strip() for name in str(value).split(","))
        if wrong := [name for name in names if name not in FORMATS]:
            self.fail(f"there is no format {wrong[0]!r}; there are {', '.join(FORMATS)}", param, ctx)
        return names


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE...")
@click.option("--format", "formats", type=Formats(), default="txt", help=f"Any of {','.join(FORMATS)}.")
@click.option("--language", help="The language that is spoken, such as en; the model finds out otherwise.")
@click.option(
    "--hotwords", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="A file of words to favour."
)
@click.option("--channels", type=click.Choice(["auto", "mix", "split"]), default="auto", help="What to do with stereo.")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="Write files into this folder instead.")
def command(  # noqa: PLR0913 - one parameter for each of its options
    *,
    files: tuple[Path, ...],
    formats: tuple[str, ...],
    language: str | None,
    hotwords: Path | None,
    channels: Literal["auto", "mix", "split"],
    out: Path | None,
) -> int:
    """Turn files into text, without Telegram: text to stdout, the rest to stderr."""
    settings = begin("transcribe").engine
    fetch_missing(settings)
    engine = Engine.open(settings)
    if language is not None and language not in engine.languages:
        raise UnknownLanguage(language=language, known=", ".join(engine.languages))
    words = hotwords or settings.hotwords
    request = Request(language=language, hotwords=read_hotwords(words) if words else (), channels=channels)
    failures = 0
    for file, target in zip(files, targets(files, out), strict=True):
        try:
            transcript = transcribed(engine, file, request)
            write(transcript, formats, target, title=str(file) if len(files) > 1 else "")
        except (Fault, OSError) as error:
            failures += 1
            click.echo(f"earshot: {file}: {sentence(error)}", err=True)
    return 1 if failures else 0


def transcribed(engine: Engine, file: Path, request: Request) -> Transcript:
    """Decode and transcribe one file, with a bar."""
    if file.is_dir():
        raise IsADirectoryError(21, "this is a folder; name the files in it")
    if not file.is_file():
        raise FileNotFoundError(2, "there is no such file")
    audio = engine.decode(file)
    with bar(file.name, audio.duration) as show:
        return engine.transcribe(audio, request, on_progress=show, cancelled=threading.Event())


@contextmanager
def bar(name: str, total_s: float) -> Iterator["Show"]:
    """Show a bar on a terminal, and nothing elsewhere."""
    with tqdm(desc=name, total=round(total_s, 1), unit="s", disable=None, leave=False) as shown:
        yield Show(shown)


class Show:
    """Moves a bar."""

    def __init__(self, shown: "tqdm[NoReturn]") -> None:
        """Move `shown`."""
        self._shown = shown

    def __call__(self, progress: Progress) -> None:
        """Move it to where the transcription is."""
        self._shown.update(round(progress.done_s, 1) - self._shown.n)


def targets(files: Sequence[Path], out: Path | None) -> list[Path | None]:
    """Give each file a name in the folder `out`, without an ending; no two the same."""
    if out is None:
        return [None] * len(files)
    taken: set[str] = set()
    return [out / unique(file, taken) for file in files]


def unique(file: Path, taken: set[str]) -> str:
    """Choose `memo` for memo.ogg, or else `memo.ogg`, `memo.ogg-2` and so on."""
    choices = (file.stem, file.name, *(f"{file.name}-{number}" for number in range(2, len(taken) + 3)))
    name = next(choice for choice in choices if choice not in taken)
    taken.add(name)
    return name


def write(transcript: Transcript, formats: tuple[str, ...], target: Path | None, *, title: str) -> None:
    """Write the text to stdout, bare text below its title if it has one; or to files beside each other."""
    for format_name in formats:
        text = render(transcript, format_name)
        if target is None:
            if title and format_name == "txt":
                click.echo(f"== {title} ==")
            click.echo(text.rstrip("\n"))
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        path = target.with_name(f"{target.name}.{format_name}")
        path.write_text(text, encoding="utf-8")
        click.echo(f"earshot: wrote {path}", err=True)


def sentence(error: Fault | OSError) -> str:
    """Say what is wrong with a file."""
    return str(error) if isinstance(error, Fault) else (error.strerror or str(error))
