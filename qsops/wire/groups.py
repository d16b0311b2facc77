"""URL groups as JSON, and the calls that set them up, read and delete them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from qsops.errors import Corrupt, Rejected
from qsops.models import Endpoint, Headers, UrlGroup
from qsops.wire import texts
from qsops.wire.fields import asked_text, asked_url, body_object
from qsops.wire.http import Request, Response, path_id, path_step
from qsops.wire.names import NAME_LIMIT, check_name
from qsops.wire.options import check_defaults
from qsops.wire.query import refuse_parameters
from qsops.wire.values import header_map, json_answer, listed, number, present, text

__all__ = [
    "GROUPS_PATH",
    "GROUP_HEADERS_LIMIT",
    "group_add_request",
    "group_delete_request",
    "group_headers_request",
    "group_json",
    "group_remove_request",
    "group_request",
    "groups_json",
    "groups_request",
    "parse_group",
    "parse_group_add",
    "parse_group_headers",
    "parse_group_name",
    "parse_group_remove",
    "parse_group_response",
    "parse_groups",
]

GROUPS_PATH: Final = "/v2/topics"
#: Default headers of one group.
GROUP_HEADERS_LIMIT: Final = 100

_NAME_STEP: Final = GROUPS_PATH.count("/") + 1


def group_json(group: UrlGroup) -> dict[str, Any]:
    """``group`` as QStash shows it: the JavaScript SDK compares its endpoints for equality, so without more fields."""
    return {
        "name": group.name,
        "createdAt": group.created_at_ms,
        "updatedAt": group.updated_at_ms,
        "endpoints": _endpoints_json(group.endpoints),
    }


def parse_group(fields: Any) -> UrlGroup:
    """A URL group of its JSON.

    :raises Corrupt: when it is no object with a name.
    """
    if not isinstance(fields, Mapping) or not text(fields.get("name")):
        raise Corrupt(f"QStash answered with something that is no URL group: {str(fields)[:80]!r}")
    endpoints = fields.get("endpoints")
    return UrlGroup(
        name=str(fields["name"]),
        created_at_ms=number(fields.get("createdAt")) or 0,
        updated_at_ms=number(fields.get("updatedAt")) or 0,
        endpoints=tuple(map(_parse_endpoint, endpoints)) if isinstance(endpoints, list) else (),
    )


def _parse_endpoint(fields: Any) -> Endpoint:
    if not isinstance(fields, Mapping) or not text(fields.get("url")):
        raise Corrupt(f"QStash answered with an endpoint that has no url: {str(fields)[:80]!r}")
    return Endpoint(str(fields["url"]), text(fields.get("name")))


def groups_json(groups: Sequence[UrlGroup]) -> list[dict[str, Any]]:
    """All URL groups: a bare array."""
    return [group_json(group) for group in groups]


def parse_groups(response: Response) -> tuple[UrlGroup, ...]:
    """The URL groups of an answer.

    :raises Corrupt: when it is no list of them.
    """
    return tuple(map(parse_group, listed(response, "the URL groups")))


def parse_group_response(response: Response) -> UrlGroup:
    """The URL group of an answer.

    :raises Corrupt: when it is none.
    """
    return parse_group(json_answer(response))


def group_add_request(name: str, endpoints: Sequence[Endpoint]) -> Request:
    """Add endpoints to a group, which is made if there is none; one that is there takes the name that is given."""
    return Request.of_json("POST", f"{_path(name)}/endpoints", {"endpoints": _endpoints_json(endpoints)})


def group_remove_request(name: str, endpoints: Sequence[Endpoint]) -> Request:
    """Remove endpoints, each by its URL or its name; with the last of them the group goes, too."""
    return Request.of_json("DELETE", f"{_path(name)}/endpoints", {"endpoints": _endpoints_json(endpoints)})


def group_headers_request(name: str, headers: Headers) -> Request:
    """Set the option headers that each publish to the group takes unless it brings its own."""
    return Request.of_json("PATCH", _path(name), {"headers": header_map(headers)})


def groups_request() -> Request:
    """Read all URL groups."""
    return Request("GET", GROUPS_PATH)


def group_request(name: str) -> Request:
    """Read one URL group."""
    return Request("GET", _path(name))


def group_delete_request(name: str) -> Request:
    """Delete one URL group; messages that are under way go on."""
    return Request("DELETE", _path(name))


def parse_group_add(request: Request) -> tuple[str, tuple[Endpoint, ...]]:
    """The group, and the endpoints that it is to have.

    :raises Rejected: 400, naming the parameter, field or name.
    """
    name, asked = parse_group_name(request), _asked_endpoints(request)
    for endpoint in asked:
        if not endpoint.url:
            raise Rejected(400, texts.invalid_field("url", "", "an endpoint is added by its url"))
    return name, asked


def parse_group_remove(request: Request) -> tuple[str, tuple[Endpoint, ...]]:
    """The group, and the endpoints that it is to lose; one that is given by its name alone has an empty ``url``.

    :raises Rejected: 400, naming the parameter, field or name.
    """
    name, asked = parse_group_name(request), _asked_endpoints(request)
    for endpoint in asked:
        if not endpoint.url and not endpoint.name:
            raise Rejected(400, texts.invalid_field("url", "", "an endpoint is removed by its url or its name"))
    return name, asked


def parse_group_headers(request: Request) -> tuple[str, Headers]:
    """The group, and its default option headers; each value is a text or a list of them, and null is none.

    :raises Rejected: 400, naming the parameter, field, name or option that does not parse.
    """
    name, fields = parse_group_name(request), body_object(request.body).get("headers")
    if not isinstance(fields, Mapping):
        raise Rejected(400, texts.invalid_field("headers", fields, "it is an object of header names and values"))
    pairs = [(key, one) for key, many in fields.items() for one in (many if isinstance(many, list) else [many])]
    for key, value in pairs:
        if not isinstance(value, str | None):
            raise Rejected(400, texts.invalid_header(key, str(value), "it is a text or a list of them"))
    headers = tuple((key, value) for key, value in pairs if value is not None)
    if len(headers) > GROUP_HEADERS_LIMIT:
        raise Rejected(400, texts.invalid_field("headers", len(headers), f"at most {GROUP_HEADERS_LIMIT} of them"))
    check_defaults(headers)
    return name, headers


def parse_group_name(request: Request) -> str:
    """The URL group that a request about one of them names.

    :raises Rejected: 400 for a name that no group may have, and for a parameter.
    """
    refuse_parameters(request)
    return check_name("url group", path_step(request.path, _NAME_STEP))


def _asked_endpoints(request: Request) -> tuple[Endpoint, ...]:
    items = body_object(request.body).get("endpoints")
    if not isinstance(items, list) or not items:
        raise Rejected(400, texts.NO_ENDPOINTS)
    return tuple(map(_asked_endpoint, items))


def _asked_endpoint(fields: Any) -> Endpoint:
    if not isinstance(fields, Mapping):
        raise Rejected(400, texts.invalid_field("endpoints", fields, "each is an object with a url"))
    name = asked_text(fields, "name")
    if name is not None and len(name) > NAME_LIMIT:
        raise Rejected(400, texts.invalid_field("name", name, f"it has at most {NAME_LIMIT} characters"))
    return Endpoint(asked_url(fields, "url") or "", name)


def _endpoints_json(endpoints: Sequence[Endpoint]) -> list[dict[str, Any]]:
    return [present({"url": endpoint.url or None, "name": endpoint.name}) for endpoint in endpoints]


def _path(name: str) -> str:
    return f"{GROUPS_PATH}/{path_id(name)}"
