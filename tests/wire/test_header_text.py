import pytest
from hypothesis import given
from hypothesis import strategies as st

from qsops.wire.header_text import from_wire, headers_from_wire, to_wire
from qsops.wire.http import Request


@given(st.binary())
def test_no_bytes_raise(raw: bytes):
    """What a stranger puts into a header is text in one way or the other."""
    assert isinstance(from_wire(raw), str)


@given(st.text())
def test_text_survives_the_wire(text: str):
    """What came in as UTF-8 leaves byte for byte the same."""
    assert from_wire(to_wire(text)) == text


@pytest.mark.parametrize(("raw", "text"), [(b"gr\xc3\xb6\xc3\x9fe", "größe"), (b"gr\xf6\xdfe", "größe")])
def test_both_habits_are_understood(raw: bytes, text: str):
    """UTF-8 first; what is none is Latin-1."""
    assert headers_from_wire([(b"X-Size", raw)]) == (("X-Size", text),)


def test_a_request_does_not_show_its_token():
    """A request in a traceback or a failing assertion must not give the token away."""
    assert "secret" not in repr(Request("GET", "/v2/keys", headers=(("Authorization", "Bearer secret"),)))
