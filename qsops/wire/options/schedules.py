"""The options of a schedule: when it falls due, what it is called, and the message that it makes each time."""

from __future__ import annotations

from typing import Final

from qsops.errors import Rejected
from qsops.models import DEFAULT_METHOD, Headers, Publish, ScheduleSpec
from qsops.wire import texts
from qsops.wire.names import check_name
from qsops.wire.options.options import CRON, decode_collected, encode_options
from qsops.wire.options.reading import collect, with_parameters

__all__ = ["decode_schedule", "encode_schedule", "encode_template"]

_QUEUE: Final = "Upstash-Queue-Name"
_SCHEDULE_ID: Final = "Upstash-Schedule-Id"
_NOT_BEFORE: Final = "upstash-not-before"
#: Checked when a schedule is made (reference, section 8): what it makes afterwards is new each time.
_ONCE: Final = frozenset(["upstash-deduplication-id", "upstash-content-based-deduplication"])
#: A group's default method is to reach a message whose schedule names none.
_UNSAID: Final = ("Upstash-Method", DEFAULT_METHOD)


def encode_schedule(spec: ScheduleSpec) -> Headers:
    """``spec`` without its destination and body, as headers."""
    found = [("Upstash-Cron", spec.cron), *encode_options(spec.publish)]
    if spec.schedule_id is not None:
        found.append((_SCHEDULE_ID, spec.schedule_id))
    return (*found, *_queue(spec.publish))


def encode_template(publish: Publish) -> Headers:
    """What a schedule keeps of ``publish``: the headers from which ``decode_options`` makes a message each time."""
    kept = (pair for pair in encode_options(publish) if pair[0].lower() not in _ONCE and pair != _UNSAID)
    return (*kept, *_queue(publish))


def decode_schedule(destination: str, headers: Headers, body: bytes = b"", query: str = "") -> ScheduleSpec:
    """The schedule that ``headers``, and ``upstash-…`` parameters of ``query``, ask for; its cron is trimmed.

    :raises Rejected: 400, naming the header and its value; also without a cron, and for ``Upstash-Not-Before``.
    """
    headers = with_parameters(headers, query)
    options = collect(headers)
    cron, schedule_id = options.get(CRON), options.get(_SCHEDULE_ID.lower())
    if cron is None:
        raise Rejected(400, texts.CRON_MISSING)
    if _NOT_BEFORE in options:
        raise Rejected(400, texts.NOT_BEFORE_ON_SCHEDULE)
    if schedule_id is not None:
        check_name("schedule", schedule_id)
    return ScheduleSpec(cron, decode_collected(destination, options, headers, body), schedule_id)


def _queue(publish: Publish) -> Headers:
    return () if publish.queue is None else ((_QUEUE, publish.queue),)
