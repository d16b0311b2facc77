"""The nouns of a session that have verbs of their own: dead letters and signing keys."""

from __future__ import annotations

import builtins
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from qsops import dlq
from qsops.models import DeadLetter, DlqFilter, KeyPair
from qsops.publish import message
from qsops.session.progress import reporting
from qsops.session.windows import Moment, Texts, dlq_filter
from qsops.session.wiring import Wiring

if TYPE_CHECKING:  # pandas takes a third of a second to load, which publishing does without.
    import pandas as pd

__all__ = ["DeadLetters", "Keys"]


class DeadLetters:
    """Messages that failed for good: ``qs.dlq``. Filters are those of the session's logs, by the time of failure."""

    def __init__(self, wiring: Wiring) -> None:
        self._wiring = wiring

    def list(
        self,
        since: Moment | None = None,
        until: Moment | None = None,
        *,
        url: Texts | None = None,
        label: Texts | None = None,
        queue: Texts | None = None,
        message_id: Texts | None = None,
        response_status: int | Sequence[int] | None = None,
        limit: int | None = None,
        bodies: bool = False,
    ) -> pd.DataFrame:
        """Dead letters as a frame, newest first, at most ``limit``; texts of messages and answers with ``bodies``."""
        which = dlq_filter(
            self._wiring.clock.now_ms(),
            since,
            until,
            url=url,
            label=label,
            queue=queue,
            message_id=message_id,
            response_status=response_status,
        )

        client = self._wiring.client("dlq.list")

        async def pull() -> builtins.list[DeadLetter]:
            return [letter async for letter in dlq.pages(client, which, limit)]

        return dlq.frame(self._wiring.portal.call(pull), bodies=bodies)

    def get(self, dlq_id: str) -> DeadLetter:
        """One dead letter with its body and the answer that decided it.

        :raises Rejected: 404, it is gone.
        """
        client = self._wiring.client("dlq.get")
        return self._wiring.portal.call(lambda: client.dead_letter(dlq_id))

    def retry(
        self,
        ids: Texts | None = None,
        *,
        since: Moment | None = None,
        until: Moment | None = None,
        url: Texts | None = None,
        label: Texts | None = None,
        queue: Texts | None = None,
        response_status: int | Sequence[int] | None = None,
        all: bool = False,
        delay: str | float | timedelta | None = None,
        retries: int | None = None,
        retry_delay: str | None = None,
        timeout: str | float | timedelta | None = None,
        progress: bool | None = None,
    ) -> pd.DataFrame:
        """Publish dead letters anew, as new messages: a frame of dlq_id, message_id, error.

        ``delay``, ``retries``, ``retry_delay`` and ``timeout`` replace what the message was published with.

        :raises SettingsError: neither ids nor a filter nor ``all=True``.
        """
        self._wiring.need_write("dlq.retry")
        which = self._chosen(ids, since, until, url, label, queue, response_status, everything=all)
        overrides = dlq.overrides(
            message("https://its.own", delay=delay, retries=retries, retry_delay=retry_delay, timeout=timeout)
        )
        client = self._wiring.client("dlq.retry")
        retried = reporting(
            self._wiring, "dlq.retry", lambda report: dlq.retry(client, which, overrides, report), None, progress
        )
        self._wiring.published.update(one.message_id for one in retried if one.message_id is not None)
        return dlq.retried_frame(retried)

    def delete(
        self,
        ids: Texts | None = None,
        *,
        since: Moment | None = None,
        until: Moment | None = None,
        url: Texts | None = None,
        label: Texts | None = None,
        queue: Texts | None = None,
        response_status: int | Sequence[int] | None = None,
        all: bool = False,
    ) -> int:
        """Drop dead letters for good: how many.

        :raises SettingsError: neither ids nor a filter nor ``all=True``.
        """
        self._wiring.need_write("dlq.delete")
        which = self._chosen(ids, since, until, url, label, queue, response_status, everything=all)
        client = self._wiring.client("dlq.delete")
        return self._wiring.portal.call(lambda: dlq.delete(client, which))

    def _chosen(
        self,
        ids: Texts | None,
        since: Moment | None,
        until: Moment | None,
        url: Texts | None,
        label: Texts | None,
        queue: Texts | None,
        response_status: int | Sequence[int] | None,
        *,
        everything: bool,
    ) -> DlqFilter:
        now_ms = self._wiring.clock.now_ms()
        which = dlq_filter(now_ms, since, until, url=url, label=label, queue=queue, response_status=response_status)
        return dlq.chosen(ids, which, everything=everything)


@dataclass(frozen=True, slots=True)
class Keys:
    """Signing keys: ``qs.keys``. A KeyPair never shows its keys; read them as its attributes."""

    _wiring: Wiring = field(repr=False)

    def show(self) -> KeyPair:
        """The account's signing keys."""
        return self._wiring.portal.call(self._wiring.client("keys.show").keys)

    def rotate(self) -> KeyPair:
        """Make the next key current and a new one next: the new pair.

        A receiver that has the old pair holds until the next rotation: give it the new one before that.
        """
        self._wiring.need_write("keys.rotate")
        return self._wiring.portal.call(self._wiring.client("keys.rotate").rotate_keys)
