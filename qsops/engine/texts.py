"""Error texts of the engine's own, beside those of QStash in :mod:`qsops.wire.texts`."""

from __future__ import annotations

from typing import Final

__all__ = [
    "DATABASE_FULL",
    "DATABASE_UNAVAILABLE",
    "DELAYED_CALLBACK",
    "FOREIGN_HOST",
    "FOREIGN_ORIGIN",
    "INTERNAL_ERROR",
    "LLM_IS_GONE",
    "MALFORMED_REQUEST",
    "fan_out_too_large",
    "fan_out_too_wide",
    "fault_not_found",
    "head_too_large",
    "invalid_cursor",
    "no_such_endpoint",
    "target_too_long",
    "too_many_headers",
    "too_many_notifications",
    "unusable_url",
]

FOREIGN_HOST: Final = "host not allowed: this engine answers to names of its own only; --allowed-host adds one"
FOREIGN_ORIGIN: Final = "origin not allowed: this engine answers no page of another site"
DATABASE_FULL: Final = "the engine's disk is full; nothing was accepted"
DATABASE_UNAVAILABLE: Final = "the engine's database cannot be used now; nothing was accepted"
LLM_IS_GONE: Final = "the hosted LLM is no more: publish to a provider's URL, with its key as a forwarded header"
INTERNAL_ERROR: Final = "the engine failed on this request; its log says why"
MALFORMED_REQUEST: Final = "the request is no HTTP, or its target is no path"
DELAYED_CALLBACK: Final = "messages with delayed callbacks are not accepted"


def fan_out_too_large(limit: int) -> str:
    """A request that URL groups turn into more bytes than one commit may hold."""
    return f"the messages for all endpoints are too large together, limit: {limit} bytes"


def fan_out_too_wide(count: int, limit: int) -> str:
    """A request that URL groups turn into more messages than one commit may hold."""
    return f"too many messages for all endpoints together: {count}, limit: {limit}"


def fault_not_found(fault_id: str) -> str:
    """A fault that was never set, or was taken back."""
    return f"fault not found: {fault_id[:100]}"


def head_too_large(limit: int) -> str:
    """Headers, of a request or of a message, of more bytes than may be."""
    return f"headers too large, limit: {limit} bytes"


def invalid_cursor(cursor: str) -> str:
    """A cursor that this engine did not give."""
    return f"invalid query parameter cursor: {cursor[:100]!r}: pass the cursor of the page before as it came"


def no_such_endpoint(method: str, path: str) -> str:
    """A path that QStash does not have, or not with this method."""
    return f"no such endpoint: {method} {path[:100]}"


def target_too_long(limit: int) -> str:
    """A path and query of more bytes than may be."""
    return f"path and query too long, limit: {limit} bytes"


def too_many_headers(count: int, limit: int) -> str:
    """More headers, of a request or of a message, than may be."""
    return f"too many headers: {count}, limit: {limit}"


def too_many_notifications(event: str, limit: int) -> str:
    """A run that was notified again and again, and does not wait for it."""
    return f"too many notifications of event {event[:100]!r} are saved for this run, limit: {limit}"


def unusable_url(url: str, why: str) -> str:
    """A destination that nothing can be sent to."""
    return f"invalid destination url: {url[:100]!r}: {why}"
