"""Time, ids and randomness: the one place that makes them, so that every other room can be handed a fixed set.

Nothing else in the project calls the clock, draws a random number or makes an id (the linter's banned calls see to it).
"""

from __future__ import annotations

import random
import secrets
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Protocol

__all__ = [
    "EPOCH_MS",
    "Clock",
    "Ids",
    "ManualClock",
    "SeededIds",
    "SystemClock",
    "SystemIds",
    "utc",
]

#: Where a manual clock starts: 2026-01-01T00:00:00Z; in the past, so that a token's ``nbf`` holds for others.
EPOCH_MS = 1_767_225_600_000

# Crockford's alphabet keeps the order of the bits in the order of the text, and has no look-alikes.
_BASE32 = "0123456789abcdefghjkmnpqrstvwxyz"
_DIGITS = {character: value for value, character in enumerate(_BASE32)}
_ID_LENGTH = 16
_PAIRS = [first + second for first in _BASE32 for second in _BASE32]
_SHIFTS = range(40, -1, -10)
_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_SEQUENCE_BITS = 32


class Clock(Protocol):
    """What tells the time: wall time in whole milliseconds, and a monotonic count in seconds for durations."""

    def now_ms(self) -> int:
        """Unix time in milliseconds."""
        ...

    def monotonic_s(self) -> float:
        """Seconds since some fixed moment; never goes back."""
        ...


class SystemClock:
    """The machine's clock."""

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def monotonic_s(self) -> float:
        return time.monotonic()


class ManualClock:
    """A clock that stands still until it is moved; it never goes back.

    :raises ValueError: when moved back.
    """

    def __init__(self, start_ms: int = EPOCH_MS) -> None:
        self._now_ms = start_ms

    def now_ms(self) -> int:
        return self._now_ms

    def monotonic_s(self) -> float:
        return self._now_ms / 1000

    def advance(self, by_ms: int) -> None:
        """Move forward by ``by_ms`` milliseconds."""
        self.move_to(self._now_ms + by_ms)

    def move_to(self, at_ms: int) -> None:
        """Move forward to unix time ``at_ms``."""
        if at_ms < self._now_ms:
            raise ValueError(f"a manual clock never goes back: it stands at {self._now_ms} ms, asked for {at_ms} ms")
        self._now_ms = at_ms


class Ids(Protocol):
    """What makes ids and secrets."""

    def make(self, prefix: str) -> str:
        """``prefix`` and 16 characters that sort by the time they were made, e.g. ``msg_01hqk3v5c8000004``."""
        ...

    def go_on_after(self, made: str) -> None:
        """Make only ids that sort after ``made``, which an earlier process has made."""
        ...

    def secret(self, prefix: str, length: int) -> str:
        """``prefix`` and ``length`` base58 characters, for signing keys and tokens."""
        ...

    def uniform(self) -> float:
        """A draw from [0, 1), for jitter."""
        ...


class _SortableIds:
    """48 bits of milliseconds and a 32-bit sequence; ``make`` is strictly increasing within one process."""

    def __init__(self, clock: Clock, sequence_start: Callable[[], int]) -> None:
        self._clock = clock
        self._sequence_start = sequence_start
        self._last = 0
        # What a schedule sends is named within its transaction, which may be on the database's thread.
        self._making = threading.Lock()

    def make(self, prefix: str) -> str:
        now = self._clock.now_ms() << _SEQUENCE_BITS
        with self._making:
            # A clock that was set back must not make an id that sorts before, or equals, an earlier one.
            floor = self._last + 1
            made = self._last = floor if now <= self._last else now | self._sequence_start()
        return prefix + _base32(made)

    def go_on_after(self, made: str) -> None:
        with self._making:
            self._last = max(self._last, _number(made[-_ID_LENGTH:]))


class SystemIds(_SortableIds):
    """Ids for production: the sequence of each millisecond starts at random, so that processes do not collide."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock, lambda: random.getrandbits(_SEQUENCE_BITS - 1))

    def secret(self, prefix: str, length: int) -> str:
        return prefix + "".join(secrets.choice(_BASE58) for _ in range(length))

    def uniform(self) -> float:
        return random.random()


class SeededIds(_SortableIds):
    """Ids that are a function of the clock and a seed: the same run makes the same ids. Its secrets are none."""

    def __init__(self, clock: Clock, seed: int = 0) -> None:
        # The seed parts the sequences of two makers under one clock.
        start = (seed & 0x7FFF) << (_SEQUENCE_BITS - 16)
        super().__init__(clock, lambda: start)
        self._random = random.Random(seed)

    def secret(self, prefix: str, length: int) -> str:
        return prefix + "".join(self._random.choice(_BASE58) for _ in range(length))

    def uniform(self) -> float:
        return self._random.random()


def _base32(value: int) -> str:
    """80 bits as 16 characters.

    An id is made for each message and each attempt, so they are looked up by twos, and the first ten, which change with
    the millisecond, once.
    """
    pairs = (_PAIRS[value >> 20 & 1023], _PAIRS[value >> 10 & 1023], _PAIRS[value & 1023])
    return _beginning(value >> 30) + "".join(pairs)


@lru_cache(maxsize=256)
def _beginning(value: int) -> str:
    return "".join([_PAIRS[(value >> shift) & 1023] for shift in _SHIFTS])


def _number(text: str) -> int:
    """The opposite of :func:`_base32`."""
    value = 0
    for character in text:
        value = value << 5 | _DIGITS[character]
    return value


def utc(at_ms: int) -> datetime:
    """Unix milliseconds as a UTC datetime."""
    return datetime.fromtimestamp(at_ms / 1000, UTC)
