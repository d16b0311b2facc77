import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service import envelope
from service.instagram import (
    Attachment,
    Comment,
    DirectMessage,
    Edit,
    Item,
    Kind,
    Other,
    Postback,
    Reaction,
    Read,
    Unsend,
    Update,
    item_of,
    mid_of,
    updates,
)
from service.processing.conversations import merge
from service.samples import ACCOUNT, NAMES, PERSON, TEXT, encode, entry, item, post, sample
from service.webhook import events_of

AT_MS = 1_767_225_599_250
AT = datetime(2025, 12, 31, 23, 59, 59, 250_000, tzinfo=UTC)
AT_S = AT.replace(microsecond=0)


def only(body: Any) -> Update:
    (update,) = updates(body)
    return update


def typed(update: Update) -> Item:
    return item_of(update.kind, update.account, update.payload)


def message(mid: str = "m", text: str | None = TEXT, **fields: Any) -> DirectMessage:
    return DirectMessage(**{"mid": mid, "person": PERSON, "is_echo": False, "text": text, **fields})


EXPECTED: dict[str, tuple[Kind, Item | None]] = {
    "message": (Kind.MESSAGE, message()),
    "echo": (Kind.ECHO, message(is_echo=True)),
    "unsend": (Kind.UNSEND, Unsend("m", PERSON)),
    "attachment": (
        Kind.MESSAGE,
        message(text=None, attachments=(Attachment("image", "https://lookaside.example/ig/1?asset=2"),)),
    ),
    "story_mention": (
        Kind.MESSAGE,
        message(text=None, attachments=(Attachment("story_mention", "https://lookaside.example/ig/1?asset=2"),)),
    ),
    "ephemeral": (Kind.MESSAGE, message(text=None, attachments=(Attachment("ephemeral"),))),
    "story_reply": (Kind.MESSAGE, message(reply_to_story="story-1")),
    "reply": (Kind.MESSAGE, message(reply_to_mid="m-before")),
    "quick_reply": (Kind.MESSAGE, message(text="Ja", quick_reply="YES")),
    "ad_referral": (Kind.MESSAGE, message()),
    "unsupported": (Kind.MESSAGE, message(text=None, is_unsupported=True)),
    "reaction": (Kind.REACTION, Reaction("m", PERSON, "react", "love", "❤️")),
    "unreact": (Kind.REACTION, Reaction("m", PERSON, "unreact")),
    "edit": (Kind.EDIT, Edit("m", PERSON, f"{TEXT} ✏️", 1)),
    "read": (Kind.READ, Read("m", PERSON)),
    "postback": (Kind.POSTBACK, Postback("m", PERSON, "Öffnungszeiten", "HOURS")),
    "referral": (Kind.REFERRAL, None),
    "optin": (Kind.OPTIN, None),
    "handover": (Kind.HANDOVER, None),
    "unknown": (Kind.UNKNOWN, None),
    "comment": (Kind.COMMENT, Comment("m", False, "179", None, PERSON, "jürgen", TEXT)),
    "comment_by_facebook_login": (Kind.COMMENT, Comment("m", False, "179", "1", PERSON, "jürgen", TEXT)),
    "live_comment": (Kind.LIVE_COMMENT, Comment("m", True, "179", None, PERSON, "jürgen", TEXT)),
    "mention": (Kind.MENTION, None),
    "story_insights": (Kind.STORY_INSIGHTS, None),
    "unknown_change": (Kind.UNKNOWN, None),
    "standby": (Kind.MESSAGE, message()),
    "test_button": (Kind.MESSAGE, message()),
    "comment_on_entry": (Kind.COMMENT, Comment("m", False, "179", None, PERSON, "jürgen", TEXT)),
}


@pytest.mark.parametrize("name", NAMES)
def test_every_kind_in_every_container_is_read(name: str):
    """Each sample, through its bytes, becomes one update of the kind and the typed content that it is meant to be."""
    update = only(json.loads(encode(sample(name, mid="m", at_ms=AT_MS))))
    kind, content = EXPECTED[name]
    assert (update.kind, update.account) == (kind, ACCOUNT)
    assert typed(update) == (Other(update.payload) if content is None else content)
    assert update.occurred_at in (AT, AT_S)


def test_no_sample_without_an_expectation():
    """Whoever adds a sample says what it means."""
    assert EXPECTED.keys() == set(NAMES)


def test_identities_tell_apart_what_shares_a_mid():
    """An unsend, an edit, a reaction and a read repeat their message's mid: the mid alone is no identity."""
    names = ("message", "unsend", "edit", "reaction", "unreact", "read", "postback", "comment")
    ids = {only(sample(name, mid="m", at_ms=AT_MS)).id for name in names}
    assert len(ids) == len(names)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (("edit", {"num_edit": 1}), ("edit", {"num_edit": 2})),
        (("reaction", {"action": "react"}), ("reaction", {"action": "unreact"})),
    ],
)
def test_identities_hold_the_action_and_the_number(
    first: tuple[str, dict[str, Any]], second: tuple[str, dict[str, Any]]
):
    """Two edits, or a reaction and its taking back, are two events."""
    ids = set()
    for name, change in (first, second):
        content = item(name, "m", AT_MS)
        key = "message_edit" if name == "edit" else name
        ids.add(only(post(entry(ACCOUNT, AT_MS, messaging=[{**content, key: {**content[key], **change}}]))).id)
    assert len(ids) == 2


