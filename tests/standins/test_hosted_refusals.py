import httpx
import pytest

from tests.standins.conftest import Ask
from tests.standins.hosted import HostedQStash
from tests.standins.hosted.refusals import (
    BAD_DEDUPLICATION_ID,
    BAD_SCHEME,
    BAD_TOKEN,
    LOOPBACK_DESTINATION,
    READ_ONLY,
    quota_exceeded,
)

TO = "/v2/publish/https://example.com/hook"


def error(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]


def test_a_wrong_token_is_refused(ask: Ask, hosted: HostedQStash):
    """401 with the text of the live service, and nothing is published."""
    assert error(ask("POST", TO, headers={"Authorization": "Bearer wrong"})) == (401, BAD_TOKEN)
    assert hosted.published == 0


def test_a_token_may_come_in_the_query_and_goes_no_further(ask: Ask, hosted: HostedQStash):
    """``qstash_token`` is as good as the header, and never part of the destination."""
    answer = ask("POST", f"{TO}?qstash_token={hosted.token}&a=1", headers={"Authorization": ""})
    assert hosted.account.pending[answer.json()["messageId"]]["url"] == "https://example.com/hook?a=1"


def test_a_read_only_token_reads_and_writes_nothing(ask: Ask, hosted: HostedQStash):
    """403 for a write, and the logs as usual."""
    headers = {"Authorization": f"Bearer {hosted.read_only_token}"}
    assert error(ask("POST", TO, headers=headers)) == (403, READ_ONLY)
    assert ask("GET", "/v2/events", headers=headers).status_code == 200
    assert hosted.published == 0


@pytest.mark.parametrize(
    ("destination", "headers", "text"),
    [
        ("ftp://example.com", {}, BAD_SCHEME),
        ("https://example.com", {"Upstash-Deduplication-Id": "a:b"}, BAD_DEDUPLICATION_ID),
        ("http://127.0.0.1:9", {}, LOOPBACK_DESTINATION),
    ],
)
def test_a_bad_publish_is_refused_with_its_text(
    ask: Ask, hosted: HostedQStash, destination: str, headers: dict[str, str], text: str
):
    """The texts that users of the live service have seen (reference 1.3), each with 400."""
    hosted.account.refuses_loopback = True
    assert error(ask("POST", f"/v2/publish/{destination}", headers=headers)) == (400, text)
    assert hosted.published == 0


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("Upstash-Delay", "soon"),
        ("Upstash-Retries", "-1"),
        ("Upstash-Not-Before", "tomorrow"),
        ("Upstash-Timeout", "1.5s"),
        ("Upstash-Flow-Control-Key", "without a value"),
    ],
)
def test_an_option_that_does_not_parse_is_refused(ask: Ask, hosted: HostedQStash, header: str, value: str):
    """400, and nothing is published."""
    assert ask("POST", TO, headers={header: value}).status_code == 400
    assert hosted.published == 0


@pytest.mark.parametrize("body", [b"", b"no json", b"{}", b"7"])
def test_a_batch_that_is_no_array_is_refused(ask: Ask, body: bytes):
    """400 for the whole request; a bad item alone is an error at its place."""
    assert ask("POST", "/v2/batch", content=body).status_code == 400
    (answer,) = ask("POST", "/v2/batch", content=b"[7]").json()
    assert "error" in answer


@pytest.mark.parametrize("status", [412, 400])
@pytest.mark.parametrize(
    ("header", "value", "text"),
    [
        ("Upstash-Delay", "8d", quota_exceeded("maxDelay", 604_800)),
        ("Upstash-Retries", "6", quota_exceeded("maxRetries", 5)),
    ],
)
def test_a_quota_is_refused_with_its_text(
    ask: Ask, hosted: HostedQStash, header: str, value: str, text: str, status: int
):
    """The texts are known, their status is not: both are possible (reference 1.2)."""
    hosted.limits.max_delay_s, hosted.limits.max_retries, hosted.limits.quota_status = 604_800, 5, status
    assert error(ask("POST", TO, headers={header: value})) == (status, text)
    assert ask("POST", TO).status_code == 200


def test_reading_too_often_is_refused_until_the_second_is_over(ask: Ask, hosted: HostedQStash):
    """The burst limit counts per second, tells its reset, and does not touch publishing (reference 1.1)."""
    hosted.limits.requests_per_s = 2
    remaining = [ask("GET", "/v2/events").headers["Burst-RateLimit-Remaining"] for _ in range(2)]
    refused = ask("GET", "/v2/events")
    assert (remaining, refused.status_code) == (["1", "0"], 429)
    assert int(refused.headers["Burst-RateLimit-Reset"]) == hosted.now_ms // 1000 + 1
    assert "RateLimit-Limit" not in refused.headers
    assert ask("POST", TO).status_code == 200
    hosted.advance(1000)
    assert ask("GET", "/v2/events").status_code == 200


def test_the_day_ends_at_midnight_utc(ask: Ask, hosted: HostedQStash):
    """The daily limit refuses publishing alone, under other headers than a burst, until the next day."""
    hosted.limits.messages_per_day = 1
    assert ask("POST", TO).status_code == 200
    refused = ask("POST", TO)
    assert (refused.status_code, refused.headers["RateLimit-Limit"]) == (429, "1")
    assert int(refused.headers["RateLimit-Reset"]) % 86_400 == 0
    assert not [name for name in refused.headers if name.lower().startswith("burst")]
    assert ask("GET", "/v2/events").status_code == 200
    hosted.advance(86_400_000)
    assert ask("POST", TO).status_code == 200


def test_a_typo_in_a_bulk_call_deletes_nothing(ask: Ask, hosted: HostedQStash):
    """An unknown parameter on a bulk call is an error (reference 0.7)."""
    message_id = ask("POST", TO).json()["messageId"]
    hosted.mark_failed(message_id)
    for method, path in (("DELETE", "/v2/dlq"), ("POST", "/v2/dlq/retry"), ("DELETE", "/v2/messages")):
        assert ask(method, f"{path}?labeel=a").status_code == 400
    assert len(hosted.account.dead) == 1


def test_a_deleted_dead_letter_is_unknown(ask: Ask, hosted: HostedQStash):
    """After delete or retry the id is 404 (reference 2.8)."""
    letters = [hosted.mark_failed(ask("POST", TO).json()["messageId"]) for _ in range(2)]
    assert ask("DELETE", f"/v2/dlq/{letters[0]}").status_code == 200
    assert ask("POST", f"/v2/dlq/retry/{letters[1]}").status_code == 201
    assert {ask("DELETE", f"/v2/dlq/{letter}").status_code for letter in letters} == {404}
