"""One sample of every kind and container that Meta sends, as its bytes go over the wire, and signed like them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from service.instagram import SIGNATURE_HEADER, sign

__all__ = [
    "ACCOUNT",
    "NAMES",
    "PERSON",
    "TEXT",
    "change",
    "encode",
    "entry",
    "item",
    "post",
    "sample",
    "signed_headers",
]

#: Our account, and somebody who writes to it.
ACCOUNT: Final = "17841400000000001"
PERSON: Final = "900000000000001"
#: What an English test would not notice: an accent, an emoji outside of the basic plane, a slash.
TEXT: Final = "Grüße aus Köln 👋 1/2"

_CDN: Final = "https://lookaside.example/ig/1?asset=2"

Json = dict[str, Any]

_ITEMS: Final[Mapping[str, Callable[[str], Json]]] = {
    "message": lambda mid: {"message": {"mid": mid, "text": TEXT}},
    "echo": lambda mid: {"message": {"mid": mid, "text": TEXT, "is_echo": True}},
    "unsend": lambda mid: {"message": {"mid": mid, "is_deleted": True}},
    "attachment": lambda mid: _message(mid, attachments=[{"type": "image", "payload": {"url": _CDN}}]),
    "story_mention": lambda mid: _message(mid, attachments=[{"type": "story_mention", "payload": {"url": _CDN}}]),
    "ephemeral": lambda mid: _message(mid, attachments=[{"type": "ephemeral"}]),
    "story_reply": lambda mid: _message(mid, text=TEXT, reply_to={"story": {"url": _CDN, "id": "story-1"}}),
    "reply": lambda mid: _message(mid, text=TEXT, reply_to={"mid": f"{mid}-before"}),
    "quick_reply": lambda mid: _message(mid, text="Ja", quick_reply={"payload": "YES"}),
    "ad_referral": lambda mid: _message(
        mid, text=TEXT, referral={"ref": "summer", "source": "ADS", "type": "OPEN_THREAD"}
    ),
    "unsupported": lambda mid: _message(mid, is_unsupported=True),
    "reaction": lambda mid: {"reaction": {"mid": mid, "action": "react", "reaction": "love", "emoji": "❤️"}},
    "unreact": lambda mid: {"reaction": {"mid": mid, "action": "unreact"}},
    "edit": lambda mid: {"message_edit": {"mid": mid, "text": f"{TEXT} ✏️", "num_edit": 1}},
    "read": lambda mid: {"read": {"mid": mid}},
    "postback": lambda mid: {"postback": {"mid": mid, "title": "Öffnungszeiten", "payload": "HOURS"}},
    "referral": lambda mid: {
        "referral": {"ref": f"ref-{mid}", "source": "https://ig.me/m/shop", "type": "OPEN_THREAD"}
    },
    "optin": lambda mid: {"optin": {"type": "notification_messages", "payload": mid}},
    "handover": lambda mid: {"pass_thread_control": {"new_owner_app_id": "123", "metadata": mid}},
    "unknown": lambda mid: {"hologram": {"mid": mid, "shape": "🛸"}},
}
_CHANGES: Final[Mapping[str, Callable[[str], Json]]] = {
    "comment": lambda mid: {"field": "comments", "value": _comment(mid)},
    "comment_by_facebook_login": lambda mid: {
        "field": "comments",
        "value": {**_comment(mid, "comment_id"), "parent_id": "1"},
    },
    "live_comment": lambda mid: {"field": "live_comments", "value": _comment(mid)},
    "mention": lambda mid: {"field": "mentions", "value": {"comment_id": mid, "media_id": "17918195224117851"}},
    "story_insights": lambda mid: {
        "field": "story_insights",
        "value": {"media_id": mid, "impressions": 444, "reach": 44},
    },
    "unknown_change": lambda mid: {"field": "holograms", "value": {"id": mid}},
}
#: Containers beside the normal one.
_CONTAINERS: Final = ("standby", "test_button", "comment_on_entry")
#: What :func:`sample` knows.
NAMES: Final = (*_ITEMS, *_CHANGES, *_CONTAINERS)


def sample(name: str, *, mid: str, at_ms: int, account: str = ACCOUNT, person: str = PERSON) -> Json:
    """The body of a POST with one update; ``mid`` identifies it, or the message or comment that it is about.

    :raises KeyError: when ``name`` is not in :data:`NAMES`.
    """
    if name == "standby":
        return post(entry(account, at_ms, standby=[item("message", mid, at_ms, account, person)]))
    if name == "test_button":
        # The dashboard's Test button: direct messages as a change, times as text.
        value = {**item("message", mid, at_ms, account, person), "timestamp": str(at_ms // 1000)}
        return post(entry(account, at_ms, changes=[{"field": "messages", "value": value}]))
    if name == "comment_on_entry":
        return post({**entry(account, at_ms), **_CHANGES["comment"](mid)})
    if name in _CHANGES:
        # Changes count the time of their entry in seconds.
        return post(entry(account, at_ms // 1000, changes=[_CHANGES[name](mid)]))
    return post(entry(account, at_ms, messaging=[item(name, mid, at_ms, account, person)]))


def item(name: str, mid: str, at_ms: int, account: str = ACCOUNT, person: str = PERSON) -> Json:
    """An item of ``messaging[]``; echoes go the other way."""
    content = _ITEMS[name](mid)
    sender, recipient = (account, person) if name == "echo" else (person, account)
    return {"sender": {"id": sender}, "recipient": {"id": recipient}, "timestamp": at_ms, **content}


def change(name: str, mid: str) -> Json:
    """An item of ``changes[]``."""
    return _CHANGES[name](mid)


def entry(account: str, time: int, **containers: list[Json]) -> Json:
    """An entry with the given containers."""
    return {"id": account, "time": time, **containers}


def post(*entries: Json) -> Json:
    """The body of a POST."""
    return {"object": "instagram", "entry": list(entries)}


def encode(body: Json) -> bytes:
    """The bytes as Meta sends them: other than ASCII as lower-case escapes, and a slash behind a backslash."""
    return json.dumps(body, separators=(",", ":")).replace("/", "\\/").encode("ascii")


def signed_headers(secret: str, body: bytes) -> dict[str, str]:
    """The headers of a signed POST of ``body``."""
    return {"Content-Type": "application/json", SIGNATURE_HEADER: sign(secret, body)}


def _message(mid: str, **fields: Any) -> Json:
    return {"message": {"mid": mid, **fields}}


def _comment(comment_id: str, key: str = "id") -> Json:
    author = {"id": PERSON, "username": "jürgen"}
    return {key: comment_id, "from": author, "text": TEXT, "media": {"id": "179", "media_product_type": "FEED"}}
