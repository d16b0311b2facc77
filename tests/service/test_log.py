import asyncio
import io
import json
import logging
from collections.abc import Iterator

import pytest

from service import log


class Stream(io.StringIO):
    """Standard output that counts its writes; ``gone`` is what a reader leaves behind that went away."""

    gone = False

    def __init__(self) -> None:
        super().__init__()
        self.writes = 0

    def write(self, text: str) -> int:
        if self.gone:
            raise BrokenPipeError
        self.writes += 1
        return super().write(text)

    @property
    def lines(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self.getvalue().splitlines()]


@pytest.fixture
def stream(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stream]:
    """Where lines go in a process that has told nobody where they go."""
    found = Stream()
    monkeypatch.setattr(log.sys, "stdout", found)
    monkeypatch.setattr(log.LOGGER, "propagate", False)
    monkeypatch.setattr(log.LOGGER, "handlers", [])
    level = log.LOGGER.level
    log.to_stdout()
    yield found
    log.LOGGER.setLevel(level)


async def test_the_lines_of_one_turn_are_one_write(stream: Stream):
    """A line a delivery must not be a write a delivery; none waits longer than the turn of the loop that made it."""
    for number in range(50):
        log.line("delivery", number=number)
    assert stream.lines == []
    await asyncio.sleep(0)
    assert [line["number"] for line in stream.lines] == list(range(50))
    assert stream.writes == 1


async def test_faults_and_lines_keep_their_order(stream: Stream):
    """Whatever goes past the records of logging and whatever does not."""
    log.line("first")
    log.fault("second", error="x")
    log.line("third")
    await asyncio.sleep(0)
    assert [line["log"] for line in stream.lines] == ["first", "second", "third"]


def test_without_a_loop_a_line_is_written_at_once(stream: Stream):
    """At the start and at the end nobody would write it later."""
    log.line("settings")
    assert stream.lines == [{"log": "settings"}]


async def test_a_thread_writes_for_itself(stream: Stream):
    """A handler that blocks has no loop; what waits on the loop's goes out with its line, and nothing twice."""
    log.line("loop")
    await asyncio.to_thread(log.fault, "thread")
    await asyncio.sleep(0)
    assert sorted(str(line["log"]) for line in stream.lines) == ["loop", "thread"]


async def test_a_reader_that_is_gone_costs_no_delivery(stream: Stream):
    """A log that cannot be written is no fault of the event."""
    stream.gone = True
    log.line("delivery")
    await asyncio.sleep(0)
    stream.gone = False
    log.line("delivery")
    await asyncio.sleep(0)
    assert len(stream.lines) == 1


async def test_whoever_adds_a_handler_gets_records(stream: Stream):
    """A process may send its lines elsewhere at any time; they are then ordinary records, on standard output too."""
    records: list[logging.LogRecord] = []

    class Kept(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            records.append(record)

    log.LOGGER.addHandler(Kept())
    log.line("delivery", message_id="msg_1")
    await asyncio.sleep(0)
    assert [(record.levelname, record.name) for record in records] == [("INFO", "service")]
    assert stream.lines == [{"log": "delivery", "message_id": "msg_1"}]


def test_fields_without_a_value_are_left_out(stream: Stream):
    """None is no value; what is false or zero is one. A line is ASCII whatever is in it."""
    log.line("delivery", event_id=None, retried=0, ok=False, cause="grüße\n👋")
    assert stream.getvalue().isascii()
    assert stream.lines == [{"log": "delivery", "retried": 0, "ok": False, "cause": "grüße\n👋"}]
