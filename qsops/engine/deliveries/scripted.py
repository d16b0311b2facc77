"""A receiver that answers by a script, and keeps what it got."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from qsops.clock import Clock
from qsops.engine.core.attempts import Outcome
from qsops.engine.deliveries.port import Delivery
from qsops.errors import SettingsError
from qsops.models import Headers
from qsops.wire.durations import parse_go_duration

__all__ = ["Answer", "Received", "ScriptedReceiver", "parse_answers"]

#: What ends an exchange: 1xx announces another answer, and beyond there is nothing.
_STATUS: Final = re.compile(r"[2-5][0-9]{2}")


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer: after ``after_ms`` the ``status``; or the connection is dropped, or left hanging."""

    status: int = 200
    headers: Headers = ()
    body: bytes = b""
    after_ms: int = 0
    fault: Literal["drop", "hang"] | None = None


@dataclass(frozen=True, slots=True)
class Received:
    """One request as it came in."""

    at_ms: int
    method: str
    url: str
    headers: Headers
    body: bytes


@dataclass(slots=True)
class ScriptedReceiver:
    """Gives ``answers`` in turn, the last one for ever; ``received`` holds the requests in the order they came."""

    clock: Clock
    answers: Sequence[Answer]
    received: list[Received] = field(default_factory=list)

    async def __call__(self, delivery: Delivery) -> Outcome:
        answer = self.answers[min(len(self.received), len(self.answers) - 1)]
        self.received.append(
            Received(self.clock.now_ms(), delivery.method, delivery.url, delivery.headers, delivery.body)
        )
        if answer.fault == "hang":
            await asyncio.Event().wait()
        if answer.after_ms:
            await asyncio.sleep(answer.after_ms / 1000)
        if answer.fault == "drop":
            return Outcome(error="connection dropped")
        return Outcome(answer.status, answer.headers, answer.body)


def parse_answers(text: str) -> list[Answer]:
    """Answers as a person writes them: ``"500, 429 retry-after=30, 200 after=1.5s body=ok, drop, hang"``.

    Each begins with a status from 200 to 599, ``drop`` or ``hang``; ``after=`` delays it, ``body=`` fills it, any
    other ``name=value`` is a header.

    :raises SettingsError: naming the answer that cannot be read.
    """
    return [_parse_answer(item.strip()) for item in text.split(",")]


def _parse_answer(text: str) -> Answer:
    first, *words = text.split() or [""]
    fault: Literal["drop", "hang"] | None = "drop" if first == "drop" else "hang" if first == "hang" else None
    pairs = [word.partition("=") for word in words]
    try:
        if not (fault or _STATUS.fullmatch(first)) or not all(separator for _, separator, _ in pairs):
            raise ValueError(first)
        after = [value for name, _, value in pairs if name == "after"]
        after_ms = round(parse_go_duration(after[-1]) * 1000) if after else 0
    except ValueError as error:
        raise SettingsError(
            f"answer {text!r}: write a status, drop or hang, then after=1.5s, body=text or header=value; "
            "a status is from 200 to 599"
        ) from error
    body = "".join(value for name, _, value in pairs if name == "body")
    headers = tuple((name, value) for name, _, value in pairs if name not in ("after", "body"))
    return Answer(0 if fault else int(first), headers, body.encode(), after_ms, fault)
