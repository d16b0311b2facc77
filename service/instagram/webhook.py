"""A POST of Meta's, taken apart: each update with its kind and identity, whichever container it came in.

Nothing here refuses anything: what is new to us is kept under the kind ``unknown``, since Meta keeps no copy.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

import msgspec

from service.instagram.fields import moment, obj, text
from service.instagram.identity import identity
from service.instagram.kinds import Kind, kind_of_change, kind_of_item

__all__ = ["ACCOUNT_UNKNOWN", "STANDBY", "Update", "updates"]

#: Set in the payload of an item that came while another app owned the thread.
STANDBY: Final = "standby"
#: Of an update that does not say whose it is.
ACCOUNT_UNKNOWN: Final = "unknown"
_ACCOUNT_CHARS: Final = 200
#: Accounts that are remembered as they are spelled; a service has few.
_ACCOUNTS: Final = 256
_CONTROL: Final = re.compile(r"[\x00-\x1f]")
_ENTRY_KEYS: Final = frozenset({"id", "time", "messaging", "standby", "changes", "field", "value"})


class Update(msgspec.Struct, frozen=True):
    """One update of a POST; ``occurred_at`` is None where Meta did not say."""

    id: str
    kind: Kind
    account: str
    occurred_at: datetime | None
    payload: Mapping[str, Any]


def updates(body: Any) -> list[Update]:
    """The updates of a decoded body, in the order they stand there, repeats and all."""
    entries = body.get("entry") if isinstance(body, dict) else None
    if not isinstance(entries, list):
        return [_update({}, Kind.UNKNOWN, {"body": body})]
    return [update for entry in entries for update in _of_entry(entry)]


def _of_entry(entry: Any) -> Iterator[Update]:
    if not isinstance(entry, dict):
        yield _update({}, Kind.UNKNOWN, {"entry": entry})
        return
    for container in ("messaging", "standby", "changes"):
        if container in entry:
            yield from _of_container(entry, container)
    if "field" in entry:
        yield _of_change(entry, entry)
    for key, value in entry.items():
        if key not in _ENTRY_KEYS and isinstance(value, (list, dict)) and value:
            yield _update(entry, Kind.UNKNOWN, {"entry": {key: value}})


def _of_container(entry: Mapping[str, Any], container: str) -> Iterator[Update]:
    items = entry[container]
    if not isinstance(items, list):
        yield _update(entry, Kind.UNKNOWN, {"entry": {container: items}})
        return
    for item in items:
        if not isinstance(item, dict):
            yield _update(entry, Kind.UNKNOWN, {"entry": {container: [item]}})
        elif container == "changes":
            yield _of_change(entry, item)
        else:
            yield _of_item(entry, item, standby=container == "standby")


def _of_item(entry: Mapping[str, Any], item: Mapping[str, Any], *, standby: bool = False) -> Update:
    return _update(entry, kind_of_item(item), item, standby=standby)


def _of_change(entry: Mapping[str, Any], change: Mapping[str, Any]) -> Update:
    field, value = change.get("field"), change.get("value")
    kind = kind_of_change(field, value)
    if kind is not Kind.UNKNOWN and kind_of_item(obj(value)) is kind:
        return _of_item(entry, obj(value))
    return _update(entry, kind, {"field": field, "value": value})


def _update(entry: Mapping[str, Any], kind: Kind, payload: Mapping[str, Any], *, standby: bool = False) -> Update:
    account = _account(text(entry.get("id")) or ACCOUNT_UNKNOWN)
    return Update(
        # The container is no part of it: a thread may change hands between two repeats.
        id=identity(account, kind, payload, entry.get("time")),
        kind=kind,
        account=account,
        occurred_at=moment(payload.get("timestamp")) or moment(entry.get("time")),
        payload={**payload, STANDBY: True} if standby else payload,
    )


@lru_cache(_ACCOUNTS)
def _account(name: str) -> str:
    """As the envelope wants it: what is taken here must be readable at the consumer."""
    return _CONTROL.sub("\ufffd", name)[:_ACCOUNT_CHARS]
