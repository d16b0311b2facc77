import msgspec
import pytest

from qsops.client import Client
from qsops.errors import QsopsError
from qsops.models import Callback, CancelFilter, DlqFilter, FlowControl, ItemError, Publish
from tests.standins.hosted import HostedQStash

TO = "https://example.com/hook"


@pytest.mark.parametrize(
    ("option", "fields"),
    [
        ({"method": "PUT"}, {"method": "PUT"}),
        ({"retries": 5}, {"maxRetries": 5}),
        ({"retries": 0}, {"maxRetries": 0}),
        ({}, {"maxRetries": 3, "method": "POST"}),
        ({"retry_delay": "1000 * (1 + retried)"}, {"retryDelayExpression": "1000 * (1 + retried)"}),
        ({"labels": ("a", "b")}, {"label": "a", "labels": ["a", "b"]}),
        ({"timeout_s": 90}, {"timeout": 90_000}),
        ({"callback": Callback("https://example.com/cb")}, {"callback": "https://example.com/cb"}),
        ({"failure_callback": Callback("https://example.com/f")}, {"failureCallback": "https://example.com/f"}),
        ({"queue": "orders"}, {"queueName": "orders"}),
        (
            {"flow_control": FlowControl("k", rate=3, period_s=60)},
            {"flowControlKey": "k", "rate": 3, "period": 60},
        ),
        ({"flow_control": FlowControl("k", parallelism=2)}, {"flowControlKey": "k", "parallelism": 2, "period": 1}),
        (
            {"headers": (("Content-Type", "text/plain"), ("Qsops-Event-Id", "e1"))},
            {"header": {"Content-Type": ["text/plain"], "Qsops-Event-Id": ["e1"]}},
        ),
        ({"body": "Olá 👋".encode()}, {"body": "Olá 👋"}),
        ({"labels": ("ação",)}, {"label": "ação"}),
        ({"headers": (("X-Name", "Olá 👋"),)}, {"header": {"X-Name": ["Olá 👋"]}}),
    ],
)
@pytest.mark.parametrize("how", ["publish", "batch"])
async def test_each_option_is_read_as_it_was_meant(
    client: Client, hosted: HostedQStash, option: dict, fields: dict, how: str
):
    """What we encode, someone who knows the reference alone decodes to the same, by itself and in a batch."""
    message = Publish(TO, **option)
    if how == "publish":
        (receipt,) = await client.publish(message)
    else:
        ((receipt,),) = await client.batch([message])
    got = hosted.account.pending[receipt.message_id]
    assert {name: got.get(name) for name in fields} == fields


@pytest.mark.parametrize(("option", "due_in_ms"), [({"delay_s": 93_784}, 93_784_000), ({"not_before_s": None}, 0)])
async def test_a_delay_is_read_as_it_was_meant(client: Client, hosted: HostedQStash, option: dict, due_in_ms: int):
    """A delay of a day, two hours, three minutes and four seconds is exactly that long."""
    (receipt,) = await client.publish(Publish(TO, **option))
    assert hosted.account.pending[receipt.message_id]["notBefore"] == hosted.now_ms + due_in_ms


async def test_not_before_is_unix_seconds(client: Client, hosted: HostedQStash):
    """``not_before_s`` arrives as the moment that it names."""
    (receipt,) = await client.publish(Publish(TO, not_before_s=2_000_000_000))
    assert hosted.account.pending[receipt.message_id]["notBefore"] == 2_000_000_000_000


@pytest.mark.parametrize("rest", ["", "/", "?a=1&b=2", "/%7Euser/a%2Fb/../c?q=%F0%9F%91%8B&c=a%20b", "/a?upstash=1"])
async def test_a_destination_arrives_as_it_was_given(client: Client, hosted: HostedQStash, rest: str):
    """The destination is what will be signed: nothing on the way decodes, folds or escapes it."""
    (receipt,) = await client.publish(Publish(TO + rest))
    assert hosted.account.pending[receipt.message_id]["url"] == TO + rest


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ("https://example.com/ação?q=👋", "https://example.com/a%C3%A7%C3%A3o?q=%F0%9F%91%8B"),
        ("https://example.com/a b", "https://example.com/a%20b"),
        ("https://example.com/a#part", "https://example.com/a"),
        ("https://example.com/%7Ea/../b", "https://example.com/%7Ea/../b"),
    ],
)
async def test_a_destination_is_spelled_alike_by_itself_and_in_a_batch(
    client: Client, hosted: HostedQStash, given: str, sent: str
):
    """What no request line can hold is escaped, once, and in the same way: the receiver checks the signed URL."""
    (receipt,) = await client.publish(Publish(given))
    ((batched,),) = await client.batch([Publish(given)])
    assert [hosted.account.pending[r.message_id]["url"] for r in (receipt, batched)] == [sent, sent]


async def test_bytes_that_are_no_text_arrive_unchanged(client: Client, hosted: HostedQStash):
    """A body is bytes, and stays the same bytes."""
    await client.publish(Publish(TO, body=b"\xff\x00"))
    assert hosted.seen[-1].body == b"\xff\x00"


async def test_a_url_group_gives_a_receipt_for_each_endpoint(client: Client, hosted: HostedQStash):
    """By itself and in a batch: an array, with the URL in each."""
    hosted.account.groups["team"] = [{"url": "https://a.example"}, {"url": "https://b.example"}]
    receipts = await client.publish(Publish("team"))
    (batched,) = await client.batch([Publish("team")])
    assert isinstance(batched, list)
    assert [r.url for r in receipts] == [r.url for r in batched] == ["https://a.example", "https://b.example"]


