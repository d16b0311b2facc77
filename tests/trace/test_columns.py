"""Pages read by the column: the same as entry by entry, whatever they hold."""

import json
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qsops import frames
from qsops.clock import EPOCH_MS
from qsops.errors import Corrupt
from qsops.models import FlowControl, LogEntry, Page
from qsops.trace.columns import sheet_of
from qsops.wire.http import Response
from qsops.wire.logs import logs_json, parse_logs

FULL = LogEntry(
    EPOCH_MS,
    "msg_1",
    "RETRY",
    url="https://one.example/ü",
    url_group="group",
    endpoint="end",
    queue="queue",
    schedule_id="scd_1",
    labels=("a", "b"),
    method="PUT",
    response_status=503,
    error="Grüße 👋",
    next_delivery_ms=EPOCH_MS + 1,
    max_retries=3,
    retry_delay="1000 * (1 + retried)",
    flow_control=FlowControl("key", 1, 2),
    caller_ip="1.2.3.4",
    headers=(("Content-Type", "text/plain"),),
    body=b"text",
    response_headers=(("X", "y"),),
    response_body=b"\xff",
)
NAMES = (
    *("time", "messageId", "state", "url", "topicName", "endpointName", "queueName", "scheduleId", "labels", "label"),
    *("method", "responseStatus", "error", "nextDeliveryTime", "maxRetries", "retryDelayExpression", "retryDelayExpr"),
    *("flowControlKey", "callerIP", "callerIp", "header", "body", "something"),
)
#: What a service that keeps no promise might send.
VALUES = (
    st.none()
    | st.booleans()
    | st.sampled_from(["", "text", "7", "\ud800", 0, 7, -1, 7.0, 7.5, EPOCH_MS, 2**62, 2**70, 1e300])
    | st.lists(st.sampled_from(["a", "", 1, None, "\udfff"]), max_size=2)
    | st.dictionaries(st.sampled_from(["A"]), st.sampled_from(["x", ["x", "y"]]), max_size=1)
)


def of_entries(response: Response, *, bodies: bool = False) -> pd.DataFrame:
    return frames.logs(parse_logs(response).items, bodies=bodies)


@pytest.mark.parametrize("key", ["events", "logs"])
@pytest.mark.parametrize("bodies", [False, True])
def test_a_page_has_every_column(key: Any, bodies: bool):
    """Whatever an entry says stands in its column, and what it does not say is null."""
    bare = LogEntry(EPOCH_MS, "msg_2", "CREATED", url="https://one.example")
    response = Response.of_json(200, logs_json(Page((FULL, bare, FULL), "next"), key))
    sheet = sheet_of(response, bodies=bodies)
    assert (sheet.cursor, sheet.count, sheet.ends_ms) == ("next", 3, (EPOCH_MS, EPOCH_MS))
    found = frames.logs_of([sheet.table], bodies=bodies)
    assert found.equals(of_entries(response, bodies=bodies))
    assert found.iloc[0].notna().all()


@given(st.lists(st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=6), max_size=4))
def test_a_page_is_read_as_its_entries_are(entries: list[Any]):
    """No value of a wrong type, nor a missing or unknown field, makes a difference, or an error."""
    response = Response(200, (), json.dumps({"events": entries}).encode())
    assert frames.logs_of([sheet_of(response, bodies=False).table]).equals(of_entries(response))


@pytest.mark.parametrize("answer", [[], {}, {"events": {}}, {"events": [7]}, {"logs": [None]}])
def test_what_is_no_page_is_refused(answer: Any):
    """An answer of another shape is no empty page."""
    with pytest.raises(Corrupt):
        sheet_of(Response.of_json(200, answer), bodies=False)
