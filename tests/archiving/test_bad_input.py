"""What is wrong is told in one line with its exit status, and nothing is changed."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from qsops.archive.delta import DeltaStore
from qsops.archive.layout import COMMITS, FORMAT
from qsops.archive.state import load
from qsops.archive.store import Part
from qsops.clock import SystemClock
from tests.archiving.conftest import Run
from tests.archiving.keeping import assert_same_rows, held
from tests.logserver import LogServer
from tests.logserver.log import JUNK
from tests.standins.loopback import Answer, LoopbackServer, Seen

VERBS = (("sync",), ("status",), ("verify",), ("compact",), ("query", "from logs"))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where an archive lies that every test may copy."""
    return tmp_path_factory.mktemp("whole") / "archive"


@pytest.fixture
def archive(run: Run, served: LogServer, whole: Path, tmp_path: Path) -> Path:
    """An archive of its own, of one sync."""
    if not whole.exists():
        assert run("sync", "--dir", whole).exit_code == 0
    shutil.copytree(whole, tmp_path / "archive")
    return tmp_path / "archive"


def fingerprint(root: Path) -> dict[str, str]:
    """The files of a folder with what they hold."""
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in root.rglob("*") if path.is_file()}


def assert_refused(run: Run, verb: tuple[object, ...], status: int, says: str, root: Path | None = None) -> None:
    """One line on stderr and nothing on stdout; the archive is as it was."""
    before = fingerprint(root) if root else {}
    result = run(*verb)
    assert (result.exit_code, result.stdout) == (status, ""), result.output
    assert len(result.stderr.splitlines()) == 1, result.stderr
    assert result.stderr.startswith("qsops: ")
    assert says in result.stderr
    assert "fault of qsops" not in result.stderr
    if root is not None:
        assert fingerprint(root) == before


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "wrong-credential")
    monkeypatch.setenv("AWS_REGION", "us-east-1")


@pytest.fixture
def refusing(bucket: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An object store that knows none of us."""
    body = b"<?xml version='1.0'?><Error><Code>InvalidAccessKeyId</Code><Message>no such key</Message></Error>"

    def refuse(_: Seen) -> Answer:
        return Answer(403, body=body, headers={"Content-Type": "application/xml"})

    with LoopbackServer(refuse) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
        yield


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb[0])
def test_a_store_that_refuses_our_credentials(run: Run, served: LogServer, refusing: None, verb: tuple[str, ...]):
    """Names the variables to look at, and not what they hold."""
    result = run(*verb, "--dir", "s3://ours/archive")
    assert_refused(run, (*verb, "--dir", "s3://ours/archive"), 2, "AWS_ACCESS_KEY_ID")
    assert "wrong-credential" not in result.output


def test_a_bucket_without_any_credentials(tmp_path: Path):
    """One line on stderr, from a process of its own: what the object store's library logs is not in it."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    environment.pop("RUST_LOG", None)
    command = [sys.executable, "-m", "qsops", "archive", "status", "--dir", "s3://ours/archive"]
    with LoopbackServer(lambda _: Answer(403)) as metadata:
        environment["AWS_EC2_METADATA_SERVICE_ENDPOINT"] = metadata.url
        found = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=tmp_path, check=False)
    assert (found.returncode, found.stdout) == (2, "")
    assert len(found.stderr.splitlines()) == 1, found.stderr
    assert "AWS_ACCESS_KEY_ID" in found.stderr


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb[0])
def test_a_store_that_is_away(
    run: Run, served: LogServer, bucket: None, verb: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
):
    """Names the address that does not answer."""
    monkeypatch.setattr("qsops.archive.places._PATIENCE", {"connect_timeout": "1s", "max_retries": "0"})
    with LoopbackServer(lambda _: Answer()) as server:
        url = server.url
    monkeypatch.setenv("AWS_ENDPOINT_URL", url)
    assert_refused(run, (*verb, "--dir", "s3://ours/archive"), 1, "s3://ours/archive: the store does not answer")


@pytest.mark.parametrize(
    "gone", ["a file of logs", "the end of a file of logs", "the log of a table", "a table", "the commits"]
)
def test_a_half_deleted_archive(run: Run, archive: Path, gone: str):
    """Each verb that meets the hole says that a part is gone, and mends nothing by guessing."""
    match gone:
        case "a file of logs":
            next((archive / "logs").glob("*.parquet")).unlink()
        case "the end of a file of logs":
            file = next((archive / "logs").glob("*.parquet"))
            file.write_bytes(file.read_bytes()[:1_000])
        case "the log of a table":
            shutil.rmtree(archive / "messages" / "_delta_log")
        case "a table":
            shutil.rmtree(archive / "logs")
        case _:
            shutil.rmtree(archive / "commits")
    met = 0
    for verb in VERBS:
        if gone.endswith("a file of logs") and verb[0] in ("sync", "compact"):
            continue  # Neither opens a file that it has nothing to do with.
        assert_refused(run, verb, 1, str(archive), archive)
        met += 1
    assert met >= 3


