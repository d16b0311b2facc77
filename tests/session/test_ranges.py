from collections.abc import Iterator

import pytest

import qsops
from qsops.session import Session

URL = "https://app.example/hook"


@pytest.fixture
def qs() -> Iterator[Session]:
    """A message that was tried at once, after 12 s and after 160 s, and has been delivered."""
    with qsops.connect() as session:
        session.receiver(URL, "500,503,200")
        session.publish(URL, json=1)
        session.settle()
        yield session


def test_an_attempt_has_its_number_whatever_the_range(qs: Session):
    """Of a message that began before the range the beginning is fetched, and only what is in the range is shown."""
    assert qs.attempts(since="10s")["attempt"].tolist() == [3]
    assert qs.attempts(since="149s")["attempt"].tolist() == [2, 3]
    assert qs.attempts()["attempt"].tolist() == [1, 2, 3]


def test_a_message_has_its_beginning_whatever_the_range(qs: Session):
    """A message of which anything was logged in the range is told whole."""
    (message,) = qs.messages(since="10s").to_dict("records")
    assert (message["attempts"], message["time_to_deliver_ms"]) == (3, 160_000)


def test_the_log_itself_is_of_the_range_alone(qs: Session):
    """What is asked for as log entries is what was logged then, and nothing more."""
    assert qs.logs(since="10s")["state"].tolist() == ["ACTIVE", "DELIVERED"]
