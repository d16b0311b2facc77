import pytest

from qsops.clock import ManualClock
from qsops.engine.embedded import Embedded
from tests.engine.caller import TOKENS, Caller, option_headers

URL = "https://shop.test/hook"
WINDOW_MS = 600_000


async def publish(caller: Caller, body: bytes = b"", url: str = URL, **options) -> tuple[int, str, bool]:
    answer = await caller.ask("POST", f"/v2/publish/{url}", body, option_headers(**options))
    return answer.status, answer.json["messageId"], answer.json.get("deduplicated", False)


async def test_the_same_id_is_accepted_once_in_ten_minutes(engine: Embedded, caller: Caller):
    """The second is answered 202 with the first one's id, and not sent; after ten minutes the id is free again."""
    receiver = engine.receiver(URL)
    status, first, deduplicated = await publish(caller, b"a", deduplication_id="d1")
    assert (status, deduplicated) == (200, False)
    await engine.advance(WINDOW_MS - 1)
    assert await publish(caller, b"b", deduplication_id="d1") == (202, first, True)
    await engine.advance(1)
    status, again, deduplicated = await publish(caller, b"c", deduplication_id="d1")
    assert (status, deduplicated, again == first) == (200, False, False)
    await engine.settle()
    assert [got.body for got in receiver.received] == [b"a", b"c"]


@pytest.mark.parametrize("flag", ["true", "True"])
async def test_equal_content_is_accepted_once(caller: Caller, flag: str):
    """Destination, body, content type and forwarded headers together are the content; other options are not."""

    async def ask(body: bytes = b"same", url: str = URL, **headers: str) -> bool:
        sent = {"Upstash-Content-Based-Deduplication": flag, "Content-Type": "text/plain", **headers}
        return (await caller.ask("POST", f"/v2/publish/{url}", body, sent)).json.get("deduplicated", False)

    assert await ask() is False
    assert await ask() is True
    assert await ask(**{"Upstash-Retries": "1"}) is True
    assert await ask(b"other") is False
    assert await ask(url=f"{URL}/2") is False
    assert await ask(**{"Content-Type": "text/html"}) is False
    assert await ask(**{"Upstash-Forward-X": "1"}) is False


async def test_a_batch_deduplicates_within_itself(caller: Caller):
    """Two items of one batch under one id are one message."""
    item = {"destination": URL, "headers": {"Upstash-Deduplication-Id": "same"}}
    first, second = (await caller.ask("POST", "/v2/batch", [item, item])).json
    assert second == {"messageId": first["messageId"], "deduplicated": True}


async def test_accounts_do_not_share_ids(engine: Embedded, caller: Caller):
    """A deduplication id belongs to its account."""
    other = Caller(engine.send, TOKENS[1])
    assert (await publish(caller, deduplication_id="d"))[2] is False
    assert (await publish(other, deduplication_id="d"))[2] is False


async def test_deduplication_survives_a_restart(tmp_path, clock: ManualClock):
    """The window is kept in the database: a publisher that repeats itself after a crash makes no second message."""
    first = Embedded(clock=clock, db=tmp_path / "engine.db")
    _, message_id, _ = await publish(Caller(first.send), deduplication_id="d")
    await first.aclose()
    second = Embedded(clock=clock, db=tmp_path / "engine.db", seed=1)
    assert await publish(Caller(second.send), deduplication_id="d") == (202, message_id, True)
    await second.aclose()


async def test_a_refused_publish_takes_no_id(caller: Caller):
    """Bad input changes nothing: the same id is free for the corrected message."""
    answer = await caller.ask("POST", "/v2/publish/nowhere", b"", option_headers(deduplication_id="d"))
    assert answer.status == 404
    assert (await publish(caller, deduplication_id="d"))[2] is False


async def test_an_id_holds_for_the_whole_account(caller: Caller):
    """The same id to another destination is the same message: what its publisher named the same counts as one."""
    _, first, _ = await publish(caller, b"a", deduplication_id="d")
    assert await publish(caller, b"b", url=f"{URL}/other", deduplication_id="d") == (202, first, True)


async def test_an_id_wins_over_the_content(caller: Caller):
    """Where both are asked for, equal content under another id is another message."""
    both = {"content_based_deduplication": "true"}
    assert (await publish(caller, b"same", deduplication_id="a", **both))[0] == 200
    assert (await publish(caller, b"same", deduplication_id="b", **both))[0] == 200
    assert (await publish(caller, b"other", deduplication_id="a", **both))[0] == 202
