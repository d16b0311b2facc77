import json
import socket
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from qsops import public_url
from qsops.errors import SettingsError
from qsops.public_url import PublicUrl

PORT = 8000
VERCEL = {
    "VERCEL": "1",
    "VERCEL_URL": "shop-git-feature-team.vercel.app",
    "VERCEL_PROJECT_PRODUCTION_URL": "shop.example.com",
}


def tunnel(public: str, address: object, proto: str = "https") -> dict[str, object]:
    return {"name": "t", "public_url": public, "proto": proto, "config": {"addr": address, "inspect": True}}


def agent(*tunnels: object) -> Callable[[str], str]:
    """An ngrok agent's local API."""

    def fetch(url: str) -> str:
        assert url == "http://127.0.0.1:4040/api/tunnels"
        return json.dumps({"tunnels": tunnels, "uri": "/api/tunnels"})

    return fetch


def no_agent(url: str) -> str:
    raise ConnectionRefusedError(url)


def forbidden(url: str) -> str:
    raise AssertionError(f"nobody may be asked here: {url}")


def resolve(
    env: dict[str, str],
    *,
    fetch: Callable[[str], str] | None = no_agent,
    port: int | None = PORT,
    engine_local: bool = False,
) -> PublicUrl:
    return public_url.resolve(env, port=port, engine_local=engine_local, fetch=fetch)


@pytest.mark.parametrize(
    "url", ["https://hooks.example.com", "https://hooks.example.com/", " https://hooks.example.com// "]
)
def test_what_was_set_wins(url: str):
    """PUBLIC_BASE_URL stands before Vercel, ngrok and loopback, and loses its trailing slash."""
    found = resolve({**VERCEL, "PUBLIC_BASE_URL": url}, fetch=forbidden, engine_local=True)
    assert found == PublicUrl("https://hooks.example.com", "PUBLIC_BASE_URL")


def test_a_base_url_may_have_a_path_and_a_port():
    """Behind a proxy that adds a prefix, the prefix is part of what is signed."""
    found = resolve({"PUBLIC_BASE_URL": "https://example.com:8443/hooks/"})
    assert found.url == "https://example.com:8443/hooks"


@pytest.mark.parametrize(
    "url", ["hooks.example.com", "ftp://x.example", "https://u:hush@x.example", "https://x.example?a=hush", "https://"]
)
def test_a_base_url_that_is_none_is_refused(url: str):
    """It is refused by name, and never passed over for the next source."""
    with pytest.raises(SettingsError, match=r"^PUBLIC_BASE_URL ") as caught:
        resolve({"PUBLIC_BASE_URL": url}, engine_local=True)
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize(
    "host", ["127.0.0.1:8000", "localhost:8000", "[::1]:8000", "127.9.9.9", "app.localhost", "LOCALHOST."]
)
def test_loopback_is_for_the_engine(host: str):
    """Hosted QStash cannot reach this machine's loopback; the engine can."""
    with pytest.raises(SettingsError, match=r"PUBLIC_BASE_URL is .* which hosted QStash cannot reach"):
        resolve({"PUBLIC_BASE_URL": f"http://{host}"})
    assert resolve({"PUBLIC_BASE_URL": f"http://{host}"}, engine_local=True).url == f"http://{host}"


def test_vercel_in_production_is_the_projects_own_domain():
    """With VERCEL_ENV=production the domain of the project is taken, which outlives the deployment."""
    found = resolve({**VERCEL, "VERCEL_ENV": "production"}, fetch=forbidden)
    assert found == PublicUrl("https://shop.example.com", "VERCEL_PROJECT_PRODUCTION_URL")


@pytest.mark.parametrize("env", [{"VERCEL_ENV": "preview"}, {"VERCEL_ENV": "staging"}, {}])
def test_vercel_elsewhere_is_the_deployment_itself(env: dict[str, str]):
    """The production URL is set in previews too: a preview must not send its messages to production."""
    found = resolve({**VERCEL, **env}, fetch=forbidden)
    assert found == PublicUrl("https://shop-git-feature-team.vercel.app", "VERCEL_URL")


def test_vercel_in_production_without_a_domain_is_the_deployment():
    """Where the project's domain is not exposed, the deployment's address still reaches it."""
    env = {"VERCEL_ENV": "production", "VERCEL_URL": "shop-abc.vercel.app"}
    assert resolve(env, fetch=forbidden) == PublicUrl("https://shop-abc.vercel.app", "VERCEL_URL")


def test_vercel_without_addresses_says_what_to_set():
    """System variables that are not exposed are named."""
    with pytest.raises(SettingsError, match="VERCEL_PROJECT_PRODUCTION_URL and VERCEL_URL is not set: expose"):
        resolve({"VERCEL": "1", "VERCEL_ENV": "production"}, fetch=forbidden)
    with pytest.raises(SettingsError, match="on Vercel, but VERCEL_URL is not set"):
        resolve({"VERCEL": "1"}, fetch=forbidden)


def test_variables_pulled_onto_a_laptop_are_not_vercel():
    """`vercel env pull` leaves VERCEL=1 and VERCEL_ENV=development in a laptop's file."""
    found = resolve({**VERCEL, "VERCEL_ENV": "development"}, engine_local=True)
    assert found.source == "loopback"


@pytest.mark.parametrize(
    "address", ["http://localhost:8000", "localhost:8000", "http://127.0.0.1:8000", "8000", "http://[::1]:8000/"]
)
def test_a_tunnel_to_our_port_is_taken(address: str):
    """However an agent spells the address, a tunnel that leads to our port is our public URL."""
    found = resolve({}, fetch=agent(tunnel("https://abc.ngrok.app", address)))
    assert found == PublicUrl("https://abc.ngrok.app", "ngrok")


