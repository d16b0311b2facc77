"""The account that a person gave, as one of the servers that the tests know."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any, Final, Self

from qsops.clock import SystemClock, SystemIds
from tests.conformance.account.gateway import Gateway
from tests.conformance.waiting import until
from tests.standins.loopback import Seen

__all__ = ["LIMIT", "Account", "AccountDestination", "asked"]

#: The most messages of a run, each attempt and each callback counted.
LIMIT: Final = 100
#: The hosted service writes its log a while after the fact.
_LOG_BOUND_S: Final = 90.0
_LOG_PAUSE_S: Final = 0.1
_PREFIX: Final = "QSOPS_TESTS_CONFORMANCE_"
_FINAL: Final = ("DELIVERED", "FAILED", "CANCELED")


def asked(environment: Mapping[str, str]) -> Account | None:
    """The account of this run, or None unless the run is for one: a token that happens to be set starts nothing."""
    given = {name.removeprefix(_PREFIX): value for name, value in environment.items() if name.startswith(_PREFIX)}
    if given.get("RUN") != "1":
        return None
    limit = min(LIMIT, int(given.get("MESSAGES", LIMIT)))
    return Account(given["URL"], given["TOKEN"], given["DESTINATION"], given.get("FAILING"), limit)


class Account:
    """A context manager: its gateway is up when entered; left, everything that this run made is taken away."""

    def __init__(self, url: str, token: str, destination: str, failing: str | None, limit: int) -> None:
        clock = SystemClock()
        self.prefix = SystemIds(clock).make("qsops-")
        self.started_ms = clock.now_ms()
        self.token = token
        self.ok, self.failing = destination, failing
        self.left_out: list[str] = []
        self.left_behind: list[str] = []
        self._gateway = Gateway(url.rstrip("/"), token, self.prefix, limit)

    def __enter__(self) -> Self:
        self._gateway.__enter__()
        return self

    def __exit__(self, *caught: object) -> None:
        self._clean()
        self._gateway.__exit__(*caught)

    @property
    def url(self) -> str:
        return self._gateway.url

    @property
    def spare_token(self) -> str:
        raise AssertionError("no test of an account changes its keys")

    @property
    def stopped(self) -> str | None:
        return self._gateway.stopped

    def finish(self, message_id: str) -> str:
        return until(lambda: self._final_state(message_id), f"the end of {message_id}", _LOG_BOUND_S, _LOG_PAUSE_S)

    def keys(self) -> tuple[str, str]:
        keys = json.loads(self._gateway.ask("GET", "/v2/keys").encoded())
        return keys["current"], keys["next"]

    def report(self) -> Iterator[str]:
        """What was sent and what was left, for whoever reads the run."""
        yield f"account: at most {self._gateway.spent} messages sent, attempts and callbacks counted"
        yield f"left out on an account, {len(self.left_out)} tests:"
        yield from (f"  {name}" for name in self.left_out)
        yield from (f"refused, and never sent: {line}" for line in self._gateway.refused)
        yield from (f"left behind: {line}" for line in self.left_behind)

    def _final_state(self, message_id: str) -> str | None:
        events = json.loads(self._gateway.ask("GET", f"/v2/events?messageId={message_id}").encoded())["events"]
        return next((event["state"] for event in events if event["state"] in _FINAL), None)

    def _clean(self) -> None:
        """Schedules first, which make messages; dead letters last, which messages become."""
        made = self._gateway
        for kind, names in (
            ("schedules", made.schedules),
            ("messages", made.messages),
            ("queues", made.queues),
            ("topics", made.groups),
        ):
            for name in sorted(names):
                self._delete(f"/v2/{kind}/{name}")
        for dlq_id in self._letters():
            self._delete(f"/v2/dlq/{dlq_id}")

    def _delete(self, path: str) -> None:
        answer = self._gateway.ask("DELETE", path)
        # What a test took away itself, or what was delivered, is unknown by now.
        if answer.status not in range(200, 300) and answer.status != 404:
            self.left_behind.append(f"{path} (answered {answer.status})")

    def _letters(self) -> Iterator[str]:
        cursor = ""
        while cursor is not None:
            page = self._page(cursor)
            yield from [letter["dlqId"] for letter in page["messages"] if self._gateway.made(letter)]
            cursor = page.get("cursor")

    def _page(self, cursor: str) -> dict[str, Any]:
        more = f"&cursor={cursor}" if cursor else ""
        answer = self._gateway.ask("GET", f"/v2/dlq?fromDate={self.started_ms}{more}")
        with suppress(ValueError):
            if answer.status == 200:
                page: dict[str, Any] = json.loads(answer.encoded())
                return page
        self.left_behind.append(f"dead letters of this run: their list was answered {answer.status}")
        return {"messages": []}


class AccountDestination:
    """The URLs that the person gave; a path of its own for each test."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._made = itertools.count(1)

    def hook(self, kind: str = "ok", rest: str = "") -> str:
        """A URL that no other test uses, which succeeds, or fails where ``kind`` is "down"."""
        base = {"ok": self._account.ok, "down": self._account.failing}[kind]
        assert base is not None, "tests that need a failing URL are left out where none was given"
        return f"{base.rstrip('/')}/{self._account.prefix}/{next(self._made)}{rest}"

    def arrivals(self, url: str, count: int = 1) -> list[Seen]:
        raise AssertionError(f"no test of an account looks into the receiver: {count} wanted at {url}")
