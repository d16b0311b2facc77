import subprocess
import sys
from pathlib import Path

import pytest

from qsops.config import DEV_USERS
from qsops.errors import SettingsError
from qsops.models import KeyPair
from service import processing
from service.app import create_app
from service.publishing import Messages
from service.rehearsal import rehearsal_settings
from service.settings import load
from tests.service.rig import event_of

ROOT = Path(__file__).parents[2]
FULL = {
    "QSTASH_TOKEN": "tok_canary",
    "QSTASH_CURRENT_SIGNING_KEY": "sig_canary_current",
    "QSTASH_NEXT_SIGNING_KEY": "sig_canary_next",
    "INSTAGRAM_APP_SECRET": "canary-app-secret",
    "INSTAGRAM_VERIFY_TOKEN": "canary-verify",
    "PUBLIC_BASE_URL": "https://hooks.example.com/",
    "QSOPS_DOTENV": "off",
}
DEV = {
    "QSTASH_DEV": "true",
    "INSTAGRAM_APP_SECRET": "s",
    "INSTAGRAM_VERIFY_TOKEN": "v",
    "QSOPS_PORT": "8000",
    "QSOPS_DOTENV": "off",
}


def test_the_environment_is_all_that_is_needed():
    """A full environment gives settings with the documented defaults."""
    settings = load(FULL)
    assert settings.public_base_url == "https://hooks.example.com"
    assert (settings.qsops_retries, settings.delivery_timeout_s, settings.qsops_retry_delay) == (5, 30, None)
    assert settings.database_url.endswith(".qsops/service.db")
    assert settings.internal_api_token is None
    assert settings.signing_keys.next == "sig_canary_next"


@pytest.mark.parametrize(
    "name",
    ["QSTASH_TOKEN", "QSTASH_CURRENT_SIGNING_KEY", "INSTAGRAM_APP_SECRET", "INSTAGRAM_VERIFY_TOKEN", "PUBLIC_BASE_URL"],
)
@pytest.mark.parametrize("value", [None, "", "  "])
def test_a_missing_setting_is_named(name: str, value: str | None):
    """What is missing, or empty, is one line that names the variable."""
    env = {**FULL, name: value} if value is not None else {key: given for key, given in FULL.items() if key != name}
    with pytest.raises(SettingsError, match=name) as caught:
        load(env)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("QSOPS_RETRIES", "many"),
        ("QSOPS_RETRIES", "-1"),
        ("QSOPS_RETRY_DELAY", "pow(2"),
        ("QSOPS_DELIVERY_TIMEOUT", "30"),
        ("QSOPS_DELIVERY_TIMEOUT", "0s"),
        ("QSOPS_HANDLER", "no_colon"),
        ("QSOPS_PORT", "70000"),
        ("DATABASE_URL", "mysql://localhost/x"),
        ("DATABASE_URL", "postgresql://"),
        ("DATABASE_URL", "sqlite://relative.db"),
        ("DATABASE_URL", "sqlite:///"),
        ("PUBLIC_BASE_URL", "hooks.example.com"),
        ("QSOPS_CONCURRENCY", "0"),
        ("ALLOWED_HOSTS", "https://a.example"),
        ("ALLOWED_HOSTS", "a.example:443"),
        ("ALLOWED_HOSTS", "a.example,,b.example"),
        ("QSOPS_INGEST_MODE", "outbox"),
        ("INSTAGRAM_ACCOUNT_IDS", "my_shop"),
        ("INSTAGRAM_ACCOUNT_IDS", "17841400000000001,"),
    ],
)
def test_a_malformed_setting_is_named(name: str, value: str):
    """What is malformed is one line that names the variable."""
    with pytest.raises(SettingsError, match=name) as caught:
        load({**FULL, name: value})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("handler", "why"),
    [
        ("service.nowhere:f", "service.nowhere"),
        ("service.processing:nobody", "nobody"),
        ("tests.service.handlers:NO_FUNCTION", "no function"),
    ],
)
def test_a_handler_that_cannot_be_found_is_named(handler: str, why: str):
    """A wrong QSOPS_HANDLER is found at start, not by the first delivery."""
    with pytest.raises(SettingsError, match=f"QSOPS_HANDLER.*{why}"):
        processing.find(handler)


def test_our_accounts_are_a_list():
    """INSTAGRAM_ACCOUNT_IDS is comma-separated, with or without spaces; unset, every account is ours."""
    assert load(FULL).account_ids is None
    assert load({**FULL, "INSTAGRAM_ACCOUNT_IDS": "1, 2,3"}).account_ids == {"1", "2", "3"}


def test_settings_print_no_secret():
    """Tokens, keys and secrets are masked; a database URL may hold a password, and is left out."""
    settings = load({**FULL, "INTERNAL_API_TOKEN": "canary-internal", "DATABASE_URL": "sqlite:///canary.db"})
    assert "canary" not in f"{settings!r} {settings}"


def test_settings_are_frozen():
    """Nothing changes a setting after the start."""
    with pytest.raises(ValueError, match="frozen"):
        load(FULL).qsops_retries = 7  # type: ignore[misc]


def test_settings_made_by_hand_read_no_environment(monkeypatch: pytest.MonkeyPatch):
    """A rehearsal on a machine with production settings reaches nothing of production."""
    for name, value in {**FULL, "DATABASE_URL": "sqlite:///production.db", "INTERNAL_API_TOKEN": "x"}.items():
        monkeypatch.setenv(name, value)
    settings = rehearsal_settings()
    assert settings.database_url == "sqlite:///:memory:"
    assert "canary" not in settings.qstash_token.get_secret_value()


