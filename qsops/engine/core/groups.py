"""URL groups as rows: a name for several endpoints, and the option headers that it lends to what is published to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from sqlite3 import Connection
from typing import Any, Final

from qsops.engine.core.rows import decode_headers, encode_headers
from qsops.engine.plans import Plan
from qsops.errors import Rejected
from qsops.models import Endpoint, Headers, UrlGroup
from qsops.wire import texts

__all__ = [
    "Recipients",
    "add_endpoints",
    "delete_group",
    "group_of",
    "groups",
    "recipients_of",
    "remove_endpoints",
    "set_group_headers",
]

_SELECT: Final = """
    select url_group, name, created_ms, updated_ms, headers from url_groups where account = ? {} order by name
"""
_ENDPOINTS: Final = "select url, name from endpoints where url_group = ? order by endpoint"
_COUNT: Final = "select count(*) from url_groups where account = ?"
_SIZE: Final = "select count(*) from endpoints where url_group = ?"
_MAKE: Final = """
    insert into url_groups (account, name, created_ms, updated_ms) values (?, ?, ?, ?) returning url_group
"""
_TOUCH: Final = "update url_groups set updated_ms = ? where url_group = ?"
_HEADERS: Final = "update url_groups set headers = ?, updated_ms = ? where account = ? and name = ?"
_ADD: Final = """
    insert into endpoints (url_group, url, name) values (?, ?, ?)
    on conflict (url_group, url) do update set name = coalesce(excluded.name, name)
"""
_REMOVE_URL: Final = "delete from endpoints where url_group = ? and url = ?"
_REMOVE_NAME: Final = "delete from endpoints where url_group = ? and name = ?"
_REMOVE_ALL: Final = "delete from endpoints where url_group = ?"
_DELETE: Final = "delete from url_groups where url_group = ?"


@dataclass(frozen=True, slots=True)
class Recipients:
    """What a publish needs to know of a group: the option headers that it lends, and who gets a message."""

    headers: Headers
    endpoints: tuple[Endpoint, ...]


def groups(connection: Connection, account: int) -> list[UrlGroup]:
    """All groups, by name."""
    rows = connection.execute(_SELECT.format(""), (account,)).fetchall()
    return [_group(connection, row) for row in rows]


def group_of(connection: Connection, account: int, name: str) -> UrlGroup | None:
    """The group ``name``, if there is one."""
    row = _row(connection, account, name)
    return _group(connection, row) if row else None


def recipients_of(connection: Connection, account: int, name: str) -> Recipients | None:
    """Who gets what is published to the group ``name``; None if there is none."""
    row = _row(connection, account, name)
    return Recipients(decode_headers(row[4]), _endpoints(connection, row[0])) if row else None


def add_endpoints(
    connection: Connection, account: int, name: str, endpoints: Sequence[Endpoint], now_ms: int, plan: Plan
) -> None:
    """Add ``endpoints`` to the group ``name``, which is made if there is none; one that is there takes a new name.

    :raises Rejected: 412 over a limit of ``plan``; nothing may be kept then.
    """
    row = _row(connection, account, name)
    group = row[0] if row else _make(connection, account, name, now_ms, plan)
    for endpoint in endpoints:
        connection.execute(_ADD, (group, endpoint.url, endpoint.name))
    (size,) = connection.execute(_SIZE, (group,)).fetchone()
    if plan.endpoints is not None and size > plan.endpoints:
        raise Rejected(412, texts.quota_exceeded("maxEndpointsPerTopic", plan.endpoints))
    connection.execute(_TOUCH, (now_ms, group))


def remove_endpoints(
    connection: Connection, account: int, name: str, endpoints: Sequence[Endpoint], now_ms: int
) -> bool:
    """Take ``endpoints`` out of the group, each by its URL or else its name; with the last one the group goes.

    One that is not in it is passed over. False if there is no such group.
    """
    row = _row(connection, account, name)
    if row is None:
        return False
    for endpoint in endpoints:
        statement, value = (_REMOVE_URL, endpoint.url) if endpoint.url else (_REMOVE_NAME, endpoint.name)
        connection.execute(statement, (row[0], value))
    (size,) = connection.execute(_SIZE, (row[0],)).fetchone()
    connection.execute(*((_TOUCH, (now_ms, row[0])) if size else (_DELETE, (row[0],))))
    return True


def set_group_headers(connection: Connection, account: int, name: str, headers: Headers, now_ms: int) -> bool:
    """Lend ``headers``, and no others, to what is published from now on; False if there is no such group."""
    return connection.execute(_HEADERS, (encode_headers(headers), now_ms, account, name)).rowcount == 1


def delete_group(connection: Connection, account: int, name: str) -> bool:
    """Forget the group; its messages go on. False if there is none."""
    row = _row(connection, account, name)
    if row is None:
        return False
    connection.execute(_REMOVE_ALL, (row[0],))
    connection.execute(_DELETE, (row[0],))
    return True


def _make(connection: Connection, account: int, name: str, now_ms: int, plan: Plan) -> int:
    (count,) = connection.execute(_COUNT, (account,)).fetchone()
    if plan.url_groups is not None and count >= plan.url_groups:
        raise Rejected(412, texts.quota_exceeded("maxTopics", plan.url_groups))
    (group,) = connection.execute(_MAKE, (account, name, now_ms, now_ms)).fetchone()
    return int(group)


def _row(connection: Connection, account: int, name: str) -> Any:
    return connection.execute(_SELECT.format("and name = ?"), (account, name)).fetchone()


def _group(connection: Connection, row: Sequence[Any]) -> UrlGroup:
    number, name, created_ms, updated_ms, _ = row
    return UrlGroup(name, created_ms, updated_ms, _endpoints(connection, number))


def _endpoints(connection: Connection, group: int) -> tuple[Endpoint, ...]:
    return tuple(Endpoint(url, name) for url, name in connection.execute(_ENDPOINTS, (group,)))
