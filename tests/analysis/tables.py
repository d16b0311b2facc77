"""Rows as no service should write them, to hold analyses against each other on."""

from __future__ import annotations

import numpy as np
import pandas as pd

from qsops import frames
from qsops.clock import EPOCH_MS

__all__ = ["any_attempts", "any_messages", "troubled_attempts"]

_URLS = ["https://a.example/x", "https://b.example/y", None]
_ERRORS = ["worker 17 is overloaded", "worker 9 is overloaded", "no answer within 10 s", None]
_BODIES = ["order 8a7f is unknown", "order 11 is unknown", "<html>busy</html>", None]
_OUTCOMES = ["delivered", "delivered", "delivered", "error", "error", "failed", "canceled", "in flight", None]
_STATES = ["DELIVERED", "DELIVERED", "FAILED", "ACTIVE", "SOMETHING_NEW"]
_SPAN_MS = 7_200_000


def any_attempts(seed: int, rows: int = 400) -> pd.DataFrame:
    """Attempts with any outcome, many of one millisecond, facts missing here and there; with the answers' bodies."""
    rng = np.random.default_rng(seed)
    started = EPOCH_MS + rng.integers(0, _SPAN_MS, rows) // 250 * 250
    duration = rng.integers(0, 20_000, rows)
    outcome = _pick(rng, _OUTCOMES, rows)
    ended = [name in ("delivered", "error", "failed") for name in outcome]
    message = rng.integers(0, rows // 2, rows)
    number = pd.Series(message).groupby(message).cumcount().to_numpy() + 1
    # A message is seen from its beginning or not: its attempts have numbers, or none of them has.
    whole = message % 5 > 0
    starts_known = rng.random(rows) < 0.9
    frame = pd.DataFrame(
        {
            "message_id": [f"msg_{n:03}" for n in message],
            "attempt": _nullable(number, whole),
            "url": [_URLS[n % len(_URLS)] for n in message],
            "label": [("order", None)[n % 2] for n in message],
            "queue": [("fast", "slow", None, "fast")[n % 4] for n in message],
            "started_at": _times(started, starts_known),
            "ended_at": _times(started + duration, ended),
            "duration_ms": _nullable(duration, starts_known & ended),
            "outcome": outcome,
            "response_status": _nullable(rng.choice([200, 404, 429, 500, 503], rows), rng.random(rows) < 0.8),
            "error": _pick(rng, _ERRORS, rows),
            "wait_ms": _nullable(rng.integers(0, 10**6, rows), number > 1),
        }
    )
    frame.loc[frame["outcome"].isna() | frame["ended_at"].isna(), ["response_status"]] = None
    return frames.cast(frame, frames.ATTEMPTS).assign(response_body=_pick(rng, _BODIES, rows))


def troubled_attempts(seed: int, destinations: int) -> pd.DataFrame:
    """First attempts, one a second, at destinations that fail now seldom, now often, now always."""
    rng = np.random.default_rng(seed)
    shares = [0.0, 0.01, 0.05, 0.15, 0.3, 0.5, 0.8, 1.0]
    failed = [
        np.concatenate([rng.random(rng.integers(1, 60)) < rng.choice(shares) for _ in range(rng.integers(1, 7))])
        for _ in range(destinations)
    ]
    sizes = [len(one) for one in failed]
    down = np.concatenate(failed)
    started = EPOCH_MS + 1_000 * np.concatenate([np.arange(size) for size in sizes])
    frame = pd.DataFrame(
        {
            "message_id": [f"msg_{n:05}" for n in range(len(down))],
            "attempt": 1,
            "url": np.repeat([f"https://d{n:03}.example" for n in range(destinations)], sizes),
            "started_at": _times(started, np.ones(len(down), dtype=bool)),
            "ended_at": _times(started + 100, np.ones(len(down), dtype=bool)),
            "outcome": np.where(down, "failed", "delivered"),
            "response_status": np.where(down, 503, 200),
        }
    )
    return frames.cast(frame.reindex(columns=any_attempts(seed, 10).columns[:-1]), frames.ATTEMPTS)


def any_messages(seed: int, rows: int = 400) -> pd.DataFrame:
    """The messages that :func:`any_attempts` of the same arguments are of, and as many that have none."""
    rng = np.random.default_rng([seed, 1])
    number = np.arange(rows)
    created = EPOCH_MS + rng.integers(0, _SPAN_MS, rows)
    took = rng.integers(0, 10**6, rows)
    state = _pick(rng, _STATES, rows)
    known = number % 5 > 0
    finished = np.array([name in ("DELIVERED", "FAILED") for name in state])
    delivered = np.array([name == "DELIVERED" for name in state])
    return frames.cast(
        pd.DataFrame(
            {
                "message_id": [f"msg_{n:03}" for n in number],
                "url": _pick(rng, _URLS, rows),
                "label": _pick(rng, ["order", None], rows),
                "queue": _pick(rng, ["fast", "slow", None], rows),
                "schedule_id": None,
                "created_at": _times(created, known),
                "finished_at": _times(created + took, finished),
                "state": state,
                "attempts": _nullable(rng.integers(0, 5, rows), known),
                "time_to_deliver_ms": _nullable(took, known & delivered),
                "last_status": None,
                "last_error": None,
            }
        ),
        frames.MESSAGES,
    )


def _pick(rng: np.random.Generator, values: list[str | None], rows: int) -> list[str | None]:
    return [values[n] for n in rng.integers(0, len(values), rows)]


def _nullable(values: np.ndarray, known: object) -> pd.Series:
    return pd.Series(values).astype("Int64").where(pd.Series(known, dtype=bool))


def _times(ms: np.ndarray, known: object) -> pd.Series:
    return pd.to_datetime(pd.Series(ms), unit="ms", utc=True).where(pd.Series(known, dtype=bool))
