"""PDF files written object by object, so that each can be broken in one place."""

import hashlib
import zlib
from dataclasses import dataclass, field

_PAD = bytes.fromhex("28BF4E5E4E758A4164004E56FFFA01082E2E00B6D0683E802F0CA9FE6453697A")
_ID = b"0123456789abcdef"
_PERMISSIONS = b"\xfc\xff\xff\xff"  # -4: everything allowed


@dataclass
class Pdf:
    """Objects by number; `render` writes them with a correct cross-reference table."""

    objects: dict[int, bytes] = field(default_factory=dict[int, bytes])
    trailer: bytes = b"/Root 1 0 R"

    def render(self) -> bytes:
        body = b"%PDF-1.4\n"
        offsets: dict[int, int] = {}
        for number, content in self.objects.items():
            offsets[number] = len(body)
            body += b"%d 0 obj\n%b\nendobj\n" % (number, content)
        size = max(self.objects) + 1
        table = b"xref\n0 %d\n0000000000 65535 f \n" % size
        for number in range(1, size):
            table += b"%010d 00000 n \n" % offsets.get(number, 0)
        end = b"trailer\n<< /Size %d %b >>\nstartxref\n%d\n%%%%EOF\n"
        return body + table + end % (size, self.trailer, len(body))


def pdf(*pages: str, title: str = "", bookmarks: dict[str, int] | None = None) -> Pdf:
    """A document with one line of text on each page; *bookmarks* lead to page numbers."""
    document = Pdf()
    document.objects[1] = b"<< /Type /Catalog /Pages 2 0 R >>"
    kids = b" ".join(b"%d 0 R" % (10 + 2 * index) for index in range(len(pages)))
    document.objects[2] = b"<< /Type /Pages /Kids [%b] /Count %d >>" % (kids, len(pages))
    document.objects[3] = b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"
    for index, text in enumerate(pages):
        shown = b"BT /F1 12 Tf 50 700 Td (%b) Tj ET" % text.encode("latin-1")
        document.objects[10 + 2 * index] = (
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792]"
            b" /Resources << /Font << /F1 3 0 R >> >> /Contents %d 0 R >>" % (11 + 2 * index)
        )
        document.objects[11 + 2 * index] = stream(shown if text else b"")
    if title:
        document.objects[4] = b"<< /Title (%b) /Keywords (one, two) >>" % title.encode("latin-1")
        document.trailer += b" /Info 4 0 R"
    if bookmarks:
        _add_bookmarks(document, bookmarks)
    return document


def stream(content: bytes, extra: bytes = b"") -> bytes:
    return b"<< /Length %d %b >>\nstream\n%b\nendstream" % (len(content), extra, content)


def bomb(megabytes: int) -> Pdf:
    """A page whose content is deflated twice over: spaces, at a ratio of a thousand each."""
    document = pdf("small")
    content = zlib.compress(zlib.compress(b" " * (megabytes << 20), 9), 9)
    document.objects[11] = stream(content, b"/Filter [/FlateDecode /FlateDecode]")
    return document


def encrypted(text: str, *, user: bytes, owner: bytes) -> bytes:
    """One page of *text*, encrypted with 40-bit RC4 (PDF 1.4, algorithms 3.1 to 3.4).

    With an empty *user* password everybody may read it; only the owner may change it.
    """
    document = pdf(text)
    owner_entry = _rc4(hashlib.md5(_padded(owner)).digest()[:5], _padded(user))  # noqa: S324
    secret = _padded(user) + owner_entry + _PERMISSIONS + _ID
    key = hashlib.md5(secret).digest()[:5]  # noqa: S324
    shown = b"BT /F1 12 Tf 50 700 Td (%b) Tj ET" % text.encode("latin-1")
    object_key = hashlib.md5(key + (11).to_bytes(3, "little") + b"\0\0").digest()[:10]  # noqa: S324
    document.objects[11] = stream(_rc4(object_key, shown))
    document.objects[4] = b"<< /Filter /Standard /V 1 /R 2 /P -4 /O <%b> /U <%b> >>" % (
        owner_entry.hex().encode(),
        _rc4(key, _PAD).hex().encode(),
    )
    document.trailer += b" /Encrypt 4 0 R /ID [<%b> <%b>]" % ((_ID.hex().encode(),) * 2)
    return document.render()


def _add_bookmarks(document: Pdf, bookmarks: dict[str, int]) -> None:
    first, last = 100, 99 + len(bookmarks)
    document.objects[1] = b"<< /Type /Catalog /Pages 2 0 R /Outlines 99 0 R >>"
    document.objects[99] = b"<< /First %d 0 R /Last %d 0 R >>" % (first, last)
    for number, (title, page) in enumerate(bookmarks.items(), start=first):
        following = b"/Next %d 0 R" % (number + 1) if number < last else b""
        document.objects[number] = b"<< /Title (%b) /Parent 99 0 R %b /Dest [%d 0 R /Fit] >>" % (
            title.encode("latin-1"),
            following,
            10 + 2 * (page - 1),
        )


def _padded(password: bytes) -> bytes:
    return (password + _PAD)[:32]


def _rc4(key: bytes, data: bytes) -> bytes:
    state = list(range(256))
    j = 0
    for i in range(256):
        j = (j + state[i] + key[i % len(key)]) % 256
        state[i], state[j] = state[j], state[i]
    out = bytearray()
    i = j = 0
    for byte in data:
        i = (i + 1) % 256
        j = (j + state[i]) % 256
        state[i], state[j] = state[j], state[i]
        out.append(byte ^ state[(state[i] + state[j]) % 256])
    return bytes(out)
