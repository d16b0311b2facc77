from dataclasses import replace

import pytest

from qsops.doctor import Check, Facts, Probe, examine, probe
from qsops.models import KeyPair
from qsops.wire.http import Response
from tests.client.conftest import client, clock, qstash
from tests.client.fake_qstash import BURST, refusal

__all__ = ["client", "clock", "qstash"]

DAY_MS = 86_400_000
KEYS = KeyPair("sig_a", "sig_b")
WELL = Facts(
    target="env",
    kind="hosted",
    url="https://qstash-us-east-1.upstash.io",
    region="US_EAST_1",
    has_token=True,
    now_ms=1000 * DAY_MS,
    probe=Probe(latency_ms=40.2, skew_s=0.4, keys=KEYS),
    keys=KEYS,
    keys_since_ms=990 * DAY_MS,
)


def check(name: str, **facts: object) -> Check:
    return next(check for check in examine(replace(WELL, **facts)) if check.name == name)


def seen(**fields: object) -> dict:
    return {"probe": replace(WELL.probe, **fields)}


def test_a_healthy_set_up_has_no_finding():
    """Nothing is advised where nothing is to be done, and every check says what it saw."""
    checks = examine(WELL)
    assert {check.level for check in checks} == {"ok"}
    assert all(check.seen and not check.advice for check in checks)
    assert len({check.name for check in checks}) == len(checks)


@pytest.mark.parametrize(
    ("name", "facts", "level", "said"),
    [
        ("settings", {"service_settings": {"A": True, "B": True}}, "ok", "are set"),
        ("settings", {"service_settings": {"A": False, "B": False}}, "ok", "no service"),
        ("settings", {"service_settings": {"A": True, "B": False}}, "warn", "set B: "),
        ("token", {"has_token": False}, "fault", "QSTASH_TOKEN"),
        ("token", seen(failure="invalid token (HTTP 401)", refused=True), "fault", "another region"),
        ("token", seen(failure="no connection"), "ok", "not tried"),
        ("reachability", seen(failure="no connection to x"), "fault", "no connection to x"),
        ("reachability", {"kind": "local", **seen(failure="no")}, "fault", "qsops engine"),
        ("reachability", seen(failure="401", refused=True), "ok", "refused"),
        ("region", {"region": "EU_CENTRAL_1"}, "fault", "us-east-1"),
        ("region", {"region": None}, "ok", "us-east-1"),
        ("region", {"region": None, "url": "https://qstash.upstash.io"}, "ok", "eu-central-1"),
        ("signing keys", {"keys": None}, "warn", "QSTASH_CURRENT_SIGNING_KEY"),
        ("signing keys", {"keys": KeyPair("sig_a")}, "warn", "QSTASH_NEXT_SIGNING_KEY"),
        ("signing keys", seen(keys=None), "ok", "not compared"),
        ("signing keys", seen(keys=KeyPair("sig_a", "sig_c")), "warn", "next key"),
        ("signing keys", seen(keys=KeyPair("sig_b", "sig_c")), "warn", "rotated"),
        ("signing keys", seen(keys=KeyPair("sig_x", "sig_y")), "fault", "neither"),
        ("age of the keys", {"keys_since_ms": 0}, "warn", "1000 days"),
        ("retry horizon", {"retries": 5}, "ok", "30.7 h"),
        ("retry horizon", {"retries": 3}, "warn", "33 min"),
        ("retry horizon", {"retry_delay": "1000"}, "warn", "5 s"),
        ("retry horizon", {"retry_delay": "1000 *"}, "fault", "QSOPS_RETRY_DELAY"),
        ("clock skew", seen(skew_s=None), "ok", "not known"),
        ("clock skew", seen(skew_s=20.0), "warn", "20 s behind"),
        ("clock skew", seen(skew_s=-200.0), "fault", "200 s ahead"),
    ],
)
def test_each_finding_says_what_was_seen_and_what_to_do(name: str, facts: dict, level: str, said: str):
    """A judgement is made from facts alone; the text names the setting, the value and the remedy."""
    found = check(name, **facts)
    assert found.level == level
    assert said in f"{found.seen} {found.advice}"
    assert level == "ok" or found.advice


def test_no_key_is_shown():
    """Facts and findings are printed: none of them holds a key."""
    text = f"{WELL!r}{examine(WELL)!r}{examine(replace(WELL, **seen(keys=KeyPair('sig_x', 'sig_y'))))!r}"
    assert "sig_" not in text


def dated(date: str) -> Response:
    return Response.of_json(200, {"current": "sig_a", "next": "sig_b"}, (("Date", date),))


@pytest.mark.parametrize(
    ("date", "skew_s"),
    [("Thu, 01 Jan 2026 00:00:00 GMT", 0.5), ("Thu, 01 Jan 2026 00:02:00 GMT", 120.5), ("whenever", None)],
)
async def test_the_skew_is_read_from_the_answers_date(client, clock, qstash, date: str, skew_s: float | None):
    """The service's clock against ours; a Date header that cannot be read tells nothing."""
    qstash.fates.append(dated(date))
    found = await probe(client, clock)
    assert found.skew_s == skew_s
    assert found.keys == KEYS


@pytest.mark.parametrize(
    ("fate", "refused", "failure"),
    [(refusal(401, "no"), True, "no (HTTP 401)"), (refusal(503, "down"), False, "down (HTTP 503)")],
)
async def test_a_refusal_is_a_fact(client, clock, qstash, fate: object, refused: bool, failure: str):
    """The probe never raises for what the service does: that is what it is there to find out."""
    qstash.fates.append(fate)
    found = await probe(client, clock)
    assert (found.refused, found.failure) == (refused, failure)


async def test_another_host_than_qstash_is_a_fact(client, clock, qstash):
    """A page of a proxy or of another product is what a wrong QSTASH_URL leads to: it is told, not raised."""
    qstash.fates.append(Response(200, (), b"<html>Welcome</html>"))
    found = await probe(client, clock)
    assert found.keys is None
    assert "no JSON" in (found.failure or "")


async def test_an_unreachable_service_is_a_fact(client, clock, qstash):
    """Nor does it raise where nobody answers."""
    qstash.fates.extend(["unsent"] * 10)
    assert "no connection" in (await probe(client, clock)).failure
    qstash.fates.clear()
    qstash.fates.extend([BURST] * 100)
    assert "429" in (await probe(client, clock)).failure
