"""Traits: the fields that many messages share and that listings filter by, kept once for each combination."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from functools import lru_cache
from sqlite3 import Connection
from typing import Any, Final
from urllib.parse import urlsplit

from qsops.models import Message

__all__ = ["TRAIT_COLUMNS", "forget_unused", "trait_fields", "traits_of"]

#: What :func:`trait_fields` reads, from ``traits t``.
TRAIT_COLUMNS: Final = (
    "t.url, t.url_group, t.endpoint, t.queue, t.schedule_id, t.flow_control_key, t.caller_ip, t.labels"
)

_Shared = tuple[Any, ...]

_FIND: Final = "select trait from traits where key = ?"
_INSERT: Final = """
    insert into traits (account, key, url, host, path, url_group, endpoint, queue, schedule_id, flow_control_key,
        caller_ip, labels)
    values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_LABEL: Final = "insert into trait_labels (account, label, trait) values (?, ?, ?)"
_IS_USED: Final = "select 1 from log where trait = ? limit 1"
_FORGET: Final = "delete from traits where trait = ? returning account, labels"
_FORGET_LABEL: Final = "delete from trait_labels where account = ? and label = ? and trait = ?"


def traits_of(connection: Connection, account: int, messages: Iterable[Message]) -> list[int]:
    """The numbers of the traits of ``messages``, which are written down if they are new."""
    known: dict[_Shared, int] = {}
    traits = []
    for message in messages:
        shared = _shared(message)
        if (trait := known.get(shared)) is None:
            trait = known[shared] = _trait_of(connection, account, shared)
        traits.append(trait)
    return traits


def _shared(message: Message) -> _Shared:
    return (
        *(message.url, message.url_group, message.endpoint, message.queue, message.schedule_id),
        *(message.flow_control.key if message.flow_control else None, message.caller_ip, message.labels),
    )


def _trait_of(connection: Connection, account: int, shared: _Shared) -> int:
    key = _key(account, shared)
    row = connection.execute(_FIND, (key,)).fetchone()
    return int(row[0]) if row else _insert(connection, account, key, shared)


@lru_cache(maxsize=1_024)
def _key(account: int, shared: _Shared) -> str:
    return hashlib.sha1(repr((account, shared)).encode(), usedforsecurity=False).hexdigest()


def trait_fields(row: Sequence[Any]) -> dict[str, Any]:
    """The fields of a message that stand in a row of :data:`TRAIT_COLUMNS`; its flow control has more to it."""
    url, url_group, endpoint, queue, schedule_id, _, caller_ip, labels = row
    return {
        "url": url,
        "url_group": url_group,
        "endpoint": endpoint,
        "queue": queue,
        "schedule_id": schedule_id,
        "caller_ip": caller_ip,
        "labels": tuple(json.loads(labels)) if labels else (),
    }


def forget_unused(connection: Connection, trait: int) -> None:
    """Delete a trait that no line of the log carries any more."""
    if connection.execute(_IS_USED, (trait,)).fetchone():
        return
    for account, labels in connection.execute(_FORGET, (trait,)).fetchall():
        own = json.loads(labels or "[]")
        connection.executemany(_FORGET_LABEL, [(account, label, trait) for label in own])


def _insert(connection: Connection, account: int, key: str, shared: _Shared) -> int:
    url, *names, labels = shared
    place = urlsplit(url)
    host = place.netloc.rpartition("@")[2]
    text = json.dumps(labels, ensure_ascii=False) if labels else None
    trait = connection.execute(_INSERT, (account, key, url, host, place.path, *names, text)).lastrowid
    assert trait is not None
    connection.executemany(_LABEL, [(account, label, trait) for label in labels])
    return trait
