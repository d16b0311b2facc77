import ast
import asyncio
import json
import re
import shlex
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from qsops.clock import ManualClock
from qsops.engine.embedded import Embedded
from qsops.engine.virtual import VirtualLoop
from qsops.wire.http import Request
from service.internal import RELAY_PATH
from service.metrics import exposition
from service.publishing import CONSUMER_PATH
from service.settings import Settings
from service.store import Backlog
from service.tally import Tally
from service.webhook import BODY_LIMIT, WEBHOOK_PATH
from tests.engine.caller import TOKENS

ROOT = Path(__file__).parents[2]
DEPLOY = (ROOT / "docs" / "deploy.md").read_text()
DOCKERFILE = (ROOT / "Dockerfile").read_text()
#: What a deployment may hold of secrets: their names, and nothing behind them.
SECRETS = [name.upper() for name, field in Settings.model_fields.items() if "SecretStr" in str(field.annotation)]
FILES = ["Dockerfile", "compose.yaml", "vercel.json", "deploy/systemd/qsops.service", "docs/deploy.md", "api/index.py"]
SECONDS = {"s": 1, "m": 60}


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile's instructions in order, lines joined and comments left out."""
    text = re.sub(r"^#.*\n", "", DOCKERFILE, flags=re.M).replace("\\\n", " ")
    return [(line.split(maxsplit=1)[0], line.split(maxsplit=1)[1]) for line in text.splitlines() if line.strip()]


def compose() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "compose.yaml").read_text())


def unit() -> dict[str, str]:
    lines = (ROOT / "deploy/systemd/qsops.service").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))


def test_the_image_is_built_in_two_stages_from_pinned_ones():
    """What builds does not ship, and no image is `latest`: each FROM names a version and a distribution."""
    images = [value.split()[0] for word, value in instructions() if word == "FROM"]
    assert len(images) == 2
    assert all(re.fullmatch(r"python:3\.\d+-slim-\w+", image) for image in images)
    copied = [value for word, value in instructions() if word == "COPY" and "--from=build" in value]
    assert copied == ["--from=build /opt/qsops /opt/qsops"]


def test_the_image_is_nobody():
    """It runs as a number that is not root, and its health is asked by what is in it anyway."""
    words = [word for word, _ in instructions()]
    (user,) = [value for word, value in instructions() if word == "USER"]
    assert re.fullmatch(r"[1-9]\d{3,}:[1-9]\d{3,}", user)
    assert words.index("USER") < words.index("CMD")
    (health,) = [value for word, value in instructions() if word == "HEALTHCHECK"]
    command = json.loads(health[health.index("[") :])
    assert command[0] == "python"
    ast.parse(command[2])
    assert "/healthz" in command[2]
    assert "curl" not in DOCKERFILE


def test_what_the_image_runs_answers_on_the_port_that_it_says():
    """CMD is a list (so that signals reach it), listens on the exposed port, and outlasts a delivery when stopped."""
    (command,) = [json.loads(value) for word, value in instructions() if word == "CMD"]
    (port,) = [value for word, value in instructions() if word == "EXPOSE"]
    assert command[:3] == ["uvicorn", "--factory", "service.app:create_app"]
    assert command[command.index("--port") + 1] == port == "8000"
    graceful_s = int(command[command.index("--timeout-graceful-shutdown") + 1])
    assert graceful_s > int(Settings.model_fields["qsops_delivery_timeout"].default.removesuffix("s"))
    assert seconds(compose()["services"]["service"]["stop_grace_period"]) > graceful_s
    assert int(unit()["TimeoutStopSec"]) > graceful_s
    assert f"--timeout-graceful-shutdown {graceful_s}" in unit()["ExecStart"]


def test_only_what_is_named_gets_into_the_image():
    """The build sees the packages and what installs them: no .env, no database, no history, no test."""
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    assert next(line for line in lines if not line.startswith("#")) == "*"
    let_in = {line.removeprefix("!") for line in lines if line.startswith("!")}
    assert let_in == {"qsops", "service", "pyproject.toml", "constraints.txt", "README.md", "LICENSE"}
    copied = [value for word, value in instructions() if word == "COPY" and "--from" not in value]
    assert {source for value in copied for source in value.split()[:-1]} == let_in


@pytest.mark.parametrize("name", FILES)
def test_no_deployment_holds_a_secret(name: str):
    """A file names secrets and leaves them empty: values come when it runs."""
    text = (ROOT / name).read_text()
    for secret in [*SECRETS, "POSTGRES_PASSWORD"]:
        for value in re.findall(rf"(?<!\{{)\b{secret}[=:] *(\S*)", text):
            assert value.startswith(("${", "#", '"')) or value == "", (secret, value)


def test_compose_waits_for_a_database_that_is_healthy():
    """PostgreSQL is pinned, has a health check and a volume, and the service starts when it answers."""
    services = compose()["services"]
    database = services["database"]
    assert re.fullmatch(r"postgres:\d+-\w+", database["image"])
    assert database["healthcheck"]["test"][1].startswith("pg_isready")
    assert [mount.split(":")[0] for mount in database["volumes"]] == list(compose()["volumes"])
    assert "ports" not in database
    assert services["service"]["depends_on"] == {"database": {"condition": "service_healthy"}}


def test_compose_gives_the_service_as_little_as_it_needs():
    """Settings come from a file, the port is loopback's, the file system is read-only, and no capability is left."""
    service = compose()["services"]["service"]
    assert service["env_file"] == [{"path": ".env", "required": True}]
    assert service["environment"]["DATABASE_URL"].startswith("postgresql://qsops:${POSTGRES_PASSWORD:?")
    assert service["ports"] == ["127.0.0.1:8000:8000"]
    assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not {"privileged", "user", "network_mode"} & service.keys()


