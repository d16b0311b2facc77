from collections.abc import Iterator

import pytest

import qsops
from qsops.errors import SettingsError
from qsops.session import Session
from service.processing import Event, Transaction, handle_incoming_messaging_event
from service.rehearsal.mounted import Mounted, open_service
from service.samples import TEXT, sample


class Broken(Exception):
    """A fault of the handler's own."""


async def broken(event: Event, tx: Transaction) -> None:
    await handle_incoming_messaging_event(event, tx)
    raise Broken


@pytest.fixture
def qs() -> Iterator[Session]:
    with qsops.connect() as session:
        yield session


@pytest.fixture
def service(qs: Session) -> Iterator[Mounted]:
    mounted = open_service(qs)
    yield mounted
    mounted.close()


def test_what_is_posted_goes_the_whole_path(qs: Session, service: Mounted):
    """A signed post is published, delivered and stored, and the session's trace knows the service's ledger."""
    answer = service.post(sample("message", mid="mid-1", at_ms=qs.clock.now_ms()))
    qs.settle()
    assert answer == {"status": 200, "accepted": 1, "duplicates": 0, "queued": 0}
    assert service.rows("select mid, text from direct_messages").to_dict("records") == [{"mid": "mid-1", "text": TEXT}]
    assert qs.trace("ig:mid-1").frame["step"].tolist()[-1] == "processed"
    assert service.log()["log"].tolist() == ["webhook", "delivery"]
    assert TEXT not in service.log().to_json(force_ascii=False)


def test_a_forged_post_is_refused_and_counted(qs: Session, service: Mounted):
    """Signed with another secret it stores nothing, and its cause can be read."""
    answer = service.post(sample("message", mid="mid-1", at_ms=qs.clock.now_ms()), secret="another")
    assert answer["status"] == 403
    assert service.refusals()["cause"].tolist() == ["signature"]
    assert len(service.rows("select * from events where mid = :mid", mid="mid-1")) == 0


def test_a_restart_changes_settings_and_keeps_the_database(qs: Session, service: Mounted):
    """What a broken handler could not process is processed by the mended one, once."""
    service.restart(qsops_handler=f"{__name__}:broken")
    service.post(sample("message", mid="mid-1", at_ms=qs.clock.now_ms()))
    qs.advance("1s")
    assert len(service.rows("select * from claims")) == len(service.rows("select * from direct_messages")) == 0
    service.restart()
    qs.settle()
    assert len(service.rows("select * from claims")) == len(service.rows("select * from direct_messages")) == 1
    assert repr(service).endswith("handler service.processing:handle_incoming_messaging_event")


def test_it_is_known_by_the_fingerprints_of_its_keys(qs: Session, service: Mounted):
    """Its keys are the account's, which can be seen without seeing a key; each key has a fingerprint of its own."""
    prints = service.signing_keys.fingerprints
    assert prints == qs.keys.show().fingerprints
    assert prints["current"] != prints["next"]
    assert qs.keys.show().current not in repr(prints)
    assert qs.keys.rotate().fingerprints["current"] == prints["next"]


def test_it_rehearses_on_the_embedded_engine_alone(tmp_path, monkeypatch: pytest.MonkeyPatch):
    """A service in memory is of no use to an account, and takes nothing from it."""
    monkeypatch.chdir(tmp_path)
    with qsops.connect("local") as local, pytest.raises(SettingsError, match="mount works on the embedded engine"):
        open_service(local)
