import pytest

from bench.engine.http1 import Incomplete, post, status, take

ANSWER = b"HTTP/1.1 202 Accepted\r\ncontent-length: 2\r\n\r\nok"


def test_a_message_ends_where_its_length_says():
    """What follows a message on the connection is left for the next one."""
    head, body, end = take(ANSWER + b"HTTP/1.1 500")
    assert (status(head), body, end) == (202, b"ok", len(ANSWER))


@pytest.mark.parametrize("size", [0, 10, len(ANSWER) - 3, len(ANSWER) - 1])
def test_a_part_of_a_message_is_not_taken_for_it(size: int):
    """However the network cuts a message, it counts once it is whole."""
    with pytest.raises(Incomplete):
        take(ANSWER[:size])


def test_a_message_without_a_length_has_no_body():
    """A GET ends with its head."""
    assert take(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")[1:] == (b"", 27)


def test_a_chunked_message_is_refused():
    """A body that cannot be read is an error, and no empty message."""
    with pytest.raises(ValueError, match="chunked"):
        take(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n")


def test_what_is_posted_can_be_taken():
    """Loader and receiver read the same dialect."""
    head, body, end = take(request := post("/v2/batch", "127.0.0.1", (("A", "b"),), "é".encode()))
    assert head.startswith(b"POST /v2/batch HTTP/1.1\r\nHost: 127.0.0.1\r\nA: b\r\n")
    assert (body, end) == ("é".encode(), len(request))
