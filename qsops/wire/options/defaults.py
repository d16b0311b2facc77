"""Option headers that a URL group lends to each message which is published to it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from qsops.errors import Rejected
from qsops.models import Headers
from qsops.wire import texts
from qsops.wire.options.options import decode_options, forwards_everything
from qsops.wire.options.reading import collect, says, with_parameters

__all__ = ["Defaults", "check_defaults", "no_defaults", "with_defaults"]

#: The default headers of the URL group of a name; none where there is no such group.
Defaults = Callable[[str], Headers]

_FORWARD: Final = "upstash-forward-"
#: Who says the first has decided about the other: a default of it would overrule what the message says itself.
_DECIDED: Final = {
    "upstash-delay": "upstash-not-before",
    "upstash-not-before": "upstash-delay",
    "upstash-deduplication-id": "upstash-content-based-deduplication",
    "upstash-content-based-deduplication": "upstash-deduplication-id",
}


def no_defaults(destination: str) -> Headers:
    """For who knows no groups."""
    return ()


def with_defaults(headers: Headers, query: str, defaults: Headers) -> Headers:
    """``headers`` with those of ``defaults`` that neither they nor ``query`` name themselves."""
    if not defaults:
        return headers
    said = with_parameters(headers, query)
    own = {_meant(name) for name, value in said if says(name, value)}
    decided = {_DECIDED[name] for name in own if name in _DECIDED}
    lent = tuple(pair for pair in defaults if _meant(pair[0]) not in own | decided)
    if forwards_everything(collect((*said, *lent))):
        # All that came with the message goes on, and is its own, too.
        came = {_FORWARD + name.lower() for name, _ in headers}
        lent = tuple(pair for pair in lent if pair[0].lower() not in came)
    return (*headers, *lent)


def check_defaults(defaults: Headers) -> None:
    """See that each publish can go on with ``defaults``.

    :raises Rejected: 400, naming the header and its value.
    """
    for name, value in defaults:
        try:
            f"{name}{value}".encode()
        except UnicodeEncodeError:
            raise Rejected(400, texts.invalid_header(ascii(name), ascii(value), "half of a surrogate pair")) from None
    decode_options("", defaults)


def _meant(name: str) -> str:
    """What a header decides: the content type is the same with and without the prefix of what is forwarded."""
    lowered = name.lower()
    return "content-type" if lowered == f"{_FORWARD}content-type" else lowered
