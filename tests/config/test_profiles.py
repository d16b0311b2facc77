from pathlib import Path

import pytest

from qsops import config
from qsops.config import Target
from qsops.errors import SettingsError
from qsops.models import KeyPair

FULL = """
[profiles.production]
url = "PROD_QSTASH_URL"
token = "PROD_QSTASH_TOKEN"
current_signing_key = "PROD_QSTASH_CURRENT_SIGNING_KEY"
next_signing_key = "PROD_QSTASH_NEXT_SIGNING_KEY"
region = "PROD_REGION"
consumer_url = "PROD_CONSUMER_URL"
internal_token = "PROD_INTERNAL_API_TOKEN"

[profiles.bare]
token = "BARE_TOKEN"
"""
ENV = {
    "PROD_QSTASH_URL": "https://qstash-us-east-1.upstash.io/v2/publish",
    "PROD_QSTASH_TOKEN": "hush-token",
    "PROD_QSTASH_CURRENT_SIGNING_KEY": "sig_hush_1",
    "PROD_QSTASH_NEXT_SIGNING_KEY": "sig_hush_2",
    "PROD_REGION": "US_EAST_1",
    "PROD_CONSUMER_URL": "https://hooks.example.com/",
    "PROD_INTERNAL_API_TOKEN": "hush-internal",
}
# Made up, in the forms of real ones.
SECRETS = [
    "sig_7kYjw48mhY7kAjqNGcy6cr29RJ6r",
    "eyJVc2VySUQiOiJkZWZhdWx0VXNlciJ9",
    "0123456789abcdef",
    "A1B2C3D4E5F60718",
    "https://user:hush@host.example",
    "lower_case_name",
    "",
    "X_" * 60 + "Y",
]


def resolve(root: Path, name: str, toml: str = FULL, **env: str) -> Target:
    (root / "qsops.toml").write_text(toml)
    return config.resolve(name, {**ENV, **env}, root)


def test_a_profile_names_variables(tmp_path: Path):
    """Each entry is the name of an environment variable, and the target holds its value."""
    found = resolve(tmp_path, "production")
    assert (found.name, found.kind) == ("production", "hosted")
    assert (found.url, found.region) == ("https://qstash-us-east-1.upstash.io", "US_EAST_1")
    assert (found.token, found.internal_token) == ("hush-token", "hush-internal")
    assert found.keys == KeyPair("sig_hush_1", "sig_hush_2")
    assert found.consumer_url == "https://hooks.example.com"


def test_a_profile_reads_no_other_variable(tmp_path: Path):
    """The plain variables, QSTASH_DEV and a region are other accounts': none of them leaks into a profile."""
    found = resolve(
        tmp_path,
        "bare",
        QSTASH_URL="http://127.0.0.1:1",
        QSTASH_TOKEN="hush",
        QSTASH_DEV="1",
        PUBLIC_BASE_URL="https://x.example",
    )
    assert found == Target("bare", "hosted", "https://qstash.upstash.io", None, "EU_CENTRAL_1")


def test_what_is_missing_is_called_by_its_variable(tmp_path: Path):
    """A verb that misses something names the profile's variable, or the entry that the profile lacks."""
    found = resolve(tmp_path, "bare")
    with pytest.raises(SettingsError, match="logs on the target 'bare' needs BARE_TOKEN, which is not set"):
        found.need("token", verb="logs")
    with pytest.raises(SettingsError, match=r"needs an entry current_signing_key in \[profiles.bare\] of qsops.toml"):
        found.need("keys", verb="verify")
    with pytest.raises(SettingsError, match="needs an entry consumer_url in"):
        found.need("consumer_url", verb="trace")


def test_only_the_url_must_be_set_at_once(tmp_path: Path):
    """Every verb calls QStash, so its URL must be known; a missing consumer only matters to who asks for it."""
    assert resolve(tmp_path, "production", PROD_CONSUMER_URL="").consumer_url is None
    with pytest.raises(SettingsError, match=r"PROD_QSTASH_URL is not set: it is the url of a profile in qsops.toml"):
        resolve(tmp_path, "production", PROD_QSTASH_URL="")


