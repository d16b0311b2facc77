"""What steps and destinations are made of, drawn from whoever draws: Hypothesis, or a seed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol, TypeVar

from qsops.clock import ManualClock, SeededIds
from qsops.models import Callback, FlowControl, Publish

__all__ = [
    "ANSWERS",
    "GROUPS",
    "KEYS",
    "LABELS",
    "QUEUES",
    "SLOW",
    "URLS",
    "Draw",
    "Seeded",
    "draw_flow",
    "draw_publish",
    "draw_scripts",
]

T = TypeVar("T")

URLS: Final = tuple(f"https://{name}.test/hook" for name in ("a", "b", "c"))
BACK: Final = "https://back.test/callback"
FAILED: Final = "https://back.test/failed"
QUEUES: Final = ("first", "second")
KEYS: Final = ("one", "two")
GROUPS: Final = ("few", "many")
LABELS: Final = ("red", "blue")

#: No latency equals a timeout: which of the two comes first would be anybody's guess.
ANSWERS: Final = (
    *("200", "200", "201", "200 after=700ms", "204 after=20s", "200 after=1h"),
    *("500", "500 after=1s", "503 retry-after=3", "429 retry-after=0", "429 x-ratelimit-reset-requests=6m5s"),
    *("500 retry-after=90000", "500 retry-after=soon", "404 body=nobody", "301 location=https://elsewhere.test"),
    *("489", "489 upstash-nonretryable-error=true", "drop", "drop after=3s", "hang"),
)
#: Of destinations that take their time, so that an account soon has as much under way as it may.
SLOW: Final = ("200 after=20s", "200 after=700ms", "200 after=45s", "500 after=20s", "200 after=1h", "hang")
_SCRIPT_LENGTH: Final = 6
_DELAYS_S: Final = (None, None, None, 1, 5, 60, 3_600)
_RETRIES: Final = (None, 0, 1, 2)
_RETRY_DELAYS: Final = (None, None, "1000", "pow(2, retried) * 1000", "0")
_TIMEOUTS_S: Final = (None, None, 2, 10)
_CALLBACK_RETRIES: Final = (None, 0, 1)
_NAMES: Final = ("n1", "n2")


class Draw(Protocol):
    """A source of chance."""

    def choice(self, values: Sequence[T]) -> T:
        """One of ``values``; the first are the simplest."""
        ...


class Seeded:
    """Chance that is a function of a seed."""

    def __init__(self, seed: int) -> None:
        self._ids = SeededIds(ManualClock(), seed)

    def choice(self, values: Sequence[T]) -> T:
        return values[int(self._ids.uniform() * len(values))]


def draw_scripts(draw: Draw, answers: Sequence[str] = ANSWERS) -> dict[str, str]:
    """How each destination answers; the last answer is given for ever, so it does not hang."""
    return {url: _draw_script(draw, answers) for url in (*URLS, BACK, FAILED)}


def draw_publish(
    draw: Draw,
    *,
    queues: Sequence[str | None] = (None,),
    keys: Sequence[str | None] = (None,),
    groups: Sequence[str] = (),
    named: bool = True,
) -> Publish:
    """A message; ``named`` allows for one that counts as one with others."""
    key = draw.choice(keys)
    options = {"deduplication_id": draw.choice((None, None, *_NAMES))} if named else {}
    if named and draw.choice((False,) * 7 + (True,)):
        options = {"content_based_deduplication": True, "body": draw.choice((b"twin", b"other twin"))}
    return Publish(
        destination=draw.choice((*URLS, *groups)),
        method=draw.choice(("POST", "POST", "PUT")),
        headers=draw.choice(((), (("X-Tag", "t"),))),
        delay_s=draw.choice(_DELAYS_S),
        timeout_s=draw.choice(_TIMEOUTS_S),
        retries=draw.choice(_RETRIES),
        retry_delay=draw.choice(_RETRY_DELAYS),
        callback=_draw_callback(draw, BACK),
        failure_callback=_draw_callback(draw, FAILED),
        labels=draw.choice(((), *((label,) for label in LABELS))),
        queue=draw.choice(queues),
        flow_control=None if key is None else draw_flow(draw, key),
        **options,
    )


def draw_flow(draw: Draw, key: str) -> FlowControl:
    """Limits that are narrow enough to be met."""
    parallelism = draw.choice((1, 2, 3, None))
    rate = draw.choice((1, 2, 3) if parallelism is None else (None, 1, 2, 3))
    period_s = 1 if rate is None else draw.choice((1, 10, 60))
    return FlowControl(key, parallelism, rate, period_s)


def _draw_script(draw: Draw, answers: Sequence[str]) -> str:
    given = [draw.choice(answers) for _ in range(draw.choice(range(_SCRIPT_LENGTH)))]
    return ",".join([*given, draw.choice(answers[:-1])])


def _draw_callback(draw: Draw, url: str) -> Callback | None:
    if draw.choice((True, True, True, False)):
        return None
    return Callback(
        url,
        method=draw.choice(("POST", "PUT")),
        retries=draw.choice(_CALLBACK_RETRIES),
        retry_delay=draw.choice((None, "1000")),
        timeout_s=draw.choice((None, 2)),
    )
