import json
import subprocess
import sys
from collections import Counter
from importlib import import_module
from pathlib import Path

import httpx
import pytest

from qsops.errors import Rejected, Unreachable
from service.instagram import Kind, updates
from service.rehearsal import APP_SECRET, POISON_ID, Fault, Workload, fault_of, make_workload
from service.rehearsal.posting import TRIES, post_all
from service.webhook import WEBHOOK_PATH
from tests.service.invoking import invoked
from tests.service.rig import Rig

ROOT = Path(__file__).parents[2]


def events_in(workload: Workload) -> list[str]:
    return [update.id for body in workload.bodies for update in updates(json.loads(body))]


def test_the_same_seed_posts_the_same_bytes():
    """A run can be repeated exactly, and another seed is another run."""
    assert make_workload(200, 3) == make_workload(200, 3)
    assert make_workload(200, 3).bodies != make_workload(200, 4).bodies


@pytest.mark.parametrize("count", [60, 300, 1_000])
def test_a_workload_is_what_it_says(count: int):
    """So many updates, of every kind and container, with duplicates, in several POSTs, out of order."""
    workload = make_workload(count, 1)
    found = events_in(workload)
    assert (len(found), workload.updates) == (count, count)
    assert set(found) == workload.event_ids
    assert len(found) > len(workload.event_ids)
    assert workload.poison == {POISON_ID}
    assert POISON_ID in found
    assert len(workload.bodies) > 1
    posts = [json.loads(body) for body in workload.bodies]
    containers = {key for body in posts for entry in body["entry"] for key in entry}
    assert {"messaging", "standby", "changes", "field"} <= containers
    kinds = {update.kind for body in posts for update in updates(body)}
    assert kinds == set(Kind)
    times = [update.occurred_at for body in posts for update in updates(body) if update.kind is Kind.MESSAGE]
    assert times != sorted(times, key=str)
    assert any("👋" in json.dumps(body, ensure_ascii=False) for body in posts)


def test_faults_are_a_function_of_event_and_attempt():
    """All four ways happen, a minority of events meets them, and all but the poison pass."""
    ids = make_workload(300, 1).event_ids
    first = Counter(fault_of(event_id, 0) for event_id in ids)
    assert set(first) == {None, *Fault}
    assert first[None] > len(ids) / 2
    assert first[Fault.POISON] == 1
    assert {fault_of(event_id, 3) for event_id in ids - {POISON_ID}} == {None}
    assert fault_of(POISON_ID, 99) is Fault.POISON


async def no_wait(_seconds: float) -> None:
    return None


async def test_a_post_is_repeated_like_metas(rig: Rig):
    """Answered 5xx or not at all: posted again, until it is taken."""
    answers = iter([503, None, 500, 200])

    async def handle(request: httpx.Request) -> httpx.Response:
        status = next(answers)
        if status is None:
            raise httpx.ReadError("reset")
        if status == 200:
            return await rig.webhook(request.content, **{"X-Hub-Signature-256": request.headers["x-hub-signature-256"]})
        return httpx.Response(status)

    workload = make_workload(60, 1)
    async with httpx.AsyncClient(transport=httpx.MockTransport(handle)) as http:
        posted = await post_all(workload.bodies[:1], "http://x" + WEBHOOK_PATH, APP_SECRET, http, no_wait)
    assert (posted.posts, posted.repeats) == (1, 3)


async def test_a_post_is_not_repeated_for_ever():
    """There is a bound to patience, and a refusal is not repeated at all."""
    calls = []

    async def handle(request: httpx.Request) -> httpx.Response:
        calls.append(request)
        return httpx.Response(503 if request.url.path == "/busy" else 403, text="no")

    async with httpx.AsyncClient(transport=httpx.MockTransport(handle)) as http:
        with pytest.raises(Unreachable, match="answered 503"):
            await post_all((b"{}",), "http://x/busy", "s", http, no_wait)
        assert len(calls) == TRIES
        with pytest.raises(Rejected, match="refused"):
            await post_all((b"{}",), "http://x/other", "s", http, no_wait)
        assert len(calls) == TRIES + 1


@pytest.mark.parametrize("module", ["service", "service.rehearsal"])
def test_help_has_an_example(module: str):
    """Each command's help shows how it is called."""
    arguments = ["send", "--help"] if module == "service" else ["--help"]
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "Example: python -m" in " ".join(done.stdout.split())


@pytest.mark.parametrize(
    ("arguments", "env", "status", "said"),
    [
        (["service", "send", "message", "--url", "http://127.0.0.1:9/x"], {}, 2, "INSTAGRAM_APP_SECRET is not set"),
        (["service", "send", "nonsense", "--url", "http://127.0.0.1:9/x"], {}, 2, "'nonsense'"),
        (["service", "send", "message", "--url", "nowhere"], {"INSTAGRAM_APP_SECRET": "s"}, 2, "'nowhere'"),
        (["service", "send", "message", "--url", "http://[::1"], {"INSTAGRAM_APP_SECRET": "s"}, 2, "'http://[::1'"),
        (["service", "send"], {}, 2, "Missing argument"),
        (
            ["service", "send", "message", "--url", "http://127.0.0.1:9/x"],
            {"INSTAGRAM_APP_SECRET": "s"},
            1,
            "127.0.0.1:9",
        ),
        (["service.rehearsal", "--url", "http://127.0.0.1:9/x"], {}, 2, "INSTAGRAM_APP_SECRET is not set"),
    ],
)
def test_commands_fail_in_one_line(arguments: list[str], env: dict[str, str], status: int, said: str):
    """Misuse is 2, bad news is 1, each in one line that names what to mend."""
    done = invoked(import_module(f"{arguments[0]}.__main__")._APP, *arguments[1:], **env)
    assert (done.returncode, done.stdout) == (status, "")
    assert done.stderr.count("\n") == 1
    assert said in done.stderr