def test_dev_mode_finds_the_local_engine():
    """QSTASH_DEV means the engine on loopback, its first user, and a service on loopback."""
    settings = load(DEV)
    assert settings.public_base_url == "http://127.0.0.1:8000"
    assert settings.signing_keys == DEV_USERS[0].keys
    settings.check_exposure()


@pytest.mark.parametrize("exposed", [{"QSOPS_HOST": "0.0.0.0"}, {"PUBLIC_BASE_URL": "https://hooks.example.com"}])
def test_public_keys_stay_on_loopback(exposed: dict[str, str]):
    """With the vendor's development keys anybody can sign: a service that others reach refuses them."""
    with pytest.raises(SettingsError, match=next(iter(exposed))):
        load({**DEV, **exposed}).check_exposure()


def test_create_app_names_what_is_missing(monkeypatch: pytest.MonkeyPatch):
    """A service that is not set up does not start."""
    for name, value in FULL.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("INSTAGRAM_APP_SECRET")
    with pytest.raises(SettingsError, match="INSTAGRAM_APP_SECRET"):
        create_app()


def test_a_server_makes_the_app_when_it_asks_for_it(tmp_path: Path):
    """``service.app:app`` needs settings only when it is used; importing the module needs none."""
    code = "import service.app; print('imported'); print(service.app.app is service.app.app)"
    env = {**FULL, "DATABASE_URL": f"sqlite:///{tmp_path / 'service.db'}"}
    done = subprocess.run([sys.executable, "-c", code], env=env, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["imported", "True"]


VERCEL = {key: value for key, value in FULL.items() if key != "PUBLIC_BASE_URL"} | {
    "VERCEL": "1",
    "VERCEL_ENV": "preview",
    "VERCEL_URL": "qsops-git-branch.vercel.app",
    "VERCEL_AUTOMATION_BYPASS_SECRET": "canary-bypass",
}


@pytest.mark.parametrize("url", ["", "sqlite:////tmp/service.db", "sqlite:///:memory:"])
def test_vercel_demands_a_database_that_lasts(url: str):
    """No file outlives a function: without PostgreSQL a deployment on Vercel does not start."""
    with pytest.raises(SettingsError, match=r"^DATABASE_URL: on Vercel .* postgresql://"):
        load({**VERCEL, "DATABASE_URL": url})


def test_a_laptop_with_vercels_variables_is_no_deployment():
    """`vercel env pull` leaves the platform's variables on a laptop: SQLite stays, and no bypass is sent."""
    settings = load({**FULL, "VERCEL": "1", "VERCEL_ENV": "development", "VERCEL_AUTOMATION_BYPASS_SECRET": "canary"})
    assert settings.database_url.startswith("sqlite:///")
    assert settings.vercel_automation_bypass_secret is None


@pytest.mark.parametrize(("deployment", "sent"), [("preview", True), ("production", False)])
def test_only_previews_are_opened_for_qstash(deployment: str, sent: bool):
    """A protected preview is delivered to by a header, which the account's log does not show; production needs none."""
    told = {**VERCEL, "VERCEL_ENV": deployment, "DATABASE_URL": "postgresql://localhost/qsops"}
    settings = load({**told, "VERCEL_PROJECT_PRODUCTION_URL": "hooks.example.com"})
    assert "canary" not in repr(settings)
    message = Messages(settings).of(event_of("message", "mid-1", 1_700_000_000_000))
    pair = ("x-vercel-protection-bypass", "canary-bypass")
    assert message.failure_callback is not None
    assert [pair in message.headers, pair in message.failure_callback.headers] == [sent, sent]
    assert message.redact == (("header[x-vercel-protection-bypass]",) if sent else ())


def test_vercel_leaves_nothing_for_later():
    """A function is frozen once it has answered: the mode that needs a process that goes on is refused there."""
    told = {**VERCEL, "DATABASE_URL": "postgresql://localhost/qsops", "QSOPS_INGEST_MODE": "outbox-first"}
    with pytest.raises(SettingsError, match="QSOPS_INGEST_MODE: on Vercel"):
        load(told)


EU = {"EU_CENTRAL_1_QSTASH_CURRENT_SIGNING_KEY": "sig_eu_1", "EU_CENTRAL_1_QSTASH_NEXT_SIGNING_KEY": "sig_eu_2"}


def test_a_region_has_keys_of_its_own():
    """With QSTASH_REGION set, each region's own keys are read; the plain ones are for regions that have none."""
    found = load({**FULL, **EU, "QSTASH_REGION": "US_EAST_1"})
    assert dict(found.regional_keys) == {"EU_CENTRAL_1": KeyPair("sig_eu_1", "sig_eu_2")}
    assert found.signing_keys.current == "sig_canary_current"
    assert "sig_eu" not in repr(found)


@pytest.mark.parametrize("told", [{}, {"QSTASH_REGION": "MARS_1"}, {"QSTASH_REGION": ""}])
def test_without_a_region_there_are_no_regional_keys(told: dict[str, str]):
    """As the vendor's client has it: regional names count once a region is chosen."""
    assert dict(load({**FULL, **EU, **told}).regional_keys) == {}


def test_regional_keys_alone_are_enough():
    """A deployment in one region names nothing twice."""
    plain = {name: value for name, value in FULL.items() if not name.endswith("SIGNING_KEY")}
    found = load({**plain, **EU, "QSTASH_REGION": "EU_CENTRAL_1"})
    assert found.signing_keys == KeyPair("sig_eu_1", "sig_eu_2")
