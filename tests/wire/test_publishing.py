import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qsops.errors import Corrupt, Rejected, SettingsError
from qsops.models import ItemError, Publish, Receipt
from qsops.wire import texts
from qsops.wire.http import Request, Response
from qsops.wire.publishing import (
    batch_json,
    batch_request,
    fits_batch,
    parse_batch,
    parse_batch_receipts,
    parse_publish,
    parse_receipts,
    publish_request,
    receipt_json,
)
from tests.wire.strategies import RECEIPTS, TEXT_BODIES, publishes


def batch_of(*items: object) -> list[Publish | ItemError]:
    return parse_batch(Request("POST", "/v2/batch", body=json.dumps(items).encode()))


@given(publishes())
def test_a_publish_arrives_as_it_was_sent(publish: Publish):
    """One message through path, query, headers and body, into a queue or not."""
    assert parse_publish(publish_request(publish)) == publish


@given(st.lists(publishes(TEXT_BODIES), max_size=3))
def test_a_batch_arrives_as_it_was_sent(items: list[Publish]):
    """Many messages through one JSON array, in order."""
    assert parse_batch(batch_request(items)) == items


@pytest.mark.parametrize(
    ("path", "query", "destination"),
    [
        ("https://a.test/b", "x=1", "https://a.test/b?x=1"),
        ("https:/a.test/b", "", "https://a.test/b"),
        ("HTTP:/a.test", "", "HTTP://a.test"),
        ("https%3A%2F%2Fa.test%2Fb", "", "https://a.test/b"),
        ("https:/a.test/b%3Ac", "", "https://a.test/b%3Ac"),
        ("https://a.test/%7Eme/../b%2Fc", "q=%20+&q=", "https://a.test/%7Eme/../b%2Fc?q=%20+&q="),
        ("https://a.test", "x=1&qstash_token=t&upstash-retries=3&Upstash-Delay=1s&y=2", "https://a.test?x=1&y=2"),
        ("my-group", "", "my-group"),
        ("https://a.test/?", "", "https://a.test/?"),
    ],
)
def test_the_destination_is_what_its_publisher_spelled(path: str, query: str, destination: str):
    """The rest of path and query, byte for byte, without what is QStash's; a folded ``//`` is put back."""
    assert parse_publish(Request("POST", f"/v2/publish/{path}", query)).destination == destination


def test_options_may_stand_in_the_query():
    """A webhook's sender cannot set headers (docs, howto/webhook)."""
    publish = parse_publish(Request("POST", "/v2/publish/https://a.test", "upstash-retries=3&upstash-delay=100s&x=1"))
    assert (publish.retries, publish.delay_s, publish.destination) == (3, 100, "https://a.test?x=1")


def test_what_is_not_printable_is_escaped():
    """A request line holds ASCII only; a fragment never travels."""
    request = publish_request(Publish("https://a.test/é b?q=ü#top"))
    assert request.target == "/v2/publish/https://a.test/%C3%A9%20b?q=%C3%BC"


@pytest.mark.parametrize("name", ["upstash-retries", "Upstash-Label", "upstash%2Dlabel", "qstash_token"])
def test_a_destination_cannot_lose_its_parameters(name: str):
    """QStash would take them for its own: we say so, and a batch carries them."""
    publish = Publish(f"https://a.test?a=1&{name}=5")
    with pytest.raises(SettingsError, match=r"https://a\.test.*batch"):
        publish_request(publish)
    assert parse_batch(batch_request([publish])) == [publish]


def test_a_schedule_is_no_publish():
    """A publish with a cron expression would send one message at once, and never again."""
    for request in (
        Request("POST", "/v2/publish/https://a.test", headers=(("upstash-cron", "* * * * *"),)),
        Request("POST", "/v2/publish/https://a.test", "upstash-cron=*+*+*+*+*"),
    ):
        with pytest.raises(Rejected) as raised:
            parse_publish(request)
        assert raised.value.text == texts.CRON_ON_PUBLISH
    assert batch_of({"destination": "https://a.test", "headers": {"upstash-cron": "* * * * *"}}) == [
        ItemError(texts.CRON_ON_PUBLISH)
    ]


def test_a_queue_has_a_name():
    """Letters, digits, ``-``, ``_`` and ``.`` (reference, section 1)."""
    with pytest.raises(Rejected) as raised:
        parse_publish(Request("POST", "/v2/enqueue/a%20b/https://a.test"))
    assert raised.value.text == texts.invalid_name("queue", "a b")
    assert parse_publish(Request("POST", "/v2/enqueue/q.1/https://a.test")).queue == "q.1"


def test_nulls_of_the_python_sdk_are_nothing():
    """``"queue": null`` and ``"body": null`` (reference 0.10)."""
    assert batch_of({"destination": "https://a.test", "body": None, "headers": None, "queue": None}) == [
        Publish("https://a.test")
    ]


