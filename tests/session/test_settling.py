import pytest

from qsops.clock import ManualClock
from qsops.models import LogEntry
from qsops.session.settling import IDS_A_QUESTION, settle, unfinished


def entries(message_id: str, *states: str) -> list[LogEntry]:
    return [LogEntry(number, message_id, state) for number, state in enumerate(states)]


@pytest.mark.parametrize("state", ["DELIVERED", "FAILED", "CANCEL_REQUESTED", "CANCELED", "CANCELLED"])
def test_a_message_is_finished_by_any_last_state(state: str):
    """Delivered, dead or taken back, in either spelling: nothing more is due."""
    assert unfinished(["a"], entries("a", "CREATED", state)) == set()


@pytest.mark.parametrize("states", [(), ("CREATED",), ("CREATED", "ACTIVE", "ERROR", "RETRY"), ("SOMETHING_NEW",)])
def test_any_other_message_is_not(states: tuple[str, ...]):
    """One whose entries are late, that waits for its next attempt, or is in an unknown state, is waited for."""
    assert unfinished(["a"], entries("a", *states)) == {"a"}


async def test_many_messages_are_asked_for_in_several_questions():
    """Ids travel in the query, whose length is limited; what was finished once is not asked for again."""
    asked: list[int] = []

    async def pull(which):
        asked.append(len(which.message_ids))
        return [entry for one in which.message_ids for entry in entries(one, "DELIVERED")]

    wanted = [f"msg_{number:03}" for number in range(IDS_A_QUESTION * 2 + 1)]
    await settle(pull, wanted, 0, 1.0, ManualClock())
    assert asked == [IDS_A_QUESTION, IDS_A_QUESTION, 1]
