"""Which addresses may be asked: what leads into this machine or its networks is refused.

What is judged is always the address a name resolved to, never the name: ``2130706433``,
``0x7f.1`` and a name somebody points at 127.0.0.1 all end here.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from lsm.remote.errors import RemoteError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# Python calls some of these global: they lead to this machine or to another network all the
# same, through translation (NAT64, 6to4, Teredo) or because nothing routes them.
_DENIED = tuple(
    ipaddress.ip_network(text)
    for text in (
        "0.0.0.0/8",
        "100.64.0.0/10",
        "169.254.0.0/16",
        "192.0.0.0/24",
        "192.88.99.0/24",
        "198.18.0.0/15",
        "240.0.0.0/4",
        "64:ff9b::/96",
        "64:ff9b:1::/48",
        "2001::/32",
        "2002::/16",
        "fec0::/10",
        "3fff::/20",
    )
)
_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")  # all that is assigned (RFC 4291, IANA)
_PORTS = {"http": 80, "https": 443}
_LONGEST_URL = 2000
_UNWRITABLE = re.compile(r"[\x00-\x20\x7f\\]")


@dataclass(frozen=True)
class Target:
    """A URL that may be asked."""

    url: str  # without fragment
    scheme: Literal["http", "https"]
    host: str  # in small letters


def check_url(url: str, *, plain_http: bool) -> Target:
    """*url* taken apart.

    Args:
        url: absolute.
        plain_http: whether ``http:`` will do; only if a person typed it.

    Raises:
        RemoteError: ``refused_url``: another scheme or port, a user name, or no URL at all.
    """
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").lower(), parts.port
    except ValueError as error:
        raise _refused(url, f"not a URL: {error}") from None
    if len(url) > _LONGEST_URL or _UNWRITABLE.search(url):
        raise _refused(url, f"longer than {_LONGEST_URL}, or with blanks or backslashes in it")
    if parts.scheme == "http" and not plain_http:
        raise _refused(url, "http is not encrypted; use https")
    if parts.scheme != "http" and parts.scheme != "https":
        raise _refused(url, "only https:// and http:// are asked")
    if parts.username is not None or parts.password is not None:
        raise _refused(url, "a user name or password in it would be sent along; take it out")
    if not host or port not in (None, _PORTS[parts.scheme]):
        raise _refused(url, "no host, or a port other than 80 for http and 443 for https")
    return Target(parts._replace(fragment="").geturl(), parts.scheme, host)


def refusal(address: Address) -> str | None:
    """Why *address* is not asked, or None if it may be."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return refusal(address.ipv4_mapped)
        if address not in _GLOBAL_UNICAST:
            return f"{address} is not a public address"
    if not address.is_global or address.is_multicast or address.is_reserved:
        return f"{address} is not a public address"
    if any(address.version == net.version and address in net for net in _DENIED):
        return f"{address} leads into another network"
    return None


def parsed_address(text: str) -> Address:
    """What a resolver answered; an IPv6 zone (``%eth0``) is left out.

    Raises:
        ValueError: it is no address.
    """
    return ipaddress.ip_address(text.partition("%")[0])


def _refused(url: str, problem: str) -> RemoteError:
    # Not the whole: what stands before "@" or behind "?" may be a secret.
    shown = re.sub(r"//[^/@]*@", "//", url.partition("?")[0])[:100]
    return RemoteError("refused_url", f"{shown!r}: {problem}")
