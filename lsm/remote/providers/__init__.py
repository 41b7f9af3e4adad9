"""Every sort of source, by its kind."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from lsm.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lsm.clock import Clock
    from lsm.config.models.remote import Kind, ProviderConfig, RemoteConfig
    from lsm.remote.feed_state import FeedState
    from lsm.remote.network import Key
    from lsm.remote.providers.base import Provider, Readers, Setting

# Where a key is looked for if the configuration names no other variable.
KEY_VARIABLES: Mapping[str, str] = {
    "openalex": "OPENALEX_API_KEY",
    "crossref": "CROSSREF_API_TOKEN",
    "semantic_scholar": "SEMANTIC_SCHOLAR_API_KEY",
    "pubmed": "NCBI_API_KEY",
}


def open_provider(
    name: str, config: RemoteConfig, readers: Readers, feeds: FeedState, clock: Clock
) -> Provider:
    """The source called *name*.

    Raises:
        ConfigError: there is none, it is not enabled, or its key cannot be one.
    """
    kind, settings = config.kind_of(name), config.providers.get(name)
    if kind is None:
        raise ConfigError(f"remote.providers.{name}", f"no such source; {_nearest(name, config)}")
    if settings is None or not settings.enabled:
        raise ConfigError(
            f"remote.providers.{name}.enabled",
            "is not true, so nothing is sent there; set it in lsm.toml to allow it",
        )
    from lsm.remote.providers.base import Setting

    setting = Setting(name, settings, provider_key(name, kind, settings), config.contact)
    return made_provider(kind, setting, readers, feeds, clock)


def _nearest(name: str, config: RemoteConfig) -> str:
    from difflib import get_close_matches

    from lsm.config.models.remote import BUILT_IN

    near = get_close_matches(name, (*BUILT_IN, *config.providers), n=1)
    return f"did you mean {near[0]}?" if near else "see `lsm remote list`"


def key_variable(kind: Kind, settings: ProviderConfig) -> str:
    """The environment variable that may hold this source's key; "" if it takes none."""
    return settings.key_env or KEY_VARIABLES.get(kind, "")


def made_provider(
    kind: Kind, setting: Setting, readers: Readers, feeds: FeedState, clock: Clock
) -> Provider:
    """The source that *setting* describes, whether or not it is enabled."""
    from lsm.remote.providers import (
        arxiv,
        crossref,
        feed,
        json_search,
        openalex,
        page,
        pubmed,
        semantic_scholar,
        wikipedia,
    )

    match kind:
        case "arxiv":
            return arxiv.ArxivSearch()
        case "wikipedia":
            return wikipedia.WikipediaSearch(setting)
        case "openalex":
            return openalex.OpenAlexSearch(setting, clock)
        case "crossref":
            return crossref.CrossrefSearch(setting)
        case "semantic_scholar":
            return semantic_scholar.SemanticScholarSearch(setting)
        case "pubmed":
            return pubmed.PubmedSearch(setting)
        case "feed":
            return feed.Feeds(setting, feeds, clock, readers.feed)
        case "page":
            return page.WebPage(readers.page)
        case "json":
            return json_search.JsonSearch(setting)


def provider_key(name: str, kind: Kind, settings: ProviderConfig) -> Key | None:
    """A source's key, from the environment; None if there is none.

    Raises:
        ConfigError: what the variable holds cannot be one.
    """
    from lsm.remote.network import Key

    variable = key_variable(kind, settings)
    value = os.environ.get(variable, "").strip() if variable else ""
    if not value:
        return None
    if not (value.isascii() and value.isprintable() and " " not in value):
        raise ConfigError(f"remote.providers.{name}.key_env", f"what {variable} holds is not a key")
    match kind:
        case "openalex":
            # The one way its documentation names.
            return Key(value, parameter="api_key")
        case "crossref":
            return Key(value, header="Crossref-Plus-API-Token", prefix="Bearer ")
        case "semantic_scholar":
            return Key(value, header="x-api-key")
        case "json":
            bearer = "Bearer " if settings.key_header.lower() == "authorization" else ""
            return Key(value, header=settings.key_header, prefix=bearer)
        case _:
            return Key(value, header="Authorization", prefix="Bearer ")
