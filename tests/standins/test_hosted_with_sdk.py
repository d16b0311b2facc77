from collections.abc import Iterator

import pytest
from qstash import QStash, Receiver
from qstash.errors import DailyMessageLimitExceededError, QStashError, RateLimitExceededError, SignatureError

from tests.standins.hosted import HostedQStash
from tests.standins.recorder import Recorder

TO = "https://example.com/hook"


@pytest.fixture
def sdk(hosted: HostedQStash, monkeypatch: pytest.MonkeyPatch) -> Iterator[QStash]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    client = QStash(hosted.token, retry=False, base_url=hosted.url)
    yield client
    # The SDK offers no way to close its connections.
    client.http._client.close()


def test_the_sdk_tells_the_two_rate_limits_apart(sdk: QStash, hosted: HostedQStash):
    """The headers of both kinds of 429 are the ones by which the official SDK knows them."""
    hosted.burst()
    with pytest.raises(RateLimitExceededError, match=f"reset: {hosted.now_ms // 1000 + 1}"):
        sdk.signing_key.get()
    hosted.daily(limit=500)
    with pytest.raises(DailyMessageLimitExceededError, match="Limit: 500, remaining: 0"):
        sdk.message.publish(url=TO, body="x")


def test_the_sdk_reads_the_end_of_the_logs(sdk: QStash, hosted: HostedQStash):
    """The official SDK walks small pages by their cursor, and ends where there is none."""
    for n in range(5):
        hosted.log("ACTIVE", message_id=f"msg_{n}")
    hosted.account.journal.page_size = 2
    page = sdk.log.list()
    seen = list(page.logs)
    while page.cursor is not None:
        page = sdk.log.list(cursor=page.cursor)
        seen += page.logs
    assert [log.message_id for log in seen] == [f"msg_{n}" for n in (4, 3, 2, 1, 0)]


def test_the_sdk_fails_where_the_reference_says_it_does(sdk: QStash, hosted: HostedQStash):
    """The SDK raises ValueError over CANCELLED and unknown states (reference 0.3): the stand-in can show it that."""
    hosted.log("CANCELLED")
    with pytest.raises(ValueError, match="CANCELLED"):
        sdk.log.list()


def test_the_sdk_gives_the_text_of_a_refusal(sdk: QStash, hosted: HostedQStash):
    """Errors are JSON with ``error``, and the SDK puts the body into its message."""
    hosted.limits.max_retries = 5
    with pytest.raises(QStashError, match=r'412, body: \{"error": "quota maxRetries exceeded, current limit: 5"\}'):
        sdk.message.publish(url=TO, body="x", retries=9)


def test_the_sdk_accepts_the_signature(hosted: HostedQStash):
    """A signature of the stand-in holds for the official receiver, under either key, and for nothing else."""
    body = '{"text": "Olá 👋"}'
    signature = hosted.signature(TO, body.encode())
    account = hosted.account
    for keys in ((account.current_key, account.next_key), ("sig_other", account.current_key)):
        Receiver(*keys).verify(signature=signature, body=body, url=TO)
    receiver = Receiver(account.current_key, account.next_key)
    for other in ({"body": body + " "}, {"url": "https://example.com/other"}):
        with pytest.raises(SignatureError):
            receiver.verify(**{"signature": signature, "body": body, "url": TO, **other})


def test_a_delivery_is_answered_by_its_destination(sdk: QStash, hosted: HostedQStash):
    """``deliver`` sends what was published, signed, and logs DELIVERED once."""
    with Recorder() as destination:
        url = f"{destination.url}/hook?a=%7E"
        published = sdk.message.publish_json(url=url, body={"n": 1}, headers={"X-Own": "yes"})
        assert hosted.deliver(published.message_id) == "DELIVERED"
        (seen,) = destination.seen
    assert (seen.method, seen.target, seen.json()) == ("POST", "/hook?a=%7E", {"n": 1})
    assert (seen.header("X-Own"), seen.header("Upstash-Retried")) == ("yes", "0")
    assert seen.header("Upstash-Message-Id") == published.message_id
    states = [entry["state"] for entry in hosted.account.journal.everything()]
    assert states == ["CREATED", "ACTIVE", "DELIVERED"]