def test_an_archive_of_a_newer_version(run: Run, archive: Path):
    """An older qsops leaves it alone, and says to update."""
    store = DeltaStore(str(archive), SystemClock())
    commits = load(store).commits
    assert commits is not None
    row = store.dataset(commits).to_table().to_pylist()[-1]
    newer = pa.Table.from_pylist([{**row, "commit": row["commit"] + 1, "format": FORMAT + 1}], schema=COMMITS.schema)
    store.advance(COMMITS, commits, [Part(newer)])
    for verb in VERBS:
        assert_refused(run, verb, 2, "was written by a newer qsops", archive)


@pytest.mark.parametrize(
    ("sql", "says"),
    [
        ("selec 1", "Parser Error"),
        ("select nope from logs", "nope"),
        ("drop table logs", "only read"),
        ("select * from '{}/logs/*.parquet'", "Cannot access file"),
    ],
)
def test_sql_that_cannot_be_answered(run: Run, archive: Path, sql: str, says: str):
    """It does not parse, names what is not there, or wants more than to read the tables."""
    assert_refused(run, ("query", sql.format(archive)), 2, says, archive)


@pytest.mark.parametrize("verb", ["sync", "verify"])
def test_a_range_outside_of_the_retention(run: Run, archive: Path, verb: str):
    """QStash would answer with nothing, which is no reason to note it as archived."""
    assert_refused(run, (verb, "--since", "30d", "--until", "20d"), 2, "outside of its retention", archive)
    assert_refused(run, (verb, "--since", "1h", "--until", "2h"), 2, "is after", archive)


def test_a_page_with_malformed_entries(run: Run, archive: Path, served: LogServer):
    """They are kept aside as they came, and counted; every other entry of the page is in the archive."""
    store = DeltaStore(str(archive), SystemClock())
    to_ms = load(store).covered[-1][1]
    assert_same_rows(held(store), served.face.log.rows(served.face.visible() & (served.face.log.time_ms <= to_ms)))
    result = run("query", "select distinct raw from malformed", "--json")
    raw = [json.loads(row["raw"]) for row in json.loads(result.stdout)]
    assert sorted(map(str, raw)) == sorted(str(json.loads(one)) for one in JUNK)


def test_a_token_that_is_wrong(run: Run, archive: Path, monkeypatch: pytest.MonkeyPatch):
    """The archive is as it was, and what reads it alone goes on."""
    monkeypatch.setenv("QSTASH_TOKEN", "another")
    for verb in ("sync", "verify"):
        assert_refused(run, (verb,), 2, "unable to authenticate", archive)
    for verb in ("status", "compact"):
        assert run(verb).exit_code == 0


@pytest.mark.parametrize(
    ("verb", "says"),
    [
        (("sync", "--plan", "gold"), "'gold'"),
        (("status", "--zone", "Mars/Olympus"), "'Mars/Olympus'"),
        (("status", "--every", "soon"), "'soon'"),
        (("compact", "--keep", "1m"), "at least an hour"),
        (("sync", "--dir", "qsops.toml"), "is a file"),
        (("sync", "--dir", "qsops.toml/archive"), "no folder can be made there"),
        (("sync", "--dir", "gs://ours/archive"), "gs://ours/archive"),
        (("status", "--dir", "nowhere"), "there is no archive at"),
        (("query", "from logs", "--dir", "nowhere"), "there is no archive at"),
        (("verify", "--dir", "nowhere"), "there is no archive at"),
        (("compact", "--dir", "nowhere"), "there is no archive at"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_arguments_that_are_none(run: Run, archive: Path, verb: tuple[str, ...], says: str):
    """The value is named; and a folder that was named by mistake is not made."""
    assert_refused(run, verb, 2, says, archive)
    assert not (archive.parent / "nowhere").exists()


def test_an_answer_that_parquet_cannot_hold(run: Run, archive: Path, tmp_path: Path):
    """A map is told of in one line, and no file is begun."""
    out = tmp_path / "out.parquet"
    verb = ("query", "select versions from commits", "--format", "parquet", "--out", out)
    assert_refused(run, verb, 2, "parquet cannot hold this answer", archive)
    assert not out.exists()
