"""How definitions begin in the languages people write: one line in, a name out.

No grammar, only line heads: a wrong guess costs a chunk a heading and nothing else. Lines are
cut to 300 characters before they come here, and every pattern is tried once at their start.
"""

import re
from collections.abc import Callable

Finder = Callable[[str], str | None]
"""The name a line defines, or None."""


def _pattern(text: str) -> Finder:
    match = re.compile(r"\s*" + text).match

    def find(line: str) -> str | None:
        found = match(line)
        return found["name"].strip() if found else None

    return find


_MODIFIERS = (
    r"(?:(?:export|default|declare|public|private|protected|internal|static|final|abstract|async"
    r"|override|open|sealed|data|inline|virtual|partial|readonly|unsafe|extern|pub(?:\([\w:]+\))?"
    r"|const|case|implicit|lazy|suspend|fileprivate|mutating|indirect|companion|inner|enum"
    r"|annotation|value|local)\s++)*+"
)
_python = _pattern(r"(?:async\s++)?(?:def|class)\s++(?P<name>\w+)")
_ruby = _pattern(r"(?:def|class|module)\s++(?P<name>[\w.:?!=]+)")
_go = _pattern(r"(?:func|type)\s++(?:\([^()]*\)\s*+)?(?P<name>\w+)")
_rust = _pattern(
    _MODIFIERS + r"(?:fn|struct|enum|trait|mod|macro_rules!|union|impl(?:<[^<>]*>)?)\s++"
    r"(?P<name>\w[\w:<> ,']*)"
)
_script = _pattern(
    _MODIFIERS + r"(?:function\*?|class|interface|namespace|module|enum|type)\s++(?P<name>[\w$.]+)"
)
_arrow = _pattern(
    r"(?:export\s++)?(?:const|let|var)\s++(?P<name>[\w$]+)\s*+(?::[^=]*)?=\s*+"
    r"(?:async\s*+)?(?:function\b|\([^()]*\)\s*+(?::[^=]*)?=>|[\w$]+\s*+=>)"
)
_type = _pattern(
    _MODIFIERS + r"(?:class|struct|interface|trait|enum|union|record|object|namespace|module"
    r"|protocol|extension|actor|mixin|contract|library|fun|func|def|fn|proc|sub)\s++"
    r"(?P<name>[\w.:]+)"
)
_shell = _pattern(r"(?:function\s++(?=[\w:.-])|(?=[\w:.-]++\s*+\(\)))(?P<name>[\w:.-]+)")
_lua = _pattern(r"(?:local\s++)?function\s++(?P<name>[\w.:]+)")
_perl = _pattern(r"(?:sub|package)\s++(?P<name>[\w:]+)")
_r = _pattern(r"(?P<name>[\w.]+)\s*+(?:<-|=)\s*+function\b")
_elixir = _pattern(r"(?:defmodule|defmacrop?|defprotocol|defimpl|defp?)\s++(?P<name>[\w.?!]+)")
_lisp = _pattern(r"\((?:def\w*|ns|define(?:-\w+)?)\s++\(?(?P<name>[^\s()\[\]]+)")
_sql = _pattern(
    r"(?i:create\s++(?:or\s++replace\s++)?(?:temp(?:orary)?\s++|unique\s++|materialized\s++)*+"
    r"(?:table|view|function|procedure|trigger|type|schema|index)\s++(?:if\s++not\s++exists\s++)?)"
    r"(?P<name>[\w.\"`]+)"
)
_terraform = _pattern(
    r"(?:resource|data|module|variable|output|provider)\s++(?P<name>\"[\w-]+\"(?:\s++\"[\w-]+\")?)"
)
_proto = _pattern(r"(?:message|service|enum|rpc)\s++(?P<name>\w+)")
_graphql = _pattern(
    r"(?:extend\s++)?(?:type|interface|enum|input|union|query|mutation|subscription|fragment"
    r"|scalar|directive)\s++(?P<name>@?\w+)"
)
_make = _pattern(r"(?<!\s)(?P<name>[\w./%-]+)\s*+:(?![=:])")
_cmake = _pattern(r"(?i:function|macro)\s*+\(\s*+(?P<name>\w+)")
_docker = _pattern(r"(?i:from)\s++\S++\s++(?i:as)\s++(?P<name>[\w.-]+)")
_haskell = _pattern(r"(?:data|newtype|type|class|instance|module)\s++(?P<name>\w[\w. ]*)")
_haskell_signature = _pattern(r"(?<!\s)(?P<name>[a-z_]\w*'*)\s*+::")
_ml = _pattern(r"(?:let(?:\s++rec)?|and|module|type)\s++(?P<name>[\w.]+)")
_erlang = _pattern(r"(?<!\s)(?P<name>[a-z]\w*)\([^()]*\)[^.]*->")
_powershell = _pattern(r"(?i:function|filter|class)\s++(?P<name>[\w:-]+)")
_julia = _pattern(r"(?:function|struct|mutable\s++struct|module|macro)\s++(?P<name>[\w.!]+)")

