"""The parsers of text-like files: headings, metadata, exact lines, and hostile input."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lsm.ingest.document import Document, ParseError
from lsm.ingest.parsers import SUPPORTED, parser_for

RAW = ("a.txt", "a.md", "a.rst", "a.org", "a.py", "a.ts", "a.c", "a.yaml", "a.toml", "a.csv")
LINES = st.sampled_from(
    ["", "text", "# one", "## two", "===", "---", "```", "* star", "def f():", "  class A:", "}",
     '"""', "a: b", "[t]", "<!--", "-->", "> q", "- item", "    code", "int f(int a) {", "+++"]
)  # fmt: skip
BINARY = {".pdf", ".docx", ".pptx", ".xlsx", ".epub", ".odt", ".odp", ".ods"}


@pytest.mark.parametrize("name", RAW)
@given(lines=st.lists(LINES, max_size=12))
def test_raw_text_is_kept_whole_with_exact_lines(name: str, lines: list[str]) -> None:
    text = "\n".join(lines)

    document = parse(name, text)

    assert joined(document) == text
    for section in document.sections:
        begin = "\n".join(lines[section.start_line - 1 :])
        assert begin.startswith(section.text)


@given(st.sampled_from(sorted(SUPPORTED - BINARY)), st.binary(max_size=200))
def test_any_bytes_give_a_document_or_a_parse_error(extension: str, data: bytes) -> None:
    parser = parser_for("x" + extension)
    assert parser is not None

    try:
        document = parser(data, "x" + extension)
    except ParseError as error:
        assert "\n" not in error.reason  # noqa: PT017
    else:
        joined(document).encode("utf-8")


@pytest.mark.parametrize("name", ["A.MD", "README", "Dockerfile", "CMakeLists.txt", "x.tar.md"])
def test_names_that_are_read(name: str) -> None:
    assert parser_for(name) is not None


@pytest.mark.parametrize("name", ["a.exe", "a.pkl", "noextension", "", ".", "a.", "md"])
def test_names_that_are_not(name: str) -> None:
    assert parser_for(name) is None


# Markdown


def test_markdown_headings_make_a_path() -> None:
    text = "intro\n# One\n### Deep\n## Two [link](x) `code` ##\nSet\n===\nsub\n---\n"

    assert outline_of("a.md", text) == [
        (1, ()),
        (2, ("One",)),
        (3, ("One", "Deep")),
        (4, ("One", "Two link code")),
        (5, ("Set",)),
        (7, ("Set", "sub")),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "```\n# no\n```\n",
        "~~~~ sh\n# no\n~~~\n# no\n~~~~\n",
        "```\n# never closed\n",
        "<!-- a\n# no\n-->\n",
        "<pre>\n# no\n</pre>\n",
        "    # code\n",
        "#no space\n",
        "- item\n---\n",
        "two\nlines\n---\n",
        "\n---\n",
    ],
)
def test_what_is_no_markdown_heading(text: str) -> None:
    assert outline_of("a.md", "x\n\n" + text) == [(1, ())]


def test_front_matter_fills_the_document() -> None:
    matter = "title: T\ntags: [x, '#y z']\nkeywords: a, b\nauthor: {name: Bo}\ndate: 2024-01-02\n"

    document = parse("a.md", f"---\n{matter}---\n# Other\n")

    assert document.title == "T"
    assert document.tags == ("x", "y z", "a", "b")
    assert document.metadata == {"author": "Bo", "date": "2024-01-02"}
    assert document.flags == ()


def test_toml_front_matter_works_too() -> None:
    document = parse("a.md", '+++\ntitle = "T"\ntags = ["x"]\ndate = 2024-01-02\n+++\ntext\n')

    assert (document.title, document.tags) == ("T", ("x",))
    assert document.metadata == {"date": "2024-01-02"}


BAD_MATTERS = [
    "title: [unclosed",
    "just a text",
    "title: !!python/object/apply:os.system [id]",
    "a: &a [1]\nb: [" + ", ".join(["*a"] * 100) + "]",
    "a: &a [*a]",
    "a: " + "[" * 60_000,
    "- " * 30_000,
    "a: b\n" * 100_000,
]


@pytest.mark.parametrize("matter", BAD_MATTERS, ids=lambda matter: matter[:12])
def test_bad_front_matter_is_ignored_and_flagged(matter: str) -> None:
    document = parse("a.md", f"---\n{matter}\n---\n# Title\n")

    assert document.flags == ("front_matter_ignored",)
    assert document.title == "Title"
    assert document.tags == ()


