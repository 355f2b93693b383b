import pytest
from hypothesis import given, strategies as st

from engine.text.phonetics import (
    merge_similar_syllables,
    min_distance_by_start,
    phonetic_distance,
    spelled_vowels,
    to_phonemes,
    to_pinyin,
)

sounds = st.text("abdfgkmnprstuiSCT", max_size=8)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Gutenberg", "guttenburg"),
        ("Philip", "Filip"),
        ("knight", "night"),
        ("Catherine", "Katherin"),
        ("Schön", "Schon"),
    ],
)
def test_words_that_sound_alike_are_near(one: str, other: str) -> None:
    assert phonetic_distance(to_phonemes(one), to_phonemes(other)) < 0.5


@pytest.mark.parametrize(
    ("one", "other"), [("Kafka", "coffee"), ("Redis", "ready"), ("Mistral", "minstrel"), ("a", "")]
)
def test_words_that_sound_different_are_far(one: str, other: str) -> None:
    assert phonetic_distance(to_phonemes(one), to_phonemes(other)) > 0.06 * len(to_phonemes(one))


@pytest.mark.parametrize("word", ["", "达摩院", "Мир", "x2", "it's", "\U0001f600"])
def test_other_than_latin_words_have_no_phonemes(word: str) -> None:
    assert to_phonemes(word) == ""


@pytest.mark.parametrize(
    ("word", "vowels"),
    [("Lina", "ia"), ("Lena", "ea"), ("Müller", "ue"), ("Mueller", "ue"), ("Aaron", "ao"), ("王", "")],
)
def test_vowels_are_given_as_they_are_spelled(word: str, vowels: str) -> None:
    assert spelled_vowels(word) == vowels


@given(st.text("abcdefghijklmnopqrstuvwxyzäéß", max_size=30))
def test_phonemes_are_at_most_two_for_each_letter(word: str) -> None:
    assert len(to_phonemes(word)) <= 2 * len(word)


@given(sounds, sounds, sounds)
def test_the_distance_is_a_metric(one: str, other: str, third: str) -> None:
    assert phonetic_distance(one, one) == 0
    assert phonetic_distance(one, other) == pytest.approx(phonetic_distance(other, one))
    assert phonetic_distance(one, other) <= len(one) + len(other)
    assert phonetic_distance(one + third, other + third) <= phonetic_distance(one, other) + 1e-9


@given(sounds, sounds, st.floats(0, 4))
def test_a_distance_above_the_limit_is_infinite(one: str, other: str, at_most: float) -> None:
    apart = phonetic_distance(one, other)
    assert phonetic_distance(one, other, at_most) == (apart if apart <= at_most else float("inf"))


@given(sounds.filter(bool), sounds.filter(bool))
def test_the_distance_is_at_least_that_of_the_first_phonemes(one: str, other: str) -> None:
    assert min_distance_by_start(one[0], other[0]) <= phonetic_distance(one, other)


def test_pinyin_depends_on_the_neighbouring_characters() -> None:
    assert to_pinyin("银行很行") == ("yin2", "hang2", "hen3", "xing2")


def test_regional_variants_of_syllables_are_merged() -> None:
    assert (
        merge_similar_syllables(("zhang1", "sheng1", "ling2"))
        == merge_similar_syllables(("zang4", "sen1", "lin5"))
        == ("zan", "sen", "lin")
    )


def test_words_with_unlike_first_phonemes_are_apart_and_with_like_ones_may_not_be() -> None:
    assert min_distance_by_start("b", "k") == 1
    assert 0 < min_distance_by_start("b", "p") < 1
    assert min_distance_by_start("b", "b") == 0
