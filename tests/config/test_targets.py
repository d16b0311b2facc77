from pathlib import Path

import pytest

from qsops import config
from qsops.config import DEV_USERS, Target
from qsops.errors import SettingsError
from qsops.models import KeyPair

EU = "https://qstash.upstash.io"
US = "https://qstash-us-east-1.upstash.io"
HOSTED = {
    "QSTASH_URL": EU,
    "QSTASH_TOKEN": "hush-token",
    "QSTASH_CURRENT_SIGNING_KEY": "sig_hush_current",
    "QSTASH_NEXT_SIGNING_KEY": "sig_hush_next",
    "PUBLIC_BASE_URL": "https://hooks.example.com/",
    "INTERNAL_API_TOKEN": "hush-internal",
}
REGIONAL = {
    "US_EAST_1_QSTASH_URL": US,
    "US_EAST_1_QSTASH_TOKEN": "hush-us",
    "US_EAST_1_QSTASH_CURRENT_SIGNING_KEY": "sig_us_current",
    "US_EAST_1_QSTASH_NEXT_SIGNING_KEY": "sig_us_next",
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path


def resolve(root: Path, **env: str) -> Target:
    return config.resolve("env", env, root)


@pytest.mark.parametrize("name", ["embedded", "local"])
@pytest.mark.parametrize("env", [{}, HOSTED, {**HOSTED, **REGIONAL, "QSTASH_REGION": "US_EAST_1"}])
def test_a_token_that_happens_to_be_set_changes_nothing(root: Path, name: str, env: dict[str, str]):
    """Embedded and local are development user 1 on this machine, whatever credentials lie around."""
    found = config.resolve(name, env, root)
    assert (found.name, found.kind) == (name, name)
    assert (found.token, found.keys) == (DEV_USERS[0].token, DEV_USERS[0].keys)
    assert found.url in ("http://embedded.invalid", "http://127.0.0.1:8080")
    assert (found.region, found.consumer_url, found.internal_token) == (None, None, None)


def test_malformed_settings_of_a_hosted_target_do_not_touch_the_others(root: Path):
    """What only a hosted target reads is not judged where none is named."""
    env = {"QSTASH_TOKEN": "a b", "QSTASH_URL": "nowhere", "QSTASH_DEV": "perhaps", "PUBLIC_BASE_URL": "hooks"}
    assert config.resolve("embedded", env, root).kind == "embedded"
    assert config.resolve("local", env, root).consumer_url is None


def test_the_local_engine_may_listen_elsewhere(root: Path):
    """QSTASH_DEV_PORT moves the local target, as it moves the vendor's client."""
    assert config.resolve("local", {"QSTASH_DEV_PORT": "9999"}, root).url == "http://127.0.0.1:9999"


@pytest.mark.parametrize("port", ["0", "65536", "-1", "http", "8080 8081", "٣", "9" * 5000])
def test_a_port_is_a_port(root: Path, port: str):
    """A port that is none is refused by the name of its setting."""
    with pytest.raises(SettingsError, match="QSTASH_DEV_PORT must be a port from 1 to 65535"):
        config.resolve("local", {"QSTASH_DEV_PORT": port}, root)


def test_a_local_consumer_is_one_on_loopback(root: Path):
    """The local target asks a local service, with its token; a deployed one knows nothing of local messages."""
    env = {"PUBLIC_BASE_URL": "http://127.0.0.1:8000", "INTERNAL_API_TOKEN": "hush-internal"}
    found = config.resolve("local", env, root)
    assert (found.consumer_url, found.internal_token) == ("http://127.0.0.1:8000", "hush-internal")
    with pytest.raises(SettingsError, match=r"trace on the target 'local' needs PUBLIC_BASE_URL \(on loopback\)"):
        config.resolve("local", HOSTED, root).need("consumer_url", verb="trace")


def test_the_plain_variables_are_the_target_env(root: Path):
    """The vendor's names as they are."""
    found = resolve(root, **HOSTED)
    assert (found.kind, found.url, found.region) == ("hosted", EU, "EU_CENTRAL_1")
    assert found.token == "hush-token"
    assert found.keys == KeyPair("sig_hush_current", "sig_hush_next")
    assert (found.consumer_url, found.internal_token) == ("https://hooks.example.com", "hush-internal")


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ("", EU),
        ("  ", EU),
        (EU + "/", EU),
        (EU + "//", EU),
        (f" {EU} ", EU),
        (EU + "/v2/publish", EU),
        (EU + "/v2/publish/", EU),
        (US + "/v2/publish", US),
        ("https://proxy.example.com/qstash/", "https://proxy.example.com/qstash"),
    ],
)
def test_a_base_url_is_repaired(root: Path, given: str, url: str):
    """Slashes at the end and a pasted /v2/publish are dropped; unset, it is the EU."""
    assert resolve(root, QSTASH_URL=given).url == url


