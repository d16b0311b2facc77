import pytest

from qsops.errors import AuthError, QuotaExceeded, RateLimited, Rejected, ServerFault
from qsops.models import Headers
from qsops.wire import texts
from qsops.wire.failures import BurstLimit, raise_for_status, ratelimit
from qsops.wire.http import Response

DAILY = (("RateLimit-Limit", "1000"), ("RateLimit-Remaining", "0"), ("RateLimit-Reset", "1800000000"))
BURST = (("Burst-RateLimit-Limit", "100"), ("Burst-RateLimit-Remaining", "0"), ("Burst-RateLimit-Reset", "1700000000"))


def raised_by(response: Response) -> Rejected:
    with pytest.raises(Rejected) as raised:
        raise_for_status(response)
    return raised.value


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_a_success_is_any_2xx(status: int):
    """A deduplicated publish is 202, a retried dead letter 201 (reference, section 1)."""
    assert raise_for_status(Response(status)) is None


@pytest.mark.parametrize(
    ("status", "text", "kind"),
    [
        (401, texts.INVALID_TOKEN, AuthError),
        (403, texts.READ_ONLY_TOKEN, AuthError),
        (400, texts.INVALID_SCHEME, Rejected),
        (400, texts.loopback_destination("::1"), Rejected),
        (400, texts.unresolved_host("a.test"), Rejected),
        (404, texts.message_not_found("msg_1"), Rejected),
        (302, "", Rejected),
        (412, "too many queues", QuotaExceeded),
        (400, texts.quota_exceeded("maxDelay", 604_800), QuotaExceeded),
        (500, "oops", ServerFault),
        (503, texts.quota_exceeded("maxDelay", 604_800), ServerFault),
    ],
)
def test_an_answer_is_the_error_that_it_means(status: int, text: str, kind: type[Rejected]):
    """By its status; the text of a quota counts under any, since not each was recorded (reference, section 1.2)."""
    error = raised_by(Response.of_json(status, {"error": text}))
    assert type(error) is kind
    assert (error.status, text in error.text) == (status, True)


def test_the_texts_are_the_services_own():
    """Word for word, as they were seen (reference, sections 1 to 1.3)."""
    assert texts.INVALID_TOKEN == "unable to authenticate: invalid token"
    assert texts.INVALID_SCHEME == "invalid destination url: endpoint has invalid scheme, add http:// or https://"
    assert texts.quota_exceeded("maxDelay", 604_800) == "quota maxDelay exceeded, current limit: 604800"
    assert texts.loopback_destination("::1") == "invalid destination url: endpoint resolves to a loopback address: ::1"
    assert texts.unresolved_host("x", "ns") == (
        "invalid destination url: unable to resolve host: lookup x on ns: no such host"
    )


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (texts.dead_letter_not_found("1-0"), "dlq message not found: 1-0"),
        (texts.url_group_not_found("g"), "url group not found: g"),
        (texts.not_served("enqueueing"), "not served by this engine: enqueueing"),
        (texts.body_too_large(7), "request body too large, limit: 7"),
    ],
)
def test_our_own_texts_name_what_was_given(made: str, expected: str):
    """Where the service's words are not known, ours follow their form."""
    assert made == expected


@pytest.mark.parametrize(
    ("headers", "kind", "reset_at_s"),
    [
        (DAILY, "daily", 1_800_000_000.0),
        (BURST, "burst", 1_700_000_000.0),
        ((*BURST, *DAILY), "daily", 1_800_000_000.0),
        ((("ratelimit-limit", "1"),), "daily", None),
        ((("Burst-RateLimit-Reset", "1700000000123"),), "burst", 1_700_000_000.123),
        ((("Burst-RateLimit-Reset", "1"),), "burst", None),
        ((("Burst-RateLimit-Reset", "soon"),), "burst", None),
        ((), "burst", None),
    ],
)
def test_a_429_is_told_apart_by_its_headers(headers: Headers, kind: str, reset_at_s: float | None):
    """As both SDKs do it: the daily header first (reference, section 1.1). A reset is a moment, or unknown."""
    error = raised_by(Response(429, headers))
    assert isinstance(error, RateLimited)
    assert (error.kind, error.reset_at_s) == (kind, reset_at_s)


@pytest.mark.parametrize(
    ("body", "text"),
    [(b"<h1>\n bad </h1>", "<h1> bad </h1>"), (b"", "no text"), (b'{"error":7}', '{"error":7}'), (b"\xff", "\ufffd")],
)
def test_an_answer_of_another_form_is_shown(body: bytes, text: str):
    """A proxy's page is better than nothing, on one line."""
    assert raised_by(Response(502, body=body)).text == text


def test_a_page_of_text_is_cut():
    """An error is one line."""
    assert len(raised_by(Response(502, body=b"x" * 10_000)).text) == 300


def test_the_limit_is_read_from_any_answer():
    """So that many requests can be paced before they are turned away."""
    assert ratelimit(BURST) == BurstLimit(100, 0, 1_700_000_000.0)
    assert ratelimit(BURST[:2]) == BurstLimit(100, 0)


@pytest.mark.parametrize("value", ["nan", "inf", "-1", "", "x"])
def test_a_limit_that_cannot_be_read_is_none(value: str):
    """Headers of an answer never raise."""
    assert ratelimit((("Burst-RateLimit-Limit", value), ("Burst-RateLimit-Remaining", "1"))) is None
