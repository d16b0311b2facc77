import asyncio

import aiohttp
import pytest

from qsops.config.dev_users import DEV_USERS
from qsops.engine import texts as own_texts
from qsops.engine.access import Access
from qsops.engine.server import serving
from qsops.errors import SettingsError
from qsops.wire import texts
from tests.engine.served.conftest import Serve

TOKEN = "a-token-of-our-own"
LOOKING = "a-token-for-looking"
OPEN = Access(TOKEN, LOOKING, ("qstash.example.com", "localhost"))


async def ask(url: str, token: str, path: str = "/v2/keys", method: str = "GET", **headers: str) -> tuple[int, str]:
    """Status and error of one request."""
    authorization = {"Authorization": f"Bearer {token}"}
    async with aiohttp.request(method, url + path, headers={**authorization, **headers}) as answer:
        return answer.status, (await answer.json()).get("error", "")


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "::ffff:0.0.0.0"])
@pytest.mark.parametrize("token", [None, "fifteen-letters"])
async def test_beyond_loopback_a_token_of_ones_own_is_needed(host: str, token: str | None):
    """Where others can ask, the public tokens would be everybody's: without a long one of its own nothing is served."""
    with pytest.raises(SettingsError, match=r"host: '.*' is not loopback.*at least 16 characters"):
        async with serving(host, access=Access(token)):
            pass


async def test_a_name_beside_loopback_s_needs_a_token_too():
    """On loopback, such a name is only of use to whoever forwards to it from outside."""
    with pytest.raises(SettingsError, match=r"allowed-host: 'qstash\.example\.com' is not loopback"):
        async with serving(access=Access(allowed_hosts=("qstash.example.com",))):
            pass


@pytest.mark.parametrize("user", DEV_USERS, ids=lambda user: user.name)
async def test_beyond_loopback_the_public_users_are_nobody(user):
    """Their tokens are printed in the vendor's documents; on loopback they still work beside one's own."""
    async with serving("0.0.0.0", access=OPEN) as server:
        url = f"http://127.0.0.1:{server.port}"
        assert await ask(url, user.token) == (401, texts.INVALID_TOKEN)
        assert (await ask(url, TOKEN))[0] == 200
    async with serving(access=Access(TOKEN)) as server:
        assert (await ask(server.url, user.token))[0] == (await ask(server.url, TOKEN))[0] == 200