@pytest.mark.parametrize(
    "given",
    [
        "qstash.upstash.io",
        "hush-token",
        "ftp://qstash.upstash.io",
        "https://",
        "https://user:hush@qstash.upstash.io",
        "https://qstash.upstash.io?qstash_token=hush",
        "https://qstash.upstash.io/#hush",
        "https://qstash.upstash.io/a b",
        "https://qstash.upstash.io/a\\b",
        "https://qstash.upstash.io:http",
        "https://qstash.upstash.io:0",
        "https://[::1",
    ],
)
def test_a_base_url_that_is_none_is_refused(root: Path, given: str):
    """The message names the setting, and shows nothing that may be a secret in the wrong place."""
    with pytest.raises(SettingsError, match=r"^QSTASH_URL ") as caught:
        resolve(root, QSTASH_URL=given)
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize("url", ["http://127.0.0.1:8080", "http://localhost:8080", "http://[::1]:8080"])
def test_what_lies_on_loopback_is_local(root: Path, url: str):
    """A target is hosted, and read-only until it is opened, unless it lies on this machine."""
    assert resolve(root, QSTASH_URL=url).kind == "local"


@pytest.mark.parametrize("region", ["US_EAST_1", "us-east-1", " US-EAST-1 "])
def test_a_region_chooses_its_own_variables(root: Path, region: str):
    """QSTASH_REGION selects <REGION>_QSTASH_*: URL, token and keys."""
    found = resolve(root, **HOSTED, **REGIONAL, QSTASH_REGION=region)
    assert (found.url, found.token, found.region) == (US, "hush-us", "US_EAST_1")
    assert found.keys == KeyPair("sig_us_current", "sig_us_next")


@pytest.mark.parametrize("region", ["", "EU_CENTRAL_1", "MARS_1"])
def test_a_region_without_variables_falls_back_on_the_plain_ones(root: Path, region: str):
    """As the vendor's client does, for a region that is not set up and for one that does not exist."""
    found = resolve(root, **HOSTED, **REGIONAL, QSTASH_REGION=region)
    assert (found.url, found.token, found.region) == (EU, "hush-token", "EU_CENTRAL_1")
    assert found.keys == KeyPair("sig_hush_current", "sig_hush_next")


@pytest.mark.parametrize("missing", ["US_EAST_1_QSTASH_URL", "US_EAST_1_QSTASH_TOKEN"])
def test_half_a_region_is_refused(root: Path, missing: str):
    """A region with a URL or a token but not both never silently becomes another account."""
    half = {**HOSTED, **REGIONAL, "QSTASH_REGION": "US_EAST_1"}
    del half[missing]
    with pytest.raises(SettingsError, match=f"QSTASH_REGION is US_EAST_1, but {missing} is not set"):
        resolve(root, **half)


@pytest.mark.parametrize("switch", ["1", "true", "TRUE", " true "])
def test_the_vendors_switch_wins_over_everything(root: Path, switch: str):
    """QSTASH_DEV overrides URL, token and keys with user 1's of a development server on this machine."""
    env = {**HOSTED, **REGIONAL, "QSTASH_REGION": "US_EAST_1", "QSTASH_DEV_PORT": "9999"}
    found = resolve(root, **env, QSTASH_DEV=switch)
    assert (found.kind, found.url, found.region) == ("local", "http://127.0.0.1:9999", None)
    assert (found.token, found.keys) == (DEV_USERS[0].token, DEV_USERS[0].keys)


@pytest.mark.parametrize("switch", ["0", "false", "False", "", " "])
def test_the_vendors_switch_can_be_off(root: Path, switch: str):
    """0, false and nothing are off."""
    assert resolve(root, **HOSTED, QSTASH_DEV=switch).url == EU


@pytest.mark.parametrize("switch", ["yes", "on", "2", "off", "truely"])
def test_any_other_value_of_the_vendors_switch_is_refused(root: Path, switch: str):
    """A switch that is neither would be read differently by the vendor's client, which throws."""
    with pytest.raises(SettingsError, match=f"QSTASH_DEV is 1, true, 0, false or empty, not '{switch}'"):
        resolve(root, **HOSTED, QSTASH_DEV=switch)


