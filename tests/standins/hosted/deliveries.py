"""One delivery over HTTP, with the headers and the signature of the reference."""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import json
from typing import Any
from urllib.parse import urlsplit

__all__ = ["attempt", "sign"]

_TIMEOUT_S = 10.0
# The service signs for five minutes. Foreign receivers check by the real clock, which is ahead of a stand-in's.
_LIFETIME_S = 20 * 365 * 86400


def attempt(message: dict[str, Any], retried: int, key: str, now_ms: int) -> tuple[int, bytes]:
    """POST (or what the message says) once: the status, 0 if nobody answered, and the body of the answer."""
    body = base64.b64decode(message["bodyBase64"]) if "bodyBase64" in message else message.get("body", "").encode()
    url = urlsplit(message["url"])
    connection = http.client.HTTPConnection(url.hostname or "", url.port or 80, timeout=_TIMEOUT_S)
    headers = {
        **{name: values[0] for name, values in message["header"].items()},
        "User-Agent": "Upstash-QStash",
        "Upstash-Signature": sign(key, message["url"], body, now_ms),
        "Upstash-Message-Id": message["messageId"],
        "Upstash-Retried": str(retried),
        "Upstash-Caller-Ip": message["callerIP"],
        "Upstash-Region": "EU-CENTRAL-1",
    }
    try:
        target = f"{url.path or '/'}?{url.query}" if url.query else url.path or "/"
        connection.request(message["method"], target, body=body, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    except (OSError, http.client.HTTPException):
        # No answer is an outcome of a delivery, and counts as a failed one.
        return 0, b""
    finally:
        connection.close()


def sign(key: str, url: str, body: bytes, now_ms: int) -> str:
    """A JWT as the service makes it: HS256 over the claims of the reference, section 6."""
    now_s = now_ms // 1000
    claims = {
        "iss": "Upstash",
        "sub": url,
        "exp": now_s + _LIFETIME_S,
        "nbf": 0,
        "iat": now_s,
        "jti": "jwt_standin",
        "body": base64.urlsafe_b64encode(hashlib.sha256(body).digest()).decode(),
    }
    signed = f"{_part({'alg': 'HS256', 'typ': 'JWT'})}.{_part(claims)}"
    digest = hmac.new(key.encode(), signed.encode(), hashlib.sha256).digest()
    return f"{signed}.{base64.urlsafe_b64encode(digest).decode().rstrip('=')}"


def _part(value: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value, separators=(",", ":")).encode()).decode().rstrip("=")
