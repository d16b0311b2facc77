"""How what an archive reports looks in a shell: lines for eyes, and JSON with times in ISO 8601."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from qsops.clock import utc

if TYPE_CHECKING:
    from qsops.archive import SyncReport
    from qsops.archive.dead_letters import Letters
    from qsops.archive.guard import Expiry
    from qsops.archive.spans import Span
    from qsops.archive.status import Status
    from qsops.archive.verify import VerifyReport

__all__ = ["as_json", "status_lines", "sync_lines", "verify_lines"]


def sync_lines(report: SyncReport, letters: Letters | None) -> Iterator[str]:
    """What a sync did; without ``letters`` where the DLQ could not be listed."""
    yield (
        f"{_range((report.from_ms, report.to_ms))}: {report.entries:,} log entries looked at, {report.added:,} new"
        + _aside(report.malformed)
    )
    if letters is not None:
        yield (
            f"dead letters: {letters.listed:,} listed, {letters.added:,} new, {letters.gone:,} gone since the last sync"
            + _aside(letters.malformed)
        )
    for span in report.forgotten:
        yield f"forgotten by QStash before it was archived: {_range(span)}"


def verify_lines(report: VerifyReport) -> Iterator[str]:
    """What a verification found."""
    yield (
        f"{_range((report.from_ms, report.to_ms))}: {report.entries:,} log entries looked at again, "
        f"{report.added:,} were missing and are added" + _aside(report.malformed)
    )
    if report.only_here:
        yield f"{report.only_here:,} are in the archive alone: QStash lists them no more"
    if report.unverifiable is not None:
        yield f"forgotten by QStash, and so not looked at: {_range(report.unverifiable)}"


def status_lines(status: Status) -> Iterator[str]:
    """How an archive stands, but for the sizes of its tables."""
    yield f"{status.root}, commit {status.commit} of {_time(status.committed_ms)} UTC"
    for span in status.covered:
        yield f"archived: {_range(span)}"
    for span in status.pending:
        yield f"not archived yet: {_range(span)}"
    for span in status.forgotten:
        yield f"lost, QStash has forgotten it: {_range(span)}"
    for expiry in status.expiries:
        yield _expiry_line(expiry)
    if not status.expiries:
        yield f"nothing expires before the next sync or the next working day (plan {status.plan})"


def as_json(report: Any, **more: Any) -> dict[str, Any]:
    """A report as JSON: its fields, times without the ``_ms`` as ISO 8601, ranges as pairs of them."""
    return {name.removesuffix("_ms"): _plain(name, value) for name, value in {**asdict(report), **more}.items()}


def _plain(name: str, value: Any) -> Any:
    if value is None:
        return None
    if name.endswith("_ms"):
        return _iso(value)
    if name == "unverifiable":
        return [_iso(at_ms) for at_ms in value]
    if name in ("covered", "pending", "forgotten"):
        return [[_iso(at_ms) for at_ms in span] for span in value]
    if name == "expiries":
        return [{key.removesuffix("_ms"): _plain(key, inner) for key, inner in one.items()} for one in value]
    return value


def _expiry_line(expiry: Expiry) -> str:
    what = f"{expiry.count:,} dead letters of" if expiry.count is not None else "log entries that are not archived, of"
    return (
        f"expires before {expiry.before} ({_time(expiry.before_ms)} UTC): {what} "
        f"{_range((expiry.from_ms, expiry.to_ms))}; the first at {_time(expiry.first_ms)} UTC"
    )


def _aside(malformed: int) -> str:
    return f", {malformed:,} malformed ones kept aside" if malformed else ""


def _range(span: Span | Sequence[int]) -> str:
    return f"{_time(span[0])} to {_time(span[1])} UTC"


def _time(at_ms: int) -> str:
    return f"{utc(at_ms):%Y-%m-%d %H:%M:%S}"


def _iso(at_ms: int) -> str:
    return utc(at_ms).isoformat(timespec="milliseconds")
