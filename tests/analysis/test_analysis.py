import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from qsops import analysis, fold, frames
from qsops.analysis import source
from qsops.analysis.runs import runs
from qsops.clock import EPOCH_MS
from tests.fold.story import Story

STORIES = [
    Story("msg_1", EPOCH_MS, ((0, 10, 500),), "delivered"),
    Story("msg_2", EPOCH_MS, ((0, 10, 500), (12_000, 10, 500)), "delivered"),
    Story("msg_3", EPOCH_MS + 60_000, ((0, 10, 503), (12_000, 10, 429), (148_000, 10, 429)), "delivered"),
    Story("msg_4", EPOCH_MS + 60_000, ((0, 10, 489),), "failed"),
    Story("msg_5", EPOCH_MS + 60_000, ((0, 10, 500),), "flying"),
]
LOG = frames.logs(entry for story in STORIES for entry in story.entries())
ATTEMPTS, MESSAGES = fold.attempts(LOG), fold.messages(LOG)


def test_the_ladder_counts_attempts_by_number():
    """Success is a share of the n-th attempts, recovery a share of all that failed first and were saved."""
    ladder = analysis.retry_ladder(ATTEMPTS)
    assert ladder.to_dict("list") == {
        "attempt": [1, 2, 3],
        "attempts": [4, 2, 1],
        "delivered": [1, 1, 1],
        "success_pct": [25.0, 50.0, 100.0],
        "recovered_pct": [None, 50.0, 50.0],
        "median_wait_s": [None, 12.0, 148.0],
    }


def test_failures_are_grouped_by_destination_and_answer():
    """Failed attempts are counted by destination, status and error; recovered ones are those delivered later."""
    found = analysis.failures(ATTEMPTS)
    rows = found[["response_status", "attempts", "messages", "recovered"]].to_dict("records")
    assert rows == [
        {"response_status": 429, "attempts": 1, "messages": 1, "recovered": 1},
        {"response_status": 489, "attempts": 1, "messages": 1, "recovered": 0},
        {"response_status": 500, "attempts": 1, "messages": 1, "recovered": 1},
        {"response_status": 503, "attempts": 1, "messages": 1, "recovered": 1},
    ]


def test_latency_is_by_time_of_creation():
    """Percentiles are of delivered messages, in the bucket in which they were created."""
    found = analysis.latency(MESSAGES, "1min")
    assert found["messages"].tolist() == [2, 1]
    assert found["max_s"].tolist() == [12.02, 160.03]
    assert found["p50_s"].tolist() == [pytest.approx((0.01 + 12.02) / 2), 160.03]


def test_outcomes_add_up():
    """Every message is counted once, and the shares are of all."""
    found = analysis.outcomes(MESSAGES)
    assert found.to_dict("records") == [
        {"state": "DELIVERED", "messages": 3, "share_pct": 60.0},
        {"state": "ACTIVE", "messages": 1, "share_pct": 20.0},
        {"state": "FAILED", "messages": 1, "share_pct": 20.0},
    ]
    by_label = analysis.outcomes(MESSAGES, by="label")
    assert by_label["label"].tolist() == ["order"] * 3
    assert by_label["messages"].sum() == len(MESSAGES)


def test_failure_groups_leave_out_what_differs():
    """Ids, numbers, hosts, addresses and quoted words are of one failure; the words and the status are what it is."""
    errors = [
        "worker 17 at 10.0.0.3:80 said 'no' to order 8a7f-33",
        "worker 3 at 10.9.0.4:443 said 'never' to order b6",
        "cannot reach https://a.example/x?y=1 for jane@doe.example",
        "cannot reach http://b.example for joe@doe.example",
    ]
    failed = ATTEMPTS[ATTEMPTS["outcome"].isin(["error", "failed"])].head(4)
    failed = failed.assign(error=errors, response_status=500)
    found = analysis.failure_groups(failed)
    assert found["error"].tolist() == [
        "cannot reach <url> for <address>",
        "worker # at <host> said <quoted> to order #",
    ]
    assert found["attempts"].tolist() == [2, 2]
    other = analysis.failure_groups(failed.assign(response_status=503))
    assert set(found["group"]).isdisjoint(other["group"])


def test_a_messages_own_fault_is_no_outage():
    """A destination that answers 4xx works; one that answers nothing but 503 does not."""
    stories = [Story(f"msg_{n}", EPOCH_MS + n * 1000, ((0, 10, 422),), "failed") for n in range(40)]
    of = fold.attempts(frames.logs(entry for story in stories for entry in story.entries()))
    assert analysis.outages(of).empty
    assert len(analysis.outages(of.assign(response_status=503))) == 1
    for not_now in (408, 425, 429):
        assert len(analysis.outages(of.assign(response_status=not_now))) == 1


