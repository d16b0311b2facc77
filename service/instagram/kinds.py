"""The kinds of events, and which kind an item is. A kind is also the label of its QStash message."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final

from service.instagram.fields import obj

__all__ = ["Kind", "kind_of_change", "kind_of_item"]


class Kind(StrEnum):
    """What can happen. ``UNKNOWN`` is whatever Meta invents next: kept as it came."""

    MESSAGE = "message"
    ECHO = "echo"
    UNSEND = "unsend"
    EDIT = "edit"
    REACTION = "reaction"
    READ = "read"
    POSTBACK = "postback"
    REFERRAL = "referral"
    OPTIN = "optin"
    HANDOVER = "handover"
    COMMENT = "comment"
    LIVE_COMMENT = "live_comment"
    MENTION = "mention"
    STORY_INSIGHTS = "story_insights"
    UNKNOWN = "unknown"


# An item is of the kind whose key is present; the order decides should two ever be.
_ITEM_KEYS: Final = {
    "message_edit": Kind.EDIT,
    "reaction": Kind.REACTION,
    "postback": Kind.POSTBACK,
    "read": Kind.READ,
    "referral": Kind.REFERRAL,
    "optin": Kind.OPTIN,
    "pass_thread_control": Kind.HANDOVER,
    "take_thread_control": Kind.HANDOVER,
    "request_thread_control": Kind.HANDOVER,
    "app_roles": Kind.HANDOVER,
}
_CHANGE_FIELDS: Final = {
    "comments": Kind.COMMENT,
    "live_comments": Kind.LIVE_COMMENT,
    "mentions": Kind.MENTION,
    "story_insights": Kind.STORY_INSIGHTS,
}


def kind_of_item(item: Mapping[str, Any]) -> Kind:
    """The kind of an item of ``messaging[]`` or ``standby[]``."""
    message = item.get("message")
    if isinstance(message, dict):
        if message.get("is_deleted"):
            return Kind.UNSEND
        return Kind.ECHO if message.get("is_echo") else Kind.MESSAGE
    return next((kind for key, kind in _ITEM_KEYS.items() if isinstance(item.get(key), dict)), Kind.UNKNOWN)


def kind_of_change(field: Any, value: Any) -> Kind:
    """The kind of a change. Under other fields the dashboard's Test button sends items of ``messaging[]``."""
    known = _CHANGE_FIELDS.get(field) if isinstance(field, str) else None
    if known is not None:
        return known if isinstance(value, dict) else Kind.UNKNOWN
    return kind_of_item(obj(value))
