from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from qsops.engine.core.limits import FlowLimits, Window

LIMITS = st.builds(
    FlowLimits,
    parallelism=st.none() | st.integers(1, 5),
    rate=st.none() | st.integers(1, 5),
    period_s=st.integers(1, 3),
)
#: How long after the last step somebody asks to pass, or one who is under way comes back.
STEPS = st.lists(st.tuples(st.integers(0, 1_500), st.booleans()), max_size=80)


@dataclass
class Key:
    """A key as the engine keeps it: the latest window, and how many are under way."""

    limits: FlowLimits
    window: Window = field(default_factory=lambda: Window(0, 0))
    under_way: int = 0
    passed_ms: list[int] = field(default_factory=list)

    def knock(self, now_ms: int) -> bool:
        if self.limits.is_over(self.window, now_ms):
            self.window = Window(now_ms, 0)
        room = self.limits.room(self.window, self.under_way)
        if room == 0:
            return False
        self.window = Window(self.window.start_ms, self.window.count + 1)
        self.under_way += 1
        self.passed_ms.append(now_ms)
        return True


def run(limits: FlowLimits, steps: list[tuple[int, bool]]) -> Key:
    key, now_ms = Key(limits), 1_000_000
    for wait_ms, asks in steps:
        now_ms += wait_ms
        if asks:
            key.knock(now_ms)
        elif key.under_way:
            key.under_way -= 1
        assert limits.parallelism is None or key.under_way <= limits.parallelism
    return key


@given(LIMITS, STEPS)
def test_no_window_sees_more_than_the_rate(limits: FlowLimits, steps: list[tuple[int, bool]]):
    """From the first call of a window until its period is over there are at most rate calls."""
    passed = run(limits, steps).passed_ms
    while passed:
        end_ms = passed[0] + limits.period_s * 1000
        inside = [at_ms for at_ms in passed if at_ms < end_ms]
        assert limits.rate is None or len(inside) <= limits.rate
        passed = passed[len(inside) :]


@given(LIMITS, STEPS)
def test_any_stretch_of_a_period_sees_at_most_two_windows(limits: FlowLimits, steps: list[tuple[int, bool]]):
    """Windows are fixed, so two that touch may hold twice the rate within a period, and never more."""
    passed = run(limits, steps).passed_ms
    for first_ms in passed:
        inside = [at_ms for at_ms in passed if first_ms <= at_ms < first_ms + limits.period_s * 1000]
        assert limits.rate is None or len(inside) <= 2 * limits.rate


@given(LIMITS, STEPS, st.integers(0, 5_000))
def test_time_alone_opens_what_the_rate_has_closed(limits: FlowLimits, steps: list[tuple[int, bool]], later_ms: int):
    """Where a time is told, nobody passes before it, and somebody does then if a call is not what is waited for."""
    key = run(limits, steps)
    key.under_way = 0
    opens_ms = limits.opens_ms(key.window)
    if opens_ms is None:
        assert limits.room(key.window, 0) != 0
        return
    assert limits.room(key.window, 0) == 0
    assert not limits.is_over(key.window, opens_ms - 1)
    assert key.knock(opens_ms + later_ms)


@given(LIMITS, st.integers(0, 10), st.integers(0, 10))
def test_a_paused_key_lets_nobody_pass(limits: FlowLimits, count: int, under_way: int):
    """Whatever else it allows; and no time will change that."""
    paused = FlowLimits(limits.parallelism, limits.rate, limits.period_s, paused=True)
    assert paused.room(Window(0, count), under_way) == 0
    assert paused.opens_ms(Window(0, count)) is None


def test_without_limits_any_number_passes():
    """Where a pin has taken neither limit and messages bring none, there is nothing to wait for."""
    free = FlowLimits(None, None, 1)
    assert free.room(Window(0, 1_000), 1_000) is None
    assert free.opens_ms(Window(0, 1_000)) is None


def test_a_clock_that_was_put_back_closes_no_key():
    """A window far ahead counts no more; one that is only just ahead does, so that a small step breaks no limit."""
    limits = FlowLimits(None, 1, 10)
    assert limits.is_over(Window(100_000, 1), 89_999)
    assert not limits.is_over(Window(100_000, 1), 90_000)
