"""Deduplication: what was accepted within the window is not accepted again."""

from __future__ import annotations

import hashlib
from sqlite3 import Connection
from typing import Final

from qsops.models import Publish

__all__ = ["WINDOW_MS", "deduplication_key", "endpoint_key", "first_message", "remember"]

#: Ten minutes (reference, sections 0.18 and 8).
WINDOW_MS: Final = 600_000

# Each acceptance under a key clears a few keys that ran out, so that no single one pays for a long pause.
_CLEARED_AT_ONCE: Final = 16

_FIND = "select message_id from deduplications where account = ? and key = ? and until_ms > ?"
_REMEMBER = "insert or replace into deduplications (account, key, message_id, until_ms) values (?, ?, ?, ?)"
_CLEAR = """
    delete from deduplications where (account, key) in (
        select account, key from deduplications where until_ms <= ? order by until_ms limit ?
    )
"""


def deduplication_key(publish: Publish) -> str | None:
    """What two publishes share that count as one; None if this one asked for no deduplication.

    An id of the publisher's own wins over the content. Either holds for the whole account, queues included: where no
    source settles the scope, a message too few that its publisher named the same is the documented reading.
    """
    if publish.deduplication_id is not None:
        return f"id:{publish.deduplication_id}"
    return f"content:{_content_hash(publish)}" if publish.content_based_deduplication else None


def endpoint_key(key: str, url: str) -> str:
    """What two messages for one endpoint of a URL group share, of publishes that share ``key``.

    Each endpoint is by itself: one that was added in between has not had the message yet.
    """
    return f"{key}:{url}"


def first_message(connection: Connection, account: int, key: str, now_ms: int) -> str | None:
    """The id of the message that was accepted under ``key`` within the window."""
    row = connection.execute(_FIND, (account, key, now_ms)).fetchone()
    return None if row is None else str(row[0])


def remember(connection: Connection, account: int, key: str, message_id: str, now_ms: int) -> None:
    """From now on for :data:`WINDOW_MS`, ``key`` stands for ``message_id``."""
    connection.execute(_CLEAR, (now_ms, _CLEARED_AT_ONCE))
    connection.execute(_REMEMBER, (account, key, message_id, now_ms + WINDOW_MS))


def _content_hash(publish: Publish) -> str:
    """Over destination, body, Content-Type and the forwarded headers (reference, section 8), whatever their order."""
    parts = [publish.destination.encode(), publish.body]
    parts += [f"{name.lower()}:{value}".encode() for name, value in sorted(publish.headers)]
    digest = hashlib.sha256()
    for part in parts:
        # The length parts the fields: ("ab", "c") and ("a", "bc") are not the same content.
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()
