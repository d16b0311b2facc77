"""Log rows folded to attempts and messages: pure, and the same whatever order, doubles or delay the rows came with.

The log says ACTIVE when an attempt starts, and ERROR or DELIVERED when it has ended; FAILED, CANCEL_REQUESTED and
CANCELED end the message. So the n-th start of a message belongs to its n-th end, which holds even where several fall on
one millisecond. A message whose CREATED is not among the rows began before them: what that hides (the number of an
attempt, how many there were) is null, never guessed.
"""

from __future__ import annotations

from qsops.fold.attempts import attempts
from qsops.fold.messages import messages

__all__ = ["attempts", "messages"]
