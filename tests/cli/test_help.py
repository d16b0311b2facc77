import subprocess
import sys
from pathlib import Path

import pytest
import typer

from qsops.cli.app import app
from tests.cli.conftest import Run

ANALYSES = {
    "outcomes",
    "latency",
    "retries",
    "failures",
    "outages",
    "backlog",
    "duplicates",
    "compare",
    "cost",
    "usage",
}
VERBS = ANALYSES | {
    *("demo", "up", "engine", "serve", "doctor", "publish", "publish-many", "logs", "trace", "receive", "notebooks"),
    "whatif",
}
NOUNS = {"archive", "dlq", "keys", "queues", "schedules", "groups", "flow"}
CATALOG = ("list", "show", "create", "delete")
HEAVY = {
    "pandas",
    "pyarrow",
    "ibis",
    "duckdb",
    "deltalake",
    "httpx",
    "aiohttp",
    "uvicorn",
    "fastapi",
    "altair",
    "pydantic",
    "rich",
    "tqdm",
    "dotenv",
}


def commands(command: object, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Every verb of the tree that does something."""
    children = getattr(command, "commands", None)
    if not children:
        return [path]
    return [found for name, child in children.items() for found in commands(child, (*path, name))]


ALL = commands(typer.main.get_command(app))


def test_the_verbs_are_those_that_were_promised():
    """Each verb of the design that is built stands in the tree, and no other."""
    assert {path[0] for path in ALL} == VERBS | NOUNS
    assert {path for path in ALL if len(path) > 1} == {
        *(("archive", verb) for verb in ("sync", "status", "verify", "compact", "query")),
        *(("dlq", verb) for verb in ("list", "show", "groups", "retry", "delete")),
        *(("keys", verb) for verb in ("show", "rotate")),
        *((noun, verb) for noun in ("queues", "schedules") for verb in (*CATALOG, "pause", "resume")),
        *(("groups", verb) for verb in (*CATALOG, "remove", "defaults")),
        *(("flow", verb) for verb in ("list", "show", "account", "pause", "resume", "pin", "unpin", "reset-rate")),
        ("notebooks", "copy"),
    }


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_each_help_has_an_example_that_can_be_typed(run: Run, path: tuple[str, ...]):
    """Each verb's help ends with an example of that verb, on a line of its own."""
    result = run(*path, "--help")
    assert result.exit_code == 0
    examples = result.stdout.partition("Example")[2].splitlines()[1:]
    typed = [line for line in examples if line.startswith("    qsops ")]
    assert typed, result.stdout
    assert " ".join(path) in typed[0]


@pytest.mark.parametrize("group", [(), *((noun,) for noun in sorted(NOUNS)), ("notebooks",)], ids=" ".join)
def test_each_verb_fits_its_line_in_the_overview(run: Run, group: tuple[str, ...]):
    """The first sentence says what the verb does, and is not cut in the list of verbs."""
    verbs = run(*group, "--help").stdout.partition("Commands:")[2].splitlines()
    assert [line for line in verbs if line.endswith("...")] == []


def test_reading_verbs_print_json():
    """Every verb that reads has --json."""
    reading = {
        ("logs",),
        ("trace",),
        ("doctor",),
        *(("archive", verb) for verb in ("sync", "status", "verify", "compact", "query")),
        ("dlq", "list"),
        ("dlq", "show"),
        ("dlq", "groups"),
        ("keys", "show"),
        *((noun, verb) for noun in ("queues", "schedules", "groups", "flow") for verb in ("list", "show")),
        ("flow", "account"),
        *((name,) for name in ANALYSES),
    }
    assert [path for path in reading if "--json" not in _options(path)] == []


def test_help_imports_nothing_heavy():
    """`qsops --help` answers at once: pandas, HTTP clients, servers and charts wait for the verb that needs them."""
    script = (
        "import sys; from typer.testing import CliRunner; from qsops.cli.app import app;"
        "assert CliRunner().invoke(app, ['--help']).exit_code == 0;"
        f"print(*sorted({{name.partition('.')[0] for name in sys.modules}} & {HEAVY}))"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == ""


def test_the_version_is_the_packages(run: Run):
    """--version needs no verb."""
    from qsops import __version__

    assert run("--version").stdout == f"qsops {__version__}\n"


def test_the_module_is_the_command(tmp_path: Path):
    """`python -m qsops` is `qsops`."""
    ran = subprocess.run(
        [sys.executable, "-m", "qsops", "nothing"], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert (ran.returncode, ran.stderr.splitlines()) == (
        2,
        ["qsops: No such command 'nothing'; `qsops --help` shows how"],
    )


def _options(path: tuple[str, ...]) -> set[str]:
    command = typer.main.get_command(app)
    for name in path:
        command = command.commands[name]
    return {option for parameter in command.params for option in parameter.opts}
