import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from shutil import copytree, ignore_patterns
from typing import Any, Final

import nbformat
import pytest
from typer.testing import CliRunner

from qsops.cli.app import app
from qsops.config import DEV_USERS, Target
from qsops.session import Session
from qsops.session.wiring import wire
from tests.examples import IS_SOAK
from tests.notebooks.committed import NAMES, NOTEBOOKS, PROJECT, execute, read
from tests.standins.processes import ChildProcess

#: Of those that read an account by the same verbs the template runs here, the others in the soak. The first notebook runs
#: here on an account without a past.
ALIKE: Final = frozenset(
    {
        "00_start_here",
        "03_trace_deliveries",
        "04_explain_retries_and_failures",
        "07_read_an_outage",
        "08_compare_retry_policies",
        "09_watch_cost_and_retention",
    }
)
LIVE: Final = [
    name
    for name in NAMES
    if read(name).metadata["qsops"]["live"] in ("yes", "read-only") and (IS_SOAK or name not in ALIKE)
]
#: Of those that read an account, on one without a past; the template reads it by all verbs.
EMPTY: Final = ["00_start_here", "templates/explore_my_account", *(["07_read_an_outage"] if IS_SOAK else [])]
USER: Final = DEV_USERS[0]
#: What the receiver answers in turn: a message that is retried, one that is refused for good, then everything arrives.
ANSWERS: Final = "503 body=overloaded, 200 after=50ms, 489 upstash-nonretryable-error=true, 200"


class Spawned(ChildProcess):
    """A command of qsops in a process of its own, at ``url`` once it listens on a free port."""

    def __init__(self, folder: Path, *arguments: str, **settings: str) -> None:
        command = [sys.executable, "-m", "qsops", *arguments, "--port", "0"]
        inherited = {"PYTHONPATH": str(PROJECT), "QSOPS_DOTENV": "off", "PYTHONUNBUFFERED": "1"}
        super().__init__(command, cwd=folder, environment={**inherited, **settings})
        self.url = self.wait_for_line(r"(http://\S+) \(Ctrl-C")[1]


@dataclass(frozen=True)
class Account:
    """An account on a real-time engine, by its settings, and a receiver that messages may go to."""

    settings: dict[str, str]
    consumer: str

    def make_a_past(self, folder: Path) -> None:
        """Publish a message that is retried once, and one that is refused for good."""
        target = Target("env", "local", self.settings["QSTASH_URL"], USER.token, None, USER.keys)
        with Session(wire(target, folder, {}, write=True, clock=None, seed=0)) as session:
            for number in range(2):
                session.publish(self.consumer, json={"order": number}, label="past", retries=2, retry_delay="100")
                session.settle(30)


@pytest.fixture
def new_account(tmp_path: Path) -> Iterator[Account]:
    """An account without a past."""
    with Spawned(tmp_path, "engine", "--db", str(tmp_path / "engine.db")) as engine:
        keys = {"QSTASH_CURRENT_SIGNING_KEY": USER.keys.current, "QSTASH_NEXT_SIGNING_KEY": USER.keys.next or ""}
        settings = {"QSTASH_URL": engine.url, "QSTASH_TOKEN": USER.token, **keys}
        with Spawned(tmp_path, "--target", "env", "receive", "--answer", ANSWERS, **settings) as receiver:
            yield Account(settings, f"{receiver.url}/hook")


@pytest.fixture
def account(new_account: Account, tmp_path: Path) -> Account:
    """An account with a past."""
    new_account.make_a_past(tmp_path)
    return new_account


def copied(name: str, account: Account, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What ``qsops notebooks copy`` makes of the notebook ``name`` in a checkout in ``folder``."""
    (folder / "qsops.toml").touch()
    copytree(NOTEBOOKS, folder / "notebooks", ignore=ignore_patterns(".ipynb_checkpoints"))
    monkeypatch.chdir(folder)
    done = CliRunner().invoke(app, ["--target", "env", "notebooks", "copy", name], env=account.settings)
    assert done.exit_code == 0, done.stderr
    return Path(done.stdout.strip())


def with_parameters(notebook: Any, **values: str) -> None:
    """Set those of ``values`` that the notebook has, as its user would."""
    (cell,) = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]
    for name, value in values.items():
        cell.source = re.sub(rf"^{name} = .*$", f"{name} = {value!r}", cell.source, flags=re.MULTILINE)


def executed(path: Path, account: Account) -> Any:
    """The notebook at ``path`` after a run in place, with the settings of ``account`` and nothing else."""
    notebook = nbformat.read(path, as_version=4)
    with_parameters(notebook, CONSUMER=account.consumer, DELAY="1s", RETRY_DELAY="100")
    nbformat.write(notebook, path)
    execute(path, path, **account.settings)
    return nbformat.read(path, as_version=4)


def code(notebook: Any) -> list[Any]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def assert_it_ran_on(account: Account, notebook: Any) -> None:
    outputs = [output for cell in code(notebook) for output in cell.outputs]
    assert [output for output in outputs if output.output_type == "error"] == []
    assert "env (local)" in json.dumps(outputs[0])
    assert all(secret not in json.dumps(outputs) for secret in (USER.token, USER.keys.current, USER.keys.next))


@pytest.mark.parametrize("name", LIVE)
def test_a_live_notebook_runs_on_a_real_clock(
    name: str, account: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """What says it may run live does so, as its user would do it: copied, cleared, pointed at an account, run."""
    path = copied(name, account, tmp_path, monkeypatch)
    copy = nbformat.read(path, as_version=4)
    assert [cell for cell in code(copy) if cell.outputs or cell.execution_count is not None] == []
    assert re.match("""TARGET = ['"]env['"]""", code(copy)[0].source)
    assert_it_ran_on(account, executed(path, account))


@pytest.mark.parametrize("name", EMPTY)
def test_a_notebook_runs_on_an_account_without_a_past(
    name: str, new_account: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Who starts with an empty account sees empty frames, and no error."""
    path = copied(name, new_account, tmp_path, monkeypatch)
    assert_it_ran_on(new_account, executed(path, new_account))