def test_the_unit_has_no_rights_to_speak_of():
    """The service runs as a user of its own, sees one folder it may write, and gets its secrets from one file."""
    told = unit()
    assert told["User"] != "root"
    assert (told["NoNewPrivileges"], told["ProtectSystem"], told["CapabilityBoundingSet"]) == ("yes", "strict", "")
    assert told["EnvironmentFile"] == "/etc/qsops/service.env"
    assert (told["Restart"], told["StateDirectory"]) == ("always", "qsops")
    assert "--host 127.0.0.1 --port 8000" in told["ExecStart"]
    assert told["EnvironmentFile"] in DEPLOY


def test_vercel_finds_the_app_and_what_it_needs():
    """The entry point has a module-level `app`, found without running it, and a manifest beside it."""
    told = json.loads((ROOT / "vercel.json").read_text())
    assert told["framework"] == "fastapi"
    (entry,) = told["functions"]
    tree = ast.parse((ROOT / entry).read_text())
    assigned = [target.id for node in tree.body if isinstance(node, ast.Assign) for target in node.targets]  # type: ignore[attr-defined]
    assert assigned == ["app"]
    manifest = tomllib.loads((ROOT / entry).with_name("pyproject.toml").read_text())
    assert manifest["project"]["dependencies"] == ["qsops[service,postgres]"]
    assert manifest["tool"]["uv"]["sources"] == {"qsops": {"path": ".."}}
    assert told["functions"][entry]["maxDuration"] > 30


def test_vercel_is_sent_what_the_manifest_builds_from():
    """.vercelignore leaves out all but the packages, the entry point and what installs them."""
    lines = [line for line in (ROOT / ".vercelignore").read_text().splitlines() if not line.startswith("#")]
    assert lines[0] == "/*"
    let_in = {line.removeprefix("!/") for line in lines if line.startswith("!/")}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert let_in >= {
        "api",
        "vercel.json",
        "pyproject.toml",
        *project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"],
    }
    assert {project["project"]["readme"], *project["project"]["license-files"]} <= let_in


def test_the_page_names_what_there_is():
    """Every address, setting and limit of docs/deploy.md is the code's."""
    settings = {name.upper() for name in Settings.model_fields}
    shown = set(
        re.findall(
            r"\b((?:QSTASH|INSTAGRAM|INTERNAL|PUBLIC|DATABASE|ALLOWED|ALERT)_[A-Z_]+|QSOPS_[A-Z_]+)\b(?!\.md)", DEPLOY
        )
    )
    assert shown <= settings
    assert WEBHOOK_PATH in DEPLOY
    assert RELAY_PATH in DEPLOY
    assert CONSUMER_PATH.startswith("/api/qstash/")
    assert BODY_LIMIT <= 50 * 1024 * 1024
    assert "client_max_body_size 50m" in DEPLOY
    for name in re.findall(r"\]\(#([a-z-]+)\)", DEPLOY):
        assert name in {heading.lower().replace(" ", "-") for heading in re.findall(r"^## (.+)$", DEPLOY, re.M)}


def test_the_metrics_to_watch_are_counted():
    """Each metric of docs/deploy.md is one that `/metrics` gives, with the labels that are named."""
    given = exposition(Tally(), Backlog(), 0).decode()
    families = {name.removesuffix("_total") for name in re.findall(r"^# TYPE (\w+)", given, re.M)}
    shown = {name.removesuffix("_total") for name in re.findall(r"\b(qsops_\w+)(?=[`{)])", DEPLOY)}
    assert len(shown) > 5
    assert shown <= families


def test_the_shown_schedule_drives_the_relay():
    """The command of docs/deploy.md, given to the engine, calls the relay every five minutes with its bearer token."""
    (command,) = re.findall(r'^curl -fsS -X POST "\$QSTASH_URL(.+?)\n```', DEPLOY, re.M | re.S)
    path, *words = shlex.split(f'"{command}'.replace("\\\n", " ").replace("$INTERNAL_API_TOKEN", "internal"))
    lines = [word for word in words if word != "-H"]
    headers = tuple(
        (line.partition(": ")[0], line.partition(": ")[2].replace("$QSTASH_TOKEN", TOKENS[0])) for line in lines
    )
    clock = ManualClock()
    calls: list[tuple[str, str, str]] = []

    async def relay(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            told = dict(scope["headers"])
            calls.append((scope["method"], scope["path"], told[b"authorization"].decode()))
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"{}"})

    async def run() -> tuple[int, str]:
        engine = Embedded(clock=clock)
        engine.mount("https://hooks.example.com", relay)
        answer = await engine.send(Request("POST", path, "", headers, b""))
        again = await engine.send(Request("POST", path, "", headers, b""))
        await engine.advance(16 * 60_000)
        shown = await engine.send(Request("GET", "/v2/logs", "", (("Authorization", f"Bearer {TOKENS[0]}"),), b""))
        await engine.aclose()
        assert again.status == 200
        return answer.status, shown.body.decode()

    with asyncio.Runner(loop_factory=lambda: VirtualLoop(clock)) as runner:
        status, logs = runner.run(run())
    assert status == 200
    assert calls == [("POST", RELAY_PATH, "Bearer internal")] * 3
    assert "Bearer internal" not in logs


def test_the_unit_can_be_read_by_systemd():
    """`systemd-analyze verify`, where there is one, finds nothing but that the program is not installed here."""
    try:
        command = ["systemd-analyze", "verify", str(ROOT / "deploy/systemd/qsops.service")]
        said = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False).stderr
    except FileNotFoundError:
        said = ""
    assert [line for line in said.splitlines() if "is not executable" not in line] == []


def seconds(text: str) -> int:
    return int(text[:-1]) * SECONDS[text[-1]]
