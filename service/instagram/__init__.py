"""Meta's webhook payloads, pure: what arrives, what kind it is, who it is, and what it says."""

from __future__ import annotations

from service.instagram.identity import conversation_of, mid_of
from service.instagram.items import (
    Attachment,
    Comment,
    DirectMessage,
    Edit,
    Item,
    Other,
    Postback,
    Reaction,
    Read,
    Unsend,
    item_of,
)
from service.instagram.kinds import Kind
from service.instagram.signature import SIGNATURE_HEADER, sign, signature_holds
from service.instagram.webhook import ACCOUNT_UNKNOWN, Update, updates

__all__ = [
    "ACCOUNT_UNKNOWN",
    "SIGNATURE_HEADER",
    "Attachment",
    "Comment",
    "DirectMessage",
    "Edit",
    "Item",
    "Kind",
    "Other",
    "Postback",
    "Reaction",
    "Read",
    "Unsend",
    "Update",
    "conversation_of",
    "item_of",
    "mid_of",
    "sign",
    "signature_holds",
    "updates",
]
