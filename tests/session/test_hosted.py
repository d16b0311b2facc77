import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

import qsops
from qsops.clock import ManualClock
from qsops.errors import AuthError, QsopsError, RateLimited, ReadOnly, SettingsError, Unreachable
from qsops.session import Session
from tests.session.conftest import CURRENT, NEXT, Opener
from tests.standins.hosted import HostedQStash

URL = "https://example.com/hook"
ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    "write",
    [
        lambda qs: qs.publish(URL, json=1),
        lambda qs: qs.publish_many([{"key": 1}], url=URL),
        lambda qs: qs.cancel("msg_1"),
        lambda qs: qs.cancel(all=True),
        lambda qs: qs.dlq.retry("1-1"),
        lambda qs: qs.dlq.delete(all=True),
        lambda qs: qs.keys.rotate(),
        lambda qs: qs.queues.upsert("q"),
        lambda qs: qs.queues.pause("q"),
        lambda qs: qs.queues.resume("q"),
        lambda qs: qs.queues.delete("q"),
        lambda qs: qs.schedules.upsert("* * * * *", URL),
        lambda qs: qs.schedules.pause("s"),
        lambda qs: qs.schedules.resume("s"),
        lambda qs: qs.schedules.delete("s"),
        lambda qs: qs.groups.upsert("g", URL),
        lambda qs: qs.groups.remove("g", URL),
        lambda qs: qs.groups.set_defaults("g", {}),
        lambda qs: qs.groups.delete("g"),
        lambda qs: qs.flow.pause("k"),
        lambda qs: qs.flow.resume("k"),
        lambda qs: qs.flow.pin("k", rate=1),
        lambda qs: qs.flow.unpin("k"),
        lambda qs: qs.flow.reset_rate("k"),
        lambda qs: qs.request("POST", URL),
        lambda qs: qs.sdk.message.publish(url=URL, body="x"),
        lambda qs: qs.sdk.signing_key.rotate(),
    ],
)
def test_a_hosted_session_only_reads(opened: Opener, hosted: HostedQStash, write: Callable[[Session], object]):
    """Without write=True nothing leaves that could change a real account, by whichever way it is tried."""
    with pytest.raises(ReadOnly, match="write=True"):
        write(opened(write=False))
    assert hosted.seen == []


def test_a_session_that_only_reads_does_read(opened: Opener, hosted: HostedQStash):
    """A read-only token of the account is enough for logs, dead letters and keys."""
    hosted.log("DELIVERED", message_id="msg_1")
    qs = opened(write=False, token=hosted.read_only_token)
    assert list(qs.logs()["message_id"]) == ["msg_1"]
    assert qs.dlq.list().empty
    assert qs.keys.show().current


@pytest.mark.parametrize(
    ("verb", "call"),
    [
        ("logs", lambda qs: qs.logs()),
        ("publish", lambda qs: qs.publish(URL, json=1)),
        ("dlq.list", lambda qs: qs.dlq.list()),
        ("sdk", lambda qs: qs.sdk),
    ],
)
def test_a_missing_token_is_named_by_the_verb_that_needs_it(opened: Opener, verb: str, call: Callable):
    """Settings are checked per verb: one line names the variable."""
    with pytest.raises(SettingsError, match=rf"^{verb} .*QSTASH_TOKEN"):
        call(opened(token=None))


@pytest.mark.parametrize(
    "call", [lambda qs: qs.advance("1h"), lambda qs: qs.mount(URL, None)], ids=["advance", "mount"]
)
def test_time_and_apps_are_ours_on_the_embedded_engine_alone(opened: Opener, call: Callable):
    """Elsewhere such a verb is one clear line that says what to do instead."""
    with pytest.raises(SettingsError, match=r"embedded engine alone.*settle\(\)"):
        call(opened())


def test_a_receiver_elsewhere_says_that_it_answers_for_itself(opened: Opener):
    """A notebook that runs on both keeps its cell: there is nothing to script, and it says so."""
    receiver = opened().receiver(URL, "500,200")
    assert repr(receiver) == f"the destination {URL} answers for itself"
    assert list(receiver.received) == []


def test_a_lost_answer_makes_no_duplicate(opened: Opener, hosted: HostedQStash):
    """The connection breaks after the service took the message: it is asked again, and there is one message."""
    hosted.lose(on="POST /v2/publish")
    receipt = opened().publish(URL, json=1)
    assert not receipt.deduplicated
    assert hosted.published == 1
    hosted.lose(on="POST /v2/batch")
    sent = opened().publish_many([{"key": n} for n in range(5)], url=URL, progress=False)
    assert hosted.published == 6
    assert sent["error"].isna().all()


