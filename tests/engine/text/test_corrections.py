from cProfile import Profile
from itertools import product

import pytest
from hypothesis import given, settings, strategies as st

from engine.scripts import locate_words
from engine.text.corrections import ALLOWED_DISTANCE, MIN_PHONEMES, correct_hotwords
from engine.text.lexicon import is_common_word
from engine.text.phonetics import NEAR_COST, phonetic_distance, spelled_vowels, to_phonemes
from engine.transcript import Correction, Word

HOTWORDS = (
    "Kubernetes",
    "Earshot",
    "Gutenberg",
    "Sweynheim",
    "Redis",
    "Kafka",
    "Postgres",
    "Mistral",
    "Grafana",
    "Fun ASR",
    "nginx",
    "达摩院",
    "周杰伦",
    "通义",
)


@pytest.mark.parametrize(
    ("heard", "written"),
    [
        ("We run it on cooper netties, mostly.", "We run it on Kubernetes, mostly."),
        ("Cube ernetes and Cuber Netties are the same.", "Kubernetes and Kubernetes are the same."),
        ("the Guttenburg Bible of Swainheim", "the Gutenberg Bible of Sweynheim"),
        ("a reddis cache and a postgress table", "a Redis cache and a Postgres table"),
        ("用kubernets部署", "用Kubernetes部署"),
        ("欢迎来到打魔院的展览", "欢迎来到达摩院的展览"),
        ("我喜欢周节轮的歌", "我喜欢周杰伦的歌"),
    ],
)
def test_words_that_sound_nearly_like_a_hotword_are_corrected(heard: str, written: str) -> None:
    assert correct_hotwords(heard, (), HOTWORDS).text == written


@pytest.mark.parametrize(
    ("name", "other"),
    [("Lena", "Lina"), ("Mira", "Myra"), ("Marie", "Maria"), ("Daniel", "Danielle"), ("Marten", "Martin")],
)
def test_a_short_name_with_another_vowel_is_another_name(name: str, other: str) -> None:
    for text, hotword in ((f"I met {other}.", name), (f"I met {name}.", other)):
        assert correct_hotwords(text, (), (hotword,)) == (text, (), ())


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("Müller", "Mueller"),
        ("Jörg", "Joerg"),
        ("Annika", "Anika"),
        ("Stefan", "Stephan"),
        ("王芳", "王方"),
    ],
)
def test_a_name_that_sounds_the_same_is_spelled_as_in_the_list(name: str, other: str) -> None:
    assert correct_hotwords(other, (), (name,)).text == name


@pytest.mark.parametrize(("name", "other"), [("Kerstin", "Kirsten"), ("Stefanie", "Stefan"), ("Praxis", "praxes")])
def test_long_similar_names_are_corrected_unless_both_are_in_the_list(name: str, other: str) -> None:
    assert correct_hotwords(other, (), (name,)).text == name
    assert correct_hotwords(other, (), (name, other)) == (other, (), ())


@pytest.mark.parametrize(
    "text",
    [
        "I have an ear shot of it, and my coffee is ready.",
        "The minstrel sang within the radius of the castle.",
        "May be it is a fun as are all of them.",
        "Is the grey fauna near the great farm in Granada?",
        "Readies, roads, riders, reduce, ridicule, radish.",
        "The governess takes cover; Nettie's copper nets are cuter.",
        "Write to cafe@redis.io or see https://example.org/kubernets/readme and kubernets.yaml",
        "Kubernetes, Redis, Kafka and Postgres; Gutenberg!",
        "prekubernetsed reddis_cache reddis2",
        "nginx is written small at the beginning, too",
        "我同意他的意见,这是统一的说法。",
        "他们同一天同义反复,痛意难当。",
        "大魔王的院子里有打磨机。",
        "周结论是对的。",
        "他打了魔院长的电话,周节轮休。",
        "The mistrial was reported by a postgraduate; graphs of Anna.",
        "Ein Kaffee, bitte; die Gutenbergstraße ist weit.",
        "",
    ],
)
def test_common_words_and_parts_of_words_are_not_corrected(text: str) -> None:
    assert correct_hotwords(text, (), HOTWORDS) == (text, (), ())


def test_a_hotword_that_is_a_common_word_changes_none() -> None:
    text = "Their apple is there, maybe; it may be a great grate."
    assert correct_hotwords(text, (), ("Apple", "Maybe", "Great", "There")).text == text


def test_each_correction_keeps_the_original_words() -> None:
    found = correct_hotwords("Cooper netties and reddis.", (), HOTWORDS)
    assert found.corrections == (
        Correction(heard="Cooper netties", written="Kubernetes"),
        Correction(heard="reddis", written="Redis"),
    )


