"""The options of a message as headers: ``Upstash-…`` for QStash, ``Upstash-Forward-…`` for the destination.

Source: the table of request headers of QStash's publish endpoints, and what its two SDKs send (reference, section 3).
"""

from __future__ import annotations

from qsops.wire.options.options import apply_overrides, decode_options, encode_options
from qsops.wire.options.reading import OPTION_PREFIX

__all__ = ["OPTION_PREFIX", "apply_overrides", "decode_options", "encode_options"]
