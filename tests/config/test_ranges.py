from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qsops.config.ranges import forbidden_reason, is_private, parse_networks
from qsops.errors import SettingsError


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("127.0.0.1", "a loopback address"),
        ("127.255.255.254", "a loopback address"),
        ("::1", "a loopback address"),
        ("0.0.0.0", "this machine itself"),
        ("::", "this machine itself"),
        ("10.0.0.5", "a private address"),
        ("172.16.0.1", "a private address"),
        ("172.31.255.255", "a private address"),
        ("192.168.1.1", "a private address"),
        ("fd12:3456::1", "a private address"),
        ("fec0::1", "a private address"),
        ("100.64.0.1", "an address behind a carrier's NAT"),
        ("169.254.1.1", "a link-local address"),
        ("fe80::1", "a link-local address"),
        ("fe80::1%eth0", "a link-local address"),
        ("169.254.169.254", "the metadata service of a cloud"),
        ("fd00:ec2::254", "the metadata service of a cloud"),
        ("224.0.0.1", "a multicast address"),
        ("ff02::1", "a multicast address"),
        ("255.255.255.255", "a reserved address"),
        ("192.0.2.1", "a reserved address"),
        ("198.18.0.1", "a reserved address"),
        ("2001:db8::1", "a reserved address"),
        ("4000::1", "a reserved address"),
        ("::ffff:10.0.0.1", "a private address"),
        ("::ffff:127.0.0.1", "a loopback address"),
        ("::ffff:0:10.0.0.1", "a private address"),
        ("::10.0.0.1", "a private address"),
        ("::8.8.8.8", "a reserved address"),
        ("64:ff9b::169.254.169.254", "the metadata service of a cloud"),
        ("64:ff9b:1::1", "a private address"),
        ("2002:c0a8:0101::1", "a private address"),
        ("2002:7f00:0001::", "a loopback address"),
        ("2002:808:808::1", "a reserved address"),
        ("2001:0:808:808::f5ff:fffe", "a reserved address"),
        ("2a00:1450::5efe:10.0.0.1", "a private address"),
        ("2a00:1450::200:5efe:10.0.0.1", "a private address"),
    ],
)
def test_what_is_not_public_is_named(text: str, reason: str):
    """Each kind of address that is not of the public internet, in whatever form of IPv6 it hides."""
    assert forbidden_reason(ip_address(text)) == reason


@pytest.mark.parametrize(
    "text",
    [
        *("8.8.8.8", "172.15.255.255", "172.32.0.0", "100.63.255.255", "100.128.0.0", "192.167.255.255", "126.0.0.1"),
        *("2a00:1450:4001::1", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8", "2001:4860:4860::8888"),
    ],
)
def test_what_is_public_may_be_called(text: str):
    """The neighbours of the refused ranges, and public addresses in translated form."""
    assert not is_private(ip_address(text))


@given(st.ip_addresses(v=4))
def test_a_form_of_ipv6_hides_no_address(address):
    """What is refused as an address of IPv4 is refused in each form of IPv6 that a network may turn back into it."""
    if is_private(address):
        value = int(address)
        forms = [(0xFFFF << 32) | value, (0x64FF9B << 96) | value, (0x2002 << 112) | (value << 80) | 1, value]
        assert all(is_private(ip_address(form.to_bytes(16, "big"))) for form in forms)


@given(st.ip_addresses())
def test_what_python_calls_private_is_refused(address):
    """The standard library's own judgement is a second opinion: nothing that it counts as private gets through."""
    if address.is_private or address.is_loopback or address.is_link_local or address.is_multicast:
        assert is_private(address)


@pytest.mark.parametrize(
    ("allowed", "passes", "refused"),
    [
        ("10.0.0.0/8", ["10.1.2.3", "::ffff:10.1.2.3", "64:ff9b::10.1.2.3"], ["192.168.0.1", "::ffff:192.168.0.1"]),
        ("192.168.0.7", ["192.168.0.7"], ["192.168.0.8"]),
        ("fd00::/8", ["fd00::1"], ["fe80::1", "10.0.0.1"]),
        ("::1", ["::1"], ["127.0.0.1"]),
        ("all", ["10.0.0.1", "127.0.0.1", "169.254.169.254", "fd00::1", "::1", "ff02::1"], []),
    ],
)
def test_a_network_is_allowed_alone(allowed: str, passes: list[str], refused: list[str]):
    """Naming one network lets in that network and nothing beside it."""
    networks = parse_networks("--allow-private", [allowed])
    assert [text for text in passes if forbidden_reason(ip_address(text), networks)] == []
    assert all(forbidden_reason(ip_address(text), networks) for text in refused)


@pytest.mark.parametrize("text", ["", "10.0.0.0/33", "10.0.0.1/8", "example.com", "yes"])
def test_what_is_no_network_is_named(text: str):
    """A setting that does not parse is refused with its name and value, and nothing is allowed by accident."""
    with pytest.raises(SettingsError, match="--allow-private: "):
        parse_networks("--allow-private", [text])