def test_the_short_word_before_a_hotword_stays() -> None:
    assert correct_hotwords("to a kafca topic of the reddis", (), HOTWORDS).text == "to a Kafka topic of the Redis"


def test_words_and_their_times_are_corrected_too() -> None:
    spoken = ["On", "cooper", "netties,", "mostly."]
    words = tuple(Word(start=n, end=n + 0.5, text=text) for n, text in enumerate(spoken))
    assert correct_hotwords("On cooper netties, mostly.", words, HOTWORDS).words == (
        words[0],
        Word(start=1, end=2.5, text="Kubernetes,"),
        words[3],
    )


def test_characters_keep_their_own_times() -> None:
    words = tuple(Word(start=n, end=n + 1, text=character) for n, character in enumerate("去打魔院"))
    assert [(word.start, word.text) for word in correct_hotwords("去打魔院", words, HOTWORDS).words] == [
        (0, "去"),
        (1, "达"),
        (2, "摩"),
        (3, "院"),
    ]


pieces = st.sampled_from(
    [
        "cooper netties",
        "reddis",
        "Redis",
        "the",
        "打魔院",
        "同意",
        "mistral",
        " ",
        ", ",
        "-",
        ".",
        "ear",
        "x",
        "é",
        "\n",
        "1",
    ]
)


@settings(deadline=None)  # dictionaries are read the first time
@given(st.lists(pieces, max_size=12).map("".join))
def test_a_correction_can_be_undone_and_is_made_once(text: str) -> None:
    words = tuple(Word(start=n, end=n + 1, text=word) for n, word in enumerate(text.split()))
    found = correct_hotwords(text, words, HOTWORDS)
    undone, end = found.text, 0
    for change in found.corrections:
        start = undone.index(change.written, end)
        undone = undone[:start] + change.heard + undone[start + len(change.written) :]
        end = start + len(change.heard)
        assert change.heard != change.written
    assert len(undone) == len(text)
    assert not found.words or locate_words(found.words, found.text)
    assert correct_hotwords(found.text, (), HOTWORDS).text == found.text


@given(st.text(max_size=60), st.lists(st.text(min_size=1, max_size=12), max_size=8))
def test_any_text_and_any_hotwords_are_accepted(text: str, hotwords: list[str]) -> None:
    found = correct_hotwords(text, (), tuple(hotwords))
    assert bool(found.corrections) == (found.text != text)
    assert all(change.written in hotwords for change in found.corrections)


said_words = st.lists(
    st.sampled_from(
        ["ka", "ca", "lo", "mi", "me", "ter", "der", "ven", "fen", "sto", "gra", "kra", "phi", "ne", "xu", "e", "u"]
    ),
    min_size=1,
    max_size=7,
).map("".join)


@settings(deadline=None)  # dictionaries are read the first time
@given(said_words, st.lists(said_words.map(str.capitalize), max_size=30))
def test_the_nearest_of_many_hotwords_is_written(heard: str, hotwords: list[str]) -> None:
    """The plain way: measure every one, and take the first of the nearest."""
    apart = {
        written: phonetic_distance(to_phonemes(heard), to_phonemes(written))
        for written in hotwords
        if len(to_phonemes(written)) >= MIN_PHONEMES and not is_common_word(heard)
    }
    near = [
        written
        for written in apart
        if apart[written] <= (allowed := ALLOWED_DISTANCE * len(to_phonemes(written)))
        and (allowed >= NEAR_COST or spelled_vowels(heard) == spelled_vowels(written))
    ]
    assert correct_hotwords(heard, (), tuple(hotwords)).text == min(near, key=apart.__getitem__, default=heard)


def test_a_long_list_is_not_searched_for_every_word() -> None:
    syllables = ["ka", "lo", "mi", "ter", "ven", "sto", "gra", "phi"]
    hotwords = tuple("".join(part).capitalize() for part in product(syllables, repeat=3))
    text = " ".join("".join(part) for part in product(["bor", "dan", "tri", "sel"], repeat=2))
    correct_hotwords(text, (), hotwords)
    profile = Profile()
    profile.runcall(correct_hotwords, text, (), hotwords)
    calls = sum(entry.callcount for entry in profile.getstats())
    assert calls < 3 * len(text.split()) * len(hotwords)


def test_a_hotword_of_several_scripts_is_not_written_for_its_latin_part() -> None:
    assert correct_hotwords("to a kafca topic", (), ("Kafka 王",)).text == "to a kafca topic"