def test_a_thematic_break_is_no_front_matter() -> None:
    document = parse("a.md", "---\nnot closed\n# Title\n")

    assert (document.flags, document.title) == ((), "Title")


# The other markups


def test_rst_levels_come_in_the_order_of_their_styles() -> None:
    text = "====\nBook\n====\n:Author: Bo\n\nOne\n===\nSub\n---\n\na\nb\n--\n\nTwo\n===\n"

    document = parse("a.rst", text)

    assert document.title == "Book"
    assert document.metadata == {"author": "Bo"}
    assert [section.heading for section in document.sections] == [
        ("Book",),
        ("Book", "One"),
        ("Book", "One", "Sub"),
        ("Book", "Two"),
    ]


def test_org_headlines_and_keywords() -> None:
    text = "#+TITLE: T\n#+FILETAGS: :a:b:\n* TODO One :tag:\n** Two\n"

    document = parse("a.org", text)

    assert (document.title, document.tags) == ("T", ("a", "b"))
    assert document.sections[-1].heading == ("One", "Two")


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("A Title\n\ntext\n", "A Title"),
        ("\nunderlined\n==========\ntext\n", "underlined"),
        ("LS(1)  User Commands  LS(1)\n\nNAME\n", "LS(1)"),
        ("A sentence ends.\n\ntext\n", None),
        ("only a line\n", None),
        ("first line\nsecond line\n", None),
    ],
)
def test_a_text_has_a_title_only_if_it_is_obvious(text: str, title: str | None) -> None:
    assert parse("a.txt", text).title == title


# HTML


def test_html_is_read_as_it_is_seen() -> None:
    page = """<html lang=en><head><title> The  page </title><meta name=keywords content="a, b">
    <meta name=author content=Ann><style>no</style></head><body><nav>no</nav><p>Some <b>bold</b>,
    and</p><h1>One <i>x</i></h1>one<br>two<script>no()</script><ul><li>a</li><li><p>b</p></li></ul>
    <table><tr><th>K</th><th>V</th></tr><tr><td><p>1</p></td><td>2</td></tr></table><h2>Sub</h2>
    <pre>def f():\n    pass</pre><p hidden>no</p><p style="display: none">no</p></body></html>"""

    document = parse("a.html", page)

    assert document.title == "The page"
    assert document.tags == ("a", "b")
    assert document.metadata == {"author": "Ann", "language": "en"}
    assert [(section.heading, section.text) for section in document.sections] == [
        ((), "Some bold, and\n\n"),
        (("One x",), "One x\n\none\ntwo\n\n- a\n- b\n\nK | V\n1 | 2\n\n"),
        (("One x", "Sub"), "Sub\n\ndef f():\n    pass\n\n"),
    ]
    assert [section.start_line for section in document.sections] == [1, 3, 14]


@pytest.mark.parametrize(("page", "title"), [("<h2>Own</h2>text", "Own"), ("<p>text", None)])
def test_html_without_a_title_has_that_of_its_first_heading(page: str, title: str | None) -> None:
    assert parse("a.html", page).title == title


def test_html_charset_is_honoured() -> None:
    page = '<meta charset="iso-8859-7"><p>Ωmega λ</p>'.encode("iso-8859-7")

    assert joined(parse_bytes("a.html", page)) == "Ωmega λ\n\n"


def test_html_in_a_mail_is_in_the_charset_of_the_mail() -> None:
    head = b"Subject: S\nContent-Type: text/html; charset=iso-8859-7\n\n"

    assert joined(parse_bytes("a.eml", head + "<p>Ωmega λ".encode("iso-8859-7"))).endswith(
        "Ωmega λ\n"
    )


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.html", "<p>a&#x202e;b"),
        ("a.ipynb", r'{"cells": [{"cell_type": "markdown", "source": "a\u202eb"}]}'),
    ],
)
def test_hidden_characters_behind_escapes_are_flagged(name: str, text: str) -> None:
    assert parse(name, text).flags == ("hidden_characters",)


@pytest.mark.parametrize(
    "page", ["<a " * 19_000, "<![[[" * 1000, "<!--" * 20_000, "<b>" * 20_000, "<p>x<br>" * 5000]
)
def test_broken_html_is_read_all_the_same(page: str) -> None:
    assert isinstance(parse("a.html", page), Document)


@pytest.mark.parametrize("tag", ["div", "span", "table", "svg", "x-own"])
def test_html_nested_as_no_page_is_is_refused(tag: str) -> None:
    assert refusal("a.html", f"<{tag}>".encode() * 200_000) == "too_deep"


