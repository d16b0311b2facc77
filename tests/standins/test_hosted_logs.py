import pytest

from tests.standins.conftest import Ask
from tests.standins.hosted import HostedQStash


def all_pages(ask: Ask, path: str = "/v2/events", query: str = "") -> list[list[dict]]:
    """The entries, page by page, until the cursor is absent."""
    pages, cursor, key = [], "", path.rpartition("/")[2]
    while True:
        answer = ask("GET", f"{path}?{query}{cursor}").json()
        pages.append(answer[key])
        if "cursor" not in answer:
            return pages
        cursor = f"&cursor={answer['cursor']}"


@pytest.mark.parametrize("path", ["/v2/events", "/v2/logs"])
@pytest.mark.parametrize("order", ["latestFirst", "earliestFirst"])
@pytest.mark.parametrize("count", [1, 3, 7, 8])
def test_each_entry_is_on_exactly_one_page(ask: Ask, hosted: HostedQStash, path: str, order: str, count: int):
    """Pages of any size, both ways round, hold each entry once, and the last one has no cursor."""
    for n in range(7):
        # Entries of the same millisecond are parted by the sequence alone.
        hosted.log("ACTIVE", message_id=f"msg_{n}", time_ms=hosted.now_ms + n // 3)
    pages = all_pages(ask, path, f"count={count}&order={order}")
    ids = [entry["messageId"] for page in pages for entry in page]
    assert ids == sorted((f"msg_{n}" for n in range(7)), reverse=order == "latestFirst")
    assert all(len(page) <= count for page in pages)


def test_a_page_is_as_small_as_the_service_likes(ask: Ask, hosted: HostedQStash):
    """Whatever count is asked for, the service may answer fewer: a client goes by the cursor."""
    for n in range(5):
        hosted.log("ACTIVE", message_id=f"msg_{n}")
    hosted.account.journal.page_size = 2
    assert [len(page) for page in all_pages(ask, query="count=1000")] == [2, 2, 1]


def test_the_two_shapes_name_things_differently(ask: Ask, hosted: HostedQStash):
    """/v2/events spells as the SDKs read, /v2/logs as the OpenAPI document prints (reference 0.2 to 0.4)."""
    hosted.log("CANCELED", retryDelay="1000", answerHeaders={"A": ["b"]})
    (events,) = ask("GET", "/v2/events").json()["events"]
    (logs,) = ask("GET", "/v2/logs").json()["logs"]
    assert (events["state"], events["retryDelayExpr"], events["responseHeader"]) == ("CANCELED", "1000", {"A": ["b"]})
    assert (logs["state"], logs["retryDelayExpression"], logs["responseHeaders"]) == ("CANCELLED", "1000", {"A": ["b"]})


def test_an_entry_may_come_late_by_the_clock(ask: Ask, hosted: HostedQStash):
    """A late entry takes its old place in the order once its time has come."""
    hosted.log("CREATED", time_ms=hosted.now_ms - 500, appears_in_ms=2000)
    hosted.log("ACTIVE")
    assert len(ask("GET", "/v2/events").json()["events"]) == 1
    hosted.advance(2000)
    assert [entry["state"] for entry in ask("GET", "/v2/events").json()["events"]] == ["ACTIVE", "CREATED"]


def test_an_entry_may_appear_behind_the_cursor(ask: Ask, hosted: HostedQStash):
    """An entry that appears between two pages, newer than the cursor, is missed by this walk and seen by the next."""
    for n in range(4):
        hosted.log("ACTIVE", message_id=f"msg_{n}", time_ms=hosted.now_ms + n)
    hosted.log("ERROR", message_id="msg_late", time_ms=hosted.now_ms + 3, appears_after_pages=1)
    first = [entry["messageId"] for page in all_pages(ask, query="count=2") for entry in page]
    second = [entry["messageId"] for page in all_pages(ask, query="count=2") for entry in page]
    assert (first.count("msg_late"), second.count("msg_late")) == (0, 1)


def test_an_entry_may_be_of_a_kind_nobody_knows(ask: Ask, hosted: HostedQStash):
    """Unknown states and fields go out as they were scripted, and fields may be missing."""
    hosted.log("TELEPORTED", novelty={"a": [1]}, without=("url", "messageId"))
    (entry,) = ask("GET", "/v2/events").json()["events"]
    assert entry == {"time": hosted.now_ms, "state": "TELEPORTED", "novelty": {"a": [1]}}


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("state=ERROR", 1),
        ("state=CANCELLED", 1),
        ("state=CANCELED", 1),
        ("state=IN_PROGRESS", 2),
        ("messageId=msg_a", 1),
        ("messageIds=msg_a&messageIds=msg_b", 2),
        ("label=x&label=y", 2),
        ("host=example.com&path=/hook", 3),
        ("host=elsewhere.example", 0),
        ("url=https://example.com/hook&messageId=msg_c", 1),
        ("fromDate=1767225600000&toDate=1767225600000", 3),
        ("fromDate=1767225600001", 0),
    ],
)
def test_filters(ask: Ask, hosted: HostedQStash, query: str, found: int):
    """Each filter of the reference (2.9): repeated values are ORed, dates are inclusive."""
    hosted.log("ERROR", message_id="msg_a", label="x", labels=["x", "z"])
    hosted.log("RETRY", message_id="msg_b", label="y", labels=["y"])
    hosted.log("CANCELED", message_id="msg_c")
    assert len(ask("GET", f"/v2/events?{query}").json()["events"]) == found


def test_a_bad_cursor_is_refused(ask: Ask):
    """A cursor that the service did not make is an error, not the first page again."""
    assert ask("GET", "/v2/events?cursor=nonsense").status_code == 400


def test_what_became_of_a_message_is_logged(ask: Ask, hosted: HostedQStash):
    """A failed message leaves CREATED, ACTIVE, ERROR with the answer, FAILED, and an entry in the DLQ."""
    message_id = ask("POST", "/v2/publish/https://example.com/hook", content=b"x").json()["messageId"]
    dlq_id = hosted.mark_failed(message_id, 503, b"busy")
    entries = ask("GET", f"/v2/events?messageId={message_id}&order=earliestFirst").json()["events"]
    assert [entry["state"] for entry in entries] == ["CREATED", "ACTIVE", "ERROR", "FAILED"]
    assert (entries[2]["responseStatus"], entries[2]["responseBody"]) == (503, "YnVzeQ==")
    letter = ask("GET", f"/v2/dlq/{dlq_id}").json()
    assert (letter["responseStatus"], letter["responseBody"], letter["messageId"]) == (503, "busy", message_id)


def test_dead_letters_come_in_pages(ask: Ask, hosted: HostedQStash):
    """Listing ends without a cursor, bulk delete too, and bulk retry with an empty one (reference 0.12)."""
    for _ in range(5):
        hosted.mark_failed(ask("POST", "/v2/publish/https://example.com/hook").json()["messageId"])
    first = ask("GET", "/v2/dlq?count=3").json()
    second = ask("GET", f"/v2/dlq?count=3&cursor={first['cursor']}").json()
    assert (len(first["messages"]), len(second["messages"]), "cursor" in second) == (3, 2, False)
    assert len({letter["dlqId"] for letter in first["messages"] + second["messages"]}) == 5
    assert ask("DELETE", "/v2/dlq?count=2").json()["deleted"] == 2
    assert ask("POST", "/v2/dlq/retry?count=100").json()["cursor"] == ""
    assert hosted.account.dead == {}