def test_the_tunnel_is_the_one_that_leads_to_us():
    """Of several tunnels ours is chosen, and https before http."""
    found = resolve(
        {},
        fetch=agent(
            tunnel("https://other.ngrok.app", "http://localhost:3000"),
            tunnel("http://abc.ngrok.app", "http://localhost:8000", "http"),
            tunnel("https://abc.ngrok.app", "http://localhost:8000"),
        ),
    )
    assert found.url == "https://abc.ngrok.app"


def test_a_default_port_counts():
    """An address without a port means its scheme's."""
    assert resolve({}, fetch=agent(tunnel("https://abc.ngrok.app", "http://localhost")), port=80).source == "ngrok"
    assert resolve({}, fetch=agent(tunnel("https://abc.ngrok.app", "https://localhost")), port=443).source == "ngrok"


def test_a_tunnel_that_leads_elsewhere_is_not_ours():
    """Somebody else's tunnel is never taken, and the message says where it leads."""
    with pytest.raises(SettingsError, match="ngrok's tunnel leads to port 3000, this service listens on 8000"):
        resolve({}, fetch=agent(tunnel("https://abc.ngrok.app", "http://localhost:3000")))


@pytest.mark.parametrize(
    "entry",
    [
        tunnel("tcp://0.tcp.ngrok.io:1", "localhost:8000", "tcp"),
        tunnel("https://abc.ngrok.app", "http://192.0.2.1:8000"),
        tunnel("https://abc.ngrok.app", "http://[::1:8000"),
        tunnel("https://abc.ngrok.app", "http://localhost:port"),
        tunnel("https://abc.ngrok.app", "file:///srv"),
        tunnel("https://abc.ngrok.app", "9" * 5000),
        tunnel("https://abc.ngrok.app", "70000"),
        tunnel("https://abc.ngrok.app", None),
        {"public_url": None, "proto": "https", "config": {"addr": "8000"}},
        {"public_url": "https://abc.ngrok.app", "proto": ["https"], "config": {"addr": "8000"}},
        {"public_url": "https://abc.ngrok.app", "proto": "https"},
        {},
        "tunnel",
        None,
    ],
)
def test_what_is_no_http_tunnel_to_this_machine_is_passed_over(entry: object):
    """TCP tunnels, other machines and what is no tunnel at all are not ours."""
    with pytest.raises(SettingsError, match="no public URL"):
        resolve({}, fetch=agent(entry))


@pytest.mark.parametrize("text", ["", "<html>", "[]", "{}", '{"tunnels": 7}', '{"tunnels": null}', "[" * 100_000])
def test_something_else_on_the_agents_port_is_no_agent(text: str):
    """Whatever answers there that is no ngrok is as good as nothing."""
    with pytest.raises(SettingsError, match=r"set PUBLIC_BASE_URL .*, run `ngrok http 8000`, or use the local engine"):
        resolve({}, fetch=lambda _: text)


def test_loopback_is_the_last_resort_with_the_engine():
    """With the engine on this machine, loopback is where it finds us; a tunnel to us still stands before it."""
    assert resolve({}, engine_local=True) == PublicUrl("http://127.0.0.1:8000", "loopback")
    fetch = agent(tunnel("https://abc.ngrok.app", "8000"))
    assert resolve({}, engine_local=True, fetch=fetch).source == "ngrok"
    elsewhere = agent(tunnel("https://abc.ngrok.app", "3000"))
    assert resolve({}, engine_local=True, fetch=elsewhere).source == "loopback"


def test_nobody_is_asked_without_a_port_or_leave():
    """Without a port no tunnel could be told to be ours, and fetch None asks nobody."""
    assert resolve({}, fetch=None, engine_local=True).source == "loopback"
    for engine_local in (True, False):
        with pytest.raises(SettingsError, match="no public URL: set PUBLIC_BASE_URL"):
            resolve({}, fetch=forbidden, port=None, engine_local=engine_local)


@pytest.mark.parametrize(
    ("base", "raw_path", "query", "url"),
    [
        ("https://x.example", b"/a", b"", "https://x.example/a"),
        ("https://x.example/", b"/a", b"", "https://x.example/a"),
        ("https://x.example/pre", b"/a", b"b=1&b=2", "https://x.example/pre/a?b=1&b=2"),
        ("https://x.example", b"/%7Euser/a%2Fb/../c", b"q=%20+", "https://x.example/%7Euser/a%2Fb/../c?q=%20+"),
        ("https://x.example", b"/\xff", b"\xff", "https://x.example/ÿ?ÿ"),
        ("https://x.example", b"", b"", "https://x.example"),
    ],
)
def test_a_requests_url_is_what_was_signed(base: str, raw_path: bytes, query: bytes, url: str):
    """Path and query stay as they came on the wire: decoding or normalising them would break the signature."""
    assert public_url.of_request(base, raw_path, query) == url


def test_an_agent_is_asked_over_loopback_past_any_proxy(monkeypatch: pytest.MonkeyPatch):
    """The text of an answer comes back, although the environment names a proxy that leads nowhere."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write('{"tunnels": []} …'.encode())

        def log_message(self, *_: object) -> None:
            pass

    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        text = public_url.fetch_loopback(f"http://127.0.0.1:{server.server_port}/api/tunnels")
        thread.join(5)
    assert text == '{"tunnels": []} …'


def test_nobody_there_is_an_oserror():
    """What resolve() takes for the absence of an agent is what fetch_loopback raises."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        with pytest.raises(OSError, match="refused"):
            public_url.fetch_loopback(f"http://127.0.0.1:{port}/")