async def test_a_refused_item_of_a_batch_leaves_the_others_alone(client: Client, hosted: HostedQStash):
    """Answers come in the order of the items; the refused one carries the service's text."""
    good, bad, queued = await client.batch(
        [Publish(TO, b"1"), Publish("unknown-group", b"2"), Publish(TO, b"3", queue="q")]
    )
    assert isinstance(bad, ItemError)
    assert "unknown-group" in bad.error
    assert [hosted.account.pending[item[0].message_id]["body"] for item in (good, queued)] == ["1", "3"]
    assert hosted.published == 2


async def test_deduplication_of_the_publishers_own_is_told(client: Client, hosted: HostedQStash):
    """A second publish under the same id is told to be one, 202 or not."""
    message = Publish(TO, b"x", deduplication_id="one")
    (first,) = await client.publish(message)
    (again,) = await client.publish(message)
    ((batched,),) = await client.batch([message])
    assert (first.deduplicated, again.deduplicated, batched.deduplicated) == (False, True, True)
    assert first.message_id == again.message_id == batched.message_id
    assert hosted.published == 1


async def test_equal_messages_without_an_id_are_two(client: Client, hosted: HostedQStash):
    """The ids that make repeats safe part what a caller asked for twice."""
    await client.publish(Publish(TO, b"x"))
    await client.publish(Publish(TO, b"x"))
    await client.batch([Publish(TO, b"x"), Publish(TO, b"x")])
    assert hosted.published == 4


async def test_content_based_deduplication_is_left_to_the_service(client: Client, hosted: HostedQStash):
    """Equal content is one message, other content another."""
    message = Publish(TO, b"x", content_based_deduplication=True)
    receipts = [(await client.publish(m))[0] for m in (message, message, msgspec.structs.replace(message, body=b"y"))]
    assert [receipt.deduplicated for receipt in receipts] == [False, True, False]


async def test_a_message_comes_back_as_it_was_published(client: Client, hosted: HostedQStash):
    """Reading a message gives what was asked for."""
    (receipt,) = await client.publish(
        Publish(TO, "Olá 👋".encode(), delay_s=60, labels=("a", "b"), retry_delay="500", queue="q")
    )
    message = await client.message(receipt.message_id)
    assert (message.url, message.body.decode(), message.labels) == (TO, "Olá 👋", ("a", "b"))
    assert (message.retry_delay, message.queue, message.not_before_ms) == ("500", "q", hosted.now_ms + 60_000)


@pytest.mark.parametrize(
    ("which", "left"),
    [
        (CancelFilter(labels=("a", "b")), 1),
        (CancelFilter(labels=("a",), urls=("https://elsewhere.example",)), 3),
        (CancelFilter(hosts=("example.com",)), 0),
        ([], 3),
    ],
)
async def test_cancelling_takes_what_the_filter_names(client: Client, hosted: HostedQStash, which: object, left: int):
    """Values are ORed, fields ANDed; an empty list of ids cancels nothing."""
    for label in ("a", "b", "c"):
        await client.publish(Publish(TO, delay_s=60, labels=(label,)))
    assert await client.cancel(which) == 3 - left
    assert len(hosted.account.pending) == left


async def test_a_filter_that_names_nothing_is_refused(client: Client, hosted: HostedQStash):
    """To the service an empty filter means every message of the account: it is not even asked."""
    await client.publish(Publish(TO, delay_s=60))
    with pytest.raises(QsopsError, match="everything"):
        await client.cancel(CancelFilter())
    assert len(hosted.account.pending) == 1


async def test_more_than_one_call_cancels_are_all_cancelled(client: Client, hosted: HostedQStash):
    """The service takes 500 a call: by filter and by ids all go."""
    for how in ("filter", "ids"):
        answers = await client.batch([Publish(TO, delay_s=60, labels=("many",)) for _ in range(620)])
        ids = [answer[0].message_id for answer in answers if isinstance(answer, list)]
        assert await client.cancel(CancelFilter(labels=("many",)) if how == "filter" else ids) == 620
        assert hosted.account.pending == {}


async def test_dead_letters_are_listed_and_deleted_to_the_end(client: Client, hosted: HostedQStash):
    """More than a page of them: each is listed once, and all are deleted."""
    answers = await client.batch([Publish(TO, labels=("dead",)) for _ in range(230)])
    buried = {hosted.mark_failed(answer[0].message_id) for answer in answers if isinstance(answer, list)}
    listed: list[str] = []
    page = await client.dead_letters(DlqFilter())
    listed += [letter.dlq_id for letter in page.items]
    while page.cursor is not None:
        page = await client.dead_letters(DlqFilter(), page.cursor)
        listed += [letter.dlq_id for letter in page.items]
    assert (len(listed), set(listed)) == (230, buried)
    assert await client.delete_dead_letters(DlqFilter(labels=("dead",))) == 230
    assert hosted.account.dead == {}


async def test_a_retried_dead_letter_is_a_new_message(client: Client, hosted: HostedQStash):
    """A retry answers with a new id, may change an option, and removes the entry."""
    (receipt,) = await client.publish(Publish(TO, b"x"))
    dlq_id = hosted.mark_failed(receipt.message_id, 503, b"busy")
    letter = await client.dead_letter(dlq_id)
    assert (letter.response_status, letter.response_body, letter.message.body) == (503, b"busy", b"x")
    retried = await client.retry_dead_letter(dlq_id, (("Upstash-Retries", "0"),))
    message = hosted.account.pending[retried.message_id]
    assert (retried.message_id != receipt.message_id, message["maxRetries"], message["body"]) == (True, 0, "x")
    assert hosted.account.dead == {}


async def test_keys_are_read_and_rotated(client: Client, hosted: HostedQStash):
    """The next key becomes the current one."""
    before = await client.keys()
    rotated = await client.rotate_keys()
    assert rotated.current == before.next == hosted.account.current_key
    assert rotated == await client.keys()
