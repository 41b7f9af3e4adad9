"""Zip containers (DOCX, PPTX, XLSX, EPUB, ODT) read without believing what they say of themselves.

Nothing is ever written to disk, nothing nested is opened, and third-party readers never
see the original container: they get `Archive.copy_of_xml`, a stored copy that holds only
members read here, within the limits, with their checksums verified.
"""

import io
import re
import zipfile
import zlib
from collections.abc import Iterator

from lsm.ingest.document import ParseError

MAX_MEMBERS = 10_000
MAX_TOTAL = 200 * 2**20  # bytes, all members together, uncompressed
MAX_RATIO = 200  # uncompressed / compressed, of one member
# Below this a member cannot hurt, and small repetitive XML does reach such ratios.
_RATIO_FROM = 2**20
_STEP = 2**16
_LOCAL_HEADER = 30  # bytes, without name and extra field
_CENTRAL_HEADER = b"PK\x01\x02"
_OLE_HEADER = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)

# An encoding that no reader of ours expects could hide a declaration from `screen_xml`.
_ENCODINGS = {b"utf-8", b"us-ascii", b"ascii", b"iso-8859-1", b"windows-1252"}
_DECLARED = re.compile(rb"""<\?xml[^>]{0,200}?encoding\s*=\s*["']([^"']{0,40})""")
_FORBIDDEN = ("<!DOCTYPE", "<!ENTITY")


class Archive:
    """The members of a zip file in memory.

    Raises:
        ParseError: wrong_format, damaged, encrypted, too_many_members or zip_bomb.
    """

    def __init__(self, data: bytes) -> None:
        _refuse_ole(data)
        if not data.startswith(b"PK"):
            raise ParseError("wrong_format", "it is not a zip-based document")
        # Counted before the directory is read: an entry in memory is 20 times its bytes.
        if data.count(_CENTRAL_HEADER) > 10 * MAX_MEMBERS:
            raise ParseError("too_many_members", f"it has more than {MAX_MEMBERS:,} members")
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(data))
        except (zipfile.BadZipFile, ValueError, OverflowError, NotImplementedError) as error:
            raise ParseError("damaged", f"its zip directory is damaged: {error}") from error
        _check(self._zip.infolist(), end=self._zip.start_dir)
        self.names = frozenset(self._zip.namelist())

    def read(self, name: str) -> bytes:
        """The content of one member, its size and checksum verified."""
        if name not in self.names:
            raise ParseError("damaged", f"its part {_shown(name)} is missing")
        info = self._zip.getinfo(name)
        try:
            content = b"".join(self._pieces(info))
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError) as error:
            raise ParseError("damaged", f"its part {_shown(name)} is damaged: {error}") from error
        if len(content) != info.file_size:
            raise ParseError("damaged", f"its part {_shown(name)} is not as long as it says")
        return content

    def xml(self, name: str) -> bytes:
        """The content of an XML member that declares no document type and no entity."""
        content = self.read(name)
        screen_xml(content, name)
        return content

    def copy_of_xml(self) -> io.BytesIO:
        """A stored zip with the same names, in which only XML members have content.

        Pictures, sound, macros and embedded archives are there but empty.
        """
        copy = io.BytesIO()
        with zipfile.ZipFile(copy, "w", zipfile.ZIP_STORED) as target:
            for name in sorted(self.names):
                is_xml = name.lower().endswith((".xml", ".rels"))
                if not name.endswith("/") and not _escapes(name):
                    target.writestr(zipfile.ZipInfo(name), self.xml(name) if is_xml else b"")
        copy.seek(0)
        return copy

    def _pieces(self, info: zipfile.ZipInfo) -> Iterator[bytes]:
        # Small steps: one big read would inflate all there is before cutting it to size.
        with self._zip.open(info) as stream:
            while piece := stream.read(_STEP):
                yield piece


def screen_xml(content: bytes, name: str) -> None:
    """Refuse XML that could make its reader expand entities or fetch something.

    Raises:
        ParseError: unsafe_xml.
    """
    wide = content[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\0" in content[:4]
    for mark in _FORBIDDEN:
        codecs = ("utf-16-le", "utf-16-be") if wide else ("ascii",)
        if any(mark.encode(codec) in content for codec in codecs):
            reason = f"{_shown(name)} declares a document type or entities, which are refused"
            raise ParseError("unsafe_xml", reason)
    start = content[:300].removeprefix(b"\xef\xbb\xbf").lstrip()
    declared = _DECLARED.match(start)
    strange = declared is not None and declared[1].lower() not in _ENCODINGS
    if not wide and (strange or not start.startswith(b"<")):
        raise ParseError("unsafe_xml", f"{_shown(name)} is not XML in a usual encoding")


def _check(infos: list[zipfile.ZipInfo], end: int) -> None:
    if len(infos) > MAX_MEMBERS:
        raise ParseError("too_many_members", f"it has more than {MAX_MEMBERS:,} members")
    if sum(info.file_size for info in infos) > MAX_TOTAL:
        raise ParseError("zip_bomb", f"it would unpack to more than {MAX_TOTAL >> 20} MB")
    for info in infos:
        _check_member(info)
    # Entries that share bytes let a small file unpack to a huge one many times over.
    starts = sorted((info.header_offset, info.compress_size) for info in infos)
    following = [start for start, _ in starts[1:]] + [end]
    for (start, size), next_start in zip(starts, following, strict=bool(starts)):
        if start + _LOCAL_HEADER + size > next_start:
            raise ParseError("zip_bomb", "its members overlap, which no honest zip file does")


def _check_member(info: zipfile.ZipInfo) -> None:
    if info.flag_bits & 1:
        raise ParseError("encrypted", "it is protected by a password")
    if info.compress_type not in _METHODS:
        reason = f"{_shown(info.filename)} is packed by a method that documents do not use"
        raise ParseError("wrong_format", reason)
    if info.file_size > max(_RATIO_FROM, MAX_RATIO * info.compress_size):
        reason = f"{_shown(info.filename)} would unpack to over {MAX_RATIO} times its size"
        raise ParseError("zip_bomb", reason)


def _refuse_ole(data: bytes) -> None:
    """Office wraps a password-protected document in the container of its older formats."""
    if not data.startswith(_OLE_HEADER):
        return
    if "EncryptedPackage".encode("utf-16-le") in data:
        raise ParseError("encrypted", "it is protected by a password")
    raise ParseError("wrong_format", "it is an old binary Office file; save it in the new format")


def _escapes(name: str) -> bool:
    return name.startswith("/") or ".." in re.split(r"[/\\]", name)


def _shown(name: str) -> str:
    """*name* fit for one plain line: member names are as hostile as file names."""
    return ascii(name if len(name) <= 80 else name[:77] + "...")
