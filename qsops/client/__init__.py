"""HTTP outward: an async client for QStash over the wire's plain data, with one retry policy."""

from qsops.client.client import Client
from qsops.client.core import DEFAULT_POLICY, RetryPolicy
from qsops.client.transport import HttpTransport, ReadOnlyTransport, Transport

__all__ = ["DEFAULT_POLICY", "Client", "HttpTransport", "ReadOnlyTransport", "RetryPolicy", "Transport"]
