"""``python -m service``: what its commands say and how they end, as a person or a script runs them."""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from service.__main__ import _APP
from service.samples import PERSON, TEXT, sample
from service.store import SqliteStore, Statement
from tests.service.invoking import Done, invoked
from tests.service.rig import close, event_of, make_rig

ROOT = Path(__file__).parents[2]
DATABASE = "service.db"


def command(*arguments: str, given: str = "", **env: str) -> Done:
    return invoked(_APP, *arguments, given=given, **env)


def process(*arguments: str, given: str = "", **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "service", *arguments],
        cwd=ROOT,
        env={**os.environ, "QSOPS_DOTENV": "off", "NO_PROXY": "*", **env},
        input=given,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def database(tmp_path: Path) -> str:
    """A service's database that knows PERSON."""
    path = tmp_path / DATABASE

    async def live() -> None:
        rig = make_rig(store=SqliteStore(path))
        for name in ("message", "reaction", "read"):
            await rig.deliver(event_of(name, "mid-1", rig.clock.now_ms()))
        await close(rig)

    asyncio.run(live())
    return f"sqlite:///{path}"


def texts(database: str) -> list[str]:
    async def look() -> list[str]:
        store = SqliteStore(database.removeprefix("sqlite:///"))
        rows = await store.fetch(Statement("select text from direct_messages where text is not null"))
        await store.aclose()
        return [row["text"] for row in rows]

    return asyncio.run(look())


def test_an_erasure_is_a_dry_run_until_it_is_applied(database: str):
    """It says what it finds in which table, and removes it only when it is told to; the second time nothing is left."""
    dry = command("erase", "--sender", PERSON, DATABASE_URL=database)
    found = json.loads(dry.stdout)
    assert (dry.returncode, found["applied"], found["sender"]) == (0, False, PERSON)
    assert found["rows"]["direct_messages"] == found["rows"]["reactions"] == found["rows"]["reads"] == 1
    assert "--apply" in dry.stderr
    assert texts(database) == [TEXT]
    done = command("erase", "--sender", PERSON, "--apply", DATABASE_URL=database)
    assert (done.returncode, json.loads(done.stdout)) == (0, {**found, "applied": True})
    assert texts(database) == []
    again = command("erase", "--sender", PERSON, "--apply", DATABASE_URL=database)
    assert (again.returncode, json.loads(again.stdout)["total"]) == (0, 0)


def test_an_erasure_works_on_postgresql(postgres_url: str):
    """DATABASE_URL decides where, as for the service."""
    done = command("erase", "--sender", PERSON, DATABASE_URL=postgres_url)
    assert (done.returncode, json.loads(done.stdout)["total"]) == (0, 0)


@pytest.mark.parametrize(
    ("arguments", "env", "status", "said"),
    [
        (("erase",), {}, 2, "--sender"),
        (("erase", "--sender", "ann"), {}, 2, "'ann'"),
        (("erase", "--sender", ""), {}, 2, "''"),
        (("erase", "--sender", "7"), {"DATABASE_URL": "sqlite:////nowhere/at-all.db"}, 2, "/nowhere/at-all.db"),
        (("erase", "--sender", "7"), {"DATABASE_URL": "mysql://x"}, 2, "DATABASE_URL"),
        (("reprocess", "/nowhere/events.json"), {}, 2, "/nowhere/events.json"),
        (("reprocess", "-"), {}, 1, "no events"),
    ],
)
def test_misuse_ends_in_one_line(arguments: tuple[str, ...], env: dict[str, str], status: int, said: str):
    """Each names what to mend, and changes nothing; a database that is not there is not made."""
    done = command(*arguments, **env)
    assert (done.returncode, done.stdout) == (status, "")
    assert done.stderr.count("\n") == 1
    assert said in done.stderr


def test_a_file_that_is_no_database_is_bad_news(tmp_path: Path):
    """It is named, and left as it is."""
    path = tmp_path / DATABASE
    path.write_text("not a database, but long enough to be read as one" * 100)
    before = path.read_bytes()
    done = command("erase", "--sender", "7", "--apply", DATABASE_URL=f"sqlite:///{path}")
    assert (done.returncode, str(path) in done.stderr) == (1, True)
    assert path.read_bytes() == before


def test_events_come_from_standard_input():
    """``-`` reads what another command has written."""
    event = {"id": "order-7", "kind": "order", "account": "shop", "payload": sample("message", mid="m", at_ms=1)}
    done = process("reprocess", "-", given=json.dumps(event))
    assert (done.returncode, json.loads(done.stdout)) == (0, {"events": 1, "kinds": {"order": 1}, "applied": False})


def test_a_service_that_is_not_there_is_bad_news():
    """Nothing was sent, and the address is named."""
    event = {"id": "order-7", "kind": "order", "account": "shop", "payload": {}}
    told = {"INTERNAL_API_TOKEN": "t", "given": json.dumps(event)}
    done = command("reprocess", "-", "--url", "http://127.0.0.1:9", "--apply", **told)
    assert (done.returncode, "127.0.0.1:9" in done.stderr) == (1, True)


@pytest.mark.parametrize("name", ["send", "erase", "reprocess"])
def test_help_has_an_example(name: str):
    """Each command's help shows how it is called."""
    assert f"Example: python -m service {name}" in " ".join(command(name, "--help").stdout.split())
