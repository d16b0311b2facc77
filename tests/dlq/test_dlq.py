import pytest

from qsops import dlq
from qsops.client import Client
from qsops.errors import AuthError, Corrupt, SettingsError, Unreachable
from qsops.models import DeadLetter, DlqFilter, Message
from qsops.publish import message
from qsops.wire.dlq import dead_letter_json
from qsops.wire.http import Response
from tests.client.conftest import client, clock, qstash
from tests.client.fake_qstash import FakeQStash, refusal

__all__ = ["client", "clock", "qstash"]

IDS = DlqFilter(dlq_ids=("1-0", "2-0", "3-0"))


def letter(dlq_id: str, **fields: object) -> DeadLetter:
    kept = Message(f"msg_{dlq_id}", "https://a.example", 1_767_225_600_000, 0, body="né".encode())
    return DeadLetter(dlq_id, kept, **fields)


def page(ids: list[str], cursor: str | None = None) -> Response:
    listed = {"messages": [dead_letter_json(letter(one)) for one in ids]}
    return Response.of_json(201, listed if cursor is None else {**listed, "cursor": cursor})


def retried(message_id: str) -> Response:
    return Response.of_json(201, {"messageId": message_id})


async def test_pages_are_followed_to_the_limit(client: Client, qstash: FakeQStash):
    """A listing goes on as long as there is a cursor, and asks for no more than is wanted."""
    qstash.fates.extend([page(["1-0", "2-0"], "2-0"), page(["3-0"])])
    assert [one.dlq_id async for one in dlq.pages(client, DlqFilter())] == ["1-0", "2-0", "3-0"]
    qstash.fates.append(page(["1-0", "2-0"], "2-0"))
    assert [one.dlq_id async for one in dlq.pages(client, DlqFilter(), limit=2)] == ["1-0", "2-0"]
    assert "count=2" in qstash.requests[-1].query


async def test_a_cursor_that_comes_twice_ends_the_listing(client: Client, qstash: FakeQStash):
    """A listing that leads in a circle is an error, also if its pages have nothing in them."""
    qstash.fates.extend([page(["1-0"], "same"), page([], "same")])
    with pytest.raises(Corrupt, match="'same' came twice"):
        [one async for one in dlq.pages(client, DlqFilter())]
    assert len(qstash.requests) == 2


async def test_each_retry_stands_beside_its_letter(client: Client, qstash: FakeQStash):
    """Every letter has its own answer: the new id, that it is gone, or that its fate is unknown."""
    qstash.fates.extend([retried("msg_new"), refusal(404, "gone"), "lost"])
    outcomes = await dlq.retry(client, IDS)
    assert [one.dlq_id for one in outcomes] == ["1-0", "2-0", "3-0"]
    assert [one.message_id for one in outcomes] == ["msg_new", None, None]
    assert "gone" in outcomes[1].error
    assert "lost" in outcomes[2].error
    assert len(qstash.requests) == 3


async def test_a_filter_is_looked_up_before_anything_is_retried(client: Client, qstash: FakeQStash):
    """What a filter names is listed first, so that letters which fail anew in the meantime are not retried twice."""
    qstash.fates.extend([page(["1-0"], "1-0"), page(["2-0"]), retried("a"), retried("b")])
    outcomes = await dlq.retry(client, DlqFilter(labels=("x",)))
    assert [one.message_id for one in outcomes] == ["a", "b"]


@pytest.mark.parametrize(("fate", "error"), [(refusal(401, "no"), AuthError), ("unsent", Unreachable)])
async def test_what_stops_every_letter_is_raised(client: Client, qstash: FakeQStash, fate: object, error: type):
    """A wrong token or no connection is no property of a letter."""
    qstash.fates.extend([fate] * 100)
    with pytest.raises(error):
        await dlq.retry(client, IDS)


def test_overrides_leave_the_method_alone():
    """What replaces a letter's options names only what is to change."""
    changed = dlq.overrides(message("https://its.own", retries=0, delay="5m"))
    assert dict(changed) == {"Upstash-Retries": "0", "Upstash-Delay": "5m"}


@pytest.mark.parametrize(("ids", "named"), [(None, "all=True"), ([], "ids"), ("", "ids"), (["1-0", " "], "ids")])
def test_to_take_everything_has_to_be_said(ids: object, named: str):
    """Nothing, an empty list or an empty id must never mean the whole queue."""
    with pytest.raises(SettingsError, match=named):
        dlq.chosen(ids, DlqFilter(), everything=False)


def test_what_is_chosen_is_ids_a_filter_or_everything():
    """One id is a list of one; everything is a filter that says so."""
    assert dlq.chosen("1-0", DlqFilter(), everything=False) == DlqFilter(dlq_ids=("1-0",))
    by_label = DlqFilter(labels=("x",))
    assert dlq.chosen(None, by_label, everything=False) == by_label
    assert dlq.chosen(None, DlqFilter(), everything=True) == DlqFilter(from_ms=0)


async def test_many_ids_are_deleted_in_several_calls(client: Client, qstash: FakeQStash):
    """Ids travel in the query, whose length is limited."""
    qstash.fates.extend(Response.of_json(200, {"deleted": count}) for count in (100, 20))
    assert await dlq.delete(client, DlqFilter(dlq_ids=tuple(f"{n}-0" for n in range(120)))) == 120


def test_a_frame_has_its_columns_and_types_even_when_empty():
    """Times are UTC, counts may be missing, and an empty queue is a frame of the same shape."""
    full = dlq.frame([letter("1767225600250-3", response_status=500), letter("odd")], bodies=True)
    assert str(full["failed_at"].iloc[0]) == "2026-01-01 00:00:00.250000+00:00"
    assert full["failed_at"].isna().tolist() == [False, True]
    assert full["response_status"].tolist()[0] == 500
    assert full["response_status"].isna().tolist() == [False, True]
    assert full["body"].tolist() == ["né", "né"]
    plain, empty = dlq.frame([letter("1-0")]), dlq.frame([])
    assert list(plain.dtypes.items()) == list(empty.dtypes.items())
    assert "body" not in plain
    assert list(dlq.retried_frame([]).columns) == ["dlq_id", "message_id", "error"]
