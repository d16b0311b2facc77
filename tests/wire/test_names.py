import json

import pytest

from qsops.errors import Rejected
from qsops.wire import texts
from qsops.wire.http import Request
from qsops.wire.names import ID_LIMIT, LABELS_LIMIT, NAME_LIMIT, check_name, is_name
from qsops.wire.options import decode_options
from qsops.wire.publishing import BATCH_ITEMS_LIMIT, parse_batch, parse_publish

URL = "https://shop.test/hook"


@pytest.mark.parametrize("name", ["a", "A-b_c.9", "..", "n" * NAME_LIMIT])
def test_what_may_be_a_name(name: str):
    """Letters, digits, hyphen, underscore and dot, as many as there may be."""
    assert is_name(name)
    assert check_name("queue", name) == name


@pytest.mark.parametrize("name", ["", "a b", "a/b", "ä", "a:b", "a\n", "n" * (NAME_LIMIT + 1)])
def test_what_may_not_be_a_name(name: str):
    """Anything else is refused with what it was to name, and its beginning."""
    with pytest.raises(Rejected) as raised:
        check_name("schedule", name)
    assert (raised.value.status, raised.value.text) == (400, texts.invalid_name("schedule", name))


def test_a_queue_s_name_is_bounded():
    """Enqueueing makes the queue, so the name is looked at there, too."""
    parse_publish(Request("POST", f"/v2/enqueue/{'q' * NAME_LIMIT}/{URL}"))
    with pytest.raises(Rejected, match="at most 256"):
        parse_publish(Request("POST", f"/v2/enqueue/{'q' * (NAME_LIMIT + 1)}/{URL}"))


@pytest.mark.parametrize(
    ("name", "most", "over"),
    [
        ("Upstash-Label", "l" * NAME_LIMIT, "l" * (NAME_LIMIT + 1)),
        ("Upstash-Label", ",".join(map(str, range(LABELS_LIMIT))), ",".join(map(str, range(LABELS_LIMIT + 1)))),
        ("Upstash-Deduplication-Id", "d" * ID_LIMIT, "d" * (ID_LIMIT + 1)),
        ("Upstash-Flow-Control-Key", "k" * ID_LIMIT, "k" * (ID_LIMIT + 1)),
        (
            "Upstash-Redact-Fields",
            ",".join(f"header[X{n}]" for n in range(LABELS_LIMIT)),
            ",".join(f"header[X{n}]" for n in range(LABELS_LIMIT + 1)),
        ),
    ],
)
def test_what_a_message_is_called_is_bounded(name: str, most: str, over: str):
    """Labels, ids and keys are kept and looked up for as long as the log is: each has a length, and labels a number."""
    more = (("Upstash-Flow-Control-Value", "rate=1"),) if "Flow" in name else ()
    decode_options(URL, ((name, most), *more))
    with pytest.raises(Rejected, match="at most") as raised:
        decode_options(URL, ((name, over), *more))
    assert raised.value.status == 400
    assert len(raised.value.text) < 400


def test_a_batch_has_an_end():
    """Ten thousand messages are one request; more are refused before any is looked at."""
    item = {"destination": URL}
    assert (
        len(parse_batch(Request("POST", "/v2/batch", body=json.dumps([item] * BATCH_ITEMS_LIMIT).encode()))) == 10_000
    )
    with pytest.raises(Rejected) as raised:
        parse_batch(Request("POST", "/v2/batch", body=json.dumps([item] * (BATCH_ITEMS_LIMIT + 1)).encode()))
    assert (raised.value.status, raised.value.text) == (413, texts.batch_too_long(10_001, 10_000))
