import errno
import os
from pathlib import Path

import pytest

from qsops.errors import Corrupt, SettingsError
from qsops.models import Receipt
from qsops.publish import Journal
from qsops.publish.journal import Accepted

TAKEN = Accepted("a", "print", (Receipt("msg_1"),))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "publish" / "journal.jsonl"


def journal(path: Path | None, target: str = "local", scope: str = "scope") -> Journal:
    return Journal(path, target=target, scope=scope)


@pytest.mark.parametrize("on_disk", [True, False])
def test_it_remembers_what_was_taken_and_what_is_in_doubt(path: Path, on_disk: bool):
    """A key is in doubt from its sending until its answer, and is taken for good after it."""
    with journal(path if on_disk else None) as memory:
        memory.sending(["a", "b", "c"], 1000)
        assert memory.in_doubt == {"a": 1000, "b": 1000, "c": 1000}
        memory.settled([TAKEN], ["b"])
        assert memory.in_doubt == {"c": 1000}
        assert memory.accepted == {"a": TAKEN}


def test_it_survives_its_process(path: Path):
    """What was written is read again, by whoever comes next."""
    with journal(path) as memory:
        memory.sending(["a", "ü:\n"], 1000)
        memory.settled([TAKEN])
    with journal(path) as memory:
        assert memory.accepted == {"a": TAKEN}
        assert memory.in_doubt == {"ü:\n": 1000}


def test_doubt_counts_from_the_first_sending(path: Path):
    """The deduplication window began with the first request, not with the latest repeat."""
    with journal(path) as memory:
        memory.sending(["a"], 1000)
        memory.sending(["a"], 9000)
        assert memory.in_doubt == {"a": 1000}


def test_a_torn_last_line_is_dropped(path: Path):
    """A crash in the middle of a write costs that line alone, and the file goes on behind it."""
    with journal(path) as memory:
        memory.settled([TAKEN])
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"accepted":[["b","finger')
    with journal(path) as memory:
        assert set(memory.accepted) == {"a"}
        memory.sending(["c"], 1)
    assert path.read_bytes().startswith(whole)
    with journal(path) as memory:
        assert memory.in_doubt == {"c": 1}


def test_a_full_disk_leaves_no_half_line(path: Path, monkeypatch: pytest.MonkeyPatch):
    """What is written after a write that failed must not be joined to its half."""
    write = os.write

    def half(fd: int, data: bytes) -> int:
        if len(data) < 20:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(fd, data[: len(data) // 2])

    with journal(path) as memory:
        with monkeypatch.context() as full:
            full.setattr(os, "write", half)
            with pytest.raises(OSError, match="No space"):
                memory.sending(["a"], 1)
        memory.sending(["b"], 2)
    with journal(path) as memory:
        assert memory.in_doubt == {"b": 2}


def test_every_cut_of_the_file_can_be_read(path: Path):
    """Wherever the power went out, the journal opens, and knows no more than was written."""
    with journal(path) as memory:
        memory.sending(["a", "b"], 1)
        memory.settled([TAKEN], ["b"])
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with journal(path) as memory:
            assert set(memory.accepted) <= {"a"}


def test_it_belongs_to_one_target_and_scope(path: Path):
    """Keys that were taken by one account say nothing of another, nor of another destination."""
    journal(path).close()
    with pytest.raises(SettingsError, match="belongs to target 'local', not 'env'"):
        journal(path, target="env")
    with pytest.raises(SettingsError, match="belongs to scope"):
        journal(path, scope="other")


def test_two_writers_at_once_are_refused(path: Path):
    """Two processes with one journal would both send what neither has noted."""
    with journal(path), pytest.raises(SettingsError, match="another publish_many"):
        journal(path)


@pytest.mark.parametrize(
    ("lines", "named"),
    [
        (b"no json\n", "line 1"),
        (b"[1]\n", "line 1"),
        (b'{"qsops_journal":99,"target":"local","scope":"scope"}\n', "version"),
        (b'{"qsops_journal":1,"target":"local","scope":"scope"}\n{"what":1}\n', "no known kind"),
        (b'{"qsops_journal":1,"target":"local","scope":"scope"}\n{"accepted":[["a"]]}\n', "no known kind"),
    ],
)
def test_a_damaged_journal_is_no_reason_to_send_twice(path: Path, lines: bytes, named: str):
    """A journal that cannot be read stops the sending, instead of being taken for an empty one."""
    path.parent.mkdir(parents=True)
    path.write_bytes(lines)
    with pytest.raises(Corrupt, match=named):
        journal(path)


def test_only_its_owner_may_read_it(path: Path):
    """Keys may be personal."""
    journal(path).close()
    assert path.stat().st_mode & 0o077 == 0
