import base64
from pathlib import Path
from typing import Any

import pytest

from qsops.clock import EPOCH_MS, ManualClock
from qsops.engine import texts as own_texts
from qsops.engine.embedded import Embedded
from qsops.wire.http import header
from tests.engine.caller import TOKENS, Caller, option_headers

URL = "https://flow.test/run"
LATE = "https://flow.test/late"
EVENT = "paid-1"
RUN = "wfr_1"
RUN_HEADERS = {"Upstash-Workflow-RunId": RUN, "Upstash-Workflow-Url": URL, "Upstash-Workflow-CreatedAt": "17"}


async def wait(caller: Caller, event: str = EVENT, headers: dict[str, str] | None = None, **fields: Any) -> Any:
    body = {"url": URL, "timeout": "1h", **fields}
    answer = await caller.ask("POST", f"/v2/wait/{event}", body, headers or {})
    assert answer.status == 200, answer
    return answer.json


async def waiters(caller: Caller, event: str = EVENT) -> list[dict[str, Any]]:
    answer = await caller.ask("GET", f"/v2/waiters/{event}")
    assert answer.status == 200, answer
    return answer.json


async def notify(caller: Caller, body: bytes, path: str = EVENT) -> Any:
    answer = await caller.ask("POST", f"/v2/notify/{path}", body)
    assert answer.status == 201, answer
    return answer.json


async def test_a_notification_goes_to_all_who_wait(engine: Embedded, caller: Caller):
    """Each is sent the event as a message of its own, under the options it waits with, and waits no more."""
    receiver = engine.receiver(URL)
    await wait(caller, headers={**RUN_HEADERS, **option_headers(forward_x_key="k", retries=1, label="l")})
    await wait(caller)
    first, second = await notify(caller, b"paid")
    assert (first["waiter"]["url"], first["workflowRunId"], first["workflowCreatedAt"]) == (URL, RUN, 17)
    assert "workflowRunId" not in second
    assert await waiters(caller) == []
    message = (await caller.ask("GET", f"/v2/messages/{first['messageId']}")).json
    assert (message["maxRetries"], message["label"]) == (1, "l")
    await engine.settle()
    assert [got.body for got in receiver.received] == [b"paid", b"paid"]
    headers = receiver.received[0].headers
    told = ("X-Key", "Upstash-Workflow-RunId", "Upstash-Workflow-Url", "Upstash-Message-Id")
    assert [header(headers, name) for name in told] == ["k", RUN, URL, first["messageId"]]


async def test_a_notification_that_nobody_waits_for_is_lost(engine: Embedded, caller: Caller):
    """It is answered with an empty list, and who waits later waits on."""
    receiver = engine.receiver(URL)
    assert await notify(caller, b"early") == []
    await wait(caller, headers=RUN_HEADERS)
    await engine.settle()
    assert (receiver.received, len(await waiters(caller))) == ([], 1)


async def test_a_notification_of_a_run_is_saved_until_it_waits(engine: Embedded, caller: Caller):
    """The run gets what it was notified of at once when it comes, in order, one for each time that it waits."""
    receiver = engine.receiver(URL)
    for body in (b"1", b"2"):
        assert await notify(caller, body, f"{RUN}/{EVENT}") == {"workflowRunId": RUN}
    await wait(caller, headers={"Upstash-Workflow-RunId": "wfr_other"})
    for _ in range(2):
        assert "messageId" in await wait(caller, headers=RUN_HEADERS)
    await engine.settle()
    assert [got.body for got in receiver.received] == [b"1", b"2"]
    await wait(caller, headers=RUN_HEADERS)
    assert len(await waiters(caller)) == 2


async def test_a_notification_of_a_run_that_waits_goes_there_alone(engine: Embedded, caller: Caller):
    """Others who wait for the same event wait on; the answer is one object."""
    receiver = engine.receiver(URL)
    await wait(caller)
    await wait(caller, headers=RUN_HEADERS)
    notified = await notify(caller, b"paid", f"{RUN}/{EVENT}")
    assert (notified["workflowRunId"], notified["waiter"]["url"]) == (RUN, URL)
    await engine.settle()
    assert [header(got.headers, "Upstash-Message-Id") for got in receiver.received] == [notified["messageId"]]
    assert len(await waiters(caller)) == 1


