"""Every setting, its type and its default. Defaults stand here and nowhere else."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from lsm.config.models.agents import AgentsConfig
from lsm.config.models.library import EmbeddingConfig, LibraryConfig
from lsm.config.models.llm import LlmConfig
from lsm.config.models.remote import RemoteConfig

__all__ = [
    "AgentsConfig",
    "Config",
    "DatabaseConfig",
    "EmbeddingConfig",
    "LibraryConfig",
    "LlmConfig",
]


class DatabaseConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where everything is kept."""

    # "postgresql://..." or a path; "" is lsm.db in the home folder.
    url: Annotated[str, Meta(max_length=4096)] = ""


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole of `lsm.toml`."""

    library: LibraryConfig = LibraryConfig()
    embedding: EmbeddingConfig = EmbeddingConfig()
    database: DatabaseConfig = DatabaseConfig()
    agents: AgentsConfig = AgentsConfig()
    remote: RemoteConfig = RemoteConfig()
    llm: LlmConfig = LlmConfig()
