from tests.client.conftest import client, clock, qstash

__all__ = ["client", "clock", "qstash"]
