"""Flow-control keys as JSON, and the calls that read, pause, pin and reset them; global parallelism beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from qsops.errors import Corrupt, Rejected
from qsops.models import FlowKey, FlowPin, FlowUnpin, GlobalParallelism
from qsops.wire import texts
from qsops.wire.http import Request, Response, path_id, path_rest
from qsops.wire.names import ID_LIMIT
from qsops.wire.options.values import LONGEST_PERIOD_S
from qsops.wire.query import Parameters, encode_query, refuse_parameters
from qsops.wire.values import json_answer, listed, number, present, text

__all__ = [
    "FLOW_PATH",
    "GLOBAL_PARALLELISM_PATH",
    "flow_key_json",
    "flow_key_request",
    "flow_keys_json",
    "flow_keys_request",
    "flow_pause_request",
    "flow_pin_request",
    "flow_reset_rate_request",
    "flow_resume_request",
    "flow_unpin_request",
    "global_parallelism_json",
    "global_parallelism_request",
    "parse_flow_action",
    "parse_flow_key",
    "parse_flow_key_name",
    "parse_flow_key_response",
    "parse_flow_keys",
    "parse_flow_pin",
    "parse_flow_search",
    "parse_flow_unpin",
    "parse_global_parallelism",
]

FLOW_PATH: Final = "/v2/flowControl"
GLOBAL_PARALLELISM_PATH: Final = "/v2/globalParallelism"


def flow_key_json(key: FlowKey) -> dict[str, Any]:
    """``key`` as QStash shows it; a limit that is not set is absent, not 0 (reference, section 0.11)."""
    limits = present({"parallelismMax": key.parallelism_max, "rateMax": key.rate_max})
    return {
        "flowControlKey": key.key,
        "waitListSize": key.wait_list,
        **limits,
        "parallelismCount": key.parallelism_count,
        "rateCount": key.rate_count,
        "ratePeriod": key.period_s,
        "ratePeriodStart": key.period_start_s,
        "isPaused": key.paused,
        "isPinnedParallelism": key.pinned_parallelism,
        "isPinnedRate": key.pinned_rate,
    }


def parse_flow_key(fields: Any) -> FlowKey:
    """A flow-control key of its JSON; a limit of 0 is none. One document has ``waitlistSize``.

    :raises Corrupt: when it is no object with a key.
    """
    if not isinstance(fields, Mapping) or not text(fields.get("flowControlKey")):
        raise Corrupt(f"QStash answered with something that is no flow-control key: {str(fields)[:80]!r}")
    return FlowKey(
        key=str(fields["flowControlKey"]),
        wait_list=number(fields.get("waitListSize")) or number(fields.get("waitlistSize")) or 0,
        parallelism_max=number(fields.get("parallelismMax")) or None,
        parallelism_count=number(fields.get("parallelismCount")) or 0,
        rate_max=number(fields.get("rateMax")) or None,
        rate_count=number(fields.get("rateCount")) or 0,
        period_s=number(fields.get("ratePeriod")) or 1,
        period_start_s=number(fields.get("ratePeriodStart")) or 0,
        paused=fields.get("isPaused") is True,
        pinned_parallelism=fields.get("isPinnedParallelism") is True,
        pinned_rate=fields.get("isPinnedRate") is True,
    )


def flow_keys_json(keys: Sequence[FlowKey]) -> list[dict[str, Any]]:
    """Flow-control keys: a bare array."""
    return [flow_key_json(key) for key in keys]


def parse_flow_keys(response: Response) -> tuple[FlowKey, ...]:
    """The flow-control keys of an answer.

    :raises Corrupt: when it is no list of them.
    """
    return tuple(map(parse_flow_key, listed(response, "the flow-control keys")))


def parse_flow_key_response(response: Response) -> FlowKey:
    """The flow-control key of an answer.

    :raises Corrupt: when it is none.
    """
    return parse_flow_key(json_answer(response))


def global_parallelism_json(parallelism: GlobalParallelism) -> dict[str, int]:
    """Both numbers."""
    return {"parallelismMax": parallelism.limit, "parallelismCount": parallelism.count}


def parse_global_parallelism(response: Response) -> GlobalParallelism:
    """Both numbers of an answer; one that is absent is 0, as for both SDKs.

    :raises Corrupt: when it is no object.
    """
    fields = json_answer(response)
    if not isinstance(fields, Mapping):
        raise Corrupt(f"QStash answered a call for the global parallelism with no object: {str(fields)[:80]!r}")
    return GlobalParallelism(number(fields.get("parallelismMax")) or 0, number(fields.get("parallelismCount")) or 0)


def flow_keys_request(search: str | None = None) -> Request:
    """Read all flow-control keys, or those that hold ``search``."""
    return Request("GET", FLOW_PATH, encode_query([("search", search)]))


def flow_key_request(key: str) -> Request:
    """Read one flow-control key."""
    return Request("GET", _path(key))


def flow_pause_request(key: str) -> Request:
    """Let no message of ``key`` pass from now on; the period of its rate goes on."""
    return Request("POST", f"{_path(key)}/pause")


def flow_resume_request(key: str) -> Request:
    """Let messages of ``key`` pass again."""
    return Request("POST", f"{_path(key)}/resume")


def flow_pin_request(key: str, pin: FlowPin) -> Request:
    """Set limits that messages cannot change."""
    limits = [("parallelism", pin.parallelism), ("rate", pin.rate), ("period", pin.period_s)]
    return Request("POST", f"{_path(key)}/pin", encode_query(limits))


def flow_unpin_request(key: str, unpin: FlowUnpin) -> Request:
    """Let messages change limits again; what was pinned holds until one does."""
    flags = [("parallelism", unpin.parallelism), ("rate", unpin.rate)]
    return Request("POST", f"{_path(key)}/unpin", encode_query([(name, "true") for name, wanted in flags if wanted]))


def flow_reset_rate_request(key: str) -> Request:
    """Begin a new period of the rate now, with no call in it."""
    return Request("POST", f"{_path(key)}/resetRate")


def global_parallelism_request() -> Request:
    """Read how many calls an account may have under way, and has."""
    return Request("GET", GLOBAL_PARALLELISM_PATH)


def parse_flow_search(request: Request) -> str | None:
    """What the keys of a listing are to hold.

    :raises Rejected: 400 for another parameter.
    """
    parameters = Parameters(request.query)
    parameters.allow_only(("search",))
    return parameters.text("search")


def parse_flow_key_name(request: Request) -> str:
    """The key that a request reads. It may be any text, slashes included.

    :raises Rejected: 400 for a key that there cannot be, and for a parameter.
    """
    refuse_parameters(request)
    return _checked(path_rest(request.path, FLOW_PATH))


def parse_flow_action(request: Request) -> str:
    """The key that a request pauses, resumes or resets.

    :raises Rejected: 400 for a key that there cannot be, and for a parameter.
    """
    refuse_parameters(request)
    return _acted_upon(request)


def parse_flow_pin(request: Request) -> tuple[str, FlowPin]:
    """The key, and the limits that are to be pinned: at least one, each at least 1, a period of at most a week.

    :raises Rejected: 400, naming the parameter and its value.
    """
    parameters = Parameters(request.query)
    parameters.allow_only(("parallelism", "rate", "period"))
    pin = FlowPin(
        parallelism=parameters.number("parallelism", least=1),
        rate=parameters.number("rate", least=1),
        period_s=parameters.number("period", least=1, most=LONGEST_PERIOD_S),
    )
    if pin == FlowPin():
        raise Rejected(400, texts.NOTHING_TO_PIN)
    if pin.period_s is not None and pin.rate is None:
        raise Rejected(400, texts.PERIOD_WITHOUT_RATE)
    return _acted_upon(request), pin


def parse_flow_unpin(request: Request) -> tuple[str, FlowUnpin]:
    """The key, and the limits that messages may change again; false unless it is named.

    :raises Rejected: 400, naming the parameter and its value.
    """
    parameters = Parameters(request.query)
    parameters.allow_only(("parallelism", "rate"))
    return _acted_upon(request), FlowUnpin(parameters.flag("parallelism"), parameters.flag("rate"))


def _acted_upon(request: Request) -> str:
    return _checked(path_rest(request.path.rpartition("/")[0], FLOW_PATH))


def _checked(key: str) -> str:
    if not key or len(key) > ID_LIMIT:
        raise Rejected(400, texts.invalid_flow_key(key, ID_LIMIT))
    return key


def _path(key: str) -> str:
    return f"{FLOW_PATH}/{path_id(key)}"
