import pandas as pd
import pyarrow as pa
import pytest

from qsops import fold, frames
from qsops.clock import EPOCH_MS
from qsops.models import FlowControl, LogEntry

ENTRY = LogEntry(
    EPOCH_MS,
    "msg_1",
    "ERROR",
    url="https://consumer.example/hook?a=1",
    labels=("a", "b"),
    response_status=503,
    error="Grüße 👋",
    next_delivery_ms=EPOCH_MS + 12_000,
    flow_control=FlowControl("key", rate=1),
    headers=(("Content-Type", "text/plain"), ("X-Two", "1"), ("X-Two", "2")),
    body="né 👋".encode(),
    response_body=b"\xff\xfe",
)

LOGS = [
    "time",
    "message_id",
    "state",
    "url",
    "url_group",
    "endpoint",
    "queue",
    "schedule_id",
    "labels",
    "method",
    "response_status",
    "error",
    "next_delivery_at",
    "max_retries",
    "retry_delay_expression",
    "flow_control_key",
    "caller_ip",
    "seq",
]
ATTEMPTS = [
    "message_id",
    "attempt",
    "url",
    "label",
    "queue",
    "started_at",
    "ended_at",
    "duration_ms",
    "outcome",
    "response_status",
    "error",
    "wait_ms",
]
MESSAGES = [
    "message_id",
    "url",
    "label",
    "queue",
    "schedule_id",
    "created_at",
    "finished_at",
    "state",
    "attempts",
    "time_to_deliver_ms",
    "last_status",
    "last_error",
]


@pytest.mark.parametrize(
    ("schema", "columns"), [(frames.LOGS, LOGS), (frames.ATTEMPTS, ATTEMPTS), (frames.MESSAGES, MESSAGES)]
)
def test_the_columns_are_the_contract(schema: pa.Schema, columns: list[str]):
    """The columns of the three frames are fixed: notebooks and archives of others depend on them."""
    assert schema.names == columns


@pytest.mark.parametrize("entries", [[ENTRY], []], ids=["one", "none"])
def test_types_are_the_same_with_and_without_rows(entries: list[LogEntry]):
    """Times are UTC microseconds, text is Arrow-backed str, counts are Int64, whatever the rows hold."""
    logs = frames.logs(entries)
    wanted = {pa.string(): "str", pa.int64(): "Int64", pa.timestamp("us", "UTC"): "datetime64[us, UTC]"}
    for frame, schema in (
        (logs, frames.LOGS),
        (fold.attempts(logs), frames.ATTEMPTS),
        (fold.messages(logs), frames.MESSAGES),
    ):
        assert {name: str(dtype) for name, dtype in frame.dtypes.items()} == {
            field.name: wanted[field.type] for field in schema
        }
    assert logs["url"].dtype.storage == "pyarrow"


def test_a_row_holds_what_the_entry_said():
    """Values arrive unchanged, labels comma-separated as on the wire, nothing missing is made up."""
    (row,) = frames.logs([ENTRY]).to_dict("records")
    assert row["time"] == pd.Timestamp(EPOCH_MS, unit="ms", tz="UTC")
    assert (row["labels"], row["error"], row["flow_control_key"]) == ("a,b", "Grüße 👋", "key")
    assert pd.isna(row["queue"])
    assert pd.isna(row["max_retries"])


def test_bodies_come_on_request_only():
    """Headers and bodies are columns only when asked for; bytes that are no text come as base64."""
    assert "body" not in frames.logs([ENTRY]).columns
    (row,) = frames.logs([ENTRY], bodies=True).to_dict("records")
    assert row["body"] == "né 👋"
    assert row["response_body"] == "//4="
    assert row["headers"] == "Content-Type: text/plain\nX-Two: 1\nX-Two: 2"


def test_seq_numbers_equal_entries():
    """Entries of equal message, time and state are told apart by seq."""
    assert frames.logs([ENTRY, ENTRY, ENTRY])["seq"].tolist() == [0, 1, 2]
