"""What the demo reads while and after it runs; a process that is killed meanwhile is started again, and asked again."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar
from urllib.parse import urlencode

from qsops import config
from qsops.clock import Clock
from qsops.demo.scenery import ENGINE, SERVICE, Scenery
from qsops.errors import OutcomeUnknown, QsopsError, ServerFault, Unreachable
from qsops.models import LedgerEntry
from qsops.session import Session
from qsops.session.wiring import wire
from qsops.stack import Stack
from qsops.wire.ledger import LEDGER_PATH, parse_ledger

if TYPE_CHECKING:  # pandas is loaded by the session's first frame.
    import pandas as pd

__all__ = ["Watch", "open_session"]

T = TypeVar("T")

_PAGE: Final = 500
_ASK_AGAIN_AFTER_S: Final = 0.2


def open_session(scenery: Scenery) -> Session:
    """A session on the run's own engine, which sees no setting but the run's."""
    env = scenery.local.of_callers()
    target = config.resolve("local", env, scenery.folder)
    return Session(wire(target, scenery.folder, env, write=False, clock=None, seed=0))


class Watch:
    """Keeps engine and service alive while it asks them; ``tell`` hears of each that had to be started again."""

    def __init__(
        self,
        scenery: Scenery,
        stack: Stack,
        session: Session,
        clock: Clock,
        tell: Callable[[str], None],
        patience_s: float,
    ) -> None:
        self._scenery = scenery
        self._stack = stack
        self._session = session
        self._clock = clock
        self._tell = tell
        self._deadline_s = clock.monotonic_s() + patience_s

    def keep_alive(self, seconds: float) -> None:
        """Let ``seconds`` pass, or less when a child ends, and start again what was killed.

        :raises QsopsError: the run takes too long, or a child ended by itself.
        """
        self._stack.wait_for_end(seconds)
        for name in self._stack.revive(ENGINE, SERVICE):
            self._tell(f"{name} was killed, and is started again on its port and database")
        if self._clock.monotonic_s() > self._deadline_s:
            raise QsopsError(f"the demo takes too long; the logs of its processes lie in {self._scenery.folder}")

    def ask(self, question: Callable[[], T]) -> T:
        """The answer to ``question``, asked again while nobody is there to answer it."""
        while True:
            try:
                return question()
            except (Unreachable, OutcomeUnknown, ServerFault):
                self.keep_alive(_ASK_AGAIN_AFTER_S)

    def ledger(self) -> list[LedgerEntry]:
        """Every event that the service knows of."""
        entries: list[LedgerEntry] = []
        cursor: str | None = None
        while True:
            page = parse_ledger(json.loads(self.ask(partial(self._ledger_page, cursor))))
            entries += page.items
            cursor = page.cursor
            if cursor is None:
                return entries

    def logs(self) -> pd.DataFrame:
        """Every log entry of the engine."""
        return self.ask(lambda: self._session.logs(progress=False))

    def dead_letters(self) -> pd.DataFrame:
        """Every dead letter of the engine."""
        return self.ask(self._session.dlq.list)

    def _ledger_page(self, cursor: str | None) -> bytes:
        local = self._scenery.local
        query = urlencode({"limit": _PAGE, **({"cursor": cursor} if cursor else {})})
        answer = self._session.request(
            "GET",
            f"{local.service_url}{LEDGER_PATH}?{query}",
            headers={"Authorization": f"Bearer {local.internal_token}"},
        )
        if answer.status >= 500:
            raise ServerFault(answer.status, "the service's ledger did not answer")
        if answer.status != 200:
            raise QsopsError(f"the service's ledger answered {answer.status}")
        return answer.body
