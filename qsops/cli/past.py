"""What the analyses read: the live log, or an archive of it."""

from __future__ import annotations

import functools
import operator
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from qsops.cli.context import chosen, session_of
from qsops.cli.logs import LABEL, SINCE, UNTIL, URL
from qsops.cli.output import watched
from qsops.errors import SettingsError

if TYPE_CHECKING:
    from qsops.analysis.source import Rows

__all__ = ["Archive", "By", "Every", "Labels", "Past", "Since", "Until", "Urls", "moment_of", "past", "width"]


class By(StrEnum):
    """What rows are told apart by."""

    url = "url"
    label = "label"
    queue = "queue"


Since = Annotated[str | None, SINCE]
Until = Annotated[str | None, UNTIL]
Urls = Annotated[list[str] | None, URL]
Labels = Annotated[list[str] | None, LABEL]
Archive = Annotated[
    str | None,
    typer.Option("--archive", metavar="DIR", help="Read this archive (a folder or s3://…) instead of the live log."),
]
Every = Annotated[str | None, typer.Option("--every", metavar="SPAN", help="A row so often, such as 10m or 1h.")]


@dataclass(frozen=True, slots=True)
class Past:
    """Attempts and messages of a range; its ends are None where it was not bounded. ``now`` is the session's time."""

    attempts: Rows
    messages: Rows
    since: datetime | None
    until: datetime | None
    now: datetime


@contextmanager
def past(
    ctx: typer.Context,
    since: str | datetime | None,
    until: str | datetime | None,
    archive: str | None,
    *,
    url: list[str] | None = None,
    label: list[str] | None = None,
    under_way: bool = False,
) -> Iterator[Past]:
    """The past between ``since`` and ``until`` of the chosen target, or of ``archive``, which needs none.

    Of an archive: the messages that were created in that range, and the attempts that ended in it; with ``under_way``
    also those that began in it and ended later, as the live log has them, too.

    :raises SettingsError: both a target and an archive are named, or a time is none.
    """
    named = {"url": url or None, "label": label or None}
    if archive is not None:
        yield _archived(ctx, since, until, archive, named, under_way)
        return
    from qsops.session.windows import moment_ms

    with session_of(ctx) as session:
        now_ms = session.clock.now_ms()
        folded = session.folded(since, until, progress=watched(), **named)
        from_ms, to_ms = moment_ms("since", since, now_ms), moment_ms("until", until, now_ms)
        yield Past(folded.attempts, folded.messages, _moment(from_ms), _moment(to_ms), now=_time(now_ms))


def moment_of(option: str, value: str, now: datetime) -> datetime:
    """A time as ``--since`` takes it.

    :raises SettingsError: it is none.
    """
    from qsops.session.windows import moment_ms

    found = moment_ms(option, value, round(now.timestamp() * 1000))
    assert found is not None
    return _time(found)


def width(every: str) -> str:
    """``--every`` as the analyses spell it.

    :raises SettingsError: it is no span, or an empty one.
    """
    from qsops.session.windows import span_ms

    milliseconds = span_ms("every", every)
    if milliseconds <= 0:
        raise SettingsError(f"every: {every!r} is no width: name one such as 10m or 1h")
    return f"{milliseconds}ms"


def _archived(
    ctx: typer.Context,
    since: str | datetime | None,
    until: str | datetime | None,
    archive: str,
    named: dict[str, list[str] | None],
    under_way: bool,
) -> Past:
    import ibis

    from qsops.archive import open_archive
    from qsops.clock import SystemClock
    from qsops.session.windows import moment_ms

    if chosen(ctx).named is not None:
        raise SettingsError(f"--archive {archive} is read without a target: leave out --target {chosen(ctx).named}")
    now_ms = SystemClock().now_ms()
    from_ms, to_ms = moment_ms("since", since, now_ms), moment_ms("until", until, now_ms)
    if from_ms is not None and to_ms is not None and from_ms > to_ms:
        raise SettingsError(f"since {since!r} is after until {until!r}")
    opened = open_archive(archive)
    attempts, messages = opened.attempts(), opened.messages()
    if named["label"]:
        # Attempts and messages tell the first label alone, and the live log is asked for any.
        labelled = _labelled(opened.logs(), named["label"])
        attempts, messages = (table.semi_join(labelled, "message_id") for table in (attempts, messages))
    ended = ibis.coalesce(attempts.ended_ms, attempts.started_ms)
    if under_way and to_ms is not None:
        begun = _within(attempts, attempts.started_ms, None, to_ms, named["url"])
        tried = _within(begun, ibis.coalesce(begun.ended_ms, begun.started_ms), from_ms, None, None)
    else:
        tried = _within(attempts, ended, from_ms, to_ms, named["url"])
    return Past(
        tried,
        _within(messages, messages.created_ms, from_ms, to_ms, named["url"]),
        _moment(from_ms),
        _moment(to_ms),
        now=_time(now_ms),
    )


def _labelled(logs: Any, labels: list[str]) -> Any:
    """The ids of messages that have one of ``labels``, which stand between commas in a log."""
    between = "," + logs.labels + ","
    conditions = [between.contains(f",{label},") for label in labels]
    return logs.filter(functools.reduce(operator.or_, conditions)).select("message_id").distinct()


def _within(table: Any, at_ms: Any, from_ms: int | None, to_ms: int | None, urls: list[str] | None) -> Any:
    conditions = [table.url.isin(urls)] if urls else []
    conditions += [] if from_ms is None else [at_ms >= from_ms]
    conditions += [] if to_ms is None else [at_ms < to_ms]
    return table.filter(conditions) if conditions else table


def _moment(at_ms: int | None) -> datetime | None:
    return None if at_ms is None else _time(at_ms)


def _time(at_ms: int) -> datetime:
    from qsops.clock import utc

    return utc(at_ms)
