"""A request and a response as plain data, so that clients, the engine's face and tests speak without a socket."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Any, Final
from urllib.parse import quote, unquote

from qsops.errors import SettingsError
from qsops.models import Headers

__all__ = ["Request", "Response", "canonical", "dated_ms", "header", "path_id", "path_rest", "path_step", "spelled"]

# What is printable stays as it is spelled, escapes included: the signature is about the URL as given.
_PRINTABLE: Final = "".join(map(chr, range(0x21, 0x7F)))
_IS_JSON: Final = ("Content-Type", "application/json")


@dataclass(frozen=True, slots=True)
class Request:
    """A request to QStash. ``path`` and ``query`` are raw, as on the wire: percent-encoded, without the ``?``.

    Its repr leaves the headers out, since the token is among them.
    """

    method: str
    path: str
    query: str = ""
    headers: Headers = field(default=(), repr=False)
    body: bytes = b""

    @classmethod
    def of_json(cls, method: str, path: str, value: Any) -> Request:
        """A request whose body is ``value`` as compact JSON."""
        return cls(method, path, headers=(_IS_JSON,), body=_compact(value))

    @property
    def target(self) -> str:
        """Path and query as they stand in the request line."""
        return f"{self.path}?{self.query}" if self.query else self.path


@dataclass(frozen=True, slots=True)
class Response:
    """QStash's answer."""

    status: int
    headers: Headers = ()
    body: bytes = b""

    @classmethod
    def of_json(cls, status: int, value: Any, headers: Headers = ()) -> Response:
        """An answer whose body is ``value`` as compact JSON."""
        return cls(status, (_IS_JSON, *headers), _compact(value))


def _compact(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def header(headers: Headers, name: str) -> str | None:
    """The first value of the header ``name``, in whatever case it is spelled."""
    wanted = name.lower()
    return next((value for key, value in headers if key.lower() == wanted), None)


def dated_ms(headers: Headers) -> int | None:
    """The whole second in which an answer was given, by the clock of whoever gave it; None if its Date does not say."""
    text = header(headers, "Date")
    try:
        return None if text is None else round(parsedate_to_datetime(text).timestamp()) * 1000
    except (ValueError, OverflowError):
        return None


@lru_cache(maxsize=1_024)
def canonical(name: str) -> str:
    """A header's name as QStash shows it, e.g. ``Test-Header``."""
    return "-".join(part[:1].upper() + part[1:].lower() for part in name.split("-"))


def spelled(url: str) -> str:
    """``url`` as it travels: a request line is ASCII, and a fragment never leaves."""
    return quote(url, safe=_PRINTABLE).partition("#")[0]


def path_id(value: str) -> str:
    """``value`` as the last step of a path.

    :raises SettingsError: it is empty, or nothing but dots. The path would be the one for all of them, and a DELETE
        take them all, as an empty id does with the Python SDK.
    """
    if not value.strip(". "):
        raise SettingsError(f"{value!r} is no id: name one")
    return quote(value, safe="")


def path_step(path: str, number: int) -> str:
    """Step ``number`` of a raw path, unescaped; 0 is the one before the first slash. Empty where there is none."""
    steps = path.split("/")
    return unquote(steps[number]) if number < len(steps) else ""


def path_rest(path: str, prefix: str) -> str:
    """What follows ``prefix/`` in a raw path, unescaped: an id that is any text may hold slashes itself."""
    return unquote(path.removeprefix(f"{prefix}/"))
