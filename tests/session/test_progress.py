import pytest

import qsops
from tests.session.conftest import Opener

URL = "https://example.com/hook"


@pytest.mark.parametrize(("progress", "shown"), [(True, True), (False, False), (None, False)])
def test_a_bar_is_shown_when_asked_for_and_never_written_to_a_file(
    opened: Opener, capsys: pytest.CaptureFixture[str], progress: bool | None, shown: bool
):
    """Logs of a nightly job are not filled with bars; who asks for one gets it."""
    opened().publish_many([{"key": n} for n in range(3)], url=URL, progress=progress)
    assert ("publish_many" in capsys.readouterr().err) is shown


def test_the_embedded_engine_needs_no_bar(capsys: pytest.CaptureFixture[str]):
    """A bar has a rate in it, and a notebook on the embedded engine prints the same bytes on every run."""
    with qsops.connect() as qs:
        qs.publish_many([{"key": n} for n in range(3)], url=URL)
    assert capsys.readouterr().err == ""
