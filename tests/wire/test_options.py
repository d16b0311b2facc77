import pytest
from hypothesis import given

from qsops.errors import Rejected
from qsops.models import Callback, FlowControl, Headers, Publish
from qsops.wire import texts
from qsops.wire.options import apply_overrides, decode_options, encode_options
from tests.wire.strategies import publishes

URL = "https://a.test/hook"


def decoded(*headers: tuple[str, str], query: str = "") -> Publish:
    return decode_options(URL, headers, b"", query)


def refusal(*headers: tuple[str, str], query: str = "") -> str:
    with pytest.raises(Rejected) as raised:
        decoded(*headers, query=query)
    assert raised.value.status == 400
    return raised.value.text


@given(publishes())
def test_options_read_as_they_were_written(publish: Publish):
    """Encoding and decoding are opposites; queue, destination and body travel beside the headers."""
    again = decode_options(publish.destination, encode_options(publish), publish.body)
    assert again == decode_options(publish.destination, encode_options(again), publish.body)
    assert encode_options(again) == encode_options(publish)


@given(publishes())
def test_header_names_come_in_any_case(publish: Publish):
    """JavaScript lower-cases all names, and so do servers (reference 0.10)."""
    lowered = tuple((name.lower(), value) for name, value in encode_options(publish))
    assert decode_options(URL, lowered) == decode_options(URL, encode_options(publish))


@pytest.mark.parametrize(
    ("name", "value", "field", "expected"),
    [
        ("Upstash-Method", "put", "method", "PUT"),
        ("Upstash-Delay", "1m30s", "delay_s", 90),
        ("Upstash-Not-Before", "1700000000", "not_before_s", 1_700_000_000),
        ("Upstash-Timeout", "2h", "timeout_s", 7_200),
        ("Upstash-Retries", "0", "retries", 0),
        ("Upstash-Retry-Delay", "7000 * retried", "retry_delay", "7000 * retried"),
        ("Upstash-Content-Based-Deduplication", "True", "content_based_deduplication", True),
        ("Upstash-Content-Based-Deduplication", "False", "content_based_deduplication", False),
        ("Upstash-Content-Based-Deduplication", "true", "content_based_deduplication", True),
        ("Upstash-Label", "a, b,,a", "labels", ("a", "b")),
        ("Upstash-Redact-Fields", "body, headers,headers[X-A],header[X-B]", "redact",
         ("body", "header", "header[X-A]", "header[X-B]")),
        ("Upstash-Redact-Fields", "BODY", "redact", ("body",)),
        ("Upstash-Delay", "", "delay_s", None),
        ("Upstash-Cryptic", "x", "labels", ()),
    ],
)  # fmt: skip
def test_each_option_has_its_field(name: str, value: str, field: str, expected: object):
    """The table of the reference, section 3; empty is not set, and what is not known is passed over."""
    assert getattr(decoded((name, value)), field) == expected
    assert getattr(decoded(query=f"{name.lower()}={value.replace(' ', '%20')}"), field) == expected


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("Upstash-Method", "BREW", "it is one of GET, POST, PUT, PATCH, DELETE"),
        ("Upstash-Delay", "10", "it is no duration; write <number><s|m|h|d>, e.g. 90s or 1d10h30m"),
        ("Upstash-Not-Before", "soon", "it is a whole number, 0 or more"),
        ("Upstash-Timeout", "-1s", "it is no duration; write <number><s|m|h|d>, e.g. 90s or 1d10h30m"),
        ("Upstash-Timeout", "0s", "it is at least 1s"),
        ("Upstash-Callback-Timeout", "0s", "it is at least 1s"),
        ("Upstash-Callback-Retries", "x", "it is a whole number, 0 or more"),
        ("Upstash-Failure-Callback-Method", "x", "it is one of GET, POST, PUT, PATCH, DELETE"),
        ("Upstash-Failure-Callback-Delay", "x", "it is no duration; write <number><s|m|h|d>, e.g. 90s or 1d10h30m"),
        ("Upstash-Retries", "-1", "it is a whole number, 0 or more"),
        ("Upstash-Retries", "2.5", "it is a whole number, 0 or more"),
        ("Upstash-Content-Based-Deduplication", "maybe", "it is true or false"),
        ("Upstash-Header-Forward", "maybe", "it is true or false"),
        ("Upstash-Redact-Fields", "header[]", "'header[]' is none of body, header, header[Name]"),
    ],
)
def test_an_option_that_cannot_be_read_is_named(name: str, value: str, why: str):
    """A 400 names the header, its value and what it should be; of a callback's options, too, without its URL."""
    assert refusal((name, value)) == texts.invalid_header(name, value, why)


