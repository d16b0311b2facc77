import pytest

from qsops.engine.deliveries.scripted import Answer, parse_answers
from qsops.errors import SettingsError


@pytest.mark.parametrize(
    ("text", "answers"),
    [
        ("200", [Answer(200)]),
        ("599", [Answer(599)]),
        ("500, 500,200", [Answer(500), Answer(500), Answer(200)]),
        ("429 retry-after=30", [Answer(429, (("retry-after", "30"),))]),
        ("200 after=1.5s body=ok", [Answer(200, (), b"ok", 1_500)]),
        ("drop, hang", [Answer(0, fault="drop"), Answer(0, fault="hang")]),
        ("drop after=200ms", [Answer(0, fault="drop", after_ms=200)]),
    ],
)
def test_answers_as_a_person_writes_them(text: str, answers: list[Answer]):
    """A status, or drop, or hang; then a latency, a body and headers."""
    assert parse_answers(text) == answers


@pytest.mark.parametrize(
    "text",
    [
        "",
        "200,",
        "fine",
        "99",
        "100",
        "103",
        "199",
        "600",
        "999",
        "1000",
        "2_0",
        "+200",
        "200 after=soon",
        "200 retry-after",
        "200;500",
    ],
)
def test_what_cannot_be_read_is_named(text: str):
    """The faulty answer stands in the message, with how to write one."""
    with pytest.raises(SettingsError, match=r"write a status, drop or hang.*a status is from 200 to 599"):
        parse_answers(text)
