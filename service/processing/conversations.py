"""Our own handler: conversations, the same whatever order their events come in.

Each statement merges what one event knows into a row: what is later by its own count or time wins, what was taken back
stays taken back. So an edit may come before its message, and an unsend before both.
"""

from __future__ import annotations

import json
from typing import Any, Final

from service.envelope import Event
from service.instagram import (
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
from service.processing.transaction import Transaction

__all__ = ["handle_incoming_messaging_event", "merge"]

# Who writes to their own account sends a message and its echo under one mid: the message stands, whichever is first.
_MESSAGE: Final = """
insert into direct_messages (account, mid, event_id, person, direction, sent_at_ms, text, attachments, reply_to_mid,
    reply_to_story, quick_reply)
values (:account, :mid, :event_id, :person, :direction, :at_ms, :text, :attachments, :reply_to_mid, :reply_to_story,
    :quick_reply)
on conflict (account, mid) do update set
    event_id = excluded.event_id,
    person = coalesce(excluded.person, direct_messages.person),
    direction = excluded.direction,
    sent_at_ms = excluded.sent_at_ms,
    text = case when direct_messages.unsent_at_ms is null and direct_messages.num_edit = 0
        then excluded.text else direct_messages.text end,
    attachments = case when direct_messages.unsent_at_ms is null then excluded.attachments end,
    reply_to_mid = excluded.reply_to_mid,
    reply_to_story = excluded.reply_to_story,
    quick_reply = case when direct_messages.unsent_at_ms is null then excluded.quick_reply end
where direct_messages.event_id is null or excluded.event_id > direct_messages.event_id
"""
_EDIT: Final = """
insert into direct_messages (account, mid, person, text, num_edit, edited_at_ms)
values (:account, :mid, :person, :text, :num_edit, :at_ms)
on conflict (account, mid) do update set
    person = coalesce(direct_messages.person, excluded.person),
    text = case when direct_messages.unsent_at_ms is null then excluded.text end,
    num_edit = excluded.num_edit,
    edited_at_ms = excluded.edited_at_ms
where (excluded.num_edit, excluded.edited_at_ms)
    > (direct_messages.num_edit, coalesce(direct_messages.edited_at_ms, 0))
"""
_UNSEND: Final = """
insert into direct_messages (account, mid, person, unsent_at_ms)
values (:account, :mid, :person, :at_ms)
on conflict (account, mid) do update set
    person = coalesce(direct_messages.person, excluded.person),
    unsent_at_ms = case when direct_messages.unsent_at_ms < excluded.unsent_at_ms
        then direct_messages.unsent_at_ms else excluded.unsent_at_ms end,
    text = null,
    attachments = null,
    quick_reply = null
"""
_REACTION: Final = """
insert into reactions (account, mid, sender, event_id, reaction, emoji, reacted_at_ms)
values (:account, :mid, :person, :event_id, :reaction, :emoji, :at_ms)
on conflict (account, mid, sender) do update set
    event_id = excluded.event_id, reaction = excluded.reaction, emoji = excluded.emoji,
    reacted_at_ms = excluded.reacted_at_ms
where (excluded.reacted_at_ms, excluded.event_id) > (reactions.reacted_at_ms, reactions.event_id)
"""
_READ: Final = """
insert into reads (account, person, mid, event_id, read_at_ms)
values (:account, :person, :mid, :event_id, :at_ms)
on conflict (account, person) do update set
    mid = excluded.mid, event_id = excluded.event_id, read_at_ms = excluded.read_at_ms
where (excluded.read_at_ms, excluded.event_id) > (reads.read_at_ms, reads.event_id)
"""
_POSTBACK: Final = """
insert into postbacks (event_id, account, person, mid, title, payload, pressed_at_ms)
values (:event_id, :account, :person, :mid, :title, :payload, :at_ms)
on conflict do nothing
"""
_COMMENT: Final = """
insert into comments (account, comment_id, event_id, is_live, media_id, parent_id, sender, username, text,
    written_at_ms)
values (:account, :comment_id, :event_id, :is_live, :media_id, :parent_id, :person, :username, :text, :at_ms)
on conflict do nothing
"""
_OTHER: Final = """
insert into other_events (event_id, kind, account, occurred_at_ms, payload)
values (:event_id, :kind, :account, :at_ms, :payload)
on conflict do nothing
"""


async def handle_incoming_messaging_event(event: Event, tx: Transaction) -> None:
    """Store what ``event`` says of a conversation. Yours may take its place (QSOPS_HANDLER), or call it."""
    sql, parameters = merge(event)
    tx.execute(sql, parameters)


def merge(event: Event) -> tuple[str, dict[str, Any]]:
    """The statement, with its parameters, that merges ``event`` into the conversations."""
    item = item_of(event.kind, event.account, event.payload)
    sql, values = _merge(item, event)
    at_ms = round(event.occurred_at.timestamp() * 1000)
    return sql, {"account": event.account, "event_id": event.id, "at_ms": at_ms, **values}


def _merge(item: Item, event: Event) -> tuple[str, dict[str, Any]]:
    match item:
        case DirectMessage():
            return _MESSAGE, _message(item)
        case Edit(mid, person, text, num_edit):
            return _EDIT, {"mid": mid, "person": person, "text": text, "num_edit": num_edit}
        case Unsend(mid, person):
            return _UNSEND, {"mid": mid, "person": person}
        case Reaction(mid, sender, _, reaction, emoji):
            return _REACTION, {"mid": mid, "person": sender or "", "reaction": reaction, "emoji": emoji}
        case Read(mid, person):
            return _READ, {"mid": mid, "person": person or ""}
        case Postback(mid, person, title, payload):
            return _POSTBACK, {"mid": mid, "person": person, "title": title, "payload": payload}
        case Comment():
            return _COMMENT, _comment(item)
        case Other(payload):
            return _OTHER, {"kind": event.kind, "payload": json.dumps(payload, separators=(",", ":"))}


def _message(message: DirectMessage) -> dict[str, Any]:
    attachments = [{"type": one.type, "url": one.url} for one in message.attachments]
    return {
        "mid": message.mid,
        "person": message.person,
        "direction": "out" if message.is_echo else "in",
        "text": message.text,
        "attachments": json.dumps(attachments, ensure_ascii=False) if attachments else None,
        "reply_to_mid": message.reply_to_mid,
        "reply_to_story": message.reply_to_story,
        "quick_reply": message.quick_reply,
    }


def _comment(comment: Comment) -> dict[str, Any]:
    return {
        "comment_id": comment.comment_id,
        "is_live": int(comment.is_live),
        "media_id": comment.media_id,
        "parent_id": comment.parent_id,
        "person": comment.sender,
        "username": comment.username,
        "text": comment.text,
    }
