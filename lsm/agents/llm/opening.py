"""Which model, where, with which key: from settings to something that can be talked to.

Importing this imports no library; they come with the extra ``llm`` and are imported when a model
is opened.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lsm.config.models.llm import check_model
from lsm.errors import ConfigError, MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lsm.agents.llm.model import LanguageModel
    from lsm.config.models.llm import LlmConfig

_OWN_URL = {
    "openai": "https://api.openai.com/v1",
    "anthropic": "https://api.anthropic.com",
    "ollama": "http://localhost:11434/v1",
}
_OWN_KEY = {"openai": "OPENAI_API_KEY", "anthropic": "ANTHROPIC_API_KEY", "ollama": ""}


@dataclass(frozen=True)
class Address:
    """Where a model is. `repr` and errors never show the key."""

    kind: str  # openai, anthropic or ollama: the protocol
    model: str
    url: str
    key: str | None
    key_variable: str  # "": none is sent

    def __repr__(self) -> str:
        return f"Address({self.kind}:{self.model} at {self.url})"


def address(
    config: LlmConfig, name: str = "", environment: Mapping[str, str] | None = None
) -> Address:
    """Where the model *name* is; by default the configured one.

    A base URL and a key's variable that are configured belong to the configured kind of server:
    a model of another kind, which an agent may name, is looked for at its own address, so that no
    key ever reaches the wrong server.

    Raises:
        ConfigError: no model is configured, or its key is not in the environment.
    """
    wanted = name or config.model
    check_model("llm.model", wanted)
    if not wanted:
        raise ConfigError(
            "llm.model", "no language model is configured; set it in lsm.toml: ollama:llama3.2"
        )
    kind, model = wanted.split(":", 1)
    is_configured = kind == (config.model or "openai:").split(":", 1)[0]
    base_url = config.base_url if is_configured else None
    variable = config.api_key_env if is_configured else ""
    if base_url is None and not variable:
        variable = _OWN_KEY[kind]
    given = os.environ if environment is None else environment
    key = given.get(variable, "").strip() if variable else ""
    if variable and not key:
        raise ConfigError(
            "llm.api_key_env", f"the environment variable {variable} is not set; {wanted} needs it"
        )
    return Address(kind, model, base_url or _OWN_URL[kind], key or None, variable)


def open_model(config: LlmConfig, name: str = "") -> LanguageModel:
    """The model *name*, by default the configured one; nothing is sent yet.

    Raises:
        ConfigError: as `address`.
        MissingExtraError: the libraries are not installed.
    """
    where = address(config, name)
    try:
        from lsm.agents.llm.client import ServedModel
    except ImportError as error:
        raise MissingExtraError("a language model", "llm") from error
    return ServedModel(where, config)
