import pytest

from qsops.client.core import Asking, RetryPolicy
from qsops.errors import (
    AuthError,
    OutcomeUnknown,
    QuotaExceeded,
    RateLimited,
    Rejected,
    ServerFault,
    ServiceError,
    Unreachable,
)

UNREACHABLE = Unreachable("no connection")
LOST = OutcomeUnknown("the answer was lost")
BROKEN = ServerFault(503, "try later")
BURST = RateLimited("slow down", "burst", 12.0)
DAILY = RateLimited("enough for today", "daily", 86_400.0)


def asking(repeatable: bool = True, **policy: float) -> Asking:
    return Asking(RetryPolicy(**policy), repeatable=repeatable)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("error", "repeatable", "asked_again"),
    [
        (UNREACHABLE, True, True),
        (UNREACHABLE, False, True),
        (LOST, True, True),
        (LOST, False, False),
        (BROKEN, True, True),
        (BROKEN, False, False),
        (BURST, True, True),
        (BURST, False, True),
        (DAILY, True, False),
        (AuthError(401, "no"), True, False),
        (QuotaExceeded(412, "no"), True, False),
        (Rejected(400, "no"), True, False),
    ],
)
def test_only_what_is_safe_and_may_help_is_asked_again(error: ServiceError, repeatable: bool, asked_again: bool):
    """Nothing that may have taken effect is asked again unless it is repeatable, and nothing in vain."""
    once = asking(repeatable)
    if asked_again:
        assert once.wait_s(error, now_ms=0, jitter=0.5) > 0
    else:
        with pytest.raises(type(error)) as refused:
            once.wait_s(error, now_ms=0, jitter=0.5)
        assert refused.value is error


def test_what_does_not_start_by_itself_is_asked_once():
    """On this machine nobody listening is an answer; a lost answer is still asked for again."""
    with pytest.raises(Unreachable):
        asking(may_start=False).wait_s(UNREACHABLE, now_ms=0, jitter=0.0)
    assert asking(may_start=False).wait_s(LOST, now_ms=0, jitter=0.0) > 0


def test_waits_double_up_to_the_longest():
    """A service in trouble is asked ever more rarely, with jitter never more often than half of that."""
    again = asking(faults=6, first_wait_s=1, longest_wait_s=5)
    assert [again.wait_s(UNREACHABLE, now_ms=0, jitter=1.0) for _ in range(6)] == [1, 2, 4, 5, 5, 5]
    with pytest.raises(Unreachable):
        again.wait_s(UNREACHABLE, now_ms=0, jitter=1.0)
    assert asking(first_wait_s=1).wait_s(UNREACHABLE, now_ms=0, jitter=0.0) == 0.5


def test_a_burst_waits_for_its_reset():
    """The per-second limit names the moment from which asking is welcome again: no sooner."""
    assert asking().wait_s(BURST, now_ms=10_500, jitter=0.0) == pytest.approx(1.55)
    assert asking().wait_s(BURST, now_ms=99_000, jitter=0.0) == pytest.approx(0.05)
    assert asking().wait_s(RateLimited("slow", "burst"), now_ms=0, jitter=0.0) == pytest.approx(1.05)


def test_bursts_do_not_use_up_the_patience_for_faults():
    """Being paced is no fault: after many bursts a fault is still asked again as often as ever."""
    again = asking(faults=1, bursts=5)
    for _ in range(5):
        again.wait_s(BURST, now_ms=12_000, jitter=0.0)
    assert again.wait_s(UNREACHABLE, now_ms=0, jitter=0.0) > 0
    with pytest.raises(RateLimited):
        again.wait_s(BURST, now_ms=12_000, jitter=0.0)


def test_all_waits_together_are_bounded():
    """A reset that lies beyond the patience is raised at once instead of waited for."""
    with pytest.raises(RateLimited):
        asking(patience_s=10).wait_s(BURST, now_ms=0, jitter=0.0)


def test_patience_stays_inside_the_deduplication_window():
    """A repeat later than 10 minutes would be a second message, so no policy may be that patient."""
    with pytest.raises(ValueError, match="600"):
        RetryPolicy(patience_s=599)


@pytest.mark.parametrize("last", [UNREACHABLE, DAILY, BROKEN])
def test_a_lost_answer_is_not_forgotten(last: ServiceError):
    """After a lost answer a later "nothing was sent" or 429 says nothing of the first request: its fate is unknown."""
    again = asking(faults=1)
    again.wait_s(LOST, now_ms=0, jitter=0.0)
    with pytest.raises(OutcomeUnknown, match="the answer was lost; asked again without success"):
        again.wait_s(last, now_ms=0, jitter=0.0)


def test_a_server_fault_may_have_taken_effect_too():
    """A gateway's 5xx can stand before a publish that went through: "nothing was sent" would be a lie."""
    again = asking(faults=1)
    again.wait_s(BROKEN, now_ms=0, jitter=0.0)
    with pytest.raises(OutcomeUnknown):
        again.wait_s(UNREACHABLE, now_ms=0, jitter=0.0)


def test_a_refusal_is_certain_even_after_a_lost_answer():
    """The same request answered 400 was answered 400 the first time too."""
    again = asking()
    again.wait_s(LOST, now_ms=0, jitter=0.0)
    with pytest.raises(Rejected, match="HTTP 400"):
        again.wait_s(Rejected(400, "bad"), now_ms=0, jitter=0.0)
