import csv
import io
import json
from pathlib import Path

import pandas as pd
import pytest

from qsops.config import DEV_USERS
from qsops.engine.server import Server
from qsops.stack.ports import free_port
from tests.cli.conftest import Run, until
from tests.standins.loopback import Answer, LoopbackServer

TEXT = "Grüße 👋"


@pytest.fixture
def delivered(run: Run, engine: Server) -> str:
    """The id of a message that was delivered to a consumer of ours."""
    with LoopbackServer(lambda _: Answer(200)) as consumer:
        published = run("publish", f"{consumer.url}/hook", "--json", json.dumps({"text": TEXT}), "--label", "greeting")
        assert published.exit_code == 0, published.output
        (seen,) = consumer.wait_for(1)
        assert seen.json() == {"text": TEXT}
    return published.stdout.strip()


@pytest.fixture
def dead(run: Run, engine: Server) -> str:
    """The dead letter of a message that was refused for good."""
    with LoopbackServer(lambda _: Answer(489, {}, {"Upstash-NonRetryable-Error": "true"})) as consumer:
        run("publish", f"{consumer.url}/hook", "--body", TEXT, "--label", "poison")
        consumer.wait_for(1)
        until(lambda: letters(run) != [])
    return letters(run)[0]["dlq_id"]


def letters(run: Run) -> list[dict[str, str]]:
    return json.loads(run("dlq", "list", "--json").stdout)


def test_logs_come_in_every_format(run: Run, delivered: str, project: Path):
    """The same rows are a table, JSON, CSV and parquet."""
    table = run("logs", "--since", "1h")
    assert delivered in table.stdout
    assert "CREATED" in table.stdout
    rows = json.loads(run("logs", "--since", "1h", "--json").stdout)
    assert {row["message_id"] for row in rows} == {delivered}
    assert rows[0]["url"].endswith("/hook")
    read = list(csv.DictReader(io.StringIO(run("logs", "--format", "csv").stdout)))
    assert [row["state"] for row in read][: len(rows)] == [row["state"] for row in rows]
    assert run("logs", "--format", "parquet", "--out", "logs.parquet").stdout == ""
    assert set(pd.read_parquet(project / "logs.parquet")["message_id"]) == {delivered}


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        (("--label", "greeting", "--state", "created"), 1),
        (("--label", "other"), 0),
        (("--state", "FAILED"), 0),
        (("--until", "2026-01-01"), 0),
    ],
)
def test_filters_reach_the_service(run: Run, delivered: str, filters: tuple[str, ...], found: int):
    """What is asked for is what is listed."""
    assert len(json.loads(run("logs", *filters, "--json").stdout)) == found


def test_nothing_found_is_said_and_is_no_failure(run: Run, engine: Server):
    """An empty table is a line on stderr and status 0; as JSON it is an empty list."""
    empty = run("logs")
    assert (empty.exit_code, empty.stdout, empty.stderr) == (0, "", "nothing found\n")
    assert json.loads(run("logs", "--json").stdout) == []


def test_trace_tells_the_story(run: Run, delivered: str):
    """Steps of one message, in order, as a table and as JSON."""
    steps = [row["step"] for row in json.loads(run("trace", delivered, "--json").stdout)]
    assert steps[0] == "created"
    assert delivered in run("trace", delivered).stdout


