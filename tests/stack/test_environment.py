import pytest

from qsops.stack.environment import child_environment

PRODUCTION = {
    "QSTASH_URL": "https://qstash.upstash.io",
    "QSTASH_TOKEN": "canary",
    "QSTASH_CURRENT_SIGNING_KEY": "canary",
    "EU_CENTRAL_1_QSTASH_TOKEN": "canary",
    "PROD_QSTASH_TOKEN": "canary",
    "QSTASH_DEV": "true",
    "QSOPS_HANDLER": "canary:handler",
    "QSOPS_RETRY_DELAY": "1",
    "INSTAGRAM_APP_SECRET": "canary",
    "INSTAGRAM_VERIFY_TOKEN": "canary",
    "INTERNAL_API_TOKEN": "canary",
    "PUBLIC_BASE_URL": "https://canary.example",
    "DATABASE_URL": "postgresql://canary",
    "ALLOWED_HOSTS": "canary.example",
    "ALERT_WEBHOOK_URL": "https://canary.example",
    "VERCEL_ENV": "production",
}


@pytest.mark.parametrize("name", PRODUCTION)
def test_no_setting_of_the_caller_reaches_a_child(name: str):
    """A child's environment is made from scratch: a production setting that lies there changes nothing."""
    assert name not in child_environment({**PRODUCTION, "PATH": "/bin"}, {})


def test_what_is_no_setting_stays():
    """PATH and locale are the machine's, and the child needs them."""
    made = child_environment({"PATH": "/bin", "LANG": "C.UTF-8"}, {})
    assert (made["PATH"], made["LANG"]) == ("/bin", "C.UTF-8")


def test_what_is_set_for_the_child_wins():
    """Settings that are given reach the child, and dotenv files are off."""
    made = child_environment(PRODUCTION, {"QSTASH_URL": "http://127.0.0.1:1"})
    assert made["QSTASH_URL"] == "http://127.0.0.1:1"
    assert made["QSOPS_DOTENV"] == "off"


def test_loopback_is_never_reached_through_a_proxy():
    """The caller's proxy exceptions are kept, and this machine is one of them, in both spellings."""
    made = child_environment({"HTTPS_PROXY": "http://proxy:1", "no_proxy": "example.com"}, {})
    assert made["NO_PROXY"] == made["no_proxy"] == "example.com,127.0.0.1,localhost,::1"
