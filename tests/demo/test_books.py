from dataclasses import replace

import msgspec
import pytest

from qsops.demo.books import Sent, Witness, balance, pending
from qsops.models import LedgerEntry

EVENTS = ("a", "b", "c", "poison")


def entry(event_id: str, state: str = "processed") -> LedgerEntry:
    return LedgerEntry(event_id, "message", "1", state, received_at_ms=0, message_id=f"msg_{event_id}")


SENT = Sent(frozenset(EVENTS), frozenset({"poison"}), updates=5, posts=2)
LEDGER = [entry("a"), entry("b"), entry("c"), entry("poison", "dead")]
WITNESS = Witness(frozenset({"msg_a", "msg_b", "msg_c", "msg_of_a_callback"}), frozenset({"msg_poison"}))


def test_a_run_without_loss_adds_up():
    """Everything posted is received, published and processed once, and only the poison is dead."""
    found = balance(SENT, LEDGER, WITNESS)
    assert found.adds_up
    assert found.counts == {"posted": 4, "received": 4, "published": 4, "delivered": 3, "processed": 3, "dead": 1}


NONE: frozenset[str] = frozenset()
LOST = [one for one in LEDGER if one.event_id != "b"]
UNSENT = msgspec.structs.replace(entry("b", "parked"), message_id=None)
FAULTS = [
    (SENT, LOST, WITNESS, "1 posted, never received: b"),
    (SENT, [*LEDGER, entry("d")], WITNESS, "1 received, never posted: d"),
    (SENT, [*LOST, entry("b", "queued")], WITNESS, "1 posted, never processed: b"),
    (
        SENT,
        [*LOST, msgspec.structs.replace(entry("b", "parked"), message_id=None)],
        WITNESS,
        "1 received, never published: b",
    ),
    (SENT, [*LOST, entry("b", "dead")], WITNESS, "1 dead, and no poison: b"),
    (SENT, [*LEDGER[:3], entry("poison")], WITNESS, "1 poison, and yet processed: poison"),
    (SENT, LEDGER[:3], WITNESS, "1 poison, and not dead: poison"),
    (
        SENT,
        LEDGER,
        replace(WITNESS, delivered=frozenset()),
        "3 processed, and not delivered by the engine's log: a, b, c",
    ),
    (SENT, LEDGER, replace(WITNESS, dead=frozenset()), "1 dead, and not among the engine's dead letters: poison"),
    (
        SENT,
        LEDGER,
        replace(WITNESS, dead=frozenset({"msg_a", "msg_poison"})),
        "1 among the engine's dead letters, and not dead: a",
    ),
]


@pytest.mark.parametrize(("sent", "ledger", "witness", "says"), FAULTS, ids=[fault[-1] for fault in FAULTS])
def test_what_does_not_add_up_is_named_with_ids(sent: Sent, ledger: list[LedgerEntry], witness: Witness, says: str):
    """Each way to lose, double or invent an event is a difference that names it."""
    found = balance(sent, ledger, witness)
    assert not found.adds_up
    assert says in found.differences


def test_the_engine_alone_proves_nothing():
    """An engine that says it delivered everything does not make up for an event that the service lacks."""
    assert not balance(SENT, LOST, WITNESS).adds_up


def test_many_ids_are_cut():
    """A difference names three, and says that there are more."""
    sent = Sent(frozenset("abcde"), frozenset())
    assert balance(sent, [], Witness(frozenset(), frozenset())).differences[0] == (
        "5 posted, never received: a, b, c, …"
    )


def test_what_never_arrived_is_pending():
    """Waiting ends when every posted event was processed, is dead, or was refused for good."""
    assert pending(SENT, LEDGER) == set()
    assert pending(SENT, LOST) == {"b"}
    assert pending(SENT, [*LOST, entry("b", "published")]) == {"b"}
    assert pending(SENT, [*LOST, entry("b", "parked")]) == set()
