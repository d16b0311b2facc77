"""URL groups: set up, read, deleted."""

from __future__ import annotations

from qsops.engine.core.admission import check_destination
from qsops.engine.core.groups import (
    add_endpoints,
    delete_group,
    group_of,
    groups,
    remove_endpoints,
    set_group_headers,
)
from qsops.engine.face.call import Call
from qsops.errors import Rejected
from qsops.wire import texts
from qsops.wire.groups import (
    group_json,
    groups_json,
    parse_group_add,
    parse_group_headers,
    parse_group_name,
    parse_group_remove,
)
from qsops.wire.http import Response
from qsops.wire.query import refuse_parameters

__all__ = ["add", "delete", "get", "list_all", "remove", "set_headers"]


async def list_all(call: Call) -> Response:
    """``GET /v2/topics``."""
    refuse_parameters(call.request)
    found = call.engine.database.read(lambda connection: groups(connection, call.account.number))
    return Response.of_json(200, groups_json(found))


async def get(call: Call) -> Response:
    """``GET /v2/topics/{name}``."""
    name = parse_group_name(call.request)
    found = call.engine.database.read(lambda connection: group_of(connection, call.account.number, name))
    if found is None:
        raise Rejected(404, texts.url_group_not_found(name))
    return Response.of_json(200, group_json(found))


async def add(call: Call) -> Response:
    """``POST /v2/topics/{name}/endpoints``: all of them or, where one cannot be, none."""
    name, endpoints = parse_group_add(call.request)
    for endpoint in endpoints:
        check_destination(endpoint.url)
    account, now_ms, plan = call.account.number, call.engine.clock.now_ms(), call.engine.plan
    await call.engine.database.submit(
        lambda connection: add_endpoints(connection, account, name, endpoints, now_ms, plan)
    )
    return Response.of_json(200, {})


async def remove(call: Call) -> Response:
    """``DELETE /v2/topics/{name}/endpoints``."""
    name, endpoints = parse_group_remove(call.request)
    account, now_ms = call.account.number, call.engine.clock.now_ms()
    known = await call.engine.database.submit(
        lambda connection: remove_endpoints(connection, account, name, endpoints, now_ms)
    )
    return _done(name, known)


async def set_headers(call: Call) -> Response:
    """``PATCH /v2/topics/{name}``: the default option headers, in the place of those before."""
    name, headers = parse_group_headers(call.request)
    account, now_ms = call.account.number, call.engine.clock.now_ms()
    known = await call.engine.database.submit(
        lambda connection: set_group_headers(connection, account, name, headers, now_ms)
    )
    return _done(name, known)


async def delete(call: Call) -> Response:
    """``DELETE /v2/topics/{name}``: a group that is not there is deleted, too (reference, section 0.8)."""
    name = parse_group_name(call.request)
    await call.engine.database.submit(lambda connection: delete_group(connection, call.account.number, name))
    return Response.of_json(200, {})


def _done(name: str, known: bool) -> Response:
    if not known:
        raise Rejected(404, texts.url_group_not_found(name))
    return Response.of_json(200, {})
