"""URL groups: list them, give one endpoints and default options, take endpoints away, drop it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final, TypeVar

from qsops.catalog.frames import Column, frame_of
from qsops.client import Client
from qsops.errors import Rejected, SettingsError
from qsops.models import Endpoint, UrlGroup
from qsops.publish import checks
from qsops.wire import groups as wire
from qsops.wire.names import NAME_LIMIT
from qsops.wire.options import check_defaults

if TYPE_CHECKING:  # pandas takes a third of a second to load, which all but a listing does without.
    import pandas as pd

T = TypeVar("T")

__all__ = ["Endpoints", "add", "delete", "frame", "read", "read_all", "remove", "set_defaults"]

#: URLs, or names with the URL of each.
Endpoints = str | Sequence[str | Endpoint] | Mapping[str, str]

_COLUMNS: Final[tuple[Column[tuple[UrlGroup, Endpoint | None]], ...]] = (
    ("url_group", "str", lambda row: row[0].name),
    ("endpoint", "str", lambda row: row[1] and row[1].name),
    ("url", "str", lambda row: row[1] and row[1].url),
    ("created_at", "time", lambda row: row[0].created_at_ms or None),
    ("updated_at", "time", lambda row: row[0].updated_at_ms or None),
)


async def read_all(client: Client) -> tuple[UrlGroup, ...]:
    """All URL groups of the account."""
    return wire.parse_groups(await client.ask(wire.groups_request(), repeatable=True))


async def read(client: Client, name: str) -> UrlGroup:
    """One URL group, with its endpoints.

    :raises Rejected: 404, there is none.
    """
    return wire.parse_group_response(await client.ask(wire.group_request(checks.name("group", name)), repeatable=True))


async def add(client: Client, name: str, endpoints: Endpoints) -> None:
    """Add endpoints to a group, which is made if there is none; one that is there takes the name that is given.

    :raises SettingsError: there is none, or one is no URL.
    """
    if isinstance(endpoints, Mapping):
        endpoints = [Endpoint(url, key) for key, url in endpoints.items()]
    asked = [_to_add(one) for one in _several(endpoints)]
    await client.ask(wire.group_add_request(checks.name("group", name), _some(asked)), repeatable=True)


async def remove(client: Client, name: str, endpoints: str | Sequence[str]) -> None:
    """Remove endpoints, each by its URL or its name; with the last of them QStash drops the group.

    :raises SettingsError: there is none, or one is neither.
    """
    asked = [_to_remove(one) for one in _several(endpoints)]
    await client.ask(wire.group_remove_request(checks.name("group", name), _some(asked)), repeatable=True)


async def set_defaults(client: Client, name: str, headers: Mapping[str, str]) -> None:
    """Set the option headers, such as ``Upstash-Retries``, of each message to the group that brings none of its own.

    QStash tells of them in one guide, and shows them nowhere (reference, section 2.7).

    :raises SettingsError: an option does not parse.
    """
    pairs = tuple(headers.items())
    try:
        check_defaults(pairs)
    except Rejected as error:
        raise SettingsError(f"headers: {error.text}") from error
    await client.ask(wire.group_headers_request(checks.name("group", name), pairs), repeatable=True)


async def delete(client: Client, name: str) -> None:
    """Drop the group; messages that are under way go on. A schedule that leads to it fails from then on.

    :raises Rejected: 404, there is none; to the wire one that is not there is deleted, too.
    """
    await read(client, name)
    await client.ask(wire.group_delete_request(checks.name("group", name)), repeatable=True)


def frame(groups: Sequence[UrlGroup]) -> pd.DataFrame:
    """URL groups as a frame, a row an endpoint; a group without any has one row, whose ``url`` is missing."""
    return frame_of([(group, one) for group in groups for one in group.endpoints or (None,)], _COLUMNS)


def _several(endpoints: str | Sequence[T]) -> Sequence[str | T]:
    return (endpoints,) if isinstance(endpoints, str) else endpoints


def _some(endpoints: list[Endpoint]) -> list[Endpoint]:
    if not endpoints:
        raise SettingsError("endpoints: an empty list names nothing")
    return endpoints


def _to_add(given: str | Endpoint) -> Endpoint:
    if isinstance(given, Endpoint) and given.name is not None:
        return Endpoint(checks.http_url("endpoints", given.url), _endpoint_name(given.name))
    return Endpoint(checks.http_url("endpoints", given.url if isinstance(given, Endpoint) else given))


def _to_remove(given: str) -> Endpoint:
    if isinstance(given, str) and given.startswith(("http://", "https://")):
        return Endpoint(checks.http_url("endpoints", given))
    return Endpoint("", _endpoint_name(given))


def _endpoint_name(given: object) -> str:
    """Unlike the group's an endpoint's name may be any text."""
    if not isinstance(given, str) or not given.strip() or len(given) > NAME_LIMIT:
        raise SettingsError(f"endpoints: {given!r} is no name of an endpoint: a text of at most {NAME_LIMIT}")
    return given
