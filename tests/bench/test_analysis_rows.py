"""Both sides of the benchmark of analyses find the same, so that their times can be compared."""

from pathlib import Path

import pandas as pd
import pytest

from bench.analysis.by_hand import COLUMNS, answers
from bench.analysis.tables import archive, files, made, piece
from qsops import analysis
from qsops.archive.layout import ATTEMPTS, LOGS, MESSAGES
from qsops.compute import Choice, open_files

PIECES, MESSAGES_A_PIECE = 2, 3_000


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return archive(PIECES, MESSAGES_A_PIECE, tmp_path_factory.mktemp("bench"))


@pytest.fixture(scope="module", params=[False, True], ids=["by hand", "by an expert"])
def by_hand(request: pytest.FixtureRequest, root: Path) -> dict[str, pd.DataFrame]:
    logs = pd.concat([pd.read_parquet(path, columns=COLUMNS) for path in files(root, LOGS)], ignore_index=True)
    return answers(logs, coded=request.param)


@pytest.fixture(scope="module")
def tables(root: Path):
    return [open_files(files(root, layout), layout.schema, Choice()) for layout in (MESSAGES, ATTEMPTS)]


def test_pieces_are_of_different_messages_and_days(root: Path):
    """What is put together is one log: no id twice, and one piece after the other."""
    one, other = piece(0, 100).to_pandas(), piece(1, 100).to_pandas()
    assert set(one["message_id"]).isdisjoint(other["message_id"])
    assert other["time"].min() - one["time"].min() > pd.Timedelta("1D")
    assert made(root)["rows"] == sum(len(pd.read_parquet(path)) for path in files(root, LOGS))


def test_both_count_the_same_messages(tables, by_hand):
    """By state."""
    found = analysis.outcomes(tables[0]).set_index("state")["messages"]
    assert found.sum() == PIECES * MESSAGES_A_PIECE
    assert found.to_dict() == by_hand["outcomes"].set_index("state")["messages"].to_dict()


def test_both_find_the_same_latency(tables, by_hand):
    """Hour by hour, to the millisecond."""
    found, told = analysis.latency(tables[0], every="1h"), by_hand["latency"]
    assert found["messages"].tolist() == told["messages"].tolist()
    for name, share in (("p50_s", 0.5), ("p90_s", 0.9), ("p95_s", 0.95), ("p99_s", 0.99), ("max_s", "max")):
        assert found[name].tolist() == pytest.approx((told[share] / 1000).tolist(), abs=0.0011)


def test_both_climb_the_same_ladder(tables, by_hand):
    """Attempt by attempt."""
    found, told = analysis.retry_ladder(tables[1]), by_hand["retry_ladder"]
    for name in ("attempt", "attempts", "delivered"):
        assert found[name].tolist() == told[name].tolist()
    assert found["median_wait_s"].dropna().tolist() == pytest.approx((told["wait"].dropna() / 1000).tolist(), abs=0.051)


def test_both_find_the_same_groups(tables, by_hand):
    """With the same messages, the same recovered ones, and the same samples."""
    found, told = analysis.failure_groups(tables[1]), by_hand["failure_groups"]
    for name in ("attempts", "messages", "recovered", "urls"):
        assert sorted(found[name]) == sorted(told[name])
    assert set(found["sample_ids"]) == set(told["samples"])
