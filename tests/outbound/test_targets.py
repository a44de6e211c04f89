"""Which targets may be called."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.outbound.targets import Policy, TargetRefused, is_public

LOOPBACK = Policy((ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128")))

NOT_PUBLIC = [
    "0.0.0.0",  # noqa: S104 - nothing is bound to it
    "0.1.2.3", "10.0.0.1", "100.64.0.1", "100.100.100.200", "127.0.0.1", "127.255.255.254",
    "168.63.129.16", "169.254.169.254", "169.254.0.1", "172.16.0.1", "172.31.255.255", "192.0.0.192", "192.0.2.1",
    "192.168.1.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1",
    "255.255.255.255",
    "::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "::ffff:0:127.0.0.1", "64:ff9b::7f00:1",
    "64:ff9b::a00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::808:808", "100::1", "2001::1", "2001:db8::1",
    "2002:7f00:1::1", "2002:808:808::1", "3fff::1", "5f00::1", "fc00::1", "fd00:ec2::254", "fe80::1", "fec0::1",
    "ff02::1",
]  # fmt: skip
PUBLIC = ["1.1.1.1", "8.8.8.8", "100.128.0.1", "172.32.0.1", "2606:4700:4700::1111", "64:ff9b::808:808"]


@pytest.mark.parametrize("text", NOT_PUBLIC)
def test_what_is_not_on_the_open_internet_is_refused(text: str) -> None:
    address = ipaddress.ip_address(text)
    assert not is_public(address)
    with pytest.raises(TargetRefused, match="TRANCHE_OUTBOUND_ALLOW"):
        Policy().check_address(address, "https", 443)


@pytest.mark.parametrize("text", PUBLIC)
def test_public_addresses_are_called_by_https_only(text: str) -> None:
    Policy().check_address(ipaddress.ip_address(text), "https", 443)
    with pytest.raises(TargetRefused, match="use https"):
        LOOPBACK.check_address(ipaddress.ip_address(text), "http", 80)


@given(st.ip_addresses())
def test_no_address_is_public_that_the_standard_library_calls_private(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    if is_public(address) and not (address.version == 6 and address in ipaddress.ip_network("64:ff9b::/96")):
        assert address.is_global
        assert not address.is_multicast
        assert not address.is_reserved


@given(st.ip_addresses(v=4))
def test_ipv4_inside_ipv6_opens_nothing_that_ipv4_does_not(address: ipaddress.IPv4Address) -> None:
    number = int(address)
    assert is_public(ipaddress.IPv6Address((0x64FF9B << 96) | number)) == is_public(address)
    for inside in (number, (0xFFFF << 32) | number, (0x2002 << 112) | (number << 80)):
        assert not is_public(ipaddress.IPv6Address(inside))


@pytest.mark.parametrize("text", ["127.0.0.1", "127.8.9.10", "::1"])
def test_named_networks_are_called_by_http_too(text: str) -> None:
    for scheme in ("http", "https"):
        LOOPBACK.check_address(ipaddress.ip_address(text), scheme, 22)


def test_naming_a_network_does_not_name_its_ipv6_disguises() -> None:
    for text in ("::ffff:127.0.0.1", "64:ff9b::7f00:1", "10.0.0.1"):
        with pytest.raises(TargetRefused):
            LOOPBACK.check_address(ipaddress.ip_address(text), "https", 443)


@pytest.mark.parametrize(
    ("given_url", "read"),
    [
        ("https://example.com", "https://example.com"),
        ("HTTPS://Example.COM:8443/a%20b?x=1&y=[2]", "https://example.com:8443/a%20b?x=1&y=[2]"),
        ("https://example.com./hook", "https://example.com./hook"),
        ("https://bücher.example/x", "https://xn--bcher-kva.example/x"),
        ("https://under_score.example/", "https://under_score.example/"),
        ("https://[2606:4700:4700:0:0::1111]:1024/", "https://[2606:4700:4700::1111]:1024/"),
        ("https://8.8.8.8/", "https://8.8.8.8/"),
    ],
)
def test_urls_are_read_with_their_host_in_ascii(given_url: str, read: str) -> None:
    assert Policy().read_url(given_url) == read
    assert Policy().read_url(read) == read


@pytest.mark.parametrize(
    ("url", "because"),
    [
        ("http://example.com/", "https"),
        ("ftp://example.com/", "https"),
        ("//example.com/", "https"),
        ("example.com", "https"),
        ("", "https"),
        ("file:///etc/passwd", "https"),
        ("https://", "host name"),
        ("https:///path", "host name"),
        ("https://user@example.com/", "user name"),
        ("https://user:password@example.com/", "user name"),
        ("https://example.com@127.0.0.1/", "user name"),
        ("https://example.com/#x", "fragment"),
        ("https://example.com:0/", "port"),
        ("https://example.com:65536/", "port"),
        ("https://example.com:http/", "port"),
        ("https://example.com:22/", "port 22 .* TRANCHE_OUTBOUND_PORTS"),
        ("https://8.8.8.8:25/", "port 25"),
        ("https://[2606:4700:4700::1111]:1/", "port 1 "),
        ("https://example.com:80/", "port 80"),
        ("https://example.com:5432/", "port 5432"),
        ("https://example.com:6667/", "port 6667"),
        ("https://exa mple.com/", "spaces"),
        ("https://example.com/\r\nX: y", "control"),
        ("https://example.com\\@127.0.0.1/", "backslash"),
        ("https://example.com/ü", "percent-encode"),
        ("https://example.com/<x>", "percent-encode"),
        ("https://-x.example/", "host name"),
        ("https://a..b/", "host name"),
        ("https://" + "a" * 64 + ".example/", "host name"),
        ("https://" + "a." * 127 + "example/", "host name"),
        ("https://" + "x" * 2_000, "longer"),
        ("https://xn--\u2603.example/", "international"),
        ("https://127.0.0.1/", "public"),
        ("https://１２７.0.0.1/", "public"),
        ("https://127。0。0。1/", "public"),
        ("https://2130706433/", "four decimal"),
        ("https://0x7f000001/", "four decimal"),
        ("https://0x7f.1/", "four decimal"),
        ("https://0177.0.0.1/", "four decimal"),
        ("https://127.1/", "four decimal"),
        ("https://a.0x/", "four decimal"),
        ("https://1.2.3.4.5/", "four decimal"),
        ("https://[::1]/", "public"),
        ("https://[::ffff:127.0.0.1]/", "public"),
        ("https://[fe80::1%25eth0]/", "IPv6"),
        ("https://[v1.x]/", "IPv6"),
        ("https://[::1/", "not a URL"),
    ],
)
def test_what_is_wrong_with_a_url_is_said(url: str, because: str) -> None:
    with pytest.raises(TargetRefused, match=because):
        Policy().read_url(url)


def test_named_ports_are_those_that_are_called() -> None:
    own = Policy(ports=frozenset({22, 8443}))
    assert own.read_url("https://example.com:22/") == "https://example.com:22/"
    for url in ("https://example.com/", "https://8.8.8.8:9443/"):
        with pytest.raises(TargetRefused, match="TRANCHE_OUTBOUND_PORTS"):
            own.read_url(url)


def test_the_port_of_a_name_that_may_be_inside_is_judged_with_its_address() -> None:
    assert LOOPBACK.read_url("https://inside.example:5432/") == "https://inside.example:5432/"
    LOOPBACK.check_address(ipaddress.ip_address("127.0.0.1"), "https", 5432)
    with pytest.raises(TargetRefused, match="port 5432"):
        LOOPBACK.check_address(ipaddress.ip_address("8.8.8.8"), "https", 5432)


def test_http_needs_a_named_network() -> None:
    assert LOOPBACK.read_url("http://127.0.0.1:8080/x") == "http://127.0.0.1:8080/x"
    assert LOOPBACK.read_url("http://localhost/x") == "http://localhost/x"
    with pytest.raises(TargetRefused, match="use https"):
        LOOPBACK.read_url("http://8.8.8.8/")
    with pytest.raises(TargetRefused, match="https"):
        Policy().read_url("http://127.0.0.1/")


@given(st.text(max_size=60))
def test_any_text_is_a_url_or_refused(text: str) -> None:
    for url in (text, "https://" + text):
        try:
            read = Policy().read_url(url)
        except TargetRefused:
            continue
        assert read.isascii()
        assert Policy().read_url(read) == read
