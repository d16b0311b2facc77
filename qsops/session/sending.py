"""The verbs that change something at QStash: publish, publish_many, cancel."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, Unpack, overload

from qsops import publish as sending
from qsops.models import Receipt
from qsops.publish import Key, Options
from qsops.session.bulk import publish_rows
from qsops.session.windows import Texts, cancel_filter
from qsops.session.wiring import Wiring

if TYPE_CHECKING:  # pandas takes a third of a second to load, which publishing does without.
    import pandas as pd

__all__ = ["Sending"]


F = TypeVar("F", bound=Callable[..., Any])


def _shown_as(function: Callable[..., Any]) -> Callable[[F], F]:
    """Let help and completion show the arguments of ``function``, to which the method hands its own."""

    def shown(method: F) -> F:
        signature = inspect.signature(function)
        own = inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD)
        method.__dict__["__signature__"] = signature.replace(
            parameters=[own, *signature.parameters.values()], return_annotation="Receipt | list[Receipt]"
        )
        return method

    return shown


class Sending:
    """What a session sends, on the parts of ``wiring``."""

    _wiring: Wiring

    @overload
    def publish(
        self, url: str, *, json: Any = ..., body: bytes | str | None = ..., **options: Unpack[Options]
    ) -> Receipt: ...

    @overload
    def publish(
        self, *, group: str, json: Any = ..., body: bytes | str | None = ..., **options: Unpack[Options]
    ) -> list[Receipt]: ...

    @_shown_as(sending.message)
    def publish(self, url: str | None = None, *, group: str | None = None, **options: Any) -> Receipt | list[Receipt]:
        """Publish one message to a URL, or to each endpoint of a URL group: then one receipt for each.

        ``json`` is sent as JSON, ``body`` as it is. ``delay`` and ``timeout`` are seconds, a timedelta or a text such
        as ``"1h30m"``; ``not_before`` is unix seconds or a datetime with a zone; ``retry_delay`` an expression in
        milliseconds over ``retried``. With ``queue`` it is enqueued. A lost answer is asked for again under a
        deduplication id, so it makes no duplicate.

        :raises SettingsError: an argument is missing, malformed, or contradicts another.
        :raises ReadOnly: the session was not opened for writing.
        """
        self._wiring.need_write("publish")
        message = sending.message(url, group=group, **options)
        client = self._wiring.client("publish")
        receipts = self._wiring.portal.call(lambda: client.publish(message))
        self._wiring.published.update(receipt.message_id for receipt in receipts)
        return receipts if group is not None else receipts[0]

    def publish_many(
        self,
        rows: Any,
        *,
        key: Key = "key",
        journal: str | Path | None = None,
        url: str | None = None,
        group: str | None = None,
        resend_unknown: bool = False,
        progress: bool | None = None,
        **options: Unpack[Options],
    ) -> pd.DataFrame:
        """Publish rows, a frame, or a file (JSONL, CSV, parquet) in batches: a frame of key, message_id,
        deduplicated, error, in the order of the rows.

        A row's columns that are named as arguments of ``publish`` are those arguments; the rest is its JSON body,
        unless it has a column ``json`` or ``body``. What all rows share is given here by name. ``key`` is the column,
        or a function of the row, that names a message once: it makes the deduplication id, and by it an interrupted
        call resumes from ``journal``, a file (default: one under ``.qsops/publish`` for each target and destination;
        on the embedded engine, which forgets, none). A row that was taken before is reported as deduplicated.

        :raises SettingsError: the rows cannot be read, or a shared argument is malformed.
        :raises ServiceError: sending had to stop; the journal holds what was taken, and the same call resumes.
        """
        self._wiring.need_write("publish_many")
        fixed = {name: value for name, value in {"url": url, "group": group, **options}.items() if value is not None}
        return publish_rows(self._wiring, rows, key, fixed, journal, resend_unknown=resend_unknown, progress=progress)

    def cancel(
        self,
        ids: Texts | None = None,
        *,
        url: Texts | None = None,
        label: Texts | None = None,
        queue: Texts | None = None,
        all: bool = False,
    ) -> int:
        """Cancel pending messages by id or filter: how many. An attempt in flight may still land.

        :raises SettingsError: neither ids nor a filter nor ``all=True``.
        """
        self._wiring.need_write("cancel")
        which = cancel_filter(ids, url=url, label=label, queue=queue, everything=all)
        client = self._wiring.client("cancel")
        return self._wiring.portal.call(lambda: client.cancel(which))
