import pytest

from qsops.errors import SettingsError
from service.settings import load

SET = {
    "QSOPS_DOTENV": "off",
    "QSTASH_URL": "https://qstash.example",
    "QSTASH_TOKEN": "tok_canary",
    "QSTASH_CURRENT_SIGNING_KEY": "sig_canary",
    "INSTAGRAM_APP_SECRET": "s",
    "INSTAGRAM_VERIFY_TOKEN": "v",
    "PUBLIC_BASE_URL": "https://service.example",
}
SLACK = "https://hooks.example/services/T0/canary"


def test_what_is_not_said_is_off_or_safe():
    """No alerts, no billed callbacks, and claims for as long as anything may come again."""
    settings = load(SET)
    assert (settings.alert_webhook_url, settings.qsops_delivery_callback) == (None, False)
    assert settings.claim_retention_s == 30 * 86_400
    assert settings.alert_recovery_s == 900


def test_an_alerts_address_is_a_secret():
    """Whoever has it can post: it is in no print of the settings."""
    settings = load({**SET, "ALERT_WEBHOOK_URL": SLACK})
    assert settings.alert_webhook_url is not None
    assert settings.alert_webhook_url.get_secret_value() == SLACK
    assert "canary" not in f"{settings!r} {settings}".replace("tok_canary", "")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ALERT_WEBHOOK_URL", "hooks.example/canary"),
        ("ALERT_WEBHOOK_URL", "ftp://hooks.example/canary"),
        ("ALERT_WEBHOOK_URL", "https://"),
        ("QSOPS_ALERT_RECOVERY", "soon"),
        ("QSOPS_ALERT_RECOVERY", "0s"),
        ("QSOPS_CLAIM_RETENTION", "35h"),
        ("QSOPS_CLAIM_RETENTION", "-1d"),
        ("QSOPS_DELIVERY_CALLBACK", "perhaps"),
    ],
)
def test_what_is_malformed_is_named_and_not_shown(name: str, value: str):
    """A claim that goes before Meta's last repeat would let an event happen twice: 36 hours are the least."""
    with pytest.raises(SettingsError) as raised:
        load({**SET, name: value})
    assert name in str(raised.value)
    assert "canary" not in str(raised.value)
