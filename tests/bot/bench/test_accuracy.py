from pathlib import Path

import click
import pytest

from bot.bench.accuracy import error_rates, measure_clips, normalize, rate_rows, read_manifest
from engine.settings import EngineSettings
from engine.speech import Engine


def test_marks_capitals_and_the_writing_of_numbers_are_no_errors_in_english() -> None:
    assert error_rates("en", [("Mister Smith doesn't owe twenty-one dollars.", "mr. smith does not owe $21")]).wer == 0


def test_words_that_are_wrong_missing_or_too_many_count_once_each() -> None:
    found = error_rates("en", [("ask not what your country can do", "ask what you country can do for")])
    assert found.wer == pytest.approx(3 / 7)


def test_chinese_is_counted_by_characters_whatever_their_width_and_the_marks_between() -> None:
    found = error_rates("zh", [("欢迎大家、来体验\uff21\uff22模型。", "欢迎 大家来体验ab摸型")])
    assert found.cer == pytest.approx(1 / 11)


def test_japanese_and_korean_lose_no_part_of_their_letters() -> None:
    assert normalize("ja", "ガラス、です。") == "ガ ラ ス で す"
    assert normalize("ko", "안녕하세요!") == "안 녕 하 세 요"


def test_no_text_at_all_is_wrong_in_every_word_and_more_text_in_more_than_all() -> None:
    assert error_rates("en", [("he was not", "")]).wer == 1.0
    assert error_rates("en", [("he", "he was not")]).wer == 2.0


def test_a_reference_without_any_word_is_no_division_by_zero() -> None:
    assert error_rates("zh", [("…", "")]).cer == 0
    assert error_rates("zh", [("…", "三个字")]).cer == 3


def test_each_word_weighs_the_same_however_long_its_clip() -> None:
    both = error_rates("en", [("yes please", "yes"), ("word " * 98, "word " * 97)])
    assert (both.clips, both.wer) == (2, 0.02)


def test_the_table_has_no_word_error_rate_where_words_have_no_spaces() -> None:
    rates = {
        "zh": error_rates("zh", [("一二三四五六七八九十", "一二三四五六七八九")]),
        "en": error_rates("en", [("a", "a")]),
    }
    assert rate_rows(rates) == [("en", "1", "0.0%", "0.0%"), ("zh", "1", "", "10.0%")]


def test_a_manifest_may_name_more_than_is_needed_and_rows_without_reference_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "manifest.tsv").write_text(
        'file\tlanguage\tseconds\treference_text\na.wav\ten\t1\tthe "forty"\nb.wav\tzh\t1\t\n'
        "c.wav\ten\t1\t[left] One. [right] Two.\n"
    )
    assert [(clip.path, clip.language, clip.reference.split()) for clip in read_manifest(tmp_path)] == [
        (tmp_path / "a.wav", "en", ["the", '"forty"']),
        (tmp_path / "c.wav", "en", ["One.", "Two."]),
    ]


@pytest.mark.parametrize("content", [None, "name\tlanguage\nx\ty\n"])
def test_a_folder_without_a_manifest_that_can_be_used_is_wrong_usage(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "manifest.tsv").write_text(content)
    with pytest.raises(click.UsageError, match=r"manifest\.tsv"):
        read_manifest(tmp_path)


@pytest.mark.slow  # tests/end_to_end/test_speech.py reads them too, and `earshot bench` measures one in its own tests
def test_the_starter_reads_english_clips_with_few_errors(shared: Path, starter_models_dir: Path) -> None:
    engine = Engine.open(EngineSettings(model="starter", models_dir=starter_models_dir))
    short = [clip for clip in read_manifest(shared / "clips") if "long" not in clip.path.name]
    english = [clip for clip in short if clip.language == "en"]
    found = measure_clips(engine, english, lambda *_: None, lambda clip, reason: pytest.fail(f"{clip}: {reason}"))
    assert found["en"].clips == len(english) > 3
    assert found["en"].wer <= 0.08
