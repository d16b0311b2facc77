"""A policy: what a publisher may set about retries, timeouts and flow control."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from qsops import retry
from qsops.errors import SettingsError

__all__ = ["RETRIES_LIMIT", "Policy"]

#: Each retry is a round over all messages that are still open. No plan's default is near it.
RETRIES_LIMIT: Final = 100
_PERIOD_LIMIT_S: Final = 7 * 86_400
_TIMEOUT_LIMIT_S: Final = 86_400


@dataclass(frozen=True, slots=True)
class Policy:
    """``retries`` beside the first attempt; ``retry_delay`` an expression in milliseconds (None: QStash's own curve).

    ``honour_retry_after``: whether what the destination asks for goes before the expression, as it does on QStash; a
    destination that stops asking is one that is not honoured. ``timeout_s`` cuts an attempt off; None leaves attempts
    as long as they were. ``rate`` calls within ``period_s`` seconds and ``parallelism`` calls at a time are limits of
    one flow-control key for each destination; None is no limit.

    :raises SettingsError: naming the value, when one is out of range or the expression does not parse.
    """

    retries: int = 3
    retry_delay: str | None = None
    honour_retry_after: bool = True
    timeout_s: float | None = None
    rate: int | None = None
    period_s: int = 1
    parallelism: int | None = None
    _waits_ms: tuple[int, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        _within("retries", self.retries, 0, RETRIES_LIMIT)
        _within("rate", self.rate, 1, None)
        _within("parallelism", self.parallelism, 1, None)
        _within("period_s", self.period_s, 1, _PERIOD_LIMIT_S)
        if self.timeout_s is not None and not 0 < self.timeout_s <= _TIMEOUT_LIMIT_S:
            raise SettingsError(f"timeout: {self.timeout_s:g} s is not over 0 and at most {_TIMEOUT_LIMIT_S} s")
        object.__setattr__(self, "_waits_ms", _waits_ms(self.retry_delay, self.retries))

    @property
    def waits_ms(self) -> tuple[int, ...]:
        """The wait before each retry, from the end of the attempt before, where the destination asks for none."""
        return self._waits_ms

    @property
    def gated(self) -> bool:
        """Whether flow control may hold an attempt back."""
        return self.rate is not None or self.parallelism is not None

    def __str__(self) -> str:
        delay = "the default curve" if self.retry_delay is None else self.retry_delay
        told = [f"{self.retries} retries" if self.retries != 1 else "1 retry", delay]
        if not self.honour_retry_after:
            told.append("Retry-After not honoured")
        if self.timeout_s is not None:
            told.append(f"timeout {self.timeout_s:g} s")
        if self.rate is not None:
            told.append(f"rate {self.rate} in {self.period_s} s")
        if self.parallelism is not None:
            told.append(f"parallelism {self.parallelism}")
        return ", ".join(told)


def _waits_ms(text: str | None, retries: int) -> tuple[int, ...]:
    if text is None:
        return tuple(retry.default_delay_ms(number) for number in range(1, retries + 1))
    try:
        expression = retry.compile_expression(text)
    except ValueError as error:
        raise SettingsError(f"retry_delay: {error}") from None
    return tuple(expression.delay_ms(retried) for retried in range(retries))


def _within(name: str, value: int | None, least: int, most: int | None) -> None:
    if value is None:
        return
    # A bool is an int to Python, and none to anybody else.
    whole = isinstance(value, int) and not isinstance(value, bool)
    if not whole or value < least or (most is not None and value > most):
        range_told = f"at least {least}" if most is None else f"from {least} to {most}"
        raise SettingsError(f"{name}: {value!r} is no whole number {range_told}")