def test_one_bad_item_does_not_stop_the_others():
    """An item that cannot be read is an error in its place."""
    good = {"destination": "https://a.test"}
    error, publish = batch_of({**good, "headers": {"upstash-deduplication-id": "a:b"}}, good)
    assert error == ItemError(texts.DEDUPLICATION_ID_HAS_COLON)
    assert publish == Publish("https://a.test")


@pytest.mark.parametrize(
    ("item", "why"),
    [
        ("text", "message: 'text': one of a batch is an object with a destination"),
        ({"destination": None}, "destination: 'None': it is a URL or a group"),
        ({"destination": ""}, "destination: '': it is a URL or a group"),
        ({"destination": "g", "body": {}}, "the body of a batch's message is a string"),
        ({"destination": "g", "queue": 7}, "the queue of a batch's message is a string"),
        ({"destination": "g", "headers": []}, "the headers of a batch's message are an object"),
        ({"destination": "g", "headers": {"a": {}}}, "the headers of a batch's message have strings as values"),
        ({"destination": "g", "body": "\ud800"}, "a batch's message holds half of a surrogate pair"),
        ({"destination": "https://a.test/\ud800"}, "a batch's message holds half of a surrogate pair"),
        (
            {"destination": "g", "headers": {"Upstash-Label": "\ud800"}},
            "a batch's message holds half of a surrogate pair",
        ),
        (
            {"destination": "g", "headers": {"Upstash-Forward-X": "\udc00"}},
            "a batch's message holds half of a surrogate pair",
        ),
    ],
)
def test_a_malformed_item_is_named(item: object, why: str):
    """Nothing that a client can put into an item is a fault of the server."""
    assert batch_of(item) == [ItemError(texts.invalid_body(why))]


@pytest.mark.parametrize("body", [b"", b"{", b"{}", b'"x"', b"[" * 100_000])
def test_a_batch_is_an_array(body: bytes):
    """Anything else is a 400."""
    with pytest.raises(Rejected, match="invalid request body") as raised:
        parse_batch(Request("POST", "/v2/batch", body=body))
    assert raised.value.status == 400


def test_a_batch_carries_text_only():
    """JSON has no form for other bytes, and a body must not be changed on its way."""
    binary = Publish("https://a.test", b"\xff")
    assert not fits_batch(binary)
    with pytest.raises(SettingsError, match="not UTF-8"):
        batch_request([binary])


@given(RECEIPTS)
def test_a_receipt_reads_as_it_was_written(receipt: Receipt):
    """An object for a URL, a bare array for a URL group (reference 0.1), whose elements name their URL."""
    assert parse_receipts(Response.of_json(200, receipt_json([receipt], group=True))) == [receipt]
    (single,) = parse_receipts(Response.of_json(200, receipt_json([receipt], group=False)))
    assert (single.message_id, single.deduplicated) == (receipt.message_id, receipt.deduplicated)


def test_the_documented_form_of_a_group_is_read_too():
    """The OpenAPI document has the array inside an object (reference 0.1)."""
    answer = Response.of_json(200, {"messages": [{"messageId": "m", "url": "u"}]})
    assert parse_receipts(answer) == [Receipt("m", "u")]


def test_a_batch_answers_each_item_in_its_place():
    """An object, an array for a group, an error (reference, section 2.3)."""
    results = [Receipt("a"), [Receipt("b", "u"), Receipt("c", "v")], ItemError("no")]
    value = batch_json(results)
    assert value == [
        {"messageId": "a"}, [{"messageId": "b", "url": "u"}, {"messageId": "c", "url": "v"}], {"error": "no"},
    ]  # fmt: skip
    assert parse_batch_receipts(Response.of_json(200, value), 3) == [[results[0]], results[1], results[2]]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"messageId": "a"}, [Receipt("a")]),
        ([{"messageId": "a"}], [Receipt("a")]),
        ([{"messageId": "a"}, {"messageId": "b"}], [Receipt("a"), Receipt("b")]),
        ([[{"messageId": "a"}, {"messageId": "b"}]], [Receipt("a"), Receipt("b")]),
        ([{"error": "no"}], ItemError("no")),
    ],
)
def test_a_batch_of_one_has_several_forms(value: object, expected: object):
    """Older servers leave the outer array out (reference, section 2.3)."""
    assert parse_batch_receipts(Response.of_json(200, value), 1) == [expected]


@pytest.mark.parametrize("body", [b"", b"[]", b'[{"messageId":"a"}]', b'[{},{"messageId":"a"}]', b"[null,null]"])
def test_an_answer_about_other_messages_is_corrupt(body: bytes):
    """Receipts are never given to the wrong message."""
    with pytest.raises(Corrupt):
        parse_batch_receipts(Response(200, body=body), 2)


@pytest.mark.parametrize("body", [b"", b"{}", b"[1]", b'{"messageId":7}'])
def test_an_answer_without_a_message_id_is_corrupt(body: bytes):
    """A publish whose id is not known is not taken for done."""
    with pytest.raises(Corrupt):
        parse_receipts(Response(200, body=body))
