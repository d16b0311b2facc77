"""Programmes that once broke a rule, as small as they could be made."""

import pytest

from qsops.models import FlowControl, FlowPin, Publish
from tests.engine.simulation.drawing import URLS
from tests.engine.simulation.ending import Finish
from tests.engine.simulation.gating import PauseKey, PinKey
from tests.engine.simulation.living import Advance, Crash, CrashWithin
from tests.engine.simulation.sending import Batch, Send
from tests.engine.simulation.taking_back import Cancel
from tests.engine.simulation.walk import KINDS, play
from tests.engine.simulation.world import Step

A, B, C = URLS

PROGRAMMES: dict[str, tuple[dict[str, str], list[Step]]] = {
    # A timer of 0.7 s, set at 88.516 s, fired a millisecond late.
    "late timer": ({A: "200 after=700ms"}, [Advance(88_516), Send(Publish(A)), Advance(1_000), Finish()]),
    # What had passed its key and was taken back waited for the key to be resumed.
    "taken back at a pause": (
        {},
        [
            Send(Publish(A, queue="first", flow_control=FlowControl("one", parallelism=1))),
            Cancel(0),
            PauseKey("one"),
            Crash(),
            Finish(),
        ],
    ),
    # The window of a rate began with one who waited for the key to be resumed.
    "window without a call": (
        {},
        [
            Send(Publish(A, flow_control=FlowControl("one", rate=2, period_s=60))),
            PauseKey("one"),
            PinKey("one", FlowPin(parallelism=3, rate=1, period_s=60)),
            Advance(599_999),
            CrashWithin(
                moment="after",
                count=5,
                by_ms=1_000,
                publishes=(
                    Publish(B, flow_control=FlowControl("one", parallelism=3)),
                    Publish(C, delay_s=60, flow_control=FlowControl("one", parallelism=3, rate=1, period_s=60)),
                ),
                down_ms=5_000,
            ),
            Finish(),
        ],
    ),
    # A message that was let pass under a period of 10 s was held to one of 60 s, which another brought in that instant.
    "a longer period": (
        {},
        [
            Send(Publish(A, flow_control=FlowControl("one", rate=1, period_s=10))),
            Advance(30_000),
            Batch(
                (
                    Publish(A, flow_control=FlowControl("one", rate=1, period_s=10)),
                    Publish(A, flow_control=FlowControl("one", parallelism=3, rate=1, period_s=60)),
                )
            ),
            Finish(),
        ],
    ),
}
#: Ten calls are all that the plan lets be under way.
CROWDED: dict[str, tuple[dict[str, str], list[Step]]] = {
    # Who had passed, and was called 15 s later, had begun a window 5 s before that: another was called 5 s after him.
    "called late": (
        {A: "200 after=15s", B: "200 after=1h"},
        [
            Batch((Publish(A),) * 10),
            Advance(0),
            Batch((Publish(B, flow_control=FlowControl("one", rate=1, period_s=10)),) * 2),
            *(Advance(5_000) for _ in range(6)),
            Finish(),
        ],
    ),
    # Whose window had begun with nobody's call was waited for, though he had been taken back.
    "taken back while there was no room": (
        {A: "200 after=25s"},
        [
            Batch((Publish(A),) * 10),
            Advance(0),
            Batch((Publish(B, flow_control=FlowControl("one", rate=1, period_s=10)),) * 2),
            Advance(22_000),
            Cancel(10),
            *(Advance(1_000) for _ in range(4)),
            Finish(),
        ],
    ),
    # A call that may have gone out as the engine died was counted once more in a window that began 20 s later.
    "brought back before the first call": (
        {A: "200 after=20s"},
        [
            Batch((Publish(A),) * 9),
            Send(Publish(A, flow_control=FlowControl("one", parallelism=3))),
            Advance(0),
            Send(Publish(B, flow_control=FlowControl("two", parallelism=3))),
            Crash(),
            Send(Publish(B, flow_control=FlowControl("two", parallelism=1, rate=2, period_s=60))),
            Finish(),
        ],
    ),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", PROGRAMMES)
def test_what_broke_a_rule_breaks_it_no_more(name: str, kind: str):
    """Each is lived through under both drivers."""
    scripts, steps = PROGRAMMES[name]
    books = play(scripts, steps, kind=kind)
    assert not any(sent.ended_ms is None for sent in books.messages.values())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", CROWDED)
def test_what_broke_a_rule_in_a_crowd_breaks_it_no_more(name: str, kind: str):
    """The same where an account has as much under way as its plan allows."""
    scripts, steps = CROWDED[name]
    books = play(scripts, steps, kind=kind, quota="free")
    assert not any(sent.ended_ms is None for sent in books.messages.values())
