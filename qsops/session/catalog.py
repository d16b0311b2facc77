"""The nouns of a session that an account sets up beside its messages: queues, schedules, URL groups, flow control."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, Unpack

from qsops.catalog import flow, groups, queues, schedules
from qsops.client import Client
from qsops.models import FlowKey, GlobalParallelism, Queue, Schedule, UrlGroup
from qsops.publish import Options, Span, message
from qsops.session.wiring import Wiring

if TYPE_CHECKING:  # pandas takes a third of a second to load, which all but a listing does without.
    import pandas as pd

__all__ = ["Flow", "Groups", "Queues", "Schedules"]

T = TypeVar("T")
Ask = Callable[[Client], Coroutine[Any, Any, T]]

_MADE_ID = "qsops-"


class _Noun:
    def __init__(self, wiring: Wiring) -> None:
        self._wiring = wiring

    def _reading(self, verb: str, ask: Ask[T]) -> T:
        client = self._wiring.client(verb)
        return self._wiring.portal.call(lambda: ask(client))

    def _writing(self, verb: str, ask: Ask[T]) -> T:
        """:raises ReadOnly: the session was not opened for writing."""
        self._wiring.need_write(verb)
        return self._reading(verb, ask)


class Queues(_Noun):
    """``qs.queues``: messages of one queue are delivered in their order."""

    def list(self) -> pd.DataFrame:
        """All queues: queue, paused, parallelism, lag (messages not delivered yet), created_at, updated_at."""
        return queues.frame(self._reading("queues.list", queues.read_all))

    def get(self, name: str) -> Queue:
        """One queue.

        :raises Rejected: 404, there is none.
        """
        return self._reading("queues.get", lambda client: queues.read(client, name))

    def upsert(self, name: str, *, parallelism: int | None = None, paused: bool | None = None) -> None:
        """Make a queue, or change of it what is given; a new one has a parallelism of 1 and is not paused."""
        self._writing(
            "queues.upsert", lambda client: queues.upsert(client, name, parallelism=parallelism, paused=paused)
        )

    def pause(self, name: str) -> None:
        """Deliver none of its messages from now on; new ones are taken and wait."""
        self._writing("queues.pause", lambda client: queues.pause(client, name))

    def resume(self, name: str) -> None:
        """Go on with its earliest message."""
        self._writing("queues.resume", lambda client: queues.resume(client, name))

    def delete(self, name: str) -> None:
        """Drop it. What becomes of messages that wait in it QStash does not say; our engine delivers them."""
        self._writing("queues.delete", lambda client: queues.delete(client, name))


class Schedules(_Noun):
    """``qs.schedules``: a message that is published anew each time that a cron falls due."""

    def list(self) -> pd.DataFrame:
        """All schedules, with their latest and next runs, and what became of the latest run's messages."""
        return schedules.frame(self._reading("schedules.list", schedules.read_all))

    def get(self, schedule_id: str) -> Schedule:
        """One schedule, with the message that it publishes.

        :raises Rejected: 404, there is none.
        """
        return self._reading("schedules.get", lambda client: schedules.read(client, schedule_id))

    def upsert(
        self,
        cron: str,
        url: str | None = None,
        *,
        group: str | None = None,
        schedule_id: str | None = None,
        json: Any = ...,
        body: bytes | str | None = None,
        **options: Unpack[Options],
    ) -> str:
        """Make a schedule, or replace all of the one that has the id: its id.

        ``cron`` has five fields, in UTC unless it begins with ``CRON_TZ=Europe/Berlin``. The message is what
        ``publish`` takes but ``not_before``; a ``delay`` holds for each.

        :raises Rejected: 400, the cron does not parse.
        """
        made = self._wiring.ids.make(_MADE_ID) if schedule_id is None else schedule_id
        each = message(url, group=group, json=json, body=body, **options)
        return self._writing("schedules.upsert", lambda client: schedules.upsert(client, cron, each, made))

    def pause(self, schedule_id: str) -> None:
        """Skip what falls due from now on: it is not made up for."""
        self._writing("schedules.pause", lambda client: schedules.pause(client, schedule_id))

    def resume(self, schedule_id: str) -> None:
        """Go on with what falls due next."""
        self._writing("schedules.resume", lambda client: schedules.resume(client, schedule_id))

    def delete(self, schedule_id: str) -> None:
        """Drop it; messages that it has published go on."""
        self._writing("schedules.delete", lambda client: schedules.delete(client, schedule_id))


