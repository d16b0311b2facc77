import json

import pytest

from qsops.engine.server import Server
from tests.cli.conftest import Run

URL = "https://api.example.com/hook"


def test_a_queue_is_made_held_freed_and_dropped(run: Run, engine: Server):
    """The life of a queue; what a verb does not name stays as it is."""
    assert run("queues", "create", "orders", "--parallelism", "2", "--paused").stdout == "queue orders is set up\n"
    assert run("queues", "create", "orders").exit_code == 0
    assert json.loads(run("queues", "show", "orders", "--json").stdout) | {"queue": "orders"} == {
        **json.loads(run("queues", "list", "--json").stdout)[0],
        "paused": True,
        "parallelism": 2,
        "lag": 0,
    }
    assert run("queues", "resume", "orders").stdout == "queue orders goes on\n"
    assert "False" in run("queues", "show", "orders").stdout
    assert run("queues", "pause", "orders").stdout == "queue orders is paused\n"
    assert run("queues", "delete", "orders", "--yes").stdout == "queue orders is deleted\n"
    assert json.loads(run("queues", "list", "--json").stdout) == []


def test_a_schedule_is_made_replaced_held_and_dropped(run: Run, engine: Server):
    """The life of a schedule; without an id it is given one, which is printed."""
    made = run("schedules", "create", "0 0 1 1 *", URL, "--json", '{"a": "é"}', "--label", "tick").stdout.strip()
    shown = json.loads(run("schedules", "show", made, "--json").stdout)
    assert (shown["cron"], shown["destination"], shown["labels"]) == ("0 0 1 1 *", URL, "tick")
    assert json.loads(shown["body"]) == {"a": "é"}
    assert run("schedules", "create", "0 0 2 1 *", URL, "--id", made, "--body", "-", input=b"raw").stdout == f"{made}\n"
    table = run("schedules", "show", made).stdout
    assert "0 0 2 1 *" in table
    assert "raw" in table
    assert run("schedules", "pause", made).stdout == f"schedule {made} is paused\n"
    (row,) = json.loads(run("schedules", "list", "--json").stdout)
    assert (row["paused"], row["next_at"]) == (True, None)
    assert run("schedules", "resume", made).stdout == f"schedule {made} goes on\n"
    assert run("schedules", "delete", made, "--yes").stdout == f"schedule {made} is deleted\n"
    assert run("schedules", "list").stderr == "nothing found\n"


def test_a_group_is_made_changed_and_dropped(run: Run, engine: Server):
    """The life of a URL group: endpoints by URL and by name, default options, and the last endpoint."""
    run("groups", "create", "mirrors", URL, "blue=https://blue.example.com")
    rows = json.loads(run("groups", "show", "mirrors", "--json").stdout)
    assert [(row["endpoint"], row["url"]) for row in rows] == [(None, URL), ("blue", "https://blue.example.com")]
    told = run("groups", "defaults", "mirrors", "-H", "Upstash-Retries: 5")
    assert told.stdout == "URL group mirrors has 1 default headers\n"
    assert run("groups", "remove", "mirrors", "blue").stdout == "1 removed from URL group mirrors\n"
    assert "blue" not in run("groups", "list").stdout
    assert run("groups", "delete", "mirrors", "--yes").stdout == "URL group mirrors is deleted\n"


def test_a_flow_is_held_and_pinned(run: Run, engine: Server):
    """The life of a flow-control key: it is there once a message names it."""
    run("publish", URL, "--delay", "1h", "--flow", "meta:parallelism=2")
    assert run("flow", "pin", "meta", "--rate", "5", "--period", "1m").stdout == "key meta is pinned\n"
    assert run("flow", "pause", "meta").stdout == "key meta is paused\n"
    (row,) = json.loads(run("flow", "list", "--search", "met", "--json").stdout)
    assert (row["paused"], row["rate"], row["period_s"], row["pinned"]) == (True, 5, 60, "rate")
    assert run("flow", "unpin", "meta", "--parallelism").exit_code == 0
    assert json.loads(run("flow", "show", "meta", "--json").stdout)["pinned"] == "rate"
    assert run("flow", "unpin", "meta").stdout == "key meta takes the limits of its next message\n"
    assert run("flow", "reset-rate", "meta").stdout == "key meta begins a new period\n"
    assert run("flow", "resume", "meta").stdout == "key meta goes on\n"
    assert "rate" in run("flow", "show", "meta").stdout
    assert json.loads(run("flow", "account", "--json").stdout) == {"parallelism": 100, "under_way": 0}
    assert "100" in run("flow", "account").stdout


@pytest.mark.parametrize(
    ("typed", "named"),
    [
        (("queues", "delete", "orders"), "--yes"),
        (("queues", "create", "a b"), "'a b'"),
        (("schedules", "create", "* * * * *"), "either url or group"),
        (("schedules", "delete", "nightly"), "--yes"),
        (("groups", "create", "g", "api.example.com"), "'api.example.com'"),
        (("groups", "create", "g", "=https://a.example.com"), "endpoints: ''"),
        (("groups", "defaults", "g", "-H", "Upstash-Retries: x"), "'x'"),
        (("groups", "defaults", "g", "-H", "Upstash-Retries: 1", "-H", "Upstash-Retries: 2"), "twice"),
        (("groups", "delete", "g"), "--yes"),
        (("flow", "pin", "meta"), "parallelism, rate"),
        (("publish", URL, "--flow", "meta:often=1"), "often=1"),
        (("publish", URL, "--flow", "rate=1"), "key ''"),
    ],
)
def test_what_cannot_be_is_refused_before_anybody_is_asked(run: Run, typed: tuple[str, ...], named: str):
    """No engine runs here, and none is missed: the value and what to do are named in one line."""
    told = run(*typed)
    assert (told.exit_code, told.stdout) == (2, "")
    assert named in told.stderr
    assert len(told.stderr.splitlines()) == 1


def test_what_is_not_there_is_named(run: Run, engine: Server):
    """A misspelt name, or a cron that does not parse, is bad news in one line, and nothing is made."""
    for typed, named in [
        (("queues", "show", "odrers"), "odrers"),
        (("queues", "delete", "odrers", "--yes"), "odrers"),
        (("schedules", "create", "61 * * * *", URL), "61 * * * *"),
        (("schedules", "pause", "nightyl"), "nightyl"),
        (("groups", "delete", "mirorrs", "--yes"), "mirorrs"),
        (("flow", "show", "mtea"), "mtea"),
    ]:
        told = run(*typed)
        assert (told.exit_code, told.stdout) == (1, "")
        assert named in told.stderr
        assert len(told.stderr.splitlines()) == 1
    for noun in ("queues", "schedules", "groups", "flow"):
        assert json.loads(run(noun, "list", "--json").stdout) == []
