import asyncio
import json
import socket
import sys
import threading
from pathlib import Path

import pytest

from bench.engine.answer import get
from bench.engine.backlog import MESSAGES
from bench.engine.figure import rate
from bench.engine.http1 import post, take
from bench.engine.loader import Load
from bench.engine.payload import body, chunks
from bench.engine.process import LOOPBACK, ProcessFailed, Spent, _cpu_ticks, running
from bench.engine.receiver import Arrivals, Counter, reached, reset, with_receiver
from bench.engine.requests import batches, singles

URL = "http://127.0.0.1:1"


def items(request: bytes) -> list[dict[str, object]]:
    return json.loads(take(request)[1])


def test_no_two_messages_are_alike():
    """Distinct bodies are what the receiver counts by, across warm-up and measure."""
    made = [item["body"] for request in batches(URL, 0, 250) for item in items(request)]
    assert len(made) == len(set(made)) == 250
    assert made[7] == body(7)
    assert len({take(one)[1] for one in singles(URL, 0, 50, delay="1h")}) == 50


def test_the_last_batch_holds_the_rest():
    """A count that is no multiple of the batch is sent whole."""
    assert [len(numbers) for numbers in chunks(500, 250, 100)] == [100, 100, 50]
    assert chunks(500, 250, 100)[-1][-1] == 749


def test_the_backlog_is_spread_over_its_time():
    """Not a million messages fall due in one second: an hour from now at the soonest, over a week."""
    delays = [
        int(str(items(request)[0]["headers"]["Upstash-Delay"])[:-1])  # type: ignore[index]
        for request in batches(URL, 0, 10_000, spread_s=7 * 86_400)
    ]
    assert min(delays) >= 3_600
    assert max(delays) > 6 * 86_400
    assert len(set(delays)) == 100
    assert MESSAGES % 100 == 0


def test_a_rate_counts_until_the_last_arrival():
    """The clock of the receiver ends what the publisher's began; doubles are told."""
    assert rate(1_000, 10.0, Arrivals(1_000, 1_000, 12.0)) == (500, "")
    assert rate(1_000, 10.0, Arrivals(1_000, 1_003, 12.0)) == (500, ", 3 arrived more than once")


def test_a_load_that_was_refused_in_part_is_no_load():
    """A figure stands for messages that were accepted."""
    told = Load(accepted=100)
    told.statuses[200] += 1
    told.expect(100)
    with pytest.raises(ProcessFailed, match="100 of 200"):
        told.expect(200)
    told.statuses[429] += 1
    with pytest.raises(ProcessFailed, match="429"):
        told.expect(100)


def test_processor_time_is_read_past_any_name():
    """The name in /proc/PID/stat may hold brackets and spaces."""
    assert _cpu_ticks("7 (a) R (b c)) S 1 2 3 4 5 6 7 8 9 10 30 12 0 0") == 42


def test_what_a_message_costs_is_told_in_microseconds():
    """The note on what the engine spent is by the message, and where it is unknown there is none."""
    assert Spent(1_000, 0.25).note() == "250 µs of processor a message"
    assert Spent(1_000).note() == ""


async def test_the_counter_tells_distinct_from_total():
    """A message that came twice is one of the distinct, and two of the total."""
    counter = Counter()
    waiting = asyncio.create_task(counter.reached(2))
    for one in (b"a", b"a", b"b"):
        counter.take(one)
    told = json.loads(await waiting)
    assert (told["distinct"], told["total"]) == (2, 3)
    counter.reset()
    counter.take(b"a")
    assert json.loads(await counter.reached(1))["total"] == 1


def test_a_process_ends_with_its_context(tmp_path: Path):
    """Nothing that a benchmark starts outlives it, and how it ended early is told by its last line."""
    with running("sleeper", [sys.executable, "-c", "input()"], tmp_path, pipes=True) as process:
        process.check()
    assert process.popen.returncode is not None
    with running("failing", [sys.executable, "-c", "raise SystemExit('no such thing')"], tmp_path) as process:
        process.popen.wait(30)
        with pytest.raises(ProcessFailed, match="failing ended with status 1: no such thing"):
            process.check()


def test_the_receiver_counts_over_its_sockets():
    """The receiver of all contenders answers what waits for it once the last message is there."""
    (url,), end = with_receiver()
    try:
        reset(url)
        told: list[Arrivals] = []
        waiting = threading.Thread(target=lambda: told.append(reached(url, 2)))
        waiting.start()
        with socket.create_connection((LOOPBACK, int(url.rpartition(":")[2])), timeout=60) as connection:
            for one in (b"a", b"b"):
                connection.sendall(post("/", LOOPBACK, (), one))
                assert connection.recv(1_000).startswith(b"HTTP/1.1 200")
        waiting.join(30)
        assert (told[0].distinct, told[0].total) == (2, 2)
        assert get(f"{url}/reset") == b"ok"
    finally:
        end()
