"""Send: one message from named arguments, or many from rows, a frame or a file, resumable by key."""

from qsops.publish.arguments import OPTIONS, Options, Span, message
from qsops.publish.journal import Journal
from qsops.publish.many import Limits, Outcome, publish_many
from qsops.publish.rows import Key, keyed
from qsops.publish.sources import count_rows, read_rows

__all__ = [
    "OPTIONS",
    "Journal",
    "Key",
    "Limits",
    "Options",
    "Outcome",
    "Span",
    "count_rows",
    "keyed",
    "message",
    "publish_many",
    "read_rows",
]
