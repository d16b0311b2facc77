import os
import re

import pytest

# Settings of the person who runs the tests: none of them may reach a test.
_SETTINGS = re.compile(
    r"QSTASH|^QSOPS_(?!TESTS_)|^INSTAGRAM_|^INTERNAL_API_TOKEN$|^PUBLIC_BASE_URL$|^DATABASE_URL$|^VERCEL|^ALLOWED_HOSTS$"
)
for _name in [name for name in os.environ if _SETTINGS.search(name)]:
    del os.environ[_name]
os.environ["QSOPS_DOTENV"] = "off"


@pytest.fixture
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment of a machine on which nothing was set."""
    monkeypatch.delenv("QSOPS_DOTENV", raising=False)