# Code


PYTHON = """import x

# about
@d
class A:
    y = 1

    def f(self):
        '''
def no(): pass
'''
    z = 2

def g():
    pass
if x:
    g()
"""
TYPESCRIPT = """import x;
/** doc */
export class A {
  async run(x: X): Y {
    if (x) {
    }
  }
}
export const f = async (a: B) => {
};
function g() {}
"""
CPP = """#include <x>
// doc
static int foo(int a,
               int b)
{
  if (a) {
    bar(b);
  }
}
class B : C {
  void m() const {
  }
};
int B::n() {
}
"""
GO = """package x

// doc
func (r *R) F() error {
}
type T struct {
}
"""


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("a.py", PYTHON, [(1, ()), (3, ("A",)), (8, ("A", "f")), (12, ("A",)), (14, ("g",)),
                          (16, ())]),
        ("a.ts", TYPESCRIPT, [(1, ()), (2, ("A",)), (4, ("A", "run")), (9, ("f",)), (11, ("g",))]),
        ("a.cpp", CPP, [(1, ()), (2, ("foo",)), (10, ("B",)), (11, ("B", "m")), (14, ("B::n",))]),
        ("a.go", GO, [(1, ()), (3, ("F",)), (6, ("T",))]),
        ("a.rs", "use x;\npub async fn f() {\n}\nimpl A {\n    fn g() {}\n}\n",
         [(1, ()), (2, ("f",)), (4, ("A",)), (5, ("A", "g"))]),
        ("a.sh", "x=1\nfoo() {\n}\nfunction bar {\n}\n", [(1, ()), (2, ("foo",)), (4, ("bar",))]),
        ("a.sql", "-- doc\nCREATE TABLE IF NOT EXISTS t (\n);\n", [(1, ("t",))]),
        ("Makefile", "X := 1\nall: b\n\techo\n", [(1, ()), (2, ("all",))]),
        ("a.rb", "module M\n  def f\n  end\nend\n", [(1, ("M",)), (2, ("M", "f"))]),
    ],
)  # fmt: skip
def test_code_is_cut_at_its_definitions(
    name: str, text: str, expected: list[tuple[int, tuple[str, ...]]]
) -> None:
    assert outline_of(name, text) == expected


# Data


def test_escaped_letters_of_json_become_letters() -> None:
    text = r'{"a": "\u00e9 \ud83d\ude00 \\u00e9 \ud800 \u0000 \u0022"}'

    assert joined(parse("a.json", text)) == r'{"a": "é 😀 \\u00e9 \ud800 \u0000 \u0022"}'


@pytest.mark.parametrize(
    "text", ["[" * 100_000, '{"a": NaN, "a": ' + "9" * 5000 + "}", "not json", '{"a": 1}\n{}\n']
)
def test_json_is_text_whatever_it_holds(text: str) -> None:
    assert joined(parse("a.json", text)) == text


def test_the_columns_of_a_table_are_its_heading() -> None:
    document = parse("a.csv", 'name;"mail; work"\nx;y\n')

    assert document.sections[0].heading == ("name, mail; work",)
    assert joined(document) == 'name;"mail; work"\nx;y\n'


@pytest.mark.parametrize("text", ["1,2\n3,4\n", "one column\nx\n", "a,,b\n"])
def test_a_first_row_that_is_data_is_no_heading(text: str) -> None:
    assert parse("a.csv", text).sections[0].heading == ()


@pytest.mark.parametrize(
    ("declaration", "code"),
    [
        ('<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>', "unsafe_xml"),
        ('<!DOCTYPE a [<!ENTITY % x SYSTEM "http://localhost/"> %x;]><a/>', "unsafe_xml"),
        ('<!DOCTYPE a [<!ENTITY a "lol"><!ENTITY b "&a;&a;">]><a>&b;</a>', "unsafe_xml"),
        ("<a>" * 200_000, "too_deep"),
    ],
)
def test_dangerous_xml_is_refused(declaration: str, code: str) -> None:
    assert refusal("a.xml", declaration.encode()) == code


@pytest.mark.parametrize("depth", [256, 257])
def test_xml_depth_is_limited(depth: int) -> None:
    page = ("<a>" * depth + "</a>" * depth).encode()

    assert refusal("a.xml", page) == (None if depth == 256 else "too_deep")


def test_xml_is_text_with_its_title() -> None:
    page = '<?xml version="1.0" encoding="cp1251"?><r><title>Привет</title></r>'

    document = parse_bytes("a.xml", page.encode("cp1251"))

    assert (document.title, joined(document)) == ("Привет", page)


