"""A range of the log pulled from a service that takes 50 ms for a page: `qs.logs` against the official SDK's loop.

``python -m bench.pulling WHO COUNT URL``; prints log entries per second, after counting that each came once and that no
request was above the limit.
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
import time
from collections.abc import Callable, Sequence
from urllib.request import urlopen

from bench.frame import Contender, Peer, Row
from bench.pages import FROM_MS, STEP_MS
from bench.served import served

_DELAY_MS = 50
_ENTRIES = 400_000
#: Requests a second, and what is to be reached of them; a page has a thousand entries.
_LIMIT = 100
_SHARE = 0.9


def ours(count: int, url: str) -> float:
    """`qs.logs` of a range, to its frame; pandas is loaded before, as it is in a notebook."""
    import os

    import pandas  # noqa: F401

    import qsops

    os.environ.update(QSTASH_URL=url, QSTASH_TOKEN="token", QSOPS_DOTENV="off")
    with qsops.connect("env") as qs:
        start = time.perf_counter()
        frame = qs.logs(FROM_MS, _last(count))
        seconds = time.perf_counter() - start
    _check(count, len(frame), len(frame.drop_duplicates(["message_id", "state"])))
    with urlopen(f"{url}/refused") as answer:
        if refused := int(answer.read()):
            raise SystemExit(f"{refused} requests were above the limit")
    return seconds


def sdk_loop(count: int, url: str) -> float:
    """The loop that the SDK's documentation shows, a thousand at a time. It prints each page: to nowhere, here."""
    from qstash import QStash

    client = QStash("token", base_url=url)
    found, cursor = [], None
    start = time.perf_counter()
    with contextlib.redirect_stdout(io.StringIO()):
        while True:
            page = client.log.list(cursor=cursor, count=1000, filter={"from_time": FROM_MS, "to_time": _last(count)})
            found += page.logs
            cursor = page.cursor
            if cursor is None:
                break
    seconds = time.perf_counter() - start
    _check(count, len(found), len({(entry.message_id, entry.state) for entry in found}))
    return seconds


def _last(count: int) -> int:
    return FROM_MS + count * STEP_MS - 1


def _check(count: int, came: int, distinct: int) -> None:
    if (came, distinct) != (count, count):
        raise SystemExit(f"{came} entries came, {distinct} of them distinct, of {count}")


def with_limit() -> tuple[Sequence[str], Callable[[], None]]:
    """As :func:`with_log`, under the limit that the vendor's console shows for a free account."""
    return served("bench.pages", str(_ENTRIES), str(_DELAY_MS), str(_LIMIT))


def with_log() -> tuple[Sequence[str], Callable[[], None]]:
    """Start the service; its URL, and how to end it."""
    return served("bench.pages", str(_ENTRIES), str(_DELAY_MS))


ROW = Row(
    title="logs pulled, 50 ms a page of 1,000",
    unit="entries/s",
    ours=Contender("qs.logs", "bench.pulling", ("ours", str(_ENTRIES))),
    # At a twentieth of a second a page, 40 of them say what 400 would.
    peers=(Peer(Contender("SDK log.list, loop", "bench.pulling", ("sdk_loop", "40000")), goal=10),),
    prepare=with_log,
)
LIMITED = Row(
    title=f"logs pulled, 50 ms a page of 1,000, {_LIMIT} requests a second",
    unit="entries/s",
    ours=Contender("qs.logs", "bench.pulling", ("ours", str(_ENTRIES))),
    floor=_SHARE * _LIMIT * 1_000,
    prepare=with_limit,
)


def main(who: str, count: int, url: str) -> None:
    """Pull as ``who``."""
    print(json.dumps({"figure": count / {"ours": ours, "sdk_loop": sdk_loop}[who](count, url)}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3])