def test_an_identity_survives_the_container_and_the_post():
    """The same event in standby, from the Test button, or in a later POST is the same event."""
    ids = {only(sample(name, mid="m", at_ms=AT_MS)).id for name in ("message", "standby", "test_button")}
    later = only(post(entry(ACCOUNT, AT_MS + 5_000, messaging=[item("message", "m", AT_MS)])))
    assert ids == {later.id}


def test_an_identity_holds_the_account():
    """One mid at two of our accounts is two events."""
    assert only(sample("message", mid="m", at_ms=1)).id != only(sample("message", mid="m", at_ms=1, account="2")).id


def test_both_logins_name_one_comment_alike():
    """A comment's id stands under id (Business Login) or comment_id (Facebook Login)."""
    one, other = (only(sample(name, mid="c", at_ms=1)) for name in ("comment", "comment_by_facebook_login"))
    assert one.id == other.id
    assert mid_of(one.kind, one.payload) == mid_of(other.kind, other.payload) == "c"


def test_an_identity_says_nothing_and_travels_anywhere():
    """Identities are labels and headers: a kind and 32 hex digits, without a word of the content."""
    assert only(sample("message", mid="m:\n/ü", at_ms=1)).id.isascii()
    assert len(only(sample("message", mid="m", at_ms=1)).id) == len("message-") + 32


@pytest.mark.parametrize(
    ("value", "at"),
    [
        (AT_MS, AT),
        (str(AT_MS), AT),
        (AT_MS // 1000, AT_S),
        (str(AT_MS // 1000), AT_S),
        (0, None),
        ("soon", None),
        (10**30, None),
        (True, None),
        (None, None),
    ],
)
def test_times_are_read_in_each_of_metas_spellings(value: object, at: datetime | None):
    """Seconds or milliseconds, number or text; what is no time is none, and the POST is still taken."""
    assert only(post({"id": ACCOUNT, "messaging": [{**item("message", "m", 1), "timestamp": value}]})).occurred_at == at


def test_our_own_doings_belong_to_the_other_person():
    """An edit or unsend of our own message is sent by our account: the conversation is the recipient's."""
    mine = {"sender": {"id": ACCOUNT}, "recipient": {"id": PERSON}, "timestamp": 1}
    update = only(post(entry(ACCOUNT, 1, messaging=[{**mine, "message": {"mid": "m", "is_deleted": True}}])))
    assert typed(update) == Unsend("m", PERSON)


@pytest.mark.parametrize(
    ("body", "payload"),
    [
        ([], {"body": []}),
        ({"object": "page"}, {"body": {"object": "page"}}),
        ({"entry": "x"}, {"body": {"entry": "x"}}),
        ({"entry": [7]}, {"entry": 7}),
        ({"entry": [{"messaging": {"a": 1}}]}, {"entry": {"messaging": {"a": 1}}}),
        ({"entry": [{"messaging": [7]}]}, {"entry": {"messaging": [7]}}),
        ({"entry": [{"holograms": [{"a": 1}]}]}, {"entry": {"holograms": [{"a": 1}]}}),
        ({"entry": [{"changes": [{"field": ["x"], "value": 1}]}]}, {"field": ["x"], "value": 1}),
    ],
)
def test_an_unknown_shape_is_kept_as_it_came(body: Any, payload: dict[str, Any]):
    """Meta keeps no copy: what is new to us is an unknown event with all that came."""
    update = only(body)
    assert (update.kind, update.payload) == (Kind.UNKNOWN, payload)


def test_two_unknown_updates_are_two_events():
    """Where nothing identifies an update, all of it does."""
    ids = [update.id for update in updates(post(entry("1", 5, messaging=[{"a": 1}, {"a": 2}, {"a": 1}])))]
    assert len(set(ids)) == 2


def test_all_containers_of_an_entry_are_read():
    """An entry may hold several containers at once, beside one that nobody knows yet."""
    body = post(
        {
            **entry(ACCOUNT, 1, messaging=[item("message", "a", 1)], standby=[item("message", "b", 1)]),
            "changes": [{"field": "mentions", "value": {"media_id": "1"}}],
            "orbits": [{"x": 1}],
        }
    )
    assert [update.kind for update in updates(body)] == [Kind.MESSAGE, Kind.MESSAGE, Kind.MENTION, Kind.UNKNOWN]
    assert updates(body)[1].payload["standby"] is True


KEYS = ("entry", "messaging", "standby", "changes", "message", "mid", "reaction", "timestamp", "field", "value", "id")
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=5)
    | st.sampled_from(["comments", "messages", "react"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=5),
    max_leaves=30,
)


@given(JSON)
def test_nothing_that_is_json_raises(body: Any):
    """Whatever Meta sends next is read without an exception, and typed without one."""
    for update in updates(body):
        assert typed(update) is not None
        assert mid_of(update.kind, update.payload) != ""


@given(JSON, st.text(max_size=5))
def test_whatever_is_taken_can_be_read_again(body: Any, account: str):
    """What the webhook answered 200 must not be 489 at the consumer, whatever stands in it."""
    posts = [body, {"entry": [{"id": account, "messaging": [body]}]}]
    for event in [event for one in posts for event in events_of(json.dumps(one).encode(), 1_000)]:
        again = envelope.decode(envelope.encode(event))
        assert (again.id, again.kind, again.account) == (event.id, event.kind, event.account)
        merge(again)
