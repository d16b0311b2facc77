"""The signing keys as JSON, and the calls that read and rotate them."""

from __future__ import annotations

from collections.abc import Mapping

from qsops.errors import Corrupt
from qsops.models import KeyPair
from qsops.wire.http import Request, Response
from qsops.wire.values import json_answer, text

__all__ = ["KEYS_PATH", "ROTATE_PATH", "keys_json", "keys_request", "parse_keys", "rotate_request"]

KEYS_PATH = "/v2/keys"
ROTATE_PATH = "/v2/keys/rotate"


def keys_request() -> Request:
    """Read both keys; also the SDKs' probe of whether a server is there."""
    return Request("GET", KEYS_PATH)


def rotate_request() -> Request:
    """Make the next key the current one, and a new next."""
    return Request("POST", ROTATE_PATH)


def keys_json(keys: KeyPair) -> dict[str, str | None]:
    """Both keys; the Python SDK wants both fields, so a next one that there is not is null."""
    return {"current": keys.current, "next": keys.next}


def parse_keys(response: Response) -> KeyPair:
    """Both keys of an answer.

    :raises Corrupt: when it holds none; the answer itself is never shown.
    """
    try:
        answer = json_answer(response)
    except Corrupt:
        # Its message shows how the body begins, and that may be a key.
        raise Corrupt(f"QStash answered a call for the signing keys with {response.status} and no JSON") from None
    current = text(answer.get("current")) if isinstance(answer, Mapping) else None
    if current is None:
        raise Corrupt("QStash answered a call for the signing keys without 'current'")
    return KeyPair(current, text(answer.get("next")))
