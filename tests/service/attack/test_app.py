import asyncio
import json
from typing import Any

import httpx
import pytest
import requests
import schemathesis
from hypothesis import given, settings
from hypothesis import strategies as st
from schemathesis.generation import GenerationMode

from qsops import signing
from service.app import create_app
from service.callbacks import CALLBACK_PATH
from service.internal import INGEST_PATH
from service.publishing import CONSUMER_PATH, FAILURE_PATH
from service.rehearsal import APP_SECRET, INTERNAL_TOKEN, rehearsal_settings
from service.samples import signed_headers
from service.webhook import WEBHOOK_PATH
from tests.service.attack.bodies import EXAMPLES, damaged, fuzzed, json_values, posts, written
from tests.service.rig import BASE, KEYS, QStash, Rig, close, make_rig

SIGNED = (CONSUMER_PATH, CALLBACK_PATH, FAILURE_PATH)
#: What an answer may be that is no fault of ours. 503 is said on purpose, of an envelope of a newer build.
EXPECTED = {200, 400, 401, 403, 404, 405, 413, 415, 421, 422, 489, 503}


def described() -> dict[str, Any]:
    """What the app says of itself, its own routes and no others."""
    app = create_app(rehearsal_settings(BASE), transport=QStash())
    return app.openapi()


SCHEMA = schemathesis.openapi.from_dict(described())
ENDPOINTS = {found.ok().label: found.ok() for found in SCHEMA.get_all_operations()}
#: What has no parameter cannot be asked in a way that its document excludes.
ASKED = [
    (label, mode)
    for label, operation in ENDPOINTS.items()
    for mode in GenerationMode
    if mode.is_positive or {"parameters", "requestBody"} & operation.definition.raw.keys()
]


def credentials(path: str, body: bytes, rig: Rig) -> dict[str, str]:
    """What lets ``body`` in at ``path``."""
    if path == WEBHOOK_PATH:
        return signed_headers(APP_SECRET, body)
    if path in SIGNED:
        now_s = rig.clock.now_ms() // 1000
        token = signing.sign(KEYS.current, url=BASE + path, body=body, now_s=now_s, jti="jwt_1")
        return {"Upstash-Signature": token, "Upstash-Message-Id": "msg_1", "Upstash-Retried": "0"}
    return {"Authorization": f"Bearer {INTERNAL_TOKEN}"}


async def knock(request: requests.PreparedRequest, *, known: bool) -> httpx.Response:
    rig = make_rig()
    body = request.body.encode() if isinstance(request.body, str) else request.body or b""
    path = httpx.URL(str(request.url)).path
    headers = {name: value.encode("utf-8", "surrogateescape") for name, value in request.headers.items()}
    told = {name: value.encode() for name, value in (credentials(path, body, rig) if known else {}).items()}
    try:
        return await rig.http.request(
            str(request.method), str(request.url), content=body, headers={**headers, **told, "Host": b"service.example"}
        )
    finally:
        await close(rig)


@pytest.mark.parametrize("known", [True, False], ids=["with credentials", "a stranger"])
@pytest.mark.parametrize(("label", "mode"), ASKED, ids=lambda part: getattr(part, "value", part))
def test_no_request_is_a_fault_of_ours(label: str, mode: GenerationMode, known: bool):
    """Whatever a route of the app is asked, as its document has it or not, by friend or stranger: no 500."""

    @settings(fuzzed, max_examples=max(3, EXAMPLES // 15))
    @given(case=ENDPOINTS[label].as_strategy(generation_mode=mode))
    def ask(case: schemathesis.Case) -> None:
        request = requests.Request(**case.as_transport_kwargs(base_url=BASE)).prepare()
        answer = asyncio.run(knock(request, known=known))
        assert answer.status_code in EXPECTED, answer.text

    ask()


def test_each_route_is_described():
    """The document that the fuzzing reads holds every door of the service."""
    paths = set(described()["paths"])
    assert {WEBHOOK_PATH, INGEST_PATH, *SIGNED, "/healthz", "/readyz", "/metrics"} <= paths


@pytest.mark.parametrize("path", [WEBHOOK_PATH, INGEST_PATH, *SIGNED])
def test_no_body_is_a_fault_of_ours(path: str):
    """Any body with the right signature, at each route that takes one: an answer on purpose, and never a 500."""
    bodies = st.binary(max_size=200) | written(json_values) | written(posts()) | damaged(written(posts()))

    @settings(fuzzed, max_examples=max(10, EXAMPLES // 4))
    @given(body=bodies | written(json_values.map(lambda value: {"events": [value]})))
    def post(body: bytes) -> None:
        request = requests.Request("POST", BASE + path, data=body).prepare()
        answer = asyncio.run(knock(request, known=True))
        assert answer.status_code in EXPECTED, (answer.status_code, answer.text)
        assert answer.status_code in {200, 400, 489, 503}
        json.loads(answer.content)

    post()
