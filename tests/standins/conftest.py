from collections.abc import Callable, Iterator

import httpx
import pytest

from tests.standins.hosted import HostedQStash

Ask = Callable[..., httpx.Response]


@pytest.fixture
def hosted() -> Iterator[HostedQStash]:
    with HostedQStash() as server:
        yield server


@pytest.fixture
def ask(hosted: HostedQStash) -> Iterator[Ask]:
    """Ask the stand-in as a plain HTTP client, with the account's token."""
    headers = {"Authorization": f"Bearer {hosted.token}"}
    with httpx.Client(base_url=hosted.url, headers=headers, trust_env=False, timeout=60) as client:
        yield client.request
