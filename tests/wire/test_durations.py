import pytest
from hypothesis import given
from hypothesis import strategies as st

from qsops.wire.durations import LONGEST_S, format_duration, parse_duration, parse_go_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("1d10h30m", 124_200), ("1h30m3s", 5_403), ("5m1d", 86_700), ("0s", 0), (" 2m ", 120)],
)
def test_a_duration_is_whole_numbers_with_units(text: str, seconds: int):
    """One or more of ``<int><unit>``, in any order (reference, section 3)."""
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "5", "s", "1.5s", "-1s", "1w", "1 s", "1s;", "１s", "1S", "999999999999d"])
def test_what_is_no_duration_is_named(text: str):
    """A duration that cannot be read, or ends past every calendar, is refused with its text."""
    with pytest.raises(ValueError, match=r"is no duration|is too long") as raised:
        parse_duration(text)
    assert repr(text) in str(raised.value)


@given(st.integers(0, LONGEST_S))
def test_a_formatted_duration_reads_as_itself(seconds: int):
    """Writing and reading a duration are opposites."""
    assert parse_duration(format_duration(seconds)) == seconds


def test_a_negative_duration_is_not_written():
    """A delay into the past has no form."""
    with pytest.raises(ValueError, match="-1"):
        format_duration(-1)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("6m5s", 365), ("1.5s", 1.5), ("200ms", 0.2), ("1h", 3600), ("3us", 3e-6), ("3µs", 3e-6), ("5ns", 5e-9), ("0", 0)],
)
def test_a_go_duration_may_have_fractions(text: str, seconds: float):
    """Destinations answer in the units of Go (reference, section 5)."""
    assert parse_go_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "5", "-1s", "1d", "s", "1..5s", "1e3s", "nan"])
def test_what_is_no_go_duration_is_named(text: str):
    """A wait that cannot be read is refused with its text."""
    with pytest.raises(ValueError, match="Go-style"):
        parse_go_duration(text)
