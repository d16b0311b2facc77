import pytest

from qsops.clock import ManualClock
from qsops.engine.deliveries.port import Delivery
from qsops.engine.faults.running import FAULTS_LIMIT, Faults
from qsops.errors import SettingsError
from qsops.wire.http import Request


def delivery(number: int, retried: int = 0, url: str = "https://a.test/hook", method: str = "POST") -> Delivery:
    headers = (("Upstash-Message-Id", f"msg_{number}"), ("Upstash-Retried", str(retried)))
    return Delivery(method, url, headers, b"", 30)


def met(faults: Faults, attempts: list[tuple[int, int]]) -> set[tuple[int, int]]:
    return {(number, retried) for number, retried in attempts if faults.of_delivery(delivery(number, retried))}


ATTEMPTS = [(number, retried) for number in range(300) for retried in range(3)]


def test_the_same_seed_meets_the_same_attempts_in_any_order():
    """What is met is a function of seed and attempt: neither order nor what else was asked changes it."""
    first, second, other = Faults(ManualClock(), 7), Faults(ManualClock(), 7), Faults(ManualClock(), 8)
    for faults in (first, second, other):
        faults.add("503 30%")
    expected = met(first, ATTEMPTS)
    assert met(second, ATTEMPTS[::-2]) == {one for one in expected if one in ATTEMPTS[::-2]}
    assert met(second, ATTEMPTS) == expected
    assert met(other, ATTEMPTS) != expected


def test_a_percentage_holds():
    """Of 900 attempts 30 % are met, give or take what chance gives and takes; 100 % are all."""
    faults = Faults(ManualClock(), 1)
    found = faults.add("503 30%")
    count = len(met(faults, ATTEMPTS))
    assert 225 <= count <= 315
    assert found.met == count
    faults.add("reset")
    assert len(met(faults, ATTEMPTS)) == 900


def test_two_faults_are_drawn_apart():
    """A fault of 30 % beside another of 30 % does not meet the same attempts."""
    faults = Faults(ManualClock(), 1)
    faults.add("latency=1s 30%")
    first = met(faults, ATTEMPTS)
    faults.clear()
    faults.add("latency=1s 30%")
    assert 0 < len(first & met(faults, ATTEMPTS)) < len(first)


@pytest.mark.parametrize(
    ("text", "url", "is_met"),
    [
        ("500 host=a.test", "https://a.test/x", True),
        ("500 host=A.test", "https://u:p@A.TEST:8443/x", True),
        ("500 host=a.test:8443", "https://a.test:8443/", True),
        ("500 host=a.test:8443", "https://a.test/", False),
        ("500 host=test", "https://a.test/", False),
        ("500 host=*.test", "https://a.test/", True),
        ("500 host=a.test", "https://xa.test.evil/", False),
        ("500 path=/hook", "https://a.test/hook?x=1", True),
        ("500 path=/hook", "https://a.test/hook/2", False),
        ("500 path=/hook*", "https://a.test/hook/2", True),
        ("500 path=/", "https://a.test", True),
        ("500 path=/ä", "https://a.test/%C3%A4", True),
        ("500 url=https://a.test/h*?x=1", "https://a.test/hook?x=1", True),
        ("500 url=https://a.test/h.*", "https://a.test/hook", False),
        ("500 method=get", "https://a.test/", False),
        ("500 method=POST", "https://a.test/", True),
        ("engine 500", "https://a.test/", False),
        ("500", "http://[", True),
        ("500 host=*", "http://[", False),
    ],
)
def test_whom_a_fault_is_about(text: str, url: str, is_met: bool):
    """Host, URL, path and method are matched whole; the star alone stands for any text."""
    faults = Faults(ManualClock())
    faults.add(text)
    assert (faults.of_delivery(delivery(1, url=url)) is not None) is is_met


def test_a_fault_has_its_time():
    """It begins and ends on the engine's clock, measured from when it was set; the end is no part of it."""
    clock = ManualClock()
    faults = Faults(clock)
    clock.advance(5_000)
    found = faults.add("500 from=10m for=5m")
    seen = []
    for at_ms in (0, 599_999, 600_000, 899_999, 900_000):
        clock.move_to(found.set_at_ms + at_ms)
        seen.append((faults.of_delivery(delivery(1)) is not None, found.state(clock.now_ms())))
    assert seen == [(False, "waiting"), (False, "waiting"), (True, "active"), (True, "active"), (False, "over")]


def test_latencies_add_up_and_the_first_end_holds():
    """A delivery waits for all of them, before and after; in place of its answer stands the fault set first."""
    faults = Faults(ManualClock())
    for text in ("latency=1s", "reset", "latency=2s", "503", "latency=4s after=true"):
        faults.add(text)
    drawn = faults.of_delivery(delivery(1))
    assert drawn is not None
    assert drawn.end is not None
    assert (drawn.before_ms, drawn.after_ms, drawn.end.fault.kind) == (3_000, 4_000, "reset")
    assert [found.met for found in faults.all()] == [1, 1, 1, 0, 1]


def test_faults_are_listed_removed_and_cleared():
    """Each goes by an id that no other gets."""
    faults = Faults(ManualClock())
    ids = [faults.add("500").fault_id for _ in range(3)]
    assert len(set(ids)) == 3
    assert faults.remove(ids[1])
    assert not faults.remove(ids[1])
    assert faults.get(ids[1]) is None
    assert [found.fault_id for found in faults.all()] == [ids[0], ids[2]]
    assert faults.clear() == 2
    assert faults.all() == ()
    assert faults.add("500").fault_id not in ids


def test_how_many_may_be_set():
    """One over the limit is refused, and the others stay."""
    faults = Faults(ManualClock())
    for _ in range(FAULTS_LIMIT):
        faults.add("500")
    with pytest.raises(SettingsError, match=f"{FAULTS_LIMIT} are set"):
        faults.add("500")
    assert len(faults.all()) == FAULTS_LIMIT


def test_calls_are_drawn_by_their_number():
    """Of the calls that a fault of the engine is about, the same numbers meet it under the same seed."""

    def numbers(seed: int, between: int = 0) -> list[int]:
        faults = Faults(ManualClock(), seed)
        faults.add("engine 429 20% path=/v2/dlq*")
        found = []
        for number in range(200):
            for _ in range(between):
                faults.of_call(Request("GET", "/v2/keys"))
            if faults.of_call(Request("GET", "/v2/dlq/1")):
                found.append(number)
        return found

    assert numbers(1) == numbers(1, between=3)
    assert numbers(1) != numbers(2)
    assert 20 <= len(numbers(1)) <= 60


def test_the_faults_own_paths_meet_none():
    """A fault of the engine that is always met can be taken back."""
    faults = Faults(ManualClock())
    faults.add("engine unreachable")
    assert faults.of_call(Request("DELETE", "/qsops/faults")) is None
    assert faults.of_call(Request("DELETE", "/v2/messages")) is not None
