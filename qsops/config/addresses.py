"""What a setting that is an address, a port or a secret may look like; each refusal names the setting."""

from __future__ import annotations

import ipaddress
from typing import Final
from urllib.parse import urlsplit

from qsops.errors import SettingsError

__all__ = ["SCHEMES", "base_url", "is_loopback", "port_number", "qstash_url", "secret"]

#: The schemes that can be called, with their default ports.
SCHEMES: Final = {"http": 80, "https": 443}

# Copied from the console's code samples into QSTASH_URL by enough people that the vendor's own client repairs it.
_PASTED_PATH: Final = "/v2/publish"


def base_url(name: str, url: str) -> str:
    """``url`` without trailing slashes, if other paths can be appended to it.

    :raises SettingsError: naming the setting ``name``; what may be a secret is not shown.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise SettingsError(f"{name} is no URL: write it like https://host.example.com") from error
    if "@" in parts.netloc:
        raise SettingsError(f"{name} must not hold a user name or password")
    if parts.scheme not in SCHEMES or not parts.hostname or port == 0:
        # Without a scheme it may be a token that was pasted into the wrong place, and is not shown.
        seen = f", not {parts.scheme}://{parts.netloc}" if "://" in url else ": it has no scheme"
        raise SettingsError(f"{name} must look like https://host.example.com{seen}")
    if any(character in "?#\\" or not character.isprintable() or character.isspace() for character in url):
        # A query may hold a token.
        raise SettingsError(f"{name} must be a base URL, without query, fragment or spaces (host {parts.hostname})")
    return url.rstrip("/")


def qstash_url(name: str, url: str) -> str:
    """The base URL of QStash in ``url``; a pasted ``/v2/publish`` is dropped.

    :raises SettingsError: as :func:`base_url`.
    """
    return base_url(name, url).removesuffix(_PASTED_PATH).rstrip("/")


def is_loopback(host: str | None) -> bool:
    """Whether ``host`` is this machine, spelled as an address or as a name that is reserved for it."""
    name = (host or "").lower().rstrip(".")
    try:
        return ipaddress.ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return name == "localhost" or name.endswith(".localhost")


def port_number(name: str, text: str) -> int:
    """The port in ``text``, from 1 to 65535.

    :raises SettingsError: naming the setting ``name``.
    """
    # The length comes first: int() refuses thousands of digits with an error of its own.
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and 0 < int(text) < 65_536):
        raise SettingsError(f"{name} must be a port from 1 to 65535, not {text!r}")
    return int(text)


def secret(name: str, text: str) -> str:
    """``text`` if it can travel in a header: visible ASCII.

    :raises SettingsError: naming the setting ``name``, never its value.
    """
    if not all("!" <= character <= "~" for character in text):
        raise SettingsError(f"{name} holds spaces or characters that no token or key has: copy it anew")
    return text
