"""Bytes to text: what is decoded, what is flagged, what is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lsm.ingest.document import ParseError
from lsm.ingest.encoding import clean, decode, has_hidden_characters

GERMAN = "Die Straße führt über die Brücke nach Köln, schöne Grüße aus München."
JAPANESE = "これは日本語のテキストです。検索できるようにします。"
RUSSIAN = "Это русский текст для проверки определения кодировки файла."


@given(
    st.text(st.characters(codec="utf-8", exclude_characters="\0\r\ufeff", categories=("L", "Z")))
)
def test_utf_8_comes_back_as_it_was_written(text: str) -> None:
    decoded = decode(text.encode())

    assert decoded.text == text


@given(st.binary(max_size=400))
def test_any_bytes_give_clean_text_or_are_called_binary(data: bytes) -> None:
    text = text_or_code(data)

    text.encode("utf-8")
    assert "\0" not in text
    assert "\r" not in text


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_a_byte_order_mark_decides_and_is_stripped(encoding: str) -> None:
    assert decode(JAPANESE.encode(encoding)) == (JAPANESE, ())


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
def test_wide_text_without_a_mark_is_told_by_its_nuls(encoding: str) -> None:
    assert decode(GERMAN.encode(encoding)) == (GERMAN, ())


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("café", "cp1252"),
        ("naïve café, “quoted” text…", "cp1252"),
        (GERMAN, "latin-1"),
        (JAPANESE, "shift_jis"),
        (JAPANESE, "euc_jp"),
        (RUSSIAN, "cp1251"),
        (RUSSIAN, "koi8_r"),
        ("Zażółć gęślą jaźń, to jest polski tekst do sprawdzenia.", "cp1250"),
    ],
)
def test_other_encodings_are_guessed_and_flagged(text: str, encoding: str) -> None:
    assert decode(text.encode(encoding)) == (text, ("encoding_guess",))


def test_a_declared_charset_is_used_where_utf_8_fails() -> None:
    assert decode("Ωmega λ".encode("iso-8859-7"), declared="ISO-8859-7") == ("Ωmega λ", ())


def test_a_declared_charset_that_lies_does_not_beat_utf_8() -> None:
    assert decode(GERMAN.encode(), declared="iso-8859-1") == (GERMAN, ())


@pytest.mark.parametrize("declared", ["unicode_escape", "utf-7", "hex", "no-such", "x" * 5000, ""])
def test_a_charset_that_could_write_what_its_bytes_do_not_show_is_not_used(declared: str) -> None:
    decoded = decode(rb"\ud800 +2AA- caf" + b"\xe9", declared=declared)

    assert decoded == ("\\ud800 +2AA- café", ("encoding_guess",))


def test_one_broken_byte_in_utf_8_is_replaced_and_the_rest_kept() -> None:
    data = "Grüße aus ".encode() + b"\xff" + " München".encode()

    assert decode(data) == ("Grüße aus \ufffd München", ("invalid_bytes",))


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_line_ends_become_one_newline(ending: str) -> None:
    assert decode(f"one{ending}two{ending}".encode()).text == "one\ntwo\n"


def test_a_few_nuls_are_removed() -> None:
    assert decode(b"left\0right " + b"word " * 100).text.startswith("leftright word")


def test_clean_replaces_lone_surrogates() -> None:
    assert clean("a\ud800b") == "a\ufffdb"


@pytest.mark.parametrize(
    ("head", "what"),
    [
        (b"\x7fELF\x02\x01\x01\x00", "ELF"),
        (b"\xff\xd8\xff\xe0\x00\x10JFIF", "JPEG"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "PNG"),
        (b"PK\x03\x04\x14\x00", "zip"),
        (b"%PDF-1.7\n\x01\x02", "PDF"),
        (b"SQLite format 3\x00", "SQLite"),
        (bytes(range(256)) * 8, "binary data"),
    ],
)
def test_binary_content_is_refused_by_what_it_is(head: bytes, what: str) -> None:
    with pytest.raises(ParseError, match=what) as caught:
        decode(head)

    assert caught.value.code == "binary"


@pytest.mark.parametrize("text", ["GIF89a is a format", "MZ", "%PDF- begins a file", "\x1b[31mred"])
def test_text_that_begins_like_a_binary_file_is_text(text: str) -> None:
    assert decode(text.encode()).text == text


@pytest.mark.parametrize(
    "hidden",
    [
        "\U000e0049\U000e0067",  # tag characters
        "\u202egnp.exe",  # right-to-left override
        "\u2066isolated\u2069",
        "\u200b\u200c\u200b\u200d",  # a run of zero-width characters
        "x\U000e0101\U000e0102",  # bytes spelled as variation selectors
    ],
)
def test_hidden_characters_are_kept_and_flagged(hidden: str) -> None:
    assert decode(f"Hello {hidden} there".encode()) == (
        f"Hello {hidden} there",
        ("hidden_characters",),
    )


@pytest.mark.parametrize(
    "text",
    [
        "family \U0001f468\u200d\U0001f469\u200d\U0001f467",
        "flag \U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
        "\u05e9\u05dc\u05d5\u05dd\u200f!",
        "heart \u2764\ufe0f",
    ],
)
def test_what_people_type_is_not_hidden(text: str) -> None:
    assert not has_hidden_characters(text)


def text_or_code(data: bytes) -> str:
    try:
        return decode(data).text
    except ParseError as error:
        return error.code
