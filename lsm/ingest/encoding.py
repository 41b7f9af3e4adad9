"""Bytes to text: what every text-like parser does first.

Strict UTF-8 before anything else: text in another encoding almost never passes for it
(RFC 3629, section 1), so a declared charset is believed only where UTF-8 fails.
Everything here is linear in the size of the input.
"""

import re
from typing import NamedTuple

from lsm.ingest.document import ParseError

# Longest first: the UTF-32 mark begins with the UTF-16 one.
_MARKS = (
    (b"\x00\x00\xfe\xff", "utf-32-be"),
    (b"\xff\xfe\x00\x00", "utf-32-le"),
    (b"\xef\xbb\xbf", "utf-8"),
    (b"\xff\xfe", "utf-16-le"),
    (b"\xfe\xff", "utf-16-be"),
)

_MAGIC = (
    (b"\x7fELF", "a program (ELF)"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"\x89PNG\r\n\x1a\n", "a PNG image"),
    (b"PK\x03\x04", "a zip archive"),
    (b"PK\x05\x06", "a zip archive"),
    (b"\x1f\x8b\x08", "gzip data"),
    (b"\xfd7zXZ\x00", "xz data"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"\x28\xb5\x2f\xfd", "zstd data"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Office file"),
    (b"SQLite format 3\x00", "an SQLite database"),
    (b"\xca\xfe\xba\xbe", "a program (class or Mach-O)"),
    (b"\xcf\xfa\xed\xfe", "a program (Mach-O)"),
    (b"\x00asm", "a program (WebAssembly)"),
    (b"II*\x00", "a TIFF image"),
    (b"MM\x00*", "a TIFF image"),
)
# These begin with letters a text may begin with too; only control bytes tell them apart.
_SPELLED_MAGIC = (
    (b"%PDF-", "a PDF"),
    (b"GIF87a", "a GIF image"),
    (b"GIF89a", "a GIF image"),
    (b"Rar!\x1a\x07", "a RAR archive"),
    (b"BZh", "bzip2 data"),
    (b"RIFF", "sound, film or image data (RIFF)"),
    (b"OggS", "Ogg sound"),
    (b"ID3", "an MP3"),
    (b"fLaC", "FLAC sound"),
    (b"MZ", "a program (Windows)"),
)

# Controls that text does not hold. Kept: bell, backspace, tab, line ends, form feed, escape
# (terminal logs have them).
_CONTROLS = bytes(set(range(0x20)) - {7, 8, 9, 10, 11, 12, 13, 27}) + b"\x7f"
_C1_CONTROL = re.compile("[\x80-\x84\x86-\x9f]")

# What charset-normalizer may answer: encodings that real files are in, without the UTF family,
# which has been tried by then, and without twins that differ in a handful of characters.
_GUESSABLE: list[str] = [
    *("cp1252", "cp1250", "cp1251", "cp1253", "cp1254", "cp1255", "cp1256"),
    *("koi8_r", "mac_roman", "cp932", "euc_jp", "gb18030", "big5", "cp949"),
]
_GUESS_SAMPLE = 64 * 1024  # bytes
_GUESS_CHAOS = 0.2  # charset-normalizer's own default threshold for "this is a mess"

# A declared charset is a word in a stranger's file: codecs such as "unicode_escape" or "utf-7"
# would let it write what its bytes do not show.
_DECLARABLE = re.compile(
    r"(?:us-?ascii|utf-?8|utf-?16(?:le|be)?|(?:iso-?)?8859-?\d{1,2}|iso-8859-\d{1,2}(?:-[ei])?|latin-?\d"
    r"|(?:windows-|cp-?|ibm)\d{3,4}|koi8-[rut]|mac-?(?:roman|cyrillic)|macintosh|(?:x-)?sjis"
    r"|shift-?jis(?:-2004)?|euc-(?:jp|kr)|iso-2022-(?:jp|kr)|gb2312|gbk|gb18030|hz-gb-2312"
    r"|big5(?:-hkscs)?|tis-620|johab|ks-c-5601-1987|uhc|viscii)"
)
# What the web means by these names (WHATWG Encoding Standard, section 4.2).
_ALIASES = {
    "iso-8859-1": "cp1252",
    "iso8859-1": "cp1252",
    "latin1": "cp1252",
    "latin-1": "cp1252",
    "us-ascii": "cp1252",
    "ascii": "cp1252",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "shift-jis": "cp932",
    "sjis": "cp932",
    "x-sjis": "cp932",
    "euc-kr": "cp949",
    "ks-c-5601-1987": "cp949",
    "macintosh": "mac_roman",
}
_SEVEN_BIT = ("iso-2022-jp", "iso-2022-kr", "hz-gb-2312")

_SURROGATE = re.compile("[\ud800-\udfff]")
_HIDDEN = re.compile(
    "[\U000e0000-\U000e007f\u202a-\u202e\u2066-\u2069]"  # tags; bidi embeddings and isolates
    "|[\u200b-\u200d\u2060-\u2064\ufeff]{2}"  # one joiner is spelling, a run is a message
    "|[\ufe00-\ufe0f\U000e0100-\U000e01ef]{2}"  # likewise variation selectors
)
# The flags of England, Scotland and Wales are spelled with tag characters (UTS 51, section C.1).
_FLAG_EMOJI = re.compile("\U0001f3f4[\U000e0030-\U000e007a]{3,6}\U000e007f")


class Decoded(NamedTuple):
    """Text out of bytes."""

    text: str  # line ends are "\n"; no NUL, no byte order mark, no lone surrogate
    flags: tuple[str, ...]  # of "encoding_guess", "invalid_bytes", "hidden_characters"


def decode(data: bytes, *, declared: str | None = None) -> Decoded:
    """*data* as text. *declared* is a charset the file names for itself, tried after UTF-8.

    Raises:
        ParseError: "binary", the bytes are not text.
    """
    mark = next(((name, len(bom)) for bom, name in _MARKS if data.startswith(bom)), None)
    if mark is not None:
        raw, flags = _replacing(data[mark[1] :], mark[0])
    elif wide := _unmarked_wide(data):
        raw, flags = _replacing(data, wide)
    else:
        _refuse_binary(data)
        raw, flags = _narrow(data, declared)
    text = clean(raw)
    return Decoded(text, flag_hidden(flags, text))


def clean(text: str) -> str:
    """*text* with "\\n" line ends, without NUL, lone surrogates replaced by U+FFFD."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if "\0" in text:
        text = text.replace("\0", "")
    if not text.isascii():
        text = _SURROGATE.sub("\ufffd", text)
    return text


def has_hidden_characters(text: str) -> bool:
    """Whether *text* holds characters that a model reads and a person does not see."""
    if _HIDDEN.search(text) is None:
        return False
    return _HIDDEN.search(_FLAG_EMOJI.sub("", text)) is not None


def flag_hidden(flags: tuple[str, ...], text: str) -> tuple[str, ...]:
    """*flags*, with "hidden_characters" if *text* holds such, as it may behind an escape."""
    if text.isascii() or "hidden_characters" in flags or not has_hidden_characters(text):
        return flags
    return (*flags, "hidden_characters")


def _replacing(data: bytes, encoding: str) -> tuple[str, tuple[str, ...]]:
    try:
        return data.decode(encoding), ()
    except UnicodeDecodeError:
        return data.decode(encoding, "replace"), ("invalid_bytes",)


def _unmarked_wide(data: bytes) -> str | None:
    """UTF-16 or UTF-32 without a mark, told by where the NULs of its Latin letters stand."""
    sample = data[:4096]
    if b"\0" not in sample or len(data) % 2:
        return None
    quarter = len(sample) // 4
    nuls = [sample[i::4].count(0) for i in range(4)]
    patterns = (
        ("utf-32-le", (0, 1, 1, 1)),
        ("utf-32-be", (1, 1, 1, 0)),
        ("utf-16-le", (0, 1, 0, 1)),
        ("utf-16-be", (1, 0, 1, 0)),
    )
    for name, pattern in patterns:
        fits = all(
            count * 10 >= quarter * 6 if nul else count * 10 <= quarter
            for count, nul in zip(nuls, pattern, strict=True)
        )
        # Decoded strictly: numbers in a binary file have such NULs too.
        if fits and quarter and _decodes_to_text(data, name):
            return name
    return None


def _decodes_to_text(data: bytes, encoding: str) -> bool:
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        return False
    return not _has_many_controls(text.encode("utf-8"))


def _has_many_controls(data: bytes) -> bool:
    controls = len(data) - len(data.translate(None, _CONTROLS))
    return controls > 4 + len(data) // 40


def _refuse_binary(data: bytes) -> None:
    for magic, what in _MAGIC:
        if data.startswith(magic):
            raise ParseError("binary", f"it is {what}, not text")
    head = data[:4096]
    if len(head) != len(head.translate(None, _CONTROLS)):
        for magic, what in _SPELLED_MAGIC:
            if data.startswith(magic):
                raise ParseError("binary", f"it is {what}, not text")
    if _has_many_controls(data):
        raise ParseError("binary", "it holds binary data, not text")


def _narrow(data: bytes, declared: str | None) -> tuple[str, tuple[str, ...]]:
    charset = _codec(declared)
    try:
        if charset not in _SEVEN_BIT:
            return data.decode("utf-8"), ()
    except UnicodeDecodeError:
        pass
    if charset is not None and (text := _strictly(data, charset)) is not None:
        return text, ()
    text = data.decode("utf-8", "replace")
    # A damaged UTF-8 file has more whole sequences than broken ones; in another 8-bit encoding
    # whole sequences come about by chance only.
    broken = text.count("\ufffd")
    whole = len(text) - len(text.encode("ascii", "ignore")) - broken
    if whole > broken:
        return text, ("invalid_bytes",)
    guess = _guess(data)
    if guess is None:
        return text, ("encoding_guess", "invalid_bytes")
    text, flags = _replacing(data, guess)
    return text, ("encoding_guess", *flags)


def _codec(declared: str | None) -> str | None:
    if declared is None:
        return None
    name = declared[:40].strip().strip("\"'").lower().replace("_", "-")
    return _ALIASES.get(name, name) if _DECLARABLE.fullmatch(name) else None


def _strictly(data: bytes, encoding: str) -> str | None:
    try:
        text = data.decode(encoding)
    except (UnicodeDecodeError, LookupError):
        return None
    # Half of all wrong declarations show as controls that nobody types.
    return None if len(_C1_CONTROL.findall(text)) * 50 > len(text) else text


def _guess(data: bytes) -> str | None:
    """The most likely encoding of *data*, or None where the detector is not sure."""
    # It costs 30 ms to import, and most people never need it.
    from charset_normalizer import from_bytes

    matches = from_bytes(_telling_sample(data), cp_isolation=_GUESSABLE)
    best = matches.best()
    if best is None or best.chaos > _GUESS_CHAOS:
        return None
    for match in matches:
        # Among equals the commonest encoding, not the first of the alphabet.
        equal = match.chaos <= best.chaos and match.coherence >= best.coherence
        if equal and "cp1252" in match.could_be_from_charset:
            return "cp1252"
    return best.encoding


def _telling_sample(data: bytes) -> bytes:
    """The part from the first line with a byte above 127 on: the rest says nothing."""
    if len(data) <= _GUESS_SAMPLE:
        return data
    found = re.search(rb"[\x80-\xff]", data)
    position = found.start() if found else 0
    line = data.rfind(b"\n", max(0, position - 1024), position) + 1
    start = line or max(0, position - 1024)
    return data[start : start + _GUESS_SAMPLE]
