"""``qsops archive`` as a cron and a person use it: what it prints, and what it ends with."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from qsops.archive.delta import DeltaStore
from qsops.archive.state import load
from qsops.clock import SystemClock
from tests.archiving.conftest import HOUR_MS, Run
from tests.archiving.keeping import assert_same_rows, held
from tests.logserver import LogServer


def archived(tmp_path: Path) -> DeltaStore:
    return DeltaStore(str(tmp_path / "archive"), SystemClock())


def rows(run: Run, sql: str) -> list[dict[str, object]]:
    """What the archive answers, through the command."""
    result = run("query", sql, "--format", "json")
    assert result.exit_code == 0, result.output
    found: list[dict[str, object]] = json.loads(result.stdout)
    return found


def test_a_sync_takes_in_the_log_and_the_dlq(run: Run, served: LogServer, tmp_path: Path):
    """All that the service lists, and nothing twice; without bodies unless they are asked for."""
    first = run("sync", "--json")
    assert first.exit_code == 0, first.output
    assert_same_rows(held(archived(tmp_path)), served.face.log.rows(_until(served, tmp_path)))
    told = json.loads(first.stdout)
    assert told["added"] == held(archived(tmp_path)).num_rows > 2_000
    assert told["malformed"] > 0
    assert told["dead_letters"]["added"] == len(served.face.dead.listed(served.now_ms)) > 0
    assert rows(run, "select count(body) + count(response_body) + count(headers) as n from logs") == [{"n": 0}]
    assert rows(run, "select count(body) as n from dead_letters") == [{"n": 0}]
    second = run("sync")
    assert second.exit_code == 0
    assert "0 new" in second.stdout
    assert f"dead letters: {told['dead_letters']['listed']} listed, 0 new" in second.stdout


def _until(server: LogServer, tmp_path: Path):  # type: ignore[no-untyped-def]
    """Which rows were listed up to where the archive ends."""
    return server.face.visible() & (server.face.log.time_ms <= load(archived(tmp_path)).covered[-1][1])


def test_bodies_are_kept_where_they_are_asked_for(run: Run, served: LogServer):
    """With what was redacted redacted."""
    assert run("sync", "--bodies").exit_code == 0
    (found,) = rows(
        run,
        "select count(*) as n, count(body) as bodies, count(*) filter (body like 'REDACTED:%') as redacted from logs",
    )
    assert found["bodies"] == found["n"]
    assert 0 < found["redacted"] < found["n"]  # type: ignore[operator]
    (dead,) = rows(run, "select count(*) as n, count(body) as bodies from dead_letters")
    assert dead["bodies"] == dead["n"] == len(served.face.dead.listed(served.now_ms))


def test_status_tells_what_is_there(run: Run, served: LogServer):
    """Ranges, rows and bytes of each table; all is well after a sync."""
    run("sync")
    result = run("status", "--json")
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    sizes = {table["name"]: table for table in told["tables"]}
    assert sizes["logs"]["rows"] == rows(run, "select count(*) as n from logs")[0]["n"]
    assert all(table["bytes"] > 0 for table in sizes.values() if table["rows"])
    assert (len(told["covered"]), told["forgotten"], told["expiries"]) == (1, [], [])
    text = run("status", "--zone", "Europe/Berlin").stdout
    assert "nothing expires before the next sync or the next working day (plan free)" in text
    assert f"{sizes['logs']['rows']:,}" in text


def test_what_expires_is_bad_news(run: Run, served: LogServer):
    """A sync that comes once a week leaves what the free plan remembers for three days: status 1, and a line."""
    run("sync")
    result = run("status", "--every", "7d")
    assert result.exit_code == 1
    assert "expires before the next sync" in result.stdout
    assert "log entries that are not archived" in result.stdout
    assert "dead letters of" in result.stdout
    assert run("status", "--every", "3d", "--plan", "payg").exit_code == 0


def test_what_says_nothing_is_refused(run: Run):
    """No time between syncs, and two formats for one answer: status 2, and what to say instead."""
    never = run("status", "--every", "0d")
    assert (never.exit_code, never.stderr.count("--every: 0d is no time between syncs")) == (2, 1)
    both = run("query", "select 1", "--json", "--format", "csv")
    assert (both.exit_code, both.stderr.count("--json and --format csv ask for two formats")) == (2, 1)


def test_a_gap_is_told_when_it_is_found_and_in_the_status_ever_after(
    run: Run, served: LogServer, monkeypatch: pytest.MonkeyPatch
):
    """A cron that was down for longer than the service remembers: status 1 once, then syncs are well again."""
    assert run("sync").exit_code == 0
    now_ms = SystemClock().now_ms()
    monkeypatch.setattr(SystemClock, "now_ms", lambda _: now_ms + 120 * HOUR_MS)
    served.now_ms = now_ms + 120 * HOUR_MS
    found = run("sync")
    assert found.exit_code == 1
    assert "forgotten by QStash before it was archived" in found.stdout
    assert run("sync").exit_code == 0
    status = run("status")
    assert status.exit_code == 1
    assert "lost, QStash has forgotten it" in status.stdout
    assert run("status", "--since", "3d").exit_code == 0


def test_what_was_forgotten_long_ago_is_told_once(run: Run, served: LogServer, monkeypatch: pytest.MonkeyPatch):
    """A cron with a --since from before the retention: status 1 where it finds that, and none of what was told."""
    since = ("sync", "--since", "30d")
    assert run("sync", "--since", "1h").exit_code == 0
    found = run(*since)
    assert found.exit_code == 1
    assert "forgotten by QStash before it was archived" in found.stdout
    now_ms = SystemClock().now_ms()
    for minutes in (0, 1, 60):
        at_ms = now_ms + minutes * 60_000
        monkeypatch.setattr(SystemClock, "now_ms", lambda _, at_ms=at_ms: at_ms)
        assert run(*since).exit_code == 0, minutes


@pytest.mark.parametrize("form", [(), ("--json",)], ids=["lines", "json"])
def test_a_gap_is_told_though_the_dlq_cannot_be_listed(
    run: Run, served: LogServer, monkeypatch: pytest.MonkeyPatch, form: tuple[str, ...]
):
    """The log is archived by then, and no later sync would tell what this one found."""
    assert run("sync", "--since", "1h").exit_code == 0
    monkeypatch.setattr("tests.logserver.dead.DeadLetters.page", lambda *_: {"messages": "none"})
    found = run("sync", "--since", "30d", *form)
    assert found.exit_code == 1
    assert "no list in it" in found.stderr
    assert '"dead_letters": null' in found.stdout if form else "forgotten by QStash before it was" in found.stdout


def test_verify_adds_what_came_too_late(run: Run, served: LogServer, tmp_path: Path):
    """Entries that turned up after the syncs had looked: in their rows, in the report, and never twice."""
    served.face.log.visible_ms[1_000:1_500] = served.now_ms + 1
    assert run("sync").exit_code == 0
    there = _until(served, tmp_path)
    served.now_ms += 1
    missing = _until(served, tmp_path) & ~there
    result = run("verify", "--json")
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert told["added"] == served.face.log.rows(missing).num_rows > 100
    assert_same_rows(held(archived(tmp_path)), served.face.log.rows(_until(served, tmp_path)))
    again = run("verify", "--since", "10h")
    assert "0 were missing and are added" in again.stdout


def test_compact_leaves_fewer_files(run: Run, served: LogServer, tmp_path: Path):
    """And every row."""
    for back in ("50h", "40h", "1h"):
        run("sync", "--until", back)
    before = held(archived(tmp_path)).num_rows
    result = run("compact", "--json")
    assert result.exit_code == 0, result.output
    told = {one["table"]: one for one in json.loads(result.stdout)}
    assert told["logs"]["files_before"] > told["logs"]["files_after"] == 1
    assert held(archived(tmp_path)).num_rows == before
    assert "files before" in run("compact").stdout


@pytest.mark.parametrize("form", ["table", "csv", "json"])
def test_a_query_prints_in_each_form(run: Run, served: LogServer, tmp_path: Path, form: str):
    """The same rows as a table, as CSV and as JSON; counts are whole numbers, times are UTC."""
    run("sync", "--until", "50h")
    sql = "select state, sum(1) as n, min(time) as first from logs group by state order by state"
    out = tmp_path / "out"
    assert run("query", sql, "--format", form, "--out", out).exit_code == 0
    text = out.read_text()
    expected = held(archived(tmp_path)).to_pandas().groupby("state").size()
    if form == "json":
        assert {row["state"]: row["n"] for row in json.loads(text)} == expected.to_dict()
    elif form == "csv":
        assert pd.read_csv(out).set_index("state")["n"].to_dict() == expected.to_dict()
    else:
        assert [line.split()[:2] for line in text.splitlines()[2:]] == [[s, str(n)] for s, n in expected.items()]