@pytest.mark.parametrize(("failures", "attempts"), [(5, 100), (5, 2_000), (7, 50), (12, 100)])
def test_an_outage_does_not_hide_behind_itself(failures: int, attempts: int):
    """A few failures in a row are an outage of a destination that else never fails, however short its log."""
    fails = range(attempts // 3, attempts // 3 + failures)
    stories = [
        Story(f"msg_{n:05}", EPOCH_MS + n * 1000, ((0, 10, 503),), "failed" if n in fails else "delivered")
        for n in range(attempts)
    ]
    found = analysis.outages(fold.attempts(frames.logs(entry for story in stories for entry in story.entries())))
    assert found[["attempts", "failed", "depth_pct"]].to_numpy().tolist() == [[failures, failures, 100]]


@pytest.mark.parametrize(("attempts", "span_ms"), [(50, 5), (20_000, 2_000), (100_000, 100)])
def test_attempts_of_one_millisecond_are_in_no_run_but_theirs(attempts: int, span_ms: int):
    """However many attempts tie, and in whichever order they come, the answered ones of a millisecond are before."""
    rng = np.random.default_rng(1)
    down = (rng.random(attempts) < 0.3).astype(int)
    rows = pd.DataFrame({"url": "u", "at_ms": rng.integers(0, span_ms, attempts), "down": down})
    found = runs(source.of(pa.Table.from_pandas(rows)))
    ordered = rows.sort_values(["at_ms", "down"])
    number = (ordered["down"] != ordered["down"].shift()).cumsum()
    told = ordered.groupby(number.to_numpy()).agg(
        down=("down", "max"), length=("down", "size"), from_ms=("at_ms", "min"), to_ms=("at_ms", "max")
    )
    assert found[[*told]].to_numpy().tolist() == told.to_numpy().tolist()


def test_a_backlog_counts_attempts_of_its_own_messages_alone():
    """In a range of a longer past, attempts of older messages are not in flight in place of messages that wait."""
    old = Story("msg_old", EPOCH_MS, ((0, 10, 500), (3_600_000, 300_000, 200)), "delivered")
    new = Story("msg_new", EPOCH_MS + 3_600_000, ((630_000, 10, 200),), "delivered")
    past = fold.fold(frames.logs(entry for story in (old, new) for entry in story.entries()))
    since = pd.Timestamp(EPOCH_MS + 3_500_000, unit="ms", tz="UTC")
    messages = past.messages[past.messages["created_at"] >= since]
    attempts = past.attempts[past.attempts["ended_at"] >= since]
    assert sorted(attempts["message_id"]) == ["msg_new", "msg_old"]
    found = analysis.backlog(messages, attempts, "1min")
    assert found["pending"].max() == 1
    assert found["in_flight"].max() == 0


def test_a_backlog_counts_what_came_before_its_first_moment():
    """Where attempts seem to precede their messages, since clocks differ, none is lost and none is in flight twice."""
    at = [pd.Timestamp(EPOCH_MS + minutes * 60_000, unit="ms", tz="UTC") for minutes in range(100)]
    messages = pd.DataFrame({"message_id": ["a"], "created_at": [at[60]], "finished_at": [at[90]]})
    attempts = pd.DataFrame(
        {
            "message_id": "a",
            "outcome": "error",
            "started_at": [at[5], at[25], at[70]],
            "ended_at": [at[15], at[35], at[80]],
        }
    )
    found = analysis.backlog(messages, attempts, "10min")
    assert found["at"].tolist() == at[60:91:10]
    assert found["in_flight"].tolist() == [0, 1, 0, 0]
    assert found["waiting"].tolist() == [1, 0, 1, 0]


def test_a_backlog_of_too_many_rows_is_refused():
    """A width that is mistaken for another one makes no frame that fills the memory."""
    far = MESSAGES.assign(finished_at=MESSAGES["created_at"] + pd.Timedelta("365D"))
    with pytest.raises(ValueError, match="every='1s' makes over 100,000 rows"):
        analysis.backlog(far, ATTEMPTS, "1s")


EMPTY = {
    "latency": lambda: analysis.latency(MESSAGES.iloc[:0]),
    "outcomes": lambda: analysis.outcomes(MESSAGES.iloc[:0]),
    "backlog": lambda: analysis.backlog(MESSAGES.iloc[:0], ATTEMPTS.iloc[:0]),
    **{
        verb: lambda verb=verb: getattr(analysis, verb)(ATTEMPTS.iloc[:0])
        for verb in ("retry_ladder", "failures", "failure_groups", "outages", "duplicates")
    },
}


@pytest.mark.parametrize("verb", EMPTY)
def test_nothing_gives_an_empty_frame(verb: str):
    """An empty range is no error: the frame has its columns and no rows."""
    found = EMPTY[verb]()
    assert found.empty
    assert len(found.columns) >= 3
