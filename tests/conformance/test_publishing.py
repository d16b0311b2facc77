import pytest

from tests.conformance.destination import Destination
from tests.conformance.sdks import Sdk, SdkError
from tests.conformance.servers import Server

TEXT = '{"text": "Olá 👋 — naïve café"}'


def test_what_is_published_arrives_signed(sdk: Sdk, server: Server, destination: Destination):
    """Body, Content-Type and forwarded headers arrive, and the SDK's own receiver accepts the signature."""
    url = destination.hook()
    published = (
        sdk.publish(url, TEXT, content_type="text/plain", headers={"X-Own": "yes"})
        if _is_python(sdk)
        else (sdk.publish(url, TEXT, headers={"Content-Type": "text/plain", "X-Own": "yes"}))
    )
    assert server.finish(published.message_id) == "DELIVERED"
    (seen,) = destination.arrivals(url)
    assert (seen.method, seen.body.decode(), seen.header("Content-Type")) == ("POST", TEXT, "text/plain")
    assert (seen.header("X-Own"), seen.header("Upstash-Message-Id")) == ("yes", published.message_id)
    assert (seen.header("Upstash-Retried"), seen.header("User-Agent")) == ("0", "Upstash-QStash")
    assert not [name for name, _ in seen.headers if name.lower().startswith(("upstash-telemetry", "upstash-forward"))]
    assert seen.header("Authorization") is None
    sdk.verify(server.keys(), seen.header("Upstash-Signature") or "", TEXT, url)


@pytest.mark.parametrize("changed", ["body", "url", "keys"])
def test_a_signature_holds_for_nothing_else(sdk: Sdk, server: Server, destination: Destination, changed: str):
    """Another body, URL or key pair, and the SDK's own receiver refuses the signature."""
    url = destination.hook()
    server.finish(sdk.publish_json(url, {"n": 1}).message_id)
    (seen,) = destination.arrivals(url)
    right = {"keys": server.keys(), "body": seen.body.decode(), "url": url}
    wrong = {"keys": ("sig_other", "sig_another"), "body": "{}", "url": f"{url}/else"}
    signature = seen.header("Upstash-Signature") or ""
    sdk.verify(signature=signature, **right)
    with pytest.raises(SdkError):
        sdk.verify(signature=signature, **{**right, changed: wrong[changed]})


@pytest.mark.parametrize("rest", ["", "?a=1&b=2", "/%7Euser/a%2Fb?q=%F0%9F%91%8B&c=a%20b"])
def test_the_signed_url_is_the_destination_as_given(sdk: Sdk, server: Server, destination: Destination, rest: str):
    """Percent-encoding and query reach the destination untouched, and are what is signed."""
    url = destination.hook(rest=rest)
    server.finish(sdk.publish_json(url, {"n": 1}).message_id)
    (seen,) = destination.arrivals(url)
    sdk.verify(server.keys(), seen.header("Upstash-Signature") or "", seen.body.decode(), url)


def test_a_message_under_way_shows_what_was_asked(sdk: Sdk, destination: Destination, label: str):
    """Options travel as headers and come back in the message, under the names that the SDK reads."""
    url = destination.hook()
    published = sdk.publish_json(
        url,
        {"text": "👋"},
        delay=3600,
        retries=5,
        retry_delay="1000 * (1 + retried)",
        label=label,
        method="PUT",
        callback=destination.hook("ok"),
        failure_callback=destination.hook("ok"),
        headers={"Test-Header": "x"},
    )
    message = sdk.message(published.message_id)
    assert (message.message_id, message.url, message.method) == (published.message_id, url, "PUT")
    assert (message.max_retries, message.retry_delay, message.label) == (5, "1000 * (1 + retried)", label)
    assert message.not_before - message.created_at in range(3_599_000, 3_601_001)
    assert "👋" in (message.body or "") or "\\ud83d" in (message.body or "")
    assert (message.header["Test-Header"], message.header["Content-Type"]) == (["x"], ["application/json"])
    assert message.callback is not None
    assert message.failure_callback is not None
    assert not [name for name in message.header if name.startswith("Upstash-")]


@pytest.mark.account
def test_a_delivered_message_is_still_there_at_once(sdk: Sdk, server: Server, destination: Destination):
    """Who asks right after a fast delivery gets the message, not 404."""
    published = sdk.publish_json(destination.hook(), {"n": 1}, retries=0)
    server.finish(published.message_id)
    assert sdk.message(published.message_id).message_id == published.message_id


def test_a_batch_answers_in_its_own_order(sdk: Sdk, server: Server, destination: Destination, label: str):
    """Each item of a batch keeps its own options, and its answer stands where the item stood."""
    urls = [destination.hook() for _ in range(3)]
    items = [{"url": url, "body": {"n": n}, "headers": {"N": str(n)}, "label": label} for n, url in enumerate(urls)]
    published = sdk.batch_json(items)
    for answer in published:
        assert server.finish(answer.message_id) == "DELIVERED"
    for n, (url, answer) in enumerate(zip(urls, published, strict=True)):
        (seen,) = destination.arrivals(url)
        assert (seen.json(), seen.header("N")) == ({"n": n}, str(n))
        assert seen.header("Upstash-Message-Id") == answer.message_id


def test_the_same_deduplication_id_is_sent_once(sdk: Sdk, server: Server, destination: Destination, label: str):
    """The second publish gets the first one's id and says so; in a batch too; and one message arrives."""
    url = destination.hook()
    first = sdk.publish_json(url, {"n": 1}, deduplication_id=label)
    again = sdk.publish_json(url, {"n": 2}, deduplication_id=label)
    (batched,) = sdk.batch_json([{"url": url, "body": {"n": 3}, "deduplication_id": label}])
    assert (first.deduplicated, again.deduplicated, batched.deduplicated) == (False, True, True)
    assert first.message_id == again.message_id == batched.message_id
    assert server.finish(first.message_id) == "DELIVERED"
    assert [seen.json() for seen in destination.arrivals(url)] == [{"n": 1}]


def test_the_same_content_is_sent_once(sdk: Sdk, destination: Destination):
    """Content-based deduplication knows equal bodies from other ones, however the SDK spells the flag."""
    url = destination.hook()
    bodies = [{"n": 1}, {"n": 1}, {"n": 2}]
    answers = [sdk.publish_json(url, body, content_based_deduplication=True, delay=3600) for body in bodies]
    assert [answer.deduplicated for answer in answers] == [False, True, False]


@pytest.mark.account
def test_a_deduplication_id_with_a_colon_is_refused(sdk: Sdk, destination: Destination):
    """The SDK shows the text of the live service."""
    with pytest.raises(SdkError, match="DeduplicationId cannot contain ':'"):
        sdk.publish_json(destination.hook(), {"n": 1}, retries=0, deduplication_id="a:b")


def test_a_scheme_that_cannot_be_delivered_to_is_refused(python: Sdk):
    """Anything but http and https is no destination; the text names what to add."""
    with pytest.raises(SdkError, match="endpoint has invalid scheme, add http:// or https://"):
        python.publish_json("ftp://example.com/file", {"n": 1})


def _is_python(sdk: Sdk) -> bool:
    return type(sdk).__name__ == "PythonSdk"
