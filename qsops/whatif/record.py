"""What was recorded of one destination: its messages with their attempts, as arrays."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum
from itertools import pairwise
from typing import Any, Final, Self

import numpy as np
import pandas as pd

from qsops.errors import SettingsError
from qsops.whatif.columns import NEVER_MS, Array, read_attempts, read_messages

__all__ = ["Kind", "Past", "Record", "past_of"]

_OWN_FAULT: Final = range(400, 500)
#: Of these the destination says itself that they pass.
_FOR_NOW: Final = (408, 425, 429)
_FINAL: Final = 489
_TIMEOUT: Final = r"time.?out|timed.out|deadline"
_ENDED: Final = ("delivered", "error", "failed")


class Kind(IntEnum):
    """How an attempt ended."""

    OK = 0
    #: An answer, or a broken connection, that says nothing against the message.
    DOWN = 1
    #: No answer until it was cut off.
    HANG = 2
    #: The message's own fault: it fails whenever it comes.
    OWN = 3
    #: The same, and the destination wants no retry (489).
    FINAL = 4


@dataclass(frozen=True, slots=True, eq=False)
class Record:
    """One destination. Attempts are by message and start; message ``m`` has those from ``first[m]`` to ``first[m+1]``.

    Times are unix milliseconds. ``counted`` are the messages that are replayed: those whose beginning and end are
    known. ``answered``: whether there was an answer. ``asked_ms`` is the wait that it asked for, NaN where it asked for
    none, or where no wait followed that could tell: ``waits`` says where one did.
    """

    url: str
    created_ms: Array
    counted: Array
    delivered: Array
    first: Array
    message: Array
    started_ms: Array
    ended_ms: Array
    kind: Array
    answered: Array
    asked_ms: Array
    waits: Array

    @property
    def duration_ms(self) -> Array:
        """How long each attempt took."""
        return self.ended_ms - self.started_ms

    def cut_off(self, timeout_s: float | None) -> Self:
        """The record as it had been under a shorter timeout: what took longer has failed, without an answer.

        So times at which a destination is slow are outages to those who do not wait.
        """
        cut = self.duration_ms > np.inf if timeout_s is None else self.duration_ms > 1_000 * timeout_s
        if timeout_s is None or not cut.any():
            return self
        return replace(
            self,
            ended_ms=np.where(cut, self.started_ms + round(1_000 * timeout_s), self.ended_ms),
            kind=np.where(cut, Kind.HANG, self.kind).astype(np.int8),
            answered=self.answered & ~cut,
            asked_ms=np.where(cut, np.nan, self.asked_ms),
        )


@dataclass(frozen=True, slots=True, eq=False)
class Past:
    """All destinations, and what of the record cannot be replayed."""

    records: tuple[Record, ...]
    left_out: int
    queued: int

    @property
    def messages(self) -> int:
        """How many are replayed."""
        return sum(int(one.counted.sum()) for one in self.records)

    @property
    def from_ms(self) -> int:
        """When the first attempt began."""
        return min(int(one.started_ms.min()) for one in self.records)

    @property
    def to_ms(self) -> int:
        """When the last attempt ended."""
        return max(int(one.ended_ms.max()) for one in self.records)


def past_of(attempts: Any, messages: Any, waits_ms: tuple[int, ...] | None = None) -> Past:
    """The past in frames or tables of attempts and messages.

    ``waits_ms`` are the waits of the policy that the messages were published with, as far as it is known; else the
    most frequent wait before each retry is taken for it. A wait that is another one was asked for by the destination.

    :raises SettingsError: there is no attempt, or none of a message that can be replayed.
    """
    tried = read_attempts(attempts)
    known = (tried["started_ms"] != NEVER_MS) & (tried["ended_ms"] != NEVER_MS) & tried["outcome"].isin(_ENDED)
    tried = tried[known & tried["url"].notna()]
    if tried.empty:
        raise SettingsError("what-if: there is no finished attempt in that range; widen it, or sync the archive first")
    found = read_messages(messages)
    # Both are in the order of ids: from here on the place among messages stands for the id, since texts are slow.
    place = pd.Index(found["message_id"]).get_indexer(pd.Index(tried["message_id"]))
    tried, place = tried[place >= 0], place[place >= 0]
    here, first = np.unique(place, return_index=True)
    codes, urls = pd.factorize(tried["url"].iloc[first], sort=True)
    of_message = np.full(len(found), -1)
    of_message[here] = codes
    parts = zip(_split(tried, of_message[place], len(urls)), _split(found, of_message, len(urls)), strict=True)
    records = tuple(_record(str(url), *part, waits_ms) for url, part in zip(urls, parts, strict=True))
    past = Past(
        records,
        left_out=len(found) - sum(int(one.counted.sum()) for one in records),
        queued=int(found["queue"].iloc[here].notna().sum()),
    )
    if past.messages == 0:
        raise SettingsError("what-if: no message in that range has both its beginning and its end there; widen it")
    return past


def _split(frame: pd.DataFrame, codes: Array, count: int) -> list[pd.DataFrame]:
    """The rows of each code from 0 to ``count - 1``, in their order."""
    order = np.argsort(codes, kind="stable")
    ends = np.searchsorted(codes[order], np.arange(count + 1))
    return [frame.iloc[order[low:high]] for low, high in pairwise(ends)]


def _record(url: str, tried: pd.DataFrame, found: pd.DataFrame, waits_ms: tuple[int, ...] | None) -> Record:
    found, ids = found.reset_index(drop=True), tried["message_id"].to_numpy()
    changes = np.flatnonzero(np.r_[True, ids[1:] != ids[:-1]])
    first = np.r_[changes, len(ids)]
    message = np.repeat(np.arange(len(changes)), np.diff(first))
    state, created_ms = found["state"].to_numpy(), found["created_ms"].to_numpy()
    number = tried["attempt"].fillna(0).to_numpy(dtype=np.int64)
    started_ms, ended_ms = tried["started_ms"].to_numpy(), tried["ended_ms"].to_numpy()
    delivered = state == "DELIVERED"
    kind = _kinds(tried, delivered[message])
    whole = np.logical_and.reduceat(number == np.arange(len(ids)) - first[message] + 1, changes)
    # The last attempt may have ended after the range.
    ending = tried["outcome"].to_numpy()[first[1:] - 1]
    ended = (delivered & (ending == "delivered")) | ((state == "FAILED") & (ending == "failed"))
    counted = whole & (created_ms != NEVER_MS) & ended
    wait_ms = np.where(
        np.r_[message[1:] == message[:-1], False], np.r_[started_ms[1:], 0].astype(float) - ended_ms, np.nan
    )
    answered = tried["response_status"].fillna(0).to_numpy(dtype=np.int64) > 0
    failed = answered & (kind != Kind.OK) & ~np.isnan(wait_ms)
    asked_ms = _with_lookalikes(_asked_ms(wait_ms, number - 1, failed, waits_ms), wait_ms, failed, started_ms)
    return Record(
        *(url, created_ms, counted, delivered, first, message, started_ms, ended_ms, kind, answered, asked_ms),
        waits=~np.isnan(wait_ms),
    )


def _kinds(tried: pd.DataFrame, delivered: Array) -> Array:
    status = tried["response_status"].fillna(0).to_numpy(dtype=np.int64)
    hangs = tried["error"].str.contains(_TIMEOUT, case=False, regex=True).fillna(False).to_numpy(dtype=bool)
    own = np.isin(status, _OWN_FAULT) & ~np.isin(status, _FOR_NOW)
    # What was delivered in the end had no fault of its own: its destination changed its mind.
    cases = {
        Kind.OK: tried["outcome"].to_numpy() == "delivered",
        Kind.FINAL: (status == _FINAL) & ~delivered,
        Kind.OWN: own & ~delivered,
        Kind.HANG: (status == 0) & hangs,
    }
    found: Array = np.select(list(cases.values()), list(cases), Kind.DOWN).astype(np.int8)
    return found


def _asked_ms(wait_ms: Array, retried: Array, failed: Array, waits_ms: tuple[int, ...] | None) -> Array:
    """The waits that differ from what the policy would have made them."""
    asked = np.full(len(wait_ms), np.nan)
    for number in range(int(retried.max(initial=0)) + 1):
        here = (retried == number) & ~np.isnan(wait_ms)
        if not here.any():
            continue
        planned = () if waits_ms is None else waits_ms
        usual_ms = planned[number] if number < len(planned) else _most_frequent(wait_ms[here])
        other = here & failed & ~same(wait_ms, usual_ms)
        asked[other] = wait_ms[other]
    return asked


def _with_lookalikes(asked_ms: Array, wait_ms: Array, failed: Array, started_ms: Array) -> Array:
    """With those waits, too, that were the policy's own by chance: the nearest answer that asked, asked for as much."""
    asks = np.flatnonzero(~np.isnan(asked_ms))
    unclear = np.flatnonzero(failed & np.isnan(asked_ms))
    if not len(asks) or not len(unclear):
        return asked_ms
    asks = asks[np.argsort(started_ms[asks], kind="stable")]
    right = np.clip(np.searchsorted(started_ms[asks], started_ms[unclear]), 1, max(1, len(asks) - 1))
    pair = np.stack([asks[right - 1], asks[np.minimum(right, len(asks) - 1)]])
    nearest = pair[np.abs(started_ms[pair] - started_ms[unclear]).argmin(axis=0), np.arange(len(unclear))]
    alike = same(wait_ms[unclear], asked_ms[nearest])
    asked_ms[unclear[alike]] = wait_ms[unclear[alike]]
    return asked_ms


def same(wait_ms: Any, planned_ms: Any) -> Any:
    """Whether a wait is the planned one, but for what a scheduler is late: within a second, or 2 % of a longer one."""
    return np.abs(wait_ms - planned_ms) <= np.maximum(1_000, 0.02 * np.abs(planned_ms))


def _most_frequent(wait_ms: Array) -> float:
    """The middle of the fullest cell; cells are a second wide, or 5 % of longer waits."""
    seconds = np.maximum(wait_ms, 0) / 1_000
    cells = np.round(np.where(seconds < 20, seconds, 20 + np.log(np.maximum(seconds, 20) / 20) / np.log(1.05)))
    _, inverse, counts = np.unique(cells, return_inverse=True, return_counts=True)
    return float(np.median(wait_ms[inverse == counts.argmax()]))
