import pytest
from hypothesis import given
from hypothesis import strategies as st

from qsops.models import Headers, Message
from qsops.wire.delivery import USER_AGENT, DeliveryFacts, delivery_headers, parse_delivery_headers
from qsops.wire.http import header
from tests.wire.strategies import MESSAGES, SMALL


@given(MESSAGES, SMALL, st.sampled_from([None, "US-EAST-1"]))
def test_a_delivery_tells_its_facts(message: Message, retried: int, region: str | None):
    """What is written for the destination is what a receiver reads, in whatever case a server hands it out."""
    headers = delivery_headers(message, retried=retried, signature="jwt", region=region)
    facts = DeliveryFacts(
        message.message_id, retried, message.schedule_id, message.url_group, message.caller_ip, region, "jwt"
    )
    assert parse_delivery_headers(headers) == facts
    assert parse_delivery_headers(tuple((name.lower(), value) for name, value in headers)) == facts
    assert set(message.headers) <= set(headers)


def test_a_forwarded_header_cannot_pass_for_qstashs():
    """A publisher could otherwise name another message id to the consumer."""
    message = Message("msg_1", "https://a.test", 1, 1, headers=(("Upstash-Message-Id", "msg_2"), ("X-A", "1")))
    headers = delivery_headers(message, retried=0, signature="jwt")
    assert [value for name, value in headers if name == "Upstash-Message-Id"] == ["msg_1"]


@pytest.mark.parametrize(("forwarded", "agent"), [((), USER_AGENT), ((("User-Agent", "mine"),), "mine")])
def test_the_user_agent_is_qstash_unless_one_is_forwarded(forwarded: Headers, agent: str):
    """``Upstash-QStash`` (reference, section 4)."""
    headers = delivery_headers(Message("m", "u", 1, 1, headers=forwarded), retried=0, signature="jwt")
    assert header(headers, "User-Agent") == agent


@pytest.mark.parametrize("retried", ["", "x", "-1", "１", "9" * 5_000])
def test_nothing_in_a_header_raises(retried: str):
    """Anyone can send these; the signature is checked after they are read."""
    assert parse_delivery_headers((("Upstash-Retried", retried),)) == DeliveryFacts(None, 0)


def test_a_signature_is_not_shown():
    """Whoever has it can replay the delivery while it is fresh."""
    assert "jwt" not in repr(parse_delivery_headers((("Upstash-Signature", "jwt"),)))