def test_a_deduplication_id_has_no_colon():
    """The service's own words (reference, section 1)."""
    assert refusal(("Upstash-Deduplication-Id", "a:b")) == texts.DEDUPLICATION_ID_HAS_COLON
    assert texts.DEDUPLICATION_ID_HAS_COLON == "DeduplicationId cannot contain ':'"


def test_a_header_goes_before_a_parameter():
    """Of an option given twice the first counts, and headers come first."""
    assert decoded(("Upstash-Retries", "1"), ("upstash-retries", "2"), query="upstash-retries=3").retries == 1


def test_text_beyond_ascii_is_utf_8():
    """An option is the text that the edge made of its bytes: it is decoded once, and never guessed at again."""
    assert decoded(("Upstash-Label", "grÃ¶Ã\x9fe")).labels == ("grÃ¶Ã\x9fe",)
    assert decoded(("Upstash-Label", "größe")).labels == ("größe",)
    assert decoded(query="upstash-label=gr%C3%B6%C3%9Fe").labels == ("größe",)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ((("Upstash-Forward-test-header", "1"), ("X-Own", "2")), (("Test-Header", "1"),)),
        ((("content-type", "a/b"), ("upstash-forward-x", "1")), (("Content-Type", "a/b"), ("X", "1"))),
        (
            (("Content-Type", "application/json"), ("Upstash-Forward-content-type", "text/csv")),
            (("Content-Type", "text/csv"),),
        ),
        ((("Upstash-Forward-A", "1"), ("Upstash-Forward-A", "2")), (("A", "1"), ("A", "2"))),
        ((("Upstash-Telemetry-Sdk", "js"), ("Authorization", "Bearer secret")), ()),
    ],
)
def test_the_destination_gets_what_is_forwarded(headers: Headers, expected: Headers):
    """Names in canonical case, prefix stripped, and nothing else; one content type (reference 0.15 and section 3)."""
    assert decoded(*headers).headers == expected


def test_a_webhook_forwards_all_but_what_is_qstashs():
    """Options, the token, and what belongs to the connection stay behind."""
    headers = (
        ("Host", "qstash"),
        ("Authorization", "Bearer secret"),
        ("Content-Length", "2"),
        ("Content-Type", "application/json"),
        ("Upstash-Retries", "1"),
        ("X-Hub-Signature-256", "sha256=ab"),
        ("Upstash-Forward-X-Hub-Signature-256", "mine"),
        ("X-Other", "1"),
    )
    forwarded = (("Content-Type", "application/json"), ("X-Other", "1"), ("X-Hub-Signature-256", "mine"))
    assert decoded(*headers, query="upstash-header-forward=true").headers == forwarded


@pytest.mark.parametrize(
    ("name", "value"), [("X-A", "1\r\nX-Evil: 2"), ("X A", "1"), ("", "1"), ("X-A", "\x00"), ("X-A\r\nB", "1")]
)
def test_a_header_cannot_smuggle_another(name: str, value: str):
    """Items of a batch are JSON, where a value may hold a line break."""
    why = "a header has a name, and one line as its value"
    for prefix in ("Upstash-Forward-", "Upstash-Callback-Forward-"):
        callback = ("Upstash-Callback", URL)
        assert refusal(callback, (f"{prefix}{name}", value)) == texts.invalid_header(f"{prefix}{name}", value, why)


def test_callbacks_have_options_of_their_own():
    """Each callback is sent as its options say; options of one that is not asked for mean nothing."""
    publish = decoded(
        ("Upstash-Callback", "https://c.test"),
        ("Upstash-Callback-Method", "PUT"),
        ("Upstash-Callback-Retries", "2"),
        ("Upstash-Callback-Retry-Delay", "1000"),
        ("Upstash-Callback-Timeout", "5s"),
        ("Upstash-Callback-Delay", "1m"),
        ("Upstash-Callback-Forward-x-a", "1"),
        ("Upstash-Callback-X", "an option that is not known"),
        ("Upstash-Failure-Callback-Retries", "9"),
    )
    assert publish.callback == Callback("https://c.test", "PUT", (("X-A", "1"),), 2, "1000", 5, 60)
    assert publish.failure_callback is None


