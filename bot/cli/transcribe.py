"""`earshot transcribe`: transcribes files, without Telegram."""

import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import get_args

import click
from tqdm import tqdm

from bot.cli.startup import start_command
from bot.cli.transcribe_arguments import apply_languages, build_request, make_folder, readable_files, warn
from bot.config.request_defaults import model_name
from bot.process.model_setup import fetch_missing
from engine import (
    AUTO_LANGUAGE,
    ENGLISH_ONLY,
    FORMATS,
    MOST_SPEAKERS,
    SPEAKERS_WANTED,
    ChannelMode,
    ChineseScript,
    Engine,
    EngineSettings,
    Fault,
    Progress,
    Request,
    Speakers,
    Transcript,
    languages_of,
    render,
)


class NameList(click.ParamType[tuple[str, ...]]):
    """A comma-separated list of names, case-insensitive."""

    name = "list"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...]:  # noqa: ARG002 - click's signature
        """Parse the list."""
        return tuple(dict.fromkeys(name.strip().lower() for name in str(value).split(",")))


class FormatList(NameList):
    """A comma-separated list of output formats."""

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...]:
        """Parse the list, and refuse unknown formats."""
        names = super().convert(value, param, ctx)
        if wrong := [name for name in names if name not in FORMATS]:
            self.fail(f"there is no format {wrong[0]!r}; there are {', '.join(FORMATS)}", param, ctx)
        return names


class SpeakerCount(click.ParamType[Speakers]):
    """The number of speakers: off, auto or a number."""

    name = "off|auto|number"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Speakers:
        """Parse a word or a number."""
        count = str(value).lower()
        if count not in {"off", "auto", *map(str, range(1, MOST_SPEAKERS + 1))}:
            self.fail(f"{value!r} is none of: {SPEAKERS_WANTED}", param, ctx)
        match count:
            case "off" | "auto":
                return count
            case _:
                return int(count)


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE...")
@click.option(
    "--format", "formats", type=FormatList(), default="txt", show_default=True, help=f"Any of {','.join(FORMATS)}."
)
@click.option(
    "--language",
    type=NameList(),
    help="What is spoken, such as en; en,de for one of these; auto lets the model find out.",
)
@click.option(
    "--hotwords",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A file of words to favour, one a line.",
)
@click.option(
    "--channels",
    type=click.Choice(get_args(ChannelMode)),
    default="auto",
    show_default=True,
    help="Stereo: split reads each channel for itself, mix both as one, auto splits where each has its own voice.",
)
@click.option("--correct/--no-correct", default=None, help="Put hotwords where the text only sounds like them.")
@click.option("--speakers", type=SpeakerCount(), help=f"Tell apart who speaks on one channel: {SPEAKERS_WANTED}.")
@click.option("--itn/--no-itn", default=None, help="Numbers as digits or in words: sensevoice, fun-asr-nano.")
@click.option("--punctuation/--no-punctuation", default=None, help="Text with its marks, or without.")
@click.option("--chinese", type=click.Choice(get_args(ChineseScript)), help="Characters of Chinese.")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="Write files into this folder instead.")
def command(  # noqa: PLR0913 - one parameter for each of its options
    *,
    files: tuple[Path, ...],
    formats: tuple[str, ...],
    language: tuple[str, ...] | None,
    hotwords: Path | None,
    channels: ChannelMode,
    correct: bool | None,
    speakers: Speakers | None,
    itn: bool | None,
    punctuation: bool | None,
    chinese: ChineseScript | None,
    out: Path | None,
) -> int:
    """Turn files into text, without Telegram: text to stdout, the rest to stderr."""
    overrides = {
        "hotwords": hotwords,
        "corrections": correct,
        "speakers": speakers,
        "itn": itn,
        "punctuation": punctuation,
        "chinese": chinese,
    }
    told = {name: wish for name, wish in overrides.items() if wish is not None}
    settings = apply_languages(start_command("transcribe").engine.model_copy(update=told), language or ())
    request = replace(build_request(settings, hotwords), channels=channels)
    if out:
        make_folder(out)
    readable = readable_files(files)
    if not readable:
        return 1
    warn_about_ineffective_options(settings, has_vain_correction=correct is True and not request.hotwords)
    fetch_missing(settings)
    engine = Engine.open(settings)
    failures = len(files) - len(readable)
    for file, target in zip(readable, output_paths(readable, out), strict=True):
        try:
            transcript = transcribe_file(engine, file, request)
            write(transcript, formats, target, title=str(file) if len(files) > 1 else "")
        except (Fault, OSError) as error:
            failures += 1
            warn(file, error_text(error))
    return 1 if failures else 0


