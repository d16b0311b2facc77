import json
import os
import signal
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import pytest

from qsops.clock import SeededIds, SystemClock
from qsops.demo import run_demo
from qsops.stack.local import LocalSettings
from service.instagram import DirectMessage, Edit, Item, Unsend, Update, item_of, updates
from service.rehearsal import make_workload
from service.rehearsal.faults import POISON_MID
from tests.standins.processes import ChildProcess
from tests.standins.recorder import Recorder

SEED = 7
# Words of the workload's messages: what people write stands in no log, table or report.
PERSONAL = ["Grüße", "こんにちは", "привет"]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of its own, in which the command is run."""
    (tmp_path / "qsops.toml").write_text("")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def production(recorder: Recorder) -> dict[str, str]:
    """The settings of a hosted account, as they may lie in a file and in the environment."""
    return dict(line.split("=", 1) for line in recorder.dotenv().splitlines())


def test_the_demo_adds_up_and_sends_a_hosted_account_nothing(
    project: Path, bare_environment: None, monkeypatch: pytest.MonkeyPatch
):
    """The main job, whole: every event accounted for, each emoji as it was typed, the hosted account unheard of, no
    output with a secret."""
    clock, told = SystemClock(), []
    with Recorder() as hosted:
        (project / ".env").write_text(hosted.dotenv())
        for name, value in production(hosted).items():
            monkeypatch.setenv(name, value)
        ids = SeededIds(clock, SEED)
        assert run_demo(project, project / "run", clock=clock, ids=ids, updates=120, seed=SEED, tell=told.append)
        assert hosted.seen == []
        canaries = [value for name, value in production(hosted).items() if "TOKEN" in name or "KEY" in name]
    output = "\n".join(told) + "".join(path.read_text() for path in _written(project / "run"))
    own = LocalSettings.make(SeededIds(clock, SEED), engine_port=1, service_port=1, database=project)
    secrets = [own.app_secret, own.verify_token, own.internal_token, own.token]
    assert [word for word in [*canaries, *secrets, *PERSONAL] if word in output] == []
    assert (project / "run/report.html").read_text().count("<svg") == 2
    assert list((project / "run").glob("*.pid")) == []
    assert json.loads((project / "run/sent.json").read_text())["updates"] == 120
    stored, sent = _stored_texts(project / "run/service.db"), _sent_texts()
    assert {mid: text for mid, text in stored.items() if text is not None} == sent
    assert any("👩‍👩‍👧" in text for text in sent.values())


def test_nothing_is_lost_when_engine_and_service_are_killed(project: Path):
    """kill -9 from another process, of the engine after the first delivery and of the service amid the retries."""
    command = [sys.executable, "-m", "qsops", "demo", "--folder", "run", "--updates", "150"]
    with Recorder() as hosted, ChildProcess(command, cwd=project, environment=production(hosted)) as demo:
        (project / ".env").write_text(hosted.dotenv())
        demo.wait_for_line("engine http://")
        with ChildProcess(["tail", "-n", "+1", "-f", "run/service.log"], cwd=project) as deliveries:
            deliveries.wait_for_line('"log":"delivery"')
            _kill(project / "run/engine.pid")
            demo.wait_for_line("engine was killed, and is started again")
            deliveries.wait_for_line('"retried":1')
            _kill(project / "run/service.pid")
            demo.wait_for_line("service was killed, and is started again")
        demo.wait_for_line("adds up: what was posted is what was received", bound_s=90)
        # As a command, too, and with engine and service started anew, the account next door is not asked.
        assert hosted.seen == []
    assert list((project / "run").glob("*.pid")) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_demo_that_is_stopped_leaves_no_process_behind(project: Path, number: signal.Signals):
    """Ctrl-C and SIGTERM in the middle end the demo with status 130, and everything it started."""
    command = [sys.executable, "-m", "qsops", "demo", "--folder", "run"]
    with ChildProcess(command, cwd=project) as demo:
        demo.wait_for_line("engine http://")
        pids = [int((project / f"run/{name}.pid").read_text()) for name in ("engine", "service")]
        os.kill(demo.pid, number)
    assert [pid for pid in pids if Path(f"/proc/{pid}").exists()] == []


def _sent_texts() -> dict[str, str]:
    """What each message of the workload says in the end, by its mid; those that were taken back are not among them."""
    found: dict[str, tuple[int, str]] = {}
    items = [_item(update) for body in make_workload(120, SEED).bodies for update in updates(json.loads(body))]
    for item in items:
        if isinstance(item, (DirectMessage, Edit)) and item.text and item.mid != POISON_MID:
            number = item.num_edit if isinstance(item, Edit) else 0
            found[item.mid] = max(found.get(item.mid, (0, "")), (number, item.text))
    gone = {item.mid for item in items if isinstance(item, Unsend)}
    return {mid: text for mid, (_, text) in found.items() if mid not in gone}


def _item(update: Update) -> Item:
    return item_of(update.kind, update.account, update.payload)


def _stored_texts(database: Path) -> dict[str, str | None]:
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        return dict(connection.execute("select mid, text from direct_messages"))


def _kill(pid_file: Path) -> None:
    os.kill(int(pid_file.read_text()), signal.SIGKILL)


def _written(folder: Path) -> list[Path]:
    """What a person may look at: logs, report, and what the sender said."""
    return [path for path in folder.iterdir() if path.suffix in (".log", ".html", ".json")]
