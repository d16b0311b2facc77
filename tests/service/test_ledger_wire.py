import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qsops.errors import Corrupt
from qsops.models import LedgerEntry, Page
from qsops.wire.ledger import ledger_entry_json, ledger_json, parse_ledger, parse_ledger_entry

NUMBERS = st.none() | st.integers(0, 2**53)
ENTRIES = st.builds(
    LedgerEntry,
    event_id=st.text(min_size=1),
    kind=st.text(min_size=1),
    account=st.text(min_size=1),
    state=st.sampled_from(["queued", "published", "parked", "processed", "dead", "new"]),
    received_at_ms=st.integers(0, 2**53),
    mid=st.none() | st.text(),
    message_id=st.none() | st.text(),
    published_at_ms=NUMBERS,
    processed_at_ms=NUMBERS,
    deliveries=st.integers(0, 99),
    reason=st.none() | st.text(),
)
ENTRY = {"event_id": "e", "kind": "message", "account": "1", "state": "queued", "received_at_ms": 1}


@given(st.lists(ENTRIES, max_size=3), st.none() | st.text(min_size=1))
def test_a_page_comes_back_as_it_went(entries: list[LedgerEntry], cursor: str | None):
    """Encoding and decoding are opposites."""
    page = Page(tuple(entries), cursor)
    assert parse_ledger(json.loads(json.dumps(ledger_json(page)))) == page


def test_absent_is_absent():
    """What is not known is left out, the cursor at the end too; fields of a newer service are passed over."""
    assert ledger_json(Page((parse_ledger_entry({**ENTRY, "added": 1}),))) == {"events": [{**ENTRY, "deliveries": 0}]}
    assert "mid" not in ledger_entry_json(LedgerEntry("e", "k", "a", "queued", 1))


@pytest.mark.parametrize("value", [None, [], {}, {"events": 1}, {"events": [1]}])
def test_what_is_no_page_is_corrupt(value: object):
    """An answer of something else is told apart."""
    with pytest.raises(Corrupt):
        parse_ledger(value)


@pytest.mark.parametrize("change", [{"event_id": None}, {"state": 7}, {"received_at_ms": "1"}, {"deliveries": True}])
def test_a_malformed_entry_is_corrupt_and_named(change: dict[str, object]):
    """The field at fault is named."""
    with pytest.raises(Corrupt, match=next(iter(change))):
        parse_ledger_entry({**ENTRY, **change})