def warn_about_ineffective_options(settings: EngineSettings, *, has_vain_correction: bool) -> None:
    """Warn about options that have no effect with this model, before it is loaded."""
    if settings.language == AUTO_LANGUAGE and not settings.languages and languages_of(settings.model) == ENGLISH_ONLY:
        click.echo(f"earshot: {model_name(settings)} reads English only", err=True)
    if has_vain_correction:
        click.echo("earshot: --correct has no hotwords to put into the text; name a list with --hotwords", err=True)


def transcribe_file(engine: Engine, file: Path, request: Request) -> Transcript:
    """Decode and transcribe one file, with a progress bar."""
    audio = engine.decode(file)
    if request.channels == "split" and audio.channels == 1:
        warn(file, "it has one channel, so there is nothing to split")
    with tqdm(desc=file.name, total=round(audio.duration, 1), unit="s", disable=None, leave=False) as bar:

        def show(progress: Progress) -> None:
            bar.update(round(progress.done_s, 1) - bar.n)

        transcript = engine.transcribe(audio, request, on_progress=show, cancelled=threading.Event())
    if not any(segment.text.strip() for segment in transcript.segments):
        warn(file, "no speech found")
    if transcript.promised_duration is not None:
        from bot.chat.texts import missing_audio_text  # noqa: PLC0415 - it loads aiogram, which takes longer than all the rest

        warn(file, missing_audio_text(transcript))
    return transcript


def output_paths(files: Sequence[Path], out: Path | None) -> list[Path | None]:
    """Return a unique path without an extension in the folder `out` for each file; None for stdout."""
    if out is None:
        return [None] * len(files)
    taken: set[str] = set()
    return [out / unique_name(file, taken) for file in files]


def unique_name(file: Path, taken: set[str]) -> str:
    """Choose `memo` for memo.ogg, or if that is taken `memo.ogg`, `memo.ogg-2` and so on."""
    choices = (file.stem, file.name, *(f"{file.name}-{number}" for number in range(2, len(taken) + 3)))
    name = next(choice for choice in choices if choice not in taken)
    taken.add(name)
    return name


def write(transcript: Transcript, formats: tuple[str, ...], target: Path | None, *, title: str) -> None:
    """Write a transcript in each format: to stdout below a heading, or to one file per format."""
    for format_name in formats:
        text = render(transcript, format_name)
        if target is None:
            if headed := heading(title, format_name, formats):
                click.echo(f"== {headed} ==")
            click.echo(text.rstrip("\n"))
            continue
        path = target.with_name(f"{target.name}.{format_name}")
        path.write_text(text, encoding="utf-8")
        click.echo(f"earshot: wrote {path}", err=True)


def heading(title: str, format_name: str, formats: tuple[str, ...]) -> str:
    """Return the heading on stdout where several texts follow each other; "" where a program may parse the output."""
    if len(formats) > 1:
        return f"{title}, {format_name}" if title else format_name
    return title if format_name == "txt" else ""


def error_text(error: Fault | OSError) -> str:
    """Return the sentence that says what is wrong with a file."""
    return str(error) if isinstance(error, Fault) else (error.strerror or str(error))
