import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import qsops
from qsops.archive import open_archive
from qsops.cli.output import cells_of
from qsops.clock import SystemClock, utc
from qsops.engine.server import Server
from qsops.plans import PLANS
from tests.cli.conftest import Run, until
from tests.cli.test_help import ANALYSES
from tests.standins.loopback import Answer, LoopbackServer

URL = "https://consumer.example/hook"
DAY_MS = 86_400_000
#: What each verb needs beside its name.
ARGUMENTS = {"compare": ("--at", "0s")}
#: Verbs that have a figure.
DRAWN = ANALYSES - {"usage"}


@pytest.fixture(autouse=True)
def noon(monkeypatch: pytest.MonkeyPatch) -> None:
    """What happens today is not cut by midnight, whenever the tests run."""
    real_ms = SystemClock.now_ms
    ahead_ms = (DAY_MS // 2 - real_ms(SystemClock())) % DAY_MS
    monkeypatch.setattr(SystemClock, "now_ms", lambda self: real_ms(self) + ahead_ms)


@pytest.fixture
def consumer(run: Run, engine: Server) -> Iterator[str]:
    """Where two orders were delivered, one of them at the second attempt, and a report was refused for good."""
    answers = [Answer(200), Answer(500), Answer(200), Answer(489, {}, {"Upstash-NonRetryable-Error": "true"})]
    with LoopbackServer(lambda request: answers[len(server.seen) - 1]) as server:
        for number, label in enumerate(["order", "order", "report"], 1):
            done = run("publish", f"{server.url}/hook", "--body", "x", "--label", label, "--retry-delay", "1")
            assert done.exit_code == 0, done.output
            server.wait_for(number if number == 1 else number + 1)
        until(lambda: len(states(run)) == 3)
        yield f"{server.url}/hook"


def states(run: Run) -> list[str]:
    """The messages that are finished."""
    entries = json.loads(run("logs", "--json").stdout)
    return [entry["state"] for entry in entries if entry["state"] in ("DELIVERED", "FAILED")]


def rows(run: Run, *arguments: str) -> list[dict[str, Any]]:
    done = run(*arguments, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_the_live_log_is_analysed(run: Run, consumer: str, project: Path):
    """Each verb reads the log of the target, and prints what its analysis finds, as JSON and as a table."""
    by_state = {row["state"]: row["messages"] for row in rows(run, "outcomes", "--since", "1h")}
    assert by_state == {"DELIVERED": 2, "FAILED": 1}
    labels = {(row["label"], row["state"]): row["share_pct"] for row in rows(run, "outcomes", "--by", "label")}
    assert labels == {("order", "DELIVERED"): 100, ("report", "FAILED"): 100}
    assert sum(row["messages"] for row in rows(run, "outcomes", "--every", "1h")) == 3
    assert sum(row["messages"] for row in rows(run, "latency", "--every", "1h", "--label", "order")) == 2
    assert [row["messages"] for row in rows(run, "latency", "--by", "label")] == [2]
    assert [row["attempts"] for row in rows(run, "retries")] == [3, 1]
    assert {row["response_status"]: row["recovered"] for row in rows(run, "failures")} == {489: 0, 500: 1}
    assert rows(run, "outages", "--url", consumer) == []
    assert rows(run, "backlog", "--every", "1h")[-1]["pending"] == 0
    assert rows(run, "duplicates", "--until", "2026-01-01") == []
    told = run("failures")
    assert "489" in told.stdout
    assert "sample_ids" not in told.stdout


def test_the_live_log_is_priced_and_compared(run: Run, consumer: str):
    """Messages and attempts are told apart in the bill and in today's use, and a deploy parts the messages."""
    billed = {(row["plan"], row["reading"]): row["billed"] for row in rows(run, "cost", "--since", "1d")}
    assert (billed["payg", "messages"], billed["payg", "attempts"]) == (3, 4)
    assert [row["label"] for row in rows(run, "cost", "--by", "label", "--plan", "Fixed 1M")] == ["order", "report"]
    used = rows(run, "usage", "--plan", "free")
    assert [row["used"] for row in used] == [3, 4]
    everything_before = rows(run, "compare", "--at", "0s")
    assert everything_before == []
    told = run("compare", "--at", "0s").stderr
    assert "no message was created in the range from --at to --until" in told
    assert "from --since to --at" not in told
    ranges = rows(run, "compare", "--before", "1h", "0s", "--after", "1h", "0s", "--by", "label")
    assert {row["label"]: row["difference"] for row in ranges if row["measure"] == "first_try_pct"} == {
        "order": 0,
        "report": 0,
    }


def test_a_verb_draws_its_figure_beside_its_table(run: Run, consumer: str, project: Path):
    """--chart writes the picture that its ending names, and the table is printed as ever."""
    done = run("retries", "--chart", "ladder.png")
    assert done.exit_code == 0, done.output
    assert "success_pct" in done.stdout
    assert (project / "ladder.png").read_bytes().startswith(b"\x89PNG")


@pytest.fixture
def archive(project: Path) -> str:
    """A folder in which the log of 30 orders and a report is kept; each fifth order needed a second attempt."""
    with qsops.connect() as session:
        for number in range(30):
            session.receiver(URL, "500, 200" if number % 5 == 0 else "200")
            session.publish(URL, json=number, label="order")
            session.advance("1h")
        session.receiver(URL, "489 upstash-nonretryable-error=true")
        session.publish(URL, json="report", label="report")
        session.settle()
        session.archive("past").sync()
    return "past"


def test_an_archive_is_analysed_like_the_log(run: Run, archive: str):
    """With --archive each verb reads it instead, and no target: there is no engine here."""
    of = {verb: rows(run, verb, *ARGUMENTS.get(verb, ()), "--archive", archive) for verb in DRAWN}
    assert {row["state"]: row["messages"] for row in of["outcomes"]} == {"DELIVERED": 30, "FAILED": 1}
    assert sum(row["messages"] for row in of["latency"]) == 30
    for how in (("--by", "url"), ("--every", "2d")):
        (took,) = rows(run, "latency", "--archive", archive, "--attempts", *how)
        assert took["attempts"] == 37
    assert [row["attempts"] for row in of["retries"]] == [31, 6]
    assert {row["response_status"]: row["attempts"] for row in of["failures"]} == {500: 6, 489: 1}
    billed = {(row["plan"], row["reading"]): row["billed"] for row in of["cost"]}
    assert (billed["payg", "messages"], billed["payg", "attempts"]) == (31, 37)
    assert {row["days"] for row in of["cost"]} == {1.25}
    some = rows(run, "outcomes", "--archive", archive, "--until", "2026-01-01T10:00", "--label", "order")
    assert [(row["state"], row["messages"]) for row in some] == [("DELIVERED", 10)]
    deploy = rows(run, "compare", "--at", "2026-01-01T12:00", "--until", "2026-01-03", "--archive", archive)
    (first_try,) = [row for row in deploy if row["measure"] == "first_try_pct"]
    assert (first_try["before_messages"], first_try["after_messages"]) == (12, 19)


def test_the_backlog_of_an_archive_ends_as_it_stood(run: Run, project: Path):
    """At --until a message and its attempt are still there that ended later, and no row is behind it."""
    with qsops.connect() as session:
        session.receiver(URL, "200 after=20s")
        session.publish(URL, json=0)
        session.settle()
        session.archive("slow").sync()
    (attempt,) = open_archive(project / "slow").attempts().to_pyarrow().to_pylist()
    until = utc(attempt["ended_ms"] - 10_000).isoformat()
    found = rows(run, "backlog", "--archive", "slow", "--until", until, "--every", "1s")
    assert [found[-1][name] for name in ("pending", "in_flight", "waiting")] == [1, 1, 0]
    assert found[-1]["at"][:19] == until[:19]


def test_an_archive_is_asked_for_any_label(run: Run, project: Path):
    """A message of several labels is found by each of them, as in the live log, and by no part of one."""
    with qsops.connect() as session:
        session.receiver(URL, "200")
        for labels in (["order", "express"], ["express"], ["express-2"], None):
            session.publish(URL, json=0, label=labels)
        session.settle()
        session.archive("labels").sync()
        for asked, count in (("express", 2), ("order", 1), ("express-2", 1)):
            (found,) = rows(run, "outcomes", "--archive", "labels", "--label", asked)
            (tried,) = rows(run, "retries", "--archive", "labels", "--label", asked)
            assert found["messages"] == tried["attempts"] == len(session.messages(label=asked)) == count


def test_an_archive_that_is_none_is_named(run: Run, project: Path):
    """A folder without an archive is misuse, told in one line."""
    done = run("outages", "--archive", "nothing-here")
    assert (done.exit_code, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert "nothing-here" in done.stderr


BAD = [
    (("outcomes", "--since", "yesterday"), "'yesterday' is neither a span such as '1h' nor an ISO date"),
    (("outcomes", "--archive", "past", "--since", "1h", "--until", "2h"), "since '1h' is after until '2h'"),
    (("outcomes", "--by", "colour"), "Invalid value for '--by'"),
    (("latency", "--every", "1h", "--by", "url"), "name --by or --every, not both"),
    (("latency", "--every", "often"), "every: 'often'"),
    (("backlog", "--every", "0s"), "every: '0s' is no width"),
    (("outages", "--chart", "outages.pdf"), "--chart: 'outages.pdf' ends in '.pdf'"),
    (("outages", "--chart", "nowhere/outages.png"), "--chart: there is no folder 'nowhere'"),
    (("cost", "--plan", "gold"), "plan: there is none named 'gold'"),
    (("usage", "--plan", "gold"), "plan: there is none named 'gold'"),
    (("cost", "--by", "label", "--chart", "cost.png"), "--chart draws the plans"),
    (("compare",), "name --at, the moment of a deploy"),
    (("compare", "--at", "1h", "--before", "2h", "1h", "--after", "1h", "0s"), "name --at, the moment of a deploy"),
    (("compare", "--before", "2h", "1h"), "name --at, the moment of a deploy"),
    (("compare", "--before", "2h", "1h", "--after", "1h", "0s", "--since", "1d"), "leave out --since and --until"),
    (("compare", "--at", "soon"), "'soon' is neither a span"),
    (("--target", "env", "outages", "--archive", "past"), "leave out --target env"),
]


@pytest.mark.parametrize(("arguments", "told"), BAD, ids=lambda value: " ".join(value) if type(value) is tuple else "")
def test_bad_input_is_one_clear_line(run: Run, engine: Server, arguments: tuple[str, ...], told: str):
    """What cannot be meant is named with its value, before the log is read, with status 2."""
    done = run(*arguments)
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith("qsops: ")
    assert done.stderr.count("\n") == 1
    assert told in done.stderr


@pytest.mark.parametrize("verb", sorted(ANALYSES))
def test_a_log_without_messages_is_no_fault(run: Run, engine: Server, verb: str):
    """Nothing was sent yet: there is nothing to show, and the status is 0."""
    done = run(verb, *ARGUMENTS.get(verb, ()), "--json")
    assert done.exit_code == 0, done.output
    assert isinstance(json.loads(done.stdout), list)


@pytest.mark.parametrize(("quota", "status"), [(1, 1), (2, 0)])
def test_a_quota_that_is_used_up_is_told_by_the_status(
    run: Run, engine: Server, monkeypatch: pytest.MonkeyPatch, quota: int, status: int
):
    """Cron asks by --plan, and hears of it with the last message that the plan lets through."""
    monkeypatch.setitem(PLANS, "free", replace(PLANS["free"], messages_per_day=quota))
    assert run("publish", URL, "--body", "x", "--delay", "1h").exit_code == 0
    assert run("usage", "--plan", "free").exit_code == status
    assert run("usage").exit_code == 0


def test_numbers_in_a_table_say_enough():
    """One decimal, and three where a small number would say too little: cents, or shares that hardly differ."""
    shown = cells_of(pd.DataFrame({"number": [0.0086, 94.444, 12.5, 0.00001, -5.56, 1971.34, 100.0]}))
    assert [cell for (cell,) in shown] == ["0.009", "94.444", "12.5", "0.0", "-5.56", "1971.3", "100.0"]
