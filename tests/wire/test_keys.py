import pytest

from qsops.errors import Corrupt
from qsops.models import KeyPair
from qsops.wire.http import Response
from qsops.wire.keys import keys_json, keys_request, parse_keys, rotate_request


@pytest.mark.parametrize("keys", [KeyPair("sig_a", "sig_b"), KeyPair("sig_a")])
def test_keys_read_as_they_were_written(keys: KeyPair):
    """Both fields are there, since the Python SDK reads both."""
    assert keys_json(keys).keys() == {"current", "next"}
    assert parse_keys(Response.of_json(200, keys_json(keys))) == keys


def test_reading_is_no_rotation():
    """The one changes nothing, the other breaks receivers when done twice (reference, section 6)."""
    assert (keys_request().method, keys_request().target) == ("GET", "/v2/keys")
    assert (rotate_request().method, rotate_request().target) == ("POST", "/v2/keys/rotate")


@pytest.mark.parametrize(
    "body", [b'{"current":"sig_secret', b'{"next":"sig_secret"}', b'["sig_secret"]', b"sig_secret"]
)
def test_an_answer_that_cannot_be_read_is_not_shown(body: bytes):
    """What is in it may be a key."""
    with pytest.raises(Corrupt) as raised:
        parse_keys(Response(200, body=body))
    assert "secret" not in str(raised.value)
    assert raised.value.__suppress_context__ or raised.value.__context__ is None
