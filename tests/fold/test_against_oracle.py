import dataclasses
from typing import Any

import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from qsops import fold, frames
from qsops.clock import EPOCH_MS
from qsops.models import LogEntry
from tests.examples import some
from tests.fold import oracle
from tests.fold.story import stories

STATES = [
    "CREATED",
    "ACTIVE",
    "ERROR",
    "RETRY",
    "CANCEL_REQUESTED",
    "CANCELED",
    "CANCELLED",
    "FAILED",
    "DELIVERED",
    "SOMETHING_NEW",
    "ANOTHER",
]


def entries() -> st.SearchStrategy[list[LogEntry]]:
    """Entries as no service should write them: any state at any moment, facts missing here and there."""
    one = st.builds(
        LogEntry,
        time_ms=st.integers(EPOCH_MS, EPOCH_MS + 4),
        message_id=st.sampled_from(["msg_b", "msg_a", ""]),
        state=st.sampled_from(STATES),
        url=st.sampled_from([None, "https://one.example", "https://two.example"]),
        queue=st.sampled_from([None, "q"]),
        schedule_id=st.sampled_from([None, "scd_1"]),
        labels=st.sampled_from([(), ("a",), ("b", "c")]),
        response_status=st.sampled_from([None, 200, 500]),
        error=st.sampled_from([None, "broken"]),
    )
    return st.lists(one, max_size=25)


def torn(log: pd.DataFrame, seed: int, share: float) -> pd.DataFrame:
    """A part of the rows, some of them twice, in any order: an early end, a late entry, an overlapping pull."""
    part = log.sample(frac=share, random_state=seed)
    return pd.concat([part, part.sample(frac=0.5, random_state=seed)]).sample(frac=1, random_state=seed)


def plain(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return frame.astype(object).where(frame.notna(), None).to_dict("records")  # type: ignore[return-value]


def agree(log: pd.DataFrame) -> None:
    assert plain(fold.attempts(log)) == oracle.attempts(log)
    assert plain(fold.messages(log)) == oracle.messages(log)


@given(stories(), st.integers(0, 2**31), st.sampled_from([0.3, 0.7, 1.0]))
@settings(max_examples=some(25))
def test_the_fold_reads_what_a_plain_reading_reads(told: list[Any], seed: int, share: float):
    """Of true stories, whole or torn, both readings tell the same to the last column."""
    agree(torn(frames.logs(entry for story in told for entry in story.entries()), seed, share))


@given(entries())
@settings(max_examples=some(60))
def test_even_nonsense_is_read_in_one_way(soup: list[LogEntry]):
    """Whatever rows come, nothing raises, and both readings tell the same."""
    agree(frames.logs(soup))


@given(entries(), st.integers(0, 2**31))
@settings(max_examples=some(25))
def test_even_nonsense_is_the_same_in_any_order(soup: list[LogEntry], seed: int):
    """Order and doubles change nothing, whatever the rows say."""
    log = frames.logs(soup)
    again = torn(log, seed, 1.0)
    for name in ("attempts", "messages"):
        pd.testing.assert_frame_equal(getattr(fold, name)(again), getattr(fold, name)(log))


@given(stories(), st.integers(0, 6))
@settings(max_examples=some(20))
def test_a_window_never_contradicts_the_whole(told: list[Any], cut_ms: int):
    """What the rows from some millisecond on say is true of the whole log as well, or null.

    The latest state is left out where a window begins between the rows of one millisecond, and nothing tells whether
    an attempt was under way.
    """
    log = frames.logs(entry for story in told for entry in story.entries())
    window = log[log["time"] >= pd.Timestamp(EPOCH_MS + cut_ms, unit="ms", tz="UTC")]
    whole = fold.messages(log).set_index("message_id")
    ordered = with_an_order(window)
    for row in plain(fold.messages(window)):
        names = ["created_at", "attempts", "time_to_deliver_ms", "finished_at"]
        for name in [*names, "state"] if row["message_id"] in ordered else names:
            assert row[name] is None or row[name] == whole.loc[row["message_id"], name]


def with_an_order(window: pd.DataFrame) -> set[str]:
    """Messages that are seen from their creation, or of which some millisecond has more starts than ends or fewer."""
    starts, ends = window["state"] == "ACTIVE", window["state"].isin(["ERROR", "DELIVERED"])
    balance = (starts.astype(int) - ends.astype(int)).groupby([window["message_id"], window["time"]]).sum()
    told = balance[balance != 0].index.get_level_values("message_id")
    return {*told, *window.loc[window["state"] == "CREATED", "message_id"]}


def test_both_frames_at_once_are_the_same_two():
    """fold.fold is attempts and messages, sorted once."""
    told = [LogEntry(EPOCH_MS + n, "msg_1", state) for n, state in enumerate(STATES[:4])]
    log = frames.logs(told + [dataclasses.replace(entry, message_id="msg_2") for entry in told])
    both = fold.fold(log)
    pd.testing.assert_frame_equal(both.attempts, fold.attempts(log))
    pd.testing.assert_frame_equal(both.messages, fold.messages(log))
