"""As much of HTTP/1.1 as loader and receiver need: messages with a Content-Length, one after the other."""

from __future__ import annotations

import re

__all__ = ["Incomplete", "post", "status", "take"]

_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d+)[ \t]*\r\n", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding:", re.IGNORECASE)
_END = b"\r\n\r\n"


class Incomplete(Exception):
    """The rest of the message has not come yet."""


def take(buffer: bytes | bytearray) -> tuple[bytes, bytes, int]:
    """Head and body of the message at the start of ``buffer``, and where the next one begins.

    :raises Incomplete: when it has not come whole.
    :raises ValueError: when it is chunked.
    """
    end = buffer.find(_END)
    if end < 0:
        raise Incomplete
    head = bytes(buffer[: end + 2])
    told = _LENGTH.search(head)
    if told is None and _CHUNKED.search(head):
        raise ValueError("a chunked message: the benchmark's own HTTP reads only what has a Content-Length")
    start = end + len(_END)
    stop = start + (int(told[1]) if told else 0)
    if len(buffer) < stop:
        raise Incomplete
    return head, bytes(buffer[start:stop]), stop


def status(head: bytes) -> int:
    """The status of an answer."""
    return int(head[9:12])


def post(path: str, host: str, headers: tuple[tuple[str, str], ...], body: bytes) -> bytes:
    """A whole request."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers)
    return f"POST {path} HTTP/1.1\r\nHost: {host}\r\n{lines}Content-Length: {len(body)}\r\n\r\n".encode() + body
