import json

import pytest

from tests.standins.conftest import Ask
from tests.standins.hosted import HostedQStash

TO = "https://example.com/hook"


def publish(ask: Ask, destination: str = TO, body: bytes = b"hello", **options: str):
    headers = {name.replace("_", "-"): value for name, value in options.items()}
    return ask("POST", f"/v2/publish/{destination}", content=body, headers=headers)


def test_a_publish_answers_one_object_with_the_id(ask: Ask):
    """Publishing to a URL answers 200 with the message's id, and nothing else (reference 2.2)."""
    answer = publish(ask)
    assert answer.status_code == 200
    assert list(answer.json()) == ["messageId"]


def test_a_url_group_answers_an_array(ask: Ask, hosted: HostedQStash):
    """Publishing to a URL group answers a bare array with a message for each endpoint (reference 0.1)."""
    hosted.account.groups["team"] = [{"url": "https://a.example"}, {"url": "https://b.example", "name": "b"}]
    receipts = publish(ask, "team").json()
    assert [receipt["url"] for receipt in receipts] == ["https://a.example", "https://b.example"]
    assert len({receipt["messageId"] for receipt in receipts}) == 2


def test_a_message_keeps_what_was_asked(ask: Ask):
    """Every option comes back in the message under the name of the reference (2.4, 3)."""
    message_id = publish(
        ask,
        Upstash_Method="PUT",
        Upstash_Retries="5",
        Upstash_Delay="1m30s",
        Upstash_Label="a, b",
        Upstash_Retry_Delay="1000 * (1 + retried)",
        Upstash_Callback="https://example.com/cb",
        Upstash_Forward_test_header="x",
        Upstash_Flow_Control_Key="k",
        Upstash_Flow_Control_Value="rate=3, period=1m",
        Content_Type="text/plain",
    ).json()["messageId"]
    message = ask("GET", f"/v2/messages/{message_id}").json()
    assert message["notBefore"] - message["createdAt"] == 90_000
    expected = {
        "url": TO,
        "method": "PUT",
        "maxRetries": 5,
        "label": "a",
        "labels": ["a", "b"],
        "retryDelayExpression": "1000 * (1 + retried)",
        "callback": "https://example.com/cb",
        "header": {"Test-Header": ["x"], "Content-Type": ["text/plain"]},
        "flowControlKey": "k",
        "rate": 3,
        "period": 60,
        "body": "hello",
    }
    assert {name: message[name] for name in expected} == expected
    assert "parallelism" not in message


def test_options_may_come_in_the_query(ask: Ask):
    """Options in the query are taken out of it; the rest belongs to the destination, as it was spelled."""
    message_id = publish(ask, f"{TO}?a=%7E&upstash-retries=1&b=2").json()["messageId"]
    message = ask("GET", f"/v2/messages/{message_id}").json()
    assert (message["url"], message["maxRetries"]) == (f"{TO}?a=%7E&b=2", 1)


def test_a_folded_scheme_is_repaired(ask: Ask):
    """``https:/host`` is what some proxies make of ``https://host`` (reference 2)."""
    message_id = publish(ask, "https:/example.com/hook").json()["messageId"]
    assert ask("GET", f"/v2/messages/{message_id}").json()["url"] == TO


def test_the_same_deduplication_id_is_accepted_once(ask: Ask, hosted: HostedQStash):
    """Within 10 minutes the same id answers 202 with the first message's id, and later makes a new message."""
    first = publish(ask, Upstash_Deduplication_Id="one").json()
    second = publish(ask, Upstash_Deduplication_Id="one")
    assert (second.status_code, second.json()) == (202, {**first, "deduplicated": True})
    assert hosted.published == 1
    hosted.advance(600_000)
    assert publish(ask, Upstash_Deduplication_Id="one").json()["messageId"] != first["messageId"]


