import hashlib
import json
import os
import wave
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.audio.decoder import MIN_MS
from engine.errors import AudioTooShort, AudioUnreadable, NoAudioTrack
from tests.bot.cli.conftest import Earshot
from tests.engine.folders import write_whisper
from tests.engine.sounds import write_film

Tone = Callable[[str, float], Path]


@pytest.fixture
def silence(tmp_path: Path) -> Path:
    """Two seconds in which nobody speaks."""
    path = tmp_path / "silence.wav"
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", ""))
        file.writeframes(bytes(64_000))
    return path


def answer(path: Path) -> str:
    """What the fake model says about a 16 kHz file."""
    with wave.open(str(path)) as file:
        sound = file.readframes(file.getnframes())
        seconds = file.getnframes() / file.getframerate()
    return f"fake {seconds:.1f}s {hashlib.sha256(sound).hexdigest()[:8]}"


def test_the_text_goes_to_stdout_and_nothing_else(earshot: Earshot, tone: Tone) -> None:
    file = tone("memo.wav", 1.5)
    done = earshot("transcribe", file)
    assert (done.returncode, done.stdout) == (0, answer(file) + "\n")


def test_a_bad_file_does_not_stop_the_others(earshot: Earshot, tone: Tone, tmp_path: Path) -> None:
    (tmp_path / "bad.ogg").write_bytes(b"no sound at all")
    good = tone("good.wav", 1.0)
    done = earshot("transcribe", "bad.ogg", "missing.wav", tmp_path, good)
    assert (done.returncode, done.stdout) == (1, f"== {good} ==\n{answer(good)}\n")
    assert "earshot: bad.ogg: " in done.stderr
    assert "earshot: missing.wav: there is no such file" in done.stderr
    assert f"earshot: {tmp_path}: this is a folder; name the files in it" in done.stderr
    assert "Traceback" not in done.stderr


def test_where_there_is_no_file_to_read_each_is_told_in_a_line_and_no_model_is_fetched(
    earshot: Earshot, tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "pipe")
    reasons = {
        "missing.wav": "there is no such file",
        "-": "standard input is not read; name a file",
        "pipe": "this is no file but a pipe or a device; name a file",
        ".": "this is a folder; name the files in it",
        "x" * 300: "File name too long",
    }
    for name, reason in reasons.items():
        done = earshot("transcribe", name, EARSHOT_ENGINE__MODEL="starter")
        assert (done.returncode, done.stdout, done.stderr) == (1, "", f"earshot: {name}: {reason}\n")
    assert not (tmp_path / "models").exists()


def test_what_is_no_sound_is_told_in_a_line_and_no_model_is_fetched(
    earshot: Earshot, tone: Tone, tmp_path: Path
) -> None:
    (tmp_path / "notes.txt").write_text("Buy milk.\n" * 1000)
    (tmp_path / "empty.ogg").touch()
    write_film(tmp_path / "silent.mp4", sound=None)
    tone("click.wav", 0.05)
    reasons = {
        "notes.txt": AudioUnreadable(),
        "empty.ogg": AudioUnreadable(),
        "silent.mp4": NoAudioTrack(),
        "click.wav": AudioTooShort(min_ms=MIN_MS),
    }
    done = earshot("transcribe", *reasons, EARSHOT_ENGINE__MODEL="starter")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "".join(f"earshot: {name}: {reason}\n" for name, reason in reasons.items())
    assert not (tmp_path / "models").exists()


def test_a_folder_that_cannot_be_written_to_is_told_before_a_model_is_fetched(
    earshot: Earshot, tone: Tone, tmp_path: Path
) -> None:
    file = tone("memo.wav", 1.0)
    for out in (file, file / "texts"):
        done = earshot("transcribe", file, "--out", out, EARSHOT_ENGINE__MODEL="starter")
        assert (done.returncode, done.stdout) == (2, "")
        assert "Invalid value for '--out': " in done.stderr
    assert not (tmp_path / "models").exists()


def test_hotwords_that_are_no_text_are_told_before_a_model_is_fetched(
    earshot: Earshot, tone: Tone, tmp_path: Path
) -> None:
    (tmp_path / "words.bin").write_bytes(bytes(range(256)))
    starter = {"EARSHOT_ENGINE__MODEL": "starter"}
    done = earshot("transcribe", tone("a.wav", 1.0), "--hotwords", "words.bin", **starter)
    assert done.returncode == 2
    assert done.stderr.endswith("Invalid value for '--hotwords': words.bin: it is not text in UTF-8\n")
    done = earshot("transcribe", tone("a.wav", 1.0), EARSHOT_ENGINE__HOTWORDS="words.bin", **starter)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "The list of hotwords words.bin cannot be read: it is not text in UTF-8. " in done.stderr
    assert not (tmp_path / "models").exists()


