"""What an event says, typed: payloads of Meta as frozen values. What lacks its essentials is an :class:`Other`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal

import msgspec

from service.instagram.fields import integer, obj, text
from service.instagram.identity import mid_of
from service.instagram.kinds import Kind

__all__ = [
    "Attachment",
    "Comment",
    "DirectMessage",
    "Edit",
    "Item",
    "Other",
    "Postback",
    "Reaction",
    "Read",
    "Unsend",
    "item_of",
]


#: Most messages say nothing else.
_PLAIN: Final = {"mid", "text", "is_echo"}


class Attachment(msgspec.Struct, frozen=True):
    """``type`` as Meta names it (image, share, story_mention, …); ephemeral ones have no ``url``."""

    type: str
    url: str | None = None


class DirectMessage(msgspec.Struct, frozen=True):
    """A message, or with ``is_echo`` one of ours. ``person`` is the other side's IGSID either way."""

    mid: str
    person: str | None
    is_echo: bool
    text: str | None = None
    attachments: tuple[Attachment, ...] = ()
    reply_to_mid: str | None = None
    reply_to_story: str | None = None
    quick_reply: str | None = None
    is_unsupported: bool = False


class Unsend(msgspec.Struct, frozen=True):
    """The message ``mid`` was taken back: its text must go."""

    mid: str
    person: str | None


class Edit(msgspec.Struct, frozen=True):
    """The message ``mid`` now says ``text``; the highest ``num_edit`` holds."""

    mid: str
    person: str | None
    text: str | None
    num_edit: int


class Reaction(msgspec.Struct, frozen=True):
    """``sender`` reacts to ``mid``, or takes the reaction back: then ``emoji`` is None."""

    mid: str
    sender: str | None
    action: Literal["react", "unreact"]
    reaction: str | None = None
    emoji: str | None = None


class Read(msgspec.Struct, frozen=True):
    """``person`` has seen everything up to ``mid``; None where Meta did not say who."""

    mid: str
    person: str | None


class Postback(msgspec.Struct, frozen=True):
    """A button of ours was pressed."""

    mid: str | None
    person: str | None
    title: str | None
    payload: str | None


class Comment(msgspec.Struct, frozen=True):
    """A comment on a post, or on a live video."""

    comment_id: str
    is_live: bool
    media_id: str | None
    parent_id: str | None
    sender: str | None
    username: str | None
    text: str | None


class Other(msgspec.Struct, frozen=True):
    """Referrals, opt-ins, hand-overs, mentions, insights, and what is not known yet: as it came."""

    payload: Mapping[str, Any]


Item = DirectMessage | Unsend | Edit | Reaction | Read | Postback | Comment | Other


def item_of(kind: str, account: str, payload: Mapping[str, Any]) -> Item:
    """The typed form of a payload at ``account``; never raises."""
    mid = mid_of(kind, payload)
    sender = text(obj(payload.get("sender")).get("id"))
    # What we do ourselves, echoes among it, is sent by our account: the other side is the recipient.
    person = text(obj(payload.get("recipient")).get("id")) if sender == account else sender
    match kind:
        case Kind.POSTBACK:
            pressed = obj(payload.get("postback"))
            return Postback(mid, sender, text(pressed.get("title")), text(pressed.get("payload")))
        case _ if mid is None:
            return Other(payload)
        case Kind.MESSAGE | Kind.ECHO:
            return _direct_message(mid, person, obj(payload.get("message")), is_echo=kind == Kind.ECHO)
        case Kind.UNSEND:
            return Unsend(mid, person)
        case Kind.EDIT:
            edit = obj(payload.get("message_edit"))
            number = integer(edit.get("num_edit"))
            return Edit(mid, person, text(edit.get("text")), 1 if number is None else max(number, 1))
        case Kind.REACTION:
            reaction = obj(payload.get("reaction"))
            if reaction.get("action") == "unreact":
                return Reaction(mid, sender, "unreact")
            return Reaction(mid, sender, "react", text(reaction.get("reaction")), text(reaction.get("emoji")))
        case Kind.READ:
            return Read(mid, sender)
        case Kind.COMMENT | Kind.LIVE_COMMENT:
            return _comment(mid, obj(payload.get("value")), is_live=kind == Kind.LIVE_COMMENT)
        case _:
            return Other(payload)


def _direct_message(mid: str, person: str | None, message: Mapping[str, Any], *, is_echo: bool) -> DirectMessage:
    words = text(message.get("text"))
    if message.keys() <= _PLAIN:
        return DirectMessage(mid, person, is_echo, words)
    reply, attachments = obj(message.get("reply_to")), message.get("attachments")
    return DirectMessage(
        mid,
        person,
        is_echo,
        words,
        attachments=tuple(_attachment(value) for value in attachments) if isinstance(attachments, list) else (),
        reply_to_mid=text(reply.get("mid")),
        reply_to_story=text(obj(reply.get("story")).get("id")),
        quick_reply=text(obj(message.get("quick_reply")).get("payload")),
        is_unsupported=bool(message.get("is_unsupported")),
    )


def _attachment(value: Any) -> Attachment:
    attachment = obj(value)
    return Attachment(text(attachment.get("type")) or "unknown", text(obj(attachment.get("payload")).get("url")))


def _comment(comment_id: str, value: Mapping[str, Any], *, is_live: bool) -> Comment:
    sender, media = obj(value.get("from")), obj(value.get("media"))
    return Comment(
        comment_id,
        is_live,
        media_id=text(media.get("id")) or text(value.get("media_id")),
        parent_id=text(value.get("parent_id")),
        sender=text(sender.get("id")),
        username=text(sender.get("username")),
        text=text(value.get("text")),
    )
