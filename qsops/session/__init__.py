"""connect(): the one place where hosted and embedded are told apart, and the sync verbs over whatever it is."""

from qsops.session.connecting import connect
from qsops.session.session import Session

__all__ = ["Session", "connect"]
