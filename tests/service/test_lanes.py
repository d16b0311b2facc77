from collections import defaultdict

from hypothesis import given
from hypothesis import strategies as st

from qsops.models import Publish
from service.lanes import BATCH, BATCH_BYTES, LANES, lanes

MESSAGES = st.lists(
    st.tuples(
        st.sampled_from([b"", b"x", b"x" * 200_000, b"x" * (BATCH_BYTES + 1), b"\xff"]),
        st.sampled_from([None, "a", "b", "c", "d", "e", "f"]),
    ),
    max_size=300,
)


@given(MESSAGES)
def test_every_message_is_in_one_request_of_bounded_size(given_messages: list[tuple[bytes, str | None]]):
    """Each message goes once, in a request of bounded count and bytes, and bytes that are no text go alone."""
    messages = [Publish("https://a.example", body) for body, _ in given_messages]
    found = lanes(messages, [conversation for _, conversation in given_messages])
    requests = [request for lane in found for request in lane.requests]
    assert len(found) <= LANES
    assert sorted(number for request in requests for number in request) == list(range(len(messages)))
    for request in requests:
        size = sum(len(messages[number].body) for number in request)
        assert 0 < len(request) <= BATCH
        assert size <= BATCH_BYTES or len(request) == 1
        assert len(request) == 1 or not any(messages[number].body == b"\xff" for number in request)


@given(MESSAGES)
def test_a_conversation_stays_in_its_order_in_one_lane(given_messages: list[tuple[bytes, str | None]]):
    """What is of one conversation is never in two lanes, since these are sent at the same time."""
    messages = [Publish("https://a.example", body) for body, _ in given_messages]
    conversations = [conversation for _, conversation in given_messages]
    homes = defaultdict(set)
    for number, lane in enumerate(lanes(messages, conversations)):
        order = [one for request in lane.requests for one in request]
        for name in set(conversations) - {None}:
            mine = [one for one in order if conversations[one] == name]
            assert mine == sorted(mine)
            if mine:
                homes[name].add(number)
    assert all(len(found) == 1 for found in homes.values())


def test_what_fits_into_one_request_is_one():
    """A second request costs a round trip: lanes are opened only where one is full."""
    messages = [Publish("https://a.example", b"x")] * (2 * BATCH)
    assert [lane.requests for lane in lanes(messages[:BATCH], [None] * BATCH)] == [[list(range(BATCH))]]
    assert [len(lane.requests) for lane in lanes(messages, [None] * 2 * BATCH)] == [1, 1]


def test_no_messages_are_no_lanes():
    """Nothing to send is no request."""
    assert lanes([], []) == []
