import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qsops import fold, frames
from qsops.clock import EPOCH_MS
from qsops.models import LogEntry
from tests.examples import some
from tests.fold.story import URL, Story, stories


def log_of(told: list[Story]) -> pd.DataFrame:
    return frames.logs(entry for story in told for entry in story.entries())


@given(stories())
@settings(max_examples=some(15))
def test_attempts_are_those_that_happened(told: list[Story]):
    """Each attempt of each message is there once, with its number, times, status and outcome."""
    found = fold.attempts(log_of(told))
    for story in told:
        rows = found[found["message_id"] == story.message_id]
        assert rows["attempt"].tolist() == list(range(1, len(story.attempts) + 1))
        assert rows["outcome"].tolist() == story.expected_outcomes()
        ended = [duration for _, duration, _ in story.attempts]
        if story.ending == "flying":
            assert rows["duration_ms"].isna().tolist()[-1]
            ended.pop()
        assert rows["duration_ms"].dropna().tolist() == ended
        assert rows["wait_ms"].dropna().tolist() == [wait for wait, _, _ in story.attempts[1:]]


@given(stories())
@settings(max_examples=some(15))
def test_messages_are_those_that_happened(told: list[Story]):
    """Each message has one row, with its state, number of attempts and time to deliver."""
    found = fold.messages(log_of(told)).set_index("message_id")
    states = {
        "delivered": "DELIVERED",
        "failed": "FAILED",
        "canceled": "CANCELED",
        "waiting": "RETRY",
        "flying": "ACTIVE",
    }
    assert sorted(found.index) == sorted(story.message_id for story in told)
    for story in told:
        row = found.loc[story.message_id]
        assert row["attempts"] == len(story.attempts)
        assert row["label"] == "order"
        if story.ending in {"delivered", "failed", "canceled"}:
            assert row["state"] == states[story.ending]
        took = sum(wait + duration for wait, duration, _ in story.attempts)
        assert (
            (row["time_to_deliver_ms"] == took) if story.ending == "delivered" else pd.isna(row["time_to_deliver_ms"])
        )


@given(stories(), st.integers(0, 2**31))
@settings(max_examples=some(15))
def test_order_and_doubles_change_nothing(told: list[Story], seed: int):
    """Shuffled rows, and rows that came twice, fold to the same frames."""
    log = log_of(told)
    shuffled = pd.concat([log, log.sample(frac=0.5, random_state=seed)])
    shuffled = shuffled.sample(frac=1, random_state=seed).reset_index(drop=True)
    pd.testing.assert_frame_equal(fold.attempts(shuffled), fold.attempts(log))
    pd.testing.assert_frame_equal(fold.messages(shuffled), fold.messages(log))


def test_what_began_before_the_window_has_no_number():
    """An attempt of a message whose CREATED is not in the window keeps its times, its number is null."""
    story = Story("msg_1", EPOCH_MS, ((0, 10, 500), (12_000, 10, 500), (148_000, 10, 500)), "delivered")
    log = log_of([story])
    late = log[log["time"] >= log["time"].iloc[0] + pd.Timedelta(seconds=10)]
    attempts, messages = fold.attempts(late), fold.messages(late)
    assert attempts["attempt"].isna().all()
    assert attempts["outcome"].tolist() == ["error", "delivered"]
    assert attempts["duration_ms"].tolist() == [10, 10]
    assert messages["attempts"].isna().all()
    assert messages["created_at"].isna().all()
    assert messages["state"].tolist() == ["DELIVERED"]


def test_a_window_that_cuts_an_attempt_pairs_the_others_right():
    """Where the window begins between a start and its end, the end stands alone, and what follows is paired."""
    story = Story("msg_1", EPOCH_MS, ((0, 10, 500), (12_000, 10, 500)), "delivered")
    log = log_of([story])
    cut = log[log["time"] > log["time"].iloc[0]]
    attempts = fold.attempts(cut)
    assert attempts["started_at"].isna().tolist() == [True, False]
    assert attempts["outcome"].tolist() == ["error", "delivered"]


def test_a_cancel_closes_the_message_when_it_was_asked_for():
    """CANCELED is written when the next attempt would have been due; the message was over at CANCEL_REQUESTED."""
    story = Story("msg_1", EPOCH_MS, ((0, 10, 500),), "canceled")
    (row,) = fold.messages(log_of([story])).to_dict("records")
    assert row["state"] == "CANCELED"
    assert row["finished_at"] == pd.Timestamp(EPOCH_MS + 15, unit="ms", tz="UTC")


def test_a_cancel_that_came_too_late_is_a_delivery():
    """What was delivered stays delivered, whatever was asked for afterwards."""
    entries = [
        LogEntry(EPOCH_MS, "msg_1", "CREATED", url=URL),
        LogEntry(EPOCH_MS + 1, "msg_1", "ACTIVE", url=URL),
        LogEntry(EPOCH_MS + 2, "msg_1", "CANCEL_REQUESTED", url=URL),
        LogEntry(EPOCH_MS + 9, "msg_1", "DELIVERED", url=URL, response_status=200),
    ]
    (row,) = fold.messages(frames.logs(entries)).to_dict("records")
    assert (row["state"], row["time_to_deliver_ms"]) == ("DELIVERED", 9)


def test_a_failure_without_an_error_of_its_own_ends_the_last_attempt():
    """FAILED stands for the end of the last attempt where no ERROR was written for it."""
    entries = [
        LogEntry(EPOCH_MS, "msg_1", "CREATED", url=URL),
        LogEntry(EPOCH_MS + 1, "msg_1", "ACTIVE", url=URL),
        LogEntry(EPOCH_MS + 4, "msg_1", "FAILED", url=URL, response_status=489),
    ]
    (row,) = fold.attempts(frames.logs(entries)).to_dict("records")
    assert (row["outcome"], row["duration_ms"], row["response_status"]) == ("failed", 3, 489)


@pytest.mark.parametrize("state", ["SOMETHING_NEW", "", "delivered?"])
def test_a_state_that_is_not_known_is_kept(state: str):
    """A later version's state is shown as it came."""
    entries = [LogEntry(EPOCH_MS, "msg_1", "CREATED", url=URL), LogEntry(EPOCH_MS + 1, "msg_1", state, url=URL)]
    assert fold.messages(frames.logs(entries))["state"].tolist() == [state]


def test_no_rows_fold_to_empty_frames_of_the_same_columns():
    """An empty window gives frames with every column and its type."""
    empty = frames.logs([])
    for found, schema in ((fold.attempts(empty), frames.ATTEMPTS), (fold.messages(empty), frames.MESSAGES)):
        assert found.empty
        assert list(found.columns) == schema.names
