import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qsops.errors import Corrupt, Rejected, SettingsError
from qsops.models import Endpoint, Headers, UrlGroup
from qsops.wire import texts
from qsops.wire.groups import (
    GROUP_HEADERS_LIMIT,
    group_add_request,
    group_delete_request,
    group_headers_request,
    group_json,
    group_remove_request,
    group_request,
    groups_json,
    groups_request,
    parse_group,
    parse_group_add,
    parse_group_headers,
    parse_group_name,
    parse_group_remove,
    parse_group_response,
    parse_groups,
)
from qsops.wire.http import Request, Response
from tests.wire.strategies import ENDPOINTS, GROUPS

URL = "https://a.test"


def asked(method: str, body: object, path: str = "/v2/topics/g/endpoints") -> Request:
    return Request(method, path, body=json.dumps(body).encode())


def patched(headers: object) -> Headers:
    name, found = parse_group_headers(asked("PATCH", {"headers": headers}, "/v2/topics/g"))
    assert name == "g"
    return found


@given(st.lists(GROUPS, max_size=2))
def test_groups_read_as_they_were_written(groups: list[UrlGroup]):
    """One, and a bare array of all."""
    assert [parse_group(group_json(group)) for group in groups] == groups
    assert parse_groups(Response.of_json(200, groups_json(groups))) == tuple(groups)


def test_an_endpoint_has_no_more_than_its_two_fields():
    """The JavaScript SDK compares it for equality, and a name that is not set is absent (reference, section 2.7)."""
    group = UrlGroup("g", 1, 2, (Endpoint(URL), Endpoint("https://b.test", "b")))
    assert group_json(group)["endpoints"] == [{"url": URL}, {"url": "https://b.test", "name": "b"}]
    assert parse_group_response(Response.of_json(200, group_json(group))) == group


@given(st.lists(ENDPOINTS, min_size=1, max_size=3))
def test_endpoints_arrive_as_they_were_sent(endpoints: list[Endpoint]):
    """To be added, and to be removed."""
    assert parse_group_add(group_add_request("g", endpoints)) == ("g", tuple(endpoints))
    assert parse_group_remove(group_remove_request("g", endpoints)) == ("g", tuple(endpoints))


def test_a_name_will_do_to_remove():
    """By URL or by name; to add, it takes the URL."""
    assert parse_group_remove(group_remove_request("g", [Endpoint("", "b")])) == ("g", (Endpoint("", "b"),))
    with pytest.raises(Rejected, match="an endpoint is added by its url"):
        parse_group_add(group_add_request("g", [Endpoint("", "b")]))
    with pytest.raises(Rejected, match="an endpoint is removed by its url or its name"):
        parse_group_remove(asked("DELETE", {"endpoints": [{}]}))


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({}, texts.NO_ENDPOINTS),
        ({"endpoints": []}, texts.NO_ENDPOINTS),
        ({"endpoints": {"url": URL}}, texts.NO_ENDPOINTS),
        ({"endpoints": [URL]}, texts.invalid_field("endpoints", URL, "each is an object with a url")),
        ({"endpoints": [{"url": "a.test"}]}, texts.invalid_field("url", "a.test", "add http:// or https://")),
        ({"endpoints": [{"url": 1}]}, texts.invalid_field("url", 1, "it is a text")),
        ({"endpoints": [{"url": URL, "name": []}]}, texts.invalid_field("name", [], "it is a text")),
        (
            {"endpoints": [{"url": URL, "name": "n" * 257}]},
            texts.invalid_field("name", "n" * 257, "it has at most 256 characters"),
        ),
    ],
)
def test_endpoints_that_cannot_be_read_are_named(body: object, text: str):
    """Nothing is added or removed where one of them is wrong."""
    for parse in (parse_group_add, parse_group_remove):
        with pytest.raises(Rejected) as raised:
            parse(asked("POST", body))
        assert (raised.value.status, raised.value.text) == (400, text)


def test_default_headers_are_texts_or_lists():
    """Both forms stand in the one example that there is (reference, section 2.7); null is none."""
    assert patched({"Upstash-Header-Forward": ["true"], "Upstash-Retries": "3", "Upstash-Delay": None}) == (
        ("Upstash-Header-Forward", "true"),
        ("Upstash-Retries", "3"),
    )
    headers = (("Upstash-Forward-X-A", "1"), ("Upstash-Forward-X-A", "2"), ("Upstash-Label", "l"))
    assert parse_group_headers(group_headers_request("g", headers)) == ("g", headers)
    assert patched({}) == ()


@pytest.mark.parametrize(
    ("headers", "text"),
    [
        (None, texts.invalid_field("headers", None, "it is an object of header names and values")),
        ([], texts.invalid_field("headers", [], "it is an object of header names and values")),
        ({"Upstash-Retries": 3}, texts.invalid_header("Upstash-Retries", "3", "it is a text or a list of them")),
        ({"Upstash-Retries": "x"}, texts.invalid_header("Upstash-Retries", "x", "it is a whole number, 0 or more")),
        ({"Upstash-Cron": "* * * * *"}, texts.CRON_ON_PUBLISH),
        (
            {"Upstash-Forward-X": "1\r\nY: 2"},
            texts.invalid_header("Upstash-Forward-X", "1\r\nY: 2", "a header has a name, and one line as its value"),
        ),
        (
            {"Upstash-Label": "\ud800"},
            texts.invalid_header("'Upstash-Label'", r"'\ud800'", "half of a surrogate pair"),
        ),
        (
            {"Upstash-Label": ["a"] * (GROUP_HEADERS_LIMIT + 1)},
            texts.invalid_field("headers", GROUP_HEADERS_LIMIT + 1, f"at most {GROUP_HEADERS_LIMIT} of them"),
        ),
    ],
)
def test_defaults_with_which_no_publish_could_go_on_are_refused(headers: object, text: str):
    """They are read when they are set: otherwise each publish to the group would be refused for them."""
    with pytest.raises(Rejected) as raised:
        patched(headers)
    assert (raised.value.status, raised.value.text) == (400, text)


def test_each_call_names_its_group():
    """An empty name would be the path of all of them."""
    for request in (group_request, group_delete_request):
        assert parse_group_name(request("my.group")) == "my.group"
        with pytest.raises(SettingsError, match="is no id"):
            request("")
    assert (groups_request().method, groups_request().target) == ("GET", "/v2/topics")
    with pytest.raises(Rejected, match="invalid url group name: 'a b'"):
        parse_group_name(Request("GET", "/v2/topics/a%20b"))
    with pytest.raises(Rejected, match="unknown query parameter: all"):
        parse_group_name(Request("DELETE", "/v2/topics/g", "all=1"))


@pytest.mark.parametrize("body", [b"{}", b'[{"endpoints":[]}]', b'[{"name":"g","endpoints":[{}]}]'])
def test_what_is_no_list_of_groups_is_corrupt(body: bytes):
    """An answer of something else is no account without groups."""
    with pytest.raises(Corrupt):
        parse_groups(Response(200, body=body))
