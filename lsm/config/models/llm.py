"""Settings of the language model. Without one, everything else works as it does with one."""

from __future__ import annotations

import re
from typing import Annotated

import msgspec
from msgspec import Meta

from lsm.errors import ConfigError

KINDS = ("openai", "anthropic", "ollama")
_NAME = re.compile(r"(?:openai|anthropic|ollama):\S+")

_URL = re.compile(r"https?://[^/\s@?#]+(?:/[^\s?#]*)?")


class LlmConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which language model agents and `lsm ask` use. Keys come from the environment only."""

    model: str = ""  # openai:NAME, anthropic:NAME or ollama:NAME; "" is none
    base_url: str | None = None  # of a server that speaks the same protocol; None: the kind's own
    # The variable that holds the key, never the key itself. "" is OPENAI_API_KEY or
    # ANTHROPIC_API_KEY for these services themselves, and no key for any other server.
    api_key_env: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_]*$")] = ""
    timeout_s: Annotated[float, Meta(gt=0, le=3600)] = 120.0  # of one request
    max_tokens: Annotated[int, Meta(ge=16)] = 4096  # of one answer
    retries: Annotated[int, Meta(ge=0, le=10)] = 2  # of a request, before the run has failed

    def __post_init__(self) -> None:
        check_model("llm.model", self.model)
        if self.base_url is not None and not _URL.fullmatch(self.base_url):
            raise ConfigError(
                "llm.base_url", "must be https://HOST/... without a name or key in it"
            )


def check_model(key: str, name: str) -> None:
    """Refuse what names no model; "" is no model and passes.

    Raises:
        ConfigError: names *key*.
    """
    if name and not _NAME.fullmatch(name):
        kinds = ", ".join(f"{kind}:NAME" for kind in KINDS)
        raise ConfigError(key, f"{name!r} is no model; write one of {kinds}")
