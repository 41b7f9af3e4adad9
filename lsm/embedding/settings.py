"""How an embedder is to be run; the model itself is chosen by name."""

from __future__ import annotations

from dataclasses import dataclass

from lsm.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class EmbeddingSettings:
    """What holds for every kind of embedder that has the matter at all.

    Raises:
        ConfigError: a value that cannot work; names the key.
    """

    dimension: int | None = None  # asked of a remote model; a local one's vectors are cut to it
    query_prefix: str = ""  # put before every query; many models are trained with one
    document_prefix: str = ""  # put before every document
    base_url: str | None = None  # None: the kind's own, see `ollama` and `openai`
    api_key_env: str = "OPENAI_API_KEY"  # the variable's name; the key is never a setting
    timeout_s: float = 60.0  # seconds a request may take, from first byte sent to last received
    batch_tokens: int = 8192  # estimated tokens in one request
    attempts: int = 5  # of one request, the first included
    offline: bool = False  # models come from this machine's caches or not at all

    def __post_init__(self) -> None:
        for key in ("timeout_s", "batch_tokens", "attempts"):
            if not getattr(self, key) > 0:
                raise ConfigError(f"embedding.{key}", "must be greater than 0")
        if self.dimension is not None and self.dimension < 1:
            raise ConfigError("embedding.dimension", "must be at least 1")
        if self.base_url is not None:
            _refuse_unusable_url(self.base_url)


def _refuse_unusable_url(url: str) -> None:
    scheme, separator, rest = url.partition("://")
    if not separator or scheme not in ("http", "https") or not rest.strip("/"):
        raise ConfigError("embedding.base_url", "must start with http:// or https:// and a host")
    # Not shown: what stands before the "@" is a password, and errors name the URL.
    if "@" in rest.partition("/")[0]:
        raise ConfigError("embedding.base_url", "must not hold a user or password")
    if "?" in rest or "#" in rest:
        raise ConfigError("embedding.base_url", "must end with the path, without ? or #")
