import json
from typing import Any

import pandas as pd
import pytest

from qsops import frames
from qsops.cli.following import NewRows, follow_logs
from qsops.cli.output import Format
from qsops.models import LogEntry


def frame(*entries: tuple[int, str, str]) -> pd.DataFrame:
    return frames.logs(LogEntry(time_ms, message_id, state) for time_ms, message_id, state in entries)


FIRST = (1_767_225_600_000, "msg_a", "CREATED")
SECOND = (1_767_225_601_000, "msg_a", "DELIVERED")
LATE = (1_767_225_600_500, "msg_b", "CREATED")


class Looks:
    """A session whose logs grow from look to look, until somebody presses Ctrl-C."""

    def __init__(self, *looks: pd.DataFrame) -> None:
        self._looks = iter(looks)
        self.asked: list[Any] = []

    def logs(self, since: Any, **_: Any) -> pd.DataFrame:
        self.asked.append(since)
        try:
            return next(self._looks)
        except StopIteration:
            raise KeyboardInterrupt from None


def test_each_row_comes_once_and_late_ones_too():
    """A look reaches back: what was seen is not told again, what is listed late is."""
    rows = NewRows()
    assert list(rows.of(frame(FIRST))["state"]) == ["CREATED"]
    assert list(rows.of(frame(FIRST, LATE, SECOND))["message_id"]) == ["msg_b", "msg_a"]
    assert rows.of(frame(FIRST, LATE, SECOND)).empty


def test_entries_of_one_instant_are_told_apart():
    """Two equal transitions in one millisecond are two rows."""
    rows = NewRows()
    assert len(rows.of(frame(FIRST))) == 1
    assert len(rows.of(frame(FIRST, FIRST))) == 1


@pytest.mark.parametrize("form", [Format.table, Format.json])
def test_following_prints_lines_until_ctrl_c(capsys: pytest.CaptureFixture[str], form: Format):
    """One line a row, and Ctrl-C is the way to end it."""
    looks = Looks(frame(FIRST), frame(FIRST), frame(FIRST, SECOND))
    pauses: list[float] = []
    follow_logs(looks, "1h", form, None, ["time", "message_id", "state"], until=None, pause=pauses.append)  # type: ignore[arg-type]
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    if form is Format.json:
        assert [json.loads(line)["state"] for line in lines] == ["CREATED", "DELIVERED"]
    else:
        assert lines[0] == "2026-01-01 00:00:00.000  msg_a  CREATED"
    assert looks.asked[0] == "1h"
    assert looks.asked[1] == looks.asked[2] != "1h"
    assert len(pauses) == 3
