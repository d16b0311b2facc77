"""Scripted destinations that write down what comes, with the key that should have signed it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from qsops.clock import Clock
from qsops.engine.core.attempts import Outcome
from qsops.engine.deliveries.port import Delivery, timed_out
from qsops.engine.deliveries.scripted import Answer, parse_answers
from qsops.models import Headers
from qsops.wire.delivery import DeliveryFacts, parse_delivery_headers

__all__ = ["WELCOME", "Arrival", "Destinations"]

WELCOME = "200"


@dataclass(slots=True)
class Arrival:
    """One request. ``keys`` are the current signing keys of each account at that time."""

    at_ms: int
    life: int
    url: str
    method: str
    headers: Headers
    body: bytes
    timeout_ms: int
    keys: tuple[str, ...]
    answer: Answer
    facts: DeliveryFacts

    @property
    def end_ms(self) -> int:
        """When the engine has its answer, or waits no longer."""
        took_ms = self.timeout_ms if self.answer.fault == "hang" else self.answer.after_ms
        return self.at_ms + min(took_ms, self.timeout_ms)

    @property
    def outcome(self) -> Outcome:
        """What the engine learns."""
        if self.answer.fault == "hang" or self.answer.after_ms > self.timeout_ms:
            return timed_out(Delivery("", "", (), b"", self.timeout_ms / 1000))
        if self.answer.fault == "drop":
            return Outcome(error="connection dropped")
        return Outcome(self.answer.status, self.answer.headers, self.answer.body)


@dataclass(slots=True)
class Destinations:
    """``scripts`` by URL, each answer once and the last for ever; ``on_arrival`` and ``on_answer`` are told of each."""

    clock: Clock
    scripts: Mapping[str, str]
    keys: Callable[[], tuple[str, ...]]
    on_arrival: Callable[[], None]
    on_answer: Callable[[], None]
    life: int = 0
    gone: bool = False
    welcoming: bool = False
    arrivals: list[Arrival] = field(default_factory=list)
    _given: dict[str, int] = field(default_factory=dict)

    async def __call__(self, delivery: Delivery) -> Outcome:
        if self.gone:  # whoever calls is dead already
            await asyncio.Event().wait()
        arrival = self._arrival(delivery)
        self.arrivals.append(arrival)
        self.on_arrival()
        if self.gone or arrival.answer.fault == "hang":
            await asyncio.Event().wait()
        if arrival.answer.after_ms:
            await asyncio.sleep(arrival.answer.after_ms / 1000)
        self.on_answer()
        return arrival.outcome

    def _arrival(self, delivery: Delivery) -> Arrival:
        return Arrival(
            at_ms=self.clock.now_ms(),
            life=self.life,
            url=delivery.url,
            method=delivery.method,
            headers=delivery.headers,
            body=delivery.body,
            timeout_ms=round(delivery.timeout_s * 1000),
            keys=self.keys(),
            answer=self._answer(delivery.url),
            facts=parse_delivery_headers(delivery.headers),
        )

    def _answer(self, url: str) -> Answer:
        answers = parse_answers(WELCOME if self.welcoming else self.scripts.get(url, WELCOME))
        given = self._given.get(url, 0)
        self._given[url] = given + 1
        return answers[min(given, len(answers) - 1)]