_NO_FUNCTION = frozenset(
    {"if", "else", "for", "while", "switch", "catch", "return", "throw", "new", "do", "case"}
    | {"sizeof", "await", "yield", "using", "lock", "foreach", "elif", "assert", "delete", "in"}
)


def _c_function(line: str) -> str | None:
    """``type name(arguments) {`` or, with the brace on the next line, the same at column 0."""
    head, parenthesis, rest = line.partition("(")
    rest = rest.rstrip()
    if not parenthesis or "=" in head or not rest.endswith(("{", ")", ",", "const", "override")):
        return None
    if not rest.endswith("{") and line[0].isspace():
        return None
    words = head.replace("*", " ").replace("&", " ").split()
    if len(words) < 2 or not words[0][0].isalpha() or not _NO_FUNCTION.isdisjoint(words):
        return None
    name = words[-1]
    return name if name.replace("::", "").replace("~", "").isidentifier() else None


def _method(line: str) -> str | None:
    """``name(arguments) {`` inside a class, as JavaScript writes it."""
    head, parenthesis, rest = line.partition("(")
    if not parenthesis or not line[0].isspace() or not rest.rstrip().endswith("{"):
        return None
    words = head.split()
    if not words or not _NO_FUNCTION.isdisjoint(words) or not words[-1].isidentifier():
        return None
    prefixes = {"async", "static", "get", "set", "public", "private", "protected", "override"}
    return words[-1] if prefixes.issuperset(words[:-1]) and words[-1] != "function" else None


_C = (_type, _c_function)
_JS = (_script, _arrow, _method)

_FAMILIES: dict[str, tuple[Finder, ...]] = {
    "py pyi": (_python,),
    "js mjs cjs jsx ts tsx vue svelte": _JS,
    "c h cc cpp cxx hh hpp m mm cs java groovy gradle dart": _C,
    "kt kts scala swift zig nim sol vb pas": (_type,),
    "go": (_go,),
    "rs": (_rust,),
    "rb rakefile gemfile vagrantfile": (_ruby,),
    "php": (_script,),
    "sh bash zsh fish": (_shell,),
    "ps1": (_powershell,),
    "sql": (_sql,),
    "r": (_r,),
    "lua": (_lua,),
    "pl pm": (_perl,),
    "hs elm": (_haskell, _haskell_signature),
    "ml mli fs": (_ml,),
    "ex exs": (_elixir,),
    "erl hrl": (_erlang,),
    "clj cljs lisp el scm": (_lisp,),
    "jl": (_julia,),
    "tf": (_terraform,),
    "proto": (_proto,),
    "graphql": (_graphql,),
    "mk makefile gnumakefile": (_make,),
    "cmake cmakelists.txt": (_cmake,),
    "dockerfile containerfile": (_docker,),
}

FINDERS: dict[str, tuple[Finder, ...]] = {
    key: finders for keys, finders in _FAMILIES.items() for key in keys.split()
}
"""By extension without its dot, or by whole name, in lower case."""