def test_corrections_without_hotwords_are_told(earshot: Earshot, tone: Tone) -> None:
    done = earshot("transcribe", tone("a.wav", 1.0), "--correct")
    assert (done.returncode, done.stderr.count("\n")) == (0, 1)
    assert "--correct has no hotwords" in done.stderr


def test_one_channel_that_is_to_be_split_is_told(earshot: Earshot, tone: Tone) -> None:
    file = tone("a.wav", 1.0)
    done = earshot("transcribe", file, "--channels", "split")
    assert (done.returncode, done.stdout) == (0, answer(file) + "\n")
    assert done.stderr == f"earshot: {file}: it has one channel, so there is nothing to split\n"


def test_silence_is_told_and_so_is_that_a_model_reads_english_only(
    earshot: Earshot, silence: Path, tmp_path: Path, starter_models_dir: Path
) -> None:
    english = {
        "EARSHOT_ENGINE__MODEL": str(write_whisper(tmp_path / "small.en.pt")),
        "EARSHOT_ENGINE__MODELS_DIR": str(starter_models_dir),
        "EARSHOT_ENGINE__DEVICE": "cpu",
    }
    told = f"earshot: {silence}: no speech found\n"
    done = earshot("transcribe", silence, **english)
    assert (done.returncode, done.stdout.strip()) == (0, "")
    assert done.stderr == f"earshot: small.en.pt reads English only\n{told}"
    assert earshot("transcribe", silence, "--language", "en", **english).stderr == told


def test_each_of_several_texts_says_whose_it_is(earshot: Earshot, tone: Tone) -> None:
    files = [tone("a.wav", 1.0), tone("b.wav", 2.0)]
    done = earshot("transcribe", *files)
    assert done.stdout == "".join(f"== {file} ==\n{answer(file)}\n" for file in files)


def test_each_of_several_formats_says_which_it_is(earshot: Earshot, tone: Tone) -> None:
    files = [tone("a.wav", 1.0), tone("b.wav", 2.0)]
    one = earshot("transcribe", files[0], "--format", "txt,srt").stdout
    assert one == f"== txt ==\n{answer(files[0])}\n== srt ==\n1\n00:00:00,000 --> 00:00:01,000\n{answer(files[0])}\n"
    both = earshot("transcribe", *files, "--format", "json,vtt").stdout
    assert [line for line in both.splitlines() if line.startswith("==")] == [
        f"== {file}, {name} ==" for file in files for name in ("json", "vtt")
    ]


def test_what_programs_read_has_no_title(earshot: Earshot, tone: Tone, tmp_path: Path) -> None:
    files = [tone("a.wav", 1.0), tone("b.wav", 2.0)]
    assert "==" not in earshot("transcribe", *files, "--format", "srt").stdout
    earshot("transcribe", *files, "--out", tmp_path / "texts")
    assert (tmp_path / "texts" / "a.txt").read_text().strip() == answer(files[0])


def test_formats_can_be_listed_and_go_to_a_folder(earshot: Earshot, tone: Tone, tmp_path: Path) -> None:
    done = earshot("transcribe", tone("memo.wav", 1.0), "--format", "txt,vtt,srt,json", "--out", tmp_path / "texts")
    assert (done.returncode, done.stdout) == (0, "")
    assert sorted(path.name for path in (tmp_path / "texts").iterdir()) == [
        "memo.json", "memo.srt", "memo.txt", "memo.vtt",
    ]  # fmt: skip
    assert json.loads((tmp_path / "texts" / "memo.json").read_text())["model"] == "fake"
    assert (tmp_path / "texts" / "memo.vtt").read_text().startswith("WEBVTT")


