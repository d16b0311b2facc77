"""The front: hosts, the hot routes past FastAPI, and what is told of them."""

import json
import logging
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from service.answers import Answer
from service.callbacks import CALLBACK_PATH
from service.front import FAULT, Front
from service.hosts import NO_HOST, UNKNOWN_HOST, Hosts
from service.publishing import CONSUMER_PATH, FAILURE_PATH
from service.rehearsal import rehearsal_settings
from service.webhook import WEBHOOK_PATH
from tests.service.rig import Rig, close, make_rig

HOT = (WEBHOOK_PATH, CONSUMER_PATH, CALLBACK_PATH, FAILURE_PATH)


async def ask(app: Any, path: str, hosts: list[str], method: str = "GET") -> tuple[int, Any]:
    """One request with just these Host headers, which no client would send."""
    sent: list[dict[str, Any]] = []
    headers = [(b"host", host.encode()) for host in hosts]
    scope = {"type": "http", "method": method, "path": path, "raw_path": path.encode(), "root_path": "",
             "query_string": b"", "headers": headers, "scheme": "http", "http_version": "1.1"}  # fmt: skip

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await app(scope, receive, send)
    return sent[0]["status"], json.loads(sent[1]["body"])


@pytest.mark.parametrize("path", [*HOT, "/api/internal/relay", "/nowhere"])
async def test_a_request_for_another_host_is_421_on_every_route(path: str):
    """Who reaches us under a name that is not ours is not answered from here, whatever was asked."""
    rig = make_rig(allowed_hosts=None)
    assert await ask(rig.app, path, ["evil.example"], "POST") == (421, {"error": UNKNOWN_HOST})
    assert await ask(rig.app, path, ["service.example.evil.example"], "POST") == (421, {"error": UNKNOWN_HOST})
    await close(rig)


@pytest.mark.parametrize("hosts", [[], ["service.example", "evil.example"], ["service.example", "service.example"]])
async def test_a_request_has_one_host(rig: Rig, hosts: list[str]):
    """Of none or two nobody can say which is meant, and a proxy may have believed the other."""
    assert await ask(rig.app, "/nowhere", hosts) == (400, {"error": NO_HOST})


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
async def test_probes_call_by_address(rig: Rig, path: str):
    """A platform's probe knows an address and no name: it is answered under any, or none."""
    assert (await ask(rig.app, path, ["10.1.2.3:8000"]))[0] == 200
    assert (await ask(rig.app, path, []))[0] == 200


@pytest.mark.parametrize(
    ("told", "host", "served"),
    [
        ({}, "service.example", True),
        ({}, "SERVICE.example:443", True),
        ({}, "127.0.0.1:8000", True),
        ({}, "[::1]:8000", True),
        ({"qsops_host": "0.0.0.0"}, "127.0.0.1", False),
        ({"qsops_host": "0.0.0.0"}, "service.example", True),
        ({"allowed_hosts": "a.example, *.b.example"}, "a.example", True),
        ({"allowed_hosts": "a.example, *.b.example"}, "x.b.example:1", True),
        ({"allowed_hosts": "a.example, *.b.example"}, "b.example", False),
        ({"allowed_hosts": "a.example"}, "service.example", False),
        ({"allowed_hosts": "[::1]"}, "[::1]:80", True),
        ({"allowed_hosts": "*"}, "anything.example", True),
        ({}, "", False),
    ],
)
def test_the_hosts_that_are_served(told: dict[str, Any], host: str, served: bool):
    """The public host, loopback where we listen there; with ALLOWED_HOSTS what it names, and nothing else."""
    hosts: Hosts = rehearsal_settings(**told).hosts
    scope = {"path": "/nowhere", "headers": [(b"host", host.encode())]}
    assert (hosts.refusal(scope) is None) == served


@pytest.mark.parametrize(("base", "status"), [("https://service.example", 404), ("http://127.0.0.1:8000", 200)])
async def test_the_pages_about_the_routes_are_for_developers(base: str, status: int):
    """A service in production does not describe itself to strangers; one on loopback does."""
    rig = make_rig()
    told = rehearsal_settings(base)
    app = Front(told.hosts, has_docs=base.startswith("http://127"), title="t")
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=base) as client:
        assert [(await client.get(path)).status_code for path in ("/docs", "/openapi.json")] == [status, status]
    assert (await rig.http.get("/openapi.json")).status_code == 404
    await close(rig)


async def test_hot_routes_are_described_by_fastapi_and_do_not_pass_through_it(rig: Rig):
    """What stands in front is the same function: FastAPI's document has it, FastAPI's router is not asked."""
    described = rig.app.openapi()["paths"]
    assert all("post" in described[path] for path in HOT)

    async def untouched(*_: object) -> None:
        raise AssertionError("FastAPI's stack was called")

    rig.app.middleware_stack = untouched
    assert (await rig.deliver(rig.event())).json() == {"status": "processed"}
    assert (await rig.post_sample("message", "mid-2")).status_code == 200


async def test_under_a_prefix_fastapi_serves_the_same(rig: Rig):
    """Mounted into another app its paths are not ours any more: then it goes the long way, to the same answer."""
    outer = Starlette(routes=[Mount("/inner", rig.app)])
    sent = (await rig.deliver(rig.event())).request
    async with httpx.AsyncClient(transport=httpx.ASGITransport(outer), base_url="http://service.example") as client:
        headers = {name: value for name, value in sent.headers.items() if name.startswith("upstash")}
        answer = await client.post(f"/inner{CONSUMER_PATH}", content=sent.content, headers=headers)
    assert (answer.status_code, answer.json()) == (200, {"status": "duplicate"})


async def test_a_fault_of_ours_is_500_and_one_line(rig: Rig, caplog: pytest.LogCaptureFixture):
    """Nobody's words leave the process, and the log says where it was."""

    async def broken(_: object) -> Answer:
        raise KeyError("a secret text of a person")

    rig.app._hot[CONSUMER_PATH] = broken
    with caplog.at_level(logging.INFO, logger="service"):
        answer = await rig.http.post(CONSUMER_PATH, content=b"{}")
    assert (answer.status_code, answer.json()) == (500, {"error": FAULT})
    assert [json.loads(record.message) for record in caplog.records] == [
        {"log": "fault", "route": CONSUMER_PATH, "error": "KeyError"}
    ]
