"""What to know when reading an answer: what could not be replayed, in sentences."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from qsops.whatif.record import Kind, Past
from qsops.whatif.replay import Replayed

__all__ = ["of_parts", "of_past", "of_timeouts"]


def of_past(past: Past) -> Iterable[str]:
    """What holds under every policy."""
    if past.left_out:
        yield (
            f"{past.left_out} messages are left out: they were cancelled, or their beginning or their end is not in "
            "the record"
        )
    if past.queued:
        yield f"{past.queued} messages went through queues: that a retry holds up those behind it is not replayed"
    if all((one.kind == Kind.OK).all() for one in past.records):
        yield "no attempt of the record failed: to retry otherwise makes no difference"


def of_timeouts(past: Past, timeout_s: float | None) -> Iterable[str]:
    """Whether attempts were cut off before ``timeout_s``."""
    longest_ms = max(float(one.duration_ms[one.kind == Kind.HANG].max(initial=0)) for one in past.records)
    if timeout_s is not None and 0 < longest_ms < 1_000 * timeout_s - 1_000:
        yield (
            f"the record's timeouts end after {longest_ms / 1_000:g} s: it cannot tell whether an answer would come "
            f"within {timeout_s:g} s, and none is taken to"
        )


def of_parts(past: Past, would: Sequence[Replayed]) -> Iterable[str]:
    """Of which destinations only a part of the messages was drawn."""
    sampled = [one.url for one, drawn in zip(past.records, would, strict=True) if drawn.weight > 1]
    if sampled:
        yield f"of {', '.join(sampled)} an even part of the messages is replayed, and counts for all"
