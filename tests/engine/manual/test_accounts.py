import pytest

from qsops import signing
from qsops.clock import ManualClock
from qsops.config.dev_users import DEV_USERS
from qsops.engine.embedded import Embedded
from qsops.errors import SettingsError, SignatureRefused
from qsops.models import KeyPair
from qsops.wire import texts
from qsops.wire.http import Request, header
from tests.engine.caller import TOKENS, Caller

URL = "https://shop.test/hook"


@pytest.mark.parametrize("token", [None, "", "wrong", TOKENS[0][:-1]])
async def test_without_a_known_token_nothing_is_answered(engine: Embedded, token: str | None):
    """401 with the service's own text, on every path, be it known or not."""
    stranger = Caller(engine.send, token)
    for method, path in (
        ("POST", f"/v2/publish/{URL}"),
        ("GET", "/v2/keys"),
        ("GET", "/nowhere"),
        ("GET", "/v2/queues"),
    ):
        answer = await stranger.ask(method, path)
        assert (answer.status, answer.json) == (401, {"error": texts.INVALID_TOKEN})


async def test_only_bearer_tokens_count(engine: Embedded):
    """Another scheme with the right token is no authentication; ``bearer`` may be spelled in any case."""
    for scheme, status in (("Basic", 401), ("bearer", 200), ("BEARER", 200)):
        request = Request("GET", "/v2/keys", headers=(("authorization", f"{scheme} {TOKENS[0]}"),))
        assert (await engine.send(request)).status == status


@pytest.mark.parametrize("user", DEV_USERS, ids=lambda user: user.name)
async def test_each_dev_user_has_its_own_keys(engine: Embedded, user):
    """The vendor's four users answer to their published pairs, and deliveries are signed with theirs."""
    receiver = engine.receiver(URL)
    caller = Caller(engine.send, user.token)
    assert (await caller.ask("GET", "/v2/keys")).json == {"current": user.keys.current, "next": user.keys.next}
    await caller.publish(URL)
    await engine.settle()
    token = header(receiver.received[0].headers, "Upstash-Signature")
    now_s = engine.clock.now_ms() / 1000
    assert signing.verify(token, keys=KeyPair(user.keys.current), body=b"", url=URL, now_s=now_s).url == URL


async def test_rotation_moves_the_next_key_up(engine: Embedded, caller: Caller):
    """The next key signs from now on, and a new one follows it; a receiver that knew both accepts."""
    receiver = engine.receiver(URL)
    old = DEV_USERS[0].keys
    rotated = (await caller.ask("POST", "/v2/keys/rotate")).json
    assert rotated["current"] == old.next
    assert rotated["next"].startswith("sig_")
    assert rotated["next"] not in (old.current, old.next)
    assert (await caller.ask("GET", "/v2/keys")).json == rotated
    await caller.publish(URL)
    await engine.settle()
    token = header(receiver.received[0].headers, "Upstash-Signature")
    now_s = engine.clock.now_ms() / 1000
    signing.verify(token, keys=old, body=b"", url=URL, now_s=now_s)
    with pytest.raises(SignatureRefused, match="key"):
        signing.verify(token, keys=KeyPair(old.current), body=b"", url=URL, now_s=now_s)


async def test_a_restart_brings_the_dev_users_keys_back(tmp_path, clock: ManualClock):
    """Clients with QSTASH_DEV demand exactly the published pair, so a rotation lasts until the restart."""
    first = Embedded(clock=clock, db=tmp_path / "engine.db")
    await Caller(first.send).ask("POST", "/v2/keys/rotate")
    await first.aclose()
    second = Embedded(clock=clock, db=tmp_path / "engine.db")
    keys = DEV_USERS[0].keys
    assert (await Caller(second.send).ask("GET", "/v2/keys")).json == {"current": keys.current, "next": keys.next}
    await second.aclose()


async def test_a_token_of_ones_own_has_an_account_of_its_own(tmp_path, clock: ManualClock):
    """Its keys are nobody else's, and a rotation of them is kept over a restart."""
    first = Embedded(clock=clock, db=tmp_path / "engine.db", token="my-own")
    own = Caller(first.send, "my-own")
    made = (await own.ask("GET", "/v2/keys")).json
    assert made["current"] not in {user.keys.current for user in DEV_USERS}
    rotated = (await own.ask("POST", "/v2/keys/rotate")).json
    await own.publish(URL)
    assert await Caller(first.send).logs() == []
    await first.aclose()
    second = Embedded(clock=clock, db=tmp_path / "engine.db", token="my-own", seed=5)
    assert (await Caller(second.send, "my-own").ask("GET", "/v2/keys")).json == rotated
    await second.aclose()


async def test_a_plan_that_does_not_exist_is_named(clock: ManualClock):
    """The quota of an engine is one of the known plans."""
    with pytest.raises(SettingsError, match=r"'gold'.*free, payg, pro"):
        Embedded(clock=clock, quota="gold")


async def test_nothing_shows_a_token_or_key(engine: Embedded):
    """Neither the accounts nor the plan's objects print a secret."""
    shown = repr(engine._engine)
    assert not any(user.token in shown or user.keys.current in shown for user in DEV_USERS)