def test_an_address_and_a_region_may_stand_in_the_file(tmp_path: Path):
    """URLs and region names are no secrets."""
    toml = """
        [profiles.here]
        url = "http://127.0.0.1:9999/"
        consumer_url = "http://127.0.0.1:8000"
        region = "EU_CENTRAL_1"
    """
    found = resolve(tmp_path, "here", toml)
    assert (found.kind, found.url, found.region) == ("local", "http://127.0.0.1:9999", "EU_CENTRAL_1")
    assert found.consumer_url == "http://127.0.0.1:8000"


@pytest.mark.parametrize(
    "entry", ["token", "current_signing_key", "next_signing_key", "internal_token", "region", "url"]
)
@pytest.mark.parametrize("value", SECRETS)
def test_a_secret_in_the_file_is_refused_and_not_shown(tmp_path: Path, entry: str, value: str):
    """A file that is committed never holds a secret, and the refusal does not print it either."""
    with pytest.raises(SettingsError) as caught:
        resolve(tmp_path, "production", f'[profiles.production]\n{entry} = "{value}"\n')
    assert entry in str(caught.value)
    assert not value or value not in str(caught.value)


def test_a_url_as_a_token_is_refused(tmp_path: Path):
    """Only addresses may be spelled out."""
    with pytest.raises(SettingsError, match=r"token of .* must name an environment variable, such as PROD_TOKEN"):
        resolve(tmp_path, "production", '[profiles.production]\ntoken = "https://host.example"\n')


@pytest.mark.parametrize(
    ("toml", "fault"),
    [
        ("[profiles.production]\ntokn = 'A_B'", "has unknown entries: tokn; known are url, token"),
        ("[profiles.production]\ntoken = 7", "token of .* must name an environment variable"),
        ("[profiles.production]\ntoken = ['A_B']", "must name an environment variable"),
        ("[profiles]\nproduction = 'hush'", r"\[profiles.production\] in qsops.toml is no table"),
        ("profiles = 'hush'", r"profiles in .*qsops.toml is no table: write \[profiles.NAME\]"),
        ("[profiles.production]\ntoken = hush", "cannot be read: no TOML at line 2, column 9"),
        ("token = 'hush", "cannot be read: no TOML at end of document|cannot be read: no TOML at line"),
        ("", "no target 'production': known are embedded, local, env; add"),
        (
            "[profiles.a]\n[profiles.b]",
            r"no target 'production': known are embedded, local, env, a, b; add \[profiles.prod",
        ),
    ],
)
def test_a_broken_file_is_one_clear_line(tmp_path: Path, toml: str, fault: str):
    """The message says what is wrong and where, without the content."""
    with pytest.raises(SettingsError, match=fault) as caught:
        resolve(tmp_path, "production", toml)
    assert "hush" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_no_text_is_named(tmp_path: Path):
    """Bytes that are no UTF-8 are refused by the file's name."""
    (tmp_path / "qsops.toml").write_bytes(b"\xff")
    with pytest.raises(SettingsError, match=r"qsops\.toml cannot be read: UnicodeDecodeError"):
        config.resolve("production", {}, tmp_path)


@pytest.mark.parametrize("name", ["nowhere", "", "EMBEDDED", "../x"])
def test_a_target_that_is_not_known_is_never_guessed(tmp_path: Path, name: str):
    """Without a file, and with any credentials set, an unknown name is refused."""
    with pytest.raises(SettingsError, match="no target"):
        config.resolve(name, {"QSTASH_TOKEN": "hush"}, tmp_path)


@pytest.mark.parametrize("name", ["embedded", "local", "env"])
def test_a_profile_cannot_take_the_name_of_a_built_in_target(tmp_path: Path, name: str):
    """Embedded stays inside the process, whatever a file says."""
    toml = f'[profiles.{name}]\nurl = "https://elsewhere.example"\n'
    assert resolve(tmp_path, name, toml).url != "https://elsewhere.example"


def test_profiles_are_listed(tmp_path: Path):
    """All names, sorted, without judging what they hold."""
    (tmp_path / "qsops.toml").write_text("[profiles.b]\nnonsense = 1\n[profiles.a]\n")
    assert config.profile_names(tmp_path) == ("a", "b")
    assert config.profile_names(tmp_path / "elsewhere") == ()