def test_both_kinds_of_429_are_understood(opened: Opener, hosted: HostedQStash):
    """The per-second limit is waited out; the day's quota is raised with the moment at which it comes back."""
    hosted.burst(on="POST /v2/publish", reset_in_s=0)
    opened().publish(URL, json=1)
    assert hosted.published == 1
    hosted.daily(on="POST /v2/publish")
    with pytest.raises(RateLimited) as raised:
        opened().publish(URL, json=1)
    assert raised.value.kind == "daily"
    assert raised.value.reset_at_s


def test_settle_polls_until_what_was_published_is_finished(opened: Opener, hosted: HostedQStash):
    """Where time is real, settle returns when the log says that every message of this session has come to its end."""
    qs = opened()
    first, second = qs.publish(URL, json=1), qs.publish(URL, json=2)
    hosted.mark_delivered(first.message_id)
    with pytest.raises(QsopsError, match=f"1 message.s. not finished.*{second.message_id}"):
        qs.settle("0s")
    asked = len(hosted.seen)
    waiter = threading.Thread(target=qs.settle, args=("20s",))
    waiter.start()
    hosted.wait_for(1, matching=lambda seen: seen in hosted.seen[asked:])
    hosted.mark_failed(second.message_id)
    waiter.join(20)
    assert not waiter.is_alive()
    qs.settle("0s")


@pytest.mark.parametrize("ahead_ms", [0, 30_000])
def test_settle_without_own_messages_waits_for_what_was_logged(opened: Opener, hosted: HostedQStash, ahead_ms: int):
    """A service in between publishes for us: then every message since the session opened is waited for, even if our
    clock is ahead of the one that dates the log."""
    qs = opened(clock=ManualClock(hosted.now_ms + ahead_ms))
    hosted.log("CREATED", message_id="msg_others")
    with pytest.raises(QsopsError, match="msg_others"):
        qs.settle("0s")
    hosted.log("DELIVERED", message_id="msg_others")
    qs.settle("0s")


def test_no_secret_and_no_address_in_what_a_session_shows(opened: Opener, hosted: HostedQStash):
    """A banner is pasted into tickets: target, region, access and health, and nothing else."""
    qs = opened(write=False)
    assert "unknown" in repr(qs)
    shown = qs._repr_mimebundle_()
    assert [line.split(maxsplit=1) for line in shown["text/plain"].splitlines()] == [
        ["qsops", "session"],
        ["target", "prod (hosted)"],
        ["region", "EU_CENTRAL_1"],
        ["access", "read only"],
        ["health", "healthy"],
    ]
    everything = f"{qs!r}{qs._repr_html_()}{shown}{qs.target!r}{qs.keys!r}{qs.keys.show()!r}{qs.doctor()}{qs.health()}"
    for secret in (hosted.token, CURRENT, NEXT, qs.keys.show().current):
        assert secret not in everything
    assert " at 0x" not in f"{qs!r}{shown}{qs.keys!r}"


def test_a_repr_asks_nothing(opened: Opener, hosted: HostedQStash):
    """Debuggers and tracebacks call repr: it must not go over the network."""
    repr(opened())
    assert hosted.seen == []


@pytest.mark.parametrize(("status", "shown"), [(401, "refused"), (503, "unreachable")])
def test_health_says_what_is_wrong(opened: Opener, hosted: HostedQStash, status: int, shown: str):
    """A banner of a session that cannot work shows why."""
    hosted.refuse(status, "not today", on="GET /v2/keys")
    qs = opened()
    assert qs.health().status == shown
    assert "not today" in repr(qs)


def test_doctor_asks_once_and_judges(opened: Opener, hosted: HostedQStash, tmp_path: Path):
    """The session gathers the doctor's facts: what the settings say, against what the service says."""
    checks = {check.name: check for check in opened().doctor()}
    assert checks["token"].seen == "set, and accepted"
    assert checks["signing keys"].level == "fault"
    assert checks["age of the keys"].seen.startswith("unchanged for 0 days")
    kept = (tmp_path / ".qsops" / "keys.json").read_text()
    assert "sig_" not in kept
    assert len(hosted.seen) == 1


