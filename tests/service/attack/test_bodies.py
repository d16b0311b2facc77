import asyncio
import gzip
import json
import socket
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from qsops import receive
from qsops.clock import ManualClock
from service.body import BODY_PATIENCE_S, COMPRESSED, TOO_SLOW
from service.callbacks import CALLBACK_PATH
from service.envelope import encode as encode_envelope
from service.internal import INGEST_PATH
from service.publishing import CONSUMER_PATH, FAILURE_PATH
from service.rehearsal import APP_SECRET, INTERNAL_TOKEN
from service.samples import encode, sample, signed_headers
from service.webhook import BODY_LIMIT, WEBHOOK_PATH
from tests.service.attack.bodies import AT_MS
from tests.service.rig import Rig, close, event_of, make_rig
from tests.service.test_served import WITHIN_S, ask, served
from tests.service.virtual import advance, run

SIGNED = (CONSUMER_PATH, CALLBACK_PATH, FAILURE_PATH)
ROUTES = (WEBHOOK_PATH, INGEST_PATH, *SIGNED)
AUTHORIZED = {"Authorization": f"Bearer {INTERNAL_TOKEN}"}
MIB = 1 << 20
HALF = f"POST {WEBHOOK_PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 99\r\n\r\n{{"


def authorized(path: str) -> dict[str, str]:
    return AUTHORIZED if path == INGEST_PATH else {}


@pytest.mark.parametrize("path", ROUTES)
@pytest.mark.parametrize("encoding", ["gzip", "br", "zstd", "deflate", "identity, gzip"])
async def test_a_compressed_body_is_415_at_each_door(rig: Rig, path: str, encoding: str):
    """What is signed are the bytes as they are sent: nothing is unpacked, so that nothing can be blown up."""
    bomb = gzip.compress(b"0" * (8 * MIB))
    headers = {"Content-Encoding": encoding, **authorized(path)}
    answer = await rig.http.post(path, content=bomb, headers=headers)
    assert (answer.status_code, answer.json()) == (415, {"error": COMPRESSED})


@pytest.mark.parametrize("path", ROUTES)
def test_a_slow_body_is_408_at_each_door(path: str):
    """A body that trickles is given up after half a minute, whatever it would have been."""

    async def main(clock: ManualClock) -> Any:
        rig = make_rig(clock)
        sent: list[dict[str, Any]] = []
        headers = [
            (b"host", b"service.example"),
            *((k.lower().encode(), v.encode()) for k, v in authorized(path).items()),
        ]
        scope = {"type": "http", "method": "POST", "path": path, "query_string": b"", "headers": headers}

        async def receive_slowly() -> dict[str, Any]:
            await asyncio.sleep(1)
            return {"type": "http.request", "body": b"{", "more_body": True}

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        asked = asyncio.ensure_future(rig.app({**scope, "raw_path": path.encode()}, receive_slowly, send))
        await advance(clock, round(BODY_PATIENCE_S * 1000) - 1)
        early = list(sent)
        await advance(clock, 2)
        answered = (sent[0]["status"], json.loads(sent[1]["body"]))
        await advance(clock, 120_000)
        await asked
        await close(rig)
        return early, answered

    early, answered = run(main)
    assert early == []
    assert answered == (408, {"error": TOO_SLOW.format(limit=BODY_PATIENCE_S)})


@pytest.mark.parametrize(
    ("body", "named"),
    [
        (b"", "JSON"),
        (b"\xff\xfe\x00", "JSON"),
        ('{"v": 1, "id": "ü"'.encode("latin-1"), "JSON"),
        (b"[" * 200_000, "JSON"),
        (b'{"v": NaN}', "JSON"),
        (b'{"v": 1e999}', "JSON"),
        (b'{"v": "1"}', "version"),
        (b'{"v": 0}', "version"),
        (b'{"v": 1.0}', "version"),
        (b'{"v": true}', "version"),
        (b"[]", "version"),
        (b'"v"', "version"),
    ],
    ids=["empty", "no utf-8", "latin-1", "deep", "nan", "infinite", "text", "zero", "float", "true", "list", "string"],
)
async def test_a_signed_body_that_is_no_envelope_is_489(rig: Rig, body: bytes, named: str):
    """What QStash signed and we cannot read is a dead letter at once: no retry mends it."""
    answer = await rig.deliver(body)
    assert (answer.status_code, answer.headers["upstash-nonretryable-error"]) == (489, "true")
    assert named in answer.json()["error"]
    assert (await rig.count("claims"), await rig.count("events")) == (0, 0)