def test_a_notebook_is_its_cells_without_outputs() -> None:
    cells = [
        {"cell_type": "markdown", "source": ["# T\n", "prose \ud800"]},
        {"cell_type": "code", "source": "x = 1\n# no", "outputs": [{"text": "A" * 1000}]},
    ]

    document = parse("a.ipynb", json.dumps({"cells": cells, "x": float("nan")}))

    assert document.title == "T"
    assert joined(document) == "# T\nprose \ufffd\n\n```\nx = 1\n# no\n```\n\n"
    assert {section.heading for section in document.sections} == {("T",)}


@pytest.mark.parametrize("text", ["[" * 100_000, "[]", "{}", '{"cells": 1}', "not json"])
def test_what_is_no_notebook_is_refused(text: str) -> None:
    assert refusal("a.ipynb", text.encode()) == "invalid_notebook"


# Mail


MAIL = b"""From: =?utf-8?q?J=C3=B6rg?= <j@example.org>
To: a@example.org
Subject: Hi =?utf-8?q?th=C3=A9re?=
Date: Mon, 1 Jan 2024 00:00:00 +0000
Content-Type: multipart/mixed; boundary="B"

--B
Content-Type: multipart/alternative; boundary="C"

--C
Content-Type: text/html; charset=utf-8

<p>page</p>
--C
Content-Type: text/plain; charset=iso-8859-1
Content-Transfer-Encoding: quoted-printable

caf=E9
--C--
--B
Content-Type: application/pdf
Content-Disposition: attachment; filename="plan.pdf"

secret
--B--
"""


def test_a_mail_is_its_headers_its_plain_text_and_the_names_of_what_is_attached() -> None:
    document = parse_bytes("a.eml", MAIL)

    assert document.title == "Hi thére"
    assert document.metadata["from"] == "Jörg <j@example.org>"
    assert joined(document).endswith("Subject: Hi thére\n\ncafé\n\nAttachments: plan.pdf\n")


def test_a_mail_without_plain_text_is_read_from_its_html() -> None:
    data = b"Subject: S\nContent-Type: text/html\n\n<p>one<p>two<script>no</script>"

    assert joined(parse_bytes("a.eml", data)) == "Subject: S\n\none\n\ntwo\n"


@pytest.mark.parametrize(("levels", "code"), [(19, None), (20, "too_deep"), (1000, "too_deep")])
def test_mail_parts_nest_to_a_depth(levels: int, code: str | None) -> None:
    head = 'Content-Type: multipart/mixed; boundary="b{0}"\n\n--b{0}\n'
    data = "".join(head.format(level) for level in range(levels)) + "\ntext\n"

    assert refusal("a.eml", b"Subject: x\n" + data.encode()) == code


def test_bad_headers_do_not_stop_a_mail() -> None:
    data = b"Subject: =?no-such?q?x?= \xff\nContent-Type: text/plain; charset=no-such\n\nbody\n"

    assert joined(parse_bytes("a.eml", data)).endswith("\n\nbody\n")


def test_a_mailbox_is_a_section_a_message() -> None:
    data = b"From a\nSubject: S1\n\none\n>From x\n\nFrom b\nSubject: S2\n\ntwo\n"

    document = parse_bytes("a.mbox", data)

    assert [(section.heading, section.start_line) for section in document.sections] == [
        (("S1",), 1),
        (("S2",), 6),
    ]
    assert "\nFrom x\n" in document.sections[0].text


@pytest.mark.parametrize("extension", sorted(SUPPORTED - BINARY))
def test_an_empty_file_is_an_empty_document(extension: str) -> None:
    assert joined(parse("a" + extension, "")) == ""


@pytest.mark.parametrize("name", ["a.eml", "a.mbox"])
def test_what_is_no_mail_is_refused(name: str) -> None:
    assert refusal(name, b"hello") == "invalid_mail"


def parse(name: str, text: str) -> Document:
    return parse_bytes(name, text.encode())


def parse_bytes(name: str, data: bytes) -> Document:
    parser = parser_for(name)
    assert parser is not None
    return parser(data, name)


def refusal(name: str, data: bytes) -> str | None:
    try:
        parse_bytes(name, data)
    except ParseError as error:
        return error.code
    return None


def joined(document: Document) -> str:
    return "".join(section.text for section in document.sections)


def outline_of(name: str, text: str) -> list[tuple[int, tuple[str, ...]]]:
    return [(section.start_line, section.heading) for section in parse(name, text).sections]
