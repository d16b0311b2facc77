from pathlib import Path

import pytest

from qsops.engine.server import Server
from tests.cli.conftest import Run
from tests.standins.recorder import Recorder

VERBS = [
    ("logs", "--since", "1h"),
    ("logs", "--json"),
    ("trace", "msg_1"),
    ("doctor",),
    ("doctor", "--json"),
    ("dlq", "list"),
    ("dlq", "groups"),
    ("dlq", "show", "1-0"),
    ("dlq", "retry", "1-0"),
    ("dlq", "delete", "1-0", "--yes"),
    ("keys", "show"),
    ("keys", "rotate", "--yes"),
    ("publish", "http://127.0.0.1:9/hook", "--body", "x"),
]

WRITING = [verb for verb in VERBS if {"publish", "retry", "delete", "rotate"} & set(verb)]


@pytest.fixture
def production(project: Path, bare_environment: None, monkeypatch: pytest.MonkeyPatch):
    """A machine with a production account in its .env and in its environment; the account writes down who asks."""
    with Recorder() as hosted:
        (project / ".env").write_text(hosted.dotenv())
        for line in hosted.dotenv().splitlines():
            monkeypatch.setenv(*line.split("=", 1))
        yield hosted


def canaries(hosted: Recorder) -> list[str]:
    pairs = [line.split("=", 1) for line in hosted.dotenv().splitlines()]
    return [value for name, value in pairs if "TOKEN" in name or "KEY" in name]


@pytest.mark.parametrize("arguments", VERBS, ids=" ".join)
def test_local_verbs_send_a_hosted_account_nothing(
    run: Run, engine: Server, production: Recorder, arguments: tuple[str, ...]
):
    """A token that happens to be set changes nothing: without --target no verb leaves this machine, or shows it."""
    result = run(*arguments)
    assert result.exit_code in (0, 1), result.output
    assert production.seen == []
    assert [canary for canary in canaries(production) if canary in result.output] == []


@pytest.mark.parametrize("arguments", VERBS, ids=" ".join)
def test_no_verb_shows_the_token_or_the_keys(run: Run, production: Recorder, arguments: tuple[str, ...]):
    """On the account itself too: neither an answer nor an error quotes a secret, and stderr is no traceback."""
    result = run("--target", "env", *arguments)
    assert [canary for canary in canaries(production) if canary in result.output] == []
    assert "a fault of qsops itself" not in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [verb for verb in VERBS if verb[0] == "publish" or verb[1:2] in (("retry",), ("delete",), ("rotate",))],
    ids=" ".join,
)
def test_a_hosted_account_is_only_read_without_write(run: Run, production: Recorder, arguments: tuple[str, ...]):
    """Whoever changes something on an account has said --write; else nothing is sent, and the status is 2."""
    hosted_looking = {"QSTASH_URL": production.url.replace("127.0.0.1", "qstash.invalid")}
    result = run("--target", "env", *arguments, env=hosted_looking)
    assert result.exit_code == 2
    assert "--write" in result.stderr
    assert [seen for seen in production.seen if seen.method != "GET"] == []