ENVELOPE = json.loads(encode_envelope(event_of("message", "mid-1", AT_MS)))
SPOILED = {
    "an id as a number": {"id": 5},
    "an id with a blank": {"id": "a b"},
    "an id of a megabyte": {"id": "x" * MIB},
    "no id": {"id": None},
    "a kind with a comma": {"kind": "a,b"},
    "an account with a null byte": {"account": "1\x00"},
    "half of a surrogate pair": {"account": "\ud83d"},
    "a time as a number": {"occurred_at": 1},
    "a time as text of a number": {"occurred_at": "1"},
    "a time without its zone": {"received_at": "2026-01-01T00:00:00"},
    "a payload as text": {"payload": "{}"},
    "a payload as a list": {"payload": []},
}


@pytest.mark.parametrize("name", SPOILED)
async def test_a_field_that_is_something_else_is_489_by_its_name(rig: Rig, name: str):
    """Each field of an envelope holds what it must, or the dead letter says which does not."""
    answer = await rig.deliver(json.dumps(ENVELOPE | SPOILED[name]).encode())
    assert answer.status_code == 489
    assert next(iter(SPOILED[name])) in answer.json()["error"]
    assert await rig.count("claims") == 0


@pytest.mark.parametrize("kind", ["unknown", "hologram", "v2.message"])
async def test_a_kind_that_is_not_known_is_processed(rig: Rig, kind: str):
    """What Meta invents tomorrow is kept and claimed, not refused: a handler of a newer build may know it."""
    assert (await rig.deliver(rig.event(kind=kind))).json() == {"status": "processed"}
    assert [(one.kind, one.state) for one in await rig.ledger()] == [(kind, "processed")]


@pytest.mark.parametrize("retried", [b"-1", b"9" * 20, b"9" * 5_000, b"1.5", b"many", b"", b"\xff"])
async def test_headers_of_a_delivery_may_be_odd(rig: Rig, retried: bytes):
    """What is not signed is not trusted: a count that is none is read as absent, and the event is processed."""
    odd: dict[str, Any] = {"Upstash-Retried": retried, "Upstash-Schedule-Id": "x" * 8_000, "Upstash-Caller-IP": b"\xff"}
    answer = await rig.deliver(rig.event(), **odd)
    assert (answer.status_code, answer.json()) == (200, {"status": "processed"})
    assert [one.state for one in await rig.ledger()] == ["processed"]


def resident_mib(process: subprocess.Popen[str]) -> float:
    """What the process held in memory at most; where there is no /proc, what it holds now."""
    status = Path(f"/proc/{process.pid}/status")
    if status.exists():
        (peak,) = [line.split()[1] for line in status.read_text().splitlines() if line.startswith("VmHWM")]
    else:
        peak = subprocess.run(["ps", "-o", "rss=", "-p", str(process.pid)], capture_output=True, check=True).stdout
    return int(peak) / 1024


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as found:
        yield found


def test_a_hundred_megabytes_are_refused_and_not_held(listening: socket.socket, tmp_path: Path):
    """Bodies far over the limit, told or streamed, are answered 413 at each door, and memory stays where it was."""
    with served(listening, tmp_path) as process:
        small = encode(sample("message", mid="m-1", at_ms=AT_MS))
        assert ask(listening, "POST", WEBHOOK_PATH, body=small, headers=signed_headers(APP_SECRET, small))[0] == 200
        before = resident_mib(process)
        for path in (WEBHOOK_PATH, CONSUMER_PATH):
            limit = BODY_LIMIT if path == WEBHOOK_PATH else receive.BODY_LIMIT
            chunks = (b"x" * MIB for _ in range(limit // MIB + 50))
            assert ask(listening, "POST", path, body=chunks)[0] == 413
        told = resident_mib(process)
        # The largest that may be held is one body of the limit, while its last part is still to come.
        assert told - before < receive.BODY_LIMIT / MIB * 1.5 + 20
        for _ in range(3):
            assert ask(listening, "POST", WEBHOOK_PATH, headers={"Content-Length": str(100 * MIB)}, body=b"")[0] == 413
        assert resident_mib(process) - told < 5


def test_a_connection_that_says_nothing_holds_up_nobody(listening: socket.socket, tmp_path: Path):
    """Half-sent requests wait by themselves; others are answered meanwhile."""
    with served(listening, tmp_path):
        idle = [socket.create_connection(listening.getsockname(), timeout=WITHIN_S) for _ in range(50)]
        for connection in idle:
            connection.sendall(
                f"POST {WEBHOOK_PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 99\r\n\r\n{{".encode()
            )
        assert ask(listening, "GET", "/healthz")[0] == 200
        for connection in idle:
            with closing(connection):
                continue
        assert ask(listening, "GET", "/readyz")[0] == 200
