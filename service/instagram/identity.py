"""The identity of an event: the same for every repeat of it, and for nothing else.

A mid alone is none, since unsends, edits, reactions and reads repeat the mid of the message they point at. Identities
are hashes: they travel in headers, have one length, and say nothing of a person.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from service.instagram.fields import obj, text
from service.instagram.kinds import Kind

__all__ = ["conversation_of", "identity", "mid_of"]

_DIGEST_CHARS: Final = 32
# Made once: json.dumps with separators builds an encoder for each call.
_canonical: Final = json.JSONEncoder(sort_keys=True, separators=(",", ":"), check_circular=False).encode
_of_texts: Final = msgspec.json.Encoder().encode

# Of these the order matters within a post, or what else was commented on.
_ON_MEDIA: Final = frozenset({Kind.COMMENT, Kind.LIVE_COMMENT, Kind.MENTION})

# Where the mid of each kind stands.
_MID_HOLDERS: Final = {
    Kind.MESSAGE: "message",
    Kind.ECHO: "message",
    Kind.UNSEND: "message",
    Kind.EDIT: "message_edit",
    Kind.REACTION: "reaction",
    Kind.READ: "read",
    Kind.POSTBACK: "postback",
}


def identity(account: str, kind: Kind, payload: Mapping[str, Any], entry_time: Any = None) -> str:
    """``<kind>-<32 hex digits>``. Where nothing in the payload is made to identify it, all of it does."""
    parts = _parts(kind, payload)
    if parts is None:
        key = _canonical([account, kind, "as it came", entry_time, payload]).encode("ascii")
    else:
        key = _text_key([account, kind, *parts])
    return f"{kind}-{hashlib.sha256(key).hexdigest()[:_DIGEST_CHARS]}"


def _text_key(parts: list[str | None]) -> bytes:
    """Texts as canonical JSON, in which nothing but ASCII stands as it is."""
    try:
        key = _of_texts(parts)
    except UnicodeEncodeError:
        return _canonical(parts).encode("ascii")
    return key if key.isascii() else _canonical(parts).encode("ascii")


def mid_of(kind: str, payload: Mapping[str, Any]) -> str | None:
    """The mid that an event is about; of a comment or mention the comment's id; else None."""
    holder = _MID_HOLDERS.get(kind)  # type: ignore[call-overload]  # a StrEnum's members hash as their text
    if holder is not None:
        return text(obj(payload.get(holder)).get("mid"))
    value = obj(payload.get("value"))
    # Business Login says id, Facebook Login comment_id.
    return text(value.get("id")) or text(value.get("comment_id"))


def conversation_of(account: str, kind: str, payload: Mapping[str, Any]) -> str | None:
    """What an event of ``account`` is one in a row of: a person's thread, or a post's comments; None if it is alone.

    It is a hash like an identity: it stands in the outbox, and names nobody.
    """
    if kind in _ON_MEDIA:
        value = obj(payload.get("value"))
        about = text(obj(value.get("media")).get("id")) or text(value.get("media_id")) or mid_of(kind, payload)
    else:
        about = _person(account, kind, payload)
    if about is None:
        return None
    key = f"{account}\n{kind in _ON_MEDIA}\n{about}"
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGEST_CHARS]


def _person(account: str, kind: str, payload: Mapping[str, Any]) -> str | None:
    """The other side of a direct message: who sent it, or to whom we did."""
    sender = _sender(payload)
    # What we do ourselves, echoes among it, is sent by our account.
    return text(obj(payload.get("recipient")).get("id")) if sender == account or kind == Kind.ECHO else sender


def _parts(kind: Kind, payload: Mapping[str, Any]) -> list[str | None] | None:
    """What tells two events of one account and kind apart; None when it is missing."""
    mid = mid_of(kind, payload)
    if mid is None:
        return None
    at = text(payload.get("timestamp"))
    match kind:
        case Kind.MESSAGE | Kind.ECHO | Kind.UNSEND | Kind.COMMENT | Kind.LIVE_COMMENT:
            return [mid]
        case Kind.EDIT:
            number = text(obj(payload.get("message_edit")).get("num_edit"))
            return [mid, number] if number is not None else [mid, "at", at]
        case Kind.REACTION:
            reaction = obj(payload.get("reaction"))
            return [mid, _sender(payload), text(reaction.get("action")), at]
        case Kind.READ | Kind.POSTBACK:
            return [mid, _sender(payload), at]
        case Kind.MENTION:
            return [mid, text(obj(payload.get("value")).get("media_id"))]
        case _:
            return None


def _sender(payload: Mapping[str, Any]) -> str | None:
    return text(obj(payload.get("sender")).get("id"))
