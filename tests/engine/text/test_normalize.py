import pytest
from hypothesis import given, strategies as st

from engine.scripts import ChineseScript, locate_words
from engine.text.normalize import is_chinese, normalize_spaces, normalize_text, strip_punctuation, strip_tags
from engine.transcript import Word

languages = st.sampled_from(["zh", "yue", "en", "ja", "ko", ""])
wishes = st.sampled_from(["as spoken", "simplified", "traditional"])
# Much of what texts are made of, and what tags are made of.
texts = st.text(st.sampled_from("ab1頭头发云ひソ한 。，、！.,'’-:%<|>é\n") | st.characters(codec="utf-8"), max_size=60)  # noqa: RUF001 - the marks themselves


def word(text: str) -> Word:
    return Word(start=0, end=1, text=text)


def written(text: str, language: str = "en", *, punctuation: bool = True, chinese: ChineseScript = "as spoken") -> str:
    return normalize_text(text, (), language, punctuation=punctuation, chinese=chinese)[0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<|en|><|HAPPY|><|Speech|><|withitn|>Hello.", "Hello."),
        ("你好。<|zh|><|NEUTRAL|>世界", "你好。 世界"),
        ("a < b | c > d", "a < b | c > d"),
    ],
)
def test_tags_are_removed(text: str, expected: str) -> None:
    assert strip_tags(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("我用Python写代码", "我用 Python 写代码"),
        ("我 用 Python 写 代码。 好 ， 的", "我用 Python 写代码。好，的"),  # noqa: RUF001 - the marks themselves
        ("iPhone15发布了，GPT-4也是", "iPhone15 发布了，GPT-4 也是"),  # noqa: RUF001 - as above
        ("现在是3点15分，50%", "现在是3点15分，50%"),  # noqa: RUF001 - as above
        ("第 3 章", "第 3 章"),
        ("他说 （OK） 。", "他说（OK）。"),  # noqa: RUF001 - as above
    ],
)
def test_chinese_has_a_space_beside_latin_words_only(text: str, expected: str) -> None:
    assert normalize_spaces(text, "zh") == expected
    assert normalize_spaces(text) == expected


def test_other_languages_keep_their_spaces() -> None:
    assert normalize_spaces("  Well ,  yes : «  oui » ! ", "fr") == "Well , yes : « oui » !"
    assert normalize_spaces("저는 학교에 갑니다.", "ko") == "저는 학교에 갑니다."
    assert normalize_spaces("これは iPhoneです 。 本", "ja") == "これは iPhoneです。本"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Well, don't – it’s 3.5 or 1,000 at 10:30!", "Well don't it’s 3.5 or 1,000 at 10:30"),  # noqa: RUF001 - as above
        ("A well-known “co-op”… (half) of R&D; 50%?", "A well-known co-op half of R&D 50%"),
        ("It is -5 or .5 - 20°, $3.", "It is -5 or .5 20° $3"),
        ("See example.com. Now,then", "See example.com Now then"),
        ("¿Qué tal? ¡Bien! — sí", "Qué tal Bien sí"),
        ("नमस्ते। कैसे हो?", "नमस्ते कैसे हो"),
    ],
)
def test_without_marks_words_and_numbers_are_spelled_as_before(text: str, expected: str) -> None:
    assert written(text, punctuation=False) == expected


def test_without_marks_chinese_and_japanese_have_no_gaps() -> None:
    assert written("你好，世界。约翰·史密斯说：“3.5,对”！", "zh", punctuation=False) == "你好世界约翰·史密斯说 3.5 对"  # noqa: RUF001 - as above
    assert written("はい、ジョン・スミスです。～", "ja", punctuation=False) == "はいジョン・スミスです"  # noqa: RUF001 - as above


@pytest.mark.parametrize(
    ("text", "language", "chinese", "expected"),
    [
        ("皇后的头发在里面，为什么？", "zh", "traditional", "皇后的頭髮在裡面，為什麼？"),  # noqa: RUF001 - as above
        ("头发在里面，为什么", "", "traditional", "頭髮在裡面，為什麼"),  # noqa: RUF001 - as above
        ("佢话里面有头发", "yue", "traditional", "佢話裏面有頭髮"),
        ("軟體裡的頭髮", "zh", "simplified", "软体里的头发"),
        ("国会の発表", "ja", "traditional", "国会の発表"),
        ("學校の頭", "ja", "simplified", "學校の頭"),
        ("The 头发", "en", "traditional", "The 头发"),
        ("头发", "zh", "as spoken", "头发"),
    ],
)
def test_only_chinese_changes_its_characters(text: str, language: str, chinese: ChineseScript, expected: str) -> None:
    assert written(text, language, chinese=chinese) == expected


def test_a_text_without_a_language_is_chinese_by_its_script() -> None:
    assert is_chinese("你好 hello", "")
    assert not is_chinese("これは本です", "")
    assert not is_chinese("hello", "")


def test_words_change_as_their_text_does() -> None:
    heard = [word("头"), word("发，"), word("don't"), word("3.5"), word("。")]  # noqa: RUF001 - as above
    text, words = normalize_text("头发，don't 3.5。", heard, "zh", punctuation=False, chinese="traditional")  # noqa: RUF001 - as above
    assert text == "頭髮 don't 3.5"
    assert [said.text for said in words] == ["頭", "髮", "don't", "3.5"]


def test_words_that_do_not_spell_the_text_are_left_out() -> None:
    heard = (word("twenty"), word("people"))
    assert normalize_text("20 people", heard, "en", punctuation=True, chinese="as spoken") == ("20 people", ())
    assert normalize_text("Twenty people", heard[1:], "en", punctuation=True, chinese="as spoken")[1] == ()


@given(texts, st.lists(texts, max_size=4), languages, st.booleans(), wishes)
def test_the_result_has_no_tags_and_words_that_spell_it(
    text: str,
    more: list[str],
    language: str,
    punctuation: bool,  # noqa: FBT001 - hypothesis gives it
    chinese: ChineseScript,
) -> None:
    heard = [word(part) for part in (*text.split(), *more)]
    out, words = normalize_text(" ".join([text, *more]), heard, language, punctuation=punctuation, chinese=chinese)
    assert strip_tags(out) == out
    assert all(strip_tags(said.text) == said.text != "" for said in words)
    assert not words or len(locate_words(words, out)) == len(words)
    assert letters(out) == letters("".join(said.text for said in words)) or not words


@given(texts, languages)
def test_normalizing_twice_changes_nothing(text: str, language: str) -> None:
    assert normalize_spaces(normalize_spaces(text, language), language) == normalize_spaces(text, language)
    assert strip_punctuation(strip_punctuation(text)) == strip_punctuation(text)
    assert letters(strip_punctuation(normalize_spaces(text, language))) == letters(text)


def letters(text: str) -> str:
    return "".join(filter(str.isalnum, text))
