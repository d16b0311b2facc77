"""The requests that publish, made while they are sent: a publisher pays for its JSON, too."""

from __future__ import annotations

import json
from collections.abc import Iterator

from bench.engine.http1 import post
from bench.engine.local import TOKEN
from bench.engine.payload import body, chunks
from bench.engine.process import LOOPBACK

__all__ = ["BATCH", "batches", "singles"]

BATCH = 100
_HEADERS = (("Authorization", f"Bearer {TOKEN}"), ("Content-Type", "application/json"))


def batches(url: str, first: int, count: int, *, delay: str | None = None, spread_s: int = 0) -> Iterator[bytes]:
    """Requests of 100 messages each to ``url``, numbered from ``first`` on, with three retries after the first attempt.

    ``spread_s``: each is held up by an hour and a share of this time, evenly.
    """
    headers = {"Content-Type": "application/json", "Upstash-Retries": "3"}
    if delay is not None:
        headers["Upstash-Delay"] = delay
    for numbers in chunks(first, count, BATCH):
        if spread_s:
            headers["Upstash-Delay"] = f"{3600 + numbers.start * 7919 % spread_s}s"
        items = [{"destination": url, "headers": headers, "body": body(number)} for number in numbers]
        yield post("/v2/batch", LOOPBACK, _HEADERS, json.dumps(items).encode())


def singles(url: str, first: int, count: int, *, delay: str) -> Iterator[bytes]:
    """Requests of one message each, held up by ``delay``."""
    headers = (*_HEADERS, ("Upstash-Retries", "3"), ("Upstash-Delay", delay))
    for number in range(first, first + count):
        yield post(f"/v2/publish/{url}", LOOPBACK, headers, body(number).encode())
