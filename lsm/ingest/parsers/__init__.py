"""Which parser reads which file. A parser is imported when it reads its first file."""

from collections.abc import Callable
from functools import partial
from importlib import import_module

from lsm.ingest.document import Document

Parser = Callable[[bytes, str], Document]
"""Takes the bytes and the name of a file.

Raises:
    ParseError: the file cannot be read as what it seems to be.
"""

PARSERS_VERSION = "1"
"""Changes whenever the same file would be parsed differently; everything is then read again."""

# Module of this package: the extensions it reads.
_EXTENSIONS = {
    "text": ".txt .text .log .man .adoc .asciidoc .tex .bib .srt .vtt",
    "markdown": ".md .markdown .mdown .mkd .mdx .qmd .rmd",
    "rst": ".rst .rest",
    "org": ".org",
    "html": ".html .htm .xhtml",
    "data": (
        ".json .jsonl .ndjson .json5 .jsonc .geojson .yaml .yml .toml .ini .cfg .conf"
        " .properties .csv .tsv .xml .rss .atom"
    ),
    "notebook": ".ipynb",
    "mail": ".eml .mbox",
    "code": (
        ".py .pyi .js .mjs .cjs .jsx .ts .tsx .vue .svelte .java .kt .kts .scala .groovy .c .h .cc"
        " .cpp .cxx .hh .hpp .m .mm .cs .fs .go .rs .rb .php .swift .dart .zig .nim .jl .lua .pl"
        " .pm .r .hs .elm .ml .mli .ex .exs .erl .hrl .clj .cljs .lisp .el .scm .sh .bash .zsh"
        " .fish .ps1 .bat .sql .css .scss .sass .less .mk .cmake .dockerfile .tf .proto .graphql"
        " .gradle .asm .s .vb .pas .f90 .sol"
    ),
    "pdf": ".pdf",
    "docx": ".docx",
    "pptx": ".pptx",
    "xlsx": ".xlsx",
    "epub": ".epub",
    "odt": ".odt .odp .ods",
}

# Names that say what a file is without an extension, or in spite of it.
_NAMES = {
    "text": "readme license licence copying notice authors changes changelog news todo install",
    "code": "makefile gnumakefile dockerfile containerfile jenkinsfile vagrantfile rakefile gemfile"
    " justfile procfile cmakelists.txt",
}


def _parse(module: str, data: bytes, name: str) -> Document:
    return import_module(f"{__name__}.{module}").parse(data, name)


_BY_EXTENSION: dict[str, Parser] = {
    extension: partial(_parse, module)
    for module, extensions in _EXTENSIONS.items()
    for extension in extensions.split()
}
_BY_NAME: dict[str, Parser] = {
    name: partial(_parse, module) for module, names in _NAMES.items() for name in names.split()
}

SUPPORTED = frozenset(_BY_EXTENSION)
"""Extensions, lower case with their dot, that are ingested by default."""


def parser_for(name: str) -> Parser | None:
    """What reads a file of that *name* (without folders; case does not matter), or None."""
    name = name.lower()
    if name in _BY_NAME:
        return _BY_NAME[name]
    _, dot, extension = name.rpartition(".")
    return _BY_EXTENSION.get(dot + extension) if dot else None
