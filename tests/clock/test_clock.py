import pytest
from hypothesis import given
from hypothesis import strategies as st

from qsops.clock import EPOCH_MS, ManualClock, SeededIds, SystemClock, SystemIds, utc


class TurnedBackClock:
    """A machine whose time was set back while we ran."""

    def __init__(self, times_ms: list[int]) -> None:
        self._times_ms = times_ms

    def now_ms(self) -> int:
        return self._times_ms.pop(0)

    def monotonic_s(self) -> float:
        return 0.0


def test_a_manual_clock_stands_still_until_it_is_moved():
    """Two looks at a manual clock see the same time, and a move is exactly as far as asked."""
    clock = ManualClock()
    assert clock.now_ms() == clock.now_ms() == EPOCH_MS
    clock.advance(1500)
    assert clock.now_ms() == EPOCH_MS + 1500
    assert clock.monotonic_s() == (EPOCH_MS + 1500) / 1000
    clock.move_to(EPOCH_MS + 1500)
    assert clock.now_ms() == EPOCH_MS + 1500


@pytest.mark.parametrize("by_ms", [-1, -86_400_000])
def test_a_manual_clock_never_goes_back(by_ms: int):
    """Moving back is refused, whichever way it is asked, and changes nothing."""
    clock = ManualClock()
    with pytest.raises(ValueError, match=f"never goes back: it stands at {EPOCH_MS} ms"):
        clock.advance(by_ms)
    with pytest.raises(ValueError, match="never goes back"):
        clock.move_to(EPOCH_MS + by_ms)
    assert clock.now_ms() == EPOCH_MS


def test_the_epoch_is_the_new_year_of_2026():
    """The epoch is what its name says, and lies in the past, so that a foreign receiver takes our tokens' nbf."""
    assert utc(EPOCH_MS).isoformat() == "2026-01-01T00:00:00+00:00"
    assert SystemClock().now_ms() > EPOCH_MS


def test_the_system_clock_counts_on():
    """The monotonic count never goes back."""
    clock = SystemClock()
    counts = [clock.monotonic_s() for _ in range(100)]
    assert counts == sorted(counts)


@given(moves_ms=st.lists(st.integers(0, 10**9), max_size=50), seed=st.integers(0, 2**32))
def test_ids_sort_by_the_time_they_were_made(moves_ms: list[int], seed: int):
    """The order of the texts is the order of making, within a millisecond and over days; so no two are equal."""
    clock = ManualClock()
    for ids in (SeededIds(clock, seed), SystemIds(clock)):
        made = []
        for move_ms in moves_ms:
            clock.advance(move_ms)
            made.append(ids.make("msg_"))
        assert made == sorted(set(made))
        assert all(len(one) == len("msg_") + 16 for one in made)


@given(times_ms=st.lists(st.integers(0, 2**47), min_size=1, max_size=50))
def test_ids_survive_a_clock_that_is_set_back(times_ms: list[int]):
    """Whatever the clock does, a later id sorts after an earlier one."""
    ids = SeededIds(TurnedBackClock(list(times_ms)))
    made = [ids.make("msg_") for _ in times_ms]
    assert made == sorted(set(made))


@given(seed=st.integers(0, 2**32), moves_ms=st.lists(st.integers(-(10**9), 10**9), min_size=1, max_size=10))
def test_ids_go_on_after_those_of_an_earlier_process(seed: int, moves_ms: list[int]):
    """A process that starts under the same clock and seed, or under a clock that was set back, makes no id twice."""
    made: list[str] = []
    for move_ms in moves_ms:
        ids = SeededIds(ManualClock(EPOCH_MS + move_ms), seed)
        if made:
            ids.go_on_after(made[-1])
        made += [ids.make("msg_") for _ in range(3)]
    assert made == sorted(set(made))


def test_more_ids_than_fit_a_millisecond_stay_apart():
    """A sequence that runs out of its millisecond takes numbers of the next, and still sorts."""
    clock = ManualClock()
    ids = SystemIds(clock)
    made = [ids.make("") for _ in range(10_000)]
    clock.advance(1)
    made.append(ids.make(""))
    assert made == sorted(set(made))


def test_the_same_seed_makes_the_same_ids():
    """A run replays from its seed: ids, secrets and draws are a function of clock and seed alone."""

    def run(seed: int) -> list[object]:
        clock = ManualClock()
        ids = SeededIds(clock, seed)
        made: list[object] = [ids.make("msg_"), ids.secret("sig_", 28), ids.uniform()]
        clock.advance(5)
        return [*made, ids.make("msg_")]

    assert run(7) == run(7)
    assert not set(run(7)) & set(run(8))


def test_makers_under_one_clock_do_not_collide():
    """Two makers with different seeds share a clock without making the same id."""
    clock = ManualClock()
    one, other = SeededIds(clock, 1), SeededIds(clock, 2)
    assert not {one.make("msg_") for _ in range(1000)} & {other.make("msg_") for _ in range(1000)}


def test_an_id_shows_when_it_was_made():
    """An id of the epoch is pinned: ids are on disk and in notebooks, so their form is a contract."""
    assert SeededIds(ManualClock()).make("msg_") == "msg_06dqdpn800000000"


def test_secrets_of_production_are_secret():
    """Keys have the length asked, no look-alike characters, and never come twice."""
    ids = SystemIds(ManualClock())
    made = {ids.secret("sig_", 28) for _ in range(100)}
    assert len(made) == 100
    assert all(len(one) == 32 and not set(one[4:]) & set("0OIl") for one in made)
    assert all(0 <= ids.uniform() < 1 for _ in range(100))


def test_a_time_is_shown_in_utc():
    """Unix milliseconds become an aware datetime in UTC, with the milliseconds kept."""
    assert utc(EPOCH_MS + 1).isoformat() == "2026-01-01T00:00:00.001000+00:00"
