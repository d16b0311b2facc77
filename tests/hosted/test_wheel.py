import json
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from qsops.clock import SystemClock
from tests.standins.hosted import HostedQStash

ROOT = Path(__file__).parents[2]
CONSTRAINTS = ROOT / "constraints.txt"
#: What the extras bring, and a plain installation does without.
EXTRAS = ("altair", "fastapi", "jupyterlab", "pydantic_settings", "pytest", "vl_convert")
BOUND_S = 240
#: The one that the set-up left beside this Python; without it pip does the work.
UV = shutil.which("uv", path=str(Path(sys.executable).parent))


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bin folder of a clean environment with the project's wheel and what that asks for, no extra among it."""
    folder = tmp_path_factory.mktemp("wheel")
    environment = folder / "environment"
    venv.create(environment, with_pip=UV is None)
    python = environment / "bin" / "python"
    if UV is None:
        call(python, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", folder, ROOT)
        call(python, "-m", "pip", "install", "--quiet", "-c", CONSTRAINTS, *folder.glob("*.whl"))
    else:
        call(UV, "build", "--quiet", "--wheel", "--out-dir", folder, ROOT)
        call(UV, "pip", "install", "--quiet", "--python", python, "-c", CONSTRAINTS, *folder.glob("*.whl"))
    return python.parent


def call(*command: str | Path) -> None:
    done = subprocess.run(list(map(str, command)), env=outside(), capture_output=True, text=True, timeout=BOUND_S)
    assert done.returncode == 0, done.stderr


def outside() -> dict[str, str]:
    """The environment, with the index that is configured for pip handed to uv, as the set-up does it."""
    asked = subprocess.run(
        [sys.executable, "-m", "pip", "config", "get", "global.index-url"], capture_output=True, text=True, check=False
    )
    index = os.environ.get("UV_DEFAULT_INDEX") or os.environ.get("PIP_INDEX_URL") or asked.stdout.strip()
    return {**os.environ, **({"UV_DEFAULT_INDEX": index} if index else {})}


def test_a_wheel_and_a_token_read_the_logs(installed: Path, hosted: HostedQStash, tmp_path: Path):
    """Who installs the wheel without extras, and sets the token, has `logs`: nothing else of the project is needed."""
    now_ms = SystemClock().now_ms()
    hosted.log("DELIVERED", message_id="msg_1", time_ms=now_ms - 1000, responseStatus=200)
    hosted.log("DELIVERED", message_id="msg_old", time_ms=now_ms - 7_200_000)
    # The stand-in is no host of Upstash's, so it takes an address beside the token.
    settings = {"HOME": str(tmp_path), "QSTASH_TOKEN": hosted.read_only_token, "QSTASH_URL": hosted.url}
    command = [installed / "qsops", "--target", "env", "logs", "--since", "1h", "--json"]
    done = subprocess.run(command, cwd=tmp_path, env=settings, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert [row["message_id"] for row in json.loads(done.stdout)] == ["msg_1"]
    assert hosted.read_only_token not in done.stdout


def test_without_extras_the_rest_says_what_to_install(installed: Path, tmp_path: Path):
    """What needs an extra names it in one line, and nothing of an extra was there to begin with."""
    code = f"import importlib.util as u; print(*[n for n in {EXTRAS!r} if u.find_spec(n)])"
    found = subprocess.run([installed / "python", "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert found.stdout.split() == []
    for verb in ("demo", "serve"):
        done = subprocess.run(
            [installed / "qsops", verb],
            cwd=tmp_path,
            env={"HOME": str(tmp_path)},
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert (done.returncode, len(done.stderr.splitlines())) == (2, 1), done
        assert "pip install 'qsops[service" in done.stderr