def test_doctor_works_where_nothing_can_be_written(opened: Opener, hosted: HostedQStash, tmp_path: Path):
    """On a read-only disk the age of the keys is unknown, and everything else is told."""
    qs = opened()
    shutil.rmtree(tmp_path / ".qsops", ignore_errors=True)
    (tmp_path / ".qsops").touch()
    names = {check.name for check in qs.doctor()}
    assert "age of the keys" not in names
    assert {"token", "reachability", "signing keys", "clock skew"} <= names


def test_doctor_works_without_a_token(opened: Opener, hosted: HostedQStash):
    """What is missing is the doctor's finding, not an error of its own."""
    checks = {check.name: check for check in opened(token=None).doctor()}
    assert checks["token"].level == "fault"
    assert hosted.seen == []


def test_an_engine_that_is_not_running_is_named_with_what_to_do(monkeypatch: pytest.MonkeyPatch):
    """`local` without an engine says how to start one."""
    monkeypatch.setenv("QSTASH_DEV_PORT", "9")
    with qsops.connect("local") as qs, pytest.raises(Unreachable, match="qsops engine"):
        qs.sdk.signing_key.get()


def test_a_wrong_token_is_an_auth_error(opened: Opener):
    """A token of another account or region is refused, and asking again does not help."""
    with pytest.raises(AuthError):
        opened(token="wrong").logs()


def test_ctrl_c_ends_a_long_job_and_the_same_call_resumes(opened: Opener, hosted: HostedQStash, tmp_path: Path):
    """An impatient person loses nothing: the interrupt comes at once, and the next run goes on where it stopped."""
    qs = opened()
    rows = [{"key": f"k{n}"} for n in range(3000)]
    gate = hosted.hold(on="POST /v2/batch")
    interrupter = threading.Thread(target=lambda: gate.reached.wait(20) and os.kill(os.getpid(), signal.SIGINT))
    interrupter.start()
    with pytest.raises(KeyboardInterrupt):
        qs.publish_many(rows, url=URL, progress=False)
    interrupter.join(20)
    gate.open()
    again = qs.publish_many(rows, url=URL, progress=False)
    assert again["error"].isna().all()
    assert hosted.published == 3000
    assert [path.name.startswith("prod-") for path in (tmp_path / ".qsops" / "publish").iterdir()] == [True]


@pytest.mark.parametrize("left_open", ["qsops.connect()", "qsops.connect('env')"])
def test_a_session_that_is_never_closed_ends_with_its_process(hosted: HostedQStash, left_open: str):
    """A script that forgets close() exits at once, without a warning and without a hanging thread."""
    code = f"import qsops\nqs = {left_open}\nprint(len(qs.dlq.list()))"
    settings = {"QSTASH_URL": hosted.url, "QSTASH_TOKEN": hosted.token, "QSOPS_DOTENV": "off", "PYTHONPATH": str(ROOT)}
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env={"PATH": os.environ["PATH"], **settings},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert (ran.stdout.strip(), ran.stderr) == ("0", "")


JOB = """
import qsops
rows = ({"key": f"k{n}", "n": n} for n in range(5000))
with qsops.connect("env", write=True) as qs:
    sent = qs.publish_many(rows, url="https://example.com/hook", progress=False, journal="job.jsonl")
    print(len(sent), int(sent["error"].isna().sum()))
"""


@pytest.mark.parametrize("batches", [1, 8, 12])
def test_killed_in_the_middle_it_resumes_without_loss_or_duplicate(hosted: HostedQStash, tmp_path: Path, batches: int):
    """kill -9 at any batch, and the same call again: each row reached the service once, by the service's own count."""
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "QSOPS_DOTENV": "off",
        "QSTASH_URL": hosted.url,
        "QSTASH_TOKEN": hosted.token,
    }
    command = [sys.executable, "-c", JOB]
    if batches <= 8:
        # These take effect, and their answers never come: the journal knows only that they were about to be sent.
        hosted.hold(times=batches, on="POST /v2/batch")
    child = subprocess.Popen(command, cwd=tmp_path, env=environment)
    hosted.wait_for(batches, matching=lambda seen: seen.path == "/v2/batch")
    child.send_signal(signal.SIGKILL)
    child.wait(20)
    assert hosted.published < 5000
    again = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    assert again.stdout.split() == ["5000", "5000"]
    assert hosted.published == 5000
    lines = (tmp_path / "job.jsonl").read_text().splitlines()
    assert sum(len(json.loads(line).get("accepted", ())) for line in lines) == 5000
