"""A service inside an embedded session, with Meta's side of it: what a notebook or a test posts to, and looks into."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any, Final

from qsops.models import KeyPair
from qsops.session import Session
from service.app import create_app
from service.internal import REFUSALS_PATH
from service.log import LOGGER
from service.publishing import CONSUMER_PATH
from service.rehearsal.settings import APP_SECRET, INTERNAL_TOKEN, rehearsal_settings
from service.samples import encode, signed_headers
from service.settings import Settings
from service.store import SqliteStore, Statement
from service.webhook import WEBHOOK_PATH

if TYPE_CHECKING:  # pandas takes a third of a second to load, which mounting and posting do without.
    import pandas as pd

__all__ = ["BASE_URL", "Mounted", "open_service"]

#: By which the engine knows the service.
BASE_URL: Final = "https://service.example"


def open_service(qs: Session, **settings: Any) -> Mounted:
    """Mount a rehearsed service into the embedded session ``qs``; its database lives as long as the session.

    ``settings`` are fields of :class:`~service.settings.Settings`, such as ``qsops_handler="module:function"``; a
    handler of a notebook is ``"__main__:its_name"``.

    :raises SettingsError: the session is not embedded, or a setting is malformed.
    """
    return Mounted(qs, settings)


class Mounted:
    """A service in this process, under the session's clock. It keeps the lines of its log instead of writing them."""

    def __init__(self, qs: Session, settings: dict[str, Any]) -> None:
        self._qs = qs
        self._store = SqliteStore(":memory:")
        self._lines = _Lines()
        self._settings = self._start(settings)
        LOGGER.setLevel(logging.INFO)
        LOGGER.addHandler(self._lines)

    @property
    def webhook_url(self) -> str:
        """Where Meta posts."""
        return BASE_URL + WEBHOOK_PATH

    @property
    def consumer_url(self) -> str:
        """Where QStash delivers."""
        return BASE_URL + CONSUMER_PATH

    @property
    def signing_keys(self) -> KeyPair:
        """The keys that it was started with."""
        return self._settings.signing_keys

    def restart(self, **settings: Any) -> None:
        """Start it anew on the same database, with ``settings`` instead of those it had."""
        self._settings = self._start(settings)

    def post(self, body: dict[str, Any], *, secret: str = APP_SECRET) -> dict[str, Any]:
        """Post ``body`` to the webhook as Meta does, signed with the app's ``secret``: status and answer."""
        raw = encode(body)
        answer = self._qs.request("POST", self.webhook_url, headers=signed_headers(secret, raw), content=raw)
        return {"status": answer.status, **json.loads(answer.body)}

    def rows(self, sql: str, **parameters: Any) -> pd.DataFrame:
        """The rows of a query on the service's database, as they are committed now."""
        import pandas as pd

        return pd.DataFrame(self._qs.run(lambda: self._store.fetch(Statement(sql, parameters)))).convert_dtypes()

    def refusals(self) -> pd.DataFrame:
        """The requests refused since the latest start, newest first: at_ms, route, cause, detail, message_id."""
        import pandas as pd

        bearer = {"Authorization": f"Bearer {INTERNAL_TOKEN}"}
        answer = self._qs.request("GET", BASE_URL + REFUSALS_PATH, headers=bearer)
        return pd.DataFrame(json.loads(answer.body)["refusals"])

    def log(self) -> pd.DataFrame:
        """The lines of its log, one row each, since it was opened."""
        import pandas as pd

        return pd.DataFrame([json.loads(line) for line in self._lines.lines]).convert_dtypes()

    def close(self) -> None:
        """Keep no more lines. The service itself ends with its session."""
        LOGGER.removeHandler(self._lines)

    def __repr__(self) -> str:
        return f"service at {BASE_URL}, handler {self._settings.qsops_handler}"

    def _start(self, changes: dict[str, Any]) -> Settings:
        settings = rehearsal_settings(BASE_URL, **changes)
        app = create_app(settings, clock=self._qs.clock, transport=self._qs.transport, store=self._store)
        self._qs.mount(BASE_URL, app, internal_token=INTERNAL_TOKEN)
        return settings


class _Lines(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())