async def test_a_saved_notification_does_not_stay_for_ever(engine: Embedded, caller: Caller):
    """After a week nobody will wait for it any more; and there is a limit to how many one run may have."""
    await notify(caller, b"old", f"{RUN}/{EVENT}")
    await engine.advance(7 * 86_400_000)
    assert await wait(caller, headers=RUN_HEADERS) == {}
    for _ in range(100):
        await notify(caller, b"", f"{RUN}/other")
    refused = await caller.ask("POST", f"/v2/notify/{RUN}/other", b"")
    assert (refused.status, "'other'" in refused.error) == (412, True)


async def test_who_waits_too_long_is_told_so(engine: Embedded, caller: Caller):
    """At the deadline the message for that is sent, to its own URL and under its own headers; then nobody waits."""
    receiver, late = engine.receiver(URL), engine.receiver(LATE)
    await wait(
        caller,
        timeout="90s",
        timeoutUrl=LATE,
        timeoutBody=base64.b64encode(b"too late").decode(),
        timeoutHeaders={"Upstash-Forward-X-Late": ["yes"], "Upstash-Workflow-RunId": [RUN], "Upstash-Retries": ["0"]},
    )
    await engine.advance(89_999)
    assert late.received == []
    await engine.advance(1)
    (got,) = late.received
    assert (got.at_ms, got.body) == (EPOCH_MS + 90_000, b"too late")
    assert (header(got.headers, "X-Late"), header(got.headers, "Upstash-Workflow-RunId")) == ("yes", RUN)
    assert (await waiters(caller), receiver.received) == ([], [])


async def test_who_waits_without_a_timeout_url_just_stops(engine: Embedded, caller: Caller):
    """Nothing is sent, and a notification that comes later finds nobody."""
    receiver = engine.receiver(URL)
    await wait(caller, timeout="1m")
    await engine.advance(60_000)
    assert (await notify(caller, b"late"), await waiters(caller), receiver.received) == ([], [], [])


