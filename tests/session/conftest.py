from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

import pytest

from qsops.clock import Clock
from qsops.config import Target
from qsops.models import KeyPair
from qsops.session import Session
from qsops.session.wiring import wire
from tests.standins.hosted import HostedQStash

CURRENT, NEXT = "sig_current_canary", "sig_next_canary"


@pytest.fixture
def hosted() -> Iterator[HostedQStash]:
    with HostedQStash() as standin:
        yield standin


class Opener(Protocol):
    def __call__(self, *, write: bool = True, token: str | None = "", clock: Clock | None = None) -> Session: ...


@pytest.fixture
def opened(hosted: HostedQStash, tmp_path: Path) -> Iterator[Opener]:
    """Opens sessions that believe to be on the hosted service."""
    with ExitStack() as sessions:

        def open_session(*, write: bool = True, token: str | None = "", clock: Clock | None = None) -> Session:
            target = Target(
                "prod",
                "hosted",
                hosted.url,
                hosted.token if token == "" else token,
                "EU_CENTRAL_1",
                KeyPair(CURRENT, NEXT),
            )
            return sessions.enter_context(Session(wire(target, tmp_path, {}, write=write, clock=clock, seed=0)))

        yield open_session
