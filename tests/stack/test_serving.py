import os
import sys
from pathlib import Path

import pytest

from qsops.config import DEV_USERS, Target
from qsops.models import KeyPair
from qsops.stack.ports import free_port
from qsops.stack.serving import service_environment
from tests.standins.processes import ChildProcess
from tests.standins.recorder import Recorder

PRODUCTION = {
    "PATH": "/bin",
    "QSTASH_URL": "https://qstash.upstash.io",
    "QSTASH_TOKEN": "production",
    "EU_CENTRAL_1_QSTASH_TOKEN": "production",
    "PUBLIC_BASE_URL": "https://consumer.example",
    "DATABASE_URL": "postgresql://production",
    "VERCEL_ENV": "production",
    "INSTAGRAM_APP_SECRET": "app",
    "INSTAGRAM_VERIFY_TOKEN": "verify",
    "QSOPS_HANDLER": "own.handlers:handle",
}
LOCAL = Target("local", "local", "http://127.0.0.1:8080", DEV_USERS[0].token, keys=DEV_USERS[0].keys)
PROFILE = Target("prod", "hosted", "https://qstash.upstash.io", "profile", keys=KeyPair("sig_a", "sig_b"))
ENV = Target("env", "hosted", "https://qstash.upstash.io", "production")


def test_locally_nothing_of_a_deployment_is_left():
    """On the local target neither the account, nor the public URL, nor the database of production can be reached."""
    made = service_environment(LOCAL, PRODUCTION, host="127.0.0.1", port=8000)
    assert "production" not in " ".join(made.values())
    assert (made["QSTASH_URL"], made["QSTASH_TOKEN"]) == (LOCAL.url, LOCAL.token)
    assert made["PUBLIC_BASE_URL"] == "http://127.0.0.1:8000"
    assert "DATABASE_URL" not in made
    assert made["QSOPS_DOTENV"] == "off"


@pytest.mark.parametrize("name", ["INSTAGRAM_APP_SECRET", "INSTAGRAM_VERIFY_TOKEN", "QSOPS_HANDLER"])
def test_locally_it_still_knows_whose_events_it_takes(name: str):
    """What names the sender and the handler is no matter of the account."""
    assert service_environment(LOCAL, PRODUCTION, host="127.0.0.1", port=8000)[name] == PRODUCTION[name]


def test_a_profile_replaces_the_plain_account():
    """The named account is the one that is published to; the rest of a deployment stays."""
    made = service_environment(PROFILE, PRODUCTION, host="127.0.0.1", port=8000)
    assert (made["QSTASH_TOKEN"], made["QSTASH_NEXT_SIGNING_KEY"]) == ("profile", "sig_b")
    assert "EU_CENTRAL_1_QSTASH_TOKEN" not in made
    assert made["DATABASE_URL"] == PRODUCTION["DATABASE_URL"]


def test_env_is_the_environment_as_it_is():
    """`env` means the plain variables; only where it is bound is added."""
    made = service_environment(ENV, PRODUCTION, host="0.0.0.0", port=80)
    assert made == {**PRODUCTION, "QSOPS_HOST": "0.0.0.0", "QSOPS_PORT": "80", "QSOPS_DOTENV": "off"}


def test_serve_on_a_machine_with_production_settings_stays_local(tmp_path: Path):
    """`qsops serve` beside a production .env starts with the local engine, and sends the hosted account nothing."""
    (tmp_path / "qsops.toml").write_text("")
    port = free_port()
    with Recorder() as hosted:
        (tmp_path / ".env").write_text(hosted.dotenv())
        environment = {"INSTAGRAM_APP_SECRET": "app", "INSTAGRAM_VERIFY_TOKEN": "verify"}
        command = [sys.executable, "-m", "qsops", "serve", "--port", str(port)]
        with ChildProcess(command, cwd=tmp_path, environment=environment) as service:
            service.wait_for_line(rf"service: http://127.0.0.1:{port}")
            assert os.path.exists(tmp_path / ".qsops/service.db")
        assert hosted.seen == []


def test_a_handler_beside_the_project_is_found(tmp_path: Path):
    """QSOPS_HANDLER may name a module of the folder in which `qsops serve` is called, as a script or as a module."""
    (tmp_path / "qsops.toml").write_text("")
    (tmp_path / "own_handlers.py").write_text("async def handle(event, tx): ...\n")
    environment = {"INSTAGRAM_APP_SECRET": "a", "INSTAGRAM_VERIFY_TOKEN": "v", "QSOPS_HANDLER": "own_handlers:handle"}
    command = [str(Path(sys.executable).with_name("qsops")), "serve", "--port", str(free_port())]
    with ChildProcess(command, cwd=tmp_path, environment=environment) as service:
        service.wait_for_line("service: http://")