@pytest.mark.parametrize("spelling", ["true", "True"])
def test_the_same_content_is_accepted_once(ask: Ask, hosted: HostedQStash, spelling: str):
    """The SDKs spell the flag differently, and only equal content counts as the same."""
    flag = {"Upstash_Content_Based_Deduplication": spelling}
    assert publish(ask, **flag).status_code == 200
    assert publish(ask, **flag).status_code == 202
    assert publish(ask, body=b"other", **flag).status_code == 200
    assert hosted.published == 2


def test_a_batch_answers_item_by_item(ask: Ask, hosted: HostedQStash):
    """A batch answers in its own order: an object, an array for a group, an error for a refused item (2.3)."""
    hosted.account.groups["team"] = [{"url": "https://a.example"}]
    items = [
        {"destination": TO, "body": "x", "headers": {"UPSTASH-RETRIES": "1"}, "queue": None},
        {"destination": "team", "body": None, "headers": {}},
        {"destination": "ftp://example.com", "body": "x"},
        {"destination": TO, "body": "x", "queue": "q"},
    ]
    one, group, refused, queued = ask("POST", "/v2/batch", content=json.dumps(items)).json()
    assert ask("GET", f"/v2/messages/{one['messageId']}").json()["maxRetries"] == 1
    assert group[0]["url"] == "https://a.example"
    assert refused["error"].startswith("invalid destination url")
    assert ask("GET", f"/v2/messages/{queued['messageId']}").json()["queueName"] == "q"


def test_an_enqueued_message_names_its_queue(ask: Ask):
    """Enqueueing makes the queue on demand."""
    message_id = ask("POST", f"/v2/enqueue/orders/{TO}", content=b"x").json()["messageId"]
    assert ask("GET", f"/v2/messages/{message_id}").json()["queueName"] == "orders"


def test_a_body_that_is_no_text_comes_back_in_base64(ask: Ask):
    """UTF-8 comes back as ``body``, emoji and all; anything else as ``bodyBase64``."""
    text = publish(ask, body="Olá 👋".encode()).json()["messageId"]
    raw = publish(ask, body=b"\xff\x00").json()["messageId"]
    assert ask("GET", f"/v2/messages/{text}").json()["body"] == "Olá 👋"
    assert ask("GET", f"/v2/messages/{raw}").json()["bodyBase64"] == "/wA="


def test_a_cancelled_message_is_gone(ask: Ask, hosted: HostedQStash):
    """Cancelling answers the count, makes the message unknown, and writes CANCELED for when it was due."""
    message_id = publish(ask, Upstash_Delay="1h").json()["messageId"]
    assert ask("DELETE", f"/v2/messages/{message_id}").json() == {"cancelled": 1}
    assert ask("GET", f"/v2/messages/{message_id}").status_code == 404
    states = {entry["state"]: entry["time"] for entry in hosted.account.journal.everything()}
    assert states["CANCELED"] - states["CANCEL_REQUESTED"] == 3_600_000


@pytest.mark.parametrize(
    ("query", "body", "cancelled"),
    [
        ("?label=a", b"", 1),
        ("?label=a,b", b"", 2),
        ("?label=a&label=b", b"", 2),
        ("?label=a&label=b&url=https://elsewhere.example", b"", 0),
        ("?count=1", b"", 1),
        ("", b"", 3),
    ],
)
def test_a_bulk_cancel_takes_what_matches(ask: Ask, query: str, body: bytes, cancelled: int):
    """Values of one filter are ORed, filters ANDed, and no filter means all (reference 2.4)."""
    for label in ("a", "b", "c"):
        publish(ask, Upstash_Label=label)
    assert ask("DELETE", f"/v2/messages{query}", content=body).json() == {"cancelled": cancelled}


def test_a_finished_message_stays_readable_for_a_moment(ask: Ask, hosted: HostedQStash):
    """Who asks at once after a fast delivery still finds the message, and later gets 404 (reference 0.13)."""
    message_id = publish(ask).json()["messageId"]
    hosted.mark_delivered(message_id)
    assert ask("GET", f"/v2/messages/{message_id}").status_code == 200
    hosted.advance(60_000)
    assert ask("GET", f"/v2/messages/{message_id}").status_code == 404
