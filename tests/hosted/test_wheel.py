import json
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from bench.postgres import cluster
from qsops.clock import SystemClock
from tests.standins.hosted import HostedQStash

ROOT = Path(__file__).parents[2]
CONSTRAINTS = ROOT / "constraints.txt"
#: What the other extras bring, and the toolkit does without.
EXTRAS = ("altair", "fastapi", "jupyterlab", "pydantic_settings", "pytest", "vl_convert")
#: What would make a function or an image of the service heavy.
HEAVY = ("aiohttp", "duckdb", "ipykernel", "jupyterlab", "numpy", "pandas", "pyarrow", "tqdm")
SERVICE_LIMIT_MB = 80
BOUND_S = 240
#: The one that the set-up left beside this Python; without it pip does the work.
UV = shutil.which("uv", path=str(Path(sys.executable).parent))
#: A production deployment on Vercel, short of its database.
VERCEL = {
    "VERCEL": "1",
    "VERCEL_ENV": "production",
    "VERCEL_PROJECT_PRODUCTION_URL": "hooks.example.com",
    "QSTASH_TOKEN": "token",
    "QSTASH_CURRENT_SIGNING_KEY": "sig_current",
    "QSTASH_NEXT_SIGNING_KEY": "sig_next",
    "INSTAGRAM_APP_SECRET": "secret",
    "INSTAGRAM_VERIFY_TOKEN": "verify",
}
#: What Vercel's runtime does: it imports the entry point, starts the app's lifespan, and hands requests to it.
FUNCTION = """
import asyncio, importlib.util, json, sys
spec = importlib.util.spec_from_file_location("index", sys.argv[1])
index = importlib.util.module_from_spec(spec)
spec.loader.exec_module(index)
import httpx
from service.samples import encode, sample, signed_headers

async def drive():
    transport = httpx.ASGITransport(index.app)
    async with httpx.AsyncClient(transport=transport, base_url="https://hooks.example.com") as http:
        body = encode(sample("message", mid="m-1", at_ms=1_700_000_000_000))
        alive = await http.get("/healthz")
        forged = await http.post("/api/webhooks/instagram", content=body, headers=signed_headers("other", body))
        real = await http.post("/api/webhooks/instagram", content=body, headers=signed_headers("secret", body))
    return [alive.status_code, forged.status_code, real.status_code]

statuses = asyncio.run(drive())
print(json.dumps([statuses, sorted({"pandas", "pyarrow", "numpy", "aiohttp"} & sys.modules.keys())]))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project's wheel."""
    folder = tmp_path_factory.mktemp("wheel")
    if UV is None:
        call(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", folder, ROOT)
    else:
        call(UV, "build", "--quiet", "--wheel", "--out-dir", folder, ROOT)
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def installed(wheel: Path) -> Path:
    """The bin folder of a clean environment with the toolkit and no other extra."""
    return install(wheel, "toolkit")


@pytest.fixture(scope="module")
def service(wheel: Path) -> Path:
    """The bin folder of a clean environment with what is deployed: the service and its driver for PostgreSQL."""
    return install(wheel, "service,postgres")


def install(wheel: Path, extra: str) -> Path:
    environment = wheel.parent / extra
    venv.create(environment, with_pip=UV is None)
    python = environment / "bin" / "python"
    requirement = f"{wheel}[{extra}]"
    if UV is None:
        call(python, "-m", "pip", "install", "--quiet", "--no-compile", "-c", CONSTRAINTS, requirement)
        call(python, "-m", "pip", "uninstall", "--quiet", "--yes", "pip", "setuptools")
    else:
        call(UV, "pip", "install", "--quiet", "--python", python, "-c", CONSTRAINTS, requirement)
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


def run(command: list[str | Path], folder: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    told = {"HOME": str(folder), "QSOPS_DOTENV": "off", **settings}
    words = list(map(str, command))
    return subprocess.run(words, cwd=folder, env=told, capture_output=True, text=True, timeout=60, check=False)


def test_a_wheel_and_a_token_read_the_logs(installed: Path, hosted: HostedQStash, tmp_path: Path):
    """Who installs the toolkit and sets the token has `logs`: nothing else of the project is needed."""
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


def test_without_its_extra_a_verb_says_what_to_install(installed: Path, tmp_path: Path):
    """What needs another extra names it in one line, and nothing of an extra was there to begin with."""
    code = f"import importlib.util as u; print(*[n for n in {EXTRAS!r} if u.find_spec(n)])"
    found = subprocess.run([installed / "python", "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert found.stdout.split() == []
    for verb, extra in (("demo", "toolkit,service,notebooks"), ("serve", "service")):
        done = run([installed / "qsops", verb], tmp_path)
        assert (done.returncode, len(done.stderr.splitlines())) == (2, 1), done
        assert f"pip install 'qsops[{extra}]'" in done.stderr


def test_the_service_by_itself_is_small(service: Path, tmp_path: Path):
    """What a function or an image holds is under 80 MB: no pandas, no Arrow, no Jupyter, and no engine."""
    code = f"import importlib.util as u; print(*[n for n in {HEAVY!r} if u.find_spec(n)])"
    found = run([service / "python", "-c", code], tmp_path)
    assert (found.returncode, found.stdout.split()) == (0, [])
    files = [path for path in (service.parent / "lib").rglob("*") if path.is_file() and path.suffix != ".pyc"]
    assert sum(path.stat().st_size for path in files) < SERVICE_LIMIT_MB * 1024 * 1024


def test_a_verb_of_the_toolkit_says_what_it_lacks(service: Path, tmp_path: Path):
    """Beside the service alone, a verb that needs the toolkit ends with one line that says what to install."""
    for verb in (["logs"], ["engine", "--port", "1"]):
        done = run([service / "qsops", *verb], tmp_path)
        assert (done.returncode, len(done.stderr.splitlines())) == (2, 1), done
        assert "pip install 'qsops[toolkit]'" in done.stderr
    done = run([service / "python", "-c", "import qsops; qsops.connect"], tmp_path)
    assert "pip install 'qsops[toolkit]'" in done.stderr.splitlines()[-1]


@pytest.mark.parametrize("database", ["", "sqlite:////tmp/service.db"], ids=["none", "sqlite"])
def test_the_function_demands_a_database_that_lasts(service: Path, tmp_path: Path, database: str):
    """On Vercel nothing on disk outlives the function, so it does not start without PostgreSQL, and says so."""
    done = run([service / "python", "-c", FUNCTION, ROOT / "api/index.py"], tmp_path, **VERCEL, DATABASE_URL=database)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("qsops.errors.SettingsError: DATABASE_URL: on Vercel")


def test_the_function_answers(service: Path, tmp_path: Path):
    """The entry point is imported and called as the platform does: alive, forgeries refused, 503 without a database."""
    # Nothing listens on this port of loopback.
    told = {"DATABASE_URL": "postgresql://qsops:secret@127.0.0.1:1/qsops", "QSTASH_URL": "http://127.0.0.1:1"}
    done = run([service / "python", "-c", FUNCTION, ROOT / "api/index.py"], tmp_path, **VERCEL, **told)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == [[200, 403, 503], []]
    assert "secret" not in done.stdout


def test_the_function_stores_what_qstash_does_not_take(service: Path, tmp_path: Path):
    """With PostgreSQL, and QStash away, a signed POST is answered 200: the slim installation has all it needs."""
    with cluster() as postgres:
        told = {"DATABASE_URL": postgres.create("function"), "QSTASH_URL": "http://127.0.0.1:1"}
        done = run([service / "python", "-c", FUNCTION, ROOT / "api/index.py"], tmp_path, **VERCEL, **told)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == [[200, 403, 200], []]
