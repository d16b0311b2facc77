import asyncio
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qsops.models import LedgerEntry
from service.envelope import Event
from service.processing.conversations import merge
from service.samples import ACCOUNT, PERSON, TEXT, entry, item, post
from service.store import Effects, SqliteStore, Statement
from service.webhook import events_of
from tests.examples import some

TABLES = ("direct_messages", "reactions", "reads", "postbacks", "comments", "other_events")


def events(*items: dict[str, Any]) -> list[Event]:
    return events_of(json.dumps(post(entry(ACCOUNT, 1, messaging=list(items)))).encode(), 1)


def edit(mid: str, number: int, at_ms: int, text: str) -> dict[str, Any]:
    return {**item("edit", mid, at_ms), "message_edit": {"mid": mid, "text": text, "num_edit": number}}


def reaction(mid: str, at_ms: int, emoji: str | None, person: str = PERSON) -> dict[str, Any]:
    content = item("reaction" if emoji else "unreact", mid, at_ms, ACCOUNT, person)
    if emoji:
        content["reaction"]["emoji"] = emoji
    return content


def state_after(ordered: list[Event]) -> dict[str, list[dict[str, Any]]]:
    """What the tables hold once each event was processed, in this order, each claimed once."""

    async def process() -> dict[str, list[dict[str, Any]]]:
        store = SqliteStore(":memory:")
        for event in ordered:
            known = LedgerEntry(event.id, event.kind, event.account, "processed", 1)
            await store.commit(Effects(known, [Statement(*merge(event))]), 1)
        found = {table: await store.fetch(Statement(f"select * from {table} order by 1, 2, 3")) for table in TABLES}
        await store.aclose()
        return found

    return asyncio.run(process())


STORY = events(
    item("message", "m", 1_000_000_000_001),
    edit("m", 1, 1_000_000_000_002, "edited once"),
    edit("m", 2, 1_000_000_000_003, "edited twice"),
    reaction("m", 1_000_000_000_004, "❤️"),
    reaction("m", 1_000_000_000_005, None),
    reaction("m", 1_000_000_000_006, "👋"),
    reaction("m", 1_000_000_000_007, "🙈", "another"),
    item("read", "m", 1_000_000_000_008),
    item("read", "n", 1_000_000_000_009),
    item("story_reply", "n", 1_000_000_000_010),
    item("unsend", "n", 1_000_000_000_011),
    item("postback", "p", 1_000_000_000_012),
    item("echo", "e", 1_000_000_000_013),
    edit("u", 1, 1_000_000_000_014, "never seen"),
    item("unsend", "u", 1_000_000_000_015),
    item("attachment", "u", 1_000_000_000_016),
    item("message", "self", 1_000_000_000_017, ACCOUNT, ACCOUNT),
    item("echo", "self", 1_000_000_000_017, ACCOUNT, ACCOUNT),
)


@settings(max_examples=some(30), suppress_health_check=[HealthCheck.too_slow])
@given(st.permutations(STORY), st.lists(st.sampled_from(STORY), max_size=5))
def test_the_order_of_events_does_not_matter(ordered: list[Event], repeats: list[Event]):
    """An unsend before its message, an edit before its message, a reaction before either, repeats: one state."""
    assert state_after([*ordered, *repeats]) == state_after(STORY)


def test_the_final_state_is_the_right_one():
    """The last edit holds, what was taken back is gone, and each person's latest reaction and read stand."""
    state = state_after(STORY)
    messages = {row["mid"]: row for row in state["direct_messages"]}
    assert (messages["m"]["text"], messages["m"]["num_edit"], messages["m"]["direction"]) == ("edited twice", 2, "in")
    assert (messages["e"]["text"], messages["e"]["direction"], messages["e"]["person"]) == (TEXT, "out", PERSON)
    # A message to oneself comes twice under one mid, as message and as echo.
    assert messages["self"]["direction"] == "in"
    assert {row["sender"]: row["emoji"] for row in state["reactions"]} == {PERSON: "👋", "another": "🙈"}
    assert [row["mid"] for row in state["reads"]] == ["n"]
    assert [row["title"] for row in state["postbacks"]] == ["Öffnungszeiten"]


@pytest.mark.parametrize("mid", ["n", "u"])
def test_an_unsend_takes_every_word_with_it(mid: str):
    """After an unsend no text, attachment or quick reply of the message is left anywhere, whatever came first."""
    state = state_after(STORY)
    (row,) = [row for row in state["direct_messages"] if row["mid"] == mid]
    assert (row["text"], row["attachments"], row["quick_reply"]) == (None, None, None)
    assert row["unsent_at_ms"] is not None
    assert "never seen" not in str(state)


def test_effect_rows_carry_the_identity_of_their_event():
    """Claims are pruned, effects stay: the event's identity on the row is the lasting claim."""
    state = state_after(STORY)
    by_mid = {row["mid"]: row["event_id"] for row in state["direct_messages"]}
    assert by_mid["m"] == STORY[0].id
    assert all(row["event_id"] for table in TABLES[1:] for row in state[table])


def test_what_has_no_table_of_its_own_is_kept_whole():
    """Referrals, opt-ins, hand-overs and the unknown are kept with their payload."""
    others = events(*(item(name, "m", 1_000) for name in ("referral", "optin", "handover", "unknown")))
    rows = state_after(others)["other_events"]
    assert sorted(row["kind"] for row in rows) == ["handover", "optin", "referral", "unknown"]
    assert {"hologram": {"mid": "m", "shape": "🛸"}}.items() <= json.loads(
        next(row["payload"] for row in rows if row["kind"] == "unknown")
    ).items()


def test_comments_are_stored_once_whichever_login_told_of_them():
    """A comment is identified by its id, under either of its names."""
    changes = [
        {"field": "comments", "value": {key: "c-1", "text": TEXT, "from": {"id": "9", "username": "jürgen"}}}
        for key in ("id", "comment_id")
    ]
    found = events_of(json.dumps(post(entry(ACCOUNT, 1, changes=changes))).encode(), 1)
    (row,) = state_after(found)["comments"]
    assert (row["comment_id"], row["username"], row["text"]) == ("c-1", "jürgen", TEXT)