def test_keys_follow_the_region_of_a_delivery():
    """One endpoint may be called from both regions: the request's header chooses the keys, if QSTASH_REGION is set."""
    both = {**HOSTED, **REGIONAL, "QSTASH_REGION": "EU_CENTRAL_1"}
    assert config.signing_keys(both, "US-EAST-1") == KeyPair("sig_us_current", "sig_us_next")
    assert config.signing_keys(both, "us-east-1") == KeyPair("sig_us_current", "sig_us_next")
    for header in ("EU-CENTRAL-1", "MARS-1", "", None):
        assert config.signing_keys(both, header) == KeyPair("sig_hush_current", "sig_hush_next")
    assert config.signing_keys({**HOSTED, **REGIONAL}, "US-EAST-1") == KeyPair("sig_hush_current", "sig_hush_next")
    assert config.signing_keys({**both, "QSTASH_DEV": "1"}, "US-EAST-1") == DEV_USERS[0].keys
    assert config.signing_keys({}, "US-EAST-1") is None


def test_the_next_key_is_optional(root: Path):
    """A receiver works with the current key alone; a next key without a current one is no pair."""
    assert resolve(root, QSTASH_CURRENT_SIGNING_KEY="sig_1").keys == KeyPair("sig_1", None)
    assert resolve(root, QSTASH_NEXT_SIGNING_KEY="sig_2").keys is None


@pytest.mark.parametrize(
    ("what", "setting"),
    [
        ("token", "QSTASH_TOKEN"),
        ("keys", "QSTASH_CURRENT_SIGNING_KEY"),
        ("consumer_url", "PUBLIC_BASE_URL"),
        ("internal_token", "INTERNAL_API_TOKEN"),
    ],
)
def test_settings_are_asked_for_verb_by_verb(root: Path, what: str, setting: str):
    """Only the verb that needs a setting misses it, in one line with the verb, the target and the variable."""
    with pytest.raises(SettingsError) as caught:
        resolve(root).need(what, verb="logs")
    assert str(caught.value) == f"logs on the target 'env' needs {setting}, which is not set"
    assert resolve(root, **{**HOSTED, setting: HOSTED[setting]}).need(what, verb="logs") is not None


def test_reading_needs_a_token_and_nothing_else(root: Path):
    """A read-only token is enough to look."""
    assert resolve(root, QSTASH_TOKEN="hush-token").need("token", verb="logs") == "hush-token"


def test_a_missing_regional_token_is_called_by_its_own_name(root: Path):
    """What is missing for a region is named with the region."""
    found = resolve(root, **{**REGIONAL, "QSTASH_REGION": "US_EAST_1", "US_EAST_1_QSTASH_CURRENT_SIGNING_KEY": ""})
    with pytest.raises(SettingsError, match="needs US_EAST_1_QSTASH_CURRENT_SIGNING_KEY"):
        found.need("keys", verb="verify")


@pytest.mark.parametrize(
    "name", ["QSTASH_TOKEN", "QSTASH_CURRENT_SIGNING_KEY", "QSTASH_NEXT_SIGNING_KEY", "INTERNAL_API_TOKEN"]
)
@pytest.mark.parametrize("value", ["hush hush", "hush\nhush", "hush…", "hush\x00"])
def test_a_secret_must_fit_into_a_header(root: Path, name: str, value: str):
    """A token with a space or a line break was copied wrongly; the message names it and never shows it."""
    with pytest.raises(SettingsError, match=f"^{name} holds spaces or characters") as caught:
        resolve(root, **{**HOSTED, name: value})
    assert "hush" not in str(caught.value)


def test_no_repr_shows_a_secret(root: Path):
    """Targets, users and key pairs print without tokens and keys."""
    printed = repr([resolve(root, **HOSTED), *DEV_USERS, config.resolve("local", {}, root)])
    secrets = [user.token for user in DEV_USERS] + [user.keys.current for user in DEV_USERS]
    assert not [secret for secret in ["hush", *secrets] if secret in printed]


def test_the_development_keys_are_known_as_public():
    """All eight keys of the four users are recognised; nothing else is."""
    keys = [key for user in DEV_USERS for key in (user.keys.current, user.keys.next)]
    assert len(set(keys)) == 8
    assert all(config.is_dev_key(key) for key in [*keys, f" {keys[0]} "])
    assert not any(config.is_dev_key(key) for key in ("sig_hush", "", None))