class Groups(_Noun):
    """``qs.groups``: a name for several URLs, to each of which a message goes by itself."""

    def list(self) -> pd.DataFrame:
        """All URL groups, a row an endpoint: url_group, endpoint (its name), url, created_at, updated_at."""
        return groups.frame(self._reading("groups.list", groups.read_all))

    def get(self, name: str) -> UrlGroup:
        """One URL group, with its endpoints.

        :raises Rejected: 404, there is none.
        """
        return self._reading("groups.get", lambda client: groups.read(client, name))

    def upsert(self, name: str, endpoints: groups.Endpoints) -> None:
        """Make a group of these URLs (or names with the URL of each), or add them to the one that is there."""
        self._writing("groups.upsert", lambda client: groups.add(client, name, endpoints))

    def remove(self, name: str, endpoints: str | Sequence[str]) -> None:
        """Remove endpoints, each by its URL or its name; with the last of them QStash drops the group."""
        self._writing("groups.remove", lambda client: groups.remove(client, name, endpoints))

    def set_defaults(self, name: str, headers: Mapping[str, str]) -> None:
        """Set the option headers, such as ``Upstash-Retries``, of each message to it that brings none of its own."""
        self._writing("groups.set_defaults", lambda client: groups.set_defaults(client, name, headers))

    def delete(self, name: str) -> None:
        """Drop it; messages that are under way go on. A schedule that leads to it fails from then on."""
        self._writing("groups.delete", lambda client: groups.delete(client, name))


class Flow(_Noun):
    """``qs.flow``: flow-control keys, which messages name, and whose limits hold across all destinations."""

    def list(self, search: str | None = None) -> pd.DataFrame:
        """All keys, or those that hold ``search``: how many messages wait, the limits, how far they are used up."""
        return flow.frame(self._reading("flow.list", lambda client: flow.read_all(client, search)))

    def get(self, key: str) -> FlowKey:
        """One key.

        :raises Rejected: 404, no message names it.
        """
        return self._reading("flow.get", lambda client: flow.read(client, key))

    def account(self) -> GlobalParallelism:
        """How many calls the account may have under way, all messages together, and how many there are."""
        return self._reading("flow.account", flow.account)

    def pause(self, key: str) -> None:
        """Let none of its messages pass from now on; new ones are taken and wait."""
        self._writing("flow.pause", lambda client: flow.pause(client, key))

    def resume(self, key: str) -> None:
        """Let its messages pass again."""
        self._writing("flow.resume", lambda client: flow.resume(client, key))

    def pin(
        self, key: str, *, parallelism: int | None = None, rate: int | None = None, period: Span | None = None
    ) -> None:
        """Set limits that messages cannot change: a parallelism, a rate for each period (1 s unless given), or both."""
        self._writing(
            "flow.pin", lambda client: flow.pin(client, key, parallelism=parallelism, rate=rate, period=period)
        )

    def unpin(self, key: str, *, parallelism: bool = True, rate: bool = True) -> None:
        """Let messages change limits again; what was pinned holds until one does."""
        self._writing("flow.unpin", lambda client: flow.unpin(client, key, parallelism=parallelism, rate=rate))

    def reset_rate(self, key: str) -> None:
        """Begin a new period of its rate now, with no call in it."""
        self._writing("flow.reset_rate", lambda client: flow.reset_rate(client, key))
