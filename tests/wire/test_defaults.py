import json

import pytest
from hypothesis import given

from qsops.errors import Rejected
from qsops.models import Headers, ItemError, Publish
from qsops.wire.http import Request
from qsops.wire.options import decode_options, encode_options, with_defaults
from qsops.wire.publishing import batch_request, parse_batch, parse_publish, publish_request
from tests.wire.strategies import publishes


def lent(*headers: tuple[str, str], query: str = "", defaults: Headers) -> Publish:
    return decode_options("g", with_defaults(headers, query, defaults), b"", query)


DEFAULTS = (("Upstash-Retries", "5"), ("Upstash-Label", "group"), ("Upstash-Forward-X-A", "group"))


def test_a_message_takes_what_it_does_not_say():
    """The default headers of a URL group apply to each publish (reference, section 2.7), and its own win."""
    assert lent(defaults=DEFAULTS) == Publish("g", retries=5, labels=("group",), headers=(("X-A", "group"),))
    own = lent(("upstash-retries", "0"), ("upstash-forward-x-a", "own"), defaults=DEFAULTS)
    assert own == Publish("g", retries=0, labels=("group",), headers=(("X-A", "own"),))


def test_what_the_query_says_is_its_own_too():
    """An option may stand there instead of in a header."""
    assert lent(query="upstash-retries=1", defaults=DEFAULTS).retries == 1


def test_an_empty_option_says_nothing():
    """Empty is as good as none; a header for the destination may be empty."""
    publish = lent(("Upstash-Retries", " "), ("Upstash-Forward-X-A", ""), defaults=DEFAULTS)
    assert (publish.retries, publish.headers) == (5, (("X-A", ""),))


@pytest.mark.parametrize("name", ["Content-Type", "Upstash-Forward-Content-Type"])
@pytest.mark.parametrize("own", ["content-type", "upstash-forward-content-type"])
def test_the_content_type_is_one(name: str, own: str):
    """With the prefix, as the Python SDK sends it, or without."""
    assert lent((own, "a/b"), defaults=((name, "c/d"),)).headers == (("Content-Type", "a/b"),)
    assert lent(defaults=((name, "c/d"),)).headers == (("Content-Type", "c/d"),)


@pytest.mark.parametrize(
    ("own", "default", "expected"),
    [
        (("Upstash-Delay", "1m"), ("Upstash-Not-Before", "1700000000"), Publish("g", delay_s=60)),
        (("Upstash-Not-Before", "1"), ("Upstash-Delay", "1m"), Publish("g", not_before_s=1)),
        (
            ("Upstash-Content-Based-Deduplication", "true"),
            ("Upstash-Deduplication-Id", "d"),
            Publish("g", content_based_deduplication=True),
        ),
        (
            ("Upstash-Deduplication-Id", "d"),
            ("Upstash-Content-Based-Deduplication", "true"),
            Publish("g", deduplication_id="d"),
        ),
    ],
)
def test_a_default_does_not_overrule_by_another_name(own: tuple[str, str], default: tuple[str, str], expected: Publish):
    """A time wins over a delay, and an id over the content: not where only the group has it."""
    assert lent(own, defaults=(default,)) == expected


def test_all_headers_go_on_where_the_group_says_so():
    """Webhooks cannot prefix theirs; those that came win over the group's, the token stays behind."""
    defaults = (("Upstash-Header-Forward", "true"), ("Upstash-Forward-X-Event", "group"))
    came = (("X-Event", "push"), ("Authorization", "Bearer t"))
    assert lent(*came, defaults=defaults).headers == (("X-Event", "push"),)
    assert lent(*came, ("Upstash-Header-Forward", "false"), defaults=defaults).headers == (("X-Event", "group"),)
    assert lent(*came, query="upstash-header-forward=false", defaults=defaults).headers == (("X-Event", "group"),)


def test_a_default_that_is_no_option_goes_on_with_all_headers_only():
    """A group's plain header means nothing by itself; where all headers are forwarded, it is one of them."""
    assert lent(defaults=(("Foo", "z"),)) == Publish("g")
    everything = (("Upstash-Header-Forward", "true"), ("Foo", "z"))
    assert lent(("Foo", "own"), defaults=everything[:1]).headers == (("Foo", "own"),)
    assert lent(defaults=everything).headers == (("Foo", "z"),)


@given(publishes())
def test_without_defaults_nothing_changes(publish: Publish):
    """Most groups have none, and URLs never."""
    headers = encode_options(publish)
    assert with_defaults(headers, "", ()) is headers
    assert with_defaults(headers, "", headers) == headers


def test_a_publish_asks_for_them_by_the_name_of_its_group():
    """Alone and in a batch; nobody is asked about a URL."""
    asked: list[str] = []

    def defaults(name: str) -> Headers:
        asked.append(name)
        return (("Upstash-Retries", "5"),)

    messages = [Publish("https://a.test"), Publish("g", labels=("l",)), Publish("h", retries=1, queue="q")]
    expected = [messages[0], Publish("g", labels=("l",), retries=5), messages[2]]
    assert [parse_publish(publish_request(message), defaults) for message in messages] == expected
    assert parse_batch(batch_request(messages), defaults) == expected
    assert asked == ["g", "h", "g", "h"]


def test_a_default_that_is_refused_is_the_item_s_error():
    """The others of the batch go through."""

    def defaults(name: str) -> Headers:
        raise Rejected(404, f"no {name}")

    body = json.dumps([{"destination": "g"}, {"destination": "https://a.test"}]).encode()
    found = parse_batch(Request("POST", "/v2/batch", body=body), defaults)
    assert found == [ItemError("no g"), Publish("https://a.test")]
