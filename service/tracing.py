"""Traces, where OpenTelemetry is installed and set up: the webhook's span goes on in the consumer's, through QStash.

What travels is W3C's ``traceparent``, a header that QStash forwards with the message, and that the outbox keeps with
it. Without the package, or without a provider, nothing is made and no header is sent.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Final, Protocol

from qsops.models import Headers

__all__ = ["NO_TRACING", "NoTracing", "Span", "Tracing", "tracing_of_process"]

NAME: Final = "qsops.service"
#: What of the W3C's headers is sent on. A ``tracestate`` of somebody else's would be billed with each message.
_CARRIED: Final = "traceparent"

Attributes = Mapping[str, str | int]


class Span(Protocol):
    """What is told of one step: ids, causes and counts, as in the log."""

    def set_attribute(self, name: str, value: str | int) -> None:
        """Add what became known on the way."""
        ...


class _NoSpan:
    def set_attribute(self, name: str, value: str | int) -> None:
        return None


_NO_SPAN: Final = nullcontext(_NoSpan())


class NoTracing:
    """Nobody listens."""

    enabled: bool = False

    def received(self, name: str, attributes: Attributes | None = None) -> AbstractContextManager[Span]:
        """The span of a request that begins a trace, or goes on with whatever is running."""
        return _NO_SPAN

    def continued(
        self, name: str, headers: Headers, attributes: Attributes | None = None
    ) -> AbstractContextManager[Span]:
        """The span of a delivery; its parent is the one in ``headers``, if they name one."""
        return _NO_SPAN

    def carried(self) -> Headers:
        """The headers that take the running span along with a message; none if no span runs."""
        return ()


NO_TRACING: Final = NoTracing()


class Tracing(NoTracing):
    """Spans by OpenTelemetry; ``provider`` is the process's own if not given."""

    enabled = True

    def __init__(self, provider: Any = None) -> None:
        from opentelemetry import trace
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        self._trace = trace
        self._tracer = trace.get_tracer(NAME, tracer_provider=provider)
        self._propagator = TraceContextTextMapPropagator()

    def received(self, name: str, attributes: Attributes | None = None) -> AbstractContextManager[Span]:
        return self._span(name, None, self._trace.SpanKind.PRODUCER, attributes)

    def continued(
        self, name: str, headers: Headers, attributes: Attributes | None = None
    ) -> AbstractContextManager[Span]:
        found = {key.lower(): value for key, value in headers if key.lower() == _CARRIED}
        context = self._propagator.extract(found) if found else None
        return self._span(name, context, self._trace.SpanKind.CONSUMER, attributes)

    def carried(self) -> Headers:
        carrier: dict[str, str] = {}
        self._propagator.inject(carrier)
        return ((_CARRIED, carrier[_CARRIED]),) if _CARRIED in carrier else ()

    @contextmanager
    def _span(self, name: str, context: Any, kind: Any, attributes: Attributes | None) -> Iterator[Span]:
        # The text of an exception may quote what a person wrote: its name is set by whoever catches it.
        with self._tracer.start_as_current_span(
            name, context, kind, attributes, record_exception=False, set_status_on_exception=False
        ) as span:
            yield span


def tracing_of_process() -> NoTracing:
    """Tracing, if OpenTelemetry is installed and somebody has set a provider for the process; else none."""
    try:
        from opentelemetry import trace
    except ImportError:
        return NO_TRACING
    provider = trace.get_tracer_provider()
    # Without a provider the API hands out a proxy, whose spans lead nowhere.
    return NO_TRACING if isinstance(provider, trace.ProxyTracerProvider) else Tracing()
