"""Dead letters: list them as a frame, publish them anew, drop them; each row's outcome is reported."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from qsops.client import Client
from qsops.client.cursors import Cursors
from qsops.errors import AuthError, OutcomeUnknown, QsopsError, RateLimited, Rejected, SettingsError
from qsops.models import DeadLetter, DlqFilter, Headers, Publish
from qsops.wire.dlq import DLQ_LIMIT
from qsops.wire.options import encode_options

if TYPE_CHECKING:  # pandas takes a third of a second to load, which retrying and deleting do without.
    import pandas as pd

__all__ = ["Retried", "chosen", "delete", "frame", "overrides", "pages", "retried_frame", "retry"]

IN_FLIGHT: Final = 8
_PAGE_LIMIT: Final = 100_000

_TIMES: Final = ("failed_at", "created_at")
_DTYPES: Final = dict.fromkeys(("max_retries", "response_status", *_TIMES), "Int64")


@dataclass(frozen=True, slots=True)
class Retried:
    """What became of one dead letter: the new message, or why there is none."""

    dlq_id: str
    message_id: str | None = None
    error: str | None = None


def chosen(ids: str | Sequence[str] | None, which: DlqFilter, *, everything: bool) -> DlqFilter:
    """What a verb shall act on. To name nothing means everything on the wire, so here it has to be said.

    :raises SettingsError: neither ids, nor a filter, nor ``everything``; or an empty list of ids.
    """
    if ids is not None:
        named = (ids,) if isinstance(ids, str) else tuple(ids)
        if not named or not all(isinstance(one, str) and one.strip() for one in named):
            raise SettingsError(f"ids: expected ids of dead letters, got {ids!r}")
        return DlqFilter(dlq_ids=named)
    if which == DlqFilter() and not everything:
        raise SettingsError("name ids or a filter (url, label, queue, response_status, since, until), or all=True")
    # The wire refuses a bulk call without any filter; this one says of everything that it is meant.
    return replace(which, from_ms=0) if which == DlqFilter() else which


async def pages(client: Client, which: DlqFilter, limit: int | None = None) -> AsyncIterator[DeadLetter]:
    """The dead letters that ``which`` names, page after page, at most ``limit``.

    :raises Corrupt: when the service's cursor leads in a circle, or there are more than 100,000 pages.
    """
    cursor: str | None = None
    cursors = Cursors("DLQ", _PAGE_LIMIT, "name a filter or a limit")
    given = 0
    while limit is None or given < limit:
        page = await client.dead_letters(which, cursor, DLQ_LIMIT if limit is None else min(DLQ_LIMIT, limit - given))
        for letter in page.items:
            given += 1
            yield letter
        cursor = page.cursor
        if cursor is None:
            return
        cursors.follow(cursor)


async def retry(
    client: Client, which: DlqFilter, overrides: Headers = (), report: Callable[[int], object] = int
) -> list[Retried]:
    """Publish each dead letter anew, one request a letter, so that each new id stands beside its old one.

    One that is gone, or is refused, is an outcome with an error. A lost answer is one too: it is never asked again.

    :raises ServiceError: QStash cannot be reached, or the token is no good.
    """
    ids = which.dlq_ids or tuple([letter.dlq_id async for letter in pages(client, which)])
    outcomes: list[Retried | None] = [None] * len(ids)
    waiting = iter(enumerate(ids))
    failures: list[QsopsError] = []

    async def worker() -> None:
        for position, dlq_id in waiting:
            try:
                outcomes[position] = await _retry(client, dlq_id, overrides)
            except QsopsError as error:
                failures.append(error)
            if failures:
                return
            report(1)

    # On a failure the others finish what they have sent, so that as few letters as can be are left unknown.
    await asyncio.gather(*(worker() for _ in range(IN_FLIGHT)))
    if failures:
        raise failures[0]
    return [outcome for outcome in outcomes if outcome is not None]


async def _retry(client: Client, dlq_id: str, overrides: Headers) -> Retried:
    try:
        return Retried(dlq_id, (await client.retry_dead_letter(dlq_id, overrides)).message_id)
    except (AuthError, RateLimited):
        raise
    except (Rejected, OutcomeUnknown) as error:
        return Retried(dlq_id, error=str(error))


async def delete(client: Client, which: DlqFilter) -> int:
    """Drop what ``which`` names for good: how many."""
    ids = which.dlq_ids
    if len(ids) <= DLQ_LIMIT:
        return await client.delete_dead_letters(which)
    return sum(
        [
            await client.delete_dead_letters(DlqFilter(dlq_ids=ids[start : start + DLQ_LIMIT]))
            for start in range(0, len(ids), DLQ_LIMIT)
        ]
    )


def overrides(options: Publish) -> Headers:
    """The options of ``options`` as the headers that replace those of a dead letter; its method stays its own."""
    return tuple((name, value) for name, value in encode_options(options) if name != "Upstash-Method")


def frame(letters: Sequence[DeadLetter], *, bodies: bool = False) -> pd.DataFrame:
    """Dead letters as a frame, one row each; texts of messages and answers only with ``bodies``."""
    import pandas as pd

    from qsops.frames import fitting

    table = {name: [fitting(value) for value in values] for name, values in _columns(letters).items()}
    if bodies:
        table["body"] = [_text(letter.message.body) for letter in letters]
        table["response_body"] = [_text(letter.response_body) for letter in letters]
    made = pd.DataFrame(table).astype({name: _DTYPES.get(name, "str") for name in table})
    for name in _TIMES:
        made[name] = pd.to_datetime(made[name], unit="ms", utc=True).astype("datetime64[us, UTC]")
    return made


def retried_frame(retried: Sequence[Retried]) -> pd.DataFrame:
    """What became of each dead letter, one row each: dlq_id, message_id, error."""
    import pandas as pd

    names = ("dlq_id", "message_id", "error")
    return pd.DataFrame({name: [getattr(one, name) for one in retried] for name in names}).astype("str")


def _columns(letters: Sequence[DeadLetter]) -> dict[str, list[Any]]:
    return {
        "dlq_id": [letter.dlq_id for letter in letters],
        "failed_at": [_failed_at_ms(letter.dlq_id) for letter in letters],
        "message_id": [letter.message.message_id for letter in letters],
        "url": [letter.message.url for letter in letters],
        "url_group": [letter.message.url_group for letter in letters],
        "queue": [letter.message.queue for letter in letters],
        "label": [next(iter(letter.message.labels), None) for letter in letters],
        "method": [letter.message.method for letter in letters],
        "created_at": [letter.message.created_at_ms for letter in letters],
        "max_retries": [letter.message.max_retries for letter in letters],
        # 0 is the wire's word for "there was no answer".
        "response_status": [letter.response_status or None for letter in letters],
    }


def _text(body: bytes) -> str:
    return body.decode(errors="replace")


def _failed_at_ms(dlq_id: str) -> int | None:
    """A dead letter's id is ``<unix ms>-<n>``; one of another form tells no time."""
    head = dlq_id.partition("-")[0]
    return int(head) if head.isascii() and head.isdigit() else None
