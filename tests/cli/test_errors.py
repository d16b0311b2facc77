import json
import subprocess
import sys
from pathlib import Path

import pytest

from qsops.cli import doctor
from qsops.client import Client
from qsops.config import DEV_USERS
from qsops.errors import AuthError, Corrupt, QsopsError, RateLimited, SettingsError
from qsops.session import Session
from qsops.stack.ports import free_port
from tests.cli.conftest import Run

CANARY = "canary-0f3a"
# Stands for a free port, so that a service of the person who runs the tests is not in the way.
FREE = "free"

MISUSE = [
    (("logs", "--nothing"), "No such option: --nothing"),
    (("nothing",), "No such command 'nothing'"),
    (("trace",), "Missing argument 'MESSAGE_ID'"),
    (("logs", "--target", "env"), "--target stands before the verb: qsops --target … logs"),
    (("dlq", "delete", "--write"), "--write stands before the verb: qsops --write … dlq delete"),
    (("logs", "--format", "xml"), "Invalid value for '--format'"),
    (("engine", "--port", "70000"), "Invalid value for '--port'"),
    (("--target", "embedded", "logs"), "--target embedded lives inside a Python process"),
    (("--target", "nowhere", "logs"), "nowhere"),
    (("--target", "env", "logs"), "QSTASH_TOKEN"),
    (("--target", "env", "serve", "--port", FREE), "which is not set"),
    (("serve", "--port", FREE), "INSTAGRAM_APP_SECRET"),
    (("--target", "env", "demo"), "demo runs on an engine of its own"),
    (("--target", "env", "up"), "up runs on an engine of its own"),
    (("--target", "env", "engine"), "engine runs on an engine of its own"),
    (("publish",), "url"),
    (("publish", "http://127.0.0.1:1/", "--json", "{"), "--json is no JSON"),
    (("publish", "http://127.0.0.1:1/", "--header", CANARY), "--header: write it as 'Name: value'"),
    (("publish-many", "nothing.csv"), "nothing.csv"),
    (("logs", "--since", "yesterday"), "'yesterday' is neither a span such as '1h' nor an ISO date"),
    (("logs", "--follow", "--format", "csv"), "--follow prints lines without an end"),
    (("dlq", "delete", "1-0"), "say --yes"),
    (("dlq", "retry"), "name ids or a filter"),
    (("receive", "--answer", "never"), "'never'"),
    (("receive", "--answer", ""), "write a status, drop or hang"),
    (("engine", "--host", "0.0.0.0"), "'0.0.0.0' is not loopback"),
    (
        ("engine", "--host", "0.0.0.0", "--token", CANARY),
        "of at least 16 characters, with --token or QSOPS_ENGINE_TOKEN",
    ),
    (("engine", "--host", "a..b"), "host: 'a..b' has no address"),
    (("engine", "--read-only-token", CANARY), "it stands beside another token, --token or QSOPS_ENGINE_TOKEN"),
    (("engine", "--allowed-host", "qstash.example.com"), "'qstash.example.com' is not loopback"),
    (("engine", "--allow-private", "10.0.0.0/99"), "allow-private: '10.0.0.0/99' is no network"),
    (("engine", "--region", "MARS_1", "--port", FREE), "name one of EU_CENTRAL_1, US_EAST_1"),
    (("engine", "--burst-limit", "-1"), "Invalid value for '--burst-limit'"),
    (("engine", "--quota", "lavish", "--port", "0"), "'lavish'"),
    (("notebooks", "copy"), "name the account"),
    (("notebooks", "copy", "--target", "env"), "notebooks is not there"),
]


@pytest.mark.parametrize(("arguments", "says"), MISUSE, ids=[" ".join(arguments) for arguments, _ in MISUSE])
def test_misuse_is_one_line_and_status_2(run: Run, arguments: tuple[str, ...], says: str):
    """Misuse and missing settings end with status 2 and one line on stderr that names what to mend."""
    result = run(*(str(free_port()) if argument == FREE else argument for argument in arguments))
    assert result.exit_code == 2, result.output
    assert says in result.stderr
    assert result.stderr.startswith("qsops: ")
    assert len(result.stderr.splitlines()) == 1
    assert result.stdout == ""
    assert CANARY not in result.output


@pytest.mark.parametrize("group", [(), ("dlq",), ("keys",), ("notebooks",)], ids=" ".join)
def test_without_a_verb_the_help_is_shown_as_it_is(run: Run, group: tuple[str, ...]):
    """A bare `qsops` is misuse, and answered with the list of verbs, a line each."""
    result = run(*group)
    assert result.exit_code == 2
    assert result.stderr == run(*group, "--help").stdout


