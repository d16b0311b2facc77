from collections.abc import Iterator

import pytest

from tests.conformance.destination import Destination
from tests.conformance.sdks import Sdk, SdkError
from tests.conformance.servers import EngineServer

#: What each SDK calls the two kinds (reference 1.1).
BURST = {"RateLimitExceededError", "QstashRatelimitError"}
DAILY = {"DailyMessageLimitExceededError", "QstashDailyRatelimitError"}


@pytest.fixture(scope="module")
def limited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EngineServer]:
    """An engine that answers no request but those that send, and sends nothing."""
    with EngineServer(tmp_path_factory.mktemp("limited"), burst_limit=0, daily_limit=0) as server:
        yield server


@pytest.fixture
def server(limited: EngineServer) -> EngineServer:
    return limited


def test_a_burst_is_the_sdk_s_own_kind_of_error(sdk: Sdk):
    """Over the limit of a second an SDK raises its error for that, which its callers wait out for a second."""
    for verb in (sdk.logs, sdk.dead_letters, sdk.cancel_all):
        with pytest.raises(SdkError) as raised:
            verb()
        assert raised.value.kind in BURST


def test_a_used_up_day_is_the_sdk_s_own_kind_of_error(sdk: Sdk, destination: Destination):
    """Without messages left for the day an SDK raises its error for that, and nothing was sent."""
    url = destination.hook("ok")
    for verb in (
        lambda: sdk.publish(url, "x"),
        lambda: sdk.publish_json(url, {"n": 1}),
        lambda: sdk.batch_json([{"url": url, "body": {}}]),
    ):
        with pytest.raises(SdkError) as raised:
            verb()
        assert raised.value.kind in DAILY
