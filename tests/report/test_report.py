import re
from datetime import UTC, datetime

import pandas as pd

from qsops import report
from qsops.report.tables import ROWS_LIMIT, table
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


def test_a_browser_is_forbidden_to_load_anything():
    """Even a reference that slipped in would stay unasked for: the page's own policy says so, before anything else."""
    head = page().split("<style>")[0]
    assert "default-src 'none'" in head
    assert not re.search(r"https?://", re.sub(r'xmlns(:\w+)?="[^"]*"|https://consumer\.example\S*', "", page()))


def test_colours_follow_the_screen():
    """Each colour that a figure is drawn in has a rule in the page, which has another value for dark screens."""
    text = page()
    style, body = text.split("</style>")
    used = set(
        re.findall(r'(?:fill|stroke)="(#[0-9A-Fa-f]{6})"', "".join(re.findall(r"<svg.*?</svg>", body, re.DOTALL)))
    )
    on_text_alone = {"#333333", "#555555"}
    assert used
    assert {colour for colour in used - on_text_alone if f'="{colour}"]' not in style} == set()
    assert "prefers-color-scheme: dark" in style


def test_headings_and_tables_can_be_read_aloud():
    """Each section has a heading, each figure a name and its numbers in a table, each column a scope."""
    text = page()
    assert re.findall(r"<h2>(.*?)</h2>", text) == [
        "Time to deliver",
        "Retry ladder",
        "Failures by destination and status",
        "Messages by state",
    ]
    assert re.findall(r'<figure role="img" aria-label="(.*?)">', text) == ["Time to deliver", "Retry ladder"]
    assert text.count("<table>") == 4
    assert "<th>" not in text


def test_numbers_are_set_for_people():
    """Units stand in the head of a column, thousands are parted, and what is not known is a dash."""
    frame = pd.DataFrame({"wait_s": [1808.0, None], "success_pct": [87.5, 0.0], "attempts": [4000, 1]})
    text = table(frame)
    assert "wait (s)" in text
    assert "success (%)" in text
    assert "1,808.0" in text
    assert "4,000" in text
    assert "–" in text


def test_a_long_table_says_how_much_it_leaves_out():
    """The first rows are shown, and the others are counted."""
    text = table(pd.DataFrame({"n": range(ROWS_LIMIT + 1_234)}))
    assert text.count("<tr>") == ROWS_LIMIT + 1
    assert "and 1,234 more" in text


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
