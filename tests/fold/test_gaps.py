"""What the log leaves out, and what comes at once: the cases in which counting starts and ends would go wrong."""

import pandas as pd

from qsops import fold, frames
from qsops.clock import EPOCH_MS
from qsops.models import LogEntry


def log_of(*steps: tuple[int, str] | tuple[int, str, int], message_id: str = "msg_1") -> pd.DataFrame:
    return frames.logs(
        LogEntry(EPOCH_MS + at_ms, message_id, state, response_status=status[0] if status else None)
        for at_ms, state, *status in steps
    )


def test_a_start_whose_end_was_never_written_takes_no_other_end():
    """A process that died under an attempt left no end: that attempt stays open, and the next has its own."""
    log = log_of((0, "CREATED"), (1, "ACTIVE"), (500, "ACTIVE"), (510, "DELIVERED", 200))
    found = fold.attempts(log)
    assert found["attempt"].tolist() == [1, 2]
    assert found["outcome"].isna().tolist() == [True, False]
    assert found["duration_ms"].tolist()[1] == 10
    assert found["ended_at"].isna().tolist() == [True, False]


def test_an_end_whose_start_is_missing_takes_no_other_start():
    """A start that was lost in the middle costs that attempt its times, and no other attempt anything."""
    log = log_of(
        (0, "CREATED"),
        (0, "ACTIVE"),
        (5, "ERROR", 500),
        (5, "RETRY"),
        (90, "ERROR", 503),
        (90, "RETRY"),
        (200, "ACTIVE"),
        (207, "DELIVERED", 200),
    )
    found = fold.attempts(log)
    assert found["attempt"].tolist() == [1, 2, 3]
    assert found["started_at"].isna().tolist() == [False, True, False]
    assert found["response_status"].tolist() == [500, 503, 200]
    assert found["duration_ms"].fillna(-1).tolist() == [5, -1, 7]


def test_attempts_of_one_millisecond_keep_their_answers():
    """With a retry delay of 0 several attempts fall on one millisecond; seq tells their answers apart."""
    log = log_of(
        (0, "CREATED"),
        (0, "ACTIVE"),
        (0, "ERROR", 500),
        (0, "RETRY"),
        (0, "ACTIVE"),
        (0, "ERROR", 503),
        (0, "RETRY"),
        (0, "ACTIVE"),
        (0, "DELIVERED", 200),
    )
    found = fold.attempts(log)
    assert found["response_status"].tolist() == [500, 503, 200]
    assert found["wait_ms"].fillna(-1).tolist() == [-1, 0, 0]


def test_an_attempt_that_starts_as_another_ends_is_the_next_one():
    """Where an attempt was under way, its end comes before the start of the same millisecond."""
    log = log_of((0, "CREATED"), (0, "ACTIVE"), (9, "ERROR", 500), (9, "RETRY"), (9, "ACTIVE"), (12, "ERROR", 503))
    found = fold.attempts(log)
    assert found["duration_ms"].tolist() == [9, 3]
    assert found["response_status"].tolist() == [500, 503]
    assert fold.messages(log)["state"].tolist() == ["ERROR"]


def test_a_cancel_under_an_attempt_is_told():
    """An attempt that was under way when its message was canceled, and never reported, is no longer in flight."""
    log = log_of((0, "CREATED"), (1, "ACTIVE"), (5, "CANCEL_REQUESTED"))
    assert fold.attempts(log)["outcome"].tolist() == ["canceled"]
    assert fold.messages(log)["state"].tolist() == ["CANCELED"]


def test_a_callback_is_a_message_of_its_own():
    """What QStash sends as a callback has its own id, and is folded beside its source, not into it."""
    source = log_of((0, "CREATED"), (1, "ACTIVE"), (2, "DELIVERED", 200))
    callback = log_of((2, "CREATED"), (3, "ACTIVE"), (4, "ERROR", 500), (4, "RETRY"), message_id="msg_callback")
    found = fold.messages(pd.concat([source, callback])).set_index("message_id")
    assert found["state"].to_dict() == {"msg_1": "DELIVERED", "msg_callback": "RETRY"}
    assert found["attempts"].to_dict() == {"msg_1": 1, "msg_callback": 1}


def test_what_the_last_attempt_said_stands_for_the_message():
    """A timeout after a 500 has no status: the message's last status is null, not the 500 before."""
    log = log_of((0, "CREATED"), (1, "ACTIVE"), (2, "ERROR", 500), (2, "RETRY"), (9, "ACTIVE"), (10, "ERROR"))
    assert fold.messages(log)["last_status"].isna().all()