@pytest.mark.parametrize(
    ("host", "origin", "error"),
    [
        ("qstash.example.com", None, ""),
        ("QSTASH.example.com:8080", None, ""),
        ("127.0.0.1", None, ""),
        ("localhost", "https://qstash.example.com", ""),
        ("example.com", None, own_texts.FOREIGN_HOST),
        ("127.0.0.2", None, own_texts.FOREIGN_HOST),
        ("app.localhost", None, own_texts.FOREIGN_HOST),
        ("0.0.0.0", None, own_texts.FOREIGN_HOST),
        ("qstash.example.com", "https://evil.example", own_texts.FOREIGN_ORIGIN),
        ("qstash.example.com", "http://app.localhost", own_texts.FOREIGN_ORIGIN),
    ],
)
@pytest.mark.parametrize("bound", ["0.0.0.0", "::"])
async def test_beyond_loopback_only_told_names_count(bound: str, host: str, origin: str | None, error: str):
    """It answers to the names that it was told and to the address that was spoken to, and to no other."""
    async with serving(bound, access=OPEN) as server:
        headers = {"Host": host} | ({"Origin": origin} if origin else {})
        answer = await ask(f"http://127.0.0.1:{server.port}", TOKEN, **headers)
        assert answer == (403 if error else 200, error)


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"token": "with a space"}, "token holds spaces"),
        ({"token": ""}, "token is empty"),
        ({"token": DEV_USERS[0].token}, "token is one of the vendor's public"),
        ({"read_only_token": LOOKING}, "read-only-token: it stands beside"),
        ({"token": TOKEN, "read_only_token": TOKEN}, "read-only-token: it stands beside"),
        ({"token": TOKEN, "allowed_hosts": ("https://example.com",)}, "allowed-host: 'https://example.com'"),
        ({"token": TOKEN, "allowed_hosts": ("example.com:80",)}, "allowed-host: 'example.com:80'"),
        ({"token": TOKEN, "allowed_hosts": ("",)}, "allowed-host: ''"),
        ({"token": TOKEN, "allowed_hosts": ("x y",)}, "allowed-host: 'x y' is no name of a host"),
        ({"token": TOKEN, "allowed_hosts": ("a.example\n",)}, "allowed-host: 'a.example"),
        ({"token": TOKEN, "allowed_hosts": ("*.example.com",)}, r"allowed-host: '\*\.example\.com'"),
        ({"token": TOKEN, "allowed_hosts": ("a..example",)}, r"allowed-host: 'a\.\.example'"),
        ({"token": TOKEN, "allowed_hosts": ("-a.example",)}, "allowed-host: '-a.example'"),
        ({"token": TOKEN, "allowed_hosts": ("münchen.example",)}, "allowed-host: 'münchen.example'"),
        ({"token": TOKEN, "allowed_hosts": (f"{'a.' * 127}a",)}, "allowed-host: 'a.a"),
        ({"allow_private": ("10.0.0.0/99",)}, "allow-private: '10.0.0.0/99'"),
    ],
)
def test_a_setting_that_cannot_be_is_named(settings: dict, named: str):
    """Before anything is served, with the name of the setting, and never with a token."""
    with pytest.raises(SettingsError, match=named) as refused:
        Access(**settings)
    assert TOKEN not in str(refused.value)
    assert DEV_USERS[0].token not in str(refused.value)
    assert TOKEN not in repr(OPEN)


@pytest.mark.parametrize("name", ["localhost", "qstash.example.com", "QStash.Example.", "qs_tash-1", "10.0.0.5"])
def test_a_name_of_a_host_is_taken(name: str):
    """However it is spelled: one label or many, an address, a name that only a network of containers knows."""
    assert Access(TOKEN, allowed_hosts=(name,)).names == {name.lower()}


READING = ["/v2/keys", "/v2/dlq", "/v2/events", "/v2/logs", "/v2/messages/msg_unknown"]
WRITING = [
    *(("POST", path) for path in ("/v2/publish/http://127.0.0.1:1/", "/v2/batch", "/v2/keys/rotate", "/v2/dlq/retry")),
    *(("DELETE", path) for path in ("/v2/messages", "/v2/messages/msg_1", "/v2/dlq", "/v2/dlq/1-1")),
    *((method, "/v2/nowhere") for method in ("PUT", "PATCH", "POST", "DELETE")),
]


async def test_a_token_for_looking_changes_nothing():
    """It reads all that its account may read, and whatever is no GET is refused, known or not."""
    async with serving(access=OPEN) as server:
        read = [await ask(server.url, LOOKING, path) for path in READING]
        assert [status for status, _ in read] == [200, 200, 200, 200, 404]
        for method, path in WRITING:
            assert await ask(server.url, LOOKING, path, method) == (403, texts.READ_ONLY_TOKEN)
        assert (await ask(server.url, TOKEN, "/v2/messages", "DELETE"))[0] == 200


async def test_a_body_from_a_token_for_looking_is_not_read(serve: Serve):
    """403 comes before the body, as 401 does."""
    async with serve(access=OPEN) as running:
        reader, writer = await asyncio.open_connection("127.0.0.1", running.server.port)
        head = "POST /v2/batch HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n"
        writer.write(f"{head}Authorization: Bearer {LOOKING}\r\n\r\n".encode())
        async with asyncio.timeout(10):
            assert (await reader.readline()).startswith(b"HTTP/1.1 403")
        writer.close()
        await writer.wait_closed()
