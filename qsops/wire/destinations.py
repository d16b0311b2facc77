"""Destinations as they travel: the rest of a request's path and query, or a text in the item of a batch."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final
from urllib.parse import unquote

from qsops.errors import SettingsError
from qsops.wire.http import spelled
from qsops.wire.options.reading import is_option
from qsops.wire.query import TOKEN

__all__ = ["destination_of", "is_url", "repaired", "target_of"]

_FOLDED: Final = re.compile(r"(https?):/(?=[^/])", re.IGNORECASE)
_ESCAPED: Final = re.compile(r"https?%3a", re.IGNORECASE)


# Whoever publishes much has few destinations.
@lru_cache(maxsize=64)
def target_of(destination: str) -> tuple[str, str]:
    """The rest of a path, and the query, of a request about ``destination``.

    :raises SettingsError: it has parameters that QStash would take for its own.
    """
    path, _, query = spelled(destination).partition("?")
    if any(map(_is_ours, query.split("&"))):
        raise SettingsError(
            f"destination {destination!r}: parameters named upstash-… or {TOKEN} would not reach it, since QStash "
            "takes them for its own; publish it in a batch"
        )
    return path, query


def destination_of(rest: str, query: str) -> str:
    """The destination that a request names by the rest of its path and of its query, as they are spelled there."""
    own = "&".join(part for part in query.split("&") if not _is_ours(part))
    # One that was escaped as a whole is unescaped.
    destination = repaired(unquote(rest) if _ESCAPED.match(rest) else rest)
    return f"{destination}?{own}" if own else destination


def repaired(destination: str) -> str:
    """Proxies fold the ``//`` behind the scheme."""
    return _FOLDED.sub(r"\1://", destination, count=1) if _FOLDED.match(destination) else destination


def is_url(destination: str) -> bool:
    """Whether it is no URL group's name: a URL has a scheme (reference, section 1.3)."""
    return "://" in destination


def _is_ours(parameter: str) -> bool:
    """Whether a raw part of a query is QStash's: what is left belongs to the destination, as it was spelled."""
    return parameter.partition("=")[0] == TOKEN or is_option(parameter)