def test_trace_tells_what_it_can_while_the_service_is_away(run: Run, delivered: str, monkeypatch: pytest.MonkeyPatch):
    """The log's part of the story is told, and stderr says which service was not asked; not that there is no engine."""
    monkeypatch.setenv("PUBLIC_BASE_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("INTERNAL_API_TOKEN", "t")
    told = run("trace", delivered)
    assert (told.exit_code, "delivered" in told.stdout) == (0, True)
    assert "http://127.0.0.1:1" in told.stderr
    asked = run("trace", "event:evt_1")
    assert asked.exit_code == 1
    assert asked.stderr.startswith("qsops: no connection to http://127.0.0.1:1: ")


def test_trace_of_nothing_is_bad_news(run: Run, engine: Server):
    """An id that nobody knows is named, with status 1."""
    result = run("trace", "msg_unknown")
    assert result.exit_code == 1
    assert "msg_unknown" in result.stderr


def test_dead_letters_are_listed_grouped_shown_and_deleted(run: Run, dead: str):
    """Triage from the shell, down to dropping what was looked at."""
    assert dead in run("dlq", "list", "--status", "489").stdout
    (group,) = json.loads(run("dlq", "groups", "--json").stdout)
    assert (group["label"], group["response_status"], group["count"]) == ("poison", 489, 1)
    shown = json.loads(run("dlq", "show", dead, "--json").stdout)
    assert (shown["body"], shown["response_status"]) == (TEXT, "489")
    assert run("dlq", "delete", dead, "--yes").stdout == "1 deleted\n"
    assert json.loads(run("dlq", "list", "--json").stdout) == []


def test_a_dead_letter_can_be_retried(run: Run, dead: str):
    """A retry is a new message, and is told with its new id."""
    (row,) = json.loads(run("dlq", "retry", dead, "--json").stdout)
    assert row["dlq_id"] == dead
    assert row["message_id"].startswith("msg_")


def test_a_retry_that_is_refused_is_bad_news(run: Run, engine: Server):
    """A dead letter that is gone is reported with status 1."""
    result = run("dlq", "retry", "1767225600000-0")
    assert result.exit_code == 1
    assert "1767225600000-0" in result.stdout


def test_keys_are_masked_unless_asked_for(run: Run, engine: Server):
    """A key is shown in full only to who says --reveal."""
    key = DEV_USERS[0].keys.current
    assert key not in run("keys", "show").output
    assert key[:8] in run("keys", "show").stdout
    assert key in run("keys", "show", "--reveal").stdout


def test_keys_are_rotated_only_on_a_clear_word(run: Run, engine: Server):
    """Rotation asks, and a no changes nothing."""
    refused = run("keys", "rotate", input="n\n")
    assert refused.exit_code == 130
    assert _current(run) == DEV_USERS[0].keys.current
    assert run("keys", "rotate", "--yes").exit_code == 0
    assert _current(run) == DEV_USERS[0].keys.next


def test_many_are_published_from_a_file_and_resumed(run: Run, engine: Server, project: Path):
    """Rows go out once: the second call reports them as taken before."""
    url = f"http://127.0.0.1:{free_port()}/hook"
    (project / "rows.jsonl").write_text("".join(f'{{"key": "k{n}", "text": "{TEXT}"}}\n' for n in range(3)))
    first = run("publish-many", "rows.jsonl", "--url", url, "--format", "csv")
    assert first.exit_code == 0, first.output
    assert [row["deduplicated"] for row in csv.DictReader(io.StringIO(first.stdout))] == ["False"] * 3
    again = json.loads(run("publish-many", "rows.jsonl", "--url", url, "--json").stdout)
    assert [row["deduplicated"] for row in again] == [True] * 3


def test_a_refused_row_is_bad_news(run: Run, engine: Server, project: Path):
    """Rows that were refused are named, and the status is 1."""
    (project / "rows.jsonl").write_text(
        '{"key": "good", "url": "http://127.0.0.1:9/"}\n{"key": "bad", "url": "ftp://x/"}\n'
    )
    result = run("publish-many", "rows.jsonl", "--format", "csv")
    assert result.exit_code == 1
    assert "1 of 2 rows were not taken" in result.stderr


def test_the_body_can_come_from_stdin_with_headers(run: Run, engine: Server):
    """--body - sends what is led into the command, byte for byte, with the headers that were named."""
    with LoopbackServer(lambda _: Answer(200)) as consumer:
        result = run("publish", consumer.url, "--body", "-", "-H", "X-Kind: note", "--method", "PUT", input=TEXT)
        assert result.exit_code == 0, result.output
        (seen,) = consumer.wait_for(1)
    assert (seen.method, seen.body.decode(), seen.header("X-Kind")) == ("PUT", TEXT, "note")


def test_doctor_finds_a_healthy_engine(run: Run, engine: Server):
    """With an engine running nothing is at fault."""
    result = run("doctor", "--json")
    assert result.exit_code == 0
    assert "fault" not in {check["level"] for check in json.loads(result.stdout)}


def _current(run: Run) -> str:
    return json.loads(run("keys", "show", "--reveal", "--json").stdout)["current"]
