import inspect
import subprocess
import sys
from typing import Any

import pytest

import qsops
from qsops.clock import EPOCH_MS, ManualClock, SystemClock
from qsops.errors import SettingsError
from qsops.publish import message


@pytest.mark.parametrize(
    ("statement", "unloaded"),
    [
        ("import qsops", ["pandas", "pyarrow", "httpx", "altair", "aiohttp", "qstash"]),
        ("import qsops; qsops.errors.QsopsError", ["pandas", "pyarrow", "httpx", "altair", "aiohttp", "qstash"]),
        (
            "import qsops; qs = qsops.connect(); qs.publish('https://a.example', json=1); qs.close()",
            ["pandas", "pyarrow", "altair", "qstash"],
        ),
    ],
)
def test_nothing_heavy_is_loaded_before_it_is_used(statement: str, unloaded: list[str]):
    """`import qsops` costs next to nothing, and publishing does not pay for frames."""
    code = f"{statement}\nimport sys\nprint([name for name in {unloaded} if name in sys.modules])"
    ran = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def test_the_public_names_are_there_and_no_others():
    """What __all__ names can be had by its name, and a misspelt one is an AttributeError like any other."""
    assert sorted(qsops.__all__) == dir(qsops)
    assert all(hasattr(qsops, name) for name in qsops.__all__)
    with pytest.raises(AttributeError, match="conect"):
        _ = qsops.conect


def test_help_shows_what_publish_takes():
    """In a notebook `qs.publish?` and completion show every argument, not `**options`."""
    with qsops.connect() as qs:
        assert list(inspect.signature(qs.publish).parameters) == list(inspect.signature(message).parameters)


def test_the_same_seed_makes_the_same_ids():
    """A notebook prints the same bytes on every run, and another seed makes another run."""

    def ids(seed: int) -> list[str]:
        with qsops.connect(seed=seed) as qs:
            return [qs.publish("https://a.example", json=n).message_id for n in range(3)]

    assert ids(7) == ids(7)
    assert ids(7) != ids(8)


def test_an_embedded_session_runs_on_the_clock_it_is_given():
    """The default stands at 2026-01-01; a caller's manual clock is used as it is; a real one cannot be moved."""
    with qsops.connect() as qs:
        assert qs.clock.now_ms() == EPOCH_MS
    clock = ManualClock(EPOCH_MS + 5)
    with qsops.connect(clock=clock) as qs:
        qs.advance("1s")
        assert qs.clock is clock
    assert clock.now_ms() == EPOCH_MS + 1005
    with pytest.raises(SettingsError, match="ManualClock"):
        qsops.connect(clock=SystemClock())


@pytest.mark.parametrize("by", ["x", "-1h", "1.5h", -5, True])
def test_a_span_that_is_none_moves_no_clock(by: Any):
    """It is refused by its name and value, at once."""
    with qsops.connect() as qs:
        with pytest.raises(SettingsError, match="by: "):
            qs.advance(by)
        assert qs.clock.now_ms() == EPOCH_MS


def test_a_token_that_happens_to_be_set_changes_nothing(monkeypatch: pytest.MonkeyPatch):
    """The target is named, never guessed: without a name it is the engine in this process."""
    monkeypatch.setenv("QSTASH_TOKEN", "production-canary")
    with qsops.connect() as qs:
        assert qs.target.kind == "embedded"
        assert "canary" not in f"{qs!r}{qs.target!r}"


def test_an_unknown_target_is_named():
    """A misspelt target opens nothing."""
    with pytest.raises(SettingsError, match="prodd"):
        qsops.connect("prodd")


def test_a_coroutine_can_run_where_the_sessions_client_lives():
    """What is bound to the session's loop, its async client among it, can be used from sync code."""
    with qsops.connect() as qs:
        assert qs.run(qs.client.keys) == qs.keys.show()
