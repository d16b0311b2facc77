import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.engine.copies import Stretch, copy
from bench.engine.local import TOKEN
from bench.engine.logs import slowest
from bench.engine.longlog import build
from bench.engine.questions import PAGE, Question, filters, of_dates, pages
from bench.engine.values import COMMON, NONE, OLD, RARE
from qsops.engine.core.logs import read_logs
from qsops.wire.http import Request
from qsops.wire.logs import parse_logs_request

LINES = 40_000


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sqlite3.Connection]:
    path: Path = tmp_path_factory.mktemp("log") / "engine.db"
    build(path, TOKEN, LINES)
    connection = sqlite3.connect(path)
    yield connection
    connection.close()


def count(log: sqlite3.Connection, sql: str) -> int:
    return int(log.execute(sql).fetchone()[0])


def lines_of(log: sqlite3.Connection, question: Question) -> int:
    path, _, query = question.path.partition("?")
    wanted, cursor, limit = parse_logs_request(Request("GET", path, query))
    account = count(log, "select account from log limit 1")
    return len(read_logs(log, account, wanted, cursor=cursor, limit=limit or PAGE).items)


def test_the_long_log_is_what_an_engine_would_have_written(log: sqlite3.Connection):
    """No message is unfinished, none lacks its lines, and the numbers of lines have no holes."""
    assert count(log, "select count(*) from log") >= LINES
    assert count(log, "select max(seq) - count(*) from log") == 0
    assert count(log, "select count(*) from progress where due_ms is not null") == 0
    assert count(log, "select count(*) from gated") == 0
    assert count(log, "select count(*) from messages where seq not in (select message from log)") == 0
    assert count(log, "select count(*) - count(distinct id) from messages") == 0
    assert count(log, "select count(*) from messages m join progress p on p.message = m.seq") == count(
        log, "select count(*) from messages"
    )


def test_the_long_log_goes_on_in_time(log: sqlite3.Connection):
    """The order of the lines is nearly that of their times, as commits are, and all lie in the past."""
    backwards = "select count(*) from log a join log b on b.seq = a.seq + 1 where b.time_ms < a.time_ms"
    assert count(log, backwards) == 0
    assert count(log, "select max(time_ms) / 1000 - unixepoch() from log") < 0


def test_old_values_stand_in_the_oldest_part_alone(log: sqlite3.Connection):
    """What is asked for as old has no line among the later ones."""
    sql = f"select max(seq) from log where trait in (select trait from traits where caller_ip = '{OLD['callerIp']}')"
    assert count(log, sql) < count(
        log,
        f"select min(seq) from log where trait in (select trait from trait_labels where label = '{COMMON['label']}')",
    )


@pytest.mark.parametrize("question", [*filters()], ids=lambda question: question.name)
def test_each_filter_finds_what_it_must(log: sqlite3.Connection, question: Question):
    """A question that found nothing, where there is something, would be fast and say nothing."""
    found = lines_of(log, question)
    assert found <= question.most
    assert found >= min(question.least, 1)


def test_each_date_finds_what_it_must(log: sqlite3.Connection):
    """The same for the questions by date."""
    first, last = log.execute("select min(time_ms), max(time_ms) from log").fetchone()
    for question in of_dates(first, last):
        found = lines_of(log, question)
        assert min(question.least, 1) <= found <= question.most or "minute of the middle" in question.name, question


def test_every_filter_is_asked_in_both_orders():
    """No filter of the listing is left out, and no kind of value."""
    asked = [dict(question.parameters) for question in filters()]
    assert len(asked) == (4 * len(COMMON) + 3) * 2
    assert COMMON.keys() == RARE.keys() == OLD.keys() == NONE.keys()
    names = {question.name for question in pages({"middle": "1-2"}, {"oldest": "msg_1", "unknown": "msg_2"})}
    assert len(names) == 8


def test_a_copy_has_rows_and_ids_of_its_own():
    """Times move, numbers go on, and what it shares with the original stays."""
    connection = sqlite3.connect(":memory:")
    connection.executescript("""
        create table messages (seq integer primary key, id text, trait integer, created_ms integer);
        create table progress (message integer primary key, due_ms integer, finished_ms integer);
        create table log (seq integer primary key, message integer, time_ms integer, state text);
        create table dead_letters (n integer primary key, message integer, time_ms integer);
        insert into messages values (1, 'a', 7, 10), (2, 'b', 8, 20), (3, 'c', 9, 30);
        insert into progress values (1, null, 11), (2, null, 21), (3, null, 31);
        insert into log values (1, 1, 10, 'x'), (2, 2, 20, 'x'), (3, 2, 21, 'y'), (4, 3, 30, 'x');
    """)
    copy(connection, Stretch(2, 3), 100, "_1")
    copy(connection, Stretch(2, 2), 200, "_2")
    rows = {table: connection.execute(f"select * from {table}").fetchall() for table in ("messages", "progress", "log")}
    connection.close()
    assert rows["messages"][3:] == [(4, "b_1", 8, 120), (5, "c_1", 9, 130), (6, "b_2", 8, 220)]
    assert rows["progress"][3:] == [(4, None, 121), (5, None, 131), (6, None, 221)]
    assert rows["log"][4:] == [(5, 4, 120, "x"), (6, 4, 121, "y"), (7, 5, 130, "x"), (8, 6, 220, "x"), (9, 6, 221, "y")]


def test_the_slowest_page_is_the_figure():
    """A goal for any page is held by the worst, which is named."""
    figure, note = slowest({"a": 1.0, "b": 30.0, "c": 2.0, "d": 3.0})
    assert (figure, note) == (30.0, "slowest: b 30 ms; d 3 ms; c 2 ms")