async def test_waiters_are_listed_as_they_came(caller: Caller):
    """With URL, deadline in seconds, headers, and what is sent if it passes."""
    await wait(caller, headers=RUN_HEADERS, timeout="2m", timeoutUrl=LATE, timeoutBody="bGF0ZQ==")
    await wait(caller, timeout=30)
    first, second = await waiters(caller)
    assert (first["url"], first["deadline"]) == (URL, EPOCH_MS // 1000 + 120)
    assert (first["timeoutUrl"], first["timeoutBody"]) == (LATE, "bGF0ZQ==")
    assert first["headers"]["Upstash-Workflow-RunId"] == [RUN]
    assert second == {"url": URL, "deadline": EPOCH_MS // 1000 + 30, "headers": {}}


async def test_accounts_do_not_hear_of_each_other(engine: Embedded, caller: Caller):
    """An event is one account's own."""
    other = Caller(engine.send, TOKENS[1])
    await wait(caller)
    assert await waiters(other) == []
    assert await notify(other, b"x") == []
    assert len(await waiters(caller)) == 1


@pytest.mark.parametrize(
    ("fields", "status", "named"),
    [
        ({"url": "ftp://x"}, 400, "url"),
        ({"timeout": "soon"}, 400, "timeout"),
        ({"timeout": "500d"}, 412, "maxDelay"),
        ({"timeoutUrl": "http://"}, 400, "destination"),
        ({"timeoutUrl": LATE, "timeoutHeaders": {"Upstash-Retries": ["many"]}}, 400, "Upstash-Retries"),
    ],
)
async def test_what_could_not_be_sent_is_refused_when_it_comes(
    caller: Caller, fields: dict[str, Any], status: int, named: str
):
    """A wait that would end in nothing is no wait: the answer names what is wrong."""
    answer = await caller.ask("POST", f"/v2/wait/{EVENT}", {"url": URL, "timeout": "1h", **fields})
    assert answer.status == status
    assert named.lower() in answer.error.lower()
    assert await waiters(caller) == []


async def test_many_waiters_are_told_in_portions(engine: Embedded, caller: Caller):
    """However many wait, each is told once."""
    receiver = engine.receiver(URL)
    for _ in range(1_001):
        await wait(caller)
    notified = await notify(caller, b"x")
    assert len({one["messageId"] for one in notified}) == 1_001
    await engine.settle()
    assert len(receiver.received) == 1_001


async def test_waiters_and_notifications_outlive_the_engine(clock: ManualClock, tmp_path: Path):
    """Both are on disk; a deadline that passed meanwhile is kept as soon as the engine runs again."""
    first = Embedded(clock=clock, db=tmp_path / "engine.db")
    caller = Caller(first.send)
    await wait(caller, timeout="1m", timeoutUrl=LATE)
    await notify(caller, b"saved", f"{RUN}/{EVENT}")
    await first.aclose()
    clock.advance(3_600_000)
    second = Embedded(clock=clock, db=tmp_path / "engine.db")
    receiver, late = second.receiver(URL), second.receiver(LATE)
    await wait(Caller(second.send), headers=RUN_HEADERS)
    await second.advance(0)
    assert ([got.body for got in receiver.received], len(late.received)) == ([b"saved"], 1)
    await second.aclose()


async def test_a_trigger_sends_the_first_message_of_a_run(engine: Embedded, caller: Caller):
    """Under the id that was given, or a new one; a second trigger of the same run starts none, and names the first."""
    receiver = engine.receiver(URL)
    headers = {"Upstash-Workflow-RunId": RUN, "Upstash-Forward-X-Key": "k", "Upstash-Delay": "10s"}
    started = await caller.ask("POST", f"/v2/trigger/{URL}", b"go", headers)
    assert (started.status, started.json) == (200, {"workflowRunId": RUN, "workflowCreatedAt": EPOCH_MS})
    await engine.advance(5_000)
    again = await caller.ask("POST", f"/v2/trigger/{URL}", b"go", headers)
    assert (again.status, again.json) == (202, {**started.json, "deduplicated": True})
    await engine.settle()
    (got,) = receiver.received
    told = ("Upstash-Workflow-RunId", "Upstash-Workflow-Init", "Upstash-Workflow-Url", "X-Key")
    assert [header(got.headers, name) for name in told] == [RUN, "true", URL, "k"]
    fresh = (await caller.ask("POST", f"/v2/trigger/{URL}")).json
    assert fresh["workflowRunId"].startswith("wfr_")


async def test_a_batch_of_triggers(engine: Embedded, caller: Caller):
    """Each is started or refused by itself."""
    receiver = engine.receiver(URL)
    items = [
        {"destination": URL, "headers": {"Upstash-Workflow-RunId": RUN}, "body": "1"},
        {"destination": "nowhere"},
        {"destination": URL, "headers": {"Upstash-Workflow-RunId": RUN}},
    ]
    answer = await caller.ask("POST", "/v2/batch/trigger", items)
    assert answer.status == 201
    first, refused, again = answer.json
    assert first == {"workflowRunId": RUN, "workflowCreatedAt": EPOCH_MS}
    assert (list(refused), again) == (["error"], {**first, "deduplicated": True})
    await engine.settle()
    assert [got.body for got in receiver.received] == [b"1"]


async def test_the_hosted_llm_is_gone(caller: Caller):
    """Its endpoint, and its destination, answer 410 with where to go; a runtime's endpoints are not served."""
    for path in ("/llm/v1/chat/completions", "/v2/publish/api/llm", "/v2/publish/api%2Fllm", "/v2/enqueue/q/api/llm"):
        answer = await caller.ask("POST", path, {"messages": []})
        assert (answer.status, answer.error) == (410, own_texts.LLM_IS_GONE)
    (item,) = (await caller.ask("POST", "/v2/batch", [{"destination": "api/llm"}])).json
    assert item == {"error": own_texts.LLM_IS_GONE}
    assert (await caller.ask("GET", "/v2/workflows/logs")).status == 501
