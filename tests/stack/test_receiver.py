import asyncio
import base64
import json
import re
import sys
from pathlib import Path

import pytest

from qsops import signing
from qsops.config import DEV_USERS
from qsops.models import KeyPair
from qsops.stack.receiver import verdict
from tests.standins.processes import ChildProcess

KEYS = KeyPair("sig_current", "sig_next")
BODY = "Grüße 👋".encode()
URL = "http://127.0.0.1:3000/hook"
NOW_S = 1_767_225_600


def token(key: str = KEYS.current, url: str = URL, body: bytes = BODY) -> str:
    return signing.sign(key, url=url, body=body, now_s=NOW_S, jti="jwt_1")


@pytest.mark.parametrize(
    ("given", "now_s", "says"),
    [
        (token(), NOW_S, "signature ok"),
        (token(KEYS.next or ""), NOW_S, "signature ok"),
        (None, NOW_S, "signature refused (missing)"),
        (token("sig_other"), NOW_S, "signature refused (key)"),
        (token(url="http://elsewhere/"), NOW_S, "signature refused (url): signed for URL http://elsewhere/"),
        (token(body=b"{}"), NOW_S, "signature refused (body)"),
        (token(), NOW_S + 400, "signature refused (expired): expired 100 s ago"),
    ],
    ids=["current", "next", "missing", "key", "url", "body", "expired"],
)
def test_the_verdict_names_the_failing_check(given: str | None, now_s: float, says: str):
    """Whoever debugs a signature reads which check failed, and what was compared."""
    assert verdict(given, KEYS, BODY, URL, now_s).startswith(says)


def test_without_keys_nothing_is_claimed():
    """A target without signing keys cannot vouch for anything."""
    assert verdict(token(), None, BODY, URL, NOW_S) == "signature not checked: the target has no signing keys"


async def test_the_scripted_receiver_answers_in_turn_and_tells(tmp_path: Path):
    """As a process: answers by its script, the last one for ever, and one line of JSON a request, emoji included."""
    (tmp_path / "qsops.toml").write_text("")
    command = [sys.executable, "-m", "qsops", "receive", "--port", "0", "--json"]
    with ChildProcess([*command, "--answer", "500 retry-after=7, 200 body=fine"], cwd=tmp_path) as receiver:
        port = int(receiver.wait_for_line(r"receiver: http://127.0.0.1:(\d+)")[1])
        answers = [await asyncio.to_thread(_post, port) for _ in range(3)]
        assert [status for status, _ in answers] == [500, 200, 200]
        assert answers[0][1]["retry-after"] == "7"
        told = json.loads(receiver.wait_for_line(r"^\{.*")[0])
    assert (told["method"], told["answer"], told["body"]) == ("POST", "500", BODY.decode())
    assert told["url"] == f"http://127.0.0.1:{port}/a%2Fb?x=%7E"
    assert re.match(r"signature refused \(missing\)", told["verdict"])
    assert base64.b64encode(DEV_USERS[0].keys.current.encode()).decode() not in json.dumps(told)


def _post(port: int) -> tuple[int, dict[str, str]]:
    import http.client

    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request("POST", "/a%2Fb?x=%7E", body=BODY)
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}
    finally:
        connection.close()
