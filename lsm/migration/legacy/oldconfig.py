"""The predecessor's configuration, as far as it says where things are."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any, cast

from lsm.errors import ConfigError, LsmError
from lsm.migration.legacy.files import read_file
from lsm.migration.legacy.oldjson import BrokenJsonError, loads, text_of

NAMES = ("config.json", "config.yaml", "config.yml")
DEFAULT_TTL_S = 86_400
_LONGEST_TTL_S = 10**10
_SERVER = "postg"  # "postgresql", and how people shorten it
_YAML = (".yaml", ".yml")


@dataclass(frozen=True)
class OldConfig:
    """What was set; every path as it was written."""

    path: str = ""  # of the file; "" without one
    global_folder: str | None = None  # absolute
    agents_folder: str = "Agents"
    memory_path: str = "memory.sqlite3"  # in the agents' folder
    manifest: str = os.path.join(".ingest", "manifest.json")
    persist_dir: str = ".chroma"
    memory_backend: str = ""
    vector_store: str = ""
    cache_ttl_s: dict[str, float] = field(default_factory=dict[str, float])  # by provider

    @property
    def memory_on_a_server(self) -> bool:
        """Whether the memory was kept in a database that this home does not hold."""
        follows = self.memory_backend.lower() == "auto"
        return (self.vector_store if follows else self.memory_backend).lower().startswith(_SERVER)

    def ttl_s(self, provider: str) -> float:
        """Seconds for which an answer of *provider* counted as fresh."""
        return self.cache_ttl_s.get(provider, DEFAULT_TTL_S)


def find_config(home: str) -> str | None:
    """The configuration that stands in *home*, if one does."""
    places = (os.path.join(home, name) for name in NAMES)
    return next((place for place in places if os.path.isfile(place)), None)


def load_old_config(path: str) -> OldConfig:
    """The settings in the file at *path*.

    Raises:
        ConfigError: it cannot be read, or is no configuration.
    """
    settings = _settings(path)
    agents, ingest = _section(settings, "agents"), _section(settings, "ingest")
    memory, default = _section(agents, "memory"), OldConfig()
    base = os.path.dirname(os.path.abspath(path))
    folder = _text(_section(settings, "global"), "global_folder", "")
    return OldConfig(
        path=path,
        global_folder=os.path.join(base, os.path.expanduser(folder)) if folder else None,
        agents_folder=_text(agents, "agents_folder", default.agents_folder),
        memory_path=_text(memory, "sqlite_path", default.memory_path),
        manifest=_text(ingest, "manifest", default.manifest),
        persist_dir=_text(_section(settings, "vectordb"), "persist_dir", default.persist_dir),
        memory_backend=_text(memory, "storage_backend", ""),
        vector_store=_text(_section(settings, "vectordb"), "provider", ""),
        cache_ttl_s=_lifetimes(settings.get("remote_providers")),
    )


def _settings(path: str) -> dict[str, Any]:
    try:
        text = text_of(read_file(path).data)
        found = _yaml(text) if path.endswith(_YAML) else loads(text)
    except BrokenJsonError as error:
        raise ConfigError(path, f"the predecessor's configuration is broken: {error}") from error
    except ConfigError:
        raise
    except LsmError as error:
        raise ConfigError(path, str(error)) from error
    if not isinstance(found, dict):
        raise ConfigError(path, "the predecessor's configuration is an object of sections")
    return found  # pyright: ignore[reportUnknownVariableType]


def _yaml(text: str) -> Any:
    import yaml

    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError) as error:
        raise BrokenJsonError(" ".join(str(error).split()), 0) from error


def _section(settings: dict[str, Any], name: str) -> dict[str, Any]:
    found = settings.get(name)
    return found if isinstance(found, dict) else {}  # pyright: ignore[reportUnknownVariableType]


def _text(settings: dict[str, Any], name: str, default: str) -> str:
    found = settings.get(name)
    return found if isinstance(found, str) and found.strip() else default


def _lifetimes(providers: object) -> dict[str, float]:
    entries = cast("list[object]", providers) if isinstance(providers, list) else []
    found: dict[str, float] = {}
    for entry in entries:
        each = cast("dict[str, object]", entry) if isinstance(entry, dict) else {}
        name, seconds = each.get("name"), each.get("cache_ttl")
        if not isinstance(name, str) or isinstance(seconds, bool):
            continue
        if isinstance(seconds, (int, float)) and 0 <= seconds < _LONGEST_TTL_S:
            found[name] = float(seconds)
    return found