@pytest.mark.parametrize(
    ("raised", "status"),
    [
        (SettingsError("QSTASH_TOKEN is missing"), 2),
        (AuthError(401, "unable to authenticate: invalid token"), 2),
        (RateLimited("too many", "daily"), 1),
        (Corrupt("two\nlines"), 1),
        (QsopsError("no"), 1),
    ],
)
def test_each_error_knows_its_status(run: Run, monkeypatch: pytest.MonkeyPatch, raised: QsopsError, status: int):
    """What the rooms below raise becomes its own exit status, and one line."""
    monkeypatch.setattr(Session, "doctor", _raising(raised))
    result = run("doctor")
    assert result.exit_code == status
    assert result.stderr == f"qsops: {' '.join(str(raised).split())}\n"


def test_what_was_noted_on_an_error_is_said(run: Run, monkeypatch: pytest.MonkeyPatch):
    """How far a call came is noted on its error, and belongs to the one line."""
    error = QsopsError("it broke")
    error.add_note("stopped after 7 rows")
    monkeypatch.setattr(Session, "doctor", _raising(error))
    assert run("doctor").stderr == "qsops: it broke; stopped after 7 rows\n"


def test_a_fault_of_ours_shows_neither_traceback_nor_text(run: Run, monkeypatch: pytest.MonkeyPatch):
    """An unforeseen error is one line with kind and place: its text could quote a token."""
    monkeypatch.setattr(Session, "doctor", _raising(KeyError(CANARY)))
    result = run("doctor")
    assert result.exit_code == 1
    assert "a fault of qsops itself: KeyError at cli/test_errors.py:" in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert CANARY not in result.output


def test_the_traceback_can_be_asked_for(run: Run, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]):
    """Whoever reports a fault can have its traceback."""
    monkeypatch.setattr(Session, "doctor", _raising(KeyError("cause")))
    monkeypatch.setenv("QSOPS_TRACEBACK", "1")
    result = run("doctor")
    assert "Traceback" in result.stderr


def test_ctrl_c_is_130(run: Run, monkeypatch: pytest.MonkeyPatch):
    """An interrupted command says nothing and ends as shells expect it."""
    monkeypatch.setattr(Session, "doctor", _raising(KeyboardInterrupt()))
    result = run("doctor")
    assert (result.exit_code, result.output) == (130, "")


def test_an_interrupted_publish_many_says_how_it_goes_on(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """Whoever stops a long job is told that nothing has to be sent twice."""
    monkeypatch.setattr(Session, "publish_many", _raising(KeyboardInterrupt()))
    result = run("publish-many", str(tmp_path / "rows.csv"), "--url", "http://127.0.0.1:1/")
    assert result.exit_code == 130
    assert "the same call goes on from there" in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [("logs",), ("trace", "msg_1"), ("dlq", "list"), ("keys", "show"), ("publish", "http://127.0.0.1:1/x")],
    ids=" ".join,
)
def test_without_an_engine_it_says_how_to_start_one(
    run: Run, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
):
    """`local` without an engine is one line with the command that starts it."""
    port = free_port()
    monkeypatch.setenv("QSTASH_DEV_PORT", str(port))
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    monkeypatch.setitem(Client.__init__.__kwdefaults__, "sleep", sleep)
    result = run(*arguments)
    assert waits == [], "it asks again"
    assert result.exit_code == 1
    assert result.stderr.startswith(
        f"qsops: no engine answers at http://127.0.0.1:{port}: start one with `qsops engine`"
    )
    assert len(result.stderr.splitlines()) == 1


def test_doctor_ends_with_1_when_it_finds_a_fault(run: Run, monkeypatch: pytest.MonkeyPatch):
    """Bad news is status 1, in the table and as JSON."""
    monkeypatch.setenv("QSTASH_DEV_PORT", str(free_port()))
    assert run("doctor").exit_code == 1
    result = run("doctor", "--json")
    assert result.exit_code == 1
    assert {check["level"] for check in json.loads(result.stdout)} >= {"fault"}
    assert doctor.__doc__


def test_a_token_of_another_account_changes_nothing(run: Run, engine: object, monkeypatch: pytest.MonkeyPatch):
    """`local` takes the development user, whatever token is set."""
    monkeypatch.setenv("QSTASH_TOKEN", CANARY)
    monkeypatch.setenv("QSTASH_URL", "https://qstash.invalid")
    result = run("keys", "show", "--json", "--reveal")
    assert json.loads(result.stdout)["current"] == DEV_USERS[0].keys.current


def test_a_reader_that_left_is_no_error():
    """`qsops … | head` ends quietly."""
    script = "import sys; sys.argv = ['qsops', '--help']; from qsops.cli import main; main()"
    with subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == ""


def _raising(error: BaseException):
    def verb(*_: object, **__: object):
        raise error

    return verb
