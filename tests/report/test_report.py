import re
from datetime import UTC, datetime

from qsops import report
from tests.analysis.test_analysis import ATTEMPTS, MESSAGES

MADE_AT = datetime(2026, 1, 1, tzinfo=UTC)


def page(**arguments: object) -> str:
    facts = {"title": "Delivery report", "made_at": MADE_AT, "source": "the embedded engine"}
    return report.render(ATTEMPTS, MESSAGES, **{**facts, **arguments})  # type: ignore[arg-type]


def test_it_opens_without_a_network():
    """The page loads nothing and runs nothing: no script, no link, no picture from elsewhere."""
    text = page()
    assert not re.search(r"<script|<link|@import|\bsrc=|url\((?!#)", text)
    assert text.count("<svg") == 2


def test_it_shows_the_counts_it_is_given():
    """The figures at the head are the caller's, where the caller counted."""
    text = page(counts={"received": 1_234, "dead": 1})
    assert "<dt>received</dt><dd>1,234</dd>" in text


def test_what_it_shows_is_escaped():
    """A title, a source or an error from outside is text, never markup."""
    attempts = ATTEMPTS.assign(error="<b>no</b>")
    text = report.render(attempts, MESSAGES, title="<i>", made_at=MADE_AT, source="<u>")
    assert "<b>no</b>" not in text
    assert "&lt;b&gt;no&lt;/b&gt;" in text
    assert "<title>&lt;i&gt;</title>" in text


def test_an_empty_range_is_a_page_too():
    """Nothing to show is said, not drawn."""
    text = report.render(ATTEMPTS.iloc[:0], MESSAGES.iloc[:0], title="Empty", made_at=MADE_AT, source="nowhere")
    assert "No messages in this range." in text
    assert "<svg" not in text


def test_the_same_frames_make_the_same_page():
    """A report can be compared with the one before."""
    assert page() == page()
