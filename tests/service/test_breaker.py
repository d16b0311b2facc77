from qsops.clock import ManualClock
from service.breaker import AWAY_AFTER, PROBE_MS, Breaker


def away(clock: ManualClock) -> Breaker:
    breaker = Breaker(clock)
    for _ in range(AWAY_AFTER):
        assert breaker.allows()
        breaker.unanswered()
    return breaker


def test_a_single_lost_answer_is_no_outage():
    """A connection may break: QStash counts as away only after several requests in a row."""
    breaker = Breaker(ManualClock())
    for _ in range(10):
        breaker.unanswered()
        breaker.answered()
        assert breaker.allows()
    assert AWAY_AFTER > 1


def test_while_qstash_is_away_nobody_waits_for_it():
    """After requests without an answer nobody is let through, until the time for a probe has come."""
    clock = ManualClock()
    breaker = away(clock)
    assert not breaker.allows()
    clock.advance(PROBE_MS - 1)
    assert not breaker.allows()


def test_one_probe_at_a_time():
    """When it is time to look again, one asks, and the others are spared what it finds."""
    clock = ManualClock()
    breaker = away(clock)
    clock.advance(PROBE_MS)
    assert [breaker.allows() for _ in range(3)] == [True, False, False]
    breaker.unanswered()
    clock.advance(PROBE_MS)
    assert [breaker.allows() for _ in range(2)] == [True, False]


def test_an_answer_to_anybody_ends_the_outage():
    """Whoever sees QStash answer, the relay too, opens the way for all."""
    breaker = away(ManualClock())
    breaker.answered()
    assert not breaker.is_away
    assert all(breaker.allows() for _ in range(3))
