"""What folding adds for those who read the tables with other means."""

import pandas as pd
import pyarrow as pa

from bench.planted import live, log_table, plan
from qsops import fold, frames
from qsops.clock import EPOCH_MS
from qsops.fold.fingerprints import LONGEST, fingerprint, normalised
from qsops.fold.portable import portable_logs
from qsops.models import LogEntry

TABLE = log_table(plan(3, 2_000), live(plan(3, 2_000)))


def milliseconds(times: pd.Series) -> list[int | None]:
    return [None if pd.isna(at) else int(at.timestamp() * 1000 + 0.5) for at in times]


def test_tables_are_the_frames_with_more():
    """The same rows and columns come out of Arrow as out of a frame, in the declared schema."""
    made, folded = fold.tables(TABLE), fold.fold(frames.of_table(TABLE, frames.LOGS))
    assert made.attempts.schema.equals(frames.PORTABLE_ATTEMPTS)
    assert made.messages.schema.equals(frames.PORTABLE_MESSAGES)
    pd.testing.assert_frame_equal(frames.of_table(made.attempts, frames.ATTEMPTS), folded.attempts)
    pd.testing.assert_frame_equal(frames.of_table(made.messages, frames.MESSAGES), folded.messages)


def test_milliseconds_are_the_times():
    """Each whole millisecond column says what its time says, and is null where that is."""
    made = fold.tables(TABLE)
    attempts, messages = made.attempts.to_pandas(), made.messages.to_pandas()
    for table, pairs in (
        (attempts, (("started_ms", "started_at"), ("ended_ms", "ended_at"))),
        (messages, (("created_ms", "created_at"), ("finished_ms", "finished_at"))),
    ):
        for number, time in pairs:
            assert [None if pd.isna(ms) else int(ms) for ms in table[number]] == milliseconds(table[time])
    logs = portable_logs(TABLE)
    assert logs.schema.equals(frames.PORTABLE_LOGS)
    assert logs["time_ms"].to_pylist() == milliseconds(TABLE["time"].to_pandas())


def test_an_empty_log_has_the_same_schema():
    """No rows are no other table."""
    made = fold.tables(frames.LOGS.empty_table())
    assert made.attempts.schema.equals(frames.PORTABLE_ATTEMPTS)
    assert made.messages.schema.equals(frames.PORTABLE_MESSAGES)
    assert portable_logs(frames.LOGS.empty_table()).schema.equals(frames.PORTABLE_LOGS)


def test_bodies_of_failures_leave_a_fingerprint():
    """What a failing consumer answered is normalised like an error; an answer that is fine is not looked at."""
    told = [
        (0, "ACTIVE", None, None),
        (5, "ERROR", 500, b"order 17 failed at 10.0.0.3:80"),
        (10, "ACTIVE", None, None),
        (15, "DELIVERED", 200, b"fine, 3 ms"),
    ]
    log = frames.logs(
        [
            LogEntry(EPOCH_MS + at, "msg_1", state, response_status=code, response_body=body)
            for at, state, code, body in told
        ],
        bodies=True,
    )
    assert fold.tables(log).attempts["body_fingerprint"].to_pylist() == ["order # failed at <host>", None]
    assert fold.tables(log[frames.LOGS.names]).attempts["body_fingerprint"].to_pylist() == [None, None]


def test_a_long_text_counts_by_its_beginning():
    """Pages of HTML make no wide column, and what differs far behind parts nothing."""
    texts = pa.array([f"{'word ' * 200}{end}" for end in ("alpha", "beta")])
    one, other = normalised(texts).to_pylist()
    assert one == other
    assert len(one) <= LONGEST


def test_a_fingerprint_stays_what_it_was():
    """Groups keep their names from one release to the next: they stand in people's runbooks."""
    assert fingerprint(500, "worker # is overloaded") == "6f4d27ba"
    assert fingerprint(None, None) == fingerprint(0, "")
    assert fingerprint(500, "x", "y") != fingerprint(500, "x")
