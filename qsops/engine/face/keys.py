"""Signing keys: read and rotate."""

from __future__ import annotations

from qsops.engine.accounts import new_key, rotate_keys, signing_keys
from qsops.engine.face.call import Call
from qsops.wire.http import Response
from qsops.wire.keys import keys_json

__all__ = ["get", "rotate"]


async def get(call: Call) -> Response:
    """``GET /v2/keys``."""
    keys = call.engine.database.read(lambda connection: signing_keys(connection, call.account.number))
    return Response.of_json(200, keys_json(keys))


async def rotate(call: Call) -> Response:
    """``POST /v2/keys/rotate``: answers the new pair."""
    key = new_key(call.engine.ids)
    keys = await call.engine.database.submit(lambda connection: rotate_keys(connection, call.account.number, key))
    return Response.of_json(200, keys_json(keys))
