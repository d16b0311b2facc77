"""The options of a message as headers: ``Upstash-…`` for QStash, ``Upstash-Forward-…`` for the destination.

Source: the table of request headers of QStash's publish endpoints, and what its two SDKs send (reference, section 3).
"""

from __future__ import annotations

from qsops.wire.options.defaults import Defaults, check_defaults, no_defaults, with_defaults
from qsops.wire.options.options import OPTION_HEADERS, apply_overrides, decode_options, encode_options, is_known
from qsops.wire.options.reading import OPTION_PREFIX, is_option, parameters, says, with_parameters
from qsops.wire.options.schedules import decode_schedule, encode_schedule, encode_template

__all__ = [
    "OPTION_HEADERS",
    "OPTION_PREFIX",
    "Defaults",
    "apply_overrides",
    "check_defaults",
    "decode_options",
    "decode_schedule",
    "encode_options",
    "encode_schedule",
    "encode_template",
    "is_known",
    "is_option",
    "no_defaults",
    "parameters",
    "says",
    "with_defaults",
    "with_parameters",
]
