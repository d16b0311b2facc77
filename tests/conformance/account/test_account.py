import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conformance.account.costs import most_messages
from tests.conformance.account.gateway import Gateway
from tests.conformance.destination import Destination
from tests.conformance.servers import EngineServer
from tests.standins.loopback import Answer, LoopbackServer, Seen

ROOT = Path(__file__).parents[3]
PREFIX = "QSOPS_TESTS_CONFORMANCE_"
YEARLY = {"Upstash-Cron": "0 0 1 1 *", "Upstash-Retries": "0"}
ONCE = {"Upstash-Retries": "0"}


def run(*arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """The script, with these settings and none of ours."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith((PREFIX, "PYTEST"))}
    told = {**clean, **{PREFIX + name: value for name, value in settings.items()}}
    command = [sys.executable, "scripts/conformance.py", *arguments]
    return subprocess.run(command, cwd=ROOT, env=told, capture_output=True, text=True, check=False, timeout=120)


@pytest.fixture(scope="module")
def remote(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EngineServer]:
    """An engine that stands for an account somewhere else."""
    with EngineServer(tmp_path_factory.mktemp("account")) as server:
        yield server


@pytest.fixture
def settings(remote: EngineServer, destination: Destination) -> dict[str, str]:
    urls = {"DESTINATION": f"{destination.url}/ok", "FAILING": f"{destination.url}/down"}
    return {"TOKEN": remote.token, "URL": remote.url, **urls}


@pytest.mark.parametrize("missing", ["TOKEN", "DESTINATION"])
def test_without_what_it_needs_it_says_how_to_give_it(missing: str, settings: dict[str, str]):
    """One line that names the setting, exit status 2, and nothing was sent."""
    done = run(**{name: value for name, value in settings.items() if name != missing})
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"conformance: {PREFIX}{missing} is not set. Set ")
    assert len(done.stderr.splitlines()) == 1


def test_a_destination_is_a_url(settings: dict[str, str]):
    """What is none is named with its value."""
    done = run(**{**settings, "DESTINATION": "example.com/hook"})
    assert (done.returncode, "'example.com/hook'" in done.stderr) == (2, True)


def test_a_run_leaves_the_account_as_it_was(remote: EngineServer, settings: dict[str, str]):
    """Each room of the account is tried, what was there before is untouched, and nothing else is left behind."""
    remote.ask("POST", "/v2/queues", {"queueName": "theirs"})
    remote.ask("POST", "/v2/publish/http://127.0.0.1:9/theirs", headers={"Upstash-Delay": "1h"})
    picked = "python and not async and (made or listed or dead_letter or delivered or limit_comes_back)"
    done = run("-k", picked, **settings)
    assert done.returncode == 0, done.stdout + done.stderr
    assert [queue["name"] for queue in remote.ask("GET", "/v2/queues")] == ["theirs"]
    assert remote.ask("GET", "/v2/topics") == remote.ask("GET", "/v2/schedules") == []
    assert remote.ask("GET", "/v2/dlq")["messages"] == []
    assert remote.ask("DELETE", "/v2/messages") == {"cancelled": 1}
    spent = re.search(r"account: at most (\d+) messages sent", done.stdout)
    assert spent is not None
    assert 3 <= int(spent[1]) <= 20
    assert "tests/conformance/test_messages.py::test_rotating_makes_the_next_key_current" in done.stdout
    assert "left behind" not in done.stdout


def test_the_messages_of_a_run_end(remote: EngineServer, destination: Destination, settings: dict[str, str]):
    """One too many is not sent: the run stops there, cleans up, and says so by exit status 3."""
    done = run("-k", "python and (a_delay_is_kept or still_there)", **{**settings, "MESSAGES": "2"})
    assert done.returncode == 3, done.stdout
    assert "stopped: the 2 messages of a run are used up, 2 of them so far" in done.stdout
    assert remote.ask("DELETE", "/v2/messages") == {"cancelled": 0}


def test_the_whole_selection_keeps_to_the_limit(remote: EngineServer, settings: dict[str, str]):
    """What is marked for an account sends at most a hundred messages, each attempt counted, and holds here."""
    done = run(**settings)
    assert done.returncode == 0, done.stdout + done.stderr
    spent = re.search(r"account: at most (\d+) messages sent", done.stdout)
    assert spent is not None
    assert int(spent[1]) <= 100
    assert "refused, and never sent" not in done.stdout


@pytest.fixture
def upstream() -> Iterator[LoopbackServer]:
    """An account that takes everything."""

    def answer(seen: Seen) -> Answer:
        return Answer(200, {"messageId": "msg_1", "scheduleId": "scd_1"})

    with LoopbackServer(answer) as server:
        yield server


@pytest.fixture
def gateway(upstream: LoopbackServer) -> Iterator[Gateway]:
    with Gateway(upstream.url, "token", "own", 10) as gateway:
        yield gateway


def send(gateway: Gateway, method: str, path: str, body: object = None, headers: dict[str, str] | None = None) -> int:
    encoded = b"" if body is None else json.dumps(body).encode()
    return Gateway.ask(Gateway(gateway.url, "token", "any", 0), method, path, headers, encoded).status


@pytest.mark.parametrize(
    ("method", "path", "body", "headers"),
    [
        ("POST", "/v2/keys/rotate", None, None),
        ("DELETE", "/v2/messages", None, None),
        ("DELETE", "/v2/messages?count=100", None, None),
        ("DELETE", "/v2/messages?label=theirs", None, None),
        ("DELETE", "/v2/messages?label=own-1,theirs", None, None),
        ("DELETE", "/v2/messages", {"messageIds": ["msg_theirs"]}, None),
        ("DELETE", "/v2/messages/msg_theirs", None, None),
        ("DELETE", "/v2/dlq", None, None),
        ("DELETE", "/v2/dlq/1-1", None, None),
        ("POST", "/v2/dlq/retry", None, None),
        ("POST", "/v2/dlq/retry/1-1", None, None),
        ("POST", "/v2/queues", {"queueName": "theirs"}, None),
        ("DELETE", "/v2/queues/theirs", None, None),
        ("POST", "/v2/queues/theirs/pause", None, None),
        ("DELETE", "/v2/topics/theirs", None, None),
        ("PATCH", "/v2/topics/theirs", {}, None),
        ("POST", "/v2/flowControl/theirs/pause", None, None),
        ("PATCH", "/v2/schedules/scd_theirs/pause", None, None),
        ("POST", "/v2/schedules/scd_theirs/resume", None, None),
        ("DELETE", "/v2/schedules/scd_theirs", None, None),
        ("POST", "/v2/schedules/https://e.com", None, {**YEARLY, "Upstash-Schedule-Id": "theirs"}),
        ("POST", "/v2/schedules/https://e.com", None, {**YEARLY, "Upstash-Cron": "* * * * *"}),
        ("POST", "/v2/schedules/https://e.com", None, {**YEARLY, "Upstash-Queue-Name": "theirs"}),
        ("POST", "/v2/enqueue/theirs/https://e.com", None, ONCE),
        ("POST", "/v2/publish/https://e.com", None, {**ONCE, "upstash-flow-control-key": "theirs"}),
        ("POST", "/v2/batch", [{"destination": "https://e.com", "queue": "theirs", "headers": ONCE}], None),
        ("POST", "/v2/publish/https://e.com", None, {"Upstash-Retries": "10"}),
        ("POST", "/v2/trigger/https://e.com", None, None),
    ],
)
def test_what_is_not_of_the_run_is_never_touched(
    gateway: Gateway,
    upstream: LoopbackServer,
    method: str,
    path: str,
    body: object,
    headers: dict[str, str] | None,
):
    """Whatever a test asks for: keys, everything at once, and names of others do not leave this machine."""
    assert send(gateway, method, path, body, headers) == 403
    assert upstream.seen == []
    assert len(gateway.refused) == 1


def test_what_is_of_the_run_goes_through(gateway: Gateway, upstream: LoopbackServer):
    """Names that begin with the run's, and ids that it was given."""
    assert send(gateway, "POST", "/v2/publish/https://e.com", "x", ONCE) == 200
    assert send(gateway, "DELETE", "/v2/messages/msg_1") == 200
    assert send(gateway, "DELETE", "/v2/messages", {"messageIds": ["msg_1"]}) == 200
    assert send(gateway, "POST", "/v2/queues", {"queueName": "own-1"}) == 200
    assert send(gateway, "POST", "/v2/schedules/https://e.com", None, YEARLY) == 200
    assert send(gateway, "PATCH", "/v2/schedules/scd_1/pause") == 200
    assert send(gateway, "GET", "/v2/queues") == 200
    assert (gateway.spent, len(upstream.seen)) == (2, 7)


def test_the_limit_holds_for_what_might_be_sent(gateway: Gateway, upstream: LoopbackServer):
    """Ten messages: a group of two endpoints with one retry is four, and the third of them is one too many."""
    endpoints = {"endpoints": [{"url": "https://e.com/1"}, {"url": "https://e.com/2"}]}
    assert send(gateway, "POST", "/v2/topics/own-1/endpoints", endpoints) == 200
    statuses = [send(gateway, "POST", "/v2/publish/own-1", "x", {"Upstash-Retries": "1"}) for _ in range(3)]
    assert (statuses, gateway.spent, len(upstream.seen)) == ([200, 200, 403], 8, 3)
    assert gateway.stopped == "stopped: the 10 messages of a run are used up, 8 of them so far"


@pytest.mark.parametrize(
    ("headers", "most"),
    [
        ({}, 4),
        ({"Upstash-Retries": "0"}, 1),
        ({"upstash-retries": "2", "upstash-callback": "https://e.com"}, 3 + 3 * 3),
        ({"Upstash-Retries": "1", "Upstash-Callback": "x", "Upstash-Callback-Retries": "0"}, 2 + 2),
        ({"Upstash-Retries": "1", "Upstash-Failure-Callback": "x"}, 2 + 2),
    ],
)
def test_what_a_message_may_cost(headers: dict[str, str], most: int):
    """Each attempt, a callback after each, a failure callback after the last, and their own attempts."""
    assert most_messages(headers, 1) == most
    assert most_messages(headers, 3) == 3 * most
