"""Settings of remote sources. None is asked before it is enabled here."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from lsm.errors import ConfigError

Kind = Literal[
    "arxiv",
    "wikipedia",
    "openalex",
    "crossref",
    "semantic_scholar",
    "pubmed",
    "feed",
    "page",
    "json",
]
BUILT_IN: tuple[Kind, ...] = (
    "arxiv",
    "wikipedia",
    "openalex",
    "crossref",
    "semantic_scholar",
    "pubmed",
    "page",
)
_MINUTES = {"feed": 30}  # how long an answer counts as fresh; a day for any other kind
_A_DAY = 1440


class JsonFields(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where in the answer of a JSON endpoint things stand: names, joined by dots."""

    results: str = "results"
    title: str = "title"
    url: str = "url"
    snippet: str = "content"
    published: str = "publishedDate"
    score: str = "score"


class ProviderConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One source, below ``[remote.providers.NAME]``."""

    enabled: bool = False
    kind: Kind | None = None  # None: the name is the kind
    cache_minutes: Annotated[int, Meta(ge=1, le=525_600)] | None = None
    key_env: str = ""  # the environment variable that holds the key; never the key itself
    urls: tuple[Annotated[str, Meta(min_length=8, max_length=2000)], ...] = ()  # of feeds
    # Of a JSON endpoint: {searchTerms}, {count} and {startIndex} are filled in (OpenSearch 1.1).
    url: Annotated[str, Meta(max_length=2000)] = ""
    key_header: str = "Authorization"  # in which a JSON endpoint wants its key
    fields: JsonFields = JsonFields()
    language: Annotated[str, Meta(pattern="^[a-z][a-z0-9-]{1,15}$")] = "en"  # of Wikipedia

    def minutes(self, kind: Kind) -> int:
        """How long an answer counts as fresh."""
        return self.cache_minutes or _MINUTES.get(kind, _A_DAY)


class RemoteConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everything below ``[remote]``."""

    providers: dict[Annotated[str, Meta(pattern="^[A-Za-z0-9_-]{1,64}$")], ProviderConfig] = {}
    # Sent to the services that ask who is calling, so that they can write before they block.
    contact: Annotated[str, Meta(max_length=200, pattern=r"^[ -~]*$")] = ""
    cache_mb: Annotated[int, Meta(ge=16, le=65_536)] = 256

    def __post_init__(self) -> None:
        for name, provider in self.providers.items():
            _check(f"remote.providers.{name}", name, provider)

    def kind_of(self, name: str) -> Kind | None:
        """What sort of source *name* is; None if there is none of that name."""
        provider = self.providers.get(name)
        if provider is not None and provider.kind is not None:
            return provider.kind
        return next((kind for kind in BUILT_IN if kind == name), None)


def _check(key: str, name: str, provider: ProviderConfig) -> None:
    kind = provider.kind or name
    if provider.kind is None and name not in BUILT_IN:
        known = ", ".join((*BUILT_IN, "feed", "json"))
        raise ConfigError(f"{key}.kind", f"is missing; one of {known}")
    if kind == "feed" and not provider.urls:
        raise ConfigError(f"{key}.urls", "is missing: the addresses of the feeds")
    if kind == "json" and "{searchTerms}" not in provider.url:
        raise ConfigError(f"{key}.url", "is missing, or has no {searchTerms} in it")
