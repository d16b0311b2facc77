"""What the official Python SDK is given to send, what that means, and where its HTTP client would stand."""

from typing import Any

import httpx

from qsops.models import Callback, FlowControl
from qsops.wire.http import Request

URL = "https://a.test/hook?x=1"
OPTIONS: dict[str, Any] = {
    "method": "PUT",
    "headers": {"X-Own": "1", "content-type": "text/csv"},
    "retries": 2,
    "retry_delay": "1000 * retried",
    "callback": "https://c.test",
    "callback_headers": {"Forward-X-C": "1", "Retries": "1"},
    "failure_callback": "https://f.test",
    "failure_callback_headers": {"Upstash-Failure-Callback-Forward-X-F": "1"},
    "deduplication_id": "d-1",
    "content_based_deduplication": True,
    "timeout": 30,
    "label": "l",
    "redact": {"body": True, "header": ["X-Own"]},
}
EXPECTED: dict[str, Any] = {
    "method": "PUT",
    "headers": (("X-Own", "1"), ("Content-Type", "text/csv")),
    "retries": 2,
    "retry_delay": "1000 * retried",
    "callback": Callback("https://c.test", headers=(("X-C", "1"),), retries=1),
    "failure_callback": Callback("https://f.test", headers=(("X-F", "1"),)),
    "deduplication_id": "d-1",
    "content_based_deduplication": True,
    "timeout_s": 30,
    "labels": ("l",),
    "redact": ("body", "header[X-Own]"),
}
MORE = {"delay": "1m", "flow_control": {"key": "k", "rate": 3, "period": "10s"}}
MORE_EXPECTED = {"delay_s": 60, "flow_control": FlowControl("k", None, 3, 10)}


class Recording:
    """Stands where the SDK's HTTP client does, and keeps the request as it would stand on the wire."""

    def __init__(self, answer: Any = None) -> None:
        self.answer = answer
        self.request_made: Request | None = None

    def request(
        self,
        *,
        path: str,
        method: str,
        headers: dict[str, str] | None = None,
        body: str | bytes | None = None,
        params: dict[str, Any] | None = None,
        parse_response: bool = True,
    ) -> Any:
        sent = httpx.Request(method, f"https://qstash.test{path}", params=params, headers=headers, content=body)
        raw_path, _, query = sent.url.raw_path.decode().partition("?")
        pairs = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in sent.headers.raw)
        self.request_made = Request(method, raw_path, query, pairs, sent.content)
        return self.answer

    def sent(self) -> Request:
        assert self.request_made is not None
        return self.request_made