def test_files_of_the_same_name_do_not_overwrite_each_other(earshot: Earshot, tone: Tone, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    files = [tone("a/memo.wav", 1.0), tone("b/memo.wav", 2.0), tone("memo.wav", 3.0)]
    assert earshot("transcribe", *files, "--out", tmp_path / "texts").returncode == 0
    assert {path.read_text().strip() for path in (tmp_path / "texts").iterdir()} == set(map(answer, files))


def test_an_unknown_format_is_wrong_usage(earshot: Earshot, tone: Tone) -> None:
    done = earshot("transcribe", tone("memo.wav", 1.0), "--format", "txt,docx")
    assert done.returncode == 2
    assert "docx" in done.stderr
    assert "txt, vtt, srt, json" in done.stderr


def test_an_unknown_language_is_wrong_usage_and_told_once_with_those_that_are_known(
    earshot: Earshot, tone: Tone
) -> None:
    for asked in ("klingon", "en, Klingon"):
        done = earshot("transcribe", tone("a.wav", 1.0), tone("b.wav", 1.0), "--language", asked)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.count("klingon") == 1
        assert "zh, yue, en, ja, ko" in done.stderr


def test_of_a_model_that_tells_no_language_none_can_be_asked_for(earshot: Earshot, tone: Tone, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("model: Conformer\n")
    for asked in ("en", "en,de"):
        own = {"EARSHOT_ENGINE__MODEL": str(tmp_path)}
        done = earshot("transcribe", tone("a.wav", 1.0), "--language", asked, **own)
        assert done.returncode == 2
        assert done.stderr.endswith(f"{tmp_path} does not tell which languages it knows, so 'en' cannot be asked for\n")


def test_a_model_that_does_not_exist_is_told_as_such_whatever_the_language(earshot: Earshot, tone: Tone) -> None:
    done = earshot("transcribe", tone("a.wav", 1.0), "--language", "en", EARSHOT_ENGINE__MODEL="nonsense")
    assert (done.returncode, "There is no model “nonsense”" in done.stderr) == (1, True)


def test_the_language_is_taken_as_the_setting_takes_it_before_it_and_in_capitals(earshot: Earshot, tone: Tone) -> None:
    file = tone("a.wav", 1.0)
    for asked, language in (("auto", ""), ("AUTO", ""), ("EN", "en"), ("en,auto", "")):
        told = ("--format", "json", "--language", asked)
        done = earshot("transcribe", file, *told, EARSHOT_ENGINE__LANGUAGE="JA")
        assert (done.returncode, json.loads(done.stdout)["language"]) == (0, language)
    set_only = earshot("transcribe", file, "--format", "json", EARSHOT_ENGINE__LANGUAGE="JA")
    assert json.loads(set_only.stdout)["language"] == "ja"


def test_several_languages_leave_the_choice_to_the_model_and_one_does_not(earshot: Earshot, tone: Tone) -> None:
    file = tone("a.wav", 1.0)
    heard = {
        asked: json.loads(earshot("transcribe", file, "--format", "json", "--language", asked).stdout)["language"]
        for asked in ("en,ja", "ja")
    }
    assert heard == {"en,ja": "", "ja": "ja"}


def test_the_text_can_be_asked_for_without_marks_and_in_other_characters(earshot: Earshot, tone: Tone) -> None:
    plain = ("--no-itn", "--no-punctuation", "--chinese", "traditional")
    assert earshot("transcribe", tone("a.wav", 1.0), *plain).returncode == 0
    done = earshot("transcribe", tone("a.wav", 1.0), "--chinese", "klingon")
    assert (done.returncode, "'as spoken', 'simplified', 'traditional'" in done.stderr) == (2, True)


def test_speakers_and_corrections_can_be_asked_for(earshot: Earshot, tone: Tone, tmp_path: Path) -> None:
    words = tmp_path / "words.txt"
    words.write_text("Earshot\n")
    for speakers in ("off", "auto", "2"):
        done = earshot("transcribe", tone("a.wav", 1.0), "--speakers", speakers, "--correct", "--hotwords", words)
        assert (done.returncode, done.stderr) == (0, "")
    for wrong in ("0", "21", "many", "-1", "²"):
        done = earshot("transcribe", tone("a.wav", 1.0), "--speakers", wrong)
        assert (done.returncode, "none of: off, auto, or a number from 1 to 20" in done.stderr) == (2, True)


def test_a_language_that_is_set_wrong_is_told_before_a_model_is_fetched(earshot: Earshot, tone: Tone) -> None:
    wrong = {"EARSHOT_ENGINE__MODEL": "starter", "EARSHOT_ENGINE__LANGUAGE": "de"}
    done = earshot("transcribe", tone("memo.wav", 1.0), **wrong)
    assert done.returncode == 1
    assert done.stderr.startswith("earshot: The model starter does not know the language “de”. Set engine.language to")


def test_a_list_of_languages_that_is_set_wrong_is_told_before_a_model_is_fetched(earshot: Earshot, tone: Tone) -> None:
    wrong = {"EARSHOT_ENGINE__MODEL": "starter", "EARSHOT_ENGINE__LANGUAGES": '["en", "de"]'}
    done = earshot("transcribe", tone("memo.wav", 1.0), **wrong)
    assert (done.returncode, done.stderr) == (
        1,
        "earshot: The model starter does not know the language “de”. In engine.languages, name some of: en.\n",
    )


def test_of_a_recording_that_breaks_off_it_is_told_how_much_is_there(earshot: Earshot, tone: Tone) -> None:
    file = tone("memo.wav", 8)
    file.write_bytes(file.read_bytes()[:128_044])
    done = earshot("transcribe", file)
    assert (done.returncode, done.stdout[:9]) == (0, "fake 4.0s")
    assert f"earshot: {file}: This recording should last 0:08, but only 0:04 of it can be read." in done.stderr