def test_a_callback_needs_a_url():
    """A callback is a URL, not the name of a group."""
    expected = texts.invalid_header("Upstash-Failure-Callback", "undefined", "add http:// or https://")
    assert refusal(("Upstash-Failure-Callback", "undefined")) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("parallelism=2", FlowControl("k", 2)),
        ("rate=10, period=1m", FlowControl("k", None, 10, 60)),
        ("parallelism=1,rate=10,period=90", FlowControl("k", 1, 10, 90)),
        ("rate=1, period=7d", FlowControl("k", None, 1, 604_800)),
    ],
)
def test_flow_control_takes_one_limit_or_both(value: str, expected: FlowControl):
    """The period is a duration or seconds, and a second if it is not given (reference 0.11 and section 3)."""
    assert decoded(("Upstash-Flow-Control-Key", "k"), ("Upstash-Flow-Control-Value", value)).flow_control == expected


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("period=1s", "it needs parallelism or rate"),
        ("rate=0", "rate is at least 1"),
        ("rate=1, period=8d", "the period is at most a week"),
        ("speed=1", "'speed=1' is none of parallelism=n, rate=n, period=<duration>, each once"),
        ("rate=1, rate=2", "'rate=2' is none of parallelism=n, rate=n, period=<duration>, each once"),
        ("rate=fast", "it is a whole number, 0 or more"),
    ],
)
def test_flow_control_that_limits_nothing_is_refused(value: str, why: str):
    """At least one limit, each of them at least 1, a period of a week at most."""
    headers = (("Upstash-Flow-Control-Key", "k"), ("Upstash-Flow-Control-Value", value))
    assert refusal(*headers) == texts.invalid_header("Upstash-Flow-Control-Value", value, why)


def test_flow_control_needs_both_headers():
    """Neither key nor limits mean anything alone."""
    key, value = "Upstash-Flow-Control-Key", "Upstash-Flow-Control-Value"
    assert refusal((key, "k")) == texts.invalid_header(key, "k", f"it needs {value}")
    assert refusal((value, "rate=1")) == texts.invalid_header(value, "rate=1", f"it needs {key}")


@given(publishes())
def test_without_overrides_a_message_stays_as_it_is(publish: Publish):
    """The retry of a dead letter publishes the same message; the request's own headers say nothing about it."""
    assert apply_overrides(publish, (("Content-Type", "a/b"), ("Authorization", "x"))) == publish


def test_overrides_replace_what_they_name():
    """``Upstash-Retries: 0`` on a DLQ retry (reference, section 2.8), and the rest stays."""
    stored = Publish(
        URL, b"x", "PUT", (("X-A", "1"), ("X-B", "2")), retries=3, labels=("l",), queue="q", callback=Callback(URL)
    )
    overrides = (
        ("upstash-retries", "0"), ("Upstash-Forward-x-a", "9"), ("Upstash-Callback-Retries", "1"), ("X-C", "no"),
    )  # fmt: skip
    changed = apply_overrides(stored, overrides)
    assert (changed.retries, changed.labels, changed.method, changed.queue) == (0, ("l",), "PUT", "q")
    assert sorted(changed.headers) == [("X-A", "9"), ("X-B", "2")]
    assert changed.callback == Callback(URL, retries=1)


def test_what_is_forwarded_may_be_a_parameter():
    """A forwarding option is an option: it may stand in the query, and goes behind the header of its name."""
    query = "upstash-forward-x-a=1&upstash-forward-X-B=b%20c&upstash-callback-forward-k=v&x=1"
    headers = (("Upstash-Callback", URL), ("Upstash-Forward-X-A", ""), ("X-B", "not forwarded"))
    publish = decoded(*headers, query=query)
    assert publish.headers == (("X-A", ""), ("X-B", "b c"))
    assert publish.callback == Callback(URL, headers=(("K", "v"),))


@pytest.mark.parametrize(
    "option",
    [("Flow-Control-Key", "a"), ("Redact-Fields", "foo"), ("Deduplication-Id", "a:b"), ("Workflow-RunId", "wfr_1")],
)
def test_a_callback_has_no_other_options(option: tuple[str, str]):
    """What the documents do not list for a callback is passed over, whatever it says."""
    name, value = option
    callback = decoded(("Upstash-Callback", URL), (f"Upstash-Callback-{name}", value)).callback
    assert callback == Callback(URL)
