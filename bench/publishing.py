"""10,000 messages published to a service that answers after 30 ms: `publish_many` against the official SDK.

``python -m bench.publishing WHO COUNT URL``; prints messages per second, after the stub has said that each arrived.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path

from bench.frame import Contender, Peer, Row
from bench.served import served

_DELAY_MS = 30
_DESTINATION = "https://consumer.example.com/hook"
_BATCH = 100


def _rows(count: int) -> list[dict[str, object]]:
    return [{"url": _DESTINATION, "json": {"n": n, "text": f"Grüße 👋 {n}"}} for n in range(count)]


def ours(count: int, url: str) -> float:
    """`publish_many`, with its journal on disk, as it is; pandas is loaded before, as it is in a notebook."""
    import os

    import pandas  # noqa: F401

    import qsops

    os.environ.update(QSTASH_URL=url, QSTASH_TOKEN="token", QSOPS_DOTENV="off")
    rows = [{**row, "key": str(n)} for n, row in enumerate(_rows(count))]
    with tempfile.TemporaryDirectory() as folder, qsops.connect("env", write=True) as qs:
        start = time.perf_counter()
        frame = qs.publish_many(rows, key="key", journal=Path(folder) / "journal.jsonl")
        seconds = time.perf_counter() - start
    if frame["error"].notna().any():
        raise SystemExit(f"failed: {frame['error'].dropna().iloc[0]}")
    return seconds


def sdk_loop(count: int, url: str) -> float:
    """The loop that the SDK's documentation shows."""
    from qstash import QStash

    client = QStash("token", base_url=url)
    start = time.perf_counter()
    for row in _rows(count):
        client.message.publish_json(url=str(row["url"]), body=row["json"])
    return time.perf_counter() - start


def sdk_batch(count: int, url: str) -> float:
    """The SDK's `batch_json`, a hundred at a time."""
    from qstash import QStash

    client = QStash("token", base_url=url)
    items = [{"url": row["url"], "body": row["json"]} for row in _rows(count)]
    start = time.perf_counter()
    for at in range(0, count, _BATCH):
        client.message.batch_json(items[at : at + _BATCH])
    return time.perf_counter() - start


def with_stub() -> tuple[Sequence[str], Callable[[], None]]:
    """Start the stub in a process of its own; its URL, and how to end it."""
    return served("bench.stub", str(_DELAY_MS))


ROW = Row(
    title="10,000 messages published, 30 ms an answer",
    unit="messages/s",
    ours=Contender("publish_many", "bench.publishing", ("ours", "10000")),
    peers=(
        # At a thirtieth of a second a message, 300 of them say what 10,000 would.
        Peer(Contender("SDK publish_json, loop", "bench.publishing", ("sdk_loop", "300")), goal=50),
        Peer(Contender("SDK batch_json", "bench.publishing", ("sdk_batch", "10000")), goal=2),
    ),
    prepare=with_stub,
)


def main(who: str, count: int, url: str) -> None:
    """Publish as ``who``, and check the count at the receiver."""
    seconds = {"ours": ours, "sdk_loop": sdk_loop, "sdk_batch": sdk_batch}[who](count, url)
    with urllib.request.urlopen(f"{url}/count") as answer:
        arrived = json.load(answer)["distinct"]
    if arrived != count:
        raise SystemExit(f"{arrived} of {count} messages arrived")
    print(json.dumps({"figure": count / seconds}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3])
